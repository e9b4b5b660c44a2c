//! What each mode that a scenario could have would do, and whether it may have it.

use rayon::prelude::*;

use super::build::{Ground, class, cost, hops, quota_share, tightest};
use super::fields;
use super::types::{Better, Candidate, Estimate, SystemThen};
use crate::arithmetic::{Alternative, SystemFacts, SystemLoad, Timing};
use crate::choice::{self, Overrun, figures};
use crate::model::{FieldId, Hop, ModeKind, Scenario, SystemId};
use crate::terms::Impact;

/// By how much sums of fractions may be over and still count as whole.
const TOLERANCE: f64 = 1e-6;

/// Seconds by which a bound may be missed: less than any duration can say.
const SECONDS_TOLERANCE: f64 = 0.0005;

/// Adds every candidate mode to each scenario of an estimate.
pub fn what_if(ground: Ground, estimate: &mut Estimate) {
    what_if_of(ground, estimate, |_| true);
}

/// The same for the scenarios whose names are wanted.
pub fn what_if_of(ground: Ground, estimate: &mut Estimate, wanted: impl Fn(&str) -> bool + Sync) {
    let known: Vec<&Scenario> = listed(ground).collect();
    let lists: Vec<Option<Vec<Candidate>>> = known
        .par_iter()
        .map(|scenario| {
            let tried = wanted(&scenario.name.text).then(|| candidates(ground, scenario))?;
            Some(tried.iter().map(|t| t.shown(ground, scenario)).collect())
        })
        .collect();
    for (scenario, list) in estimate.scenarios.iter_mut().zip(lists) {
        scenario.what_if = list;
    }
}

/// The scenarios that an estimate lists.
fn listed<'a>(ground: Ground<'a>) -> impl Iterator<Item = &'a Scenario> {
    let all = ground.policy.scenarios.iter();
    all.filter(move |s| ground.arithmetic.scenario(s.id).is_some())
}

/// For each scenario the feasible mode that costs least, where that is less than today; where
/// money is the same, the one that asks for the fewest calls. What saves most comes first.
pub fn better(ground: Ground) -> Vec<Better> {
    let known: Vec<&Scenario> = listed(ground).collect();
    let found = known.par_iter().filter_map(|s| best_of(ground, s));
    let mut found: Vec<Better> = found.collect();
    found.sort_by(|a, b| {
        let money = b.saves.total_cmp(&a.saves);
        money.then(b.fewer_calls.total_cmp(&a.fewer_calls))
    });
    found
}

/// What is too little to change a mode for: half a unit of money, a twentieth of the calls.
const MONEY_MIN: f64 = 0.5;
const CALLS_MIN: f64 = 0.05;

fn best_of(ground: Ground, scenario: &Scenario) -> Option<Better> {
    let today = ground.arithmetic.costs(ground.policy, scenario)?.total()?;
    let figures = ground.arithmetic.scenario(scenario.id)?;
    if figures.hops.iter().any(|h| h.volume_is_unknown()) {
        return None;
    }
    let calls_today = figures.calls_per_day();
    let says_when = choice::says_how_late(ground, scenario);
    // Where bare real time could lose changes for good, the offer is real time with a reconcile.
    let offers = tried(ground, scenario, choice::choices(ground, scenario)).into_iter();
    let offers = offers.filter_map(|t| {
        let costs = t.what_if.costs(ground.arithmetic, ground.policy, scenario);
        let saves = today - costs.total()?;
        let fewer_calls = calls_today - t.what_if.figures.calls_per_day();
        let cheaper = saves >= MONEY_MIN;
        let leaner = says_when && saves > -TOLERANCE && fewer_calls > CALLS_MIN * calls_today;
        (cheaper || leaner).then_some((t, saves, fewer_calls))
    });
    let mut offers: Vec<_> = offers.collect();
    offers.sort_by(|a, b| b.1.total_cmp(&a.1).then(b.2.total_cmp(&a.2)));
    // The reasons against a mode cost more to find than its price: only until one holds.
    let (tried, saves, fewer_calls) = offers
        .into_iter()
        .find(|(t, ..)| t.why_not(ground, scenario).is_empty())?;
    let ages = tried.what_if.figures.ages.iter();
    Some(Better {
        scenario: scenario.name.text.to_string(),
        mode: tried.text,
        saves: saves.max(0.0),
        fewer_calls,
        worst_seconds: ages
            .map(|a| a.worst.total())
            .try_fold(0.0_f64, |most, next| Some(most.max(next?))),
    })
}

/// A mode that is tried.
pub(super) struct Tried {
    pub text: String,
    pub mode: ModeKind,
    pub what_if: Alternative,
}

/// Every mode that a scenario could have, with what it would do.
pub(super) fn candidates(ground: Ground, scenario: &Scenario) -> Vec<Tried> {
    tried(ground, scenario, choice::modes(ground, scenario))
}

fn tried(ground: Ground, scenario: &Scenario, modes: Vec<ModeKind>) -> Vec<Tried> {
    let figures = |mode: &ModeKind| {
        let arithmetic = ground.arithmetic;
        arithmetic.as_if(ground.policy, ground.graph, scenario, mode)
    };
    let each = modes.into_iter().map(|mode| Tried {
        text: choice::text(&mode),
        what_if: figures(&mode),
        mode,
    });
    each.collect()
}

impl Tried {
    pub fn shown(&self, ground: Ground, scenario: &Scenario) -> Candidate {
        let figures = &self.what_if.figures;
        let why_not = self.why_not(ground, scenario);
        let costs = self
            .what_if
            .costs(ground.arithmetic, ground.policy, scenario);
        Candidate {
            mode: self.text.clone(),
            class: class(&figures.timing),
            feasible: why_not.is_empty(),
            why_not: (!why_not.is_empty()).then(|| why_not.join("; ")),
            cost_per_month: cost(costs),
            hops: hops(ground, figures),
            systems: self.systems(ground),
        }
    }

    /// Whether it hears events that can be lost for good, and nothing would find what they missed.
    pub fn loses_changes(&self, ground: Ground, scenario: &Scenario) -> bool {
        let today = ground.arithmetic.scenario(scenario.id);
        let mended = today.is_some_and(|f| matches!(f.timing, Timing::Hybrid(_)));
        let lossy = |hop: &Hop| {
            let entry = ground.policy.system(hop.from.value).entry();
            let events = entry.and_then(|e| e.events.as_ref());
            events.is_some_and(|e| e.lost_for_good())
        };
        self.mode == ModeKind::Realtime && (mended || scenario.hops.iter().any(lossy))
    }

    /// The systems that it calls, each with what all scenarios then ask.
    pub fn touched(&self) -> Vec<SystemId> {
        let hops = self.what_if.figures.hops.iter();
        let mut ids: Vec<SystemId> = hops.flat_map(|h| [h.from, h.to]).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn at<'s>(
        &'s self,
        ground: Ground<'s>,
        id: SystemId,
    ) -> Option<(&'s SystemFacts, &'s SystemLoad)> {
        let load = self.what_if.systems.get(id.index())?;
        Some((ground.arithmetic.facts(id)?, load))
    }

    fn systems(&self, ground: Ground) -> Vec<SystemThen> {
        let known = !self
            .what_if
            .figures
            .hops
            .iter()
            .any(|h| h.volume_is_unknown());
        let then = self.touched().into_iter().filter_map(|id| {
            let (facts, load) = self.at(ground, id)?;
            let used = tightest(facts, load).map(|q| quota_share(facts, q, load.per_day()));
            Some(SystemThen {
                name: ground.name(id).to_owned(),
                calls_per_day: known.then(|| load.per_day().total()),
                quota_counts: tightest(facts, load).and_then(|q| match q.counts.unit() {
                    "calls" => None,
                    unit => Some(unit.to_owned()),
                }),
                utilisation: used.filter(|_| known),
            })
        });
        then.collect()
    }

    /// What speaks against it; nothing: it may be had.
    pub fn why_not(&self, ground: Ground, scenario: &Scenario) -> Vec<String> {
        let mut why = choice::against_clauses(ground, scenario, &self.mode);
        if !self.what_if.figures.timing.is_realtime() {
            why.extend(must_not_wait(ground, scenario));
        }
        why.extend(self.late_hop(ground, scenario));
        why.extend(self.late_field(ground, scenario));
        why.extend(self.overrun(scenario));
        why.extend(self.broken_limits(ground));
        why
    }

    pub fn late_hop(&self, ground: Ground, scenario: &Scenario) -> Option<String> {
        let (to, worst, within) = choice::late_hop(scenario, &self.what_if.figures)?;
        Some(format!(
            "a change can take {} to `{}`, longer than its `fresh {within}`",
            figures::duration(worst),
            ground.name(to)
        ))
    }

    /// The field that is late most against its bound, of all that come over the scenario's hops.
    pub fn late_field(&self, ground: Ground, scenario: &Scenario) -> Option<String> {
        let mut known: Vec<(u32, Vec<SystemId>, SystemId, f64)> = Vec::new();
        let mut latest: Option<(f64, f64, FieldId, SystemId)> = None;
        for (field, system, within) in choice::bounded(ground, scenario) {
            let alike = (
                ground.graph.flows.number_of(field.id).unwrap_or(u32::MAX),
                field.origins(),
                system,
                within,
            );
            if field.derived.is_none() && known.contains(&alike) {
                continue;
            }
            known.push(alike);
            let paths = self.what_if.paths(
                ground.arithmetic,
                ground.policy,
                ground.graph,
                field.id,
                system,
            );
            let worst = seconds(fields::worst(&paths));
            let over = worst - within;
            if over > SECONDS_TOLERANCE && latest.is_none_or(|l| over > l.0) {
                latest = Some((over, worst, field.id, system));
            }
        }
        let (over, worst, field, system) = latest?;
        Some(format!(
            "`{}` can be {} old in `{}`, older than its `fresh {}`",
            ground.policy.field_path(field),
            figures::duration(worst),
            ground.name(system),
            figures::duration(worst - over)
        ))
    }

    pub fn overrun(&self, scenario: &Scenario) -> Option<String> {
        let (seconds, what) = match choice::overrun(scenario, &self.what_if.figures)? {
            Overrun::NeverStarts => return Some("it never starts".to_owned()),
            Overrun::Window(seconds, _) => (seconds, "before its window closes"),
            Overrun::NextStart(seconds, _) => (seconds, "before the next start"),
        };
        Some(match seconds.is_finite() {
            true => format!(
                "a run takes {}: it does not end {what}",
                figures::duration(seconds)
            ),
            false => "a run never ends: the limits leave it nothing".to_owned(),
        })
    }

    fn broken_limits(&self, ground: Ground) -> Vec<String> {
        let touched = self.touched().into_iter();
        let broken = touched.flat_map(|id| {
            let mut why = Vec::new();
            let Some((facts, load)) = self.at(ground, id) else {
                return why;
            };
            let name = ground.name(id);
            let quota = tightest(facts, load);
            let used = quota.map_or(0.0, |q| quota_share(facts, q, load.busiest_day()));
            if used > 1.0 + TOLERANCE {
                let used = figures::share(used);
                let unit = quota.map_or("calls", |q| q.counts.unit());
                why.push(format!(
                    "it needs {used} of the {unit} that may be used of `{name}` a day"
                ));
            }
            let peak = |l: &_| choice::burst_share(l, load);
            let worst = facts.bursts().map(|l| (peak(l), l));
            if let Some((share, limit)) = worst.max_by(|a, b| a.0.total_cmp(&b.0))
                && share > 1.0 + TOLERANCE
            {
                let used = figures::share(share);
                why.push(format!(
                    "its peak is {used} of the limit `{}` of `{name}`",
                    limit.name
                ));
            }
            why
        });
        broken.collect()
    }
}

fn seconds(bound: Option<f64>) -> f64 {
    bound.unwrap_or(f64::INFINITY)
}

/// Why what a scenario carries must not wait for the clock.
pub(super) fn must_not_wait(ground: Ground, scenario: &Scenario) -> Option<String> {
    let live = |other: &Scenario| {
        let figures = ground.arithmetic.scenario(other.id);
        figures.is_some_and(|f| f.timing.is_realtime())
    };
    let (edge, field) = choice::must_not_wait(ground, scenario, &live)?;
    Some(match scenario.impact() == Some(Impact::Compliance) {
        true => "`stale compliance` needs real time".to_owned(),
        false => format!(
            "`{}` is of class consent and must reach `{}` in real time",
            ground.policy.field_path(field),
            ground.name(edge.to)
        ),
    })
}
