//! Node-RED as a peer: a flow from `http in` by `http request` to another server.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::load::PATH;
use super::servers::Program;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Node-RED under way; killed when dropped.
pub struct NodeRed {
    program: Program,
    _dir: tempfile::TempDir,
}

impl NodeRed {
    /// The program alone; its directory stays until it is cleared away.
    pub fn into_program(self) -> Program {
        // It keeps nothing there that another start would need.
        let _ = self._dir.keep();
        self.program
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }
}

/// Starts the script that `NODE_RED` names. `early`: it answers before it forwards.
pub fn start(early: bool, to: &str) -> Option<NodeRed> {
    let script = std::env::var_os("NODE_RED")?;
    let dir = tempfile::tempdir().ok()?;
    // Its own headers, not those of the request that it got.
    let bare = json!([{"t": "delete", "p": "headers", "pt": "msg"}]);
    let first = if early {
        json!([["out", "bare"]])
    } else {
        json!([["bare"]])
    };
    let last = if early { json!([[]]) } else { json!([["out"]]) };
    let flows = json!([
        {"id": "tab", "type": "tab", "label": "bench"},
        {"id": "in", "type": "http in", "z": "tab", "url": PATH, "method": "post", "wires": first},
        {"id": "bare", "type": "change", "z": "tab", "rules": bare, "wires": [["send"]]},
        {"id": "send", "type": "http request", "z": "tab", "method": "POST", "ret": "txt",
         "paytoqs": "ignore", "url": to, "persist": true, "wires": last},
        {"id": "out", "type": "http response", "z": "tab", "statusCode": "202", "wires": []}
    ]);
    let settings = "module.exports = { flowFile: 'flows.json', uiHost: '127.0.0.1', \
                    httpAdminRoot: false, logging: { console: { level: 'error' } } };";
    std::fs::write(dir.path().join("flows.json"), flows.to_string()).ok()?;
    std::fs::write(dir.path().join("settings.js"), settings).ok()?;
    let port = TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?;
    let child = Command::new("node")
        .arg(script)
        .args(["--userDir".as_ref(), dir.path().as_os_str()])
        .args(["--port", &port.port().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let program = Program::of(child, port);
    let until = Instant::now() + PATIENCE;
    while !hears(port) {
        if Instant::now() > until {
            println!("Node-RED did not start");
            return None;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    Some(NodeRed { program, _dir: dir })
}

/// Whether the flow is there: before, the path is not.
fn hears(address: SocketAddr) -> bool {
    use std::io::{Read, Write};
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = format!(
        "POST {PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
    );
    let mut answer = String::new();
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let heard = stream.write_all(request.as_bytes());
    heard.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 202 ")
}
