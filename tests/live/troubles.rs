//! Real servers that misbehave: a receiver over HTTP and a database, each in trouble for a while.
//! Meanwhile another destination gets everything; afterwards nothing is missing and nothing came
//! twice.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::server::{Database, Server};

pub(super) const TROUBLED: &str = r#"
policy live { timezone "UTC" }
system forms {
  connector webhook
  option path = "/hooks/forms"
  secret signing = env("FORMS_SECRET")
}
system crm { connector sqlite option path = "crm.db" }
system tracker {
  connector webhook
  option url = env("TRACKER_URL")
  secret signing = env("FORMS_SECRET")
  LIMIT
}
entity contact {
  key email
  owner forms
  accepts none
  field email: email
  field name: text(40)?
}
map contact in forms { same_names  changed_at "at" }
map contact in crm "contacts" { same_names  cursor "updated_at" }
map contact in tracker { same_names }
scenario signup {
  when forms.submitted
  sync contact(name) from forms to crm, tracker
  mode realtime
  retry exponential from 20ms to 300ms, 12 attempts
  breaker 3 failures, 300ms pause
}
"#;

/// How the receiver behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    Well,
    /// Answers after a while.
    Slow,
    /// Takes the message and never answers.
    Hangs,
    /// 429 with `Retry-After`.
    Busy,
    /// 500.
    Broken,
    /// What is no HTTP.
    Garbage,
    /// Half an answer.
    Cuts,
    /// Does what it was asked, and the reply is lost.
    LosesReply,
    /// Nobody listens at its address.
    Away,
}

impl Manner {
    pub(super) const TROUBLES: [Manner; 8] = [
        Manner::Slow,
        Manner::Hangs,
        Manner::Busy,
        Manner::Broken,
        Manner::Garbage,
        Manner::Cuts,
        Manner::LosesReply,
        Manner::Away,
    ];
}

#[derive(Default)]
struct Heard {
    /// Message ids that took effect.
    ids: BTreeMap<String, String>,
    /// By record, the names that took effect, in order.
    effects: BTreeMap<String, Vec<String>>,
    /// When each name took effect.
    times: BTreeMap<String, Instant>,
    /// Messages that came, whatever became of them.
    calls: usize,
}

/// A receiver that counts effects by message id, and whose manner changes.
pub(super) struct Receiver {
    pub(super) url: String,
    manner: Arc<Mutex<Manner>>,
    heard: Arc<Mutex<Heard>>,
    over: Arc<AtomicBool>,
    /// Whether anybody listens at its address.
    listens: Arc<AtomicBool>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

impl Receiver {
    pub(super) fn start(manner: Manner) -> Receiver {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = first.local_addr().unwrap();
        let receiver = Receiver {
            url: format!("http://{address}/t"),
            manner: Arc::new(Mutex::new(manner)),
            heard: Arc::default(),
            over: Arc::default(),
            listens: Arc::new(AtomicBool::new(true)),
        };
        let listens = Arc::clone(&receiver.listens);
        let (manner, heard) = (Arc::clone(&receiver.manner), Arc::clone(&receiver.heard));
        let over = Arc::clone(&receiver.over);
        std::thread::spawn(move || {
            let mut listener = Some(first);
            while !over.load(Ordering::SeqCst) {
                let away = *manner.lock().unwrap() == Manner::Away;
                if away {
                    listener = None;
                } else if listener.is_none() {
                    listener = TcpListener::bind(address).ok();
                }
                listens.store(listener.is_some(), Ordering::SeqCst);
                let Some(open) = &listener else {
                    std::thread::sleep(Duration::from_millis(10));
                    continue;
                };
                open.set_nonblocking(true).unwrap();
                let Ok((stream, _)) = open.accept() else {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                };
                stream.set_nonblocking(false).unwrap();
                let (manner, heard) = (Arc::clone(&manner), Arc::clone(&heard));
                std::thread::spawn(move || serve(stream, &manner, &heard));
            }
        });
        receiver
    }

    pub(super) fn turns(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
        // A call that comes before it listens would be one of a minute's few.
        let listens = manner != Manner::Away;
        wait_for("the receiver to turn", || {
            self.listens.load(Ordering::SeqCst) == listens
        });
    }

    pub(super) fn calls(&self) -> usize {
        self.heard.lock().unwrap().calls
    }

    /// When each name took effect.
    pub(super) fn arrived(&self) -> BTreeMap<String, Instant> {
        self.heard.lock().unwrap().times.clone()
    }

    /// The last name of each record; fails where an effect came twice.
    pub(super) fn last(&self) -> BTreeMap<String, String> {
        let heard = self.heard.lock().unwrap();
        let last = heard.effects.iter().map(|(email, names)| {
            let mut once = names.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), names.len(), "{email}: {names:?}");
            (email.clone(), names.last().unwrap().clone())
        });
        last.collect()
    }
}

fn serve(stream: TcpStream, manner: &Mutex<Manner>, heard: &Mutex<Heard>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some((id, body)) = messages::message(&mut reader) {
        heard.lock().unwrap().calls += 1;
        let now = *manner.lock().unwrap();
        let takes = matches!(now, Manner::Well | Manner::Slow | Manner::LosesReply);
        if takes {
            let text = |f: &str| body["data"][f].as_str().unwrap().to_owned();
            let mut heard = heard.lock().unwrap();
            if heard.ids.insert(id, text("name")).is_none() {
                heard.times.insert(text("name"), Instant::now());
                heard
                    .effects
                    .entry(text("email"))
                    .or_default()
                    .push(text("name"));
            }
        }
        let answer: &[u8] = match now {
            Manner::Slow => {
                std::thread::sleep(Duration::from_millis(150));
                b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            }
            Manner::Hangs => {
                while *manner.lock().unwrap() == Manner::Hangs {
                    std::thread::sleep(Duration::from_millis(10));
                }
                return;
            }
            Manner::Busy => {
                b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
            }
            Manner::Broken => b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nno",
            Manner::Garbage => b"\x00\xff\xfe SMTP ready\r\n\r\n\r\n",
            Manner::Cuts => b"HTTP/1.1 200 OK\r\nConte",
            Manner::LosesReply | Manner::Away => return,
            Manner::Well => b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        };
        let whole = matches!(
            now,
            Manner::Well | Manner::Slow | Manner::Busy | Manner::Broken
        );
        if writer.write_all(answer).is_err() || !whole {
            return;
        }
    }
}

pub(super) fn set_up_troubled(dir: &Path, limit: &str) {
    set_up(dir);
    let policy = TROUBLED.replace("LIMIT", limit);
    std::fs::write(dir.join("policy.sync"), policy).unwrap();
}

pub(super) fn contacts(dir: &Path) -> BTreeMap<String, String> {
    let crm = rusqlite::Connection::open(dir.join("crm.db")).unwrap();
    crm.busy_timeout(Duration::from_secs(10)).unwrap();
    let mut query = crm.prepare("SELECT email, name FROM contacts").unwrap();
    let rows = query.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

pub(super) fn in_store(dir: &Path, table: &str) -> i64 {
    let store = rusqlite::Connection::open(dir.join(".syncline.db")).unwrap();
    store.busy_timeout(Duration::from_secs(10)).unwrap();
    let sql = format!("SELECT count(*) FROM {table}");
    store.query_row(&sql, [], |r| r.get(0)).unwrap()
}

/// Sends so many changes of ten people; gives what they are called in the end.
fn change(runner: &Runner, round: &str, changes: usize) -> BTreeMap<String, String> {
    let mut last = BTreeMap::new();
    for n in 0..changes {
        let email = format!("p{}@example.com", n % 10);
        let name = format!("{round} {n}");
        let body = submission(&email, &name)
            .replace("2026-10-01T00:00:00Z", &chrono::Utc::now().to_rfc3339());
        assert_eq!(deliver(runner, &format!("{round}-{n}"), &body), 202);
        last.insert(email, name);
    }
    last
}

#[test]
fn a_receiver_in_any_trouble_holds_up_no_other_and_loses_and_repeats_nothing() {
    let dir = tempfile::tempdir().unwrap();
    set_up_troubled(dir.path(), "");
    let receiver = Receiver::start(Manner::Well);
    let runner = start_with(dir.path(), &[("TRACKER_URL", &receiver.url)]);
    for trouble in Manner::TROUBLES {
        let what = format!("{trouble:?}");
        receiver.turns(trouble);
        let last = change(&runner, &what, 30);
        wait_for(&format!("crm while the receiver is {what}"), || {
            contacts(dir.path()) == last
        });
        // It is still in trouble, and what it did not take waits, as state.
        let waits = in_store(dir.path(), "outbox WHERE system = 'tracker'");
        assert!(waits <= 10, "{what}: {waits}");
        if trouble != Manner::Slow && trouble != Manner::LosesReply {
            assert_ne!(receiver.last(), last, "{what}");
        }
        receiver.turns(Manner::Well);
        wait_for(&format!("the receiver after {what}"), || {
            receiver.last() == last && in_store(dir.path(), "outbox") == 0
        });
        assert_eq!(in_store(dir.path(), "dead_letters"), 0, "{what}");
    }
}

#[test]
fn a_backlog_drains_within_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    set_up_troubled(dir.path(), "limit 20/hour");
    let receiver = Receiver::start(Manner::Broken);
    let runner = start_with(dir.path(), &[("TRACKER_URL", &receiver.url)]);
    let mut last = BTreeMap::new();
    for n in 0..40 {
        let (email, name) = (format!("q{n}@example.com"), format!("Q {n}"));
        let id = format!("q-{n}");
        assert_eq!(deliver(&runner, &id, &submission(&email, &name)), 202);
        last.insert(email, name);
    }
    wait_for("crm", || contacts(dir.path()) == last);
    wait_for("some attempts", || receiver.calls() >= 3);
    receiver.turns(Manner::Well);
    wait_for("what the hour allows", || receiver.calls() == 20);
    // What is spent is spent, for the next runner too.
    drop(runner);
    let _runner = start_with(dir.path(), &[("TRACKER_URL", &receiver.url)]);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(receiver.calls(), 20);
    let (taken, waits) = (receiver.last().len(), in_store(dir.path(), "outbox"));
    // A call whose answer the killed runner had not stored yet is known by its id later.
    assert!(
        taken + waits as usize >= 40 && waits >= 20,
        "{taken} {waits}"
    );
    assert_eq!(in_store(dir.path(), "dead_letters"), 0);
}

#[test]
fn a_database_that_is_stopped_and_started_again_holds_up_no_other_and_loses_nothing() {
    a_database_in_trouble(&[], &Server::stop, &|_| {}, &Server::start_again);
}

#[cfg(unix)]
#[test]
fn a_database_that_hangs_is_given_up_and_gets_everything_once_it_goes_on() {
    // Its kernel takes connections and bytes all the same: nothing but an answer that does not come
    // can show that it hangs.
    let told = |runner: &Runner| {
        wait_for("the breaker", || {
            let (_, text) = metrics::get(&runner.address, "/metrics");
            text.contains("syncline_system_failing{system=\"tracker\"} 1")
                && text.contains("syncline_system_failing{system=\"crm\"} 0")
        });
    };
    let haste = [("SYNCLINE_HASTE_MS", "1500")];
    a_database_in_trouble(&haste, &Server::freeze, &told, &Server::thaw);
}

/// Three times over: changes arrive, the database goes `down`, changes reach the other system, it
/// comes `up`, and it has all of them, each once.
fn a_database_in_trouble(
    env: &[(&str, &str)],
    down: &dyn Fn(&Server),
    while_down: &dyn Fn(&Runner),
    up: &dyn Fn(&Server),
) {
    let dir = tempfile::tempdir().unwrap();
    let server = Arc::new(Server::start(&["fsync=off"]));
    let database = Database::on(Arc::clone(&server));
    database.run(
        "CREATE TABLE contacts (email text PRIMARY KEY, name text);
         CREATE TABLE effects (name text);
         CREATE FUNCTION account() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO effects VALUES (NEW.name); RETURN NEW; END $$;
         CREATE TRIGGER account AFTER INSERT OR UPDATE ON contacts
           FOR EACH ROW EXECUTE FUNCTION account();
         CREATE TABLE tickets (id text PRIMARY KEY, state text);",
    );
    set_up(dir.path());
    let policy = TROUBLED
        .replace("LIMIT", "")
        .replace(
            "connector webhook\n  option url",
            "connector postgres\n  secret url",
        )
        .replace(
            "TRACKER_URL\")\n  secret signing = env(\"FORMS_SECRET\")",
            "TRACKER_URL\")",
        )
        .replace(
            "map contact in tracker",
            "map contact in tracker \"contacts\"",
        )
        + r#"
entity ticket { key id owner tracker accepts none field id: text(20) field state: text(40)? }
map ticket in tracker "tickets" { same_names }
map ticket in crm "tickets" { same_names }
scenario tickets {
  sync ticket(state) from tracker to crm
  mode realtime
  retry exponential from 20ms to 300ms, 12 attempts
  breaker 3 failures, 300ms pause
}
"#;
    std::fs::write(dir.path().join("policy.sync"), policy).unwrap();
    let crm = rusqlite::Connection::open(dir.path().join("crm.db")).unwrap();
    crm.busy_timeout(Duration::from_secs(10)).unwrap();
    crm.execute_batch("CREATE TABLE tickets (id TEXT PRIMARY KEY, state TEXT)")
        .unwrap();
    let state = || -> Option<String> {
        let sql = "SELECT state FROM tickets WHERE id = 't'";
        crm.query_row(sql, [], |r| r.get(0)).ok()
    };
    let names = "SELECT string_agg(email || '=' || name, ',' ORDER BY email) FROM contacts";
    let url = database.url();
    let env = [&[("TRACKER_URL", &*url)], env].concat();
    let runner = start_with(dir.path(), &env);
    let told = |last: &BTreeMap<String, String>| {
        let all = last.iter().map(|(email, name)| format!("{email}={name}"));
        all.collect::<Vec<_>>().join(",")
    };
    for round in 0..3 {
        let before = change(&runner, &format!("up {round}"), 20);
        wait_for("the database", || database.one(names) == told(&before));
        down(&server);
        let last = change(&runner, &format!("down {round}"), 30);
        wait_for("crm while the database is down", || {
            contacts(dir.path()) == last
        });
        wait_for("what waits", || {
            in_store(dir.path(), "outbox WHERE system = 'tracker'") == 10
        });
        while_down(&runner);
        up(&server);
        wait_for("the database once it is up again", || {
            database.one(names) == told(&last) && in_store(dir.path(), "outbox") == 0
        });
        // It is followed again too.
        database.run(&format!(
            "INSERT INTO tickets VALUES ('t', 'round {round}')
             ON CONFLICT (id) DO UPDATE SET state = excluded.state"
        ));
        wait_for("a ticket", || state() == Some(format!("round {round}")));
    }
    assert_eq!(
        database.one("SELECT count(*) - count(DISTINCT name) FROM effects"),
        "0",
        "an effect came twice"
    );
    assert_eq!(in_store(dir.path(), "dead_letters"), 0);
}

#[cfg(unix)]
#[test]
fn a_runner_that_stops_takes_nothing_in_while_it_waits_for_a_call() {
    let dir = tempfile::tempdir().unwrap();
    set_up_troubled(dir.path(), "");
    let receiver = Receiver::start(Manner::Hangs);
    let env = [("TRACKER_URL", receiver.url.as_str())];
    let mut runner = start_with(dir.path(), &env);
    let ada = submission("ada@example.com", "Ada");
    assert_eq!(deliver(&runner, "ada", &ada), 202);
    wait_for("the call", || receiver.calls() == 1);
    terminate(&runner);
    let mut acknowledged = 0;
    wait_for("a refusal", || {
        let email = format!("late{acknowledged}@example.com");
        match deliver(&runner, &email, &submission(&email, "Late")) {
            202 => acknowledged += 1,
            503 => return true,
            other => panic!("{other}"),
        }
        false
    });
    assert!(runner.child.try_wait().unwrap().is_none(), "it still waits");
    receiver.turns(Manner::Well);
    assert_eq!(
        runner.child.wait().unwrap().code(),
        Some(3),
        "something waits"
    );
    // What was acknowledged and could not go out goes out by the next runner.
    let _runner = start_with(dir.path(), &env);
    wait_for("all", || {
        receiver.last().len() == 1 + acknowledged && in_store(dir.path(), "outbox") == 0
    });
}
