//! Why a scenario has its mode: four questions, the figures that answer them, and from which
//! figure on the answer would be another one.

mod options;
mod parts;
mod search;
mod thresholds;
mod types;

pub use types::{
    Answer, Bound, Clause, HowFresh, Lever, LimitKind, LimitUse, Part, RunTakes, ScenarioExplained,
    Side, Then, Threshold, Verdict, WhatItTakes, WhatStalenessCosts, schema,
};

use self::options::Options;
use super::build::{Ground, class};
use super::candidates::must_not_wait;
use super::{fields, place};
use crate::arithmetic::{
    LimitFacts, MONTH_DAYS, ScenarioFigures, SystemFacts, SystemLoad, per_month, per_second,
};
use crate::choice;
use crate::model::{Scenario, SystemId};
use crate::text::Sources;

/// Seconds by which a bound may be missed: less than any duration can say.
const SECONDS_TOLERANCE: f64 = 0.0005;

/// Explains a scenario of a policy that has so many errors; none: its figures are not known at all.
pub fn explain_scenario(
    ground: Ground,
    sources: &Sources,
    scenario: &Scenario,
    errors: u64,
) -> Option<ScenarioExplained> {
    let figures = ground.arithmetic.scenario(scenario.id)?;
    let asked = Asked {
        ground,
        sources,
        scenario,
        figures,
    };
    let options = Options::of(asked);
    let chosen = scenario.mode.chosen.as_ref();
    Some(ScenarioExplained {
        version: super::VERSION,
        currency: ground.policy.currency.to_string(),
        scenario: scenario.name.text.to_string(),
        title: scenario.title.as_ref().map(|t| t.text.to_string()),
        place: place::line(sources, scenario.name.span),
        mode: choice::text(&scenario.mode.kind),
        declared: chosen.map(|_| "auto".to_owned()),
        chosen: chosen.map(|c| c.why.clone()),
        class: class(&figures.timing),
        errors,
        fresh: asked.how_fresh(),
        staleness: asked.what_staleness_costs(),
        running: asked.what_it_takes(),
        limits: asked.limits(),
        verdict: options.verdict(),
        thresholds: thresholds::of(asked, &options),
        candidates: options.shown(asked),
    })
}

/// What is asked about.
#[derive(Clone, Copy)]
struct Asked<'a> {
    ground: Ground<'a>,
    sources: &'a Sources,
    scenario: &'a Scenario,
    figures: &'a ScenarioFigures,
}

impl Asked<'_> {
    fn name(&self) -> String {
        self.scenario.name.text.to_string()
    }

    /// The systems that it calls, each once, in the order of its hops.
    fn called(&self) -> Vec<SystemId> {
        let mut systems = Vec::new();
        for system in self.figures.hops.iter().flat_map(|h| [h.from, h.to]) {
            if !systems.contains(&system) {
                systems.push(system);
            }
        }
        systems
    }

    /// Whether nothing declares the volume of a hop.
    fn volume_is_unknown(&self) -> bool {
        self.figures.hops.iter().any(|h| h.volume_is_unknown())
    }

    fn how_fresh(&self) -> HowFresh {
        let ground = self.ground;
        let policy = ground.policy;
        let mut bounds: Vec<Bound> = Vec::new();
        if let Some(own) = &self.scenario.fresh {
            let pairs = self.figures.hops.iter().zip(&self.figures.ages);
            let mut systems: Vec<(SystemId, Option<f64>)> = Vec::new();
            for (hop, age) in pairs {
                let worst = age.worst.total();
                match systems.iter_mut().find(|s| s.0 == hop.to) {
                    Some(known) => known.1 = known.1.zip(worst).map(|(a, b)| a.max(b)),
                    None => systems.push((hop.to, worst)),
                }
            }
            bounds.extend(systems.into_iter().map(|(system, worst)| {
                let place = place::line(self.sources, own.clause);
                bound(
                    None,
                    ground.name(system),
                    own.value.as_secs_f64(),
                    worst,
                    place,
                )
            }));
        }
        for (field, system, within) in choice::bounded(ground, self.scenario) {
            let paths = ground
                .arithmetic
                .paths(policy, ground.graph, field.id, system);
            // `bounded` lists fields with a `fresh` only.
            let Some(fresh) = field.fresh.as_ref().filter(|_| !paths.is_empty()) else {
                continue;
            };
            let place = place::line(self.sources, fresh.clause);
            let name = Some(policy.field_path(field.id));
            let worst = fields::worst(&paths);
            bounds.push(bound(name, ground.name(system), within, worst, place));
        }
        let slack = |b: &Bound| b.required_seconds - b.worst_seconds.unwrap_or(f64::INFINITY);
        bounds.sort_by(|a, b| slack(a).total_cmp(&slack(b)));
        HowFresh {
            impact: self.scenario.impact(),
            must_not_wait: must_not_wait(ground, self.scenario),
            bounds,
            worst_seconds: worst_of(self.figures),
        }
    }

    fn what_staleness_costs(&self) -> WhatStalenessCosts {
        let stale = self.scenario.stale.as_ref();
        let costs = stale.and_then(|s| Some((s.clause, s.costs?)));
        let (second, place) = match costs {
            Some((clause, costs)) => (per_second(costs.value), place::line(self.sources, clause)),
            None => {
                let reason = "a delay costs nothing where `stale` says no `costs`";
                (0.0, place::default(reason))
            }
        };
        let records = self
            .figures
            .delayed_per_day(self.ground.policy, self.scenario);
        let mean = self.figures.mean_delay();
        let month = |delay: f64| records.map(|r| r * MONTH_DAYS * delay * second);
        let now = mean.and_then(month);
        WhatStalenessCosts {
            per_record_hour: second * 3_600.0,
            place,
            records_per_day: records,
            mean_seconds: mean,
            per_hour: now.map(|m| m / MONTH_DAYS / 24.0),
            per_day: now.map(|m| m / MONTH_DAYS),
            per_month: now,
            if_5_seconds: month(5.0),
            if_24_hours: month(86_400.0),
        }
    }

    fn what_it_takes(&self) -> WhatItTakes {
        let upkeep = self.ground.policy.upkeep.as_ref();
        let realtime = self.figures.timing.is_realtime() && !self.scenario.hops.is_empty();
        let gaps = self.figures.timing.gaps();
        let window = self.scenario.window.as_ref().map(|w| w.value.length());
        let run = self.figures.run.as_ref().zip(gaps).map(|(run, gaps)| {
            let slowest = run.systems.iter().max_by(|a, b| {
                let seconds = |at: Option<f64>| at.unwrap_or(f64::INFINITY);
                seconds(a.seconds).total_cmp(&seconds(b.seconds))
            });
            let limit = slowest.and_then(|s| Some((s.system, s.slowed_by.as_ref()?)));
            let has = window.map_or(gaps.shortest, |w| w.min(gaps.shortest));
            RunTakes {
                starts_per_day: gaps.starts_per_day(),
                seconds: run.seconds,
                has_seconds: has.as_secs_f64(),
                slowed_by: limit
                    .map(|(system, limit)| format!("`{limit}` of `{}`", self.ground.name(system))),
            }
        });
        WhatItTakes {
            upkeep_per_month: upkeep
                .filter(|_| realtime)
                .map_or(0.0, |u| per_month(u.value)),
            parts: parts::of(*self),
            run,
        }
    }

    fn limits(&self) -> Vec<LimitUse> {
        let systems = self.called().into_iter();
        systems
            .filter_map(|id| Some((id, self.ground.at(id)?)))
            .flat_map(|(id, (facts, load))| match facts.limits.is_empty() {
                true => vec![self.no_limit(id)],
                false => {
                    let limits = facts.limits.iter();
                    limits.map(|l| self.limit(id, facts, load, l)).collect()
                }
            })
            .collect()
    }

    fn no_limit(&self, system: SystemId) -> LimitUse {
        LimitUse {
            system: self.ground.name(system).to_owned(),
            limit: None,
            kind: LimitKind::None,
            counts: "calls".to_owned(),
            allowed: None,
            own: None,
            others: None,
            own_share: None,
            others_share: None,
            headroom: None,
            place: place::default("neither the policy nor the catalog names a limit"),
        }
    }

    fn limit(
        &self,
        system: SystemId,
        facts: &SystemFacts,
        load: &SystemLoad,
        limit: &LimitFacts,
    ) -> LimitUse {
        let share = load
            .scenarios
            .iter()
            .find(|s| s.scenario == self.scenario.id);
        let (kind, allowed, own, all) = match limit.is_quota() {
            true => (
                LimitKind::Quota,
                limit.per_day() * facts.budget.value,
                share.map(|s| s.busiest_day),
                load.busiest_day(),
            ),
            false => (
                LimitKind::Burst,
                limit.per_second(),
                share.map(|s| s.peak),
                load.peak(),
            ),
        };
        let own = own.map_or(0.0, |c| c.counted(limit.counts));
        let others = (all.counted(limit.counts) - own).max(0.0);
        let known = !self.volume_is_unknown();
        let part = |calls: f64| (allowed > 0.0 && known).then(|| calls / allowed);
        LimitUse {
            system: self.ground.name(system).to_owned(),
            limit: Some(limit.name.clone()),
            kind,
            counts: limit.counts.unit().to_owned(),
            allowed: Some(allowed),
            own: known.then_some(own),
            others: Some(others),
            own_share: part(own),
            others_share: part(others),
            headroom: part(allowed - own - others),
            place: place::of(self.sources, &limit.origin),
        }
    }
}

/// The worst delay of a scenario's hops; none: without bound.
fn worst_of(figures: &ScenarioFigures) -> Option<f64> {
    let mut ages = figures.ages.iter().map(|a| a.worst.total());
    ages.try_fold(0.0_f64, |most, next| Some(most.max(next?)))
}

fn bound(
    field: Option<String>,
    system: &str,
    required: f64,
    worst: Option<f64>,
    place: super::Place,
) -> Bound {
    Bound {
        field,
        system: system.to_owned(),
        required_seconds: required,
        worst_seconds: worst,
        holds: worst.is_some_and(|w| w <= required + SECONDS_TOLERANCE),
        place,
    }
}
