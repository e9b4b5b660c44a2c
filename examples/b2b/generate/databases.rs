//! The three databases: the CRM, the mail platform, the product.

use std::path::Path;

use rusqlite::{Connection, Result, params};

use super::names::{CAMPAIGNS, TOPICS};
use super::people::{Flaw, Person, World, iso, sql_time};
use super::random::Random;

const CRM_STATUS: &[&str] = &["Open", "Working", "Qualified", "Customer", "Closed - Lost"];
const MAILER_STAGE: &[&str] = &["new", "engaged", "sales_ready", "customer", "dormant"];
const PLANS: &[(&str, &str)] = &[
    ("trial", "0.00"),
    ("starter", "49.00"),
    ("team", "249.50"),
    ("business", "1200.00"),
];
const STANDINGS: &[&str] = &["trialing", "active", "active", "past_due", "cancelled"];

const CRM: &str = "
CREATE TABLE contacts (
  id            INTEGER PRIMARY KEY,
  email         TEXT COLLATE NOCASE,
  first_name    TEXT,
  last_name     TEXT,
  company       TEXT,
  phone         TEXT,
  country       TEXT,
  interests     TEXT,
  status        TEXT NOT NULL DEFAULT 'Open',
  has_opted_out INTEGER NOT NULL DEFAULT 0,
  lead_score    INTEGER,
  first_touch   TEXT,
  last_seen_at  TEXT,
  workspace_id  TEXT,
  sales_rep     TEXT,
  -- When a person last edited the row; what comes by interface does not count.
  edited_at     TEXT NOT NULL DEFAULT '1970-01-01 00:00:00',
  revision      INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX contacts_email ON contacts (email);
CREATE INDEX contacts_revision ON contacts (revision);
CREATE TABLE accounts (
  domain        TEXT PRIMARY KEY,
  name          TEXT,
  industry      TEXT,
  employees     INTEGER,
  edited_at     TEXT NOT NULL,
  revision      INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE subscriptions (
  workspace_id  TEXT PRIMARY KEY,
  plan          TEXT,
  standing      TEXT,
  seats         INTEGER,
  mrr           TEXT
);
";

const MAILER: &str = "
CREATE TABLE subscribers (
  id             INTEGER PRIMARY KEY,
  address        TEXT NOT NULL UNIQUE,
  given_name     TEXT,
  family_name    TEXT,
  full_name      TEXT,
  topics         TEXT,
  stage          TEXT,
  unsubscribed   INTEGER NOT NULL DEFAULT 0,
  score          INTEGER,
  last_opened_at TEXT,
  list           TEXT NOT NULL DEFAULT 'crm',
  edited_at      TEXT NOT NULL DEFAULT '1970-01-01T00:00:00Z',
  revision       INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX subscribers_revision ON subscribers (revision);
";

const PRODUCT: &str = "
CREATE TABLE users (
  id                INTEGER PRIMARY KEY,
  email             TEXT NOT NULL UNIQUE,
  first_name        TEXT,
  last_name         TEXT,
  workspace_id      TEXT NOT NULL,
  last_login_at     TEXT,
  marketing_opt_out INTEGER NOT NULL DEFAULT 0,
  updated_at        TEXT NOT NULL
);
CREATE INDEX users_updated ON users (updated_at);
CREATE TABLE workspaces (
  id          TEXT PRIMARY KEY,
  plan        TEXT NOT NULL,
  status      TEXT NOT NULL,
  seats       INTEGER NOT NULL,
  mrr         TEXT NOT NULL,
  updated_at  TEXT NOT NULL,
  deleted_at  TEXT
);
CREATE INDEX workspaces_updated ON workspaces (updated_at);
";

/// Every change of a row gets the next number, as row versions do.
fn revisions(tables: &[&str]) -> String {
    let mut sql = String::from(
        "CREATE TABLE counter (n INTEGER NOT NULL); INSERT INTO counter VALUES (0);\n",
    );
    for table in tables {
        for (name, what) in [("inserted", "INSERT"), ("updated", "UPDATE")] {
            // Only what others change counts, not the numbering itself.
            let when = match what {
                "UPDATE" => "WHEN NEW.revision = OLD.revision ",
                _ => "",
            };
            sql.push_str(&format!(
                "CREATE TRIGGER {table}_{name} AFTER {what} ON {table} {when}BEGIN\n  \
                 UPDATE counter SET n = n + 1;\n  \
                 UPDATE {table} SET revision = (SELECT n FROM counter) WHERE rowid = NEW.rowid;\n\
                 END;\n"
            ));
        }
    }
    sql
}

fn create(path: &Path, schema: &str) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA synchronous = OFF; BEGIN")?;
    connection.execute_batch(schema)?;
    Ok(connection)
}

/// The CRM: one row a person, and what years of imports have added to that.
pub fn crm(path: &Path, world: &mut World, random: &mut Random) -> Result<()> {
    let db = create(path, CRM)?;
    db.execute_batch(&revisions(&["contacts", "accounts"]))?;
    let mut order: Vec<(i64, usize)> = Vec::new();
    for (n, person) in world.people.iter().enumerate() {
        if !person.in_crm {
            continue;
        }
        let copies = match person.flaw {
            None if random.permille(50) => 1 + random.below(2),
            _ => 0,
        };
        order.extend((0..=copies).map(|_| (random.next() as i64, n)));
    }
    order.sort_unstable();
    for (id, (_, n)) in order.iter().enumerate() {
        let company = world.companies[world.people[*n].company].name.clone();
        contact(&db, id as i64 + 1, &mut world.people[*n], &company, random)?;
    }
    accounts(&db, world, random)?;
    stale_subscriptions(&db, world, random)?;
    db.execute_batch("COMMIT")
}

fn contact(
    db: &Connection,
    id: i64,
    person: &mut Person,
    company: &str,
    random: &mut Random,
) -> Result<()> {
    // What was imported long ago and never touched again has the gaps.
    let old = random.permille(350);
    let at = match old {
        true => person.old_moment(random),
        false => person.moment(random),
    };
    let mut gap = |share: usize| old && random.permille(share);
    let (no_first, no_last) = (gap(150), gap(100));
    let (no_company, no_phone) = (gap(200), gap(500));
    let blank_last = gap(50);
    let email = match person.flaw {
        Some(Flaw::Address) => Some(person.email.clone()),
        Some(Flaw::NoAddress) => random.permille(500).then(String::new),
        _ => Some(person.typed(random)),
    };
    let first = match person.flaw {
        Some(Flaw::Name) => Some(person.first.repeat(30)),
        _ => (!no_first).then(|| person.first.to_owned()),
    };
    let last = match (blank_last, no_last) {
        (true, _) => Some(""),
        (_, true) => None,
        _ => Some(person.last),
    };
    let status = match person.flaw {
        Some(Flaw::Status) => "Recycled??",
        // Systems agree on most people, not on all.
        _ if random.permille(930) => CRM_STATUS[person.status],
        _ => random.pick(CRM_STATUS),
    };
    let edited_at = match person.flaw {
        Some(Flaw::Time) => "last Tuesday".to_owned(),
        _ => sql_time(at),
    };
    let phone = format!(
        "+{} {:04} {:05}",
        30 + random.below(60),
        random.below(10_000),
        random.below(100_000)
    );
    let interests = random.permille(300).then(|| topics(random));
    let touched = random
        .permille(250)
        .then(|| random.pick(CAMPAIGNS).to_string());
    let seen = random
        .permille(200)
        .then(|| iso(at - random.within(1, 900_000)));
    let opted_out = random.permille(60);
    let score = random.permille(300).then(|| random.below(101) as i64);
    let rep = format!("rep{}", 1 + random.below(12));
    db.prepare_cached(
        "INSERT INTO contacts (id, email, first_name, last_name, company, phone, country, \
         interests, status, has_opted_out, lead_score, first_touch, last_seen_at, sales_rep, \
         edited_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        id,
        email,
        first,
        last,
        (!no_company).then_some(company),
        (!no_phone).then_some(phone),
        person.country,
        interests,
        status,
        opted_out,
        score,
        touched,
        seen,
        rep,
        edited_at
    ])?;
    Ok(())
}

/// A JSON array of topics, in no order and with repeats, as it grew.
pub fn topics(random: &mut Random) -> String {
    let topics: Vec<String> = (0..1 + random.below(3))
        .map(|_| format!("\"{}\"", random.pick(TOPICS)))
        .collect();
    format!("[{}]", topics.join(", "))
}

fn accounts(db: &Connection, world: &World, random: &mut Random) -> Result<()> {
    let mut insert = db.prepare(
        "INSERT INTO accounts (domain, name, industry, employees, edited_at) \
         VALUES (?1, ?2, ?3, ?4, '2026-09-30 12:00:00')",
    )?;
    for company in &world.companies {
        let employees = random.permille(850).then(|| random.within(3, 20_000));
        insert.execute(params![
            company.domain,
            company.name,
            random.permille(900).then_some(company.industry),
            employees
        ])?;
    }
    Ok(())
}

/// What the CRM still believes of the workspaces.
fn stale_subscriptions(db: &Connection, world: &World, random: &mut Random) -> Result<()> {
    let mut insert = db.prepare("INSERT INTO subscriptions VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for workspace in world.companies.iter().filter_map(|c| c.workspace.as_ref()) {
        if random.permille(800) {
            let (plan, mrr) = random.pick(PLANS);
            let seats = random.within(1, 80);
            insert.execute(params![workspace, plan, random.pick(STANDINGS), seats, mrr])?;
        }
    }
    Ok(())
}

/// The mail platform: those whom the CRM gave it long ago, and those who came by themselves.
pub fn mailer(path: &Path, world: &mut World, random: &mut Random) -> Result<()> {
    let db = create(path, MAILER)?;
    db.execute_batch(&revisions(&["subscribers"]))?;
    let mut insert = db.prepare(
        "INSERT INTO subscribers (address, given_name, family_name, stage, unsubscribed, \
         last_opened_at, list, edited_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for person in world.people.iter_mut().filter(|p| p.in_mailer) {
        let at = person.moment(random);
        let stage = match random.permille(900) {
            true => MAILER_STAGE[person.status],
            false => random.pick(MAILER_STAGE),
        };
        // Some have married, some never liked how the CRM spells them.
        let last = match random.permille(30) {
            true => format!("{}-{}", person.last, person.last),
            false => person.last.to_owned(),
        };
        let opened = random
            .permille(700)
            .then(|| iso(at - random.within(0, 2_000_000)));
        insert.execute(params![
            person.typed(random),
            person.first,
            last,
            stage,
            random.permille(90),
            opened,
            if person.in_crm { "crm" } else { "newsletter" },
            iso(at)
        ])?;
    }
    drop(insert);
    db.execute_batch("COMMIT")
}

/// The product: its users and what their workspaces pay.
pub fn product(path: &Path, world: &mut World, random: &mut Random) -> Result<()> {
    let db = create(path, PRODUCT)?;
    let mut insert = db.prepare(
        "INSERT INTO users (email, first_name, last_name, workspace_id, last_login_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let companies = &world.companies;
    for person in world.people.iter_mut().filter(|p| p.in_product) {
        let at = person.moment(random);
        let login = random
            .permille(900)
            .then(|| iso(at - random.within(0, 500_000)));
        let workspace = companies[person.company].workspace.as_deref();
        insert.execute(params![
            person.typed(random),
            person.first,
            person.last,
            workspace,
            login,
            iso(at)
        ])?;
    }
    drop(insert);
    let mut insert = db.prepare("INSERT INTO workspaces VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for workspace in companies.iter().filter_map(|c| c.workspace.as_ref()) {
        let (plan, mrr) = random.pick(PLANS);
        // 12:00:00 and later seconds are left to the events, so that no two change at one time.
        let at = 1_790_812_800 + random.within(0, 27) * 86_400 + random.within(0, 43_199);
        let deleted = random.permille(20).then(|| iso(at));
        let seats = random.within(1, 80);
        insert.execute(params![
            workspace,
            plan,
            random.pick(STANDINGS),
            seats,
            mrr,
            iso(at),
            deleted
        ])?;
    }
    drop(insert);
    db.execute_batch("COMMIT")
}
