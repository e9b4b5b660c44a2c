//! What of a policy its tests touch: scenarios that wrote, fields that arrived, origins that were
//! heard, rules that had to choose.

use std::collections::BTreeSet;

use crate::engine::ports::{EntityIx, FieldIx, MapIx, ScenarioIx, Store, SystemIx};
use crate::engine::program::Program;
use crate::engine::register_json;

/// Registers read at a time.
const AT_ONCE: usize = 1_000;

/// What tests touched, by position in the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Scenarios of which a write took effect.
    pub scenarios: BTreeSet<ScenarioIx>,
    /// Fields that a system received.
    pub fields: BTreeSet<(EntityIx, FieldIx)>,
    /// Origins that were heard of a field.
    pub origins: BTreeSet<(EntityIx, FieldIx, SystemIx)>,
    /// Fields on which origins differed, so that the rule had to choose.
    pub rules: BTreeSet<(EntityIx, FieldIx)>,
}

impl Touched {
    /// Adds what another test touched.
    pub fn add(&mut self, other: &Touched) {
        self.scenarios.extend(&other.scenarios);
        self.fields.extend(&other.fields);
        self.origins.extend(&other.origins);
        self.rules.extend(&other.rules);
    }
}

/// What there is to touch of one kind, and what nobody did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uncovered {
    /// How many there are.
    pub all: usize,
    /// Those that no test touches, in the plan's order: `lead_routing`, `contact.name`,
    /// `contact.name from crm`.
    pub missed: Vec<String>,
}

impl Uncovered {
    fn note(&mut self, touched: bool, name: impl FnOnce() -> String) {
        self.all += 1;
        if !touched {
            self.missed.push(name());
        }
    }
}

/// What the tests of a policy leave untouched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Scenarios.
    pub scenarios: Uncovered,
    /// Fields that some scenario carries.
    pub fields: Uncovered,
    /// Rules of fields with several origins.
    pub rules: Uncovered,
    /// Origins of fields that some scenario carries from there.
    pub origins: Uncovered,
}

impl Coverage {
    pub(super) fn of(program: &Program, touched: &Touched) -> Self {
        let mut coverage = Coverage::default();
        for (ix, scenario) in program.plan.scenarios.iter().enumerate() {
            let seen = touched.scenarios.contains(&(ix as ScenarioIx));
            coverage.scenarios.note(seen, || scenario.name.clone());
        }
        let carried = carried(program);
        for (e, entity) in program.entities.iter().enumerate() {
            for (f, field) in entity.fields.iter().enumerate() {
                let at = (e as EntityIx, f as FieldIx);
                let senders = carried.iter().filter(|(e, f, _)| (*e, *f) == at);
                let senders: BTreeSet<SystemIx> = senders.map(|(_, _, s)| *s).collect();
                if senders.is_empty() || entity.keys.contains(&at.1) {
                    continue;
                }
                let name = format!("{}.{}", entity.name, field.name);
                let seen = touched.fields.contains(&at);
                coverage.fields.note(seen, || name.clone());
                if field.origins.len() > 1 {
                    let seen = touched.rules.contains(&at);
                    coverage.rules.note(seen, || name.clone());
                }
                for origin in field.origins.iter().filter(|o| senders.contains(o)) {
                    let seen = touched.origins.contains(&(at.0, at.1, *origin));
                    let system = program.system_name(*origin);
                    coverage
                        .origins
                        .note(seen, || format!("{name} from {system}"));
                }
            }
        }
        coverage
    }
}

/// Fields that scenarios carry, with the systems that send them.
fn carried(program: &Program) -> BTreeSet<(EntityIx, FieldIx, SystemIx)> {
    let mut out = BTreeSet::new();
    for route in program.plan.scenarios.iter().flat_map(|s| &s.routes) {
        let (Some(entity), Some(from)) =
            (program.entity(&route.entity), program.system(&route.from))
        else {
            continue;
        };
        let names = &program.entities[usize::from(entity)];
        for field in &route.fields {
            out.extend(names.field(field).map(|f| (entity, f, from)));
        }
    }
    out
}

/// What a test touched, from what was written and what the store knows at its end.
pub(super) fn touched_by(
    program: &Program,
    store: &mut dyn Store,
    wrote: &BTreeSet<(ScenarioIx, MapIx, Option<FieldIx>)>,
) -> Touched {
    let mut touched = Touched::default();
    for (scenario, map, field) in wrote {
        touched.scenarios.insert(*scenario);
        let (entity, _) = program.map_ends(*map);
        touched.fields.extend(field.map(|f| (entity, f)));
    }
    for (ix, entity) in program.entities.iter().enumerate() {
        let mut after: Option<String> = None;
        // A store in memory that nothing cuts off does not fail.
        while let Ok(records) = store.records_after(&entity.name, after.as_deref(), AT_ONCE) {
            let Some(last) = records.last() else { break };
            after = Some(last.key.clone());
            for record in &records {
                if let Ok(register) = register_json::parse(entity, &record.doc) {
                    note(ix as EntityIx, entity.fields.len(), &register, &mut touched);
                }
            }
        }
    }
    touched
}

fn note(
    entity: EntityIx,
    fields: usize,
    register: &crate::engine::register::Register,
    touched: &mut Touched,
) {
    for f in 0..fields as FieldIx {
        let Some(known) = register.field(f) else {
            continue;
        };
        let mut values = known.origins.iter().map(|(_, o)| &o.latest.value);
        let first = values.next();
        if values.any(|value| Some(value) != first) {
            touched.rules.insert((entity, f));
        }
        for (origin, _) in &known.origins {
            touched.origins.insert((entity, f, *origin));
        }
    }
}
