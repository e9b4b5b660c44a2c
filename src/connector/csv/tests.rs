use std::fs;
use std::path::Path;

use serde_json::json;

use super::{Csv, Reading};
use crate::connector::testing::*;
use crate::engine::ports::{Connector, Failure, FailureClass, ReadRequest, Row, Write};
use crate::value::Value;

fn open(path: &Path, map: serde_json::Value) -> Csv {
    opened(path, map, true)
}

/// `read`: whether records are read from there by a scenario.
fn opened(path: &Path, map: serde_json::Value, read: bool) -> Csv {
    let plan = plan(json!({"connector": "csv"}), map, read);
    Csv::open(&plan, 0, path.to_path_buf()).expect("opens")
}

fn written(content: impl AsRef<[u8]>) -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("contacts.csv");
    fs::write(&path, content).expect("a file");
    (dir, path)
}

fn rows(csv: &mut Csv) -> Vec<Row> {
    csv.read(&all()).expect("reads").rows
}

fn setup(result: Result<impl std::fmt::Debug, Failure>) -> Failure {
    let failure = result.expect_err("fails");
    assert_eq!(failure.class, FailureClass::Setup);
    failure
}

#[test]
fn rows_are_read_through_bom_crlf_quotes_and_newlines() {
    let (dir, _) = written(
        "\u{feff}other,email,name,age\r\nx,a@x,\"Ada, \"\"A\"\"\nLovelace\",36\r\n\r\nx,b@x,,\r\nx,c@x,C,7",
    );
    let mut csv = open(dir.path(), same_names(&["name", "age"]));
    let rows = rows(&mut csv);
    assert_eq!(rows.len(), 3);
    assert_eq!(rows[0].key, "a@x");
    assert_eq!(
        rows[0].fields,
        [
            (field("age"), Value::Int(36)),
            (field("name"), text("Ada, \"A\"\nLovelace"))
        ]
    );
    assert_eq!(shown(&rows[1], "name"), Some(&Value::Null));
    assert_eq!(shown(&rows[1], "age"), Some(&Value::Null));
    assert_eq!(rows[2].key, "c@x");
    assert!(rows.iter().all(|r| r.problem.is_none() && r.raw.is_none()));
}

#[test]
fn what_does_not_fit_is_a_problem_of_its_row_alone() {
    for end in ["\n", "\r\n"] {
        let lines: [&[u8]; 8] = [
            b"email,name,age",
            b"a@x,A,36",
            b"b@x,B,old",
            b"c@x,C",
            b"d@x,\xff\xfe,4",
            b",E,5",
            b"f@x,F,6,extra",
            b"g@x,G,7",
        ];
        let (dir, path) = written(lines.join(end.as_bytes()));
        let rows = rows(&mut open(dir.path(), same_names(&["name", "age"])));
        let problems: Vec<_> = rows.iter().map(|r| r.problem.clone()).collect();
        let at = |line: u32, why: &str| Some(format!("`{}` line {line}: {why}", path.display()));
        assert_eq!(
            problems,
            [
                None,
                at(3, "column `age`: `old` is no int(0..150)"),
                at(4, "the row has 2 cells where the header has 3"),
                at(5, "column `name`: `\u{fffd}\u{fffd}` is not UTF-8 text"),
                at(6, "column `email`: the key is empty"),
                at(7, "the row has 4 cells where the header has 3"),
                None,
            ]
        );
        assert_eq!(rows[1].key, "b@x");
        assert_eq!(
            rows[1].raw.as_deref(),
            Some(r#"{"email":"b@x","name":"B","age":"old"}"#)
        );
        assert_eq!(rows[2].raw.as_deref(), Some(r#"["c@x","C"]"#));
        assert_eq!(rows[2].key, "");
    }
}

#[test]
fn pages_join_to_the_whole_even_in_another_process() {
    let content: String = std::iter::once("email,name\n".to_owned())
        .chain((0..25).map(|i| format!("u{i:02}@x,\"line\n{i}\"\n")))
        .collect();
    let (dir, path) = written(content);
    let mut csv = open(dir.path(), same_names(&["name"]));
    let mut keys = Vec::new();
    let mut page = None;
    for call in 0.. {
        let request = ReadRequest {
            page: page.clone(),
            limit: 7,
            ..all()
        };
        if call == 2 {
            csv = open(dir.path(), same_names(&["name"]));
        }
        let got = csv.read(&request).expect("a page");
        assert!(got.rows.len() <= 7);
        keys.extend(got.rows.into_iter().map(|r| r.key));
        page = got.next;
        if page.is_none() {
            break;
        }
    }
    let wanted: Vec<_> = (0..25).map(|i| format!("u{i:02}@x")).collect();
    assert_eq!(keys, wanted);

    let first = csv
        .read(&ReadRequest { limit: 7, ..all() })
        .expect("a page");
    fs::write(dir.path().join("new"), "email,name\nz@x,Z\n").expect("a file");
    fs::rename(dir.path().join("new"), &path).expect("replaced");
    let mut other = open(dir.path(), same_names(&["name"]));
    let failure = other
        .read(&ReadRequest {
            page: first.next.clone(),
            ..all()
        })
        .expect_err("another file");
    assert_eq!(failure.class, FailureClass::Reject);
    assert!(failure.message.contains("replaced"), "{failure}");
    // The connector that holds the old file open reads it to its end.
    let rest = csv
        .read(&ReadRequest {
            page: first.next,
            ..all()
        })
        .expect("the rest");
    assert_eq!(rest.rows.len(), 18);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_never_taken_for_whole() {
    let content = "email,name\na@x,A\nb@x,B\nc@x,C\n";
    let first = ReadRequest { limit: 1, ..all() };
    let changes: [&dyn Fn(&Path); 3] = [
        // In its place: of the same length, cut, and longer.
        &|path| {
            fs::write(path, content.replace("B", "X")).expect("rewritten");
            let file = fs::File::options().write(true).open(path).expect("opens");
            // Clocks of file systems are coarse.
            let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
            file.set_modified(later).expect("sets");
        },
        &|path| fs::write(path, "email,name\na@x,A\n").expect("cut"),
        &|path| fs::write(path, format!("{content}d@x,\"D")).expect("grown"),
    ];
    for change in changes {
        for another in [false, true] {
            let (dir, path) = written(content);
            let mut csv = open(dir.path(), same_names(&["name"]));
            let page = csv.read(&first).expect("a page").next;
            assert!(page.is_some());
            change(&path);
            if another {
                csv = open(dir.path(), same_names(&["name"]));
            }
            let rest = ReadRequest { page, ..all() };
            let failure = csv.read(&rest).expect_err("it is another one now");
            assert_eq!(failure.class, FailureClass::Reject, "{failure}");
            assert!(
                failure.message.ends_with("changed while it was being read"),
                "{failure}"
            );
            // Who begins anew reads what is there now.
            let now = csv.read(&first).expect("a page").rows;
            assert_eq!(now[0].key, "a@x");
        }
    }
    // Before anything of it was taken the same call is made again.
    let (dir, path) = written(content);
    let csv = open(dir.path(), same_names(&["name"]));
    let (binding, _) = csv.files.of(0).expect("mapped");
    let mut reading = Reading::open(binding, &path, &all()).expect("opens");
    fs::write(&path, "email,name\na@x,\"A").expect("torn");
    let failure = reading.page(binding, &all()).expect_err("it changed");
    assert!(
        matches!(failure.class, FailureClass::Retry { .. }),
        "{failure}"
    );
}

#[test]
fn a_read_by_change_shows_ties_overlap_and_rows_without_cursor() {
    let (dir, _) = written(
        "email,updated\na@x,2026-01-05T00:00:00Z\nb@x,2026-01-05 00:00:09\nc@x,2026-01-05T01:00:10+01:00\nd@x,\n",
    );
    let mut map = same_names(&[]);
    map["cursor"] = json!("updated");
    map["changed_at"] = json!("updated");
    map["overlap"] = json!(1000);
    let mut csv = open(dir.path(), map);
    let full = csv.read(&all()).expect("reads");
    assert_eq!(full.rows.len(), 4);
    assert_eq!(full.cursor.as_deref(), Some("2026-01-05T01:00:10+01:00"));
    assert_eq!(full.rows[0].changed_at, Some(1_767_571_200_000_000));
    let since = ReadRequest {
        since: full.cursor,
        ..all()
    };
    let changed = csv.read(&since).expect("reads");
    let keys: Vec<_> = changed.rows.iter().map(|r| r.key.as_str()).collect();
    assert_eq!(keys, ["b@x", "c@x", "d@x"]);
    assert_eq!(changed.cursor.as_deref(), Some("2026-01-05T01:00:10+01:00"));
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let (dir, path) = written("email,nmae\n");
    let failure = setup(open(dir.path(), same_names(&["name"])).read(&all()));
    assert_eq!(
        failure.message,
        format!("`{}` line 1: no column `name`", path.display())
    );
    assert!(
        failure
            .remedy
            .expect("a remedy")
            .contains("the file has `nmae`")
    );
    fs::write(&path, "").expect("emptied");
    let failure = setup(open(dir.path(), same_names(&["name"])).read(&all()));
    assert!(failure.message.ends_with("is empty: it has no header line"));
    fs::write(&path, "email,name,name\n").expect("a file");
    let failure = setup(open(dir.path(), same_names(&["name"])).read(&all()));
    assert!(failure.message.contains("stands there twice"));
    fs::remove_file(&path).expect("removed");
    let failure = setup(open(dir.path(), same_names(&["name"])).read(&all()));
    assert!(failure.message.contains(&path.display().to_string()));
    let map = json!({"object": "../contacts", "fields": same_names(&[])["fields"]});
    setup(open(dir.path(), map).read(&all()));
}

#[test]
fn a_file_that_is_read_as_well_is_not_made_unasked() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("contcats");
    let mut csv = open(&path.join(""), same_names(&["name"]));
    let write = batch(vec![upsert("a@x", &[("name", text("A"))])]);
    let failure = setup(csv.write(&write));
    let told = "contacts.csv is not there, and it is read as well as written";
    assert!(failure.message.ends_with(told), "{}", failure.message);
    let remedy = failure.remedy.expect("a remedy");
    assert!(
        remedy.ends_with("create the file with the header line email,name"),
        "{remedy}"
    );
    assert!(!path.exists());
    fs::create_dir(&path).expect("a directory");
    fs::write(path.join("contacts.csv"), "email,name\n").expect("a file");
    csv.write(&write).expect("writes");
    assert_eq!(rows(&mut csv).len(), 1);
}

#[test]
fn a_file_that_is_only_written_may_not_be_there_yet() {
    let dir = tempfile::tempdir().expect("a directory");
    let plan = plan(json!({"connector": "csv"}), same_names(&["name"]), false);
    let mut csv = Csv::open(&plan, 0, dir.path().join("new/deep")).expect("opens");
    assert_eq!(csv.read(&all()).expect("empty").rows, []);
    csv.write(&batch(vec![upsert("a@x", &[("name", text("A"))])]))
        .expect("writes");
    let path = dir.path().join("new/deep/contacts.csv");
    assert_eq!(
        fs::read_to_string(path).expect("there"),
        "email,name\na@x,A\n"
    );
    assert_eq!(rows(&mut csv).len(), 1);
}

#[test]
fn upserts_change_only_what_they_name() {
    for end in ["\n", "\r\n"] {
        for last in ["", end] {
            let lines = [
                "id,name,email,note",
                "1,\"Ada\",a@x,\"keep \"\"this\"\"\"",
                "2,B,b@x,drop",
                "3,broken",
                "4,\"C\",c@x,tail",
            ];
            let (dir, path) = written(lines.join(end) + last);
            let mut csv = open(dir.path(), same_names(&["name"]));
            let report = csv.write(&batch(vec![
                delete("b@x"),
                upsert("c@x", &[("name", text("C, the \"third\""))]),
                upsert("d@x", &[("name", text("D"))]),
                delete("nobody@x"),
            ]));
            assert_eq!(report.expect("writes").rejected, []);
            let wanted = [
                "id,name,email,note",
                "1,\"Ada\",a@x,\"keep \"\"this\"\"\"",
                "3,broken",
                "4,\"C, the \"\"third\"\"\",c@x,tail",
                ",D,d@x,",
                "",
            ];
            let found = fs::read_to_string(&path).expect("there");
            assert_eq!(found, wanted.join(end));
            let names: Vec<_> = fs::read_dir(dir.path()).expect("lists").collect();
            assert_eq!(names.len(), 1, "nothing is left beside the file");
        }
    }
}

#[test]
fn a_deletion_of_the_last_row_leaves_no_empty_line() {
    for (end, last) in [("\n", ""), ("\n", "\n"), ("\r\n", ""), ("\r\n", "\r\n")] {
        let (dir, path) = written(["email,name", "a@x,A", "b@x,B"].join(end) + last);
        let mut csv = open(dir.path(), same_names(&["name"]));
        csv.write(&batch(vec![delete("b@x")])).expect("writes");
        let wanted = ["email,name", "a@x,A", ""].join(end);
        assert_eq!(fs::read_to_string(&path).expect("there"), wanted);
    }
}

#[test]
fn new_columns_are_appended_and_nothing_is_rewritten_for_nothing() {
    let (dir, path) = written("\u{feff}email,note\na@x,n\nragged\nb@x,\"m\n2\"");
    let mut csv = open(dir.path(), same_names(&["name", "age"]));
    csv.write(&batch(vec![upsert("b@x", &[("age", Value::Int(5))])]))
        .expect("writes");
    let wanted = "\u{feff}email,note,name,age\na@x,n,,\nragged\nb@x,\"m\n2\",,5\n";
    assert_eq!(fs::read_to_string(&path).expect("there"), wanted);
    let before = fs::metadata(&path)
        .expect("there")
        .modified()
        .expect("a time");
    csv.write(&batch(vec![upsert("b@x", &[("age", Value::Int(5))])]))
        .expect("writes");
    let after = fs::metadata(&path)
        .expect("there")
        .modified()
        .expect("a time");
    assert_eq!(before, after);
}

#[test]
fn an_open_quote_is_not_written_below() {
    let content = "email,name\na@x,A\nb@x,\"B\n";
    let (dir, path) = written(content);
    let mut csv = open(dir.path(), same_names(&["name"]));
    let failure = setup(csv.write(&batch(vec![upsert("c@x", &[])])));
    assert!(
        failure.message.contains("line 3: the quote that opens"),
        "{failure}"
    );
    assert_eq!(fs::read_to_string(&path).expect("there"), content);
}

#[test]
fn a_quote_that_is_never_closed_is_named_with_its_line() {
    // In one go, and by another process for each page.
    for (content, line, reopened) in [
        ("email,name\na@x,A\nb@x,\"B\nc@x,C\n", 3),
        ("email,name\r\na@x,A\r\n\r\n\"b\r\n@x\",\"B\r\nc@x,C", 5),
        ("email,name\na@x,A\nb@x,\"", 3),
        ("email,\"name\na@x,A\n", 1),
    ]
    .into_iter()
    .flat_map(|(content, line)| [(content, line, false), (content, line, true)])
    {
        let (dir, path) = written(content);
        let mut csv = open(dir.path(), same_names(&["name"]));
        let first = ReadRequest { limit: 1, ..all() };
        let mut read = csv.read(&first);
        // Whatever pages it is read in.
        while let Ok(page) = &read {
            assert!(page.next.is_some(), "{content}");
            let page = page.next.clone();
            if reopened {
                csv = open(dir.path(), same_names(&["name"]));
            }
            read = csv.read(&ReadRequest {
                page,
                limit: 1,
                ..all()
            });
        }
        let failure = setup(read);
        let told = format!(
            "`{}` line {line}: the quote that opens there is never closed",
            path.display()
        );
        assert_eq!(failure.message, told, "{content}");
    }
    for content in [
        "email,name\na@x,\"A\n\"",
        "email,name\na@x,A\"\n",
        "email,name\n",
    ] {
        let (dir, _) = written(content);
        rows(&mut open(dir.path(), same_names(&["name"])));
    }
}

#[test]
fn keys_are_found_by_what_they_mean() {
    let map = json!({"fields": [
        {"field": "number", "column": "no", "key": true},
        {"field": "status", "column": "st", "values": {"new": "Open", "lost": "Closed"}}
    ]});
    let (dir, path) = written("no,st\n 042 ,Open\n7,Odd\n");
    let mut csv = open(dir.path(), map);
    let found = rows(&mut csv);
    assert_eq!(found[0].key, "42");
    assert_eq!(found[0].native_key.as_deref(), Some(" 042 "));
    assert_eq!(found[1].native_key, None);
    let problem = found[1].problem.clone().expect("an unknown spelling");
    assert!(
        problem
            .ends_with("column `st`: `Odd` is none of the `values` of `status`: `Open`, `Closed`"),
        "{problem}"
    );
    csv.write(&batch(vec![upsert("42", &[("status", text("lost"))])]))
        .expect("writes");
    assert_eq!(
        fs::read_to_string(path).expect("there"),
        "no,st\n 042 ,Closed\n7,Odd\n"
    );
}

#[test]
fn every_character_comes_back_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut csv = opened(dir.path(), same_names(&["name", "tags", "doc"]), false);
    let huge = "ä\n\"".repeat(400_000);
    let write = upsert(
        "a@x",
        &[
            ("name", text(ANY_TEXT)),
            ("tags", Value::set(vec![text(ANY_TEXT), text(&huge)])),
            (
                "doc",
                Value::Json(json!({ ANY_TEXT: [1.5, null] }).to_string().into()),
            ),
        ],
    );
    csv.write(&batch(vec![write.clone()])).expect("writes");
    let found = rows(&mut csv);
    assert_eq!(found[0].problem, None);
    assert_eq!(found[0].fields, write.fields);
}

#[test]
fn a_rewrite_that_was_killed_leaves_the_file_and_hinders_no_later_one() {
    let (dir, path) = written("email,name\na@x,A\n");
    let beside = dir.path().join(".contacts.csv.syncline-part");
    fs::write(&beside, "email,name\nhalf").expect("a left-over");
    let mut csv = open(dir.path(), same_names(&["name"]));
    assert_eq!(rows(&mut csv).len(), 1);
    csv.write(&batch(vec![upsert("b@x", &[("name", text("B"))])]))
        .expect("writes");
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "email,name\na@x,A\nb@x,B\n"
    );
    assert!(!beside.exists());
    // A rewrite that cannot be finished changes nothing.
    fs::create_dir(&beside).expect("an obstacle");
    let failed = csv.write(&batch(vec![upsert("c@x", &[])]));
    assert!(failed.is_err());
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "email,name\na@x,A\nb@x,B\n"
    );
}

/// What the test below runs in a process of its own, under a limit on the length of files.
#[test]
fn under_a_limit() {
    let Some(dir) = std::env::var_os("SYNCLINE_TEST_LIMITED") else {
        return;
    };
    let mut csv = open(Path::new(&dir), same_names(&["name"]));
    let writes = (0..20_000).map(|i| upsert(&format!("u{i}@x"), &[("name", text("long enough"))]));
    let failure = csv
        .write(&batch(writes.collect()))
        .expect_err("the disk is full");
    assert_eq!(failure.class, FailureClass::Retry { after_ms: None });
    assert!(failure.remedy.is_some());
    let names: Vec<_> = fs::read_dir(&dir).expect("lists").collect();
    assert_eq!(names.len(), 1, "nothing is left beside the file");
}

#[cfg(unix)]
#[test]
fn a_full_disk_or_a_killed_process_leaves_the_file_as_it_was() {
    use std::process::Command;
    let content = "email,name\na@x,A\n";
    // Over the limit a process is killed, unless it ignores the signal: then its write fails.
    for (signal, survives) in [("trap '' XFSZ;", true), ("", false)] {
        let (dir, path) = written(content);
        let run = format!("{signal} ulimit -f 200; exec \"$0\" \"$@\"");
        let done = Command::new("sh")
            .args(["-c", &run])
            .arg(std::env::current_exe().expect("this test"))
            .args(["--exact", "connector::csv::tests::under_a_limit"])
            .env("SYNCLINE_TEST_LIMITED", dir.path())
            .output()
            .expect("runs");
        assert_eq!(done.status.success(), survives, "{done:?}");
        assert_eq!(fs::read_to_string(&path).expect("there"), content);
        let mut csv = open(dir.path(), same_names(&["name"]));
        csv.write(&batch(vec![upsert("b@x", &[])])).expect("writes");
        assert_eq!(rows(&mut csv).len(), 2);
        let names: Vec<_> = fs::read_dir(dir.path()).expect("lists").collect();
        assert_eq!(names.len(), 1);
    }
}

#[test]
fn appended_rows_are_events_once_they_are_whole() {
    let (dir, path) = written("email,na");
    let mut csv = open(dir.path(), same_names(&["name"]));
    let mut position = None;
    let mut look = |csv: &mut Csv| -> Vec<String> {
        let page = csv.events(position.as_deref(), 2).expect("follows");
        position = page.position;
        page.events.into_iter().map(|e| e.body).collect()
    };
    let append = |text: &str| {
        use std::io::Write as _;
        let mut file = fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .expect("opens");
        file.write_all(text.as_bytes()).expect("appends");
    };
    assert_eq!(look(&mut csv), [""; 0]);
    append("me\r\na@x,\"A\n1\"\r\nb@x,");
    assert_eq!(look(&mut csv), [r#"{"email":"a@x","name":"A\n1"}"#]);
    append("B\r\nc@x\r\nd@x,D");
    let second = [r#"{"email":"b@x","name":"B"}"#, r#"["c@x"]"#];
    assert_eq!(look(&mut csv), second);
    assert_eq!(look(&mut csv), [""; 0], "it may go on");
    // A writer that comes to its end some moments later.
    append("D\r\ne@x,\"E\n");
    assert_eq!(look(&mut csv), [r#"{"email":"d@x","name":"DD"}"#]);
    assert_eq!(look(&mut csv), [""; 0], "the quote is open");
    append("E\"\r\n,");
    assert_eq!(look(&mut csv), [r#"{"email":"e@x","name":"E\nE"}"#]);
    assert_eq!(look(&mut csv), [""; 0]);
    let rest_for = |seconds| {
        let file = fs::File::options().write(true).open(&path).expect("opens");
        let ago = std::time::SystemTime::now() - std::time::Duration::from_secs(seconds);
        file.set_modified(ago).expect("sets");
    };
    rest_for(50);
    assert_eq!(look(&mut csv), [""; 0], "too short to tell");
    rest_for(61);
    let last = [r#"{"email":null,"name":null}"#];
    assert_eq!(look(&mut csv), last, "whoever wrote it is gone");
    fs::write(&path, "email,name\na@x,A\n").expect("replaced");
    assert_eq!(look(&mut csv), [r#"{"email":"a@x","name":"A"}"#]);
    assert_eq!(look(&mut csv), [""; 0]);
}

#[test]
fn one_of_several_records_of_a_key_goes_by_its_locator() {
    let (dir, path) = written("email,name\na@x,A\na@x,B\nb@x,B\na@x,B\n");
    let mut csv = open(dir.path(), same_names(&["name"]));
    let located = ReadRequest {
        locate: true,
        ..all()
    };
    let found = csv.read(&located).expect("reads").rows;
    let gone = |at: usize| Write {
        locator: found[at].locator.clone(),
        ..delete("a@x")
    };
    assert!(gone(0).locator.is_some());
    assert_ne!(gone(0).locator, gone(1).locator);
    assert_eq!(gone(1).locator, gone(3).locator);
    // One of the two that hold the same goes, and what is kept is changed in the same call.
    let writes = vec![gone(0), gone(1), upsert("a@x", &[("name", text("Z"))])];
    let report = csv.write(&batch(writes)).expect("writes");
    assert_eq!(report.rejected, []);
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "email,name\nb@x,B\na@x,Z\n"
    );
    // What is no longer there is no trouble.
    csv.write(&batch(vec![gone(0)])).expect("writes");
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "email,name\nb@x,B\na@x,Z\n"
    );
}
