//! The program itself between files and databases: batches, changes as they happen, kills.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::server::{Database, Server};

const POLICY: &str = r#"
policy whole { }

system files {
  connector csv
  option path = "contacts.csv"
}

system crm {
  connector postgres
  secret url = env("CRM_URL")
  option events = "trigger"
}

system warehouse {
  connector postgres
  secret url = env("WAREHOUSE_URL")
}

entity contact {
  key     email
  owner   files
  accepts none
  resolve owner_wins
  field email:   email
  field name:    text?
  field age:     int?
  field balance: decimal(12, 2)?
  field phase:   text?  owner crm
}

map contact in files     { key email = "email" field name = "name" field age = "age" field balance = "balance" }
map contact in crm "contacts" { same_names cursor "updated_at" changed_at "updated_at" }
map contact in warehouse "contacts" { same_names }

scenario load {
  sync contact(name, age, balance) from files to crm
  mode every 24h
  scan full
}

scenario phases {
  sync contact(phase) from crm to warehouse
  mode realtime
}
"#;

const CRM: &str = "CREATE TABLE contacts (email text PRIMARY KEY, name text, age bigint, \
    balance numeric(12,2), phase text, updated_at timestamptz NOT NULL DEFAULT now())";
const WAREHOUSE: &str = "CREATE TABLE contacts (email text PRIMARY KEY, name text, age bigint, \
    balance numeric(12,2), phase text)";

struct House {
    dir: tempfile::TempDir,
    crm: Database,
    warehouse: Database,
}

impl House {
    fn new(rows: usize) -> House {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("policy.sync"), POLICY).unwrap();
        let mut csv = String::from("email,name,age,balance\n");
        for i in 0..rows {
            csv.push_str(&format!(
                "p{i}@x.example,\"Name, {i}\",{},{}.{:02}\n",
                i % 90,
                i,
                i % 100
            ));
        }
        std::fs::write(dir.path().join("contacts.csv"), csv).unwrap();
        let (crm, warehouse) = (Database::new(), Database::new());
        crm.run(CRM);
        warehouse.run(WAREHOUSE);
        House {
            dir,
            crm,
            warehouse,
        }
    }

    fn syncline(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("CRM_URL", self.crm.url())
            .env("WAREHOUSE_URL", self.warehouse.url())
            .stdin(Stdio::null());
        command
    }

    fn ran(&self, args: &[&str]) -> String {
        let output = self.syncline(args).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {text}\n{errors}");
        text
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_file_becomes_a_table_and_a_second_run_writes_nothing() {
    let house = House::new(5_000);
    house.ran(&["run", "--until-idle"]);
    let sums = "SELECT count(*) || ' ' || sum(age) || ' ' || sum(balance) || ' ' || min(name) FROM contacts";
    let ages: u64 = (0..5_000).map(|i| i % 90).sum();
    let balances: u64 = (0..5_000u64).map(|i| i * 100 + i % 100).sum();
    let wanted = format!(
        "5000 {ages} {}.{:02} Name, 0",
        balances / 100,
        balances % 100
    );
    assert_eq!(house.crm.one(sums), wanted);
    let versions = "SELECT md5(string_agg(xmin::text, ',' ORDER BY email)) FROM contacts";
    let before = house.crm.one(versions);
    house.ran(&["run", "--until-idle"]);
    assert_eq!(house.crm.one(versions), before);
}

#[test]
fn a_killed_load_ends_where_it_should() {
    let house = House::new(20_000);
    for round in 0..8 {
        let mut child = house
            .syncline(&["run", "--until-idle"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(60 + 90 * round));
        let _ = child.kill();
        let _ = child.wait();
    }
    house.ran(&["run", "--until-idle"]);
    assert_eq!(
        house
            .crm
            .one("SELECT count(*) || ' ' || count(DISTINCT name) FROM contacts"),
        "20000 20000"
    );
}

/// A runner that is killed when the test is done with it.
struct Live(Child);

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_change_in_one_database_reaches_the_other_though_the_runner_is_killed() {
    let house = House::new(3);
    let live = || {
        let child = house.syncline(&["run", "--only", "phases"]);
        let mut child = child;
        Live(
            child
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    };
    let first = live();
    until("the trigger is installed", || {
        house
            .crm
            .one("SELECT count(*) FROM pg_trigger WHERE tgname = 'syncline_whole_crm'")
            == "1"
    });
    house
        .crm
        .run("INSERT INTO contacts (email, phase) VALUES ('a@x.example', 'one')");
    until("the first change arrives", || {
        house
            .warehouse
            .one("SELECT count(*) FROM contacts WHERE phase = 'one'")
            == "1"
    });
    drop(first);
    // Nobody hears these when they are made.
    house
        .crm
        .run("UPDATE contacts SET phase = 'two', updated_at = now()");
    house
        .crm
        .run("UPDATE contacts SET phase = 'three', updated_at = now()");
    let _second = live();
    until("the last change arrives", || {
        house
            .warehouse
            .one("SELECT string_agg(phase, ',') FROM contacts")
            == "three"
    });
    until("nothing waits any more", || {
        house.crm.one("SELECT count(*) FROM syncline.changes") == "0"
    });
}

#[test]
fn what_follows_a_database_is_listed_and_removed_from_the_command_line() {
    let house = House::new(1);
    let listed = house.ran(&["events", "list"]);
    assert!(
        listed.contains("crm (syncline_whole_crm)\n  trigger: not installed"),
        "{listed}"
    );
    let sql = house.ran(&["events", "install", "--sql", "--system", "crm"]);
    house.crm.run(&sql);
    house
        .crm
        .run("INSERT INTO contacts (email) VALUES ('a@x.example')");
    let listed = house.ran(&["events", "list", "--system", "crm"]);
    assert!(
        listed.contains("trigger: on contacts; 1 changes wait"),
        "{listed}"
    );
    // What was installed by hand is what the runner would install.
    house.ran(&["events", "install", "--system", "crm"]);
    assert_eq!(
        house.ran(&["events", "remove", "--system", "crm"]),
        "crm: removed 1 triggers\n"
    );
    assert_eq!(
        house.ran(&["events", "remove", "--system", "crm"]),
        "crm: nothing was installed\n"
    );
    // Nothing was run yet, so no runner's store is made of it.
    assert!(!house.dir.path().join(".syncline.db").exists());
    let refused = house
        .syncline(&["events", "list", "--system", "files"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

/// A house whose `crm` is followed by its log.
fn followed_by_its_log() -> House {
    let mut house = House::new(1);
    house.crm = Database::on(Arc::new(Server::start(&["wal_level=logical"])));
    house.crm.run(CRM);
    let policy = POLICY.replace("events = \"trigger\"", "events = \"replication\"");
    std::fs::write(house.dir.path().join("policy.sync"), policy).unwrap();
    house
}

#[test]
fn a_slot_that_vanished_stops_its_feed_until_a_person_says_that_it_begins_anew() {
    let house = followed_by_its_log();
    let round = || {
        let run = ["run", "--until-idle", "--only", "phases"];
        let output = house.syncline(&run).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text + &String::from_utf8_lossy(&output.stderr)
    };
    round();
    let phase = |email: &str| {
        format!("INSERT INTO contacts (email, phase) VALUES ('{email}@x.example', 'one')")
    };
    house.crm.run(&phase("a"));
    round();
    let arrived = "SELECT string_agg(split_part(email, '@', 1), ' ' ORDER BY email) FROM contacts";
    assert_eq!(house.warehouse.one(arrived), "a");
    house
        .crm
        .run("SELECT pg_drop_replication_slot('syncline_whole_crm')");
    house.crm.run(&phase("missed"));
    for _ in 0..2 {
        let said = round();
        assert!(said.contains("changes are missing"), "{said}");
        assert!(said.contains("syncline events remove"), "{said}");
    }
    let said = house.ran(&["events", "remove", "--system", "crm"]);
    assert!(said.contains("what was taken is forgotten"), "{said}");
    let said = round();
    assert!(!said.contains("missing"), "{said}");
    house.crm.run(&phase("z"));
    round();
    assert_eq!(house.warehouse.one(arrived), "a z");
    house.ran(&["backfill", "phases"]);
    round();
    assert_eq!(house.warehouse.one(arrived), "a missed z");
}

#[test]
fn a_slot_that_nobody_takes_from_is_warned_of_in_plain_words() {
    let house = House::new(1);
    let settings = [
        "wal_level=logical",
        "max_slot_wal_keep_size=1MB",
        "max_wal_size=32MB",
    ];
    let crm = Database::on(Arc::new(Server::start(&settings)));
    crm.run(CRM);
    let house = House { crm, ..house };
    let policy = POLICY.replace("events = \"trigger\"", "events = \"replication\"");
    std::fs::write(house.dir.path().join("policy.sync"), policy).unwrap();
    house.ran(&["events", "install", "--system", "crm"]);
    let list = ["events", "list", "--system", "crm"];
    let listed = house.ran(&list);
    assert!(listed.contains("  slot: reserved; holds back "), "{listed}");
    assert!(!listed.contains("warning"), "{listed}");
    house.crm.run("CREATE TABLE noise (t text)");
    until("the server minds what the slot holds back", || {
        house.crm.run(
            "INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 20000); \
             SELECT pg_switch_wal(); CHECKPOINT",
        );
        let status = "SELECT wal_status FROM pg_replication_slots";
        house.crm.one(status) != "reserved"
    });
    let listed = house.ran(&list);
    let warning = "  warning: nobody takes what this slot tells, and the server's disk fills: \
         start the runner, or remove the slot with `syncline events remove`\n";
    assert!(listed.contains(warning), "{listed}");
}
