//! Laws of comparing: nothing differs from itself, layout and order are no change in meaning, and
//! what the runner would be told differently is always told as a change.

#[path = "support/memory.rs"]
mod memory;
#[path = "support/mutate.rs"]
mod mutate;
#[path = "support/whole.rs"]
mod whole;

use std::collections::BTreeSet;

use syncline::diff::{self, Diff, Side, Source};
use syncline::plan::Plan;
use syncline::workspace::Checked;

fn plan(checked: &Checked) -> Option<Plan> {
    let planned = !checked.has_errors();
    planned.then(|| syncline::plan::compile(checked.sources(), &checked.policy).unwrap())
}

fn side<'a>(checked: &'a Checked, plan: &'a Plan) -> Side<'a> {
    let source = Source {
        policy: &checked.policy,
        sources: checked.sources(),
        findings: &checked.findings,
        estimate: None,
    };
    Side::policy("policy", plan, source)
}

fn of_texts(old: &str, new: &str) -> Diff {
    let (old, new) = (whole::check_text(old), whole::check_text(new));
    let (old_plan, new_plan) = (plan(&old).unwrap(), plan(&new).unwrap());
    diff::between(side(&old, &old_plan), &side(&new, &new_plan))
}

/// A policy's items, each with the comments above it; `use` stays where it is.
fn items(text: &str) -> Vec<String> {
    let mut items: Vec<String> = vec![String::new()];
    let mut depth = 0_i32;
    for line in text.lines() {
        let last = items.last_mut().unwrap();
        last.push_str(line);
        last.push('\n');
        let code = line.split("//").next().unwrap_or_default();
        depth += code.matches('{').count() as i32 - code.matches('}').count() as i32;
        if depth == 0 && code.contains('}') {
            items.push(String::new());
        }
    }
    items
}

#[test]
fn nothing_differs_from_itself() {
    for (name, text) in whole::good() {
        let found = of_texts(&text, &text);
        assert!(found.is_empty(), "{name}: {:?}", found.changes);
    }
}

#[test]
fn layout_and_the_order_of_items_are_no_change_in_meaning() {
    for (name, text) in whole::good() {
        let mut turned = items(&text);
        turned.reverse();
        let turned = turned.concat();
        let found = of_texts(&text, &turned);
        assert!(found.is_empty(), "{name}, turned: {:?}", found.changes);
        let spread = text.replace('\n', "\n\n  // a note\n");
        let found = of_texts(&text, &spread);
        assert!(found.is_empty(), "{name}, spread: {:?}", found.changes);
    }
}

/// Texts that mean something else, or nothing: every number raised, every line within a block left
/// out, every word of a closed list changed for another of it.
fn changed(text: &str) -> Vec<String> {
    const WORDS: &[(&str, &str)] = &[
        ("owner_wins", "last_write_wins"),
        ("any_true", "all_true"),
        ("realtime", "every 1h"),
        ("quarantine", "abort"),
        ("newest", "oldest"),
        ("propagate", "ignore"),
        ("consent", "bulk"),
        ("pii", "secretive"),
        ("late_followup", "lost_lead"),
        ("text?", "text(90)?"),
        ("bool", "bool?"),
        ("true", "false"),
    ];
    let mut all = Vec::new();
    let put = |range: std::ops::Range<usize>, new: &str| {
        format!("{}{new}{}", &text[..range.start], &text[range.end..])
    };
    for token in mutate::tokens(text) {
        let old = &text[token.clone()];
        if let Some(at) = old.find(|c: char| ('1'..='8').contains(&c)) {
            let place = token.start + at;
            let raised = (old.as_bytes()[at] + 1) as char;
            all.push(put(place..place + 1, &raised.to_string()));
        }
        let other = WORDS.iter().find(|(word, _)| *word == old);
        all.extend(other.map(|(_, new)| put(token.clone(), new)));
    }
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if line.starts_with(' ') && !line.contains(['{', '}']) {
            all.push(put(at..at + line.len(), ""));
        }
        at += line.len();
    }
    all
}

#[test]
fn what_a_runner_would_be_told_differently_is_told_as_a_change() {
    let mut kinds: BTreeSet<&str> = BTreeSet::new();
    let (mut compared, mut same) = (0, 0);
    for (name, text) in whole::good() {
        let old = whole::check_text(&text);
        let old_plan = plan(&old).unwrap();
        for text in changed(&text) {
            let new = whole::check_text(&text);
            let Some(new_plan) = plan(&new) else { continue };
            compared += 1;
            let found = diff::between(Side::plan("old", &old_plan), &Side::plan("new", &new_plan));
            let differ = old_plan.digest != new_plan.digest;
            same += usize::from(!differ);
            let names: Vec<&str> = found.changes.iter().map(|c| c.kind.name()).collect();
            let first = text.lines().zip(whole_lines(name)).find(|(a, b)| a != b);
            assert_eq!(!found.is_empty(), differ, "{name}: {first:?}: {names:?}");
            assert!(!names.contains(&"meaning-changed"), "{name}: {first:?}");
            kinds.extend(names);
        }
    }
    println!(
        "{compared} compared, {same} of the same meaning, {} kinds",
        kinds.len()
    );
    assert!(
        compared > 200 && same > 5 && kinds.len() > 30,
        "{compared} {same} {kinds:?}"
    );
}

fn whole_lines(name: &str) -> Vec<&'static str> {
    let found = whole::good().into_iter().find(|(n, _)| *n == name);
    let text: &'static str = Box::leak(found.unwrap().1.into_boxed_str());
    text.lines().collect()
}
