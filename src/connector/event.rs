//! An event's body: its name, its payload, the record it tells of and its id.
//!
//! Senders agree on little, so what is read is what most of them write: a name in `type`, `event`
//! or `event_type`; a payload in `data`, or the body itself; a time in one of a few members.

use serde_json::{Map as Object, Value as Json};
use sha2::{Digest, Sha256};

use super::codec::Binding;
use crate::engine::ports::Row;
use crate::value::parse_instant;

/// Members that hold an event's name, the first that is there wins.
const NAMES: [&str; 3] = ["type", "event", "event_type"];
/// Members that hold an event's own id.
const IDS: [&str; 3] = ["event_id", "message_id", "webhook_id"];
/// Members that hold an event's own time.
const TIMES: [&str; 5] = ["timestamp", "occurred_at", "created_at", "created", "time"];
/// The member by which Syncline's own feeds name the object that an event tells of.
pub const OBJECT: &str = "syncline_object";
/// The member by which they say whether the runner's own write made the change.
pub const OWN: &str = "syncline_own";
/// The member by which they list the columns that changed.
pub const CHANGED: &str = "syncline_changed";
/// Last words of a name that say that the record is gone.
const GONE: [&str; 3] = ["deleted", "removed", "destroyed"];

/// What a body says.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name, without a leading `<system>.`; none where the body has none.
    pub name: Option<String>,
    /// Which of the system's objects it tells of, where the feed knows; else of every one.
    pub object: Option<String>,
    /// What CEL knows as `event`, and where the record's columns are: the member `data` where that
    /// is an object, else the body.
    pub payload: Json,
    /// The event's own time in microseconds since 1970-01-01T00:00Z.
    pub at: Option<i64>,
    /// Whether its name says that the record was deleted.
    pub deletes: bool,
    /// Whether the runner's own write made the change, where the feed says so.
    pub own: Option<bool>,
    /// The columns that changed, where the feed shows more and says which.
    pub changed: Option<Vec<String>>,
}

impl Event {
    /// Reads a body that `system` sent; `Err` says in words why it is none.
    pub fn parse(system: &str, body: &str) -> Result<Event, String> {
        let json: Json =
            serde_json::from_str(body).map_err(|e| format!("the body is no JSON: {e}"))?;
        let Json::Object(mut members) = json else {
            return Err("the body is no JSON object".into());
        };
        let name = name(&members, system);
        let at = TIMES
            .iter()
            .find_map(|member| members.get(*member).and_then(time));
        let deletes = name.as_deref().is_some_and(|name| {
            let last = name.rsplit(['.', '_', ':', '/']).next().unwrap_or(name);
            GONE.contains(&last)
        });
        let object = match members.remove(OBJECT) {
            Some(Json::String(object)) => Some(object),
            _ => None,
        };
        let own = members.remove(OWN).and_then(|own| own.as_bool());
        let changed = members.remove(CHANGED).and_then(|list| {
            let list = list.as_array()?;
            let names = list.iter().map(|name| name.as_str().map(str::to_owned));
            names.collect()
        });
        let payload = match members.get_mut("data") {
            Some(data @ Json::Object(_)) => data.take(),
            _ => Json::Object(members),
        };
        Ok(Event {
            name,
            object,
            payload,
            at,
            deletes,
            own,
            changed,
        })
    }

    /// The record that the event tells of, as the map sees it. What the event says of its time and
    /// of a deletion holds where the record itself says nothing.
    pub fn row(&self, binding: &Binding) -> Row {
        let mut row = binding.row_from_json(&self.payload);
        row.changed_at = row.changed_at.or(self.at);
        row.deleted |= self.deletes;
        row
    }
}

fn name(members: &Object<String, Json>, system: &str) -> Option<String> {
    let name = NAMES
        .iter()
        .find_map(|member| members.get(*member).and_then(Json::as_str))?;
    let short = name
        .strip_prefix(system)
        .and_then(|rest| rest.strip_prefix('.'));
    Some(short.unwrap_or(name).to_owned())
}

fn time(member: &Json) -> Option<i64> {
    match member {
        Json::String(text) => parse_instant(text),
        Json::Number(number) => match number.as_i64() {
            Some(_) => parse_instant(&number.to_string()),
            None => number.as_f64().map(|seconds| (seconds * 1e6) as i64),
        },
        _ => None,
    }
}

/// The id that a body itself carries. A plain `id` counts only where it is the event's and not
/// the record's: beside a `data` object, or where no map reads a column of that name
/// (`id_is_column`).
pub fn own_id(body: &Json, id_is_column: bool) -> Option<String> {
    let members = body.as_object()?;
    let text = |name: &str| match members.get(name) {
        Some(Json::String(id)) if !id.is_empty() => Some(id.clone()),
        Some(Json::Number(id)) => Some(id.to_string()),
        _ => None,
    };
    IDS.iter().find_map(|name| text(name)).or_else(|| {
        let envelope = matches!(members.get("data"), Some(Json::Object(_)));
        text("id").filter(|_| envelope || !id_is_column)
    })
}

/// The id of a body that carries none: a hash of source and body, so that the same body of the
/// same source is one event.
pub fn hashed_id(source: &str, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update((source.len() as u64).to_be_bytes());
    hash.update(source.as_bytes());
    hash.update(body);
    let digest = hash.finalize();
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::testing::{plan, same_names, shown, text};
    use serde_json::json;

    #[test]
    fn names_payloads_and_times_are_found_where_senders_put_them() {
        let event = |body: Json| Event::parse("forms", &body.to_string()).expect("an event");
        let flat = event(json!({"event": "forms.submitted", "form": "demo", "data": 5}));
        assert_eq!(flat.name.as_deref(), Some("submitted"));
        assert_eq!(flat.payload["form"], "demo");
        let deep = event(
            json!({"type": "contact.deleted", "timestamp": 1767571200, "data": {"email": "a@x"}}),
        );
        assert_eq!(deep.name.as_deref(), Some("contact.deleted"));
        assert_eq!(deep.payload, json!({"email": "a@x"}));
        assert_eq!(deep.at, Some(1_767_571_200_000_000));
        assert!(deep.deletes && !flat.deletes);
        assert_eq!(event(json!({"formsx.a": 1})).name, None);
        assert!(Event::parse("forms", "[]").is_err());
        assert!(Event::parse("forms", "{").is_err());
    }

    #[test]
    fn an_event_shows_only_the_columns_that_it_has() {
        let plan = plan(
            json!({"connector": "webhook"}),
            same_names(&["name", "age"]),
            true,
        );
        let binding = Binding::compile(&plan, 0).expect("binds");
        let body = json!({"type": "x", "timestamp": "2026-01-05T00:00:00Z", "data": {"email": "a@x", "name": "A"}});
        let event = Event::parse("desk", &body.to_string()).expect("an event");
        let row = event.row(&binding);
        assert_eq!(row.key, "a@x");
        assert_eq!(shown(&row, "name"), Some(&text("A")));
        assert_eq!(shown(&row, "age"), None);
        assert_eq!(row.changed_at, Some(1_767_571_200_000_000));
        let keyless = Event::parse("desk", r#"{"name":"A"}"#)
            .expect("an event")
            .row(&binding);
        assert!(
            keyless
                .problem
                .is_some_and(|p| p.contains("column `email`: the key is missing"))
        );
    }

    #[test]
    fn an_id_of_the_record_is_none_of_the_event() {
        assert_eq!(own_id(&json!({"id": "c1"}), true), None);
        assert_eq!(own_id(&json!({"id": "e1"}), false).as_deref(), Some("e1"));
        assert_eq!(
            own_id(&json!({"id": 7, "data": {}}), true).as_deref(),
            Some("7")
        );
        assert_eq!(
            own_id(&json!({"id": "c1", "event_id": "e"}), true).as_deref(),
            Some("e")
        );
        assert_ne!(hashed_id("a", b"bc"), hashed_id("ab", b"c"));
        assert_eq!(hashed_id("a", b"x"), hashed_id("a", b"x"));
    }
}
