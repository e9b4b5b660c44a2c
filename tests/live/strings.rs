//! Strings that break software go through every system and come back as they were.
//!
//! `SYNCLINE_STRINGS=FILE` adds the strings of a JSON list to those below.

use std::collections::BTreeMap;

use super::*;
use crate::server::Database;
use crate::troubles::{Manner, Receiver};

/// What some program somewhere takes for something else than a text.
const STRINGS: &[&str] = &[
    "",
    " ",
    "   leading and trailing   ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "a\rb\nc\r\nd",
    "\u{b}\u{c}\u{85}\u{2028}\u{2029}",
    "\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}\u{e}\u{f}\u{10}\u{1b}[31m\u{1f}\u{7f}",
    "\u{80}\u{9f}\u{a0}\u{ad}",
    "\u{feff}byte order mark",
    "in the \u{feff} middle",
    "\u{fffe}\u{ffff}\u{fffd}",
    "\u{10ffff}\u{e000}\u{f8ff}",
    // Words for nothing, for truth, for numbers.
    "null",
    "NULL",
    "nil",
    "None",
    "undefined",
    "NaN",
    "Infinity",
    "-Infinity",
    "true",
    "False",
    "t",
    "f",
    "yes",
    "no",
    "on",
    "0",
    "-0",
    "00",
    "007",
    "1.0",
    "1,000.00",
    "1e1000",
    "0x1F",
    "1_000",
    ".5",
    "5.",
    "9223372036854775808",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827",
    "2026-02-30",
    "2026-01-01T00:00:00Z",
    "12:60",
    "epoch",
    // What separates, quotes and escapes.
    ",",
    ";",
    "|",
    "a|b\\|c",
    "\"",
    "\"\"",
    "\"\"\"",
    "'",
    "''",
    "`",
    "\\",
    "\\\\",
    "\\N",
    "\\.",
    "\\n",
    "\\u0000",
    "\\\"",
    "\"quoted, with \"\"quotes\"\" and\nlines\"",
    "a,b\r\n\"c\",d",
    "{}",
    "[]",
    "{\"a\": [1, null]}",
    "[\"a\", \"b\"]",
    "{a,b,\"c\"}",
    "(1,2)",
    "$1",
    "$$",
    "$body$",
    "${HOME}",
    "$(reboot)",
    "%s%n%d",
    "%00",
    "%2F..%2F",
    "{{7*7}}",
    "<%= 1 %>",
    // What a spreadsheet, a shell, a database or a browser would do.
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "; DROP TABLE contacts; --",
    "' OR '1'='1",
    "Robert'); DELETE FROM contacts;--",
    "/* */",
    "--",
    "# no comment",
    "<script>alert(1)</script>",
    "<b>bold</b> &amp; &lt; &#0;",
    "]]>",
    "<!-- -->",
    "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>",
    "../../etc/passwd",
    "C:\\CON\\NUL",
    "javascript:alert(1)",
    // Letters of the world, and what is done to them.
    "ÀÉÎõüß",
    "İıſK",
    "e\u{301} is é",
    "Z\u{335}a\u{336}l\u{337}g\u{338}o\u{310}\u{311}\u{312}\u{313}",
    "ﷺﷻ",
    "العربية \u{202b}עברית\u{202c} left",
    "\u{202e}backwards",
    "\u{2066}isolate\u{2069}",
    "日本語 中文 한국어",
    "表ポあA鷗ŒéＢ逍Üßªąñ丂㐀𠀀",
    "ไทย हिन्दी தமிழ்",
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏿🇩🇪",
    "\u{200b}zero\u{200c}width\u{200d}",
    "ａｂｃ１２３",
    "ⅠⅡⅢ½٣",
    "\u{ad}soft",
    "Å\u{212b}",
    "ﬁﬂ",
    "\u{1d11e}𝄞",
];

const OUT: &str = r#"
policy strings { timezone "UTC" }
system source { connector jsonl option path = "source.jsonl" }
system c { connector csv option path = "c.csv" }
system j { connector jsonl option path = "j.jsonl" }
system s { connector sqlite option path = "s.db" }
system p { connector postgres secret url = env("P_URL") }
system w { connector webhook option url = env("W_URL") secret signing = env("FORMS_SECRET") }
system forms { connector webhook option path = "/hooks/forms" secret signing = env("FORMS_SECRET") }
system heard { connector sqlite option path = "heard.db" }
entity word { key email owner source accepts none field email: text(20) field name: text? }
entity told { key email owner forms accepts none field email: text(20) field name: text? }
map word in source { same_names }
map word in c { same_names }
map word in j { same_names }
map word in s "words" { same_names cursor "seq" }
map word in p "words" { same_names }
map word in w { same_names }
map told in forms { same_names }
map told in heard "words" { same_names cursor "seq" }
scenario out { sync word(name) from source to c, j, s, p, w mode daily at 03:00 scan full }
scenario hear { when forms.submitted sync told(name) from forms to heard mode realtime }
"#;

/// The systems written by the policy above, each read back into a table of its own.
const BACK: &str = r#"
policy back { timezone "UTC" }
system c { connector csv option path = "c.csv" }
system j { connector jsonl option path = "j.jsonl" }
system s { connector sqlite option path = "s.db" }
system p { connector postgres secret url = env("P_URL") }
system back { connector sqlite option path = "back.db" }
"#;

fn strings() -> BTreeMap<String, String> {
    let mut all: Vec<String> = STRINGS.iter().map(|s| (*s).to_owned()).collect();
    // Longer than a page, a cell, a buffer.
    all.push("ab\u{1f980}".repeat(30_000));
    if let Ok(file) = std::env::var("SYNCLINE_STRINGS") {
        let more: Vec<String> =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        all.extend(more);
    }
    let numbered = all.into_iter().enumerate();
    numbered.map(|(n, s)| (format!("n{n:04}"), s)).collect()
}

fn same(what: &str, found: &BTreeMap<String, Option<String>>, wanted: &BTreeMap<String, String>) {
    for (key, text) in wanted {
        let found = found
            .get(key)
            .unwrap_or_else(|| panic!("{what} lacks {key}: {text:?}"));
        assert_eq!(found.as_deref().unwrap_or(""), text, "{what}: {key}");
    }
    assert_eq!(found.len(), wanted.len(), "{what}");
}

fn table(dir: &Path, db: &str, table: &str) -> BTreeMap<String, Option<String>> {
    let db = rusqlite::Connection::open(dir.join(db)).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    let sql = format!("SELECT email, name FROM {table}");
    let mut query = db.prepare(&sql).unwrap();
    let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

fn make(dir: &Path, db: &str, tables: &[&str]) {
    let db = rusqlite::Connection::open(dir.join(db)).unwrap();
    for table in tables {
        let sql = format!("CREATE TABLE {table} (email TEXT PRIMARY KEY, name TEXT, seq INTEGER)");
        db.execute_batch(&sql).unwrap();
    }
}

#[test]
fn strings_that_break_software_come_through_every_system_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    let wanted = strings();
    let database = Database::new();
    database.run("CREATE TABLE words (email text PRIMARY KEY, name text)");
    make(dir.path(), "s.db", &["words"]);
    make(dir.path(), "heard.db", &["words"]);
    make(dir.path(), "back.db", &["c", "j", "s", "p"]);
    let line = |(email, name)| serde_json::json!({ "email": email, "name": name }).to_string();
    let lines: Vec<String> = wanted.iter().map(line).collect();
    std::fs::write(dir.path().join("source.jsonl"), lines.join("\n") + "\n").unwrap();
    let receiver = Receiver::start(Manner::Well);
    let (p, w) = (database.url(), receiver.url.clone());
    let env = [
        ("P_URL", p.as_str()),
        ("W_URL", w.as_str()),
        ("FORMS_SECRET", SECRET),
    ];
    let run = |policy: &str| {
        std::fs::write(dir.path().join("policy.sync"), policy).unwrap();
        let store = if policy == OUT {
            "out.db"
        } else {
            "back-store.db"
        };
        let ran = Command::new(env!("CARGO_BIN_EXE_syncline"))
            .args(["run", "--until-idle", "--store"])
            .arg(dir.path().join(store))
            .arg(dir.path())
            .envs(env)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{ran:?}");
    };
    run(OUT);

    // What each system holds, looked at without Syncline.
    let mut csv = csv::Reader::from_path(dir.path().join("c.csv")).unwrap();
    let rows = csv.records().map(Result::unwrap);
    let rows = rows
        .map(|r| (r[0].to_owned(), Some(r[1].to_owned())))
        .collect();
    same("csv", &rows, &wanted);
    let text = std::fs::read_to_string(dir.path().join("j.jsonl")).unwrap();
    let rows = text.split('\n').filter(|line| !line.is_empty());
    let rows = rows.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let text = |v: &serde_json::Value| v.as_str().map(str::to_owned);
    let rows = rows
        .map(|v| (text(&v["email"]).unwrap(), text(&v["name"])))
        .collect();
    same("jsonl", &rows, &wanted);
    same("sqlite", &table(dir.path(), "s.db", "words"), &wanted);
    let rows = database
        .client()
        .query("SELECT email, name FROM words", &[])
        .unwrap();
    let rows = rows.iter().map(|r| (r.get(0), r.get(1))).collect();
    same("postgres", &rows, &wanted);
    let told = receiver.last().into_iter();
    same(
        "webhook",
        &told.map(|(k, v)| (k, Some(v))).collect(),
        &wanted,
    );

    // And heard as events.
    let runner = start_with(dir.path(), &env);
    for (email, name) in &wanted {
        let data = serde_json::json!({ "email": email, "name": name });
        let body = serde_json::json!({ "type": "submitted", "data": data }).to_string();
        assert_eq!(deliver(&runner, email, &body), 202, "{name:?}");
    }
    wait_for("all that was told", || {
        table(dir.path(), "heard.db", "words").len() == wanted.len()
    });
    same("heard", &table(dir.path(), "heard.db", "words"), &wanted);
    drop(runner);

    // Read back.
    let mut policy = BACK.to_owned();
    for (system, object) in [("c", ""), ("j", ""), ("s", "\"words\""), ("p", "\"words\"")] {
        policy += &format!(
            "entity word_{system} {{ key email owner {system} accepts none field email: text(20) field name: text? }}\n\
             map word_{system} in {system} {object} {{ same_names }}\n\
             map word_{system} in back \"{system}\" {{ same_names cursor \"seq\" }}\n\
             scenario back_{system} {{ sync word_{system}(name) from {system} to back mode daily at 03:00 scan full }}\n"
        );
    }
    run(&policy);
    for system in ["c", "j", "s", "p"] {
        same(system, &table(dir.path(), "back.db", system), &wanted);
    }
}
