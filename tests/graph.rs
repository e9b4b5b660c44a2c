//! Holds the graphs of a policy: which hops, derivations and waits they show, and in which order.

mod support;

use chrono::NaiveDate;
use support::fixtures;
use syncline::catalog::Catalog;
use syncline::graph::{Graph, ReadBy};
use syncline::model::{self, FieldId, Input, OwnConnectors, Policy, SystemId};

const POLICY: &str = r#"
policy shop {}
system crm { connector postgres secret url = env("A") }
system mailer { connector postgres secret url = env("B") }
system store { connector postgres secret url = env("C") }
entity contact {
  key email
  owner crm
  field email: email
  field full: text? derived `contact.both + "!"`
  field both: text? derived `contact.first + contact.last`
  field first: text?
  field last: text?
  field active: bool
}
map contact in crm { same_names cursor "seq" }
map contact in mailer { same_names cursor "seq" }
map contact in store { same_names cursor "seq" }
scenario c { sync contact(first, full) from mailer to store mode every 1h after b }
scenario b {
  sync contact(first, last) from crm to mailer if `contact.active`
  mode every 1h
  after a
}
scenario a { sync contact(first, last) from crm to store mode realtime }
"#;

fn policy() -> Policy {
    let parsed = fixtures::parse_text(POLICY);
    let (policy, findings) = model::lower(&Input {
        sources: &parsed.sources,
        files: &parsed.files,
        unread: false,
        catalog: Catalog::builtin(),
        own: &OwnConnectors::new(),
        now: NaiveDate::from_ymd_opt(2026, 1, 5).unwrap(),
    });
    assert!(findings.is_empty() && parsed.findings.is_empty());
    policy
}

fn field(policy: &Policy, name: &str) -> FieldId {
    let contact = policy.entity_named("contact").unwrap();
    policy.field_named(contact, name).unwrap()
}

fn system(policy: &Policy, name: &str) -> SystemId {
    policy.system_named(name).unwrap()
}

fn names(policy: &Policy, fields: &[FieldId]) -> Vec<String> {
    fields
        .iter()
        .map(|f| policy.field(*f).name.to_string())
        .collect()
}

#[test]
fn a_field_flows_by_the_hops_that_carry_it() {
    let p = policy();
    let g = Graph::build(&p);
    let [crm, mailer, store] = ["crm", "mailer", "store"].map(|s| system(&p, s));
    let first = g.flows.of(field(&p, "first")).unwrap();
    assert_eq!(first.edges().count(), 3);
    assert_eq!(first.reached_from(&[crm]), [mailer, store]);
    assert_eq!(first.reached_from(&[mailer]), [store]);
    assert!(!first.is_source(store) && first.circles().is_empty());
    let direct = first.path(crm, store, |_| true).unwrap();
    assert_eq!(direct.len(), 1);
    let detour = first.path(crm, store, |e| e != direct[0]).unwrap();
    assert_eq!(
        detour.iter().map(|e| e.to).collect::<Vec<_>>(),
        [mailer, store]
    );
    let scenarios: Vec<&str> = detour
        .iter()
        .map(|e| &*g.flows.scenario(&p, e.hop).name.text)
        .collect();
    assert_eq!(scenarios, ["b", "c"]);
    assert!(
        g.flows.of(field(&p, "email")).is_none(),
        "a key always travels"
    );
    assert!(
        g.flows.of(field(&p, "active")).is_none(),
        "what is read makes no edge"
    );
}

#[test]
fn fields_that_travel_alike_share_a_graph() {
    let p = policy();
    let g = Graph::build(&p);
    // `first` goes three ways, `last` two, `full` one.
    assert_eq!(g.flows.distinct(), 3);
}

#[test]
fn expressions_read_the_fields_that_are_not_derived() {
    let p = policy();
    let g = Graph::build(&p);
    let read = |scenario: &str| -> Vec<(String, ReadBy)> {
        let id = p.scenario_named(scenario).unwrap();
        let reads = g.reads.by_hop(g.flows.hop_id(id, 0));
        reads
            .iter()
            .map(|r| (p.field(r.field).name.to_string(), r.by))
            .collect()
    };
    let full = ReadBy::Derived(field(&p, "full"));
    assert_eq!(read("b"), [("active".to_owned(), ReadBy::Filter)]);
    assert_eq!(
        read("c"),
        [("first".to_owned(), full), ("last".to_owned(), full)]
    );
    assert_eq!(read("a"), []);
    assert_eq!(g.reads.of_field(field(&p, "last")).len(), 1);
}

#[test]
fn derived_fields_and_scenarios_have_an_order() {
    let p = policy();
    let g = Graph::build(&p);
    let inputs = g.derivations.inputs(&p, field(&p, "full"));
    assert_eq!(names(&p, &inputs), ["first", "last"]);
    let order = g.derivations.in_order(&p).unwrap();
    assert_eq!(names(&p, &order), ["both", "full"]);
    let [a, b, c] = ["a", "b", "c"].map(|s| p.scenario_named(s).unwrap());
    assert_eq!(g.order.in_order(), Some(vec![a, b, c]));
    assert!(g.order.waits_for(c, a) && !g.order.waits_for(a, c));
}
