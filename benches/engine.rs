//! Time of a first full load through the engine alone: records of six fields over one route, a
//! world that answers at once, a store in memory. Prints records a second, with and without what
//! the store itself takes.

use std::time::{Duration, Instant as Clock};

use syncline::catalog::Catalog;
use syncline::engine::ports::*;
use syncline::engine::program::Program;
use syncline::engine::runner::{Observer, Options, Progress, Runner};
use syncline::model::{self, Input, OwnConnectors};
use syncline::plan::Keep;
use syncline::store::MemoryStore;
use syncline::syntax;
use syncline::terms::Priority;
use syncline::text::{SourceFile, Sources};
use syncline::time::{Instant, Millis};
use syncline::value::Value;

const POLICY: &str = r#"
policy p { }
system a { connector sqlite option path = "a.db" }
system b { connector sqlite option path = "b.db" }
entity contact {
  key id
  owner a
  field id: text
  field city: text?
  field email: text?
  field name: text?
  field out: bool?
  field score: int?
  field stage: text?
}
map contact in a { same_names key id = "id" cursor "seq" changed_at "at" }
map contact in b { same_names key id = "id" cursor "seq" changed_at "at" }
scenario s { sync contact(city, email, name, out, score, stage) from a to b mode hourly }
"#;

struct Swift {
    answers: Vec<(u64, Answer)>,
    count: u64,
    page: u64,
    written: u64,
}

fn row(i: u64) -> Row {
    let text = |t: String| Value::Text(t.into());
    Row {
        key: format!("k{i:08}").into(),
        native_key: None,
        locator: None,
        fields: vec![
            (0, text(format!("city {}", i % 97))),
            (1, text(format!("person{i}@example.com"))),
            (3, text(format!("Person Number {i}"))),
            (4, Value::Bool(i.is_multiple_of(3))),
            (5, Value::Int(i as i64 % 100)),
            (6, text("working".into())),
        ],
        changed_at: Some(1_767_000_000_000_000 + i as i64),
        deleted: false,
        problem: None,
        raw: None,
    }
}

impl World for Swift {
    fn now(&self) -> Instant {
        Instant(1_767_571_200_000)
    }
    fn call(&mut self, ticket: u64, _: SystemIx, call: Call) {
        let answer = match call {
            Call::Read(request) => {
                let from: u64 = request.page.map_or(0, |p| p.parse().unwrap());
                let to = (from + self.page).min(self.count);
                Answer::Page(Page {
                    rows: (from..to).map(row).collect(),
                    next: (to < self.count).then(|| to.to_string()),
                    cursor: Some(to.to_string()),
                })
            }
            Call::Write(request) => {
                self.written += request.writes.len() as u64;
                let report = WriteReport {
                    rejected: Vec::new(),
                    calls: 1,
                };
                Answer::Written(request, report)
            }
            Call::Events(position) => Answer::Events(EventPage {
                position,
                ..EventPage::default()
            }),
        };
        self.answers.push((ticket, answer));
    }
    fn wait(&mut self, _: Instant) -> Option<(u64, Answer)> {
        (!self.answers.is_empty()).then(|| self.answers.remove(0))
    }
    fn random(&mut self) -> f64 {
        0.5
    }
    fn stopping(&self) -> bool {
        false
    }
}

struct Nobody;

impl Observer for Nobody {
    fn progress(&mut self, _: &Progress<'_>) {}
}

impl Decoder for Nobody {
    fn decode(&self, _: &StoredEvent) -> Result<Decoded, String> {
        Err("there are no events".into())
    }
}

/// The store in memory with the time that its calls take.
struct Timed {
    store: MemoryStore,
    spent: Duration,
}

macro_rules! timed {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        impl Store for Timed {
            $(fn $name(&mut self, $($arg: $ty),*) -> Stored<$out> {
                let begun = Clock::now();
                let out = self.store.$name($($arg),*);
                self.spent += begun.elapsed();
                out
            })*
        }
    };
}

timed! {
    begin() -> ();
    commit() -> ();
    rollback() -> ();
    meta(key: &str) -> Option<String>;
    set_meta(key: &str, value: &str) -> ();
    meta_with_prefix(prefix: &str) -> Vec<(String, String)>;
    append_events(system: &str, events: &[RawEvent], now: Instant) -> Vec<bool>;
    pending_events(limit: usize) -> Vec<StoredEvent>;
    events_done(seq: i64) -> ();
    forget_event_ids(before: Instant) -> ();
    record(entity: &str, key: &str) -> Option<String>;
    put_record(entity: &str, key: &str, doc: &str) -> ();
    records_after(entity: &str, after: Option<&str>, limit: usize) -> Vec<StoredRecord>;
    waiting(system: &str, entity: &str, key: &str) -> Option<Waiting>;
    put_waiting(waiting: &Waiting) -> ();
    take_waiting(system: &str, entity: &str, key: &str, version: u64, scenario: Option<&str>) -> bool;
    due_waiting(system: &str, priority: Priority, now: Instant, limit: usize) -> Vec<Waiting>;
    next_due(system: &str, priority: Priority, after: Option<Instant>) -> Option<Instant>;
    waiting_since(system: &str) -> Option<Instant>;
    hold_waiting(scenario: &str, due: Option<Instant>) -> ();
    bring_forward(by: Millis) -> ();
    waiting_counts() -> Vec<(String, u64)>;
    put_dead_letter(letter: &DeadLetter) -> i64;
    dead_letters() -> Vec<DeadLetter>;
    clear_dead_letter(system: &str, entity: &str, key: &str) -> ();
    open_run(run: &RunRecord) -> i64;
    put_run(run: &RunRecord) -> ();
    runs(scenario: Option<&str>, limit: usize) -> Vec<RunRecord>;
    open_runs() -> Vec<RunRecord>;
    stage_open(run: i64) -> ();
    stage_put(run: i64, rows: Vec<Staged>) -> ();
    stage_len(run: i64) -> u64;
    stage_drop_duplicates(run: i64, keep: Keep, owner: Option<SystemIx>) -> u64;
    stage_after(run: i64, after: Option<&str>, limit: usize) -> Vec<Staged>;
    stage_drop(run: i64) -> ();
    put_quarantined(records: &[Quarantined]) -> ();
    quarantined(run: i64, limit: usize) -> Vec<Quarantined>;
    put_conflict(conflict: &Conflict) -> ();
    clear_conflict(entity: &str, key: &str, field: &str) -> ();
    conflicts() -> Vec<Conflict>;
    put_owed(scenario: &str, entity: &str, key: &str) -> ();
    owed(scenario: &str) -> Vec<(String, String)>;
    clear_owed(scenario: &str) -> ();
}

fn program() -> Program {
    let mut sources = Sources::default();
    let id = sources.add(SourceFile::new("policy.sync", POLICY));
    let (file, _) = syntax::parse(&sources, id);
    let own = OwnConnectors::new();
    let (policy, _) = model::lower(&Input {
        sources: &sources,
        files: &[file],
        unread: false,
        catalog: Catalog::builtin(),
        own: &own,
        now: chrono::NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(),
    });
    Program::new(syncline::plan::compile(&sources, &policy).unwrap()).unwrap()
}

fn load(program: &Program, store: &mut Timed, count: u64) -> (Duration, u64) {
    let mut world = Swift {
        answers: Vec::new(),
        count,
        page: 10_000,
        written: 0,
    };
    let options = Options {
        until_idle: true,
        ..Options::default()
    };
    let (mut observer, decoder) = (Nobody, Nobody);
    let made = Clock::now();
    (0..count).map(row).for_each(drop);
    let made = made.elapsed();
    store.spent = Duration::ZERO;
    let begun = Clock::now();
    let mut runner =
        Runner::new(program, store, &mut world, &decoder, &mut observer, options).unwrap();
    runner.run().unwrap();
    (begun.elapsed().saturating_sub(made), world.written)
}

fn main() {
    let count = 300_000u64;
    let program = program();
    for round in 0..3 {
        let store = MemoryStore::new();
        let mut store = Timed {
            store,
            spent: Duration::ZERO,
        };
        for what in ["first load", "again"] {
            let (took, written) = load(&program, &mut store, count);
            let own = took.saturating_sub(store.spent);
            println!(
                "{round} {what}: {written} written, {:.0} records/s in all, {:.0} records/s of the engine's own",
                count as f64 / took.as_secs_f64(),
                count as f64 / own.as_secs_f64(),
            );
        }
    }
}
