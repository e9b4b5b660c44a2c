//! What the rules say, worked out anew from what people did: the other half of every comparison.

use std::collections::BTreeSet;

use syncline::value::Value;

use crate::case::Rule;

/// What a person set.
#[derive(Debug, Clone)]
pub struct Said {
    /// 0: the owner.
    pub origin: usize,
    /// When, by the origin's clock as it tells it, in microseconds.
    pub at: i64,
    /// Order of happening.
    pub seq: usize,
    pub value: Value,
    /// Whether the runner may have been about to write the very same value there: then nobody can
    /// say whose it is, and it may count or not.
    pub doubtful: bool,
}

/// What a rule may show the world, each way of taking what is doubtful.
pub fn values(rule: Rule, said: &[Said]) -> Vec<Option<Value>> {
    let doubtful: Vec<usize> = (0..said.len()).filter(|i| said[*i].doubtful).collect();
    // Beyond so many the last of them all count.
    let open = doubtful.len().min(10);
    let mut found = Vec::new();
    for left_out in 0..1u32 << open {
        let counts = |i: &usize| {
            let at = doubtful.iter().position(|d| d == i);
            at.is_none_or(|at| at >= open || left_out & (1 << at) == 0)
        };
        let some: Vec<Said> = (0..said.len())
            .filter(counts)
            .map(|i| said[i].clone())
            .collect();
        let value = value(rule, &some);
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// The value that a rule shows the world; `None`: none.
pub fn value(rule: Rule, said: &[Said]) -> Option<Value> {
    let latest = |origin: usize| {
        let mine = said.iter().filter(|s| s.origin == origin);
        mine.max_by_key(|s| (s.at, s.seq))
    };
    let latests: Vec<&Said> = [0, 1].into_iter().filter_map(latest).collect();
    let values = || latests.iter().map(|s| s.value.clone());
    match rule {
        Rule::Owned => latest(0).map(|s| s.value.clone()),
        Rule::OwnerWins => latest(0).or(latest(1)).map(|s| s.value.clone()),
        // Of one time the owner goes first.
        Rule::LastWriteWins => latests
            .iter()
            .max_by_key(|s| (s.at, std::cmp::Reverse(s.origin)))
            .map(|s| s.value.clone()),
        Rule::FirstWriteWins => said
            .iter()
            .min_by_key(|s| (s.at, s.origin, s.seq))
            .map(|s| s.value.clone()),
        Rule::AnyTrue => bound_by_owner(said, true),
        Rule::AllTrue => bound_by_owner(said, false),
        Rule::Max => values().max_by_key(number),
        Rule::Min => values().min_by_key(number),
        Rule::Union => (!latests.is_empty()).then(|| {
            let all = latests.iter().flat_map(|s| match &s.value {
                Value::Set(members) => members.clone(),
                _ => Vec::new(),
            });
            Value::set(all.collect())
        }),
    }
}

/// `wins` stands where any origin said it since the owner last said the other; a tie is `wins`.
fn bound_by_owner(said: &[Said], wins: bool) -> Option<Value> {
    if said.is_empty() {
        return None;
    }
    let says = |s: &&Said, what: bool| s.value == Value::Bool(what);
    let takes_back = said.iter().filter(|s| s.origin == 0 && says(s, !wins));
    let taken_back = takes_back.map(|s| s.at).max();
    let stands = said
        .iter()
        .filter(|s| says(s, wins))
        .any(|s| taken_back.is_none_or(|back| s.at >= back));
    Some(Value::Bool(stands == wins))
}

fn number(value: &Value) -> i64 {
    match value {
        Value::Int(i) => *i,
        _ => 0,
    }
}

/// A value of a rule's type from a number.
pub fn of_number(rule: Rule, number: u16) -> Value {
    match rule {
        Rule::AnyTrue | Rule::AllTrue => Value::Bool(number % 2 == 1),
        Rule::Union => {
            let names = ["p", "q", "r", "s"];
            let members: BTreeSet<&str> = (0..4)
                .filter(|i| number & (1 << i) != 0)
                .map(|i| names[i])
                .collect();
            Value::set(members.into_iter().map(|m| Value::Text(m.into())).collect())
        }
        _ => Value::Int(i64::from(number)),
    }
}
