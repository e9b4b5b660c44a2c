//! Holds the reading of names and values to its fixtures; `support/fixtures.rs` says how a
//! fixture tells what it expects.

mod support;

use chrono::NaiveDate;
use support::fixtures::{self, Parsed};
use syncline::catalog::Catalog;
use syncline::finding::{self, Finding};
use syncline::model::{self, Input, OwnConnectors, Policy};

/// The codes that lowering reports.
const CODES: &[&str] = &["SL0002", "SL0003", "SL0006", "SL0007", "SL0008", "SL0405"];

fn lower(parsed: &Parsed) -> (Policy, Vec<Finding>) {
    let own = OwnConnectors::new();
    let (policy, mut findings) = model::lower(&Input {
        sources: &parsed.sources,
        files: &parsed.files,
        unread: false,
        catalog: Catalog::builtin(),
        own: &own,
        now: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(),
    });
    findings.extend(parsed.findings.iter().cloned());
    finding::sort(&mut findings, &parsed.sources);
    (policy, findings)
}

fn lower_text(text: &str) -> (Policy, Vec<String>) {
    let parsed = fixtures::parse_text(text);
    let (policy, findings) = lower(&parsed);
    (
        policy,
        findings
            .iter()
            .map(|f| fixtures::show(&parsed.sources, f))
            .collect(),
    )
}

#[test]
fn every_fixture_has_the_findings_it_expects_and_no_other() {
    let mut wrong = String::new();
    for code in CODES {
        let all = fixtures::of(code);
        for fails in [true, false] {
            let count = all.iter().filter(|f| f.fails == fails).count();
            assert!(
                count >= 2,
                "{code} has {count} fixtures with fails = {fails}"
            );
        }
        for fixture in all {
            let parsed = fixtures::parse(&fixture.root);
            let (_, findings) = lower(&parsed);
            let differences = fixtures::differences(&parsed.sources, &findings);
            if !differences.is_empty() {
                wrong.push_str(&format!("{}:\n{differences}", fixture.name));
            }
            let has = findings.iter().any(|f| f.code.to_string() == fixture.code);
            if has != fixture.fails {
                wrong.push_str(&format!("{}: has its own finding: {has}\n", fixture.name));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_example_policy_has_no_finding() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/acme/policy.sync");
    let parsed = fixtures::parse(&root);
    let (policy, findings) = lower(&parsed);
    let shown: Vec<String> = findings
        .iter()
        .map(|f| fixtures::show(&parsed.sources, f))
        .collect();
    assert!(shown.is_empty(), "{shown:#?}");
    assert_eq!(policy.systems.len(), 4);
    assert_eq!(policy.scenarios.len(), 7);
}

const SHOP: &str = "policy shop { unsure every 10m }
system crm { connector postgres }
system mailer { connector webhook }
system desk { connector postgres }
entity contact {
  key email
  owner crm
  accepts mailer
  resolve owner_wins
  fresh 1h
  class pii
  field email: email
  field name: text?
  field opted: bool owner mailer accepts none fresh 1m in crm class consent
  field greeting: text? derived `\"Dear \" + contact.name`
  field line: text? derived `contact.greeting + contact.email`
}
map contact in crm { same_names }
map contact in desk \"people\" { key email = \"id\" field name = \"full_name\" field line = \"line\" }
map contact in mailer { key email = \"email\" field opted = \"optout\" field greeting = \"g\" }
";

/// The hops of the first scenario as `from>to field,field`.
fn hops(scenario: &str) -> Vec<String> {
    let (policy, findings) = lower_text(&format!("{SHOP}{scenario}"));
    assert!(findings.is_empty(), "{findings:#?}");
    let hops = policy.scenarios[0].hops.iter();
    hops.map(|hop| {
        let names: Vec<&str> = hop
            .fields
            .iter()
            .map(|f| &*policy.field(*f).name.text)
            .collect();
        let from = &policy.system(hop.from.value).name;
        format!(
            "{from}>{} {}",
            policy.system(hop.to.value).name,
            names.join(",")
        )
    })
    .collect()
}

#[test]
fn fields_inherit_what_they_do_not_say_and_derived_ones_nothing() {
    let (policy, findings) = lower_text(SHOP);
    assert!(findings.is_empty(), "{findings:#?}");
    let contact = policy.entity_named("contact").unwrap();
    let field = |name| policy.field(policy.field_named(contact, name).unwrap());
    let system = |name| policy.system_named(name).unwrap();
    let name = field("name");
    assert_eq!(name.origins(), [system("crm"), system("mailer")]);
    assert!(name.owner.unwrap().inherited && name.has_class("pii") && name.fresh.is_some());
    let opted = field("opted");
    assert_eq!(opted.origins(), [system("mailer")]);
    assert!(!opted.owner.unwrap().inherited && opted.resolve.unwrap().inherited);
    assert!(opted.has_class("consent") && !opted.has_class("pii"));
    let email = field("email");
    assert!(email.is_key && email.fresh.is_none() && email.has_class("pii"));
    let line = field("line");
    assert!(line.owner.is_none() && line.accepts.is_none() && line.classes.is_none());
    let reads = line.derived.as_ref().unwrap().expr.fields();
    assert_eq!(reads, [email.id, field("greeting").id]);
}

#[test]
fn a_star_is_what_both_map_but_what_the_receiver_owns_and_derived_fields_it_can_compute() {
    // `name` is crm's own, but mailer is an origin of it; mailer does not map it.
    assert_eq!(
        hops("scenario a { sync contact(*) between crm, mailer, desk }"),
        [
            "crm>mailer greeting",
            "crm>desk name,line",
            "mailer>crm opted",
            "mailer>desk ",
            "desk>crm greeting,line",
            "desk>mailer greeting",
        ]
    );
}

#[test]
fn named_fields_travel_every_pair_and_keys_change_nothing() {
    assert_eq!(
        hops(
            "scenario a { sync contact(opted, email, name) from mailer, crm to crm, desk
               sync contact(line) from crm to desk }"
        ),
        [
            "mailer>crm name,opted",
            "mailer>desk name,opted",
            "crm>desk name,opted",
            "crm>desk line"
        ]
    );
}

#[test]
fn modes_have_classes_and_priorities_follow_from_them() {
    use syncline::terms::{ModeClass, Priority};
    let scenario = |clauses: &str| {
        let (policy, findings) = lower_text(&format!(
            "{SHOP}scenario a {{ sync contact(name) from crm to mailer {clauses} }}"
        ));
        assert!(findings.is_empty(), "{findings:#?}");
        let scenario = &policy.scenarios[0];
        (
            scenario.mode.class,
            scenario.mode.written,
            scenario.priority,
        )
    };
    let near = Some(ModeClass::NearRealTime);
    assert_eq!(scenario(""), (near, false, Priority::Bulk));
    assert_eq!(scenario("mode every 15m"), (near, true, Priority::Bulk));
    let slow = Some(ModeClass::Scheduled);
    assert_eq!(scenario("mode every 15m window 01:00..05:00").0, slow);
    assert_eq!(scenario("mode cron \"*/5 8-18 * * *\"").0, slow);
    assert_eq!(
        scenario("mode every 16m stale lost_lead"),
        (slow, true, Priority::Intent)
    );
    let realtime = Some(ModeClass::Realtime);
    assert_eq!(
        scenario("mode realtime"),
        (realtime, true, Priority::Normal)
    );
    assert_eq!(scenario("mode realtime priority bulk").2, Priority::Bulk);
    let hybrid = Some(ModeClass::Hybrid);
    assert_eq!(scenario("mode realtime with reconcile hourly").0, hybrid);
    assert_eq!(scenario("mode auto"), (None, true, Priority::Normal));
    assert_eq!(
        scenario("sync contact(opted) from mailer to crm mode every 1h stale lost_lead").2,
        Priority::Consent
    );
}

#[test]
fn an_unknown_name_carries_a_mend_for_the_word_alone() {
    let text = format!("{SHOP}scenario a {{ sync contact(nmae) from crm to \n mailr }}");
    let parsed = fixtures::parse_text(&text);
    let (_, findings) = lower(&parsed);
    let mends: Vec<(&str, &str)> = findings
        .iter()
        .flat_map(|f| &f.fixes)
        .flat_map(|fix| &fix.edits)
        .map(|edit| (parsed.sources.slice(edit.span), edit.text.as_str()))
        .collect();
    assert_eq!(mends, [("nmae", "name"), ("mailr", "mailer")]);
    assert!(
        findings.iter().all(|f| f.labels.len() == 1),
        "the name meant is shown"
    );
}

#[test]
fn what_could_not_be_read_is_not_called_unknown() {
    let unread = |text: &str| {
        let parsed = fixtures::parse_text(text);
        let own = OwnConnectors::new();
        let (policy, findings) = model::lower(&Input {
            sources: &parsed.sources,
            files: &parsed.files,
            unread: true,
            catalog: Catalog::builtin(),
            own: &own,
            now: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(),
        });
        assert!(policy.gaps.anything);
        findings
            .iter()
            .map(|f| f.code.to_string())
            .collect::<Vec<_>>()
    };
    assert!(unread("scenario a { sync b(c) from d to e mode every 1h }").is_empty());
    // What the catalog declares is known all the same.
    assert_eq!(unread("system a { connector nowhere }"), ["SL0003"]);
}

#[test]
fn own_connectors_are_found_by_the_place_of_their_path() {
    use std::sync::Arc;
    let text = "policy p {} system a { connector \"./a.yaml\" } system b { connector \"b.yaml\" }";
    let parsed = fixtures::parse_text(text);
    let paths = model::own_connector_paths(&parsed.sources, &parsed.files);
    let written: Vec<&str> = paths.iter().map(|(_, path)| path.as_str()).collect();
    assert_eq!(written, ["./a.yaml", "b.yaml"]);
    let entry = Arc::new(Catalog::builtin().get("csv").unwrap().clone());
    let own = OwnConnectors::from([
        (paths[0].0, Ok(entry)),
        (paths[1].0, Err("line 3: no `name`".to_owned())),
    ]);
    let (policy, findings) = model::lower(&Input {
        sources: &parsed.sources,
        files: &parsed.files,
        unread: false,
        catalog: Catalog::builtin(),
        own: &own,
        now: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(),
    });
    let shown: Vec<String> = findings
        .iter()
        .map(|f| fixtures::show(&parsed.sources, f))
        .collect();
    assert_eq!(findings.len(), 1, "{shown:#?}");
    assert!(
        shown[0].starts_with("SL0007") && shown[0].contains("line 3"),
        "{shown:#?}"
    );
    assert!(
        policy.systems[0]
            .connector
            .as_ref()
            .unwrap()
            .entry
            .is_some()
    );
    assert!(
        policy.systems[1]
            .connector
            .as_ref()
            .unwrap()
            .entry
            .is_none()
    );
}

#[test]
fn allows_cover_their_block_or_field() {
    let text = "policy p { allow SL0804 \"all\" }
entity a {
  key k
  allow no-owner \"entity\" until 2027-01-31
  field k: int
  field f: int allow SL0101 \"field\"
}
";
    let parsed = fixtures::parse_text(text);
    let (policy, _) = lower(&parsed);
    let covers: Vec<Option<&str>> = policy
        .allows
        .iter()
        .map(|a| a.covers.map(|s| parsed.sources.slice(s)))
        .collect();
    assert_eq!(covers.len(), 3);
    assert_eq!(covers[0], None);
    assert!(covers[1].unwrap().starts_with("entity a {"));
    assert!(covers[2].unwrap().starts_with("field f: int allow"));
    assert_eq!(policy.allows[1].check, Some(syncline::finding::Code(101)));
}

#[test]
fn a_broken_text_never_stops_the_reading() {
    let acme = include_str!("../examples/acme/policy.sync");
    let lines: Vec<&str> = acme.lines().collect();
    for skip in 0..lines.len() {
        let kept = lines
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != skip)
            .map(|(_, l)| *l);
        lower_text(&kept.collect::<Vec<_>>().join("\n"));
    }
    let ends = acme.char_indices().map(|(at, _)| at).step_by(7);
    for end in ends {
        lower_text(&acme[..end]);
    }
}

#[test]
fn one_broken_clause_makes_no_second_finding() {
    let acme = include_str!("../examples/acme/policy.sync");
    for (from, to) in [
        ("system mailer {", "system mailer mailer {"),
        ("connector hubspot", "conector hubspot"),
        ("key     email\n", "key     1\n"),
        ("field lead_status: enum(", "field lead_status: enm("),
        (
            "field score:       int(0..100)?",
            "field score        int(0..100)?",
        ),
        ("entity contact {", "entity contact contact {"),
        (
            "map contact in crm \"Contact\" {",
            "map contact of crm \"Contact\" {",
        ),
        (
            "scenario clean_contacts {",
            "scenario clean_contacts clean {",
        ),
        ("mode    realtime\n", "mode    realtim\n"),
        ("timezone \"America/New_York\"", "timezone America"),
        ("policy acme_revops {", "policy {"),
        ("derived `contact.first_name", "derived contact.first_name"),
    ] {
        assert_eq!(acme.matches(from).count(), 1, "{from}");
        let (_, findings) = lower_text(&acme.replace(from, to));
        let others: Vec<&String> = findings
            .iter()
            .filter(|f| !f.starts_with("SL0001"))
            .collect();
        assert!(others.is_empty(), "{to}: {findings:#?}");
        assert!(!findings.is_empty(), "{to}");
    }
}
