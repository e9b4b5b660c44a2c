//! What the expressions of a scenario read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Derivations, HopId};
use crate::model::{Expression, FieldId, Hop, Policy, Scenario, ScenarioId};
use crate::text::Span;

/// Which expression reads a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReadBy {
    /// The `if` of the `sync`.
    Filter,
    /// A `require` of the checkpoint.
    Require,
    /// A derived field that the hop carries, directly or through derived fields that it reads.
    Derived(FieldId),
}

/// A field that an expression reads. Never a derived one: its inputs stand in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// The field.
    pub field: FieldId,
    /// Which expression.
    pub by: ReadBy,
    /// The name in the expression, or the name that leads to the field.
    pub span: Span,
}

/// What each hop, and each `clean`, reads beside what it carries; each field once for each kind
/// of expression.
#[derive(Debug)]
pub struct Reads {
    /// Hops whose fields and clause are the same share a list.
    by_hop: Vec<Arc<[Read]>>,
    by_clean: Vec<Arc<[Read]>>,
    by_field: BTreeMap<FieldId, Vec<(Reader, Read)>>,
}

/// Who reads a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A hop, at the system that it comes from.
    Hop(HopId),
    /// The `clean` of a scenario, at its system.
    Clean(ScenarioId),
}

impl Reads {
    pub(super) fn build(policy: &Policy, derivations: &Derivations) -> Reads {
        let mut reads = Reads {
            by_hop: Vec::new(),
            by_clean: Vec::new(),
            by_field: BTreeMap::new(),
        };
        let none: Arc<[Read]> = Arc::from([]);
        for scenario in &policy.scenarios {
            let mut last: Option<(&Hop, Arc<[Read]>)> = None;
            for hop in &scenario.hops {
                let list = match &last {
                    Some((h, list))
                        if h.sync == hop.sync && Arc::ptr_eq(&h.fields, &hop.fields) =>
                    {
                        list.clone()
                    }
                    _ => of_hop(policy, derivations, scenario, hop, &none),
                };
                last = Some((hop, list.clone()));
                let reader = Reader::Hop(HopId(reads.by_hop.len() as u32));
                reads.index(reader, &list);
                reads.by_hop.push(list);
            }
            let mut found = Found::default();
            if scenario.clean.is_some() {
                add_requires(&mut found, policy, derivations, scenario);
            }
            let list = found.finish(&none);
            reads.index(Reader::Clean(scenario.id), &list);
            reads.by_clean.push(list);
        }
        reads
    }

    fn index(&mut self, reader: Reader, list: &[Read]) {
        for read in list {
            self.by_field
                .entry(read.field)
                .or_default()
                .push((reader, *read));
        }
    }

    /// Who reads a field by an expression, in reading order.
    pub fn of_field(&self, field: FieldId) -> &[(Reader, Read)] {
        self.by_field.get(&field).map_or(&[], |r| r)
    }

    /// What the expressions of a hop read.
    pub fn by_hop(&self, hop: HopId) -> &[Read] {
        self.by_hop.get(hop.0 as usize).map_or(&[], |r| r)
    }

    /// What the `require`s of a scenario's `clean` read.
    pub fn by_clean(&self, scenario: ScenarioId) -> &[Read] {
        self.by_clean.get(scenario.index()).map_or(&[], |r| r)
    }
}

/// Sorted by field, then by expression; the first place stays.
#[derive(Default)]
struct Found(BTreeMap<(FieldId, ReadBy), Span>);

impl Found {
    fn add(&mut self, field: FieldId, by: ReadBy, span: Span) {
        self.0.entry((field, by)).or_insert(span);
    }

    /// Adds what an expression reads; a derived field by its inputs.
    fn add_expression(&mut self, p: &Policy, d: &Derivations, expr: &Expression, by: ReadBy) {
        for read in &expr.reads {
            if p.field(read.value).derived.is_none() {
                self.add(read.value, by, read.span);
            }
            for input in d.inputs(p, read.value) {
                self.add(input, by, read.span);
            }
        }
    }

    fn finish(self, none: &Arc<[Read]>) -> Arc<[Read]> {
        if self.0.is_empty() {
            return none.clone();
        }
        self.0
            .into_iter()
            .map(|((field, by), span)| Read { field, by, span })
            .collect()
    }
}

fn add_requires(found: &mut Found, policy: &Policy, d: &Derivations, scenario: &Scenario) {
    for require in scenario.checkpoint.iter().flat_map(|c| &c.requires) {
        found.add_expression(policy, d, &require.expr, ReadBy::Require);
    }
}

fn of_hop(
    policy: &Policy,
    derivations: &Derivations,
    scenario: &Scenario,
    hop: &Hop,
    none: &Arc<[Read]>,
) -> Arc<[Read]> {
    let mut found = Found::default();
    let sync = scenario.syncs.get(hop.sync as usize);
    if let Some(filter) = sync.and_then(|s| s.filter.as_ref()) {
        found.add_expression(policy, derivations, &filter.expr, ReadBy::Filter);
    }
    add_requires(&mut found, policy, derivations, scenario);
    // A `require` over another entity's fields reads nothing of this hop.
    found.0.retain(|k, _| k.0.entity == hop.entity);
    for field in hop.fields.iter() {
        if let Some(derived) = &policy.field(*field).derived {
            found.add_expression(policy, derivations, &derived.expr, ReadBy::Derived(*field));
        }
    }
    found.finish(none)
}
