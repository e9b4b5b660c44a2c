//! Calls against a receiver on this machine.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::connector::signature::{Key, STANDARD_WEBHOOKS, Signed, keys, verify};
use crate::connector::testing::*;
use crate::engine::ports::FailureClass;
use crate::value::Value;

const NOW: i64 = 1_767_571_200_000;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A request as the receiver got it.
struct Got {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A receiver that gives each answer once, then goes away.
fn receiver(answers: Vec<String>) -> (String, Receiver<Got>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    let (send, receive) = channel();
    thread::spawn(move || {
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else {
                return;
            };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
            let mut input = BufReader::new(&stream);
            let mut lines = Vec::new();
            loop {
                let mut line = String::new();
                if input.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
                    break;
                }
                lines.push(line.trim().to_owned());
            }
            let headers: Vec<(String, String)> = lines
                .iter()
                .skip(1)
                .filter_map(|l| l.split_once(": "))
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect();
            let length = headers.iter().find(|(n, _)| n == "content-length");
            let length = length.and_then(|(_, v)| v.parse().ok()).unwrap_or(0);
            let mut body = vec![0; length];
            let _ = input.read_exact(&mut body);
            let _ = (&stream).write_all(answer.as_bytes());
            let line = lines.first().cloned().unwrap_or_default();
            let _ = send.send(Got {
                line,
                headers,
                body,
            });
        }
    });
    (format!("http://{address}/hear?token=hunter2"), receive)
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn open(url: &str) -> Webhook {
    let map = same_names(&["name", "age", "status"]);
    let plan = plan(json!({"connector": "webhook"}), map, false);
    let now = Box::new(|| Instant(NOW));
    Webhook::open(&plan, 0, url, SECRET.into(), now).expect("opens")
}

/// What one write comes to against an answer.
fn one(answer: String) -> Result<WriteReport, Failure> {
    let (url, _got) = receiver(vec![answer]);
    open(&url).write(&batch(vec![upsert("a@x", &[])]))
}

#[test]
fn a_write_is_a_signed_post_with_its_columns() {
    let (url, got) = receiver(vec![answer("202 Accepted", "", ""); 2]);
    let mut webhook = open(&url);
    let writes = vec![
        upsert("a@x", &[("name", text(ANY_TEXT)), ("age", Value::Null)]),
        delete("b@x"),
    ];
    let report = webhook.write(&batch(writes)).expect("sent");
    assert_eq!((report.calls, report.rejected), (2, vec![]));
    let wanted = [
        json!({"type": "contact.upserted", "timestamp": "2026-01-05T00:00:00Z",
            "data": {"email": "a@x", "name": ANY_TEXT, "age": null}}),
        json!({"type": "contact.deleted", "timestamp": "2026-01-05T00:00:00Z",
            "data": {"email": "b@x"}}),
    ];
    for (key, wanted) in ["idem-a@x", "idem-b@x"].into_iter().zip(wanted) {
        let got = got.recv_timeout(Duration::from_secs(10)).expect("heard");
        assert_eq!(got.line, "POST /hear?token=hunter2 HTTP/1.1");
        let headers: Vec<_> = got.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
        let request = Signed {
            method: "POST",
            url: "",
            headers: &headers,
            body: &got.body,
        };
        let keys = keys(Key::Whsec, SECRET);
        let id = verify(&STANDARD_WEBHOOKS, &keys, &request, NOW / 1000);
        assert_eq!(id, Ok(Some(key.to_owned())));
        let body: Json = serde_json::from_slice(&got.body).expect("JSON");
        assert_eq!(body, wanted);
    }
}

#[test]
fn answers_are_classed_by_what_another_try_can_do() {
    let class = |status: &str, headers: &str| {
        one(answer(status, headers, "out of\norder"))
            .expect_err(status)
            .class
    };
    let retry = |after_ms| FailureClass::Retry { after_ms };
    assert_eq!(class("503 Away", ""), retry(None));
    assert_eq!(class("500 Oh", ""), retry(None));
    assert_eq!(class("408 Slow", ""), retry(None));
    assert_eq!(class("429 Many", "Retry-After: 7\r\n"), retry(Some(7_000)));
    let date = "Retry-After: Mon, 05 Jan 2026 00:01:30 GMT\r\n";
    assert_eq!(class("503 Away", date), retry(Some(90_000)));
    assert_eq!(class("401 No", ""), FailureClass::Auth);
    assert_eq!(class("403 No", ""), FailureClass::Auth);
    assert_eq!(class("302 There", "Location: /\r\n"), FailureClass::Setup);
    let report = one(answer("422 Bad", "", "no such\n name")).expect("heard");
    let [(0, words)] = report.rejected.as_slice() else {
        panic!("{report:?}")
    };
    assert!(
        words.ends_with("/hear answered 422\nno such name"),
        "{words}"
    );
}

#[test]
fn a_receiver_that_is_away_is_tried_again_and_no_secret_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let mut webhook = open(&format!("http://user:hunter2@{address}/hear?token=hunter2"));
    let failure = webhook
        .write(&batch(vec![upsert("a@x", &[])]))
        .expect_err("nobody is there");
    assert_eq!(failure.class, FailureClass::Retry { after_ms: None });
    assert!(
        failure
            .message
            .contains(&format!("http://{address}/hear failed")),
        "{failure}"
    );
    assert!(!format!("{failure:?} {webhook:?}").contains("hunter2"));
    assert!(webhook.read(&all()).is_err());
    assert!(webhook.events(None, 1).is_err());
}

#[test]
fn a_write_of_a_run_has_the_key_that_it_has_where_it_waits() {
    let (url, got) = receiver(vec![answer("200 OK", "", "")]);
    let mut webhook = open(&url);
    webhook.scenarios = vec!["s".to_owned()];
    let write = Write {
        idempotency: Idempotency::Version(7),
        ..upsert("a@x", &[])
    };
    webhook.write(&batch(vec![write])).expect("sent");
    let got = got.recv_timeout(Duration::from_secs(10)).expect("heard");
    let id = got.headers.iter().find(|(name, _)| name == "webhook-id");
    let wanted = idempotency_key("s", "contact", "a@x", 7, "desk");
    assert_eq!(id.map(|(_, id)| id), Some(&wanted));
}
