//! What is taken in, and with which status all else is refused.

use super::*;
use crate::connector::signature::sign;
use crate::connector::testing::{plan, same_names};
use serde_json::json;

const NOW: i64 = 1_767_571_200;

fn intake(system: Json) -> Result<Intake, Failure> {
    let plan = plan(system, same_names(&["name"]), true);
    Intake::new(&plan, &|name| {
        (name == "KEY").then(|| "whsec_c2VjcmV0".to_owned())
    })
}

fn forms() -> Intake {
    intake(
        json!({"connector": "webhook", "options": {"path": {"value": "/hooks/forms"}},
        "secrets": {"signing": {"env": "KEY"}}}),
    )
    .expect("an intake")
}

fn sent(
    method: &str,
    path: &str,
    body: &[u8],
    signed: &[u8],
) -> Result<(SystemIx, RawEvent), Refusal> {
    let signature = sign("whsec_c2VjcmV0", "msg_1", NOW, signed).expect("signs");
    let at = NOW.to_string();
    let headers = [
        ("Webhook-Id", "msg_1"),
        ("Webhook-Timestamp", &at),
        ("Webhook-Signature", &signature),
    ];
    let request = IntakeRequest {
        method,
        path,
        headers: &headers,
        body,
    };
    forms().accept(&request, Instant(NOW * 1000 + 250))
}

#[test]
fn a_signed_event_is_taken_with_its_senders_id() {
    let body = br#"{"type": "submitted", "data": {"email": "a@x"}}"#;
    for path in ["/hooks/forms", "/hooks/forms/", "/hooks/forms?x=1"] {
        let (system, event) = sent("POST", path, body, body).expect("taken");
        assert_eq!((system, event.id.as_str()), (0, "msg_1"));
        assert_eq!(event.body.as_bytes(), body);
    }
}

#[test]
fn everything_else_is_refused_with_its_own_status() {
    let good: &[u8] = b"{}";
    let long = vec![b' '; BODY_BYTES_MAX + 1];
    let deep = "[".repeat(100_000);
    type Case<'a> = (&'a str, &'a str, &'a [u8], &'a [u8], u16);
    let cases: [Case<'_>; 10] = [
        ("POST", "/hooks/other", good, good, 404),
        ("POST", "/", good, good, 404),
        ("GET", "/hooks/forms", good, good, 405),
        ("POST", "/hooks/forms", &long, &long, 413),
        ("POST", "/hooks/forms", good, b"{ }", 401),
        ("POST", "/hooks/forms", b"{", b"{", 400),
        ("POST", "/hooks/forms", b"[1]", b"[1]", 400),
        ("POST", "/hooks/forms", b"\xff", b"\xff", 400),
        ("POST", "/hooks/forms", b"", b"", 400),
        (
            "POST",
            "/hooks/forms",
            deep.as_bytes(),
            deep.as_bytes(),
            400,
        ),
    ];
    for (method, path, body, signed, status) in cases {
        let refusal = sent(method, path, body, signed).expect_err("refused");
        assert_eq!(refusal.status, status, "{refusal}");
        assert!(!refusal.reason.is_empty());
    }
    let unsigned = IntakeRequest {
        method: "POST",
        path: "/hooks/forms",
        headers: &[],
        body: b"no json, and never looked at",
    };
    let refusal = forms()
        .accept(&unsigned, Instant(NOW * 1000))
        .expect_err("refused");
    assert_eq!(refusal.status, 401);
}

#[test]
fn vendors_are_heard_by_their_own_schemes_and_known_by_their_own_ids() {
    use crate::connector::signature::hmac;
    let intake = intake(
        json!({"connector": "stripe", "options": {"path": {"value": "/hooks/stripe"}},
        "secrets": {"signing": {"env": "KEY"}}}),
    )
    .expect("an intake");
    let accept = |body: &str| {
        let text = format!("{NOW}.{body}");
        let code = hmac(b"whsec_c2VjcmV0", [text.as_bytes()]);
        let hex: String = code.iter().map(|b| format!("{b:02x}")).collect();
        let header = format!("t={NOW},v1={hex}");
        let headers = [("Stripe-Signature", &*header)];
        let request = IntakeRequest {
            method: "POST",
            path: "/hooks/stripe",
            headers: &headers,
            body: body.as_bytes(),
        };
        intake
            .accept(&request, Instant(NOW * 1000))
            .expect("taken")
            .1
            .id
    };
    assert_eq!(accept(r#"{"id": "evt_1", "data": {}}"#), "evt_1");
    let hashed = accept(r#"{"a": 1}"#);
    assert!(hashed.starts_with("sha256:"));
    assert_eq!(hashed, accept(r#"{"a": 1}"#));
}

#[test]
fn a_system_without_a_key_stops_the_start() {
    let unset = intake(
        json!({"connector": "webhook", "options": {"path": {"value": "/h"}},
        "secrets": {"signing": {"env": "OTHER"}}}),
    );
    assert!(unset.expect_err("unset").message.contains("`OTHER`"));
    let none = intake(json!({"connector": "webhook", "options": {"path": {"value": "/h"}}}));
    assert!(none.expect_err("none").message.contains("`signing`"));
    let silent = intake(json!({"connector": "csv", "options": {"path": {"value": "/h"}}}));
    assert_eq!(silent.expect("an intake").paths().count(), 0);
}
