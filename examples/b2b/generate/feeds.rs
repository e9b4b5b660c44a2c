//! The event feeds as recorded, the webinar export, and the scores in the warehouse folder.

use serde_json::{Map, Value as Json, json};

use super::names::{CAMPAIGNS, TOPICS, WEBINARS};
use super::people::{Person, World, iso};
use super::random::Random;

/// One recorded event with its place in the order of arrival.
struct Line {
    arrival: i64,
    text: String,
}

/// A log of events.
struct Log {
    system: &'static str,
    lines: Vec<Line>,
    next_id: u64,
}

impl Log {
    fn new(system: &'static str) -> Self {
        Log {
            system,
            lines: Vec::new(),
            next_id: 1,
        }
    }

    /// Adds an event, as most senders send it: soon, sometimes twice, sometimes late.
    fn event(&mut self, name: &str, at: i64, data: Map<String, Json>, random: &mut Random) {
        let text = self.body(name, at, &data);
        // Mostly within a minute, which alone puts neighbours out of order.
        let mut arrival = at + random.within(0, 60);
        if random.permille(30) {
            arrival += random.within(3_600, 600_000);
        }
        if random.permille(50) {
            // The very same event once more: its sender saw no answer.
            self.lines.push(Line {
                arrival: arrival + random.within(1, 90_000),
                text: text.clone(),
            });
        }
        if random.permille(20) {
            // The same news under another id: its sender had forgotten.
            let again = self.body(name, at, &data);
            self.lines.push(Line {
                arrival: arrival + random.within(1, 90_000),
                text: again,
            });
        }
        self.lines.push(Line { arrival, text });
    }

    fn body(&mut self, name: &str, at: i64, data: &Map<String, Json>) -> String {
        let id = format!("evt_{}_{:06}", self.system, self.next_id);
        self.next_id += 1;
        json!({ "id": id, "type": format!("{}.{name}", self.system), "timestamp": iso(at), "data": data })
            .to_string()
    }

    /// Something that is no event at all.
    fn rubbish(&mut self, text: String, arrival: i64) {
        self.lines.push(Line { arrival, text });
    }

    fn text(mut self) -> String {
        self.lines
            .sort_by(|a, b| (a.arrival, &a.text).cmp(&(b.arrival, &b.text)));
        let mut out = String::new();
        for line in &self.lines {
            out.push_str(&line.text);
            out.push('\n');
        }
        out
    }
}

fn data(pairs: Vec<(&str, Json)>) -> Map<String, Json> {
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

/// So many people that feeds may name.
fn some(world: &World, share: usize, random: &mut Random) -> Vec<usize> {
    (0..world.people.len())
        .filter(|n| world.people[*n].sound() && random.permille(share))
        .collect()
}

/// The website's forms.
pub fn forms(world: &mut World, random: &mut Random) -> String {
    let mut log = Log::new("forms");
    for n in some(world, 25, random) {
        let company = world.companies[world.people[n].company].name.clone();
        for _ in 0..1 + random.below(2) {
            let event = demo(&mut world.people[n], &company, random);
            log.event("submitted", event.0, event.1, random);
        }
    }
    for n in some(world, 35, random) {
        let person = &mut world.people[n];
        let at = person.moment(random);
        let interests: Vec<&str> = (0..1 + random.below(2))
            .map(|_| random.pick(TOPICS))
            .collect();
        let fields = data(vec![
            ("form", json!("download")),
            ("email", json!(person.typed(random))),
            ("interests", json!(interests)),
            ("campaign", json!(random.pick(CAMPAIGNS))),
            ("at", json!(iso(at))),
        ]);
        log.event("submitted", at, fields, random);
    }
    for n in some(world, 6, random) {
        let person = &mut world.people[n];
        let at = person.moment(random);
        let fields = data(vec![
            ("form", json!("preferences")),
            ("email", json!(person.typed(random))),
            ("unsubscribe", json!(random.permille(800))),
            ("at", json!(iso(at))),
        ]);
        log.event("submitted", at, fields, random);
    }
    broken(
        &mut log,
        "submitted",
        "email",
        world.people.len() / 1_000 + 3,
        random,
    );
    log.text()
}

fn demo(person: &mut Person, company: &str, random: &mut Random) -> (i64, Map<String, Json>) {
    let at = person.moment(random);
    let mut fields = data(vec![
        ("form", json!("demo")),
        ("email", json!(person.typed(random))),
        ("first_name", json!(person.first)),
        ("last_name", json!(person.last)),
    ]);
    if random.permille(800) {
        fields.insert("company".into(), json!(company));
    }
    if random.permille(600) {
        fields.insert(
            "phone".into(),
            json!(format!("+49 {:07}", random.below(10_000_000))),
        );
    }
    if random.permille(500) {
        fields.insert("country".into(), json!(person.country));
    }
    if random.permille(700) {
        fields.insert("campaign".into(), json!(random.pick(CAMPAIGNS)));
    }
    fields.insert("at".into(), json!(iso(at)));
    (at, fields)
}

/// What every feed brings along: half a line, an event about nobody, an address that is none.
fn broken(log: &mut Log, name: &str, key: &str, count: usize, random: &mut Random) {
    let start = 1_790_812_800;
    for n in 0..count {
        let at = start + random.within(0, 2_000_000);
        log.rubbish(
            format!(
                "{{\"id\": \"evt_cut_{n}\", \"type\": \"{name}\", \"data\": {{\"{key}\": \"cut"
            ),
            at,
        );
        let nobody = data(vec![
            ("form", json!("demo")),
            ("first_name", json!("Nobody")),
            ("at", json!(iso(at))),
        ]);
        let text = log.body(name, at, &nobody);
        log.rubbish(text, at + 1);
        let wrong = data(vec![
            ("form", json!("demo")),
            (key, json!(format!("not an address {n}"))),
            ("unsubscribed", json!(true)),
            ("at", json!(iso(at))),
        ]);
        let text = log.body(name, at, &wrong);
        log.rubbish(text, at + 2);
    }
}

/// The mail platform's events.
pub fn mail_events(world: &mut World, random: &mut Random) -> String {
    let mut log = Log::new("mail_events");
    for n in some(world, 40, random) {
        let person = &mut world.people[n];
        // Out and, for some, in and out again.
        for step in 0..1 + random.below(3) {
            let back = step == 1;
            let at = person.moment(random);
            let fields = data(vec![
                ("recipient", json!(person.typed(random))),
                ("unsubscribed", json!(!back)),
                ("at", json!(iso(at))),
            ]);
            let name = if back { "resubscribed" } else { "unsubscribed" };
            log.event(name, at, fields, random);
        }
    }
    broken(
        &mut log,
        "unsubscribed",
        "recipient",
        world.people.len() / 2_000 + 2,
        random,
    );
    log.text()
}

/// The product's events.
pub fn product_events(world: &mut World, random: &mut Random) -> String {
    let mut log = Log::new("product_events");
    let mut taken = std::collections::BTreeSet::new();
    for n in some(world, 30, random) {
        let company = &world.companies[world.people[n].company];
        // People whom no other system has heard of start trials, too.
        let workspace = match &company.workspace {
            Some(workspace) => workspace.clone(),
            None => format!("ws_trial_{n:05}"),
        };
        let person = &mut world.people[n];
        let at = loop {
            // The second half of a day, at which the database changes nothing.
            let day = 1_790_812_800 + random.within(0, 27) * 86_400;
            let at = day + random.within(43_200, 86_399);
            if taken.insert((workspace.clone(), at)) {
                break at;
            }
        };
        let mut fields = data(vec![
            ("email", json!(person.typed(random))),
            ("workspace", json!(workspace)),
            ("at", json!(iso(at))),
        ]);
        let name = match random.below(3) {
            0 => {
                fields.insert("first_name".into(), json!(person.first));
                fields.insert("last_name".into(), json!(person.last));
                fields.insert("campaign".into(), json!(random.pick(CAMPAIGNS)));
                fields.insert("plan".into(), json!("trial"));
                fields.insert("status".into(), json!("trialing"));
                fields.insert("seats".into(), json!(random.within(1, 5)));
                fields.insert("mrr".into(), json!("0.00"));
                "trial_started"
            }
            1 => {
                fields.insert("plan".into(), json!("team"));
                fields.insert("status".into(), json!("active"));
                fields.insert("seats".into(), json!(random.within(5, 40)));
                fields.insert("mrr".into(), json!("249.50"));
                "upgraded"
            }
            _ => {
                fields.insert("status".into(), json!("past_due"));
                "payment_failed"
            }
        };
        log.event(name, at, fields, random);
    }
    broken(
        &mut log,
        "trial_started",
        "email",
        world.people.len() / 2_000 + 2,
        random,
    );
    log.text()
}

/// The webinar platform's export.
pub fn webinars(world: &mut World, random: &mut Random) -> String {
    let mut lines = Vec::new();
    for n in some(world, 60, random) {
        let company = world.companies[world.people[n].company].name.clone();
        let person = &mut world.people[n];
        for _ in 0..1 + random.below(2) {
            let at = person.moment(random);
            let mut row = data(vec![
                ("email", json!(person.typed(random))),
                ("first_name", json!(person.first)),
                ("last_name", json!(person.last)),
                ("webinar", json!(random.pick(WEBINARS))),
                ("registered_at", json!(iso(at))),
            ]);
            if random.permille(600) {
                row.insert("company".into(), json!(company));
            }
            lines.push((at, Json::Object(row).to_string()));
        }
    }
    for n in 0..world.people.len() / 2_000 + 2 {
        let at = 1_790_812_800 + random.within(0, 2_000_000);
        lines.push((at, "{\"email\": \"cut@".into()));
        lines.push((
            at,
            json!({"email": format!("nobody{n}"), "registered_at": iso(at)}).to_string(),
        ));
    }
    lines.sort();
    lines.iter().map(|(_, line)| format!("{line}\n")).collect()
}

/// The scores: what the model made of what the CRM had.
pub fn lead_scores(world: &mut World, random: &mut Random) -> String {
    let mut out = String::from("email,score,model,scored_at\n");
    let known: Vec<usize> = (0..world.people.len())
        .filter(|n| world.people[*n].sound() && world.people[*n].in_crm)
        .collect();
    for n in known {
        if !random.permille(750) {
            continue;
        }
        let person = &mut world.people[n];
        for _ in 0..1 + usize::from(random.permille(40)) {
            let at = person.moment(random);
            let email = person.typed(random);
            let score = match random.below(400) {
                0 => "n/a".to_owned(),
                1 => "140".to_owned(),
                _ => random.below(101).to_string(),
            };
            out.push_str(&format!("{email},{score},m7,{}\n", iso(at)));
        }
    }
    out
}
