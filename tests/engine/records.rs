//! Registers as text, conflicts for a person, several entities, times that cannot be.

use std::sync::Arc;

use proptest::prelude::*;
use syncline::engine::ports::Store;
use syncline::engine::program::Program;
use syncline::engine::register::{Gone, How, Known, Register, Stamp};
use syncline::engine::register_json;
use syncline::value::Value;

use crate::basics::policy;
use crate::world::{Bench, START, program, text};

#[test]
fn a_conflict_for_a_person_is_held_and_nothing_is_written_meanwhile() {
    for mode in ["realtime", "hourly"] {
        let fields = "field name: text? accepts b resolve manual";
        let flow = format!("scenario s {{ sync contact(name) between a, b mode {mode} }}");
        let mut bench = Bench::new(&policy(fields, &flow), 1);
        bench.sets("a", "k", &[("name", text("x"))]);
        bench.sim.now += 1_000;
        bench.sets("b", "k", &[("name", text("y"))]);
        if mode == "realtime" {
            bench.sim.held_events = Some(Vec::new());
        }
        bench.until_idle();
        bench.sim.held_events = None;
        bench.until_idle();
        let conflicts = bench.inner().conflicts().unwrap();
        assert_eq!(conflicts.len(), 1, "{mode}");
        assert_eq!((&*conflicts[0].key, &*conflicts[0].field), ("k", "name"));
        assert_eq!(conflicts[0].values, r#"{"a":"x","b":"y"}"#);
        assert_eq!(bench.all_writes(), 0);
        // They come to agree by themselves.
        bench.sim.now += 1_000;
        bench.sets("a", "k", &[("name", text("y"))]);
        bench.until_idle();
        assert_eq!(bench.inner().conflicts().unwrap(), []);
        for system in ["a", "b"] {
            assert_eq!(bench.value(system, "k", "name"), Some(text("y")));
        }
    }
}

#[test]
fn what_stood_there_before_is_kept_only_where_an_echo_could_be_taken_for_a_change() {
    let one_way = "sync contact(name, out) from a to b mode";
    let both_ways = "sync contact(name) between a, b sync contact(out) from a to b mode";
    let accepts = "accepts b resolve last_write_wins";
    for (accepts, flow, mode, kept) in [
        ("", one_way, "hourly", false),
        ("", one_way, "realtime", false),
        (accepts, one_way, "hourly", true),
        (accepts, both_ways, "realtime", true),
    ] {
        let fields = format!("field name: text? {accepts} field out: bool?");
        let flow = format!("scenario s {{ {flow} {mode} }}");
        let mut bench = Bench::new(&policy(&fields, &flow), 1);
        for (name, out) in [("x", true), ("y", false), ("z", false)] {
            bench.sim.now += 60_000;
            let fields = [("name", text(name)), ("out", Value::Bool(out))];
            bench.sets("a", "k", &fields);
            bench.until_idle();
        }
        assert_eq!(bench.value("b", "k", "name"), Some(text("z")));
        let doc = bench.inner().record("contact", "k").unwrap().unwrap();
        let doc: serde_json::Value = serde_json::from_str(&doc).unwrap();
        let sent = &doc["systems"]["b"]["sent"];
        let names: Vec<&str> = sent
            .as_array()
            .into_iter()
            .flatten()
            .map(|s| s[0].as_str().unwrap())
            .collect();
        assert_eq!(names.contains(&"name"), kept, "{flow}: {doc}");
        // The first and the last of each, and no more.
        assert_eq!(doc["said"]["a"][0][1]["name"], "z", "{flow}: {doc}");
        assert_eq!(
            doc["first"]["a"][0][1],
            serde_json::json!({"name": "x", "out": true}),
            "{flow}: {doc}"
        );
        assert_eq!(doc.get("fields"), None, "{flow}: {doc}");
    }
}

#[test]
fn entities_that_share_keys_stay_apart() {
    let mut source = policy("field name: text?", "");
    source += "entity company { key id owner a field id: text field title: text? }\n";
    for s in ["a", "b"] {
        source += &format!(
            "map company in {s} {{ same_names key id = \"id\" cursor \"seq\" changed_at \"at\" }}\n"
        );
    }
    for mode in ["hourly", "realtime"] {
        let flow = format!(
            "scenario s {{ sync contact(name) from a to b sync company(title) from a to b mode {mode} }}"
        );
        let mut bench = Bench::new(&format!("{source}{flow}"), 1);
        for i in 0..6 {
            let key = format!("k{i}");
            bench.sets("a", &key, &[("name", text(&format!("n{i}")))]);
            if i % 2 == 0 {
                let title = [("title".to_owned(), text(&format!("t{i}")))];
                bench.sim.sets("a", "company", &key, &title);
            }
        }
        bench.until_idle();
        let contacts = bench.sim.values("b", "contact");
        let companies = bench.sim.values("b", "company");
        assert_eq!((contacts.len(), companies.len()), (6, 3), "{mode}");
        assert_eq!(contacts["k2"]["name"], text("n2"));
        assert_eq!(companies["k2"]["title"], text("t2"));
        assert_eq!(bench.inner().quarantined(0, 10).unwrap(), []);
    }
}

#[test]
fn a_time_far_ahead_counts_as_arrival() {
    let fields = "field name: text? accepts b resolve last_write_wins";
    let flow = "scenario s { sync contact(name) between a, b mode MODE }";
    for mode in ["realtime", "hourly"] {
        let mut bench = Bench::new(&policy(fields, &flow.replace("MODE", mode)), 1);
        bench.sim.sets_at(
            "a",
            "contact",
            "k",
            &[("name".into(), text("ahead"))],
            START + 301_000,
        );
        bench.until_idle();
        assert_eq!(bench.tallies["s"].clamped, 1, "{mode}");
        bench.sim.now += 10_000;
        bench.sets("b", "k", &[("name", text("later"))]);
        bench.until_idle();
        assert_eq!(bench.value("a", "k", "name"), Some(text("later")), "{mode}");
        // Five minutes are allowed.
        let mut bench = Bench::new(&policy(fields, &flow.replace("MODE", mode)), 1);
        bench.sim.sets_at(
            "a",
            "contact",
            "k",
            &[("name".into(), text("ahead"))],
            START + 300_000,
        );
        bench.until_idle();
        assert_eq!(bench.tallies["s"].clamped, 0, "{mode}");
    }
}

#[test]
fn without_a_time_of_its_own_a_change_has_that_of_its_arrival() {
    let fields = "field name: text? accepts b resolve last_write_wins";
    let flow = "scenario s { sync contact(name) between a, b mode hourly }";
    let mut bench = Bench::new(&policy(fields, flow), 1);
    for s in ["a", "b"] {
        bench.sim.system(s).manner.timed = false;
    }
    for (round, (system, value)) in [("a", "1"), ("b", "2"), ("b", "3"), ("a", "4")]
        .into_iter()
        .enumerate()
    {
        bench.sim.now = START + round as i64 * 60_000;
        bench.sets(system, "k", &[("name", text(value))]);
        bench.until_idle();
        for s in ["a", "b"] {
            assert_eq!(bench.value(s, "k", "name"), Some(text(value)));
        }
    }
    let before = bench.all_writes();
    bench.sim.now += 60_000;
    bench.until_idle();
    assert_eq!(bench.all_writes(), before);
}

#[test]
fn a_source_that_changes_a_value_and_not_its_time_is_believed() {
    let flow = "scenario s { sync contact(name) from a to b mode hourly scan full }";
    let mut bench = Bench::new(&policy("field name: text?", flow), 1);
    for value in ["b", "a", "c"] {
        bench.seed("a", "k", &[("name", text(value))], -9_000);
        bench.until_idle();
        assert_eq!(bench.value("b", "k", "name"), Some(text(value)));
        bench.sim.now += 1_000;
    }
}

#[test]
fn a_losing_system_without_a_flow_back_in_the_same_scenario_is_put_right_by_another() {
    let fields = "field name: text? accepts b resolve owner_wins";
    for modes in [
        ("realtime", "realtime"),
        ("hourly", "every 2h"),
        ("hourly", "realtime"),
        ("realtime", "hourly"),
    ] {
        let flows = format!(
            "scenario s {{ sync contact(name) from b to a mode {} }} \
             scenario t {{ sync contact(name) from a to b mode {} }}",
            modes.0, modes.1
        );
        let mut bench = Bench::new(&policy(fields, &flows), 1);
        bench.sets("a", "k", &[("name", text("owner"))]);
        bench.until_idle();
        bench.sim.now += 60_000;
        bench.until_idle();
        bench.sim.now += 60_000;
        bench.sets("b", "k", &[("name", text("other"))]);
        bench.until_idle();
        bench.sim.now += 60_000;
        bench.until_idle();
        for s in ["a", "b"] {
            let value = bench.value(s, "k", "name");
            assert_eq!(
                value,
                Some(text("owner")),
                "{s}, {modes:?}\n{}",
                bench.story("k")
            );
        }
    }
}

fn value(field: u16) -> BoxedStrategy<Value> {
    match field {
        1 => prop_oneof![Just(Value::Null), any::<i64>().prop_map(Value::Int)].boxed(),
        2 => prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::Bool)].boxed(),
        3 => prop::collection::vec("[a-c\"\\\\é]{0,3}", 0..4)
            .prop_map(|t| Value::set(t.into_iter().map(|t| Value::Text(t.into())).collect()))
            .boxed(),
        _ => ".{0,6}".prop_map(|t| Value::Text(t.into())).boxed(),
    }
}

#[derive(Debug, Clone)]
enum Step {
    Said(u16, u16, Value, i64, u8),
    Known(u16, u16, Value, i64, u8),
    Forget(u16, u16),
    Gone(u16, i64, Option<i64>),
    Agreed(u16, Value, i64),
    Native(u16, String),
}

fn step() -> impl Strategy<Value = Step> {
    let field = 1..5u16;
    let of = field.prop_flat_map(|f| (Just(f), value(f)));
    prop_oneof![
        5 => (0..3u16, of.clone(), 0..9i64, 0..3u8).prop_map(|(s, (f, v), at, id)| Step::Said(s, f, v, at, id)),
        5 => (0..3u16, of.clone(), 0..9i64, 0..3u8).prop_map(|(s, (f, v), at, how)| Step::Known(s, f, v, at, how)),
        1 => (0..3u16, 1..5u16).prop_map(|(s, f)| Step::Forget(s, f)),
        1 => (0..3u16, any::<i64>(), any::<Option<i64>>()).prop_map(|(s, at, sent)| Step::Gone(s, at, sent)),
        1 => (of, any::<i64>()).prop_map(|((f, v), at)| Step::Agreed(f, v, at)),
        1 => (0..3u16, ".{0,5}").prop_map(|(s, k)| Step::Native(s, k)),
    ]
}

fn register(steps: &[Step]) -> Register {
    let mut register = Register {
        version: steps.len() as u64,
        ..Register::default()
    };
    for step in steps.iter().cloned() {
        match step {
            Step::Said(s, f, value, at, id) => {
                let id: Arc<str> = Arc::from(format!("e\"{id}"));
                let known = Known {
                    value: value.clone(),
                    at,
                    how: How::Reported,
                };
                register.view_mut(s).replace(f, known);
                register.field_mut(f).merge(s, Stamp { value, at, id });
            }
            Step::Known(s, f, value, at, how) => {
                let how = [How::Reported, How::Sent, How::Arrived(at + 5)][how as usize];
                register.field_mut(f);
                register.view_mut(s).replace(f, Known { value, at, how });
            }
            Step::Forget(s, f) => register.view_mut(s).forget(f),
            Step::Gone(s, at, sent) => register.view_mut(s).gone = Some(Gone { at, sent }),
            Step::Agreed(f, value, at) => {
                let id = Arc::from("ada");
                register.field_mut(f).agreed = Some(Stamp { value, at, id });
            }
            Step::Native(s, key) => register.view_mut(s).native_key = Some(key),
        }
    }
    // What says nothing is not printed.
    let fields = register.fields.clone();
    register.systems.retain(|(s, v)| {
        fields.iter().any(|(_, f)| f.origin(*s).is_some())
            || v.native_key.is_some()
            || !v.known.is_empty()
            || v.gone.is_some()
            || !v.sent.is_empty()
    });
    register
        .fields
        .retain(|(_, f)| !f.origins.is_empty() || f.agreed.is_some());
    register
}

fn known_program(resolve: &str) -> Program {
    program(&policy(
        &format!(
            "field n: int? accepts b, c resolve {resolve} field o: bool? field s: set(text)? field t: text?"
        ),
        "",
    ))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn registers_come_back_from_text_as_they_were(steps in prop::collection::vec(step(), 0..14)) {
        let program = known_program("max");
        let entity = &program.entities[0];
        prop_assert_eq!(entity.fields.len(), 5);
        let register = register(&steps);
        let printed = register_json::print(entity, &register);
        let mut read = register_json::parse(entity, &printed).unwrap();
        let said = read.fields.clone();
        read.systems.retain(|(s, v)| {
            *v != Default::default() || said.iter().any(|(_, f)| f.origin(*s).is_some())
        });
        prop_assert_eq!(&read, &register, "{}", printed);
        // Another rule reads the same.
        let other = known_program("min");
        let again = register_json::parse(&other.entities[0], &printed).unwrap();
        prop_assert_eq!(register_json::print(&other.entities[0], &again), printed);
    }
}

#[test]
fn fields_and_systems_that_are_no_more_are_passed_over() {
    let program = known_program("max");
    let doc = r#"{"version":4,"marks":[[5,"e"]],"fields":{"gone":{"a":[1,0]},"n":{"z":[1,0],"a":[2,0]}},
        "agreed":{"gone":[1,0]},"systems":{"z":{"known":{"n":0}},"b":{"known":{"gone":0,"n":0}}}}"#;
    let register = register_json::parse(&program.entities[0], doc).unwrap();
    assert_eq!(register.version, 4);
    assert_eq!(register.fields.len(), 1);
    assert!(register_json::parse(&program.entities[0], "{}").is_err());
    assert!(register_json::parse(&program.entities[0], "[").is_err());
}

#[test]
fn what_a_person_chose_goes_everywhere_and_holds_until_somebody_changes_it() {
    for mode in ["realtime", "hourly"] {
        let fields = "field name: text? accepts b resolve manual";
        let flow = format!("scenario s {{ sync contact(name) between a, b mode {mode} }}");
        let mut bench = Bench::new(&policy(fields, &flow), 1);
        bench.sets("a", "k", &[("name", text("x"))]);
        bench.sim.now += 1_000;
        bench.sets("b", "k", &[("name", text("y"))]);
        bench.until_idle();
        let now = syncline::time::Instant(bench.sim.now);
        let mut store = bench.store.clone();
        let field = bench.program.entities[0].field("name").unwrap();
        let place = (0, "k", field);
        syncline::engine::decide::choose(&bench.program, &mut store, now, place, text("z"), "ada")
            .unwrap();
        assert_eq!(bench.inner().conflicts().unwrap(), []);
        bench.until_idle();
        for s in ["a", "b"] {
            assert_eq!(bench.value(s, "k", "name"), Some(text("z")), "{mode}");
        }
        bench.sim.now += 60_000;
        bench.sets("b", "k", &[("name", text("after"))]);
        bench.until_idle();
        assert_eq!(
            bench.value("a", "k", "name"),
            Some(text("after")),
            "{mode}\n{}",
            bench.story("k")
        );
    }
}
