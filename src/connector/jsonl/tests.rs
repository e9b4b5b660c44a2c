use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Jsonl, Reading};
use crate::connector::testing::*;
use crate::engine::ports::{Connector, EventPage, FailureClass, ReadRequest, Write};
use crate::value::Value;

fn open(path: &Path, map: serde_json::Value) -> Jsonl {
    opened(path, map, true)
}

/// `read`: whether records are read from there by a scenario.
fn opened(path: &Path, map: serde_json::Value, read: bool) -> Jsonl {
    let plan = plan(json!({"connector": "jsonl"}), map, read);
    Jsonl::open(&plan, 0, path.to_path_buf()).expect("opens")
}

fn written(content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("contacts.jsonl");
    fs::write(&path, content).expect("a file");
    (dir, path)
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).expect("opens");
    file.write_all(text.as_bytes()).expect("appends");
}

fn bodies(page: &EventPage) -> Vec<&str> {
    page.events.iter().map(|e| e.body.as_str()).collect()
}

#[test]
fn lines_are_records_and_each_bad_one_is_its_own_problem() {
    let mut content = "\u{feff}{\"email\":\"a@x\",\"age\":36,\"name\":\"A\"}\r\n\n{\"email\":\"b@x\"}\n{\"email\":\"c@x\",\"age\":\"old\"}\n[1]\n{\"email\":".as_bytes().to_vec();
    content.extend_from_slice(b"\n{\"email\":\"\xff\"}\n{\"email\":null}\n{\"email\":\"h@x\",");
    let (dir, path) = written(content);
    let mut jsonl = open(dir.path(), same_names(&["name", "age"]));
    let mut rows = Vec::new();
    let mut page = None;
    loop {
        let request = ReadRequest {
            page,
            limit: 2,
            ..all()
        };
        let got = jsonl.read(&request).expect("a page");
        rows.extend(got.rows);
        page = got.next;
        if page.is_none() {
            break;
        }
    }
    assert_eq!(shown(&rows[0], "age"), Some(&Value::Int(36)));
    assert_eq!(rows[1].fields, [], "what a line lacks is not shown");
    let lines: Vec<_> = rows
        .iter()
        .map(|r| {
            r.problem
                .as_deref()
                .and_then(|p| p.strip_prefix(&format!("`{}` ", path.display())))
        })
        .map(|p| p.map(|p| p.split(" at ").next().unwrap_or_default()))
        .collect();
    assert_eq!(
        lines,
        [
            None,
            None,
            Some("line 4: column `age`: `old` is no int(0..150)"),
            Some("line 5: it is no JSON object"),
            Some("line 6: it is no JSON: EOF while parsing a value"),
            Some("line 7: it is no JSON: invalid unicode code point"),
            Some("line 8: column `email`: the key is empty"),
            Some("line 9: it is no JSON: EOF while parsing a value"),
        ]
    );
    assert_eq!(
        rows[2].raw.as_deref(),
        Some(r#"{"email":"c@x","age":"old"}"#)
    );
    assert_eq!(rows[4].raw.as_deref(), Some(r#""{\"email\":""#));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_never_taken_for_whole() {
    let (dir, path) = written("{\"email\":\"a@x\"}\n{\"email\":\"b@x\"}\n");
    let mut jsonl = open(dir.path(), same_names(&["name"]));
    let first = ReadRequest { limit: 1, ..all() };
    let page = jsonl.read(&first).expect("a page").next;
    append(&path, "{\"email\":\"c@x\"}\n");
    let rest = ReadRequest { page, ..all() };
    let failure = jsonl.read(&rest).expect_err("it grew");
    assert_eq!(failure.class, FailureClass::Reject, "{failure}");
    // Before anything of it was taken the same call is made again.
    let (binding, _) = jsonl.files.of(0).expect("mapped");
    let mut reading = Reading::open(binding, &path, &all()).expect("opens");
    fs::write(&path, "").expect("cut");
    let failure = reading.page(binding, &all()).expect_err("it was cut");
    assert!(
        matches!(failure.class, FailureClass::Retry { .. }),
        "{failure}"
    );
}

#[test]
fn upserts_change_only_what_they_name() {
    let (dir, path) = written(
        "{\"z\": 1.50, \"email\": \"a@x\", \"age\": 1}\nnonsense\n{\"email\":\"b@x\"}\n{ \"email\" : \"c@x\" }",
    );
    let mut jsonl = open(dir.path(), same_names(&["name", "age"]));
    let report = jsonl
        .write(&batch(vec![
            upsert("a@x", &[("age", Value::Int(2)), ("name", Value::Null)]),
            delete("b@x"),
            upsert("c@x", &[]),
            upsert("d@x", &[("name", text("D"))]),
        ]))
        .expect("writes");
    assert_eq!(report.rejected, []);
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "{\"z\":1.5,\"email\":\"a@x\",\"age\":2,\"name\":null}\nnonsense\n{ \"email\" : \"c@x\" }\n{\"email\":\"d@x\",\"name\":\"D\"}\n"
    );
    let other = dir.path().join("new/one.jsonl");
    let mut jsonl = opened(&other, same_names(&["name"]), false);
    jsonl
        .write(&batch(vec![upsert("a@x", &[])]))
        .expect("writes");
    assert_eq!(
        fs::read_to_string(&other).expect("there"),
        "{\"email\":\"a@x\"}\n"
    );
}

#[test]
fn every_value_and_character_comes_back_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut jsonl = opened(
        dir.path(),
        same_names(&["name", "doc", "tags", "balance", "seen"]),
        false,
    );
    let written = upsert(
        "a@x",
        &[
            ("name", text(&format!("\0{ANY_TEXT}"))),
            (
                "doc",
                Value::Json(json!({ ANY_TEXT: [1, null] }).to_string().into()),
            ),
            ("tags", Value::set(vec![text(ANY_TEXT), text("")])),
            (
                "balance",
                Value::Decimal("-0.5".parse().expect("a decimal")),
            ),
            ("seen", Value::Datetime(-1)),
        ],
    );
    jsonl.write(&batch(vec![written.clone()])).expect("writes");
    let rows = jsonl.read(&all()).expect("reads").rows;
    assert_eq!(rows[0].fields, written.fields);
}

#[test]
fn what_is_appended_is_followed_once_and_only_when_it_is_whole() {
    let (dir, path) = written("{\"event_id\":\"e1\",\"n\":1}\n{\"n\":2}\n{\"n\":");
    let mut jsonl = open(dir.path(), same_names(&[]));
    let first = jsonl.events(None, 10).expect("follows");
    assert_eq!(
        bodies(&first),
        ["{\"event_id\":\"e1\",\"n\":1}", "{\"n\":2}"]
    );
    assert_eq!(first.events[0].id, "e1");
    assert!(first.events[1].id.starts_with("sha256:"));
    append(&path, "3}\r\n\n{\"n\":4}");
    let second = jsonl.events(first.position.as_deref(), 1).expect("follows");
    assert_eq!(bodies(&second), ["{\"n\":3}"]);
    assert!(second.more);
    let third = jsonl
        .events(second.position.as_deref(), 10)
        .expect("follows");
    assert_eq!(
        bodies(&third),
        ["{\"n\":4}"],
        "whole, although the line has no end"
    );
    append(&path, "\nno json\n");
    let fourth = jsonl
        .events(third.position.as_deref(), 10)
        .expect("follows");
    assert_eq!(bodies(&fourth), ["no json"]);
    let idle = jsonl
        .events(fourth.position.as_deref(), 10)
        .expect("follows");
    assert_eq!((idle.events.len(), idle.more), (0, false));
}

#[test]
fn a_file_that_was_cut_or_replaced_is_followed_from_its_start() {
    let (dir, path) = written("{\"n\":1}\n{\"n\":2}\n");
    let mut jsonl = open(dir.path(), same_names(&[]));
    let at = jsonl.events(None, 10).expect("follows").position;
    for content in [
        "{\"n\":7}\n",
        "{\"n\":7}\n{\"n\":8}\n{\"n\":9}\n",
        "{\"n\":1}\n{\"n\":8}\n",
    ] {
        fs::write(&path, content).expect("replaced");
        let page = jsonl.events(at.as_deref(), 10).expect("follows");
        assert_eq!(bodies(&page).len(), content.lines().count(), "{content}");
    }
    fs::write(&path, "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n").expect("replaced");
    let page = jsonl.events(at.as_deref(), 10).expect("follows");
    assert_eq!(
        bodies(&page),
        ["{\"n\":3}"],
        "the same beginning is the same file"
    );
    fs::remove_file(&path).expect("away");
    let away = jsonl
        .events(at.as_deref(), 10)
        .expect("it is being rotated");
    assert_eq!((away.events.len(), away.position), (0, at));
    let failure = jsonl.events(None, 10).expect_err("never seen");
    assert_eq!(failure.class, FailureClass::Setup);
}

#[test]
fn the_same_line_is_the_same_event_but_a_records_id_is_not_the_events() {
    let (dir, _) = written(
        "{\"id\":\"c1\",\"email\":\"a@x\"}\n{\"id\":\"c1\",\"email\":\"b@x\"}\n{\"id\":\"c1\",\"email\":\"a@x\"}\n",
    );
    let mut map = same_names(&["name"]);
    map["fields"][1]["column"] = json!("id");
    let page = open(dir.path(), map).events(None, 10).expect("follows");
    assert_ne!(page.events[0].id, page.events[1].id);
    assert_eq!(page.events[0].id, page.events[2].id);
    let page = open(dir.path(), same_names(&["name"]))
        .events(None, 10)
        .expect("follows");
    assert_eq!(page.events[0].id, "c1");
}

#[test]
fn one_of_several_records_of_a_key_goes_by_its_locator() {
    let (dir, path) = written(
        "{\"email\":\"a@x\",\"name\":\"A\"}\n{\"email\":\"a@x\",\"name\":\"B\"}\n{\"email\":\"b@x\"}\n{\"email\":\"a@x\",\"name\":\"B\"}\n",
    );
    let mut jsonl = open(dir.path(), same_names(&["name"]));
    let located = ReadRequest {
        locate: true,
        ..all()
    };
    let found = jsonl.read(&located).expect("reads").rows;
    let gone = |at: usize| Write {
        locator: found[at].locator.clone(),
        ..delete("a@x")
    };
    assert!(gone(0).locator.is_some());
    assert_ne!(gone(0).locator, gone(1).locator);
    assert_eq!(gone(1).locator, gone(3).locator);
    // One of the two that hold the same goes, and what is kept is changed in the same call.
    let writes = vec![gone(0), gone(1), upsert("a@x", &[("name", text("Z"))])];
    let report = jsonl.write(&batch(writes)).expect("writes");
    assert_eq!(report.rejected, []);
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "{\"email\":\"b@x\"}\n{\"email\":\"a@x\",\"name\":\"Z\"}\n"
    );
    // What is no longer there is no trouble.
    jsonl.write(&batch(vec![gone(0)])).expect("writes");
    assert_eq!(
        fs::read_to_string(&path).expect("there"),
        "{\"email\":\"b@x\"}\n{\"email\":\"a@x\",\"name\":\"Z\"}\n"
    );
}
