//! Events that come twice, and many at once.

use syncline::engine::ports::RawEvent;
use syncline::value::Value;

use crate::basics::policy;
use crate::world::{Act, Bench, text};

const DAY: i64 = 86_400_000;

#[test]
fn an_event_is_known_again_for_seven_days() {
    let flow = "scenario s { sync contact(name) from a to b mode realtime }";
    let mut bench = Bench::new(&policy("field name: text?", flow), 1).with_plan(|plan| {
        for system in &mut plan.systems {
            system.capabilities.events = false;
        }
    });
    let again = |name: &str| {
        let body = serde_json::json!({
            "entity": "contact", "key": "k", "fields": { "name": name }, "deleted": false, "at": null,
        });
        let event = RawEvent {
            id: "same".into(),
            body: body.to_string(),
        };
        Act::Do(Box::new(move |sim| sim.push("a", event)))
    };
    bench.sim.at(1_000, again("first"));
    bench.sim.at(7 * DAY - 2 * 3_600_000, again("repeated"));
    bench.for_ms(7 * DAY);
    let value = |bench: &Bench| -> Option<Value> { bench.value("b", "k", "name") };
    assert_eq!((value(&bench), bench.writes("b")), (Some(text("first")), 1));
    bench.sim.at(7 * DAY + 2 * 3_600_000, again("another"));
    bench.for_ms(DAY);
    assert_eq!(value(&bench), Some(text("another")));
}

#[test]
fn a_feed_is_left_alone_while_what_came_in_waits() {
    let flow = "scenario s { sync contact(name) from a to b mode realtime }";
    let mut bench = Bench::new(&policy("field name: text?", flow), 1);
    let event = |n: usize| RawEvent {
        id: format!("e{n}"),
        body: serde_json::json!({
            "entity": "contact", "key": format!("k{n:04}"), "fields": { "name": "x" },
            "deleted": false, "at": null,
        })
        .to_string(),
    };
    let pages = [0..2_000, 2_000..4_000, 4_000..4_500];
    let a = bench.sim.system("a");
    a.feed = pages.map(|page| page.map(event).collect()).into();
    bench.for_ms(60_000);
    let waited = &bench.sim.system("a").waited_when_asked;
    assert!(waited.len() > 3);
    // No more than the runner takes at once.
    assert!(waited.iter().all(|waits| *waits < 500), "{waited:?}");
    assert_eq!(bench.sim.values("b", "contact").len(), 4_500);
}
