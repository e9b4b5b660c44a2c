//! A plan made ready to run: names turned into positions, expressions compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::expression::{EventExpr, RecordExpr};
use super::ports::{EntityIx, FieldIx, MapIx, ScenarioIx, SystemIx};
use super::resolve::Rule;
use super::ways::{Conditional, conditional};
use crate::plan::{self, Plan};
use crate::terms::Priority;
use crate::time::{Millis, Zone};
use crate::value::Type;

/// A plan that cannot be run: it was made by something else, or by hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plan cannot be run: {0}")]
pub struct BadPlan(pub String);

/// A plan ready to run.
pub struct Program {
    /// The plan itself.
    pub plan: Plan,
    /// The zone of its schedules.
    pub zone: Zone,
    /// Entities, by position in the plan.
    pub entities: Vec<EntityProgram>,
    /// Scenarios, by position in the plan.
    pub scenarios: Vec<ScenarioProgram>,
    maps: BTreeMap<(EntityIx, SystemIx), MapIx>,
    /// The entity and the system of each map, by position.
    ends: Vec<(EntityIx, SystemIx)>,
    /// By system: the scenarios that move each of its changes by itself.
    hears: Vec<Vec<ScenarioIx>>,
}

/// An entity.
pub struct EntityProgram {
    /// Its name.
    pub name: String,
    /// Its key's fields in the order declared.
    pub keys: Vec<FieldIx>,
    /// Its fields, by position in the plan.
    pub fields: Vec<FieldProgram>,
    /// Names of the plan's systems, by position (for reading and printing registers).
    pub systems: Vec<String>,
}

/// A field.
pub struct FieldProgram {
    /// Its name.
    pub name: String,
    /// Its name as a member of a JSON object begins: registers are printed by the million.
    pub member: String,
    /// Its type.
    pub ty: Type,
    /// How its value is chosen.
    pub rule: Rule,
    /// Its origins, ascending.
    pub origins: Vec<SystemIx>,
    /// Its expression, for a derived field.
    pub derived: Option<RecordExpr>,
}

impl EntityProgram {
    /// A field's position.
    pub fn field(&self, name: &str) -> Option<FieldIx> {
        self.fields
            .iter()
            .position(|f| f.name == name)
            .map(|i| i as FieldIx)
    }
}

/// A scenario.
pub struct ScenarioProgram {
    /// Its routes.
    pub routes: Vec<RouteProgram>,
    /// The condition of its `when`.
    pub when: Option<EventExpr>,
    /// What a scheduled run reads: map, system and entity, each once, in the plan's order.
    pub reads: Vec<Source>,
    /// What a reconcile reads besides.
    pub reconcile_reads: Vec<Source>,
    /// Conditions of its checkpoint.
    pub require: Vec<RequireProgram>,
    /// Guarded fields with the share over which the run is stopped.
    pub guard: Vec<(FieldIx, f64)>,
    /// The fields by which records count as the same; empty: no dedupe.
    pub dedupe: Vec<FieldIx>,
    /// The entity whose records the dedupe and the guards speak of.
    pub checked: Option<EntityIx>,
    /// What counts as its first batch size: `batch`, else absent.
    pub batch: Option<usize>,
}

/// A condition that a checkpoint holds records to.
pub struct RequireProgram {
    /// The entity whose records it speaks of.
    pub entity: EntityIx,
    /// The condition.
    pub holds: RecordExpr,
    /// Whether one failure aborts the run.
    pub abort: bool,
}

/// A set of records to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// Its map.
    pub map: MapIx,
    /// The system.
    pub system: SystemIx,
    /// The entity.
    pub entity: EntityIx,
}

/// A route.
pub struct RouteProgram {
    /// The entity.
    pub entity: EntityIx,
    /// The sender.
    pub from: SystemIx,
    /// The receiver.
    pub to: SystemIx,
    /// The map of the receiver.
    pub to_map: MapIx,
    /// The fields carried, keys excluded, derived ones included; ascending.
    pub fields: Vec<FieldIx>,
    /// The fields taken over from the sender: those carried and those that expressions read.
    pub absorbs: Vec<FieldIx>,
    /// The condition.
    pub filter: Option<Arc<RecordExpr>>,
    /// The fields that come to the sender under conditions only, ascending.
    pub conditional: Vec<Conditional>,
    /// Whether there is any expression to evaluate: a condition or a derived field.
    pub computes: bool,
    /// The fields of which it may have to be known later what was written at the receiver before:
    /// those whose echo could be taken for a change; ascending.
    pub echoed: Vec<FieldIx>,
}

impl Program {
    /// Compiles a plan.
    pub fn new(plan: Plan) -> Result<Self, BadPlan> {
        let zone = Zone::parse(&plan.timezone)
            .map_err(|_| BadPlan(format!("`{}` is no time zone", plan.timezone)))?;
        let systems: Vec<String> = plan.systems.iter().map(|s| s.name.clone()).collect();
        if systems.windows(2).any(|w| w[0] >= w[1]) {
            return Err(BadPlan(
                "its systems are not in the order of their names".into(),
            ));
        }
        let entities: Result<Vec<_>, _> =
            plan.entities.iter().map(|e| entity(e, &systems)).collect();
        let entities = entities?;
        let mut maps = BTreeMap::new();
        let mut ends = Vec::with_capacity(plan.maps.len());
        for (i, map) in plan.maps.iter().enumerate() {
            let entity = position(&plan.entities, &map.entity, |e| &e.name, "entity")?;
            let system = system_ix(&systems, &map.system)?;
            maps.insert((entity, system), i as MapIx);
            ends.push((entity, system));
        }
        let mut program = Program {
            plan,
            zone,
            entities,
            scenarios: Vec::new(),
            maps,
            ends,
            hears: Vec::new(),
        };
        let scenarios: Result<Vec<_>, _> = program
            .plan
            .scenarios
            .iter()
            .map(|s| program.scenario(s))
            .collect();
        program.scenarios = scenarios?;
        let systems = 0..program.plan.systems.len() as SystemIx;
        program.hears = systems.map(|s| program.hearing(s)).collect();
        program.note_echoed();
        program.note_conditional();
        Ok(program)
    }

    /// What may not come to a relay may not go on from there.
    fn note_conditional(&mut self) {
        let routes: Vec<&RouteProgram> = self.scenarios.iter().flat_map(|s| &s.routes).collect();
        if routes.iter().all(|r| r.filter.is_none()) {
            return;
        }
        let found = routes
            .iter()
            .map(|r| conditional(&self.entities, &routes, r));
        let found: Vec<Vec<Conditional>> = found.collect();
        let routes = self.scenarios.iter_mut().flat_map(|s| &mut s.routes);
        for (route, found) in routes.zip(found) {
            route.computes |= !found.is_empty();
            route.conditional = found;
        }
    }

    /// An echo comes as an event. Where none of the receiver's is taken for the entity, and the
    /// receiver is no origin of a field (so that an event there would change nothing, were one taken
    /// after a change of the policy), nobody ever asks what was written there before.
    fn note_echoed(&mut self) {
        let taken: BTreeSet<(EntityIx, SystemIx)> = (0..self.plan.systems.len() as SystemIx)
            .flat_map(|s| self.realtime_from(s))
            .flat_map(|s| &self.scenarios[s as usize].routes)
            .map(|r| (r.entity, r.from))
            .collect();
        let entities = &self.entities;
        for route in self.scenarios.iter_mut().flat_map(|s| &mut s.routes) {
            let heard = taken.contains(&(route.entity, route.to));
            let fields = &entities[route.entity as usize].fields;
            let asked = |f: &FieldIx| heard || fields[*f as usize].origins.contains(&route.to);
            route.echoed = route.fields.iter().copied().filter(asked).collect();
        }
    }

    /// The map of an entity in a system.
    pub fn map_of(&self, entity: EntityIx, system: SystemIx) -> Option<MapIx> {
        self.maps.get(&(entity, system)).copied()
    }

    /// A system's name.
    pub fn system_name(&self, system: SystemIx) -> &str {
        self.plan
            .systems
            .get(system as usize)
            .map_or("?", |s| &s.name)
    }

    /// A system's position.
    pub fn system(&self, name: &str) -> Option<SystemIx> {
        self.plan
            .systems
            .iter()
            .position(|s| s.name == name)
            .map(|i| i as SystemIx)
    }

    /// An entity's position.
    pub fn entity(&self, name: &str) -> Option<EntityIx> {
        self.entities
            .iter()
            .position(|e| e.name == name)
            .map(|i| i as EntityIx)
    }

    /// A scenario's position.
    pub fn scenario_ix(&self, name: &str) -> Option<ScenarioIx> {
        self.plan
            .scenarios
            .iter()
            .position(|s| s.name == name)
            .map(|i| i as ScenarioIx)
    }

    /// The entity and the system of a map.
    pub fn map_ends(&self, map: MapIx) -> (EntityIx, SystemIx) {
        self.ends.get(map as usize).copied().unwrap_or((0, 0))
    }

    /// Scenarios that move each change of a system by itself.
    pub fn realtime_from(&self, system: SystemIx) -> impl Iterator<Item = ScenarioIx> + '_ {
        self.hears
            .get(system as usize)
            .into_iter()
            .flatten()
            .copied()
    }

    /// The priorities of the scenarios that call a system.
    pub fn priorities_of(&self, system: SystemIx) -> BTreeSet<Priority> {
        let scenarios = self.plan.scenarios.iter().zip(&self.scenarios);
        let call = scenarios.filter(|(_, p)| {
            let reads = p.reads.iter().chain(&p.reconcile_reads);
            p.routes.iter().any(|r| r.to == system) || reads.into_iter().any(|r| r.system == system)
        });
        call.map(|(s, _)| s.priority).collect()
    }

    fn hearing(&self, system: SystemIx) -> Vec<ScenarioIx> {
        let scenarios = self.plan.scenarios.iter().zip(&self.scenarios);
        let hears = scenarios
            .enumerate()
            .filter(|(_, (s, p))| s.mode.realtime && p.routes.iter().any(|r| r.from == system));
        hears.map(|(i, _)| i as ScenarioIx).collect()
    }

    /// The wait before the next attempt of a scenario's write, without jitter.
    pub fn backoff(&self, scenario: ScenarioIx, attempts: u32) -> Millis {
        let retry = match self.plan.scenarios.get(scenario as usize) {
            Some(s) => s.retry,
            None => return Millis(1_000),
        };
        let doubled = retry
            .from
            .0
            .saturating_mul(1u64 << attempts.saturating_sub(1).min(40));
        Millis(doubled.min(retry.to.0))
    }

    fn scenario(&self, s: &plan::Scenario) -> Result<ScenarioProgram, BadPlan> {
        let routes: Result<Vec<_>, _> = s.routes.iter().map(|r| self.route(r)).collect();
        let routes = routes?;
        let mut reads = Vec::new();
        let mut reconcile_reads = Vec::new();
        for route in &routes {
            for (system, list) in [(route.from, &mut reads), (route.to, &mut reconcile_reads)] {
                let can_read = self.plan.systems[system as usize].capabilities.read;
                // What an event has to be like can only be asked of an event: a source that one
                // starts is left to its events, also where its log could be read.
                let by_event = s.when.is_some() && system == route.from;
                if let (true, false, Some(map)) =
                    (can_read, by_event, self.map_of(route.entity, system))
                {
                    list.push(Source {
                        map,
                        system,
                        entity: route.entity,
                    });
                }
            }
        }
        let clean_entity = match &s.clean {
            Some(clean) => {
                let entity = position(&self.plan.entities, &clean.entity, |e| &e.name, "entity")?;
                let system = self
                    .system(&clean.system)
                    .ok_or_else(|| BadPlan(format!("no system `{}`", clean.system)))?;
                let map = self.map_of(entity, system).ok_or_else(|| {
                    BadPlan(format!(
                        "`{}` is not mapped in `{}`",
                        clean.entity, clean.system
                    ))
                })?;
                reads.push(Source {
                    map,
                    system,
                    entity,
                });
                Some(entity)
            }
            None => None,
        };
        reads.sort();
        reads.dedup();
        reconcile_reads.sort();
        reconcile_reads.dedup();
        reconcile_reads.retain(|r| !reads.contains(r));
        let entity = clean_entity.or_else(|| routes.first().map(|r| r.entity));
        let mut out = ScenarioProgram {
            routes,
            when: None,
            reads,
            reconcile_reads,
            require: Vec::new(),
            guard: Vec::new(),
            dedupe: Vec::new(),
            checked: entity,
            batch: s.batch.map(|b| b as usize),
        };
        if let Some(filter) = s.when.as_ref().and_then(|w| w.filter.as_deref()) {
            out.when = Some(EventExpr::compile(filter).map_err(BadPlan)?);
        }
        if let (Some(checkpoint), Some(ix)) = (&s.checkpoint, entity) {
            let mut moved: Vec<EntityIx> = vec![ix];
            moved.extend(out.routes.iter().map(|r| r.entity));
            for require in &checkpoint.require {
                out.require.push(self.require(&moved, require)?);
            }
            let entity = &self.entities[ix as usize];
            for guard in &checkpoint.guard {
                out.guard
                    .push((field_ix(entity, &guard.field)?, guard.over));
            }
            for by in checkpoint.dedupe.iter().flat_map(|d| &d.by) {
                out.dedupe.push(field_ix(entity, by)?);
            }
        }
        Ok(out)
    }

    /// A condition names its entity: it is held over the records of the one over which it compiles.
    fn require(
        &self,
        moved: &[EntityIx],
        require: &plan::Require,
    ) -> Result<RequireProgram, BadPlan> {
        let mut fault = None;
        for entity in moved {
            match RecordExpr::compile(&self.entities[*entity as usize], &require.expression.cel) {
                Ok(holds) => {
                    return Ok(RequireProgram {
                        entity: *entity,
                        holds,
                        abort: require.abort,
                    });
                }
                Err(why) => fault = fault.or(Some(why)),
            }
        }
        Err(BadPlan(fault.unwrap_or_default()))
    }

    fn route(&self, r: &plan::Route) -> Result<RouteProgram, BadPlan> {
        let entity = position(&self.plan.entities, &r.entity, |e| &e.name, "entity")?;
        let names: Vec<String> = self.plan.systems.iter().map(|s| s.name.clone()).collect();
        let (from, to) = (system_ix(&names, &r.from)?, system_ix(&names, &r.to)?);
        let to_map = self
            .map_of(entity, to)
            .ok_or_else(|| BadPlan(format!("`{}` is not mapped in `{}`", r.entity, r.to)))?;
        let program = &self.entities[entity as usize];
        let fields: Result<Vec<_>, _> = r.fields.iter().map(|f| field_ix(program, f)).collect();
        let mut fields = fields?;
        fields.retain(|f| !program.keys.contains(f));
        fields.sort_unstable();
        fields.dedup();
        let filter = match &r.filter {
            Some(filter) => {
                let compiled = RecordExpr::compile(program, &filter.cel);
                Some(Arc::new(compiled.map_err(BadPlan)?))
            }
            None => None,
        };
        let mut absorbs: Vec<FieldIx> = Vec::new();
        for field in &fields {
            match &program.fields[*field as usize].derived {
                Some(derived) => absorbs.extend(derived.reads()),
                None => absorbs.push(*field),
            }
        }
        absorbs.extend(filter.iter().flat_map(|f| f.reads().iter().copied()));
        absorbs.extend(&program.keys);
        absorbs.sort_unstable();
        absorbs.dedup();
        let computes = filter.is_some()
            || fields
                .iter()
                .any(|f| program.fields[*f as usize].derived.is_some());
        Ok(RouteProgram {
            entity,
            from,
            to,
            to_map,
            fields,
            absorbs,
            filter,
            conditional: Vec::new(),
            computes,
            echoed: Vec::new(),
        })
    }
}

fn entity(e: &plan::Entity, systems: &[String]) -> Result<EntityProgram, BadPlan> {
    let mut out = EntityProgram {
        name: e.name.clone(),
        keys: Vec::new(),
        fields: Vec::new(),
        systems: systems.to_vec(),
    };
    for f in &e.fields {
        let owner = f
            .owner
            .as_deref()
            .map(|o| system_ix(systems, o))
            .transpose()?;
        let accepts: Result<Vec<_>, _> = f.accepts.iter().map(|a| system_ix(systems, a)).collect();
        let mut origins = accepts?;
        origins.extend(owner);
        origins.sort_unstable();
        origins.dedup();
        out.fields.push(FieldProgram {
            name: f.name.clone(),
            member: format!("{}:", serde_json::Value::from(&*f.name)),
            ty: f.ty.clone(),
            rule: Rule {
                resolve: f.resolve,
                owner,
            },
            origins,
            derived: None,
        });
    }
    for key in &e.keys {
        out.keys.push(field_ix(&out, key)?);
    }
    for (i, f) in e.fields.iter().enumerate() {
        if let Some(derived) = &f.derived {
            let expr = RecordExpr::compile(&out, &derived.cel).map_err(BadPlan)?;
            out.fields[i].derived = Some(expr);
        }
    }
    Ok(out)
}

fn field_ix(entity: &EntityProgram, name: &str) -> Result<FieldIx, BadPlan> {
    let missing = || BadPlan(format!("`{}` has no field `{name}`", entity.name));
    entity.field(name).ok_or_else(missing)
}

fn system_ix(systems: &[String], name: &str) -> Result<SystemIx, BadPlan> {
    let found = systems
        .iter()
        .position(|s| s == name)
        .map(|i| i as SystemIx);
    found.ok_or_else(|| BadPlan(format!("no system `{name}`")))
}

fn position<T>(
    list: &[T],
    name: &str,
    of: impl Fn(&T) -> &String,
    kind: &str,
) -> Result<u16, BadPlan> {
    let found = list
        .iter()
        .position(|item| of(item) == name)
        .map(|i| i as u16);
    found.ok_or_else(|| BadPlan(format!("no {kind} `{name}`")))
}

/// The wait before an attempt, with full jitter: any whole number of milliseconds from none to the
/// ceiling, as likely as any other. `random`: from 0 to less than 1.
pub fn full_jitter(ceiling: Millis, random: f64) -> Millis {
    let wait = random * (ceiling.0 as f64 + 1.0);
    Millis((wait as u64).min(ceiling.0))
}
