//! Where a change goes: for each field of each origin, the systems that are to have it.

use std::collections::BTreeMap;

use super::conditions::Conditions;
use crate::arithmetic::Arithmetic;
use crate::engine::ports::{EntityIx, FieldIx, SystemIx};
use crate::engine::program::Program;
use crate::model::Policy;

/// A system that is to have a field's changes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Way {
    /// The field there; another than the one that changed where it is derived from that.
    pub field: FieldIx,
    /// The system.
    pub to: SystemIx,
    /// The system that it comes there from.
    pub from: SystemIx,
    /// Whether the first hop is left to events.
    pub by_event: bool,
    /// The conditions on the way.
    pub conditions: Vec<usize>,
}

/// By entity, origin and field that changes there.
pub(super) type Ways = BTreeMap<(EntityIx, SystemIx, FieldIx), Vec<Way>>;

/// A hop as the search sees it.
struct Edge {
    entity: EntityIx,
    from: SystemIx,
    to: SystemIx,
    fields: Vec<FieldIx>,
    cost: f64,
    condition: Option<usize>,
    by_event: bool,
}

/// What a way that a condition bars costs more: it is taken where there is no other.
const BARRED: f64 = 1e15;
/// What a hop without bound costs.
const ENDLESS: f64 = 1e12;

/// The ways of all fields.
pub(super) fn of(
    policy: &Policy,
    arithmetic: &Arithmetic,
    program: &Program,
    conditions: &Conditions,
) -> Ways {
    let edges = edges(policy, arithmetic, program, conditions);
    let mut ways = Ways::new();
    for (e, entity) in program.entities.iter().enumerate() {
        let e = e as EntityIx;
        for (f, field) in entity.fields.iter().enumerate() {
            let f = f as FieldIx;
            if entity.keys.contains(&f) || field.derived.is_some() {
                continue;
            }
            for origin in &field.origins {
                let mut found = search(&edges, (e, f), *origin);
                found.extend(derived(program, &edges, (e, f), *origin));
                if !found.is_empty() {
                    ways.insert((e, *origin, f), found);
                }
            }
        }
    }
    ways
}

fn edges(
    policy: &Policy,
    arithmetic: &Arithmetic,
    program: &Program,
    conditions: &Conditions,
) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (plan, scenario) in program.plan.scenarios.iter().zip(&program.scenarios) {
        let figures = policy.scenario_named(&plan.name);
        let figures = figures.and_then(|id| arithmetic.scenario(id));
        for (said, route) in plan.routes.iter().zip(&scenario.routes) {
            let slowest = figures.into_iter().flat_map(|f| f.hops.iter().zip(&f.ages));
            let worst = slowest
                .filter(|(load, _)| {
                    policy.system(load.from).name.text.as_ref() as &str == said.from
                        && policy.system(load.to).name.text.as_ref() as &str == said.to
                })
                .map(|(_, age)| age.worst.total().unwrap_or(ENDLESS))
                .fold(0.0, f64::max);
            let text = route.filter.as_ref().map(|f| f.text());
            edges.push(Edge {
                entity: route.entity,
                from: route.from,
                to: route.to,
                fields: route.fields.clone(),
                cost: worst,
                condition: text.and_then(|t| conditions.number(route.entity, t)),
                by_event: plan.mode.realtime,
            });
        }
    }
    edges
}

/// The cheapest way of a field from an origin to each system that has one.
fn search(edges: &[Edge], (e, f): (EntityIx, FieldIx), origin: SystemIx) -> Vec<Way> {
    let mut known: BTreeMap<SystemIx, (f64, Way)> = BTreeMap::new();
    let carry: Vec<&Edge> = edges
        .iter()
        .filter(|edge| edge.entity == e && edge.fields.contains(&f) && edge.to != origin)
        .collect();
    // Each round reaches one hop further; ways have no circles.
    for _ in 0..=carry.len() {
        let mut better = false;
        for edge in &carry {
            let start = match known.get(&edge.from) {
                _ if edge.from == origin => Some((0.0, None)),
                Some((cost, way)) => Some((*cost, Some(way))),
                None => None,
            };
            let Some((before, way)) = start else { continue };
            let barred = if edge.condition.is_some() {
                BARRED
            } else {
                0.0
            };
            let cost = before + edge.cost + barred + 1e-6;
            if known.get(&edge.to).is_some_and(|(known, _)| *known <= cost) {
                continue;
            }
            let mut conditions = way.map(|w| w.conditions.clone()).unwrap_or_default();
            conditions.extend(edge.condition);
            let by_event = way.map_or(edge.by_event, |w| w.by_event);
            let way = Way {
                field: f,
                to: edge.to,
                from: edge.from,
                by_event,
                conditions,
            };
            known.insert(edge.to, (cost, way));
            better = true;
        }
        if !better {
            break;
        }
    }
    known.into_values().map(|(_, way)| way).collect()
}

/// Derived fields that a change at their sender makes anew.
fn derived(
    program: &Program,
    edges: &[Edge],
    (e, f): (EntityIx, FieldIx),
    origin: SystemIx,
) -> Vec<Way> {
    let entity = &program.entities[usize::from(e)];
    let mut out: Vec<Way> = Vec::new();
    for edge in edges
        .iter()
        .filter(|edge| edge.entity == e && edge.from == origin)
    {
        for field in &edge.fields {
            let expression = &entity.fields[usize::from(*field)].derived;
            let reads = expression.as_ref().is_some_and(|x| x.reads().contains(&f));
            let known = |w: &Way| w.field == *field && w.to == edge.to;
            if reads && !out.iter().any(known) {
                out.push(Way {
                    field: *field,
                    to: edge.to,
                    from: origin,
                    by_event: edge.by_event,
                    conditions: edge.condition.into_iter().collect(),
                });
            }
        }
    }
    out
}
