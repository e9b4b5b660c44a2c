//! A PostgreSQL server of the tests' own: a fresh cluster on a free port of loopback, stopped by its
//! process id when the last test that uses it ends, and by a deadline whatever happens.

#![allow(dead_code)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

/// How long a server may live, in seconds.
const LIFE: &str = "900";

/// A running server.
pub struct Server {
    child: Mutex<Child>,
    port: u16,
    bin: PathBuf,
    dir: tempfile::TempDir,
    settings: Vec<String>,
}

/// A database of its own on a shared server.
pub struct Database {
    pub server: Arc<Server>,
    pub name: String,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static DATABASES: AtomicUsize = AtomicUsize::new(0);

impl Database {
    /// A new, empty database.
    pub fn new() -> Database {
        let server = {
            let mut shared = SHARED.lock().unwrap_or_else(|e| e.into_inner());
            shared.upgrade().unwrap_or_else(|| {
                let server = Arc::new(Server::start(&[]));
                *shared = Arc::downgrade(&server);
                server
            })
        };
        Database::on(server)
    }

    /// A new, empty database on a server.
    pub fn on(server: Arc<Server>) -> Database {
        let name = format!("db{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        let mut client = Client::connect(&server.url("postgres"), NoTls).unwrap();
        client
            .batch_execute(&format!("CREATE DATABASE {name}"))
            .unwrap();
        Database { server, name }
    }

    /// Its connection URL.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// A connection to it.
    pub fn client(&self) -> Client {
        Client::connect(&self.url(), NoTls).unwrap()
    }

    /// Runs statements.
    pub fn run(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap();
    }

    /// One row and column as text; `null` where it is none.
    pub fn one(&self, sql: &str) -> String {
        let sql = format!("SELECT ({sql})::text");
        let row = self.client().query_one(&sql, &[]).unwrap();
        row.get::<_, Option<String>>(0)
            .unwrap_or_else(|| "null".to_owned())
    }
}

impl Server {
    /// Makes a cluster and starts it; `settings` are words such as `wal_level=logical`.
    pub fn start(settings: &[&str]) -> Server {
        let bin = binaries();
        let dir = tempfile::Builder::new()
            .prefix("syncline-pg-")
            .tempdir_in(std::env::temp_dir())
            .unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        give(dir.path());
        let made = as_anybody(&bin.join("initdb"))
            .args([
                "-A",
                "trust",
                "-U",
                "syncline",
                "-E",
                "UTF8",
                "--locale=C",
                "-N",
                "-D",
            ])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        let port = free_port();
        let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
        let child = serve(&bin, dir.path(), port, &settings);
        let server = Server {
            child: Mutex::new(child),
            port,
            bin,
            dir,
            settings,
        };
        server.wait();
        server
    }

    /// Halts all its processes where they are: it keeps its connections and answers none.
    pub fn freeze(&self) {
        for pid in self.processes() {
            signal("-STOP", &pid);
        }
    }

    /// Lets halted processes go on.
    pub fn thaw(&self) {
        for pid in self.processes() {
            signal("-CONT", &pid);
        }
    }

    /// The ids of its processes, the one that starts the others first.
    fn processes(&self) -> Vec<String> {
        let file = self.dir.path().join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        let Some(first) = text.lines().next() else {
            return Vec::new();
        };
        let listed = Command::new("ps")
            .args(["-o", "pid=", "--ppid", first])
            .output();
        let listed = listed.unwrap();
        let others = String::from_utf8_lossy(&listed.stdout);
        let others = others.split_whitespace().map(str::to_owned);
        [first.to_owned()].into_iter().chain(others).collect()
    }

    /// Stops it; whoever is connected is cut off.
    pub fn stop(&self) {
        // One that is halted would not hear of it.
        self.thaw();
        // `pg_ctl` reads the process id from the cluster's own file.
        let _ = as_anybody(&self.bin.join("pg_ctl"))
            .args(["stop", "-m", "immediate", "-t", "20", "-D"])
            .arg(self.dir.path().join("data"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let mut child = self.child.lock().unwrap_or_else(|e| e.into_inner());
        let _ = child.kill();
        let _ = child.wait();
    }

    /// Starts a stopped one, at the same address with all that it held.
    pub fn start_again(&self) {
        let child = serve(&self.bin, self.dir.path(), self.port, &self.settings);
        *self.child.lock().unwrap_or_else(|e| e.into_inner()) = child;
        self.wait();
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://syncline@127.0.0.1:{}/{database}", self.port)
    }

    fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        while Client::connect(&self.url("postgres"), NoTls).is_err() {
            let log = self.dir.path().join("log");
            let log = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(
                Instant::now() < until,
                "the server did not start: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts the server of a cluster.
fn serve(bin: &Path, dir: &Path, port: u16, settings: &[String]) -> Child {
    let mut server = as_anybody(&bin.join("postgres"));
    server.arg("-D").arg(dir.join("data"));
    server.arg("-p").arg(port.to_string());
    server.args(["-h", "127.0.0.1", "-c", "unix_socket_directories="]);
    server.args(["-c", "max_connections=80"]);
    for setting in settings {
        server.arg("-c").arg(setting);
    }
    let log = std::fs::File::create(dir.join("log")).unwrap();
    server
        .stdout(Stdio::null())
        .stderr(log)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(which: &str, pid: &str) {
    // It may have ended by itself.
    let _ = Command::new("kill")
        .args([which, pid])
        .stderr(Stdio::null())
        .status();
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// Gives a directory to the user that the server runs as: it refuses to be root, and is then the one
/// that owns nothing.
pub fn give(dir: &Path) {
    if is_root() {
        let mut give = Command::new("chown");
        let given = give.args(["-R", "nobody"]).arg(dir).status();
        assert!(given.unwrap().success());
    }
}

/// A program as a user that may run a server, ended when it has lived long enough.
fn as_anybody(program: &Path) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=10", LIFE]);
    if is_root() {
        command.args(["setpriv", "--reuid=nobody", "--clear-groups"]);
    }
    command.arg(program).current_dir("/");
    command
}

/// Where the server's programs are: on the path, else where Debian and others put them.
fn binaries() -> PathBuf {
    let mut places: Vec<PathBuf> = Vec::new();
    for base in ["/usr/lib/postgresql", "/usr/local/opt", "/opt/homebrew/opt"] {
        let found = std::fs::read_dir(base).into_iter().flatten().flatten();
        places.extend(found.map(|e| e.path().join("bin")));
    }
    places.sort();
    places.reverse();
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.extend(std::env::split_paths(&path));
    let whole = |p: &PathBuf| {
        ["initdb", "postgres", "pg_ctl"]
            .iter()
            .all(|n| p.join(n).exists())
    };
    places.into_iter().find(whole).expect(
        "a PostgreSQL server is needed: `.ci/test` installs it (on Debian: apt-get install postgresql)",
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
