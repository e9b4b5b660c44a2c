//! What goes where: fields that reach a system, or no longer do, by which scenario and under which
//! condition.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::{Grade, Kind};
use super::list::{List, joined, names};
use super::reach::{self, Reach, keys};
use super::types::{About, Where};
use super::words::{self, Relation};
use crate::plan::{Expression, Plan, Route, Scenario};

/// Entity, field, from, to.
type Edge<'p> = (&'p str, &'p str, &'p str, &'p str);

/// The conditions under which a scenario carries a field on an edge: any of them lets it through;
/// none: nothing holds it back.
type Filters<'p> = BTreeSet<Option<&'p str>>;

/// Entity, from, to and scenarios: what changes the same way for several fields is one change.
type Way<'p> = (&'p str, &'p str, &'p str, &'p str, &'p str);

/// Entity, field and receiver, with the scenarios and senders that bring it there.
type Receipts<'p> = BTreeMap<(&'p str, &'p str, &'p str), BTreeSet<(&'p str, &'p str)>>;

/// What was found of all edges, before it is told.
#[derive(Default)]
struct Found<'p> {
    /// By entity, field and receiver: the scenarios and senders.
    sent: Receipts<'p>,
    unsent: Receipts<'p>,
    /// By way, the last of which is the scenario that carries it now.
    moved: BTreeMap<Way<'p>, BTreeSet<&'p str>>,
    added: BTreeMap<Way<'p>, BTreeSet<&'p str>>,
    removed: BTreeMap<Way<'p>, BTreeSet<&'p str>>,
    /// By way and the conditions before and after.
    filtered: BTreeMap<(Way<'p>, Filters<'p>, Filters<'p>), BTreeSet<&'p str>>,
    /// Scenarios of which anything above tells.
    told: BTreeSet<&'p str>,
}

pub(super) fn compare(list: &mut List, reach: &Reach) {
    let (old, new) = (list.old, list.new);
    let pairs = joined(&old.plan.scenarios, &new.plan.scenarios, |s| &s.name);
    let changed: Vec<_> = pairs
        .iter()
        .filter(|(_, a, b)| !same_routes(*a, *b))
        .collect();
    let mut gone: BTreeMap<Edge, BTreeSet<&str>> = BTreeMap::new();
    let mut come: BTreeMap<Edge, BTreeSet<&str>> = BTreeMap::new();
    let mut found = Found::default();
    for (name, a, b) in &changed {
        let before = a.map(|s| edges(&old.plan, s)).unwrap_or_default();
        let after = b.map(|s| edges(&new.plan, s)).unwrap_or_default();
        for (edge, filters) in &before {
            match after.get(edge) {
                None => _ = gone.entry(*edge).or_default().insert(name.as_str()),
                Some(now) if now != filters && !bare_key(&new.plan, edge, *b) => {
                    let (entity, field, from, to) = *edge;
                    let way = (entity, from, to, name.as_str(), name.as_str());
                    let same = (way, filters.clone(), now.clone());
                    found.filtered.entry(same).or_default().insert(field);
                    found.told.insert(name.as_str());
                }
                Some(_) => {}
            }
        }
        for edge in after.keys().filter(|e| !before.contains_key(*e)) {
            come.entry(*edge).or_default().insert(name.as_str());
        }
    }
    sort_out(&mut found, reach, &gone, &come, (&old.plan, &new.plan));
    sent(list, &found);
    unsent(list, &found);
    ways(list, &found);
    filters(list, &found);
    for (name, a, b) in &changed {
        if a.is_some() && b.is_some() && !found.told.contains(name.as_str()) {
            list.add(Kind::ClausesRegrouped, name)
                .was(clauses(*a), old.scenario(name, first_clause))
                .is(clauses(*b), new.scenario(name, first_clause))
                .means("the same fields go the same way; each clause reads and writes by itself")
                .about(About::Scenario(name.clone()));
        }
    }
}

fn first_clause(scenario: &crate::model::Scenario) -> Option<crate::text::Span> {
    scenario.syncs.first().map(|s| s.clause)
}

fn clauses(scenario: Option<&Scenario>) -> String {
    let number = scenario.map_or(0, |s| s.routes.len());
    match number {
        1 => "1 hop".to_owned(),
        _ => format!("{number} hops"),
    }
}

/// Whether routes are equal in all but where they stand.
fn same_routes(a: Option<&Scenario>, b: Option<&Scenario>) -> bool {
    let (a, b) = (
        a.map_or(&[][..], |s| &s.routes),
        b.map_or(&[][..], |s| &s.routes),
    );
    let same = |a: &Route, b: &Route| {
        a.entity == b.entity
            && a.from == b.from
            && a.to == b.to
            && a.fields == b.fields
            && a.filter == b.filter
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

/// Every field that a scenario carries, keys included, with its conditions.
fn edges<'p>(plan: &'p Plan, scenario: &'p Scenario) -> BTreeMap<Edge<'p>, Filters<'p>> {
    let mut all: BTreeMap<Edge, Filters> = BTreeMap::new();
    for route in &scenario.routes {
        let filter = route.filter.as_ref().map(|f| f.cel.as_str());
        for field in keys(plan, &route.entity).iter().chain(&route.fields) {
            let edge = (&*route.entity, field.as_str(), &*route.from, &*route.to);
            all.entry(edge).or_default().insert(filter);
        }
    }
    all
}

/// Whether an edge is of a key that travels beside other fields, which tell of the way.
fn bare_key(plan: &Plan, edge: &Edge, scenario: Option<&Scenario>) -> bool {
    let (entity, field, from, to) = *edge;
    let mut routes = scenario.iter().flat_map(|s| &s.routes);
    keys(plan, entity).iter().any(|k| k == field)
        && routes
            .any(|r| r.entity == entity && r.from == from && r.to == to && !r.fields.is_empty())
}

fn sort_out<'p>(
    found: &mut Found<'p>,
    reach: &Reach,
    gone: &BTreeMap<Edge<'p>, BTreeSet<&'p str>>,
    come: &BTreeMap<Edge<'p>, BTreeSet<&'p str>>,
    (old, new): (&Plan, &Plan),
) {
    for (edge, scenarios) in come {
        let (entity, field, from, to) = *edge;
        found.told.extend(scenarios);
        let before = gone.get(edge).and_then(|s| s.first());
        for scenario in scenarios {
            if !reach.gets(false, entity, field, to) {
                let who = found.sent.entry((entity, field, to)).or_default();
                who.insert((*scenario, from));
            } else if let Some(before) = before {
                let way = (entity, from, to, *before, *scenario);
                found.moved.entry(way).or_default().insert(field);
            } else {
                let way = (entity, from, to, *scenario, *scenario);
                found.added.entry(way).or_default().insert(field);
            }
        }
    }
    for (edge, scenarios) in gone {
        let (entity, field, from, to) = *edge;
        found.told.extend(scenarios);
        if come.contains_key(edge) || !declared(new, entity, field) || !has(new, to) {
            continue;
        }
        for scenario in scenarios {
            if !reach.gets(true, entity, field, to) {
                let who = found.unsent.entry((entity, field, to)).or_default();
                who.insert((*scenario, from));
            } else {
                let way = (entity, from, to, *scenario, *scenario);
                found.removed.entry(way).or_default().insert(field);
            }
        }
    }
    // A key that goes with other fields on a way that is told of says nothing more.
    let key =
        |plan: &Plan, entity: &str, field: &str| keys(plan, entity).iter().any(|k| k == field);
    for (ways, plan) in [
        (&mut found.added, new),
        (&mut found.moved, new),
        (&mut found.removed, old),
    ] {
        for (way, fields) in ways.iter_mut().filter(|(_, fields)| fields.len() > 1) {
            let only_keys = fields.iter().all(|f| key(plan, way.0, f));
            fields.retain(|f| only_keys || !key(plan, way.0, f));
        }
    }
}

fn has(plan: &Plan, system: &str) -> bool {
    plan.systems.iter().any(|s| s.name == system)
}

fn declared(plan: &Plan, entity: &str, field: &str) -> bool {
    reach::field(plan, entity, field).is_some()
}

pub(super) fn classes<'p>(plan: &'p Plan, entity: &str, field: &str) -> &'p [String] {
    reach::field(plan, entity, field).map_or(&[], |f| &f.classes)
}

fn scenarios_of(who: &BTreeSet<(&str, &str)>) -> String {
    let scenarios: BTreeSet<&str> = who.iter().map(|(s, _)| *s).collect();
    names(scenarios)
}

fn senders_of(who: &BTreeSet<(&str, &str)>) -> String {
    let senders: BTreeSet<&str> = who.iter().map(|(_, from)| *from).collect();
    names(senders)
}

/// The classes that a system is cleared for; none: a plan does not say.
fn cleared<'l>(list: &'l List, system: &str) -> Option<Vec<&'l str>> {
    let policy = list.new.policy.as_ref()?.policy;
    let system = policy.system(policy.system_named(system)?);
    let cleared = system.cleared.iter().flat_map(|c| &c.value);
    Some(cleared.map(|c| &*c.text).collect())
}

fn sent(list: &mut List, found: &Found) {
    let new = list.new;
    for ((entity, field, to), who) in &found.sent {
        let of = classes(&new.plan, entity, field);
        let (grade, what) = match cleared(list, to) {
            _ if of.is_empty() => (Grade::Safe, String::new()),
            Some(cleared) => {
                let open = of.iter().filter(|c| !cleared.contains(&c.as_str()));
                let open: Vec<&str> = open.map(String::as_str).collect();
                match open.is_empty() {
                    true => (Grade::Risky, format!(" of class {}", of.join(", "))),
                    false => (
                        Grade::Breaking,
                        format!(", which is not cleared for {}", names(open)),
                    ),
                }
            }
            None => (
                Grade::Risky,
                format!(
                    " of class {}, for which it may not be cleared: a plan does not say",
                    of.join(", ")
                ),
            ),
        };
        let means = match grade {
            Grade::Breaking => format!(
                "`{to}`{what}, gets it from {} by {}",
                senders_of(who),
                scenarios_of(who)
            ),
            _ => format!(
                "`{to}` gets a field{what} from {} by {}",
                senders_of(who),
                scenarios_of(who)
            ),
        };
        let first = who.first().map_or(("", ""), |w| *w);
        list.graded(Kind::FieldSent, grade, format!("{entity}.{field} in {to}"))
            .is(
                format!("from {} to {to}", first.1),
                new.flow(first.0, entity, first.1, to),
            )
            .means(means)
            .about(About::Field(
                (*entity).to_owned(),
                (*field).to_owned(),
                Where::At((*to).to_owned()),
            ));
    }
}

fn unsent(list: &mut List, found: &Found) {
    let (old, new) = (list.old, list.new);
    let mut receivers: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    if !found.unsent.is_empty() {
        for route in new.plan.scenarios.iter().flat_map(|s| &s.routes) {
            for field in &route.fields {
                let of = receivers.entry((&route.entity, field)).or_default();
                of.insert(&route.to);
            }
        }
    }
    for ((entity, field, to), who) in &found.unsent {
        let first = who.first().map_or(("", ""), |w| *w);
        let still = match receivers.get(&(*entity, *field)) {
            None => "nobody gets it any more".to_owned(),
            Some(one) if one.len() == 1 => format!("{} still gets it", names(one.iter().copied())),
            Some(others) => format!("{} still get it", names(others.iter().copied())),
        };
        list.add(Kind::FieldUnsent, format!("{entity}.{field} in {to}"))
            .was(
                format!("from {} to {to}", first.1),
                old.flow(first.0, entity, first.1, to),
            )
            .means(format!(
                "`{to}` keeps what it has and hears of no change, which {} brought; {still}",
                scenarios_of(who)
            ))
            .about(About::Field(
                (*entity).to_owned(),
                (*field).to_owned(),
                Where::At((*to).to_owned()),
            ));
    }
}

/// `sync contact(a, b) from x to y`.
fn flow_text(entity: &str, fields: &BTreeSet<&str>, from: &str, to: &str) -> String {
    let fields: Vec<&str> = fields.iter().copied().collect();
    format!("{entity}({}) from {from} to {to}", fields.join(", "))
}

fn ways(list: &mut List, found: &Found) {
    let (old, new) = (list.old, list.new);
    for ((entity, from, to, before, after), fields) in &found.moved {
        let text = flow_text(entity, fields, from, to);
        list.add(
            Kind::FlowMoved,
            format!("{after}: {entity} from {from} to {to}"),
        )
        .was(
            format!("{text} by {before}"),
            old.flow(before, entity, from, to),
        )
        .is(
            format!("{text} by {after}"),
            new.flow(after, entity, from, to),
        )
        .means(format!(
            "`{after}` carries what `{before}` did, at its own times and under its own conditions"
        ))
        .about(About::Scenario((*after).to_owned()));
    }
    for ((entity, from, to, scenario, _), fields) in &found.added {
        list.add(
            Kind::FlowAdded,
            format!("{scenario}: {entity} from {from} to {to}"),
        )
        .is(
            flow_text(entity, fields, from, to),
            new.flow(scenario, entity, from, to),
        )
        .means(format!("`{to}` hears of it by one more way"))
        .about(About::Scenario((*scenario).to_owned()));
    }
    for ((entity, from, to, scenario, _), fields) in &found.removed {
        list.add(
            Kind::FlowRemoved,
            format!("{scenario}: {entity} from {from} to {to}"),
        )
        .was(
            flow_text(entity, fields, from, to),
            old.flow(scenario, entity, from, to),
        )
        .means(format!(
            "what `{from}` says gets to `{to}` by other ways alone"
        ))
        .about(About::Scenario((*scenario).to_owned()));
    }
}

/// How conditions relate to those before them.
pub(super) fn relate(old: &Filters, new: &Filters) -> Relation {
    match (old.contains(&None), new.contains(&None)) {
        (true, true) => return Relation::Same,
        (true, false) => return Relation::Narrower,
        (false, true) => return Relation::Wider,
        (false, false) => {}
    }
    let only = |filters: &Filters| match filters.iter().collect::<Vec<_>>().as_slice() {
        [Some(one)] => Some((*one).to_owned()),
        _ => None,
    };
    match (only(old), only(new)) {
        (Some(old), Some(new)) => words::relation(&old, &new),
        _ if new.is_superset(old) => Relation::Wider,
        _ if old.is_superset(new) => Relation::Narrower,
        _ => Relation::Other,
    }
}

fn filter_text(filters: &Filters) -> String {
    if filters.contains(&None) {
        return "no condition".to_owned();
    }
    let all: Vec<String> = filters
        .iter()
        .flatten()
        .map(|f| format!("if `{f}`"))
        .collect();
    all.join(" or ")
}

/// The fields with a class that conditions read.
fn guarded<'p>(plan: &'p Plan, scenario: &str, entity: &str) -> BTreeSet<&'p str> {
    let of_name = plan.scenarios.iter().filter(|s| s.name == scenario);
    let routes = of_name
        .flat_map(|s| &s.routes)
        .filter(|r| r.entity == entity);
    let filters = routes.filter_map(|r| r.filter.as_ref());
    let reads = filters.flat_map(|f: &Expression| &f.reads);
    reads
        .filter(|f| !classes(plan, entity, f).is_empty())
        .map(String::as_str)
        .collect()
}

fn filters(list: &mut List, found: &Found) {
    let (old, new) = (list.old, list.new);
    for ((way, before, after), fields) in &found.filtered {
        let (entity, from, to, scenario, _) = *way;
        let carried = names(fields.iter().copied());
        let (kind, grade, means) = match relate(before, after) {
            Relation::Same => (
                Kind::ExpressionRewritten,
                Grade::Safe,
                "it says the same in other words".to_owned(),
            ),
            Relation::Wider => (
                Kind::FilterWidened,
                Grade::Breaking,
                format!("`{to}` gets {carried} of records that were held back"),
            ),
            Relation::Narrower => (
                Kind::FilterNarrowed,
                Grade::Risky,
                format!("`{to}` no longer gets {carried} of records for which it does not hold"),
            ),
            Relation::Other => {
                let held = guarded(&old.plan, scenario, entity);
                let holds = guarded(&new.plan, scenario, entity);
                let lost: Vec<&str> = held.difference(&holds).copied().collect();
                match lost.is_empty() {
                    true => (
                        Kind::FilterChanged,
                        Grade::Risky,
                        format!("`{to}` gets {carried} of other records"),
                    ),
                    false => (
                        Kind::FilterChanged,
                        Grade::Breaking,
                        format!(
                            "`{to}` gets {carried} of other records, whatever {} says",
                            names(lost)
                        ),
                    ),
                }
            }
        };
        list.graded(
            kind,
            grade,
            format!("{scenario}: {entity} from {from} to {to}"),
        )
        .was(filter_text(before), old.flow(scenario, entity, from, to))
        .is(filter_text(after), new.flow(scenario, entity, from, to))
        .means(means)
        .about(About::Scenario(scenario.to_owned()));
    }
}
