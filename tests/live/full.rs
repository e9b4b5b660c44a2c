//! A runner whose store's disk is full: a file system of its own, of a few MB, in a mount namespace.

use super::*;

/// The real program with its store on a disk of that many MB; none where this machine gives nobody
/// a file system of his own.
fn on_a_disk_of(dir: &Path, megabytes: u32) -> Option<Runner> {
    let disk = dir.join("disk");
    std::fs::create_dir(&disk).unwrap();
    let own = |then: &str| {
        let mount = format!("mount -t tmpfs -o size={megabytes}m none \"$1\" && {then}");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &mount]);
        command.arg("sh").arg(&disk);
        command
    };
    let possible = own("true").stderr(Stdio::null()).status();
    if !possible.is_ok_and(|status| status.success()) {
        eprintln!("no file system of its own can be mounted here: not tried");
        return None;
    }
    let run = "exec \"$2\" run --listen 127.0.0.1:0 --log json --store \"$1/s.db\" \"$3\"";
    let mut child = own(run)
        .arg(env!("CARGO_BIN_EXE_syncline"))
        .arg(dir)
        .env("FORMS_SECRET", SECRET)
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(dir.join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut address = None;
    wait_for("where it listens", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended");
        address = said(dir, "listening").and_then(|line| {
            let url = line["url"].as_str()?;
            Some(url.trim_start_matches("http://").to_owned())
        });
        address.is_some()
    });
    let address = address?;
    Some(Runner {
        child,
        address,
        said: Arc::default(),
    })
}

/// The first line of the log that tells of an event.
fn said(dir: &Path, event: &str) -> Option<serde_json::Value> {
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    let whole = log
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'));
    let mut lines = whole.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.find(|line| line["event"] == event)
}

fn count(dir: &Path, event: &str) -> usize {
    let log = std::fs::read_to_string(dir.join("log")).unwrap();
    let word = format!("\"event\":\"{event}\"");
    log.lines().filter(|line| line.contains(&word)).count()
}

fn get(address: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok());
    status.unwrap_or_default()
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_no_answer_of_2xx_and_no_end_and_all_goes_on_once_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    // What is followed is looked at each second, which is noted in the store.
    let policy = POLICY.replace("accepts forms", "accepts forms, journal")
        + r#"system journal { connector jsonl option path = "journal.jsonl" }
map contact in journal { same_names changed_at "at" }
scenario follow { sync contact(name) from journal to crm mode realtime }
"#;
    std::fs::write(dir.path().join("policy.sync"), policy).unwrap();
    std::fs::write(dir.path().join("journal.jsonl"), "").unwrap();
    let Some(mut runner) = on_a_disk_of(dir.path(), 64) else {
        return;
    };
    // The disk as the runner sees it.
    let disk = format!(
        "/proc/{}/root{}/disk",
        runner.child.id(),
        dir.path().display()
    );
    let filler = Path::new(&disk).join("filler");
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let mut refused = None;
        for n in 0..5_000 {
            let name = format!("p{round}_{n}");
            let body = submission(&format!("{name}@example.com"), "P");
            match deliver(&runner, &name, &body) {
                202 => acknowledged.push(name),
                503 => {
                    refused = Some((name, body));
                    break;
                }
                other => {
                    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
                    std::thread::sleep(Duration::from_millis(300));
                    panic!("answered with {other}: {log} {:?}", runner.child.try_wait())
                }
            }
            if n == 20 {
                let mut rest = std::fs::File::create(&filler).unwrap();
                while rest.write_all(&[1; 4_096]).is_ok() {}
            }
        }
        let (name, body) = refused.expect("the store has no room in the end");
        let rounds = round + 1;
        wait_for("the word that there is no room", || {
            let ended = runner.child.try_wait().unwrap();
            let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
            assert!(ended.is_none(), "it ended: {ended:?}: {log}");
            count(dir.path(), "store.full") >= rounds && get(&runner.address, "/readyz") == 503
        });
        assert_eq!(get(&runner.address, "/healthz"), 200);
        assert_eq!(deliver(&runner, &name, &body), 503);
        std::fs::remove_file(&filler).unwrap();
        wait_for("the word that it goes on", || {
            assert!(runner.child.try_wait().unwrap().is_none(), "it ended");
            get(&runner.address, "/readyz") == 200
        });
        wait_for("room for what was refused", || {
            deliver(&runner, &name, &body) == 202
        });
        acknowledged.push(name);
        wait_for("all that was acknowledged", || {
            let there =
                |name: &String| name_of(dir.path(), &format!("{name}@example.com")).is_some();
            acknowledged.iter().all(there)
        });
    }
    assert!(said(dir.path(), "store.room").is_some());
    let line = said(dir.path(), "store.full").unwrap();
    assert_eq!(line["level"], "error");
    assert!(line["error"].as_str().unwrap().contains("s.db"), "{line}");
    terminate(&runner);
    assert_eq!(runner.child.wait().unwrap().code(), Some(0));
}
