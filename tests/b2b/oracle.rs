//! What every contact in every system must be after the run, worked out from the inputs alone and
//! from what the policy says in words. Nothing here uses the library.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::companies::{accounts, crm_subscriptions, subscriptions, warehouse_subscriptions};
use crate::inputs::{Event, Inputs, Row, Time, is_address, key, time};

/// Contents expected of every system.
pub struct Expected {
    pub contacts: Vec<Row>,
    pub accounts: Vec<Row>,
    pub crm_subscriptions: Vec<Row>,
    pub subscribers: Vec<Row>,
    pub users: Vec<Row>,
    pub workspaces: Vec<Row>,
    pub warehouse_contacts: Vec<Row>,
    pub warehouse_accounts: Vec<Row>,
    pub warehouse_subscriptions: Vec<Row>,
    /// Rows of the CRM that nobody may touch.
    pub refused_contacts: usize,
    /// Rows of the CRM that go because another one stays.
    pub duplicates: usize,
}

const STATUS: [(&str, &str, &str); 5] = [
    ("new", "Open", "new"),
    ("working", "Working", "engaged"),
    ("qualified", "Qualified", "sales_ready"),
    ("customer", "Customer", "customer"),
    ("lost", "Closed - Lost", "dormant"),
];

/// What one system says of one field: `None` where it says that there is nothing.
#[derive(Debug, Clone)]
pub struct Said {
    at: Time,
    id: String,
    value: Option<String>,
}

/// What all say of one field, by system; systems that say nothing are missing.
#[derive(Debug, Default, Clone)]
pub struct Voices(BTreeMap<&'static str, Vec<Said>>);

impl Voices {
    pub fn say(&mut self, system: &'static str, at: Time, id: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        let said = Said {
            at,
            id: id.to_owned(),
            value,
        };
        self.0.entry(system).or_default().push(said);
    }

    /// What a system said last.
    fn latest(&self, system: &str) -> Option<&Said> {
        self.0
            .get(system)?
            .iter()
            .max_by_key(|s| (s.at, &s.id, &s.value))
    }

    /// The latest word; at the same instant the owner's, then the first system's by name.
    pub fn last(&self, owner: &str) -> Option<Option<String>> {
        let systems = self.0.keys().filter_map(|s| Some((*s, self.latest(s)?)));
        let best = systems
            .max_by_key(|(s, said)| (said.at, *s == owner, std::cmp::Reverse(s.to_string())));
        best.map(|(_, said)| said.value.clone())
    }

    /// The earliest word, ties as above.
    fn first(&self, owner: &str) -> Option<Option<String>> {
        let systems = self.0.iter().filter_map(|(system, said)| {
            Some((
                *system,
                said.iter().min_by_key(|s| (s.at, &s.id, &s.value))?,
            ))
        });
        let best = systems.min_by_key(|(s, said)| (said.at, *s != owner, s.to_string()));
        best.map(|(_, said)| said.value.clone())
    }
}

/// What is known of a contact.
#[derive(Default, Clone)]
struct Contact {
    first_name: Voices,
    last_name: Voices,
    company: Voices,
    phone: Voices,
    status: Voices,
    first_touch: Voices,
    last_seen: Voices,
    country: Option<Option<String>>,
    form_country: Voices,
    interests: Option<BTreeSet<String>>,
    form_interests: Voices,
    opted_out_at: Option<Time>,
    back_at: Option<Time>,
    score: Option<i64>,
    workspace: Option<String>,
    last_opened: Option<String>,
    crm_row: Option<usize>,
    mailer_row: Option<usize>,
    user_row: Option<usize>,
}

impl Contact {
    /// Somebody said stop, and the mail platform has not since heard that they came back.
    fn opted_out(&self) -> bool {
        self.opted_out_at
            .is_some_and(|out| self.back_at.is_none_or(|back| out >= back))
    }

    fn out(&mut self, at: Time) {
        self.opted_out_at = self.opted_out_at.max(Some(at));
    }

    /// All that anybody found interesting; `None` where nobody did.
    fn topics(&self) -> Option<String> {
        let mut topics = self.interests.clone();
        if let Some(Some(text)) = self.form_interests.latest("forms").map(|s| &s.value) {
            topics.get_or_insert_default().extend(set(text));
        }
        topics.map(|t| array(&t))
    }
}

fn set(text: &str) -> BTreeSet<String> {
    serde_json::from_str(text).expect("a JSON array of texts")
}

fn array(topics: &BTreeSet<String>) -> String {
    serde_json::to_string(topics).expect("JSON")
}

/// Whether the policy can read a row of the CRM at all.
fn readable(row: &Row) -> bool {
    let fits = |column: &str, max: usize| row.get(column).is_none_or(|t| t.chars().count() <= max);
    let status = STATUS.iter().any(|(_, crm, _)| row["status"] == *crm);
    let address = row.get("email").is_some_and(|e| is_address(&key(e)));
    let names = fits("first_name", 40) && fits("last_name", 60) && fits("company", 80);
    address && status && names && time(&row["edited_at"]).is_some()
}

/// Works everything out.
pub fn expect(inputs: &Inputs) -> Expected {
    let mut contacts: BTreeMap<String, Contact> = BTreeMap::new();
    let (kept, refused_contacts, duplicates) = crm(inputs, &mut contacts);
    mailer(inputs, &mut contacts);
    product(inputs, &mut contacts);
    feeds(inputs, &mut contacts);
    let crm_rows = crm_rows(inputs, &contacts, &kept);
    let (accounts, warehouse_accounts) = accounts(inputs);
    let subscriptions = subscriptions(inputs);
    Expected {
        warehouse_contacts: warehouse_contacts(&contacts, &crm_rows),
        contacts: crm_rows,
        accounts,
        warehouse_accounts,
        crm_subscriptions: crm_subscriptions(inputs, &subscriptions),
        warehouse_subscriptions: warehouse_subscriptions(inputs, &subscriptions),
        subscribers: subscribers(inputs, &contacts),
        users: users(inputs, &contacts),
        workspaces: inputs.workspaces.clone(),
        refused_contacts,
        duplicates,
    }
}

/// The CRM's rows: which stay, and what those that stay say. An opt-out counts on whichever row
/// it stands.
fn crm(
    inputs: &Inputs,
    contacts: &mut BTreeMap<String, Contact>,
) -> (BTreeSet<usize>, usize, usize) {
    let mut newest: BTreeMap<String, (Time, usize)> = BTreeMap::new();
    let mut kept = BTreeSet::new();
    let (mut refused, mut readable_rows) = (0, 0);
    for (n, row) in inputs.contacts.iter().enumerate() {
        if !readable(row) {
            refused += 1;
            kept.insert(n);
            continue;
        }
        readable_rows += 1;
        let at = time(&row["edited_at"]).expect("a time");
        let key = key(&row["email"]);
        if row["has_opted_out"] == "1" {
            contacts.entry(key.clone()).or_default().out(at);
        }
        let best = newest.entry(key).or_insert((at, n));
        *best = (*best).max((at, n));
    }
    let duplicates = readable_rows - newest.len();
    for (key, (at, n)) in newest {
        kept.insert(n);
        let row = &inputs.contacts[n];
        let contact = contacts.entry(key).or_default();
        contact.crm_row = Some(n);
        let cell = |column: &str| row.get(column).map(String::as_str);
        contact.first_name.say("crm", at, "", cell("first_name"));
        contact.last_name.say("crm", at, "", cell("last_name"));
        contact.company.say("crm", at, "", cell("company"));
        contact.phone.say("crm", at, "", cell("phone"));
        contact.country = Some(row.get("country").cloned());
        contact.interests = cell("interests").map(set);
        let status = STATUS.iter().find(|(_, crm, _)| row["status"] == *crm);
        contact.status.say("crm", at, "", status.map(|s| s.0));
    }
    (kept, refused, duplicates)
}

fn mailer(inputs: &Inputs, contacts: &mut BTreeMap<String, Contact>) {
    for (n, row) in inputs.subscribers.iter().enumerate() {
        let at = time(&row["edited_at"]).expect("a time");
        let contact = contacts.entry(key(&row["address"])).or_default();
        contact.mailer_row = Some(n);
        let cell = |column: &str| row.get(column).map(String::as_str);
        contact.first_name.say("mailer", at, "", cell("given_name"));
        contact.last_name.say("mailer", at, "", cell("family_name"));
        let stage = STATUS.iter().find(|(_, _, mailer)| row["stage"] == *mailer);
        contact.status.say("mailer", at, "", stage.map(|s| s.0));
        contact.last_opened = row.get("last_opened_at").cloned();
        if row["unsubscribed"] == "1" {
            contact.out(at);
        }
        // The CRM gets a row of them when consent is first compared, and sales left the country
        // of that row empty.
        contact.country.get_or_insert(None);
    }
}

fn product(inputs: &Inputs, contacts: &mut BTreeMap<String, Contact>) {
    for (n, row) in inputs.users.iter().enumerate() {
        let at = time(&row["updated_at"]).expect("a time");
        let contact = contacts.entry(key(&row["email"])).or_default();
        contact.user_row = Some(n);
        let cell = |column: &str| row.get(column).map(String::as_str);
        contact
            .first_name
            .say("product", at, "", cell("first_name"));
        contact.last_name.say("product", at, "", cell("last_name"));
        contact
            .last_seen
            .say("product", at, "", cell("last_login_at"));
        contact.workspace = row.get("workspace_id").cloned();
    }
}

fn feeds(inputs: &Inputs, contacts: &mut BTreeMap<String, Contact>) {
    for event in &inputs.forms.events {
        let contact = contacts.entry(event.key.clone()).or_default();
        match event.data["form"].as_str() {
            Some("demo") => {
                told(&mut contact.first_name, "forms", event, "first_name");
                told(&mut contact.last_name, "forms", event, "last_name");
                told(&mut contact.company, "forms", event, "company");
                told(&mut contact.phone, "forms", event, "phone");
                told(&mut contact.form_country, "forms", event, "country");
            }
            Some("download") => {
                let topics: BTreeSet<String> =
                    serde_json::from_value(event.data["interests"].clone()).expect("topics");
                let said = Some(array(&topics));
                contact
                    .form_interests
                    .say("forms", event.at, &event.id, said.as_deref());
            }
            _ => {
                if event.data["unsubscribe"] == Json::Bool(true) {
                    contact.out(event.at);
                }
                continue;
            }
        }
        told(&mut contact.first_touch, "forms", event, "campaign");
        told(&mut contact.last_seen, "forms", event, "at");
    }
    for event in &inputs.mail.events {
        let contact = contacts.entry(event.key.clone()).or_default();
        match event.name.as_str() {
            "unsubscribed" => contact.out(event.at),
            _ => contact.back_at = contact.back_at.max(Some(event.at)),
        }
    }
    for event in &inputs.product.events {
        let contact = contacts.entry(event.key.clone()).or_default();
        told(
            &mut contact.first_name,
            "product_events",
            event,
            "first_name",
        );
        told(&mut contact.last_name, "product_events", event, "last_name");
        told(
            &mut contact.first_touch,
            "product_events",
            event,
            "campaign",
        );
        told(&mut contact.last_seen, "product_events", event, "at");
    }
    for event in &inputs.webinars {
        let contact = contacts.entry(event.key.clone()).or_default();
        told(&mut contact.first_name, "webinars", event, "first_name");
        told(&mut contact.last_name, "webinars", event, "last_name");
        told(&mut contact.company, "webinars", event, "company");
        told(&mut contact.first_touch, "webinars", event, "webinar");
        told(&mut contact.last_seen, "webinars", event, "registered_at");
    }
    for (key, (_, score)) in &inputs.scores {
        contacts.entry(key.clone()).or_default().score = Some(*score);
    }
}

/// What an event says of a field, where it says anything.
fn told(voices: &mut Voices, system: &'static str, event: &Event, member: &str) {
    if let Some(text) = event.data[member].as_str() {
        voices.say(system, event.at, &event.id, Some(text));
    }
}

pub fn put(row: &mut Row, column: &str, value: Option<String>) {
    match value {
        Some(value) => row.insert(column.to_owned(), value),
        None => row.remove(column),
    };
}

/// Sets a cell where somebody has said what belongs there.
fn put_said(row: &mut Row, column: &str, said: Option<Option<String>>) {
    if let Some(value) = said {
        put(row, column, value);
    }
}

fn status(contact: &Contact) -> &'static (&'static str, &'static str, &'static str) {
    // Whom neither of the two has: the CRM opens a lead for them.
    let shown = contact.status.last("crm").flatten();
    let shown = shown.unwrap_or_else(|| "new".to_owned());
    STATUS.iter().find(|s| s.0 == shown).expect("a status")
}

/// The latest of all times at which anybody saw them.
fn last_seen(contact: &Contact) -> Option<Option<String>> {
    let systems = contact.last_seen.0.keys();
    let all: Vec<_> = systems
        .filter_map(|s| contact.last_seen.latest(s))
        .collect();
    (!all.is_empty()).then(|| all.into_iter().filter_map(|s| s.value.clone()).max())
}

/// Rows of the CRM: those that stay, changed, and one for everybody else.
fn crm_rows(
    inputs: &Inputs,
    contacts: &BTreeMap<String, Contact>,
    kept: &BTreeSet<usize>,
) -> Vec<Row> {
    let mut rows = BTreeMap::new();
    for n in kept {
        rows.insert((0, *n, String::new()), inputs.contacts[*n].clone());
    }
    for (key, contact) in contacts {
        let place = match contact.crm_row {
            Some(n) => (0, n, String::new()),
            None => (1, 0, key.clone()),
        };
        let row = rows.entry(place).or_insert_with(|| {
            let new = [
                ("email", key.as_str()),
                ("edited_at", "1970-01-01 00:00:00"),
            ];
            new.iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect()
        });
        put_said(row, "first_name", contact.first_name.last("crm"));
        put_said(row, "last_name", contact.last_name.last("crm"));
        put_said(row, "company", contact.company.last("crm"));
        put_said(row, "phone", contact.phone.last("crm"));
        let country = contact.country.clone();
        put_said(
            row,
            "country",
            country.or_else(|| contact.form_country.last("crm")),
        );
        let topics = contact.topics();
        // The same topics in another order are the same: then nothing is written.
        if row.get("interests").map(|t| set(t)) != topics.as_deref().map(set) {
            put(row, "interests", topics);
        }
        put(row, "status", Some(status(contact).1.to_owned()));
        put(
            row,
            "has_opted_out",
            Some(u8::from(contact.opted_out()).to_string()),
        );
        put_said(
            row,
            "lead_score",
            contact.score.map(|s| Some(s.to_string())),
        );
        put_said(row, "first_touch", contact.first_touch.first("forms"));
        put_said(row, "last_seen_at", last_seen(contact));
        put_said(row, "workspace_id", contact.workspace.clone().map(Some));
    }
    rows.into_values().collect()
}

fn subscribers(inputs: &Inputs, contacts: &BTreeMap<String, Contact>) -> Vec<Row> {
    let mut rows = Vec::new();
    for (key, contact) in contacts {
        let mut row = match contact.mailer_row {
            Some(n) => inputs.subscribers[n].clone(),
            None => {
                let new = [
                    ("address", key.as_str()),
                    ("list", "crm"),
                    ("edited_at", "1970-01-01T00:00:00Z"),
                ];
                new.iter()
                    .map(|(k, v)| (k.to_string(), v.to_string()))
                    .collect()
            }
        };
        put_said(&mut row, "given_name", contact.first_name.last("crm"));
        put_said(&mut row, "family_name", contact.last_name.last("crm"));
        put(&mut row, "topics", contact.topics());
        put(&mut row, "stage", Some(status(contact).2.to_owned()));
        put(
            &mut row,
            "unsubscribed",
            Some(u8::from(contact.opted_out()).to_string()),
        );
        put_said(
            &mut row,
            "score",
            contact.score.map(|s| Some(s.to_string())),
        );
        if !contact.opted_out()
            && let Some(name) = full_name(contact)
        {
            put(&mut row, "full_name", Some(name));
        }
        rows.push(row);
    }
    rows
}

fn full_name(contact: &Contact) -> Option<String> {
    let first = contact.first_name.last("crm").flatten()?;
    let last = contact.last_name.last("crm").flatten()?;
    Some(format!("{first} {last}"))
}

fn users(inputs: &Inputs, contacts: &BTreeMap<String, Contact>) -> Vec<Row> {
    let mut rows = inputs.users.clone();
    for contact in contacts.values() {
        if let Some(n) = contact.user_row {
            let out = u8::from(contact.opted_out()).to_string();
            put(&mut rows[n], "marketing_opt_out", Some(out));
        }
    }
    rows
}

/// The reports have everybody, as the CRM has them by then.
fn warehouse_contacts(contacts: &BTreeMap<String, Contact>, crm: &[Row]) -> Vec<Row> {
    let by_key: BTreeMap<String, &Row> = crm
        .iter()
        .filter(|row| readable(row))
        .map(|row| (key(&row["email"]), row))
        .collect();
    let mut rows = Vec::new();
    for (key, contact) in contacts {
        let crm = by_key[key];
        let mut row = Row::new();
        put(&mut row, "email", Some(key.clone()));
        let same = [
            "first_name",
            "last_name",
            "company",
            "phone",
            "country",
            "first_touch",
        ];
        for column in same {
            put(
                &mut row,
                column,
                crm.get(column).cloned().filter(|t| !t.is_empty()),
            );
        }
        put(
            &mut row,
            "interests",
            crm.get("interests").map(|t| array(&set(t))),
        );
        put(&mut row, "lead_status", Some(status(contact).0.to_owned()));
        put(&mut row, "opted_out", Some(contact.opted_out().to_string()));
        put(&mut row, "score", crm.get("lead_score").cloned());
        put(&mut row, "last_seen", crm.get("last_seen_at").cloned());
        put(&mut row, "workspace", crm.get("workspace_id").cloned());
        put(&mut row, "last_opened", contact.last_opened.clone());
        put(&mut row, "full_name", full_name(contact));
        rows.push(row);
    }
    rows
}
