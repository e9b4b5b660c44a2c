//! Other modes for a scenario, held against limits and bounds: what several checks propose.

use super::{Context, figures};
use crate::arithmetic::{Alternative, HopLoad, SystemLoad, Timing};
use crate::graph::Edge;
use crate::model::{Field, Hop, ModeKind, Scenario, SystemId};
use crate::terms::Impact;
use crate::time::{Millis, Schedule};

/// A mode that a scenario could have.
pub(super) struct Candidate {
    /// As a policy writes it, without the keyword.
    pub text: String,
    /// What would be.
    pub what_if: Alternative,
}

impl Candidate {
    /// The worst delay of one of the scenario's hops, in seconds.
    pub fn worst(&self, ctx: &Context, edge: Edge) -> f64 {
        let figures = &self.what_if.figures;
        let at = figures.hops.iter().position(|h| h.hop == Some(edge.hop));
        at.and_then(|at| figures.ages.get(at))
            .and_then(|a| a.worst.total())
            .unwrap_or_else(|| worst(ctx, edge))
    }

    /// What it adds to, or saves of, all calls a day.
    pub fn more_calls(&self, ctx: &Context) -> f64 {
        self.what_if.calls_per_day() - ctx.arithmetic.calls_per_day()
    }

    /// Whether nothing declares the volume of what it moves: then nobody knows its calls.
    pub fn calls_are_unknown(&self) -> bool {
        let mut hops = self.what_if.figures.hops.iter();
        hops.any(HopLoad::volume_is_unknown)
    }

    /// "costs about 210 more calls a day".
    pub fn price(&self, ctx: &Context) -> String {
        match self.more_calls(ctx) {
            _ if self.calls_are_unknown() => {
                "costs more calls (how many is not known without a `volume`)".to_owned()
            }
            more if more >= 0.5 => format!("costs about {} more calls a day", figures::count(more)),
            more if more <= -0.5 => format!("saves about {} a day", figures::calls(-more)),
            _ => "costs no more calls".to_owned(),
        }
    }
}

/// The worst delay of a hop as the policy stands, in seconds; infinite without bound.
pub(super) fn worst(ctx: &Context, edge: Edge) -> f64 {
    let age = ctx.arithmetic.age(edge.hop);
    age.and_then(|a| a.worst.total()).unwrap_or(f64::INFINITY)
}

/// The intervals that are tried, longest first.
const MINUTES: [u64; 7] = [1_440, 240, 60, 30, 15, 10, 5];

/// The modes that fit a scenario's other clauses, its sources and the limits, slowest first. One
/// that would break a limit which holds today is left out.
pub(super) fn feasible(ctx: &Context, scenario: &Scenario) -> Vec<Candidate> {
    let scheduled = MINUTES
        .into_iter()
        .map(|m| ModeKind::Scheduled(Some(Schedule::Every(Millis::from_mins(m)))))
        .filter(|_| can_be_scheduled(ctx, scenario));
    let by_event = sends_events(ctx, scenario).then_some(ModeKind::Realtime);
    scheduled
        .chain(by_event)
        .map(|mode| Candidate {
            text: written(&mode),
            what_if: ctx.arithmetic.as_if(ctx.policy, ctx.graph, scenario, &mode),
        })
        .filter(|c| fits(ctx, scenario, c))
        .collect()
}

fn written(mode: &ModeKind) -> String {
    match mode {
        ModeKind::Scheduled(Some(Schedule::Every(every))) if *every == Millis::DAY => {
            "every 24h".to_owned()
        }
        ModeKind::Scheduled(Some(schedule)) => schedule.to_string(),
        _ => "realtime".to_owned(),
    }
}

/// Whether the clock is open to it: no event starts it, and every source can be read for what
/// changed.
pub(super) fn can_be_scheduled(ctx: &Context, scenario: &Scenario) -> bool {
    let reads = |hop: &Hop| {
        let source = ctx.arithmetic.facts(hop.from.value);
        let map = ctx.policy.map_for(hop.entity, hop.from.value);
        source.is_some_and(|s| s.can_read)
            && (scenario.scans_full() || map.is_some_and(|m| m.cursor.is_some()))
    };
    scenario.when.is_none() && scenario.hops.iter().all(reads)
}

/// Whether real time is open to it: every source sends events, and no clause needs a schedule.
fn sends_events(ctx: &Context, scenario: &Scenario) -> bool {
    let needs_schedule = scenario.after_clause.is_some()
        || scenario.window.is_some()
        || scenario.scan_full.is_some()
        || scenario.clean.is_some();
    let source = |s| ctx.arithmetic.facts(s).is_some_and(|f| f.has_events);
    !needs_schedule && scenario.hops.iter().all(|h| source(h.from.value))
}

/// Whether its run ends in time and no limit is broken that holds today.
fn fits(ctx: &Context, scenario: &Scenario, candidate: &Candidate) -> bool {
    let figures = &candidate.what_if.figures;
    let in_time = match (&figures.timing, &figures.run) {
        (Timing::Scheduled(gaps) | Timing::Hybrid(gaps), Some(run)) => {
            let most = gaps.shortest.as_secs_f64();
            let window = scenario.window.as_ref().map(|w| w.value.length());
            let most = window.map_or(most, |w| most.min(w.as_secs_f64()));
            run.seconds.is_some_and(|s| s <= most)
        }
        (Timing::Realtime, _) => true,
        _ => false,
    };
    let mut systems = ctx.policy.systems.iter().map(|s| s.id);
    in_time
        && systems.all(|system| {
            let facts = ctx.arithmetic.facts(system);
            let (today, then) = (
                ctx.arithmetic.system(system),
                candidate.what_if.systems.get(system.index()),
            );
            let (Some(facts), Some(today), Some(then)) = (facts, today, then) else {
                return true;
            };
            facts.limits.iter().all(|limit| {
                let use_of = |load: &SystemLoad| match limit.is_quota() {
                    true => {
                        load.busiest_day().counted(limit.counts)
                            / (limit.per_day() * facts.budget.value)
                    }
                    false => load.peak().counted(limit.counts) / limit.per_second(),
                };
                use_of(then) <= 1.0 || use_of(then) <= use_of(today)
            })
        })
}

/// The mode that asks for the fewest calls of those for which `good` holds; among equals, and where
/// calls are not known, the slowest.
pub(super) fn cheapest(
    ctx: &Context,
    candidates: Vec<Candidate>,
    good: impl Fn(&Candidate) -> bool,
) -> Option<Candidate> {
    let calls = |c: &Candidate| match c.calls_are_unknown() {
        true => 0.0,
        false => c.more_calls(ctx),
    };
    candidates
        .into_iter()
        .filter(|c| good(c))
        .min_by(|a, b| calls(a).total_cmp(&calls(b)))
}

/// Whether a mode keeps every bound that the scenario's hops serve today: its own `fresh` and the
/// `fresh` of each field that it carries.
pub(super) fn keeps_bounds(ctx: &Context, scenario: &Scenario, candidate: &Candidate) -> bool {
    let live = scenario.mode.is_realtime();
    let figures = &candidate.what_if.figures;
    if live && !figures.timing.is_realtime() && scenario.impact() == Some(Impact::Compliance) {
        return false;
    }
    figures.hops.iter().zip(&figures.ages).all(|(hop, age)| {
        let worst = age.worst.total().unwrap_or(f64::INFINITY);
        let own = scenario.fresh.as_ref().map(|f| f.value.as_secs_f64());
        let position = hop.hop.map(|h| ctx.graph.flows.hop(ctx.policy, h));
        let mut fields = position.into_iter().flat_map(|h| h.fields.iter());
        own.is_none_or(|most| worst <= most)
            && fields.all(|field| {
                let field = ctx.policy.field(*field);
                let keeps = bound(field, hop.to).is_none_or(|most| worst <= most);
                keeps && !(live && !figures.timing.is_realtime() && field.has_class("consent"))
            })
    })
}

/// How old a field may be in a system, in seconds.
fn bound(field: &Field, system: SystemId) -> Option<f64> {
    let fresh = &field.fresh.as_ref()?.value;
    let holds = match &fresh.systems {
        None => true,
        Some(named) => named.iter().any(|s| s.id == Some(system)),
    };
    fresh.within.filter(|_| holds).map(|w| w.as_secs_f64())
}
