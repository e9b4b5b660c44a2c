//! Laws of the resolve rules: the shown value does not depend on order, repetition or batching.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::engine::register::{FieldRegister, Stamp};

#[derive(Debug, Clone)]
struct Change {
    system: SystemIx,
    stamp: Stamp,
}

fn value(rule: ResolveRule) -> BoxedStrategy<Value> {
    let null = Just(Value::Null);
    match rule {
        ResolveRule::AnyTrue | ResolveRule::AllTrue => {
            prop_oneof![5 => any::<bool>().prop_map(Value::Bool), 1 => null].boxed()
        }
        ResolveRule::Union => prop_oneof![
            5 => prop::collection::vec((0..4i64).prop_map(Value::Int), 0..4).prop_map(Value::set),
            1 => null
        ]
        .boxed(),
        _ => prop_oneof![5 => (0..5i64).prop_map(Value::Int), 1 => null].boxed(),
    }
}

fn changes(rule: ResolveRule) -> impl Strategy<Value = Vec<Change>> {
    // Few times, ids and values, so that every kind of tie comes up.
    let change =
        (0..4u16, value(rule), 0..6i64, 0..3u8).prop_map(|(system, value, at, id)| Change {
            system,
            stamp: Stamp {
                value,
                at,
                id: Arc::from(format!("e{id}")),
            },
        });
    prop::collection::vec(change, 1..14)
}

fn apply(changes: &[Change]) -> FieldRegister {
    let mut field = FieldRegister::default();
    for change in changes {
        field.merge(change.system, change.stamp.clone());
    }
    field
}

fn case() -> impl Strategy<Value = (Rule, Vec<Change>, Vec<Change>)> {
    let rules = prop::sample::select(ResolveRule::ALL.to_vec());
    (rules, prop::option::of(0..4u16)).prop_flat_map(|(resolve, owner)| {
        changes(resolve).prop_flat_map(move |changes| {
            let rule = Rule {
                resolve: Some(resolve),
                owner,
            };
            let repeated = prop::collection::vec(prop::sample::select(changes.clone()), 0..6);
            let original = changes.clone();
            (Just(rule), Just(original), repeated).prop_flat_map(
                move |(rule, original, repeated)| {
                    let mut all = original.clone();
                    all.extend(repeated);
                    (Just(rule), Just(original), Just(all).prop_shuffle())
                },
            )
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn order_and_repetition_do_not_matter((rule, original, shuffled) in case()) {
        let a = apply(&original);
        let b = apply(&shuffled);
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(shown(rule, &a), shown(rule, &b));
    }

    #[test]
    fn only_the_owner_takes_a_true_back((_, original, _) in case(), owner in 0..4u16) {
        let rule = Rule { resolve: Some(ResolveRule::AnyTrue), owner: Some(owner) };
        let bools: Vec<_> = original
            .into_iter()
            .filter(|c| matches!(c.stamp.value, Value::Bool(_)))
            .collect();
        let field = apply(&bools);
        let back = bools.iter().filter(|c| c.system == owner && c.stamp.value == Value::Bool(false))
            .map(|c| c.stamp.at).max();
        let wanted = bools.iter().any(|c| {
            c.stamp.value == Value::Bool(true) && back.is_none_or(|b| c.stamp.at >= b)
        });
        if !bools.is_empty() {
            let got = shown(rule, &field);
            prop_assert_eq!(got.value(), Some(&Value::Bool(wanted)));
        }
    }

    #[test]
    fn a_reference_reading_of_last_and_first_agrees((_, original, _) in case(), owner in 0..4u16) {
        let field = apply(&original);
        // Straight from the words: the latest change of all; ties to the owner, then by name;
        // within one system by event id, then value.
        let key = |c: &&Change| {
            (c.stamp.at, c.system == owner, Reverse(c.system), c.stamp.id.clone(), c.stamp.value.clone())
        };
        let latest = original.iter().max_by_key(key).map(|c| c.stamp.value.clone());
        let rule = |resolve| Rule { resolve: Some(resolve), owner: Some(owner) };
        let got = shown(rule(ResolveRule::LastWriteWins), &field);
        prop_assert_eq!(got.value().cloned(), latest);
        let first_key = |c: &&Change| {
            (c.stamp.at, c.system != owner, c.system, c.stamp.id.clone(), c.stamp.value.clone())
        };
        let first = original.iter().min_by_key(first_key).map(|c| c.stamp.value.clone());
        let got = shown(rule(ResolveRule::FirstWriteWins), &field);
        prop_assert_eq!(got.value().cloned(), first);
    }
}

fn one(system: SystemIx, value: Value, at: i64) -> Change {
    Change {
        system,
        stamp: Stamp {
            value,
            at,
            id: Arc::from("e"),
        },
    }
}

#[test]
fn owner_wins_until_the_owner_never_spoke_and_null_is_a_value() {
    let rule = Rule {
        resolve: Some(ResolveRule::OwnerWins),
        owner: Some(1),
    };
    let field = apply(&[one(0, Value::Int(7), 9), one(2, Value::Int(8), 10)]);
    assert_eq!(shown(rule, &field).value(), Some(&Value::Int(8)));
    let field = apply(&[one(0, Value::Int(7), 9), one(1, Value::Null, 1)]);
    assert_eq!(shown(rule, &field).value(), Some(&Value::Null));
}

#[test]
fn extremes_and_unions_span_all_origins() {
    let field = apply(&[
        one(0, Value::Int(7), 9),
        one(1, Value::Int(3), 1),
        one(2, Value::Null, 99),
    ]);
    let rule = |resolve| Rule {
        resolve: Some(resolve),
        owner: Some(1),
    };
    assert_eq!(
        shown(rule(ResolveRule::Max), &field).value(),
        Some(&Value::Int(7))
    );
    assert_eq!(
        shown(rule(ResolveRule::Min), &field).value(),
        Some(&Value::Int(3))
    );
    let set = |n: i64| Value::set(vec![Value::Int(n), Value::Int(0)]);
    let field = apply(&[one(0, set(2), 9), one(1, set(1), 1)]);
    let all = Value::set(vec![Value::Int(0), Value::Int(1), Value::Int(2)]);
    assert_eq!(shown(rule(ResolveRule::Union), &field).value(), Some(&all));
}

#[test]
fn a_manual_conflict_is_held_until_a_person_chose() {
    let rule = Rule {
        resolve: Some(ResolveRule::Manual),
        owner: Some(0),
    };
    let mut field = apply(&[one(0, Value::Int(1), 5), one(1, Value::Int(2), 6)]);
    assert_eq!(shown(rule, &field), Shown::Held { agreed: None });
    field.agreed = Some(Stamp {
        value: Value::Int(2),
        at: 7,
        id: Arc::from("ada"),
    });
    assert_eq!(shown(rule, &field).value(), Some(&Value::Int(2)));
    field.merge(0, one(0, Value::Int(3), 8).stamp);
    assert_eq!(
        shown(rule, &field).value(),
        Some(&Value::Int(3)),
        "one side changed since"
    );
    field.merge(1, one(1, Value::Int(4), 9).stamp);
    assert_eq!(
        shown(rule, &field).value(),
        Some(&Value::Int(2)),
        "the agreed value stays"
    );
    assert!(matches!(
        shown(rule, &field),
        Shown::Held { agreed: Some(_) }
    ));
}

#[test]
fn a_gap_that_was_never_filled_is_no_side_of_a_manual_conflict() {
    let rule = Rule {
        resolve: Some(ResolveRule::Manual),
        owner: Some(0),
    };
    let says = |value, at| Stamp {
        value,
        at,
        id: Arc::from("e"),
    };
    let mut field = FieldRegister::default();
    field.merge(0, says(Value::Int(1), 10));
    field.merge(1, says(Value::Null, 20));
    assert_eq!(shown(rule, &field).value(), Some(&Value::Int(1)));
    // Once it was filled, its emptying is a word like any other.
    let mut emptied = FieldRegister::default();
    emptied.merge(0, says(Value::Int(1), 10));
    emptied.merge(1, says(Value::Int(1), 5));
    emptied.merge(1, says(Value::Null, 20));
    assert!(matches!(shown(rule, &emptied), Shown::Held { .. }));
}
