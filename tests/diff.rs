//! Laws of comparing: nothing differs from itself, layout and order are no change in meaning, and
//! what the runner would be told differently is always told as a change.

#[path = "support/changes.rs"]
mod changes;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/mutate.rs"]
mod mutate;
#[path = "support/whole.rs"]
mod whole;

use std::collections::BTreeSet;

use syncline::arithmetic::Arithmetic;
use syncline::diff::{self, Diff, Kind, Side, Source};
use syncline::estimate::{self, Ground};
use syncline::graph::Graph;
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

/// Compares two policies as the command does: with their figures, and as far as they can be read.
fn told(old: &Checked, new: &Checked) -> Diff {
    let estimate = |checked: &Checked| {
        let graph = Graph::build(&checked.policy);
        let arithmetic = Arithmetic::of(&checked.policy, &graph);
        estimate::of(Ground {
            policy: &checked.policy,
            graph: &graph,
            arithmetic: &arithmetic,
        })
    };
    let plan = |c: &Checked| syncline::plan::compile(c.sources(), &c.policy).unwrap();
    let (old_plan, new_plan) = (plan(old), plan(new));
    let (old_figures, new_figures) = (estimate(old), estimate(new));
    let mut older = side(old, &old_plan);
    older.policy.as_mut().unwrap().estimate = Some(&old_figures);
    let mut newer = side(new, &new_plan);
    newer.policy.as_mut().unwrap().estimate = Some(&new_figures);
    diff::between(older, &newer)
}

/// Each change as `grade kind`.
fn grades(diff: &Diff) -> BTreeSet<String> {
    let all = diff.changes.iter();
    all.map(|c| format!("{} {}", c.grade, c.kind)).collect()
}

#[test]
fn every_kind_of_change_is_told_with_its_grade() {
    let shop = include_str!("fixtures/good/shop.sync");
    let once = |text: &str, from: &str, to: &str| {
        assert_eq!(text.matches(from).count(), 1, "{from:?} stands once");
        text.replace(from, to)
    };
    let everywhere = |from: &str, to: &str| {
        let words = regex::Regex::new(&format!(r"\b{from}\b")).unwrap();
        words.replace_all(shop, to).into_owned()
    };
    let mut pairs: Vec<(String, String, &str, &str)> = Vec::new();
    for (from, to, there, back) in changes::CASES {
        pairs.push((shop.to_owned(), once(shop, from, to), there, back));
    }
    for (first, second, (from, to, there, back)) in changes::SECOND {
        let old = once(shop, first, second);
        pairs.push((old.clone(), once(&old, from, to), there, back));
    }
    for (from, to, is) in [
        ("files", "shelf", "breaking system-renamed"),
        ("order", "purchase", "breaking entity-renamed"),
    ] {
        pairs.push((shop.to_owned(), everywhere(from, to), is, is));
    }
    let zone = |zone: &str| format!("policy p {{ timezone \"{zone}\" }}\n");
    let (safe, vienna) = ("safe timezone-changed", zone("Europe/Vienna"));
    pairs.push((vienna, zone("Europe/Paris"), safe, safe));
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut wrong: Vec<String> = Vec::new();
    for (old, new, there, back) in &pairs {
        let (old, new) = (whole::check_text(old), whole::check_text(new));
        for (from, to, wanted) in [(&old, &new, *there), (&new, &old, *back)] {
            let told = grades(&told(from, to));
            if !wanted.is_empty() && !told.contains(wanted) {
                wrong.push(format!("{wanted}: {told:?}"));
            }
            found.extend(told);
        }
    }
    found.extend(grades_of_an_entry());
    let possible = Kind::ALL
        .iter()
        .flat_map(|k| k.grades().iter().map(move |g| format!("{g} {k}")));
    let missing: Vec<String> = possible.filter(|p| !found.contains(p)).collect();
    assert!(wrong.is_empty(), "{}\n{missing:?}", wrong.join("\n"));
    // The net below all others, which nothing is to fall into.
    assert_eq!(missing, ["risky meaning-changed"]);
}

#[test]
fn only_who_gets_what_changes_is_hit() {
    let shop = include_str!("fixtures/good/shop.sync");
    for (from, to, kind, systems, scenarios) in [
        // A bound in one system says nothing of the other.
        (
            "fresh 5m in letters",
            "fresh 6m in letters",
            "fresh-loosened",
            "letters",
            "consent",
        ),
        // A rule is about the field wherever it goes.
        (
            "resolve all_true",
            "resolve owner_wins",
            "resolve-loosened",
            "crm letters",
            "consent",
        ),
        // Nobody else loses it.
        (
            "between letters, crm",
            "from crm to letters",
            "field-unsent",
            "crm",
            "consent",
        ),
        // A key travels with every flow, named or not.
        (
            "field id:         text(32)",
            "field id:         text(40)",
            "type-widened",
            "crm letters",
            "consent new_customer spending",
        ),
        // What one system reads otherwise comes to those it sends to.
        (
            "\"metadata.spent\"",
            "\"metadata.sum\"",
            "column-changed",
            "crm",
            "spending",
        ),
        ("\"email_address\"", "\"mail\"", "column-changed", "", ""),
        (
            "address.city",
            "town",
            "column-changed",
            "crm",
            "new_customer",
        ),
    ] {
        let found = of_texts(shop, &shop.replace(from, to));
        let change = found.changes.iter().find(|c| c.kind.name() == kind);
        let hits = &change.unwrap_or_else(|| panic!("{to}: {found:?}")).hits;
        let words = (hits.systems.join(" "), hits.scenarios.join(" "));
        assert_eq!(words, (systems.to_owned(), scenarios.to_owned()), "{to}");
    }
}

/// What a change of an author's own connector entry is told as.
fn grades_of_an_entry() -> BTreeSet<String> {
    let policy = include_str!("fixtures/good/shop.sync");
    let policy = policy.replace("connector csv", "connector \"own.yaml\"");
    let entry = include_str!("../src/catalog/entries/csv.yaml").replace("name: csv", "name: own");
    let other = entry
        .replace(
            "  whole_file: true\n",
            "  write: { value: 50, verified: false }\n",
        )
        .replace("deletes: true", "deletes: false")
        + "\nconcurrency: { value: 4, verified: false }\n";
    assert_ne!(entry, other);
    let checked = |entry: &str| {
        let files = [("/w/policy.sync", &*policy), ("/w/own.yaml", entry)];
        whole::check(&memory::Memory::new(&files))
    };
    let (old, new) = (checked(&entry), checked(&other));
    let mut all = grades(&told(&old, &new));
    all.extend(grades(&told(&new, &old)));
    all
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
        let squeezed = spread.replace("  ", " ");
        let laid_out = syncline::syntax::print::format(&squeezed).unwrap().text;
        let found = of_texts(&text, &laid_out);
        assert!(found.is_empty(), "{name}, laid out: {:?}", found.changes);
    }
}

#[test]
fn a_policy_split_into_files_means_the_same() {
    for (name, text) in whole::good() {
        let old = whole::check_text(&text);
        let old_plan = plan(&old).unwrap();
        let (mut root, mut parts) = (
            "use \"a.sync\"\nuse \"b\"\n".to_owned(),
            [const { String::new() }; 2],
        );
        for (number, item) in items(&text).iter().enumerate() {
            match item.contains("policy ") {
                true => root.push_str(item),
                false => parts[number % 2].push_str(item),
            }
        }
        let [a, b] = &parts;
        let files = [
            ("/w/policy.sync", &*root),
            ("/w/a.sync", a),
            ("/w/b/policy.sync", b),
        ];
        let new = whole::check(&memory::Memory::new(&files));
        let new_plan = plan(&new).unwrap();
        let found = diff::between(side(&old, &old_plan), &side(&new, &new_plan));
        assert!(found.is_empty(), "{name}: {:?}", found.changes);
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
