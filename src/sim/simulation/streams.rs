//! The load: what changes where and how often, from the declared volumes.
//!
//! The rates are the estimate's own λ, hop by hop, so that both speak of the same load. All clauses
//! that take an entity's records from one system are fed by one stream of changes there, as busy as
//! the busiest of them; one that carries fewer changes has its fields changed in so many of them
//! only. Fields that declare `changes` have streams of their own, and so have those that decide by a
//! condition which records go on, and a scenario that an event starts. Where an entity changes more
//! often than all this, a last stream touches records without changing what anybody carries.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::Shape;
use crate::arithmetic::HopLoad;
use crate::choice::Ground;
use crate::engine::ports::{EntityIx, FieldIx, MapIx, ScenarioIx, SystemIx};
use crate::engine::program::Program;
use crate::model::{FieldId, Hop, Scenario};
use crate::time::Instant;

/// Rates below this, in changes a day, are rounding.
const NOTHING: f64 = 1e-6;

/// Changes of one kind at one place.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    pub entity: EntityIx,
    pub system: SystemIx,
    pub map: MapIx,
    /// What changes, the most frequent first; nothing: the record is only touched.
    pub parts: Vec<Part>,
    /// The scenario that its events start, with the share for which the event's condition holds.
    pub event: Option<(ScenarioIx, f64)>,
    per_day: f64,
    shape: Shape,
    /// How many days' worth of load has come.
    load: f64,
    /// When the next change comes.
    pub next: Instant,
}

/// Fields that change together.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub fields: Vec<FieldIx>,
    /// In which share of the stream's changes.
    pub share: f64,
}

impl Stream {
    /// Lets the load begin so many minutes after midnight.
    pub fn begin(&mut self, minute: f64) {
        self.load = self.shape.load_by(minute);
    }

    /// Works out when the next change comes; `midnight`: that before the load began.
    pub fn go_on(&mut self, midnight: Instant, rng: &mut fastrand::Rng) {
        // Minus the logarithm of a number above 0 and up to 1 is an exponential wait.
        self.load += -(1.0 - rng.f64()).ln() / self.per_day;
        let minutes = self.shape.minute_of(self.load);
        let at = (minutes * 60_000.0).min(1e15) as i64;
        self.next = Instant(midnight.0.saturating_add(at));
    }
}

/// A clause's demand at one source.
struct Clause {
    fields: BTreeSet<FieldIx>,
    per_day: f64,
    peak: f64,
    /// Each field with its own rate, where all of them declare one.
    each: Option<Vec<(FieldIx, f64)>>,
    event: Option<(ScenarioIx, f64)>,
}

/// The streams of a policy; what has no declared volume has none, and is named.
pub(super) fn of(ground: Ground, program: &Program) -> (Vec<Stream>, Vec<String>) {
    let mut makers: BTreeMap<(EntityIx, SystemIx), Vec<Clause>> = BTreeMap::new();
    let mut incoming: BTreeMap<(EntityIx, SystemIx), f64> = BTreeMap::new();
    let mut unknown: Vec<String> = Vec::new();
    for scenario in &ground.policy.scenarios {
        let Some(figures) = ground.arithmetic.scenario(scenario.id) else {
            continue;
        };
        let mut clauses: BTreeMap<(u32, EntityIx, SystemIx), Clause> = BTreeMap::new();
        for (hop, load) in scenario.hops.iter().zip(&figures.hops) {
            let Some(carried) = &load.demand.records_per_day else {
                let name = scenario.name.text.to_string();
                if !unknown.contains(&name) {
                    unknown.push(name);
                }
                continue;
            };
            let place = places(ground, program, hop);
            let Some((entity, from, to)) = place else {
                continue;
            };
            let written = load.demand.written_per_day().unwrap_or(0.0);
            *incoming.entry((entity, to)).or_default() += written;
            let fields = made_at_source(ground, program, hop, (entity, from));
            if fields.is_empty() {
                continue;
            }
            let said = (carried.value, load);
            let clause = clause(ground, program, scenario, said, &fields);
            let known = clauses.entry((hop.sync, entity, from));
            let known = known.or_insert(clause);
            known.fields.extend(fields.iter().map(|f| f.1));
        }
        for ((_, entity, from), clause) in clauses {
            makers.entry((entity, from)).or_default().push(clause);
        }
    }
    let works = program.zone.name() != "UTC" && !program.zone.name().starts_with("Etc/");
    let mut out = Vec::new();
    for ((entity, system), clauses) in makers {
        if let Some(map) = program.map_of(entity, system) {
            let decides = deciding(program, entity);
            streams_at((entity, system, map), (clauses, &decides), works, &mut out);
        }
    }
    fill_up(ground, program, &incoming, works, &mut out);
    (out, unknown)
}

fn places(ground: Ground, program: &Program, hop: &Hop) -> Option<(EntityIx, SystemIx, SystemIx)> {
    let entity = program.entity(&ground.policy.entity(hop.entity).name.text)?;
    let from = program.system(ground.name(hop.from.value))?;
    let to = program.system(ground.name(hop.to.value))?;
    Some((entity, from, to))
}

/// The fields whose changes begin at a hop's source: those that it carries, and inputs of what is
/// derived from them.
fn made_at_source(
    ground: Ground,
    program: &Program,
    hop: &Hop,
    (entity, from): (EntityIx, SystemIx),
) -> Vec<(FieldId, FieldIx)> {
    let policy = ground.policy;
    let names = &program.entities[usize::from(entity)];
    let Some(map) = program.map_of(entity, from) else {
        return Vec::new();
    };
    let mapped = &program.plan.maps[usize::from(map)].fields;
    let begins = |field: FieldId| {
        let model = policy.field(field);
        let ix = names.field(&model.name.text)?;
        let here = model.is_data() && model.is_origin(hop.from.value);
        let shown = mapped
            .iter()
            .any(|m| m.field == *names.fields[usize::from(ix)].name);
        (here && shown).then_some((field, ix))
    };
    let own: Vec<_> = hop.fields.iter().filter_map(|f| begins(*f)).collect();
    if !own.is_empty() {
        return own;
    }
    let derived = hop.fields.iter();
    let inputs = derived.flat_map(|f| ground.graph.derivations.inputs(policy, *f));
    inputs.filter_map(begins).collect()
}

fn clause(
    ground: Ground,
    program: &Program,
    scenario: &Scenario,
    (per_day, load): (f64, &HopLoad),
    fields: &[(FieldId, FieldIx)],
) -> Clause {
    let declared: Option<Vec<(FieldIx, f64)>> = fields
        .iter()
        .map(|(id, ix)| {
            let changes = ground.policy.field(*id).changes.as_ref()?;
            Some((*ix, changes.value.per_day()))
        })
        .collect();
    // λ is a sum over more fields than begin here where some are only passed on: by its sources.
    let sum: f64 = declared.iter().flatten().map(|(_, n)| n).sum();
    let each = declared.filter(|_| scenario.volume.is_none() && sum > 0.0);
    let each = each.map(|each| {
        let share = (per_day / sum).min(1.0);
        each.into_iter().map(|(ix, n)| (ix, n * share)).collect()
    });
    let ix = program.scenario_ix(&scenario.name.text);
    let by_event = scenario.when.as_ref().and(ix);
    Clause {
        fields: BTreeSet::new(),
        per_day,
        peak: load.demand.peak.value,
        each,
        event: by_event.map(|ix| (ix, load.demand.events_share())),
    }
}

/// Fields that decide which records of an entity go on, by conditions without a declared share.
fn deciding(program: &Program, entity: EntityIx) -> BTreeSet<FieldIx> {
    let plans = program.plan.scenarios.iter().zip(&program.scenarios);
    let routes = plans.flat_map(|(plan, scenario)| plan.routes.iter().zip(&scenario.routes));
    let open = routes.filter(|(said, route)| route.entity == entity && said.passes.is_none());
    let filters = open.filter_map(|(_, route)| route.filter.as_ref());
    filters.flat_map(|f| f.reads().iter().copied()).collect()
}

fn streams_at(
    (entity, system, map): (EntityIx, SystemIx, MapIx),
    (clauses, decides): (Vec<Clause>, &BTreeSet<FieldIx>),
    works: bool,
    out: &mut Vec<Stream>,
) {
    let mut stream = |per_day: f64, peak: f64, parts, event| {
        if per_day > NOTHING {
            out.push(Stream {
                entity,
                system,
                map,
                parts,
                event,
                per_day,
                shape: Shape::new(peak, works),
                load: 0.0,
                next: Instant(i64::MAX),
            });
        }
    };
    // Fields with rates of their own, each once: at its highest.
    let mut single: BTreeMap<FieldIx, (f64, f64)> = BTreeMap::new();
    for clause in clauses.iter().filter(|c| c.event.is_none()) {
        for (ix, rate) in clause.each.iter().flatten() {
            let known = single.entry(*ix).or_insert((*rate, clause.peak));
            if *rate > known.0 {
                *known = (*rate, clause.peak);
            }
        }
    }
    for (ix, (rate, peak)) in &single {
        let part = Part {
            fields: vec![*ix],
            share: 1.0,
        };
        stream(*rate, *peak, vec![part], None);
    }
    let mut together: Vec<&Clause> = Vec::new();
    for clause in &clauses {
        if clause.event.is_some() {
            let part = Part {
                fields: clause.fields.iter().copied().collect(),
                share: 1.0,
            };
            stream(clause.per_day, clause.peak, vec![part], clause.event);
        } else if clause.each.is_none() {
            together.push(clause);
        }
    }
    let most = together.iter().map(|c| c.per_day).fold(0.0, f64::max);
    let peak = together.iter().map(|c| c.peak).fold(1.0, f64::max);
    // What decides whether a record goes on changes in records of its own: it would else hold back
    // each change that it comes with.
    let apart = |c: &Clause| c.per_day < most && !c.fields.is_disjoint(decides);
    for clause in together.iter().filter(|c| apart(c)) {
        let part = Part {
            fields: own_fields(clause, &together, &single),
            share: 1.0,
        };
        stream(clause.per_day, clause.peak, vec![part], None);
    }
    let mut parts: Vec<Part> = together
        .iter()
        .filter(|clause| !apart(clause))
        .map(|clause| Part {
            fields: own_fields(clause, &together, &single),
            share: if most > 0.0 {
                clause.per_day / most
            } else {
                0.0
            },
        })
        .collect();
    parts.sort_by(|a, b| b.share.total_cmp(&a.share));
    stream(most, peak, parts, None);
}

/// The fields that each change of a clause is of: those that no clause with fewer changes carries
/// and that have no rate of their own, where there are such.
fn own_fields(
    clause: &Clause,
    together: &[&Clause],
    single: &BTreeMap<FieldIx, (f64, f64)>,
) -> Vec<FieldIx> {
    let rarer = |field: &FieldIx| {
        let mut others = together.iter();
        others.any(|c| c.per_day < clause.per_day && c.fields.contains(field))
    };
    let all = || clause.fields.iter().copied();
    let free: Vec<FieldIx> = all().filter(|f| !single.contains_key(f)).collect();
    let own: Vec<FieldIx> = free.iter().copied().filter(|f| !rarer(f)).collect();
    match (own.is_empty(), free.is_empty()) {
        (false, _) => own,
        (true, false) => free,
        (true, true) => all().collect(),
    }
}

/// Where runs read by cursor, an entity changes as often as it says, whoever carries it.
fn fill_up(
    ground: Ground,
    program: &Program,
    incoming: &BTreeMap<(EntityIx, SystemIx), f64>,
    works: bool,
    out: &mut Vec<Stream>,
) {
    let plans = program.plan.scenarios.iter().zip(&program.scenarios);
    let by_clock = plans.filter(|(plan, _)| plan.mode.schedule.is_some() && !plan.mode.realtime);
    let reads = by_clock.flat_map(|(_, scenario)| &scenario.reads);
    let read: BTreeSet<(EntityIx, SystemIx, MapIx)> =
        reads.map(|r| (r.entity, r.system, r.map)).collect();
    for (entity, system, map) in read {
        let name = &program.entities[usize::from(entity)].name;
        let volume = ground.policy.entity_named(name).and_then(|id| {
            let volume = ground.policy.entity(id).volume.as_ref()?;
            Some((volume.value.changes.per_day(), volume.value.peak))
        });
        let Some((all, peak)) = volume else { continue };
        let here = out
            .iter()
            .filter(|s| s.entity == entity && s.system == system);
        let own: f64 = here.map(|s| s.per_day).sum();
        let written = incoming.get(&(entity, system)).copied().unwrap_or(0.0);
        let left = all - own - written;
        // A hundredth is not worth telling apart.
        if left > all / 100.0 {
            out.push(Stream {
                entity,
                system,
                map,
                parts: Vec::new(),
                event: None,
                per_day: left,
                shape: Shape::new(peak.map_or(3.0, |k| k as f64), works),
                load: 0.0,
                next: Instant(i64::MAX),
            });
        }
    }
}
