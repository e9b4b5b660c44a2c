//! What only a file has: who may open it, what it may be, and what is said where it cannot be
//! used.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use syncline::engine::ports::{RunStatus, Store, StoreError};
use syncline::store::{APPLICATION_ID, FORMAT, Held, OpenMode, Patience, SqliteStore};
use syncline::terms::Priority;
use syncline::time::Instant;

use super::contract::{event, letter, row, run};

fn refused(path: &Path, mode: OpenMode) -> StoreError {
    let error = SqliteStore::open(path, mode).expect_err("has to be refused");
    assert!(error.remedy.is_some(), "{error} says no remedy");
    error
}

/// Refused with these words, and with the file's name.
fn refused_with(path: &Path, mode: OpenMode, words: &str) {
    let error = refused(path, mode);
    let name = path.file_name().unwrap().to_str().unwrap();
    assert!(error.message.contains(words), "{error}");
    assert!(error.message.contains(name), "{error}");
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// A closed store with something in it.
fn filled(path: &Path) {
    let mut store = SqliteStore::open(path, OpenMode::Run).unwrap();
    store.begin().unwrap();
    for n in 0..2_000 {
        let doc = format!("{n:>100}");
        store
            .put_record("contact", &format!("k{n:05}"), &doc)
            .unwrap();
    }
    store
        .append_events("crm", &[event("1", "body")], Instant(1))
        .unwrap();
    store.put_dead_letter(&letter("crm", "a", "x")).unwrap();
    store.open_run(&run("nightly", None)).unwrap();
    store.commit().unwrap();
}

/// Reads everything; what it says does not matter.
fn read_all(store: &mut SqliteStore) {
    let _ = store.meta_with_prefix("");
    let _ = store.pending_events(usize::MAX);
    let _ = store.records_after("contact", None, usize::MAX);
    let _ = store.record("contact", "k01234");
    let _ = store.dead_letters();
    let _ = store.runs(None, usize::MAX);
    let _ = store.put_record("contact", "k00500", "{}");
    let _ = store.append_events("crm", &[event("2", "b")], Instant(2));
}

#[test]
fn what_was_committed_is_there_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    assert_eq!(
        store.records_after("contact", None, 9_999).unwrap().len(),
        2_000
    );
    assert_eq!(store.pending_events(9).unwrap().len(), 1);
    let again = store.append_events("crm", &[event("1", "body")], Instant(2));
    assert_eq!(again.unwrap(), [false]);
    store.begin().unwrap();
    store.put_record("contact", "lost", "{}").unwrap();
    drop(store);
    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    assert_eq!(store.record("contact", "lost").unwrap(), None);
}

#[test]
fn a_second_runner_is_refused_and_told_who_holds_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let first = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let error = refused(&path, OpenMode::Run);
    let holder = format!("process {}", std::process::id());
    assert!(error.message.contains(&holder), "{error}");
    assert!(error.message.contains("s.db"), "{error}");
    assert!(error.remedy.unwrap().contains(&holder));
    #[cfg(unix)]
    {
        let link = dir.path().join("link.db");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let error = refused(&link, OpenMode::Run);
        assert!(error.message.contains(&holder), "{error}");
    }
    drop(first);
    SqliteStore::open(&path, OpenMode::Run).unwrap();
}

#[test]
fn a_store_that_is_just_being_made_is_in_use_and_not_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let first = SqliteStore::open(&path, OpenMode::Run).unwrap();
    fs::write(&path, "SQLite format 3\0").unwrap();
    refused_with(&path, OpenMode::Run, "is in use");
    drop(first);
}

#[test]
fn a_store_can_be_inspected_beside_its_runner() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    let mut runner = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let mut reader = SqliteStore::open(&path, OpenMode::Inspect).unwrap();
    runner.begin().unwrap();
    runner.put_record("contact", "new", "{}").unwrap();
    assert_eq!(reader.record("contact", "new").unwrap(), None);
    assert_eq!(reader.runs(None, 9).unwrap().len(), 1);
    assert_eq!(reader.dead_letters().unwrap().len(), 1);
    runner.commit().unwrap();
    assert!(reader.record("contact", "new").unwrap().is_some());
    let error = reader.put_record("contact", "x", "{}").unwrap_err();
    assert!(error.message.contains("for reading only"), "{error}");
    assert!(reader.begin().is_err());
    assert!(reader.stage_open(1).is_err());
    drop(runner);
    drop(reader);
    let mut reader = SqliteStore::open(&path, OpenMode::Inspect).unwrap();
    assert!(reader.record("contact", "new").unwrap().is_some());
}

#[test]
fn single_things_can_be_changed_beside_a_runner() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    let mut runner = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let mut operator = SqliteStore::open(&path, OpenMode::Operate).unwrap();
    operator.clear_dead_letter("crm", "contact", "a").unwrap();
    operator.set_meta("pause/nightly", "1").unwrap();
    assert_eq!(runner.dead_letters().unwrap(), []);
    assert!(runner.meta("pause/nightly").unwrap().is_some());
    assert!(operator.stage_put(1, vec![]).is_err());
}

#[test]
fn what_is_changed_beside_a_runner_is_changed_where_it_holds() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    let mut runner = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let mut operator = SqliteStore::open(&path, OpenMode::Operate).unwrap();
    let mut choose = |operator: &mut SqliteStore, key: &str, doc: &str| {
        operator.begin().unwrap();
        assert!(operator.record("contact", key).unwrap().is_some());
        operator.put_record("contact", key, doc).unwrap();
        operator.commit().unwrap();
        assert_eq!(runner.record("contact", key).unwrap().as_deref(), Some(doc));
        // One in ten of many is put apart.
        let keys: Vec<String> = (0..200).map(|n| format!("k{:05}", n * 10)).collect();
        let docs: Vec<(&str, &str)> = keys.iter().map(|key| (&**key, "apart")).collect();
        runner.put_records("contact", &docs).unwrap();
    };
    choose(&mut operator, "k00010", "chosen before");
    choose(&mut operator, "k00010", "chosen after");
    let apart: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM records_fresh", [], |row| row.get(0))
        .unwrap();
    // The first time nothing was settled yet: all but the last nine went there together.
    assert_eq!(apart, 200 + 9);
}

#[test]
fn nothing_is_made_where_a_store_is_only_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    fs::write(dir.path().join("empty.db"), "").unwrap();
    for mode in [OpenMode::Inspect, OpenMode::Operate] {
        refused_with(&path, mode, "there is no store");
        refused_with(&dir.path().join("empty.db"), mode, "there is no store");
    }
    assert!(!path.exists());
    assert!(!beside(&path, ".lock").exists());
    SqliteStore::open(&dir.path().join("empty.db"), OpenMode::Run).unwrap();
}

/// A link stands for the file that it names, whether or not that is there yet.
#[cfg(unix)]
#[test]
fn a_store_may_be_a_link_to_a_file_that_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("far")).unwrap();
    for (name, to) in [
        ("one.db", PathBuf::from("far/one.db")),
        ("two.db", dir.path().join("far/two.db")),
    ] {
        let link = dir.path().join(name);
        std::os::unix::fs::symlink(&to, &link).unwrap();
        let mut store = SqliteStore::open(&link, OpenMode::Run).unwrap();
        store.put_record("contact", "k", "{}").unwrap();
        assert!(SqliteStore::open(&dir.path().join("far").join(name), OpenMode::Run).is_err());
        drop(store);
        let mut store = SqliteStore::open(&link, OpenMode::Inspect).unwrap();
        assert!(store.record("contact", "k").unwrap().is_some());
    }
    // Beside the file, not beside the link.
    assert!(!beside(&dir.path().join("one.db"), ".lock").exists());
}

/// People's data is in it, and in what a run stages.
#[cfg(unix)]
#[test]
fn only_its_owner_may_read_a_store() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let id = store.open_run(&run("a", None)).unwrap();
    store.stage_open(id).unwrap();
    let mut seen = Vec::new();
    for entry in fs::read_dir(dir.path()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        // The lock holds no more than the number of a process.
        if !name.ends_with(".lock") {
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{name}: {mode:o}");
            seen.push(name);
        }
    }
    let has = |end: &str| seen.iter().any(|name| name.ends_with(end));
    assert!(has("s.db") && has("-wal") && has("-shm"), "{seen:?}");
    assert!(seen.iter().any(|name| name.contains("-stage-")), "{seen:?}");
}

#[test]
fn places_where_no_store_can_be_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let nowhere = dir.path().join("none").join("s.db");
    let error = refused(&nowhere, OpenMode::Run);
    assert!(error.message.contains("none"), "{error}");
    assert!(error.remedy.unwrap().contains("directory"));
    refused_with(dir.path(), OpenMode::Run, "is a directory");
    // Nobody, whatever rights the test has, creates files there.
    if cfg!(target_os = "linux") {
        let error = refused(Path::new("/sys/syncline.db"), OpenMode::Run);
        assert!(error.message.contains("/sys/syncline.db"), "{error}");
        refused_with(Path::new("/dev/zero"), OpenMode::Run, "no store");
    }
}

#[cfg(unix)]
#[test]
fn a_directory_without_rights_is_refused_and_still_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    fs::remove_file(beside(&path, ".lock")).unwrap();
    let set = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    let enforced = fs::write(dir.path().join("probe"), "").is_err();
    let run = SqliteStore::open(&path, OpenMode::Run).map(drop);
    let new = SqliteStore::open(&dir.path().join("new.db"), OpenMode::Run).map(drop);
    let mut reader = SqliteStore::open(&path, OpenMode::Inspect).unwrap();
    assert_eq!(reader.dead_letters().unwrap().len(), 1);
    set(0o755);
    // The superuser may write there all the same.
    if enforced {
        for refused in [run, new] {
            let error = refused.unwrap_err();
            assert!(error.message.contains(".lock"), "{error}");
            assert!(error.remedy.unwrap().contains("right"));
        }
    }
}

/// Root may write anywhere: the program is started as somebody who may not, in a user namespace.
#[cfg(target_os = "linux")]
#[test]
fn a_store_that_may_only_be_read_is_shown_and_not_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    fs::remove_file(beside(&path, ".lock")).unwrap();
    let set = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    set(0o555);
    let nobody = |args: &[&str]| {
        let mut program = std::process::Command::new("unshare");
        program.args(["--user", env!("CARGO_BIN_EXE_syncline")]);
        program.args(args).arg("--store").arg(&path).output()
    };
    let policy = tempfile::tempdir().unwrap();
    let text = "policy p { }\nsystem a { connector jsonl option path = \"a.jsonl\" }\n";
    fs::write(policy.path().join("policy.sync"), text).unwrap();
    let run = nobody(&["run", "--until-idle", policy.path().to_str().unwrap()]);
    let letters = nobody(&["dead-letters", "list"]);
    set(0o755);
    let (Ok(run), Ok(letters)) = (run, letters) else {
        eprintln!("there is no `unshare` here: not tried");
        return;
    };
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    if said.contains("unshare") {
        eprintln!("no user namespace can be had here: not tried");
        return;
    }
    assert!(!run.status.success());
    assert!(said.contains("s.db") && said.contains("right"), "{said}");
    let shown = String::from_utf8_lossy(&letters.stdout).into_owned();
    assert!(letters.status.success(), "{letters:?}");
    assert!(shown.contains("1"), "{shown}");
}

#[test]
fn other_files_are_told_apart_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let text = dir.path().join("text.db");
    fs::write(&text, "email,name\n".repeat(50)).unwrap();
    refused_with(&text, OpenMode::Run, "not an SQLite database");
    fs::write(&text, "short").unwrap();
    refused_with(&text, OpenMode::Inspect, "not an SQLite database");

    let other = dir.path().join("other.db");
    let conn = Connection::open(&other).unwrap();
    conn.execute_batch("CREATE TABLE meta (key TEXT, value TEXT)")
        .unwrap();
    drop(conn);
    let before = fs::read(&other).unwrap();
    for mode in [OpenMode::Run, OpenMode::Inspect, OpenMode::Operate] {
        refused_with(&other, mode, "not a store of Syncline");
    }
    assert_eq!(fs::read(&other).unwrap(), before);
    let left = fs::read_dir(dir.path()).unwrap();
    let mut left: Vec<_> = left.map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["other.db", "text.db"], "nothing is left beside them");
}

#[test]
fn a_newer_format_is_refused_with_both_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    let set = |sql: &str| {
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch(sql).unwrap();
    };
    set("UPDATE meta SET value = '99' WHERE key = 'format'");
    for mode in [OpenMode::Run, OpenMode::Inspect, OpenMode::Operate] {
        refused_with(&path, mode, "format 99");
        refused_with(&path, mode, &format!("up to {FORMAT}"));
    }
    set("UPDATE meta SET value = 'x' WHERE key = 'format'");
    refused_with(&path, OpenMode::Run, "which format");
    set("DELETE FROM meta");
    refused_with(&path, OpenMode::Run, "which format");
    set("DROP TABLE meta");
    refused(&path, OpenMode::Run);
}

#[test]
fn an_older_store_is_brought_up_to_date_by_a_runner_and_by_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let conn = Connection::open(&path).unwrap();
    conn.execute_batch(include_str!("../../src/store/sqlite/schema.sql"))
        .unwrap();
    conn.execute_batch(&format!(
        "INSERT INTO meta VALUES ('format', '1'); PRAGMA application_id = {APPLICATION_ID};
         INSERT INTO outbox (system, entity, key, scenario, fields, deletes, version, since_at,
             due_at, attempts) VALUES ('crm', 'contact', 'a', 's', '[]', 0, 1, 5, 6, 0);
         INSERT INTO runs (scenario, why, status, started_at, read, changed, deduplicated,
             quarantined, written, failed, conflicts, drift, calls, cursor_before, cursor_after)
             VALUES ('s', 'schedule', 'writing', 1, 2, 0, 0, 0, 0, 0, 0, 0, '{{}}', '{{}}', '{{}}');"
    ))
    .unwrap();
    drop(conn);
    for mode in [OpenMode::Inspect, OpenMode::Operate] {
        refused_with(&path, mode, "store format 1");
    }
    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let due = store.due_waiting("crm", Priority::Normal, Instant(9), 9);
    assert_eq!(due.unwrap().len(), 1);
    let run = store.open_runs().unwrap().remove(0);
    assert_eq!(
        (run.counts.read, run.counts.postponed, run.goes_on),
        (2, 0, None)
    );
    drop(store);
    SqliteStore::open(&path, OpenMode::Inspect).unwrap();
}

#[test]
fn a_store_without_all_its_tables_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    let conn = Connection::open(&path).unwrap();
    let id: u32 = conn
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .unwrap();
    assert_eq!(id, APPLICATION_ID);
    conn.execute_batch("DROP TABLE outbox_kept").unwrap();
    drop(conn);
    refused_with(&path, OpenMode::Run, "`outbox_kept` is missing");
}

#[test]
fn a_store_that_is_cut_short_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    let whole = fs::read(&path).unwrap();
    for keep in [
        1,
        17,
        99,
        100,
        4_095,
        4_096,
        whole.len() / 2,
        whole.len() - 1,
    ] {
        fs::write(&path, &whole[..keep]).unwrap();
        let error = refused(&path, OpenMode::Run);
        assert!(error.message.contains("s.db"), "{keep}: {error}");
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    refused_with(&path, OpenMode::Inspect, "cut short");
    fs::write(&path, &whole).unwrap();
    SqliteStore::open(&path, OpenMode::Run).unwrap();
}

#[test]
fn a_store_with_strange_bytes_ends_in_errors_at_worst() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    let whole = fs::read(&path).unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    let mut told = 0;
    for round in 0..60 {
        let mut bytes = whole.clone();
        // Half of the rounds in the first pages, where the schema is.
        let reach = if round % 2 == 0 { 8_192 } else { bytes.len() };
        for _ in 0..40 {
            bytes[random.usize(..reach)] = random.u8(..);
        }
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(beside(&path, suffix));
        }
        fs::write(&path, &bytes).unwrap();
        match SqliteStore::open(&path, OpenMode::Run) {
            Ok(mut store) => read_all(&mut store),
            Err(error) => {
                told += 1;
                assert!(error.message.contains("s.db"), "{error}");
            }
        }
    }
    assert!(told > 0, "no damage was ever seen at opening");
}

#[test]
fn a_file_that_another_program_holds_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    filled(&path);
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE")
        .unwrap();
    refused_with(&path, OpenMode::Run, "locked by another program");
}

#[test]
fn a_store_that_another_program_holds_is_waited_for_as_long_as_there_is_patience() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let (counts, step) = (Arc::clone(&asked), Duration::from_millis(20));
    let until = |most: u32| -> Patience {
        let counts = Arc::clone(&counts);
        Box::new(move |held| match held {
            Held::Since(_) => counts.fetch_add(1, Ordering::SeqCst) + 1 < most,
            Held::Over(_) => true,
        })
    };
    store.wait_with(step, until(u32::MAX)).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writer = std::thread::spawn(move || {
        // In a transaction, and out of one.
        store.begin().unwrap();
        store.set_meta("a", "1").unwrap();
        store.commit().unwrap();
        store.set_meta("b", "2").unwrap();
        store
    });
    while asked.load(Ordering::SeqCst) < 10 {
        std::thread::sleep(step);
    }
    other.execute_batch("ROLLBACK").unwrap();
    let mut store = writer.join().unwrap();
    let kept = ["a", "b"].map(|key| store.meta(key).unwrap());
    assert_eq!(kept, [Some("1".to_owned()), Some("2".to_owned())]);

    // Where patience ends, nothing is kept and the error says why.
    asked.store(0, Ordering::SeqCst);
    store.wait_with(step, until(3)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.set_meta("c", "3").unwrap_err();
    assert!(
        error.message.contains("locked by another program"),
        "{error}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.meta("c").unwrap(), None);
    store.set_meta("c", "4").unwrap();
}

#[test]
fn a_stage_outlives_its_process_as_long_as_its_run_is_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let one = store.open_run(&run("nightly", None)).unwrap();
    let two = store.open_run(&run("hourly", None)).unwrap();
    for run in [one, two] {
        store.stage_open(run).unwrap();
        let rows = (0..9_000).map(|n| row(&format!("k{}", n % 7_000), n, 0, "", 0));
        store.stage_put(run, rows.collect()).unwrap();
        store.stage_put(run, vec![row("a", -1, 0, "", 0)]).unwrap();
    }
    let mut ended = run("hourly", Some(5));
    (ended.id, ended.status) = (two, RunStatus::Done);
    store.put_run(&ended).unwrap();
    drop(store);

    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    assert_eq!(store.stage_len(one).unwrap(), 9_001);
    assert_eq!(store.stage_after(one, None, 1).unwrap()[0].key, "a");
    assert_eq!(store.stage_len(two).unwrap(), 0);
    let stage = |run| beside(&path, &format!("-stage-{run}.db"));
    assert!(stage(one).exists() && !stage(two).exists());
    store.stage_drop(one).unwrap();
    assert!(!stage(one).exists());
}

/// Something that is done to a file.
type Spoil = Box<dyn Fn(&Path)>;

/// Makes a stage of an open run, spoils its file and opens the store again.
fn spoiled(spoil: impl Fn(&Path)) -> (tempfile::TempDir, SqliteStore, i64) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    let id = store.open_run(&run("nightly", None)).unwrap();
    store.stage_open(id).unwrap();
    let rows = (0..20_000).map(|n| row(&format!("k{n}"), n, 0, "", 0));
    store.stage_put(id, rows.collect()).unwrap();
    drop(store);
    spoil(&beside(&path, &format!("-stage-{id}.db")));
    let store = SqliteStore::open(&path, OpenMode::Run).unwrap();
    (dir, store, id)
}

#[test]
fn a_stage_that_cannot_be_trusted_is_empty() {
    let sql = |sql: &'static str| {
        move |path: &Path| Connection::open(path).unwrap().execute_batch(sql).unwrap()
    };
    let spoils: [Spoil; 6] = [
        Box::new(|path| fs::write(path, "no database").unwrap()),
        Box::new(|path| {
            let half = fs::metadata(path).unwrap().len() / 2;
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(half).unwrap();
        }),
        Box::new(|path| fs::write(path, "").unwrap()),
        Box::new(sql("UPDATE stage SET boot = 'another'")),
        Box::new(sql("UPDATE stage SET run = 99")),
        Box::new(sql("PRAGMA user_version = 99")),
    ];
    for (n, spoil) in spoils.iter().enumerate() {
        let (_dir, mut store, id) = spoiled(spoil);
        assert_eq!(store.stage_len(id).unwrap(), 0, "way {n}");
        assert_eq!(store.stage_after(id, None, 5).unwrap(), []);
        store.stage_put(id, vec![row("a", 0, 0, "", 0)]).unwrap();
        assert_eq!(store.stage_len(id).unwrap(), 1);
    }
}

#[test]
fn rows_that_cannot_be_read_fail_the_run_and_are_never_passed_over() {
    let (_dir, mut store, id) = spoiled(|path| {
        let mut bytes = fs::read(path).unwrap();
        let from = bytes.len() / 2;
        for byte in &mut bytes[from..] {
            *byte = 0xa5;
        }
        fs::write(path, bytes).unwrap();
    });
    if store.stage_len(id).unwrap() > 0 {
        let (mut after, mut rows) = (None, 0);
        let error = loop {
            match store.stage_after(id, after.as_deref(), 500) {
                Ok(chunk) => {
                    rows += chunk.len();
                    let last = chunk.last().expect("the end is not reached");
                    after = Some(last.key.clone());
                }
                Err(error) => break error,
            }
        };
        assert!(rows < 20_000);
        assert!(error.message.contains("the stage"), "{error}");
        assert!(error.message.contains("damaged"), "{error}");
        assert!(error.remedy.unwrap().contains("start again"));
    }
    assert_eq!(
        store.stage_len(id).unwrap(),
        0,
        "the next start begins anew"
    );
}

/// A row of many registers that somebody changed by hand, or a disk did: whoever needs it is told,
/// nothing is taken for absent, and nothing is written over it.
#[test]
fn a_row_of_registers_that_cannot_be_read_is_told_and_never_passed_over() {
    let spoils = [
        "''",
        "'{}'",
        "'nonsense'",
        "substr(docs, 1, length(docs) / 2)",
        "replace(docs, '\":', '\"')",
    ];
    for spoil in spoils {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.db");
        let keys: Vec<String> = (0..60).map(|n| format!("k{n:03}")).collect();
        let docs: Vec<String> = (0..60).map(|n| format!(r#"{{"v":{n}}}"#)).collect();
        let records: Vec<(&str, &str)> =
            keys.iter().zip(&docs).map(|(k, d)| (&**k, &**d)).collect();
        let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
        store.put_records("contact", &records).unwrap();
        drop(store);
        let other = Connection::open(&path).unwrap();
        let sql = format!("UPDATE records_settled SET docs = {spoil}");
        assert!(other.execute(&sql, []).unwrap() > 0, "{spoil}");
        let held = || -> String {
            let sql = "SELECT group_concat(docs) FROM records_settled";
            other.query_row(sql, [], |row| row.get(0)).unwrap()
        };
        let before = held();
        let mut store = SqliteStore::open(&path, OpenMode::Run).unwrap();
        let wanted: Vec<&str> = keys.iter().map(|k| &**k).collect();
        let told = [
            store.records_of("contact", &wanted).map(drop),
            store.records_after("contact", None, 100).map(drop),
            store.put_records("contact", &records).map(drop),
        ];
        for told in told {
            let error = told.expect_err(spoil);
            assert!(error.message.contains("damaged"), "{spoil}: {error}");
            assert!(error.remedy.unwrap().contains(".recover"), "{spoil}");
        }
        assert_eq!(held(), before, "{spoil}");
    }
}
