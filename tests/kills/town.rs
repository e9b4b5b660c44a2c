//! The systems of the campaign with one runner between them: webhooks in; SQLite, PostgreSQL, a
//! file and a receiver over HTTP out; what each has to hold in the end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::messages::SECRET;
use crate::receiver::{REFUSED, Receiver};
use crate::sender;
use crate::server::{Database, Server};

/// Records that the webhooks change again and again.
const PEOPLE: u64 = 40;
/// Tickets in the database that is followed.
const TICKETS: usize = 60;

const POLICY: &str = r#"policy campaign { timezone "UTC" }
system forms { connector webhook option path = "/hooks/forms" secret signing = env("KEY") cleared pii }
system crm { connector sqlite option path = "crm.db" cleared pii }
system tracker {
  connector webhook
  option url  = env("TRACKER_URL")
  secret signing = env("KEY")
  cleared pii
}
system shop { connector sqlite option path = "shop.db" }
system warehouse { connector sqlite option path = "warehouse.db" }
system sheet { connector csv option path = "sheet.csv" }
system desk { connector postgres secret url = env("DESK_URL") option events = "FEED" }
system mirror { connector postgres secret url = env("MIRROR_URL") cleared pii }
entity contact {
  key email
  owner forms
  accepts none
  field email: email
  field name: text(60)?
}
entity order {
  key id
  owner shop
  accepts none
  field id: text(20)
  field total: int?
}
entity ticket {
  key id
  owner desk
  accepts none
  field id: text(20)
  field state: text(60)?
}
map contact in forms { same_names changed_at "at" }
map contact in crm "contacts" { same_names cursor "seq" }
map contact in tracker { same_names }
map contact in mirror "contacts" { same_names }
map order in shop "orders" { same_names cursor "seq" changed_at "at" }
map order in warehouse "orders" { same_names cursor "seq" }
map order in mirror "orders" { same_names }
map order in sheet { same_names }
map ticket in desk "tickets" { same_names }
map ticket in mirror "tickets" { same_names }
scenario signup {
  when forms.submitted
  sync contact(name) from forms to crm, tracker, mirror
  mode realtime
  retry exponential from 20ms to 1s, 12 attempts
  breaker 5 failures, 1s pause
}
scenario nightly {
  sync order(total) from shop to warehouse, mirror, sheet
  mode every 1h
  batch 50
  checkpoint { require `order.total >= 0` else quarantine }
  retry exponential from 20ms to 1s, 12 attempts
}
scenario pulse {
  sync ticket(state) from desk to mirror
  mode realtime with reconcile every 1h
  deletes propagate
  retry exponential from 20ms to 1s, 12 attempts
}
"#;

/// What an environment variable asks for.
pub fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.map_or(default, |t| t.parse().expect("a number"))
}

/// All systems, and what was sent to the runner.
pub struct Town {
    dir: tempfile::TempDir,
    /// The database that is followed.
    desk: Database,
    /// The one that is written to, with an account of every effect on a contact.
    mirror: Database,
    receiver: Receiver,
    orders: usize,
    /// The number of the event that comes next; all before were acknowledged.
    next: AtomicU64,
    /// Grows with every change of the loads.
    changes: AtomicU64,
    random: Mutex<fastrand::Rng>,
    pub seed: u64,
}

/// A runner under way; killed when dropped.
pub struct Runner {
    pub child: Child,
    address: String,
    /// What it said so far.
    pub said: Arc<Mutex<Vec<String>>>,
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends the load when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn open(dir: &Path, name: &str) -> rusqlite::Connection {
    let db = rusqlite::Connection::open(dir.join(name)).unwrap();
    db.busy_timeout(Duration::from_secs(20)).unwrap();
    db
}

impl Town {
    /// Empty destinations; a shop with so many orders, a desk with some tickets.
    pub fn new(orders: usize, feed: &str, seed: u64) -> Town {
        let settings = ["wal_level=logical", "fsync=off"];
        let server = Arc::new(Server::start(&settings));
        let town = Town {
            dir: tempfile::tempdir().unwrap(),
            desk: Database::on(Arc::clone(&server)),
            mirror: Database::on(server),
            receiver: Receiver::start(seed),
            orders,
            next: AtomicU64::new(0),
            changes: AtomicU64::new(1),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            seed,
        };
        let policy = POLICY.replace("FEED", feed);
        std::fs::write(town.path().join("policy.sync"), policy).unwrap();
        town.fill();
        town
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn fill(&self) {
        let tables = [
            (
                "crm.db",
                "contacts (email TEXT PRIMARY KEY, name TEXT, seq INTEGER)",
            ),
            (
                "warehouse.db",
                "orders (id TEXT PRIMARY KEY, total INTEGER, seq INTEGER)",
            ),
            (
                "shop.db",
                "orders (id TEXT PRIMARY KEY, total INTEGER, seq INTEGER, at TEXT)",
            ),
        ];
        for (db, table) in tables {
            let sql = format!("CREATE TABLE {table}");
            open(self.path(), db).execute_batch(&sql).unwrap();
        }
        let shop = open(self.path(), "shop.db");
        shop.execute_batch("BEGIN").unwrap();
        for n in 0..self.orders {
            let sql = "INSERT INTO orders VALUES (?1, ?2, ?3, '2026-01-01T00:00:00Z')";
            let row = (format!("o{n:05}"), n as i64, n as i64);
            shop.execute(sql, row).unwrap();
        }
        shop.execute_batch("COMMIT").unwrap();
        self.desk.run(&format!(
            "CREATE TABLE tickets (id text PRIMARY KEY, state text);
             INSERT INTO tickets SELECT 't' || n, 'new' FROM generate_series(1, {TICKETS}) n;"
        ));
        self.mirror.run(
            "CREATE TABLE contacts (email text PRIMARY KEY, name text);
             CREATE TABLE orders (id text PRIMARY KEY, total bigint);
             CREATE TABLE tickets (id text PRIMARY KEY, state text);
             CREATE TABLE effects (seq bigserial, email text, name text);
             CREATE FUNCTION account() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN INSERT INTO effects (email, name) VALUES (NEW.email, NEW.name); RETURN NEW; END $$;
             CREATE TRIGGER account AFTER INSERT OR UPDATE ON contacts
               FOR EACH ROW EXECUTE FUNCTION account();",
        );
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command
            .env("KEY", SECRET)
            .env("TRACKER_URL", &self.receiver.url)
            .env("DESK_URL", self.desk.url())
            .env("MIRROR_URL", self.mirror.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    /// Starts a runner, which dies at a place for the how-manieth time where one is named. `None`:
    /// it died before it listened.
    pub fn start(&self, dies_at: Option<(&str, u64)>) -> Result<Runner, ExitStatus> {
        let mut command = self.command();
        command.args(["run", "--listen", "127.0.0.1:0"]);
        command.arg(self.path()).stderr(Stdio::piped());
        if let Some((name, times)) = dies_at {
            command.env("SYNCLINE_FAILPOINT", format!("{name}:{times}"));
        }
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = Vec::new();
        loop {
            let Some(Ok(line)) = lines.next() else {
                let ended = child.wait().unwrap();
                assert!(dies_at.is_some(), "the runner ended: {ended}: {said:?}");
                return Err(ended);
            };
            if let Some((_, address)) = line.split_once("http://") {
                let address = address.trim().to_owned();
                let said = Arc::new(Mutex::new(said));
                let says = Arc::clone(&said);
                std::thread::spawn(move || {
                    for line in lines.map_while(Result::ok) {
                        says.lock().unwrap().push(line);
                    }
                });
                return Ok(Runner {
                    child,
                    address,
                    said,
                });
            }
            said.push(line);
        }
    }

    /// Has the whole set of the orders, or of the tickets, read anew.
    fn backfill(&self, scenario: &str) -> bool {
        let asked = self
            .command()
            .args(["backfill", scenario, "--store"])
            .arg(self.path().join(".syncline.db"))
            .output()
            .unwrap();
        asked.status.success()
    }

    /// Changes some orders and some tickets.
    fn change(&self) {
        let n = self.changes.fetch_add(1, Ordering::SeqCst);
        let mut random = self.random.lock().unwrap();
        let shop = open(self.path(), "shop.db");
        for _ in 0..5 {
            let id = format!("o{:05}", random.usize(0..self.orders));
            let at = chrono::DateTime::from_timestamp(1_767_225_600 + n as i64, 0).unwrap();
            let sql = "UPDATE orders SET total = total + 1, seq = ?2, at = ?3 WHERE id = ?1";
            let seq = self.orders as u64 + n;
            shop.execute(sql, (id, seq as i64, at.to_rfc3339()))
                .unwrap();
        }
        let ticket = random.usize(1..=TICKETS);
        self.desk.run(&match random.u8(0..4) {
            0 => format!("DELETE FROM tickets WHERE id = 't{ticket}'"),
            _ => format!(
                "INSERT INTO tickets VALUES ('t{ticket}', 'state {n}')
                 ON CONFLICT (id) DO UPDATE SET state = excluded.state"
            ),
        });
    }

    /// Load of every kind while a runner is up: `until` says when it is enough, and ends it.
    pub fn load(&self, runner: Runner, until: impl FnOnce(Runner)) {
        let stop = AtomicBool::new(false);
        let address = runner.address.clone();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let n = self.next.load(Ordering::SeqCst);
                    let event = event(n);
                    if !sender::deliver(&address, &event.id, &event.body) {
                        // As senders do: after a while, by the same id.
                        std::thread::sleep(Duration::from_millis(20));
                        continue;
                    }
                    self.next.store(n + 1, Ordering::SeqCst);
                    // What comes without a break goes before what runs write, and newer states of a
                    // record take the place of one that is refused.
                    std::thread::sleep(Duration::from_millis(10));
                }
            });
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    self.change();
                    std::thread::sleep(Duration::from_millis(15));
                }
            });
            scope.spawn(|| {
                for scenario in ["nightly", "pulse"].iter().cycle() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    self.backfill(scenario);
                    std::thread::sleep(Duration::from_millis(30));
                }
            });
            // Also where it fails.
            let _over = Over(&stop);
            until(runner);
        });
    }

    /// Whether the runner that was killed last left a run open.
    pub fn left_a_run(&self) -> bool {
        let store = open(self.path(), ".syncline.db");
        let sql = "SELECT count(*) FROM runs WHERE ended_at IS NULL";
        store.query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap() > 0
    }

    /// Starts a runner once more and waits until every system holds what it should; then sees that
    /// no effect came twice. Gives what happened in all, in words.
    pub fn settle(&self) -> String {
        let runner = self.start(None).expect("it is not to die");
        let since = Instant::now();
        assert!(self.backfill("nightly"));
        while let Some(differs) = self.differs() {
            assert!(
                since.elapsed() < Duration::from_secs(120),
                "seed {}: {differs}",
                self.seed
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        drop(runner);
        self.no_effect_twice();
        format!(
            "{} events acknowledged, {}, {} effects in PostgreSQL, {} changes of orders and tickets",
            self.next.load(Ordering::SeqCst),
            self.receiver.told(),
            self.mirror.one("SELECT count(*) FROM effects"),
            self.changes.load(Ordering::SeqCst),
        )
    }

    /// The first system that does not hold what it should, if there is one.
    fn differs(&self) -> Option<String> {
        let sent = self.next.load(Ordering::SeqCst);
        let mut expected = BTreeMap::new();
        for n in 0..sent {
            let event = event(n);
            expected.insert(event.email, event.name);
        }
        // The last event, which was not acknowledged, may have been stored all the same.
        let unsure = event(sent);
        let mut also = expected.clone();
        also.insert(unsure.email, unsure.name);
        let crm = rows(self.path(), "crm.db", "SELECT email, name FROM contacts");
        let told = |all: &BTreeMap<String, String>| {
            let mut told = all.clone();
            told.remove(REFUSED);
            told
        };
        let state = [expected, also].into_iter().find(|state| *state == crm);
        let Some(state) = state else {
            return Some("crm lacks an event that was acknowledged".to_owned());
        };
        if table(&self.mirror, "SELECT email, name FROM contacts") != state {
            return Some("mirror lacks an event that was acknowledged".to_owned());
        }
        if self.receiver.last() != told(&state) {
            return Some("tracker lacks an event that was acknowledged".to_owned());
        }
        let orders = "SELECT id, CAST(total AS TEXT) FROM orders";
        let wanted = rows(self.path(), "shop.db", orders);
        if rows(self.path(), "warehouse.db", orders) != wanted {
            return Some("warehouse is not what shop is".to_owned());
        }
        if table(&self.mirror, orders) != wanted {
            return Some("mirror has other orders than shop".to_owned());
        }
        if sheet(self.path()) != wanted {
            return Some("sheet is not what shop is".to_owned());
        }
        let tickets = "SELECT id, state FROM tickets";
        let (mirror, desk) = (table(&self.mirror, tickets), table(&self.desk, tickets));
        if mirror != desk {
            let apart = |a: &BTreeMap<String, String>, b: &BTreeMap<String, String>| {
                let apart = a.iter().filter(|(id, state)| b.get(*id) != Some(state));
                let apart = apart.map(|(id, state)| format!("{id}: {state}"));
                apart.take(5).collect::<Vec<_>>().join(", ")
            };
            return Some(format!(
                "mirror has other tickets than desk: {} rather than {}",
                apart(&mirror, &desk),
                apart(&desk, &mirror)
            ));
        }
        let store = open(self.path(), ".syncline.db");
        let sql = "SELECT count(*) FROM dead_letters";
        let letters: i64 = store.query_row(sql, [], |r| r.get(0)).unwrap();
        let refused = i64::from(state.contains_key(REFUSED));
        (letters != refused).then(|| format!("{letters} dead letters, {refused} records refused"))
    }

    fn no_effect_twice(&self) {
        let mut effects = self.receiver.effects();
        let sql =
            "SELECT email, string_agg(name, chr(10) ORDER BY seq) FROM effects GROUP BY email";
        for (email, names) in table(&self.mirror, sql) {
            let names = names.lines().map(str::to_owned).collect();
            effects.insert(format!("{email} in mirror"), names);
        }
        for (email, names) in &effects {
            let mut once = names.clone();
            once.sort();
            once.dedup();
            let seed = self.seed;
            let twice = once.len() != names.len();
            assert!(
                !twice,
                "seed {seed}: {email} had an effect twice: {names:?}"
            );
        }
    }
}

struct Event {
    id: String,
    email: String,
    name: String,
    body: String,
}

/// The n-th event: one of a few people gets a new name, later than all before.
fn event(n: u64) -> Event {
    let email = match n % 13 {
        12 => REFUSED.to_owned(),
        _ => format!("p{}@example.com", n * 7 % PEOPLE),
    };
    let name = format!("name {n}");
    let at = chrono::DateTime::from_timestamp(1_767_225_600 + n as i64, 0).unwrap();
    let data = serde_json::json!({ "email": email, "name": name, "at": at.to_rfc3339() });
    let body = serde_json::json!({ "type": "submitted", "data": data }).to_string();
    Event {
        id: format!("evt_{n}"),
        email,
        name,
        body,
    }
}

fn rows(dir: &Path, db: &str, sql: &str) -> BTreeMap<String, String> {
    let db = open(dir, db);
    let mut query = db.prepare(sql).unwrap();
    let rows = query
        .query_map([], |r| Ok((r.get(0)?, r.get::<_, String>(1)?)))
        .unwrap();
    rows.map(Result::unwrap).collect()
}

fn table(database: &Database, sql: &str) -> BTreeMap<String, String> {
    let rows = database.client().query(sql, &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn sheet(dir: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(dir.join("sheet.csv")).unwrap_or_default();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let headers = reader.headers().unwrap().clone();
    let at = |name: &str| headers.iter().position(|h| h == name);
    let (Some(id), Some(total)) = (at("id"), at("total")) else {
        return BTreeMap::new();
    };
    let rows = reader.records().map(Result::unwrap);
    rows.map(|r| (r[id].to_owned(), r[total].to_owned()))
        .collect()
}
