//! A policy of one entity in one database, and its connector.

use std::path::Path;

use syncline::connector::registry;
use syncline::engine::ports::*;
use syncline::plan::Plan;
use syncline::time::Instant;
use syncline::value::Value;

use crate::fixtures;

/// A text with a character of every plane and the traps of every format.
pub const ANY_TEXT: &str = "a,\"b\"\r\nc\t'd\\N\\.|\u{1}\u{7f}é漢\u{200f}\u{feff}😀\u{2ffff}\u{3134a}\u{40abc}\u{50abc}\u{60abc}\u{70abc}\u{80abc}\u{90abc}\u{a0abc}\u{b0abc}\u{c0abc}\u{d0abc}\u{e0abc}\u{f0abc}\u{10fffd} z";

/// The policy, its map's body handed in.
pub fn plan(map: &str) -> Plan {
    let text = format!(
        r#"
policy p {{ }}
system desk {{
  connector postgres
  secret url = env("URL")
  cleared pii
}}
system other {{
  connector sqlite
  option path = "other.db"
}}
entity contact {{
  key email
  owner desk
  accepts none
  resolve owner_wins
  field email:     email
  field age:       int(0..150)?
  field balance:   decimal(12, 2)?
  field born:      date?
  field doc:       json?
  field name:      text?
  field opted_out: bool?
  field seen:      datetime?
  field status:    enum(new, lost)?
  field tags:      set(text)?
}}
map contact in desk "contacts" {{ {map} }}
map contact in other "contacts" {{ same_names }}
scenario s {{
  sync contact(name) from desk to other
  mode every 1h
}}
"#
    );
    let (plan, found) = fixtures::planned(&text);
    assert!(found.is_empty(), "{found:?}");
    plan
}

/// The same with a word for the option `events` of `desk`; empty: none.
pub fn plan_followed(map: &str, events: &str) -> Plan {
    let mut plan = plan(map);
    let desk = plan.systems.iter_mut().find(|s| s.name == "desk").unwrap();
    if !events.is_empty() {
        let value = serde_json::json!({ "value": events });
        let value = serde_json::from_value(value).unwrap();
        desk.options.insert("events".into(), value);
    }
    plan
}

/// The connector of a plan's `desk`, with the map's position.
pub struct Desk {
    pub plan: Plan,
    pub map: MapIx,
    connector: Box<dyn Connector>,
}

impl Desk {
    pub fn open(map: &str, url: &str) -> Desk {
        Desk::of(plan(map), url)
    }

    pub fn of(plan: Plan, url: &str) -> Desk {
        let at = plan.systems.iter().position(|s| s.name == "desk").unwrap();
        let url = url.to_owned();
        let env = move |_: &str| Some(url.clone());
        let now = Box::new(|| Instant(0));
        let connector = registry::open(&plan, at as u16, Path::new("/"), &env, now).unwrap();
        let map = plan.maps.iter().position(|m| m.system == "desk").unwrap() as MapIx;
        Desk {
            plan,
            map,
            connector,
        }
    }

    pub fn field(&self, name: &str) -> FieldIx {
        let entity = &self.plan.entities[0];
        entity.fields.iter().position(|f| f.name == name).unwrap() as FieldIx
    }

    pub fn request(&self, limit: usize) -> ReadRequest {
        ReadRequest {
            map: self.map,
            since: None,
            page: None,
            limit,
            locate: false,
        }
    }

    pub fn page(&mut self, request: &ReadRequest) -> Result<Page, Failure> {
        self.connector.read(request)
    }

    /// All rows of a request, and the cursor at its end.
    pub fn read(&mut self, mut request: ReadRequest) -> (Vec<Row>, Option<String>) {
        let mut rows = Vec::new();
        loop {
            let page = self.connector.read(&request).unwrap();
            assert!(page.rows.len() <= request.limit);
            rows.extend(page.rows);
            match page.next {
                Some(next) => request.page = Some(next),
                None => return (rows, page.cursor),
            }
        }
    }

    pub fn all(&mut self) -> Vec<Row> {
        self.read(self.request(1_000)).0
    }

    pub fn since(&mut self, cursor: &str) -> Vec<String> {
        let request = ReadRequest {
            since: Some(cursor.to_owned()),
            ..self.request(2)
        };
        let (rows, _) = self.read(request);
        rows.into_iter().map(|r| r.key.into()).collect()
    }

    pub fn shown<'r>(&self, row: &'r Row, name: &str) -> Option<&'r Value> {
        let field = self.field(name);
        row.fields.iter().find(|(f, _)| *f == field).map(|(_, v)| v)
    }

    pub fn upsert(&self, key: &str, fields: &[(&str, Value)]) -> Write {
        let mut fields: Vec<_> = fields
            .iter()
            .map(|(n, v)| (self.field(n), v.clone()))
            .collect();
        fields.sort_by_key(|f| f.0);
        Write {
            key: key.into(),
            native_key: None,
            locator: None,
            fields,
            delete: false,
            idempotency: Idempotency::Key(format!("idem-{key}")),
        }
    }

    pub fn delete(&self, key: &str) -> Write {
        Write {
            delete: true,
            ..self.upsert(key, &[])
        }
    }

    pub fn try_write(&mut self, writes: Vec<Write>) -> Result<WriteReport, Failure> {
        self.connector.write(&WriteRequest {
            map: self.map,
            scenario: 0,
            writes,
            job_calls: 0,
        })
    }

    /// What was rejected.
    pub fn write(&mut self, writes: Vec<Write>) -> Vec<(usize, String)> {
        self.try_write(writes).unwrap().rejected
    }
}

pub fn text(t: &str) -> Value {
    Value::Text(t.into())
}
