//! What a system passes on that has it from others.

use syncline::value::Value;

use crate::basics::policy;
use crate::world::{Bench, text};

/// `name` comes to `b`, where a condition lets it, and goes on to `c` from there; `other` goes
/// straight to `c`.
fn bench(condition: &str) -> Bench {
    let fields = "field open: bool? field name: text? field other: text?";
    let flows = format!(
        "scenario first {{ sync contact(name, open) from a to b {condition} mode hourly }}\n\
         scenario second {{ sync contact(name) from b to c mode hourly }}\n\
         scenario beside {{ sync contact(other) from a to c mode hourly }}"
    );
    let mut bench = Bench::new(&policy(fields, &flows), 3);
    for system in ["a", "b", "c"] {
        for (key, open) in [("yes", true), ("no", false)] {
            let fields = [("open", Value::Bool(open)), ("name", text("old"))];
            bench.seed(system, key, &fields, -9_000);
        }
    }
    bench.until_idle();
    bench
}

#[test]
fn what_a_condition_keeps_from_a_relay_does_not_go_on_from_there() {
    let mut bench = bench("if `contact.open == true`");
    bench.sim.now += 60_000;
    for key in ["yes", "no"] {
        bench.sets("a", key, &[("name", text("new")), ("other", text("o"))]);
    }
    bench.until_idle();
    // The relay shows both records again: somebody worked on them there.
    bench.sim.now += 60_000;
    for key in ["yes", "no"] {
        bench.sets("b", key, &[("open", Value::Bool(key == "yes"))]);
    }
    bench.until_idle();
    assert_eq!(bench.value("b", "yes", "name"), Some(text("new")));
    assert_eq!(bench.value("c", "yes", "name"), Some(text("new")));
    assert_eq!(bench.value("b", "no", "name"), Some(text("old")));
    assert_eq!(bench.value("c", "no", "name"), Some(text("old")));
    assert_eq!(bench.value("c", "no", "other"), Some(text("o")));
    // Once the condition lets it through it goes all the way.
    bench.sim.now += 60_000;
    bench.sets("a", "no", &[("open", Value::Bool(true))]);
    bench.until_idle();
    bench.sim.now += 60_000;
    bench.until_idle();
    assert_eq!(bench.value("b", "no", "name"), Some(text("new")));
    assert_eq!(bench.value("c", "no", "name"), Some(text("new")));
}

#[test]
fn without_a_condition_a_relay_passes_on_what_is_known() {
    let mut bench = bench("");
    bench.sim.now += 60_000;
    bench.sets("a", "no", &[("name", text("new"))]);
    bench.until_idle();
    bench.sim.now += 60_000;
    bench.until_idle();
    assert_eq!(bench.value("c", "no", "name"), Some(text("new")));
}
