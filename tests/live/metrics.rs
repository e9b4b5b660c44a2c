//! What monitoring asks of a runner under way.

use super::*;

pub(super) fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    (status, body)
}

/// The value of a sample.
fn sample(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find(|l| l.starts_with(&format!("{name} ")))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn metrics_count_what_was_moved_and_show_what_is_held() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let policy = POLICY.replace(
        "field name: text(40)?",
        "field name: text(40)?  fresh 1m in crm",
    );
    std::fs::write(dir.path().join("policy.sync"), policy).unwrap();
    let runner = start(dir.path());
    wait_for("readiness", || get(&runner.address, "/readyz").0 == 200);
    assert_eq!(get(&runner.address, "/healthz"), (200, "ok\n".to_owned()));
    for n in 0..3 {
        let body = submission(&format!("p{n}@example.com"), "Pat");
        assert_eq!(deliver(&runner, &format!("msg_{n}"), &body), 202);
    }
    let written = "syncline_writes_total{scenario=\"signup\",outcome=\"written\"}";
    let told = || get(&runner.address, "/metrics").1;
    wait_for("three writes", || sample(&told(), written) == Some(3.0));
    // One of them comes once more.
    let again = submission("p1@example.com", "Pat");
    assert_eq!(deliver(&runner, "msg_1", &again), 202);
    let text = told();
    let events = |outcome: &str| {
        let name = format!("syncline_events_total{{system=\"forms\",outcome=\"{outcome}\"}}");
        sample(&text, &name)
    };
    assert_eq!(events("stored"), Some(3.0), "{text}");
    assert_eq!(events("repeated"), Some(1.0), "{text}");
    let age = "syncline_field_age_seconds{field=\"contact.name\",system=\"crm\"}";
    assert!(sample(&text, age).unwrap() < 60.0, "{text}");
    let bound = "syncline_field_bound_seconds{field=\"contact.name\",system=\"crm\"}";
    assert_eq!(sample(&text, bound), Some(60.0));
    assert_eq!(
        sample(&text, "syncline_waiting_writes{system=\"crm\"}"),
        Some(0.0)
    );
    assert_eq!(
        sample(&text, "syncline_dead_letters{system=\"crm\"}"),
        Some(0.0)
    );
    assert_eq!(
        sample(&text, "syncline_system_failing{system=\"crm\"}"),
        Some(0.0)
    );
    // Each family is described once, before its samples.
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        assert_eq!(
            text.matches(&format!("# HELP {name} ")).count(),
            1,
            "{name}"
        );
        assert_eq!(
            text.matches(&format!("# TYPE {name} ")).count(),
            1,
            "{name}"
        );
    }
    assert!(!text.contains("example.com"), "no keys of records: {text}");
}

#[test]
fn a_system_that_fails_shows_while_what_waits_for_it_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    set_up(dir.path());
    let crm = rusqlite::Connection::open(dir.path().join("crm.db")).unwrap();
    crm.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let runner = start(dir.path());
    let body = submission("ada@example.com", "Ada");
    assert_eq!(deliver(&runner, "msg_1", &body), 202);
    let told = || get(&runner.address, "/metrics").1;
    wait_for("the failure", || {
        sample(&told(), "syncline_system_failing{system=\"crm\"}") == Some(1.0)
    });
    assert_eq!(
        sample(&told(), "syncline_waiting_writes{system=\"crm\"}"),
        Some(1.0)
    );
    // A system that is away does not make the runner unready.
    assert_eq!(get(&runner.address, "/readyz").0, 200);
    crm.execute_batch("ROLLBACK").unwrap();
    wait_for("the write", || {
        sample(&told(), "syncline_waiting_writes{system=\"crm\"}") == Some(0.0)
    });
    assert_eq!(
        name_of(dir.path(), "ada@example.com").as_deref(),
        Some("Ada")
    );
}
