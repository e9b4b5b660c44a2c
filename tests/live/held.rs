//! A runner that may not write: its store is held by somebody else, or it was told to stop.

use std::sync::{Arc, Mutex};

use super::*;

#[test]
fn a_store_that_is_held_for_long_ends_no_runner_and_nothing_is_acknowledged_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let mut child = Command::new(env!("CARGO_BIN_EXE_syncline"))
        .args(["run", "--listen", "127.0.0.1:0", "--log", "json"])
        .arg(dir.path())
        .env("FORMS_SECRET", SECRET)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
    let ear = Arc::clone(&said);
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            ear.lock()
                .unwrap()
                .push(serde_json::from_str(&line).unwrap());
        }
    });
    let heard = |event: &str| {
        let said = said.lock().unwrap();
        said.iter().find(|line| line["event"] == event).cloned()
    };
    wait_for("where it listens", || heard("listening").is_some());
    let url = heard("listening").unwrap()["url"]
        .as_str()
        .unwrap()
        .to_owned();
    let address = url.trim_start_matches("http://").to_owned();
    let mut runner = Runner {
        child,
        address,
        said: Arc::default(),
    };

    let holder = rusqlite::Connection::open(dir.path().join(".syncline.db")).unwrap();
    holder.busy_timeout(Duration::from_secs(10)).unwrap();
    let mut sent = 0;
    loop {
        for _ in 0..100 {
            let email = format!("p{sent}@example.com");
            let id = format!("msg_{sent}");
            assert_eq!(deliver(&runner, &id, &submission(&email, "P")), 202);
            sent += 1;
        }
        holder.execute_batch("BEGIN IMMEDIATE").unwrap();
        let sql = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM events)";
        let left: i64 = holder.query_row(sql, [], |row| row.get(0)).unwrap();
        if left > 0 {
            break;
        }
        // It had nothing left to write: once more.
        holder.execute_batch("ROLLBACK").unwrap();
    }
    wait_for("the word that it waits", || heard("store.held").is_some());
    let line = heard("store.held").unwrap();
    assert_eq!(line["level"], "warn");
    assert!(line["seconds"].as_u64() >= Some(5), "{line}");
    let late = submission("late@example.com", "Late");
    assert_eq!(deliver(&runner, "late", &late), 503);
    assert!(runner.child.try_wait().unwrap().is_none());
    holder.execute_batch("ROLLBACK").unwrap();
    drop(holder);
    wait_for("the word that it goes on", || heard("store.free").is_some());
    assert_eq!(deliver(&runner, "late", &late), 202);
    wait_for("all", || {
        name_of(dir.path(), "late@example.com").is_some()
            && (0..sent).all(|n| name_of(dir.path(), &format!("p{n}@example.com")).is_some())
    });
    terminate(&runner);
    assert_eq!(runner.child.wait().unwrap().code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn other_programs_can_tell_that_a_runner_has_the_store_open() {
    use std::os::unix::fs::MetadataExt as _;

    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let runner = start(dir.path());
    // What a runner looks at beside its work opens the store once more, and closes it.
    assert_eq!(
        deliver(&runner, "m", &submission("p@example.com", "P")),
        202
    );
    wait_for("the record", || {
        name_of(dir.path(), "p@example.com").is_some()
    });
    let locked_by = |process: u32, file: &str| {
        let meta = std::fs::metadata(dir.path().join(file)).unwrap();
        let (process, inode) = (format!(" {process} "), format!(":{} ", meta.ino()));
        let all = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        let of_it = |line: &str| {
            line.contains(" POSIX ") && line.contains(&process) && line.contains(&inode)
        };
        all.lines().any(of_it)
    };
    let store = dir.path().join(".syncline.db");
    let own = rusqlite::Connection::open(&store).unwrap();
    let sql = "SELECT count(*) FROM records";
    let _: i64 = own.query_row(sql, [], |row| row.get(0)).unwrap();
    if !locked_by(std::process::id(), ".syncline.db") {
        // A file system whose numbers are not those of the files below it tells nothing.
        return;
    }
    // By these locks the last one to close the store knows that it is not the last.
    for file in [".syncline.db", ".syncline.db-shm"] {
        assert!(locked_by(runner.child.id(), file), "{file}");
    }
    drop(own);
    drop(runner);
}
