//! SL0206 stale-relay: a field waits for one schedule after the other on its way.
//!
//! Both hops of one scenario are no relay: a run takes what it reads to all its destinations.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Context, fix, words};
use super::{alike, by_count, pace, paths};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::{Edge, Flow};
use crate::model::{Field, FieldId, Scenario, ScenarioId, SystemId};
use crate::terms::ModeClass;
use crate::text::Span;

const CODE: Code = Code(206);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    // A flow that could not be read may be the faster way.
    if ctx.flows_incomplete {
        return Vec::new();
    }
    let mut relays: BTreeMap<(ScenarioId, u32), Relay> = BTreeMap::new();
    let mut ordered = Ordered::default();
    for (fields, flow) in alike(ctx) {
        for (feeder, fed) in fed_by_schedule(ctx, flow, &fields, &mut ordered) {
            let clause = ctx.graph.flows.hop(ctx.policy, fed.hop).sync;
            let relay = relays.entry((ctx.scenario(fed).id, clause)).or_default();
            relay.pairs.insert((feeder, fed));
            relay.fields.extend(fields.iter().map(|f| f.id));
        }
    }
    relays.values().filter_map(|r| finding(ctx, r)).collect()
}

/// What feeds the hops of one clause.
#[derive(Default)]
struct Relay {
    pairs: BTreeSet<(Edge, Edge)>,
    fields: BTreeSet<FieldId>,
}

/// Whether a scenario waits for another, each pair asked once.
#[derive(Default)]
struct Ordered(BTreeMap<(ScenarioId, ScenarioId), bool>);

impl Ordered {
    fn waits_for(&mut self, ctx: &Context, fed: Edge, feeder: Edge) -> bool {
        let (later, earlier) = (ctx.scenario(fed).id, ctx.scenario(feeder).id);
        *self
            .0
            .entry((later, earlier))
            .or_insert_with(|| later == earlier || ctx.graph.order.waits_for(later, earlier))
    }
}

/// A scheduled edge and the one that it feeds, where nothing brings the field there sooner.
fn fed_by_schedule(
    ctx: &Context,
    flow: &Flow,
    fields: &[&Field],
    ordered: &mut Ordered,
) -> Vec<(Edge, Edge)> {
    let is_slow = |e: &Edge| pace::class(ctx.scenario(*e)) == Some(ModeClass::Scheduled);
    // What never starts is SL0307, and adds no wait that could be said.
    let runs = |e: &Edge| !is_slow(e) || pace::gap(ctx, ctx.scenario(*e)).is_some();
    let (slow, fast): (Vec<Edge>, Vec<Edge>) = flow.edges().filter(runs).partition(is_slow);
    let mut into: BTreeMap<SystemId, Vec<Edge>> = BTreeMap::new();
    for edge in &slow {
        into.entry(edge.to).or_default().push(*edge);
    }
    let origins = fields.first().map_or_else(Vec::new, |f| f.origins());
    let reached = flow.reached_from(&origins);
    let has_it = |s: &SystemId| origins.contains(s) || reached.binary_search(s).is_ok();
    let mut sooner = Sooner::new(&fast, &slow);
    let mut pairs = Vec::new();
    for fed in &slow {
        for feeder in into.get(&fed.from).into_iter().flatten() {
            let relays = has_it(&feeder.from)
                && feeder.from != fed.to
                && !after_is_unknown(ctx, *fed)
                && ![feeder, fed]
                    .iter()
                    .any(|e| is_refused(fields, &origins, **e))
                && !ordered.waits_for(ctx, *fed, *feeder)
                && !sooner.is_there(*feeder, *fed);
            if relays {
                pairs.push((*feeder, *fed));
            }
        }
    }
    pairs
}

/// Whether an `after` names what is not there: it may have been meant for the feeder.
fn after_is_unknown(ctx: &Context, fed: Edge) -> bool {
    ctx.scenario(fed).after.iter().any(|a| a.id.is_none())
}

/// Whether an edge ends in the owner, which does not accept it from there: that is SL0103, and what
/// the owner sends on is its own.
fn is_refused(fields: &[&Field], origins: &[SystemId], edge: Edge) -> bool {
    let owner = fields.first().and_then(|f| f.owner());
    owner == Some(edge.to) && !origins.contains(&edge.from)
}

/// Which systems hear of a change without waiting for a schedule, or for one only.
struct Sooner<'e> {
    fast: BTreeMap<SystemId, Vec<SystemId>>,
    slow: BTreeMap<SystemId, Vec<&'e Edge>>,
    reach: BTreeMap<SystemId, BTreeSet<SystemId>>,
}

impl<'e> Sooner<'e> {
    fn new(fast: &[Edge], slow: &'e [Edge]) -> Sooner<'e> {
        let mut sooner = Sooner {
            fast: BTreeMap::new(),
            slow: BTreeMap::new(),
            reach: BTreeMap::new(),
        };
        for edge in fast {
            sooner.fast.entry(edge.from).or_default().push(edge.to);
        }
        for edge in slow {
            sooner.slow.entry(edge.from).or_default().push(edge);
        }
        sooner
    }

    /// Whether what the feeder takes gets to the end of the edge that it feeds by fewer waits.
    fn is_there(&mut self, feeder: Edge, fed: Edge) -> bool {
        let at_once = self.reach(feeder.from);
        if at_once.contains(&fed.from) || self.reach(fed.from).contains(&fed.to) {
            return true;
        }
        let after_one: BTreeSet<SystemId> = at_once
            .iter()
            .flat_map(|s| self.slow.get(s).into_iter().flatten().map(|e| e.to))
            .collect();
        let arrives = |s: &SystemId| *s == fed.to || self.reach(*s).contains(&fed.to);
        at_once.contains(&fed.to) || after_one.iter().any(arrives)
    }

    /// The systems that a change in one reaches without a schedule, itself among them.
    fn reach(&mut self, from: SystemId) -> BTreeSet<SystemId> {
        if let Some(known) = self.reach.get(&from) {
            return known.clone();
        }
        let mut seen = BTreeSet::from([from]);
        let mut open = vec![from];
        while let Some(system) = open.pop() {
            for next in self.fast.get(&system).into_iter().flatten() {
                if seen.insert(*next) {
                    open.push(*next);
                }
            }
        }
        self.reach.insert(from, seen.clone());
        seen
    }
}

fn finding(ctx: &Context, relay: &Relay) -> Option<Finding> {
    let (feeder, fed) = *relay.pairs.first()?;
    let fields: Vec<FieldId> = relay.fields.iter().copied().collect();
    let what = paths(ctx, &fields);
    let (first, second) = (ctx.scenario(feeder), ctx.scenario(fed));
    let start = ctx.system(feeder.from);
    let (between, end) = (ctx.system(fed.from), ctx.system(fed.to));
    let (into, on) = (pace::gap(ctx, first)?, pace::gap(ctx, second)?);
    let message = format!(
        "{what} {} for two schedules on the way from `{start}` to `{end}`: up to {into} into \
         `{between}`, then up to {on} on to `{end}`, {} in all",
        by_count(fields.len(), "waits", "wait"),
        into + on,
    );
    let mut found = Finding::new(CODE, ctx.sync(fed).clause, message)
        .mark(format!("`{}` takes it on to `{end}`", second.name));
    for (feeder, _) in relay.pairs.iter().take(SHOWN_FEEDERS) {
        let text = format!(
            "`{}` brings it {}",
            ctx.scenario(*feeder).name,
            words::way(ctx, *feeder)
        );
        found = words::label(found, ctx.sync(*feeder).clause, text);
    }
    for scenario in [first, second] {
        let text = format!("`{}` runs by {}", scenario.name, pace::named(scenario));
        found = words::label(found, words::mode_place(scenario), text);
    }
    found = found
        .step(
            ctx.sync(feeder).clause,
            format!("from `{start}` to `{between}`, up to {into}"),
        )
        .step(
            ctx.sync(fed).clause,
            format!("from `{between}` to `{end}`, up to {on}"),
        );
    Some(mends(ctx, found, relay, second))
}

/// How many of many flows that feed one are labelled.
const SHOWN_FEEDERS: usize = 6;

fn mends(ctx: &Context, found: Finding, relay: &Relay, fed: &Scenario) -> Finding {
    let mut before: Vec<&Scenario> = Vec::new();
    for (feeder, _) in &relay.pairs {
        let scenario = ctx.scenario(*feeder);
        if !before.iter().any(|s| s.id == scenario.id) {
            before.push(scenario);
        }
    }
    // Those that wait for this one themselves cannot be waited for.
    let circle = before
        .iter()
        .any(|s| ctx.graph.order.waits_for(s.id, fed.id));
    if circle {
        let waiting: Vec<&str> = before.iter().map(|s| &*s.name.text).collect();
        return found.help(format!(
            "{} {} for `{}` already: turn the `after` round, or take the field straight from where \
             it starts",
            words::names(&waiting),
            by_count(waiting.len(), "waits", "wait"),
            fed.name
        ));
    }
    let names: Vec<&str> = before.iter().map(|s| &*s.name.text).collect();
    let names = names.join(", ");
    let found = found.help(format!(
        "write `after {}` in scenario `{}`, so that it takes on what has just come in; or take the \
         field straight from where it starts",
        match before.len() {
            0..=SHOWN_FEEDERS => &names,
            _ => "…",
        },
        fed.name
    ));
    match wait_for(ctx, fed, &names) {
        Some(edit) => found.fix(
            format!(
                "let `{}` wait for {}",
                fed.name,
                words::names(before.iter().map(|s| &s.name.text))
            ),
            Grade::Review,
            vec![edit],
        ),
        None => found,
    }
}

fn wait_for(ctx: &Context, fed: &Scenario, names: &str) -> Option<Edit> {
    match fed.after_clause {
        Some(clause) => Some(Edit {
            span: Span::point(clause.file, clause.end as usize),
            text: format!(", {names}"),
        }),
        None => fix::add_line(fed.span, ctx.sources, &format!("after {names}")),
    }
}
