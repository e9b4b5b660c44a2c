//! Changing a name in every place that it stands, or not at all.

use std::collections::HashMap;

use super::super::Context;
use super::sl0803_naming::to_snake_case;
use crate::finding::{Edit, Finding, Grade};
use crate::model::{Field, Ident, Policy, Ref, ScenarioId, StepKind, SystemId};
use crate::text::Span;

/// Names to change, in the order of their findings.
#[derive(Default)]
pub(super) struct Rename {
    names: Vec<Option<Change>>,
}

struct Change {
    old: String,
    new: String,
    /// Every place that the policy knows, the declaration included.
    places: Vec<Span>,
}

impl Rename {
    /// Notes a name with its uses; one whose new name is taken stays as it is.
    pub(super) fn add(&mut self, name: &Ident, uses: Vec<Span>, taken: impl Fn(&str) -> bool) {
        let new = to_snake_case(&name.text).filter(|new| !taken(new));
        self.names.push(new.map(|new| {
            let mut places = uses;
            places.push(name.span);
            places.sort_unstable();
            places.dedup();
            Change {
                old: name.text.to_string(),
                new,
                places,
            }
        }));
    }

    /// Gives each finding its mend. Where a name stands in a place that is not among the known
    /// ones (an item that was passed over, a clause that could not be read, another kind of item
    /// of that name), there is none: it would be half a mend.
    pub(super) fn mend(self, ctx: &Context, found: Vec<Finding>) -> Vec<Finding> {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for change in self.names.iter().flatten() {
            counts.insert(&change.old, 0);
        }
        if !counts.is_empty() {
            for (_, file) in ctx.sources.iter() {
                for (_, word) in words(&file.text) {
                    if let Some(count) = counts.get_mut(word) {
                        *count += 1;
                    }
                }
            }
        }
        let whole = |c: &&Change| counts.get(&*c.old) == Some(&c.places.len());
        let found = found.into_iter().zip(&self.names);
        found
            .map(|(finding, change)| match change.as_ref().filter(whole) {
                Some(change) => change.mend(finding),
                None => finding,
            })
            .collect()
    }
}

impl Change {
    fn mend(&self, found: Finding) -> Finding {
        let edits = self.places.iter().map(|span| Edit {
            span: *span,
            text: self.new.clone(),
        });
        // A store keeps its records and cursors by these names, so a person should look.
        found.fix(
            format!("call it `{}` wherever it is named", self.new),
            Grade::Review,
            edits.collect(),
        )
    }
}

/// Every place that names a scenario, beside its declaration.
pub(super) fn uses_of_scenarios(p: &Policy) -> HashMap<ScenarioId, Vec<Span>> {
    let mut uses: HashMap<ScenarioId, Vec<Span>> = HashMap::new();
    for waits in p.scenarios.iter().flat_map(|s| &s.after) {
        if let Some(id) = waits.id {
            uses.entry(id).or_default().push(waits.span);
        }
    }
    uses
}

/// Every place that names a system, beside its declaration.
pub(super) fn uses_of_systems(p: &Policy) -> HashMap<SystemId, Vec<Span>> {
    let mut uses = Uses::default();
    for entity in &p.entities {
        let owner = entity.owner.iter();
        uses.add(owner.filter_map(|o| Some((o.value?, o.span))));
        let accepted = entity.accepts.iter().flat_map(|a| &a.value.systems);
        uses.add(accepted.map(|s| (s.value, s.span)));
        let fresh = entity.fresh.iter().flat_map(|f| &f.value.systems);
        uses.named(fresh.flatten());
        for field in &entity.fields {
            of_field(field, &mut uses);
        }
    }
    uses.add(p.maps.iter().map(|m| (m.system.value, m.system.span)));
    for scenario in &p.scenarios {
        uses.named(scenario.when.iter().map(|w| &w.system));
        for sync in &scenario.syncs {
            uses.named(sync.sources.iter().chain(&sync.targets));
        }
        uses.named(scenario.clean.iter().map(|c| &c.system));
    }
    for step in p.tests.iter().flat_map(|t| &t.steps) {
        uses.named(systems_of(&step.what).iter());
    }
    uses.0
}

#[derive(Default)]
struct Uses(HashMap<SystemId, Vec<Span>>);

impl Uses {
    fn add(&mut self, places: impl Iterator<Item = (SystemId, Span)>) {
        for (system, span) in places {
            self.0.entry(system).or_default().push(span);
        }
    }

    fn named<'a>(&mut self, refs: impl Iterator<Item = &'a Ref<SystemId>>) {
        self.add(refs.filter_map(|r| Some((r.id?, r.span))));
    }
}

/// What a field says itself; what it inherits stands on its entity.
fn of_field(field: &Field, uses: &mut Uses) {
    let declared = field.declared.iter().filter_map(|d| d.owner.as_ref());
    let owners = declared.chain(&field.owner).filter(|o| !o.inherited);
    uses.add(owners.filter_map(|o| Some((o.value?, o.span))));
    let accepts = field.accepts.iter().filter(|a| !a.inherited);
    let accepted = accepts.flat_map(|a| &a.value.systems);
    uses.add(accepted.map(|s| (s.value, s.span)));
    let fresh = field.fresh.iter().filter(|f| !f.inherited);
    uses.named(fresh.flat_map(|f| &f.value.systems).flatten());
}

fn systems_of(step: &StepKind) -> &[Ref<SystemId>] {
    match step {
        StepKind::Given { systems, .. } => systems,
        StepKind::Sets { system, .. }
        | StepKind::Deletes { system, .. }
        | StepKind::Down { system, .. }
        | StepKind::Event { system, .. }
        | StepKind::Expect { system, .. }
        | StepKind::ExpectAbsent { system, .. }
        | StepKind::ExpectCalls { system, .. } => std::slice::from_ref(system),
        StepKind::ExpectDeadLetters { .. } => &[],
    }
}

/// The names and keywords of a text with their offsets; comments, strings and expressions are
/// passed over.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(byte) = bytes.get(at) {
            let start = at;
            match byte {
                b'/' if bytes.get(at + 1) == Some(&b'/') => at = past(bytes, at, b'\n'),
                b'"' => at = past_string(bytes, at + 1),
                b'`' => at = past(bytes, at + 1, b'`'),
                b if b.is_ascii_alphanumeric() || *b == b'_' => {
                    let is_word = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
                    at += bytes.get(at..)?.iter().take_while(|b| is_word(b)).count();
                    return Some((start, text.get(start..at)?));
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// The offset after the next such byte.
fn past(bytes: &[u8], from: usize, wanted: u8) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    let found = rest.iter().position(|b| *b == wanted);
    found.map_or(bytes.len(), |i| from + i + 1)
}

/// The offset after a string's closing quote, or after its line.
fn past_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' | b'\n' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_comments_strings_and_expressions() {
        let text = "a // b\n\"c \\\" d\" `e\nf` g_1:h";
        let found: Vec<&str> = words(text).map(|w| w.1).collect();
        assert_eq!(found, ["a", "g_1", "h"]);
        assert_eq!(words("\"open").count(), 0);
        assert_eq!(words("`open").count(), 0);
    }
}
