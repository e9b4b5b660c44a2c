//! One-way flows: loads, echoes, counts, filters, derived fields, several entities.

use syncline::value::Value;

use crate::world::{Bench, text};

/// Systems `a`, `b`, `c`, an entity with plain fields owned by `a`, maps of it everywhere.
pub fn policy(fields: &str, rest: &str) -> String {
    let mut out = String::from("policy p { }\n");
    for s in ["a", "b", "c"] {
        out += &format!("system {s} {{ connector jsonl option path = \"{s}.jsonl\" }}\n");
    }
    out += &format!("entity contact {{\n key id\n owner a\n field id: text\n {fields}\n}}\n");
    for s in ["a", "b", "c"] {
        out += &format!(
            "map contact in {s} {{ same_names key id = \"id\" cursor \"seq\" changed_at \"at\" }}\n"
        );
    }
    out + rest
}

#[test]
fn a_first_load_arrives_and_a_second_run_writes_nothing() {
    let text_policy = policy(
        "field name: text? field score: int? field both: text? derived `contact.name + \"!\"`",
        "scenario s { sync contact(name, score, both) from a to b mode hourly }",
    );
    let mut bench = Bench::new(&text_policy, 1);
    for i in 0..25 {
        let fields = [("name", text(&format!("n{i}"))), ("score", Value::Int(i))];
        bench.seed("a", &format!("k{i}"), &fields, -1_000);
    }
    bench.until_idle();
    assert_eq!(bench.sim.values("b", "contact").len(), 25);
    assert_eq!(bench.value("b", "k3", "both"), Some(text("n3!")));
    let counts = bench.tallies["s"].counts;
    assert_eq!((counts.read, counts.changed, counts.written), (25, 25, 25));
    bench.until_idle();
    assert_eq!(bench.writes("b"), 25);
    assert_eq!(bench.tallies["s"].counts.written, 0);
    assert_eq!(bench.tallies["s"].counts.changed, 0);
    bench.sim.now += 60_000;
    bench.sets("a", "k3", &[("name", text("new"))]);
    bench.until_idle();
    assert_eq!(bench.value("b", "k3", "both"), Some(text("new!")));
    assert_eq!(bench.writes("b"), 26);
    assert_eq!(bench.tallies["s"].counts.changed, 1);
}
