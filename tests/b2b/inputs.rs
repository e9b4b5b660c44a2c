//! The example's inputs as they stand in the files, before anything has run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use chrono::NaiveDateTime;
use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use serde_json::Value as Json;

/// A row by column; what is NULL or empty in a CSV file is missing.
pub type Row = BTreeMap<String, String>;

/// Seconds since 1970.
pub type Time = i64;

/// What somebody said when, with the id of the telling.
#[derive(Debug, Clone)]
pub struct Event {
    pub key: String,
    pub at: Time,
    pub id: String,
    pub name: String,
    pub data: Json,
}

/// Everything that there is.
pub struct Inputs {
    pub contacts: Vec<Row>,
    pub accounts: Vec<Row>,
    pub crm_subscriptions: Vec<Row>,
    pub subscribers: Vec<Row>,
    pub users: Vec<Row>,
    pub workspaces: Vec<Row>,
    pub forms: Feed,
    pub mail: Feed,
    pub product: Feed,
    pub webinars: Vec<Event>,
    /// Lines of the export that are no sign-up.
    pub webinars_refused: usize,
    pub webinars_repeated: usize,
    pub scores: BTreeMap<String, (Time, i64)>,
    pub scores_refused: usize,
    pub scores_repeated: usize,
}

/// A recorded feed.
pub struct Feed {
    /// Good events, each id once.
    pub events: Vec<Event>,
    /// Lines that are no JSON.
    pub cut: usize,
    /// Events without an address.
    pub nobody: usize,
    /// Events whose address is none.
    pub wrong: usize,
}

/// Reads the inputs from a data folder.
pub fn read(data: &Path) -> Inputs {
    let crm = data.join("crm.db");
    let (webinars, webinars_refused, webinars_repeated) =
        webinars(&data.join("feeds/webinars.jsonl"));
    let (scores, scores_refused, scores_repeated) = scores(&data.join("warehouse/lead_scores.csv"));
    Inputs {
        contacts: table(&crm, "contacts"),
        accounts: table(&crm, "accounts"),
        crm_subscriptions: table(&crm, "subscriptions"),
        subscribers: table(&data.join("mailer.db"), "subscribers"),
        users: table(&data.join("product.db"), "users"),
        workspaces: table(&data.join("product.db"), "workspaces"),
        forms: feed(&data.join("feeds/forms.jsonl"), "email"),
        mail: feed(&data.join("feeds/mail_events.jsonl"), "recipient"),
        product: feed(&data.join("feeds/product_events.jsonl"), "email"),
        webinars,
        webinars_refused,
        webinars_repeated,
        scores,
        scores_refused,
        scores_repeated,
    }
}

/// A table by rowid.
pub fn table(path: &Path, name: &str) -> Vec<Row> {
    let db = Connection::open(path).expect("a database");
    let mut select = db
        .prepare(&format!("SELECT * FROM {name} ORDER BY rowid"))
        .expect("a table");
    let names: Vec<String> = select.column_names().map(str::to_owned).collect();
    let mut rows = select.query([]).expect("rows");
    let mut out = Vec::new();
    while let Some(row) = rows.next().expect("a row") {
        let mut cells = Row::new();
        for (at, name) in names.iter().enumerate() {
            let cell = match row.get::<_, Sql>(at).expect("a cell") {
                Sql::Null => continue,
                Sql::Integer(i) => i.to_string(),
                Sql::Text(text) => text,
                other => panic!("{name} holds {other:?}"),
            };
            cells.insert(name.clone(), cell);
        }
        out.push(cells);
    }
    out
}

/// A CSV file in the order of its rows.
pub fn csv(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).expect("a CSV file");
    let header = reader.headers().expect("a header").clone();
    let rows = reader.records().map(|row| {
        let row = row.expect("a row");
        let cells = header.iter().zip(row.iter());
        cells
            .filter(|(_, cell)| !cell.is_empty())
            .map(|(name, cell)| (name.to_owned(), cell.to_owned()))
            .collect()
    });
    rows.collect()
}

/// An address as the policy knows it.
pub fn key(address: &str) -> String {
    address.trim().to_ascii_lowercase()
}

/// Whether an address is one: something, `@`, something with a dot inside, no spaces.
pub fn is_address(key: &str) -> bool {
    let Some((local, domain)) = key.split_once('@') else {
        return false;
    };
    let inner = domain.get(1..domain.len().saturating_sub(1)).unwrap_or("");
    !local.is_empty() && !key.contains(' ') && !domain.contains('@') && inner.contains('.')
}

/// An instant in either of the ways in which the inputs write it.
pub fn time(text: &str) -> Option<Time> {
    ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(|t| t.and_utc().timestamp())
}

fn feed(path: &Path, address: &str) -> Feed {
    let mut feed = Feed {
        events: Vec::new(),
        cut: 0,
        nobody: 0,
        wrong: 0,
    };
    let mut seen = BTreeSet::new();
    for line in fs::read_to_string(path).expect("a feed").lines() {
        let Ok(body) = serde_json::from_str::<Json>(line) else {
            feed.cut += 1;
            continue;
        };
        let text = |json: &Json| json.as_str().expect("text").to_owned();
        if !seen.insert(text(&body["id"])) {
            continue;
        }
        let data = body["data"].clone();
        let Some(typed) = data[address].as_str() else {
            feed.nobody += 1;
            continue;
        };
        let key = key(typed);
        if !is_address(&key) {
            feed.wrong += 1;
            continue;
        }
        let name = text(&body["type"]);
        feed.events.push(Event {
            key,
            at: time(data["at"].as_str().expect("a time")).expect("a time"),
            id: text(&body["id"]),
            name: name.rsplit('.').next().expect("a name").to_owned(),
            data,
        });
    }
    feed
}

/// Of several sign-ups of one person the newest counts.
fn webinars(path: &Path) -> (Vec<Event>, usize, usize) {
    let mut newest: BTreeMap<String, Event> = BTreeMap::new();
    let (mut refused, mut repeated) = (0, 0);
    for line in fs::read_to_string(path).expect("an export").lines() {
        let row = serde_json::from_str::<Json>(line).ok();
        let known = row.and_then(|data| {
            let key = key(data["email"].as_str()?);
            is_address(&key).then_some((key, data))
        });
        let Some((key, data)) = known else {
            refused += 1;
            continue;
        };
        let at = time(data["registered_at"].as_str().expect("a time")).expect("a time");
        let signup = Event {
            key: key.clone(),
            at,
            id: String::new(),
            name: String::new(),
            data,
        };
        let kept = newest.entry(key).or_insert_with(|| signup.clone());
        if kept.id.is_empty() {
            kept.id = "kept".into();
        } else {
            repeated += 1;
            if at >= kept.at {
                *kept = Event {
                    id: "kept".into(),
                    ..signup
                };
            }
        }
    }
    (newest.into_values().collect(), refused, repeated)
}

/// Of several scores of one person the newest counts.
fn scores(path: &Path) -> (BTreeMap<String, (Time, i64)>, usize, usize) {
    let mut newest: BTreeMap<String, (Time, i64)> = BTreeMap::new();
    let (mut refused, mut repeated) = (0, 0);
    for row in csv(path) {
        let score = row["score"].parse().ok().filter(|s| (0..=100).contains(s));
        let (Some(score), Some(at)) = (score, time(&row["scored_at"])) else {
            refused += 1;
            continue;
        };
        let told = newest.entry(key(&row["email"]));
        match told {
            std::collections::btree_map::Entry::Vacant(slot) => {
                slot.insert((at, score));
            }
            std::collections::btree_map::Entry::Occupied(mut slot) => {
                repeated += 1;
                if at >= slot.get().0 {
                    slot.insert((at, score));
                }
            }
        }
    }
    (newest, refused, repeated)
}
