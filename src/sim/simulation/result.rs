//! From what was counted to what is shown, each figure beside the estimate's.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::ages::Ages;
use super::load::{Counted, Load};
use super::simulated::{
    AgesSimulated, Beside, DeadLetters, FieldSimulated, LimitSimulated, OutageSimulated,
    ScenarioSimulated, Simulated, SystemSimulated, VERSION,
};
use super::{Heard, Simulation, Span};
use crate::engine::cause::cause;
use crate::engine::ports::{ScenarioIx, Store as _};
use crate::engine::runner::Tally;
use crate::estimate::{FieldAge, ScenarioEstimate, SystemEstimate, notes_without_money};
use crate::sim::{Emulated, SharedStore, Systems};
use crate::time::Instant;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

impl Simulation<'_> {
    pub(super) fn result(
        &self,
        span: &Span,
        (start, unknown): (Instant, Vec<String>),
        heard: &Heard,
        (load, systems): (Load<'_>, Systems),
    ) -> Simulated {
        let days = (span.lasts.as_secs_f64() / DAY).max(f64::MIN_POSITIVE);
        let estimate = self.estimate;
        let mut notes: Vec<String> = unknown
            .iter()
            .map(|name| format!("`{name}` has no declared volume and so no load of its own"))
            .collect();
        notes.extend(load.conditions.notes.iter().cloned());
        notes.extend(short(span));
        if load.idle > 0 {
            notes.push(format!(
                "{} left out: no record was found in which that would have counted",
                match load.idle {
                    1 => "1 change was".to_owned(),
                    n => format!("{n} changes were"),
                }
            ));
        }
        let all = estimate.systems.iter();
        let of_systems = all.filter_map(|said| {
            let ix = usize::from(self.program.system(&said.name)?);
            let found = (systems.all.get(ix)?, load.counted.get(ix)?);
            Some(of_system(said, found, days))
        });
        let scenarios = estimate.scenarios.iter();
        let scenarios = scenarios.filter_map(|said| {
            let ix = self.program.scenario_ix(&said.name)?;
            Some(of_scenario(said, ix, heard, &load, days))
        });
        let fields = estimate.fields.iter();
        Simulated {
            version: VERSION,
            policy: self.program.plan.policy.clone(),
            seed: span.seed,
            start: start.to_string(),
            seconds: span.lasts.as_secs_f64(),
            changes: load.changes,
            untold: load.untold,
            systems: of_systems.collect(),
            scenarios: scenarios.collect(),
            fields: fields
                .filter_map(|said| self.of_field(said, &load))
                .collect(),
            dead_letters: letters(&systems.store),
            outages: span
                .outages
                .iter()
                .map(|outage| OutageSimulated {
                    system: outage.system.clone(),
                    at_seconds: outage.at.as_secs_f64(),
                    seconds: outage.lasts.as_secs_f64(),
                })
                .collect(),
            notes,
            estimate_notes: notes_without_money(self.ground),
        }
    }

    fn of_field(&self, said: &FieldAge, load: &Load<'_>) -> Option<FieldSimulated> {
        let (entity, field) = said.field.split_once('.')?;
        let entity = self.program.entity(entity)?;
        let field = self.program.entities[usize::from(entity)].field(field)?;
        let place = (entity, field, self.program.system(&said.system)?);
        let estimated = (said.mean_seconds, said.worst_seconds);
        Some(FieldSimulated {
            field: said.field.clone(),
            system: said.system.clone(),
            required_seconds: said.required_seconds,
            age_seconds: of_ages(load.watch.ages(place), estimated),
            missing: load.watch.waiting_for(place),
        })
    }
}

/// What a span of less than a day makes of figures of a day.
fn short(span: &Span) -> Option<String> {
    let hours = span.lasts.as_secs_f64() / 3_600.0;
    (hours < 24.0).then(|| {
        format!(
            "{} of a day were simulated, from midnight: a day's figures are worked out from those \
             hours, however busy they are, and what runs once a day or more seldom is out of \
             proportion; `--for 1d` and more can be compared",
            match hours {
                1.0 => "1 hour".to_owned(),
                hours => format!("{hours:.1} hours"),
            }
        )
    })
}

fn of_system(
    said: &SystemEstimate,
    (there, counted): (&Emulated, &Counted),
    days: f64,
) -> SystemSimulated {
    let limits = there.meter.limits().iter().map(|limit| LimitSimulated {
        name: limit.name.clone(),
        allows: limit.allows,
        per_seconds: limit.per.as_secs_f64(),
        most: limit.peak,
        exceeded: limit.exceeded,
    });
    SystemSimulated {
        name: said.name.clone(),
        calls_per_day: Beside::new(Some(counted.calls as f64 / days), said.calls_per_day),
        peak_calls_per_second: Beside::new(
            Some(counted.busiest_minute as f64 / 60.0),
            said.peak_calls_per_second,
        ),
        limits: limits.collect(),
        too_many: counted.limited,
        failed: counted.failed,
        looked_up_per_day: counted.looked_up as f64 / days,
        backlog_most: counted.most_waiting,
        backlog: counted.backlog.clone(),
    }
}

fn of_scenario(
    said: &ScenarioEstimate,
    ix: ScenarioIx,
    heard: &Heard,
    load: &Load<'_>,
    days: f64,
) -> ScenarioSimulated {
    let tally = heard.tallies.as_ref().and_then(|t| t.get(&ix));
    let before = heard.before.as_ref().and_then(|t| t.get(&ix));
    let mut estimated: IndexMap<String, Option<f64>> = IndexMap::new();
    for (system, calls) in said.hops.iter().flat_map(|h| &h.calls_per_day) {
        let sum = estimated.entry(system.clone()).or_insert(Some(0.0));
        *sum = sum.zip(*calls).map(|(a, b)| a + b);
    }
    let calls_of = |tally: Option<&Tally>, system: &str| {
        tally
            .and_then(|t| t.calls.get(system))
            .copied()
            .unwrap_or(0)
    };
    let made = |system: &str| calls_of(tally, system).saturating_sub(calls_of(before, system));
    let written_of = |tally: Option<&Tally>| tally.map_or(0, |t| t.counts.written);
    let written = written_of(tally).saturating_sub(written_of(before));
    for system in tally.into_iter().flat_map(|t| t.calls.keys()) {
        estimated.entry(system.clone()).or_insert(Some(0.0));
    }
    let calls = estimated.into_iter().map(|(system, estimated)| {
        let made = made(&system) as f64 / days;
        (system, Beside::new(Some(made), estimated))
    });
    let runs = heard
        .runs
        .iter()
        .filter(|((name, _), _)| *name == said.name);
    let mut records = said.hops.iter().map(|h| h.records_per_day);
    let records = records.try_fold(0.0, |sum, n| Some(sum + n?));
    // The slowest hop is what a scenario's own `fresh` is held against.
    let slowest = |of: fn(&crate::estimate::Old) -> Option<f64>| {
        let mut hops = said.hops.iter().map(|h| of(&h.staleness_seconds));
        hops.try_fold(0.0_f64, |most, age| Some(most.max(age?)))
    };
    let ages = (slowest(|o| o.mean), slowest(|o| o.worst));
    ScenarioSimulated {
        name: said.name.clone(),
        mode: said.mode.clone(),
        calls_per_day: calls.collect(),
        runs: runs.map(|((_, how), n)| ((*how).to_owned(), *n)).collect(),
        written_per_day: Beside::new(Some(written as f64 / days), records),
        drift: heard.drift.get(&said.name).copied().unwrap_or(0),
        age_seconds: of_ages(load.watch.delays(ix), ages),
        required_seconds: said.required_seconds,
    }
}

fn of_ages(found: Option<&Ages>, (mean, worst): (Option<f64>, Option<f64>)) -> AgesSimulated {
    AgesSimulated {
        changes: found.map_or(0, Ages::count),
        mean: Beside::new(found.and_then(Ages::mean), mean),
        p50: found.and_then(|a| a.quantile(0.5)),
        p99: found.and_then(|a| a.quantile(0.99)),
        worst: Beside::new(found.and_then(Ages::worst), worst),
    }
}

fn letters(store: &SharedStore) -> Vec<DeadLetters> {
    // A store in memory that nothing cuts off does not fail.
    let letters = store.inner().dead_letters().unwrap_or_default();
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for letter in letters {
        let cause = cause(&letter.error).to_owned();
        *counts.entry((letter.system, cause)).or_default() += 1;
    }
    let counts = counts.into_iter();
    counts
        .map(|((system, cause), count)| DeadLetters {
            system,
            cause,
            count,
        })
        .collect()
}
