//! Every built-in entry, and what a broken one says.

use super::*;
use crate::time::Millis;

fn entry(name: &str) -> &'static Entry {
    Catalog::builtin().get(name).unwrap()
}

#[test]
fn every_entry_parses_under_its_own_name() {
    for name in NAMES {
        let yaml = Catalog::builtin().yaml(name).unwrap();
        let parsed = parse_entry(yaml).unwrap_or_else(|e| panic!("{name}:{}: {e}", e.line));
        assert_eq!(parsed.name, *name);
        assert_eq!(Catalog::builtin().get(name), Some(&parsed));
    }
    assert_eq!(NAMES.len(), 20);
    assert_eq!(Catalog::builtin().names().count(), 20);
    assert_eq!(Catalog::builtin().get("hubspott"), None);
}

#[test]
fn capabilities_of_each_connector() {
    // read, write, upsert, events, bulk, deletes, sends_mail
    let table = [
        ("csv", "rw-e-d-"),
        ("jsonl", "rw-e-d-"),
        ("sqlite", "rwu--d-"),
        ("postgres", "rwue-d-"),
        ("http", "rwue-d-"),
        ("webhook", "-w-e---"),
        ("nats", "-w-e---"),
        ("salesforce", "rwuebd-"),
        ("hubspot", "rwue-dm"),
        ("mailchimp", "rwuebdm"),
        ("stripe", "rw-e-d-"),
        ("customerio", "rwue-dm"),
        ("klaviyo", "rwuebdm"),
        ("intercom", "rw-e-dm"),
        ("zendesk", "rwue-d-"),
        ("pipedrive", "rw-e-d-"),
        ("sendgrid", "rwue-dm"),
        ("marketo", "rwu--dm"),
        ("braze", "rwu--dm"),
        ("segment", "-wue---"),
    ];
    assert_eq!(table.map(|row| row.0), NAMES);
    for (name, expected) in table {
        let c = entry(name).capabilities;
        let flags = [
            (c.read, 'r'),
            (c.write, 'w'),
            (c.upsert, 'u'),
            (c.events, 'e'),
            (c.bulk, 'b'),
            (c.deletes, 'd'),
            (c.sends_mail, 'm'),
        ];
        let found: String = flags
            .map(|(can, c)| if can { c } else { '-' })
            .iter()
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn what_happens_to_missed_events() {
    for name in ["csv", "jsonl", "postgres", "nats", "salesforce"] {
        let events = entry(name).events.as_ref().unwrap();
        assert!(!events.lost_for_good(), "{name}");
    }
    for (name, within) in [
        ("webhook", None),
        ("http", None),
        ("hubspot", Some(Millis::DAY)),
        ("mailchimp", Some(Millis::from_mins(75))),
        ("stripe", Some(Millis::DAY.times(3))),
        ("customerio", Some(Millis::DAY.times(7))),
        ("segment", Some(Millis::HOUR.times(4))),
        ("sendgrid", Some(Millis::DAY)),
        ("klaviyo", None),
        ("intercom", None),
        ("zendesk", None),
        ("pipedrive", None),
    ] {
        let events = entry(name).events.as_ref().unwrap();
        assert!(events.lost_for_good(), "{name}");
        let retention = events.retention.as_ref().map(|figure| figure.value.0);
        assert_eq!(retention, within, "{name}");
    }
}

#[test]
fn settings_and_when_they_are_required() {
    use Required::{Always, Never, WhenDestination, WhenSource};
    // An asterisk marks a secret.
    let table: &[(&str, &[(&str, Required)])] = &[
        ("csv", &[("path", Always)]),
        ("jsonl", &[("path", Always)]),
        ("sqlite", &[("path", Always)]),
        ("postgres", &[("events", Never), ("*url", Always)]),
        (
            "webhook",
            &[
                ("path", WhenSource),
                ("url", WhenDestination),
                ("*signing", Always),
            ],
        ),
        (
            "nats",
            &[("url", Never), ("subject", Always), ("*token", Never)],
        ),
    ];
    for (name, expected) in table {
        let entry = entry(name);
        let options = entry.options.iter().map(|o| (o.name.clone(), o.required));
        let secrets = entry
            .secrets
            .iter()
            .map(|s| (format!("*{}", s.name), s.required));
        let found: Vec<(String, Required)> = options.chain(secrets).collect();
        let expected: Vec<_> = expected.iter().map(|(n, r)| (n.to_string(), *r)).collect();
        assert_eq!(found, expected, "{name}");
    }
    assert_eq!(entry("http").option("base_url").unwrap().required, Always);
    assert!(WhenSource.holds(true, false) && !WhenSource.holds(false, true));
    assert!(WhenDestination.holds(false, true) && !WhenDestination.holds(true, false));
    assert!(Always.holds(false, false) && !Never.holds(true, true));
}

#[test]
fn a_vendor_needs_no_more_than_its_credentials() {
    // Neither is source or destination known to demand more than a policy would write first.
    let required = |name: &str| {
        let entry = entry(name);
        let all = entry.options.iter().chain(&entry.secrets);
        let needed = all.filter(|s| s.required == Required::Always);
        needed.map(|s| s.name.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(required("salesforce"), ["instance", "token"]);
    for name in ["hubspot", "stripe", "klaviyo", "intercom", "sendgrid"] {
        assert_eq!(required(name), ["token"], "{name}");
    }
    assert_eq!(required("mailchimp"), ["server", "audience", "token"]);
    assert_eq!(required("zendesk"), ["subdomain", "email", "token"]);
    assert_eq!(required("pipedrive"), ["company", "token"]);
    assert_eq!(
        required("marketo"),
        ["instance", "client_id", "client_secret"]
    );
    assert_eq!(required("braze"), ["endpoint", "token"]);
    assert!(entry("customerio").option("site_id").unwrap().secret);
}

#[test]
fn tiers_and_the_smallest_of_each() {
    let tiers = |name: &str| {
        let tiers = &entry(name).tiers;
        tiers.iter().map(|t| t.name.as_str()).collect::<Vec<_>>()
    };
    let smallest = |name: &str| entry(name).smallest_tier().map(|t| t.name.as_str());
    assert_eq!(
        tiers("salesforce"),
        [
            "developer",
            "professional",
            "enterprise",
            "unlimited",
            "performance",
            "full_sandbox"
        ]
    );
    assert_eq!(
        tiers("hubspot"),
        ["free", "starter", "professional", "enterprise"]
    );
    assert_eq!(tiers("stripe"), ["live", "sandbox"]);
    assert_eq!(
        tiers("zendesk"),
        ["team", "growth", "professional", "enterprise"]
    );
    assert_eq!(smallest("salesforce"), Some("developer"));
    assert_eq!(smallest("hubspot"), Some("free"));
    assert_eq!(smallest("stripe"), Some("sandbox"));
    assert_eq!(smallest("zendesk"), Some("team"));
    let others = NAMES.iter().filter(|n| !tiers(n).is_empty()).count();
    assert_eq!(others, 4, "no other connector has tiers");
}

#[test]
fn the_smallest_tier_allows_no_more_than_any_other() {
    for name in NAMES {
        let Some(smallest) = entry(name).smallest_tier() else {
            continue;
        };
        for tier in &entry(name).tiers {
            for limit in &tier.limits {
                let low = smallest
                    .limits
                    .iter()
                    .find(|l| l.name == limit.name)
                    .unwrap();
                assert!(low.allowed(1) <= limit.allowed(1), "{name} {}", tier.name);
            }
        }
    }
}

#[test]
fn limits_of_a_tier_grow_with_its_seats() {
    let salesforce = entry("salesforce");
    let enterprise = salesforce.tier("enterprise").unwrap();
    let quota: Vec<_> = salesforce.limits(Some(enterprise)).collect();
    let names: Vec<_> = quota.iter().map(|l| (l.name.as_str(), l.counts)).collect();
    assert_eq!(
        names,
        [
            ("bulk_batches", Calls::Bulk),
            ("api_requests", Calls::All),
            ("delivered_events", Calls::Events)
        ]
    );
    assert!(quota.iter().all(|l| l.is_quota()));
    assert_eq!(quota[1].allowed(15), 115_000);
    assert_eq!(quota[2].allowed(15), 25_000);
    assert_eq!(salesforce.calls_at_a_time(Some(enterprise)), 25);
    assert_eq!(salesforce.calls_at_a_time(salesforce.tier("developer")), 5);

    let hubspot = entry("hubspot");
    let names: Vec<_> = hubspot
        .limits(hubspot.tier("professional"))
        .map(|l| (l.name.as_str(), l.allowed(0), l.is_quota()))
        .collect();
    assert_eq!(
        names,
        [
            ("search_requests", 5, false),
            ("requests", 190, false),
            ("daily_requests", 625_000, true)
        ]
    );
    let search = &hubspot.limits[0];
    assert!(search.counts(Group::Read) && !search.counts(Group::Write));
    for name in [
        "csv", "jsonl", "sqlite", "postgres", "http", "webhook", "nats",
    ] {
        assert_eq!(
            entry(name).limits(None).count(),
            0,
            "{name} has no limit of its own"
        );
    }
}

#[test]
fn batches_pages_and_times() {
    // Records of a write, of a page (none: the whole file), write latency, event latency in ms.
    for (name, write, page, latency, event) in [
        ("csv", None, None, 100, 5_000),
        ("jsonl", None, None, 100, 1_000),
        ("sqlite", Some(10_000), Some(10_000), 100, 5_000),
        ("postgres", Some(10_000), Some(10_000), 100, 1_000),
        ("webhook", Some(1), Some(100), 1_000, 1_000),
        ("nats", Some(1), Some(100), 1_000, 1_000),
        ("http", Some(1), Some(100), 2_000, 5_000),
        ("salesforce", Some(200), Some(2_000), 2_000, 5_000),
        ("hubspot", Some(100), Some(200), 2_000, 5_000),
        ("sendgrid", Some(30_000), Some(100), 2_000, 5_000),
        ("stripe", Some(1), Some(100), 2_000, 5_000),
    ] {
        let entry = entry(name);
        assert_eq!(entry.write_batch(), write, "{name}");
        assert_eq!(entry.read_page(), page, "{name}");
        assert_eq!(entry.write_latency(), Millis(latency), "{name}");
        assert_eq!(entry.event_latency(), Millis(event), "{name}");
    }
    assert_eq!(entry("postgres").read_lag(), Millis::ZERO);
    assert_eq!(entry("stripe").read_lag(), Millis::MINUTE);
    assert_eq!(entry("postgres").calls_at_a_time(None), 1);
}

#[test]
fn events_have_names_that_a_policy_can_write() {
    let hubspot = entry("hubspot").events.as_ref().unwrap();
    assert!(hubspot.knows("contact_property_change"));
    assert!(!hubspot.knows("contact.propertyChange"));
    assert_eq!(
        hubspot.vendor_name("contact_property_change"),
        "contact.propertyChange"
    );
    let forms = entry("webhook").events.as_ref().unwrap();
    assert!(forms.knows("submitted"));
    assert_eq!(forms.vendor_name("submitted"), "submitted");
    let any: Vec<_> = NAMES
        .iter()
        .filter(|n| entry(n).events.as_ref().is_some_and(|e| e.any_name))
        .collect();
    assert_eq!(any, [&"jsonl", &"http", &"webhook", &"nats"]);
    for name in NAMES {
        let Some(events) = &entry(name).events else {
            continue;
        };
        let mut names: Vec<_> = events.names.iter().map(|e| &e.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(
            names.len(),
            events.names.len(),
            "{name} names an event twice"
        );
    }
}

#[test]
fn what_is_known_of_vendors_objects() {
    let salesforce = entry("salesforce");
    let name = salesforce.object_field("contact", "lastname").unwrap();
    assert_eq!((name.max_length(), name.is_required()), (Some(80), true));
    assert!(salesforce.object_field("Contact", "Nick__c").is_none());
    assert!(salesforce.object_field("Person__c", "LastName").is_none());
    let person = entry("pipedrive").object_field("persons", "name").unwrap();
    assert_eq!((person.max_length(), person.is_required()), (None, true));
    // A database is whatever its owner made it.
    for local in [
        "csv", "jsonl", "sqlite", "postgres", "webhook", "nats", "http",
    ] {
        assert!(entry(local).objects.is_empty(), "{local}");
    }
}

#[test]
fn objects_of_ones_own_say_something_once() {
    let with = |fields: &str| {
        let fields = fields.replace('|', "\n      - ");
        let objects = format!("objects:\n  - name: orders\n    fields:\n      - {fields}\nauth:");
        parse_entry(&SOUND.replace("auth:", &objects)).map(|e| e.objects)
    };
    let sound = with("{ name: note, max_length: { value: 20, verified: false } }").unwrap();
    assert_eq!(
        sound[0].field("NOTE").and_then(ObjectField::max_length),
        Some(20)
    );
    let bare = with("{ name: note, max_length: 20 }").unwrap_err();
    assert!(bare.message.starts_with("objects[0].fields[0]"), "{bare}");
    for (fields, message) in [
        (
            "{ name: note }",
            "`note` of `orders` says neither `max_length` nor `required`",
        ),
        (
            "{ name: note, max_length: { value: 0, verified: false } }",
            "`note` of `orders` takes no text at all: `max_length` is 0",
        ),
        (
            "{ name: note, required: { value: true, verified: false } }|{ name: Note, required: { value: true, verified: false } }",
            "`Note` of `orders` stands twice",
        ),
    ] {
        let error = with(fields).unwrap_err();
        assert_eq!((error.message.as_str(), error.line), (message, 22));
    }
}

/// A short entry that is whole.
const SOUND: &str = "\
name: shop
title: Shop
docs: https://shop.example
transport: http
tested: none
capabilities: { read: true, write: true, upsert: true, events: true, bulk: false, deletes: false, sends_mail: false }
change_time: seconds
tiers:
  - name: basic
    limits:
      - { name: calls, calls: { value: 60, verified: false }, per: 1m, scope: account }
default_tier: basic
events:
  payload: reference
  delivery: webhook
  replay: lost_for_good
  names:
    - name: order_paid
latency: { value: 300ms, verified: false }
secrets:
  - { name: token, required: always, about: a key }
auth: { scheme: bearer, secret: token }
";

#[track_caller]
fn broken(from: &str, to: &str, place: (u32, u32), message: &str) {
    assert!(SOUND.contains(from), "{from}");
    let error = parse_entry(&SOUND.replacen(from, to, 1)).unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), (error.line, error.column)),
        (message, place)
    );
}

#[test]
fn a_file_of_ones_own_says_what_is_wrong_and_where() {
    let sound = parse_entry(SOUND).unwrap();
    assert_eq!(sound.write_latency(), Millis(300));
    broken("title: Shop\n", "", (1, 1), "missing key `title`");
    broken(
        "tested: none",
        "testd: none",
        (5, 1),
        "unknown key `testd`; did you mean `tested`?",
    );
    broken(
        "- { name: token,",
        "- { name: token, colour: red,",
        (21, 20),
        "secrets[0]: unknown key `colour`; known are `name`, `type`, `required`, `secret`, \
         `default`, `about`",
    );
    broken(
        "tested: none",
        "tested: somewhat",
        (5, 9),
        "tested: unknown word `somewhat`, expected one of `none`, `contract`, `live`",
    );
    broken(
        "read: true",
        "read: 7",
        (6, 23),
        "capabilities.read: wrong kind of value: integer `7`, expected `true` or `false`",
    );
    broken(
        "value: 60",
        "value: many",
        (11, 40),
        "tiers[0].limits[0].calls.value: wrong kind of value: string \"many\", expected a whole \
         number",
    );
    broken(
        "per: 1m",
        "per: one",
        (11, 9),
        "tiers[0].limits[0]: `one` is no duration; write an integer and a unit, as in `500ms`, \
         `15m` or `1h30m`; the units are `d`, `h`, `m`, `s` and `ms`",
    );
    broken(
        "value: 60, verified: false",
        "value: 60",
        (11, 9),
        "tiers[0].limits[0]: a figure needs its `source` (page and date) or `verified: false`",
    );
    broken(
        "value: 60, verified: false",
        "value: 60, source: { page: x, date: \"31.1.26\" }",
        (11, 52),
        "tiers[0].limits[0].calls.source: `31.1.26` is no date; write it as `2026-01-31`",
    );
    broken(
        "- name: order_paid",
        "- name: order.paid",
        (13, 1),
        "`order.paid` is no event name that a policy could write; use letters, digits and `_`",
    );
    broken(
        "    - name: order_paid\n",
        "    []\n",
        (13, 1),
        "events have `any_name: true` or `names`, one of the two",
    );
    broken(
        "default_tier: basic",
        "default_tier: big",
        (12, 1),
        "the default tier `big` is none of the tiers",
    );
    broken(
        "default_tier: basic\n",
        "",
        (8, 1),
        "`tiers` need a `default_tier`, the one with the smallest limits",
    );
    broken(
        "events: true",
        "events: false",
        (6, 1),
        "`capabilities.events` and the part `events` must agree",
    );
    broken(
        "bearer, secret: token",
        "bearer, secret: key",
        (22, 1),
        "the secret `key` is none of the secrets",
    );
    broken(
        "title: Shop",
        "title: Shop\ntitle: Shop",
        (3, 1),
        "repeated key `title`",
    );
    broken(
        "title: Shop",
        "title: [",
        (2, 8),
        "title: wrong kind of value: a list, expected a string",
    );
    assert!(parse_entry("").is_err());
    assert!(parse_entry("\u{0}").is_err());
    assert!(parse_entry("- a\n- b").is_err());
}

#[test]
fn every_entry_keeps_to_the_published_schema() {
    let schema = serde_json::to_value(schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for name in NAMES {
        let yaml = Catalog::builtin().yaml(name).unwrap();
        let value: serde_json::Value = serde_yaml::from_str(yaml).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&value)
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let unknown: serde_json::Value =
        serde_yaml::from_str(&SOUND.replace("tested:", "testd:")).unwrap();
    assert!(!validator.is_valid(&unknown));
}
