//! The way of one field: where it starts, every hop that carries it, how old it gets where.

use std::collections::{BTreeMap, BTreeSet};

use super::picture::{Age, Arrow, Draft, Moves, Node, Picture, Role, join, named, node, of_hop};
use crate::estimate::{Estimate, Ground};
use crate::graph::Edge;
use crate::model::{FieldId, SystemId};

/// The picture of one field. A derived one is shown with what it is computed from.
pub fn way(ground: Ground, estimate: &Estimate, field: FieldId) -> Picture {
    let path = ground.policy.field_path(field);
    let edges = edges(ground, field);
    let roles = roles(ground, field, &edges);
    let place: BTreeMap<SystemId, usize> =
        roles.keys().enumerate().map(|(at, s)| (*s, at)).collect();
    let nodes = roles.iter().map(|(system, role)| {
        let node = node(ground, *system);
        let mut ages = estimate.fields.iter();
        let age = ages.find(|f| f.field == path && f.system == node.name);
        let age = age.map(Age::from);
        Node {
            role: Some(*role),
            late: usize::from(age.is_some_and(|a| a.is_late())),
            age,
            ..node
        }
    });
    let nodes = nodes.collect();
    let arrows = edges.into_iter().filter_map(|(edge, carried)| {
        let (from, to) = (*place.get(&edge.from)?, *place.get(&edge.to)?);
        draft(ground, estimate, edge, carried, (from, to))
    });
    let mut joined: Vec<Draft> = Vec::new();
    for draft in arrows {
        let same = |d: &&mut Draft| {
            (d.arrow.from, d.arrow.to) == (draft.arrow.from, draft.arrow.to)
                && d.arrow.scenarios == draft.arrow.scenarios
        };
        match joined.iter_mut().find(same) {
            Some(known) => join(known, draft),
            None => joined.push(draft),
        }
    }
    Picture {
        title: path,
        nodes,
        arrows: joined.into_iter().map(|d| named(ground, d)).collect(),
        nodes_left: 0,
        arrows_left: 0,
    }
}

fn draft(
    ground: Ground,
    estimate: &Estimate,
    edge: Edge,
    carried: BTreeSet<FieldId>,
    (from, to): (usize, usize),
) -> Option<Draft> {
    let scenario = ground.graph.flows.scenario(ground.policy, edge.hop);
    let shown = estimate.scenarios.get(scenario.id.index());
    let age = ground.arithmetic.age(edge.hop)?;
    let arrow = Arrow {
        from,
        to,
        moves: Moves::Fields,
        scenarios: vec![scenario.name.text.to_string()],
        mode: shown.map(|s| s.mode.clone()).filter(|m| !m.is_empty()),
        class: shown.and_then(|s| s.class),
        fields: Vec::new(),
        field_count: 0,
        age: of_hop(age, scenario.fresh.map(|f| f.value.as_secs_f64())),
        tightest: None,
    };
    Some(Draft { arrow, carried })
}

/// Every hop that carries the field; of a derived one, before them the ways of its inputs to where
/// it is computed. Each with the fields that it carries of these.
fn edges(ground: Ground, field: FieldId) -> Vec<(Edge, BTreeSet<FieldId>)> {
    let mut edges: BTreeMap<Edge, BTreeSet<FieldId>> = BTreeMap::new();
    let flow = ground.graph.flows.of(field);
    let own: Vec<Edge> = flow.into_iter().flat_map(|f| f.edges()).collect();
    for edge in &own {
        edges.entry(*edge).or_default().insert(field);
    }
    if ground.policy.field(field).derived.is_some() {
        let mut reached: Vec<SystemId> = own.iter().map(|e| e.to).collect();
        reached.sort_unstable();
        reached.dedup();
        for system in reached {
            let paths = ground
                .arithmetic
                .paths(ground.policy, ground.graph, field, system);
            for path in paths {
                // The last hop carries the field itself.
                let before = path.edges.len().saturating_sub(1);
                for edge in path.edges.iter().take(before) {
                    edges.entry(*edge).or_default().insert(path.field);
                }
            }
        }
    }
    edges.into_iter().collect()
}

/// The systems that take part, each with what it is to the field.
fn roles(
    ground: Ground,
    field: FieldId,
    edges: &[(Edge, BTreeSet<FieldId>)],
) -> BTreeMap<SystemId, Role> {
    let policy = ground.policy;
    let this = policy.field(field);
    let mut roles: BTreeMap<SystemId, Role> = BTreeMap::new();
    for (edge, _) in edges {
        roles.insert(edge.from, Role::Receiver);
        roles.insert(edge.to, Role::Receiver);
    }
    if this.derived.is_some() {
        for input in ground.graph.derivations.inputs(policy, field) {
            for origin in policy.field(input).origins() {
                // An input's origin that no way leads from has no part in the picture.
                if let Some(role) = roles.get_mut(&origin) {
                    *role = Role::Input;
                }
            }
        }
        return roles;
    }
    for origin in this.origins() {
        roles.insert(origin, Role::Accepted);
    }
    if let Some(owner) = this.owner() {
        roles.insert(owner, Role::Owner);
    }
    roles
}
