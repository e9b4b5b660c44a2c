//! The shapes of limits that an entry holds, several at once, and texts that are no entries.

use proptest::prelude::*;

use super::*;

const SOUND: &str = r#"
name: mine
title: Mine
docs: https://example.com
transport: http
tested: none
capabilities: { read: true, write: true, upsert: true, events: true, bulk: true, deletes: true, sends_mail: false }
change_time: seconds
limits:
  - { name: burst, calls: { value: 10, verified: false }, per: 1s, window: rolling, scope: app }
  - { name: day, calls: { value: 1000, verified: false }, per: 1d, window: fixed, scope: account }
  - { name: search, calls: { value: 5, verified: false }, per: 1s, scope: endpoint, counts: reads }
  - { name: jobs, calls: { value: 100, verified: false }, per: 1d, scope: user, counts: bulk }
  - { name: events, calls: { value: 500, verified: false }, per: 1d, scope: account, counts: events }
  - name: tokens
    calls: { value: 30000, verified: false }
    per_seat: { value: 30000, verified: false }
    seats_included: 1
    per: 1d
    scope: account
    weights: { read: { value: 20, verified: false }, write: { value: 10, verified: false } }
batch:
  bulk:
    from_records: { value: 100, verified: false }
    records: { value: 1000, verified: false }
    fixed_calls: { value: 3, verified: false }
events: { payload: full, delivery: webhook, replay: lost_for_good, any_name: true }
concurrency: { value: 10, verified: false, note: "connections of one user" }
other:
  - { name: request_timeout, value: { value: 600, verified: false }, unit: "s" }
auth: { scheme: none }
"#;

#[test]
fn an_entry_holds_every_shape_of_limit_at_once() {
    let entry = parse_entry(SOUND).unwrap();
    assert_eq!(entry.limits.len(), 6);
    let limit = |name: &str| entry.limits.iter().find(|l| l.name == name).unwrap();
    assert_eq!(limit("burst").window, Some(Window::Rolling));
    assert_eq!(limit("day").window, Some(Window::Fixed));
    assert_eq!(limit("search").scope, Scope::Endpoint);
    assert_eq!(limit("events").counts, Calls::Events);
    let tokens = limit("tokens");
    assert_eq!(tokens.weights.as_ref().unwrap().read.value, 20);
    assert_eq!(
        (tokens.allowed(0), tokens.allowed(1), tokens.allowed(5)),
        (30_000, 30_000, 150_000)
    );
    assert_eq!(entry.calls_at_a_time(None), 10);
    assert_eq!(entry.other[0].value.value, 600);
    // What is written out is read back.
    let text = serde_yaml::to_string(&entry).unwrap();
    assert_eq!(parse_entry(&text).unwrap(), entry);
}

#[test]
fn a_limit_that_says_nothing_is_refused_where_it_stands() {
    let broken = |from: &str, to: &str| {
        let error = parse_entry(&SOUND.replacen(from, to, 1)).unwrap_err();
        (error.line, error.message)
    };
    let (line, message) = broken("per: 1s, window", "per: 0s, window");
    assert_eq!(
        (line, &*message),
        (9, "the limit `burst` has no time: `per` is 0")
    );
    let (line, message) = broken("calls: { value: 10,", "calls: { value: 0,");
    assert_eq!(
        (line, &*message),
        (9, "the limit `burst` allows nothing: `calls` is 0")
    );
    let (_, message) = broken("    per_seat: { value: 30000, verified: false }\n", "");
    assert_eq!(
        message,
        "the limit `tokens` has `seats_included` and no `per_seat`"
    );
    let (_, message) = broken("window: rolling", "window: sliding");
    assert!(
        message.contains("sliding") && message.contains("rolling"),
        "{message}"
    );
}

#[test]
fn hostile_yaml_is_refused_without_harm() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c \
                [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e \
                [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: \
                [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
    let deep = format!("name: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    for text in [
        bomb,
        &deep,
        "&a [*a]",
        "*nothing",
        "? [a]: b\n",
        "---\n---\n",
        "!!x y",
    ] {
        assert!(parse_entry(text).is_err(), "{text:.40}");
    }
    for value in [
        "99999999999999999999999999",
        "-1",
        "1e400",
        ".nan",
        ".inf",
        "0x1",
        "1.5",
        "'10'",
        "~",
        "[]",
        "{}",
        "true",
    ] {
        let text = SOUND.replacen(
            "calls: { value: 10,",
            &format!("calls: {{ value: {value},"),
            1,
        );
        let read = parse_entry(&text);
        if value == "0x1" {
            continue;
        }
        let error = read.expect_err(value);
        assert_eq!(error.line, 10, "{value}: {}", error.message);
    }
}

/// Pieces that an entry's text is made of, whole ones and broken ones.
fn piece() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = SOUND.lines().collect();
    prop_oneof![
        4 => proptest::sample::select(lines).prop_map(str::to_owned),
        1 => "[-a-z0-9:{}\\[\\],&*!|>'\"%@`#? \\t]{0,40}",
        1 => "\\PC{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_it_panic(pieces in proptest::collection::vec(piece(), 0..30)) {
        let text = pieces.join("\n");
        if let Err(error) = parse_entry(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1 && !error.message.is_empty());
        }
    }

    #[test]
    fn no_change_of_a_letter_makes_it_panic(at in 0usize..2_000, letter in any::<char>()) {
        let mut text: Vec<char> = SOUND.chars().collect();
        let at = at % text.len();
        text[at] = letter;
        let text: String = text.into_iter().collect();
        let _ = parse_entry(&text);
    }
}
