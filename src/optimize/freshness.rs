//! Quotas spent on freshness: how often each scenario that is read by the clock should read.
//!
//! Modes stay by event or by the clock; only intervals change. The best sharing is found in reads a
//! day of any size first ([`sharing`]), from which the multipliers come, then in intervals that a
//! policy can say ([`intervals`](super::intervals)).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::intervals::{Choosing, Plan};
use super::readers::{Quota, Reader, Weights, World};
use super::{Breaks, Change, Ending, Optimization, Proposal};
use crate::arithmetic::Arithmetic;
use crate::arithmetic::polling::{self, Measure};
use crate::arithmetic::sharing::{self, Part, Way};
use crate::choice::{Ground, Problem, figures};
use crate::model::ModeKind;

const DAY: f64 = 86_400.0;

/// Rounds in which the calls of a read and the reads a day are fitted to each other: the longer the
/// interval, the more pages a read has.
const ROUNDS: usize = 40;

/// What quotas spent on freshness come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Freshness {
    /// `freshness`, `age` or `harmonic`: what is to be best.
    pub measure: String,
    /// `costs`: scenarios count by what a day's changes cost for each unit of delay; `equal`: all
    /// alike. What is `stale none` counts for nothing.
    pub weights: String,
    /// Where all count alike: the scenarios that do not say what lateness costs.
    pub silent: Vec<String>,
    /// The weighted sum of the measure: of freshness the more the better, of age (in days) and of
    /// harmonic staleness the less.
    pub total: Total,
    /// The quotas that are shared out, in the order of the systems.
    pub quotas: Vec<SharedQuota>,
    /// The scenarios that are read by the clock, in the order of the policy.
    pub readers: Vec<Reading>,
    /// The scenarios that are told of changes and call at those quotas.
    pub notified: Vec<Notice>,
    /// The scenarios whose modes stay, each with the reason.
    pub held: Vec<Held>,
}

/// A sum today, then, and at best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Total {
    /// As the policy stands; null: without bound.
    pub today: Option<f64>,
    /// With the modes proposed.
    pub then: Option<f64>,
    /// With reads a day of any size, as far as is found.
    pub best: Option<f64>,
}

/// A quota.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SharedQuota {
    /// The system.
    pub system: String,
    /// The limit's name.
    pub limit: String,
    /// Calls a day that the policy may make.
    pub allowed_per_day: f64,
    /// Calls of the busiest day by all that is not read by the clock, or keeps its mode.
    pub held_per_day: f64,
    /// Calls of the busiest day by what is read by the clock.
    pub calls_per_day: Change,
    /// By how much one more call a day would better the total at its best, in the measure's unit;
    /// null: nothing is shared out.
    pub multiplier: Option<f64>,
}

/// A scenario that is read by the clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reading {
    /// Its name.
    pub scenario: String,
    /// What it counts for, 1 on the mean.
    pub weight: f64,
    /// Changes a day that it carries, over all its hops.
    pub changes_per_day: f64,
    /// Reads a day.
    pub reads_per_day: Total,
    /// Reads a day that a `fresh` demands; null: none does.
    pub least_per_day: Option<f64>,
    /// What demands them.
    pub bound: Option<String>,
    /// The share of the time in which no change is outstanding, the mean over its hops.
    pub freshness: Change,
    /// How long the first change outstanding has waited for a read, on the mean over time, in
    /// seconds.
    pub age_seconds: Change,
    /// The harmonic staleness.
    pub harmonic: Change,
    /// Whether it is read no oftener than it has to be: more reads of it gain less than their calls
    /// gain elsewhere.
    pub left_out: bool,
}

/// A scenario that is told of changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Its name.
    pub scenario: String,
    /// Changes a day that it is told of, over all its hops.
    pub changes_per_day: f64,
    /// The share of its notices that the best sharing by the harmonic staleness would follow; every
    /// one is followed. Null: another measure.
    pub best_share: Option<f64>,
}

/// A scenario whose mode stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// Its name.
    pub scenario: String,
    /// Why.
    pub why: String,
}

/// The best sharing in reads a day of any size.
struct Ideal {
    reads: Vec<f64>,
    multipliers: Vec<f64>,
    shares: Vec<Option<f64>>,
}

/// Shares out every quota for the best freshness. Without a measure: the harmonic staleness where
/// sources that notify stand beside sources that are polled, else freshness.
pub fn of(ground: Ground, problem: &Problem, asked: Option<Measure>) -> Proposal {
    let world = World::of(ground);
    let measure = asked.unwrap_or(
        match world.notified.is_empty() || world.readers.is_empty() {
            true => Measure::Freshness,
            false => Measure::Harmonic,
        },
    );
    let short = shortage(&world);
    let today: Vec<f64> = world.readers.iter().map(|r| r.today).collect();
    let from_today = match short.is_empty() {
        true => ideal(&world, measure, &today),
        false => None,
    };
    let none = vec![0.0; world.quotas.len()];
    let worth = from_today.as_ref().map_or(none, |i| i.multipliers.clone());
    let choosing = Choosing {
        readers: &world.readers,
        quotas: &world.quotas,
        worth: &worth,
        measure,
    };
    let plan = match short.is_empty() {
        true => choosing.best(),
        false => None,
    };
    // Where calls saturate (each change is written once, however often one reads) there may be
    // several sharings that no small change betters: the plan may lie near a better one.
    let from_plan = plan.as_ref().and_then(|plan| {
        let pairs = world.readers.iter().zip(plan);
        let reads: Vec<f64> = pairs
            .map(|(reader, at)| reader.options.get(*at).map_or(0.0, |o| o.reads))
            .collect();
        ideal(&world, measure, &reads)
    });
    let sum = |ideal: &Ideal| -> f64 {
        let pairs = world.readers.iter().zip(&ideal.reads);
        pairs.map(|(r, reads)| r.value(measure, *reads)).sum()
    };
    let ideal = [from_plan, from_today]
        .into_iter()
        .flatten()
        .max_by(|a, b| sum(a).total_cmp(&sum(b)));
    let mut modes: Vec<&ModeKind> = ground
        .policy
        .scenarios
        .iter()
        .map(|s| &s.mode.kind)
        .collect();
    for (reader, at) in world.readers.iter().zip(plan.iter().flatten()) {
        if let Some(option) = reader.options.get(*at) {
            modes[reader.scenario.id.index()] = &option.mode;
        }
    }
    let truth = problem.truth_of(&modes);
    let mut proposal = super::assembled(ground, problem, &modes, Some(&truth));
    // Intervals of one minute mend what no mode that is weighed by cost can.
    let broken = |arithmetic: &Arithmetic| -> Vec<String> {
        let faults = problem.faults(arithmetic).into_iter();
        let mut words: Vec<String> = faults.map(|f| problem.describe(f, arithmetic)).collect();
        words.dedup();
        words
    };
    let breaks = Breaks {
        today: broken(ground.arithmetic),
        then: broken(&truth.arithmetic),
    };
    let fits = plan.is_some() && breaks.then.is_empty();
    proposal.shown = Optimization {
        objective: super::Objective::Freshness,
        result: if fits {
            Ending::Feasible
        } else {
            Ending::Infeasible
        },
        breaks: Breaks {
            then: match short.is_empty() {
                true => breaks.then,
                false => short,
            },
            today: breaks.today,
        },
        freshness: Some(shown(&choosing, &world, plan.as_ref(), ideal.as_ref())),
        ..proposal.shown
    };
    if !fits {
        proposal.modes = vec![None; modes.len()];
    }
    proposal
}

/// Why nothing can be shared out, in words: a bound that no interval holds, or a quota that the
/// bounds alone exceed.
fn shortage(world: &World) -> Vec<String> {
    let mut words = Vec::new();
    for reader in world.readers.iter().filter(|r| r.options.is_empty()) {
        let name = &reader.scenario.name.text;
        let bound = reader.bound.as_ref().map_or("", |b| &b.words);
        words.push(format!(
            "no interval of `{name}` is short enough for {bound}"
        ));
    }
    if !words.is_empty() {
        return words;
    }
    for (at, quota) in world.quotas.iter().enumerate() {
        let needs = |r: &Reader| r.options.first().map_or(0.0, |o| o.calls[at]);
        let all: f64 = world.readers.iter().map(needs).sum();
        if quota.held + all <= quota.allowed * (1.0 + 1e-6) {
            continue;
        }
        let mut who: Vec<(f64, String)> = world
            .readers
            .iter()
            .filter(|r| needs(r) > 0.0)
            .map(|r| {
                let why = match &r.bound {
                    Some(bound) => format!("for {}", bound.words),
                    None => "at its rarest".to_owned(),
                };
                let name = &r.scenario.name.text;
                let calls = figures::count(needs(r));
                (needs(r), format!("`{name}` needs {calls} {why}"))
            })
            .collect();
        who.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut who: Vec<String> = who.into_iter().map(|w| w.1).collect();
        if quota.held > 0.0 {
            let held = figures::count(quota.held);
            who.push(format!("what keeps its mode needs {held}"));
        }
        let (needed, allowed) = figures::more_than(quota.held + all, quota.allowed);
        words.push(format!(
            "the policy may make {allowed} calls a day of `{}` at `{}`, but at the longest intervals \
             it needs {needed}: {}",
            quota.name,
            world.ground.name(quota.system),
            who.join(", ")
        ));
    }
    words
}

/// The best in reads a day of any size, as found from a start; none: the floors do not fit as evenly spaced reads.
fn ideal(world: &World, measure: Measure, start: &[f64]) -> Option<Ideal> {
    let ranges: Vec<(f64, f64)> = world
        .readers
        .iter()
        .map(Reader::range)
        .collect::<Option<_>>()?;
    let mut reads: Vec<f64> = start
        .iter()
        .zip(&ranges)
        .map(|(reads, (least, most))| reads.clamp(*least, *most))
        .collect();
    let left: Vec<f64> = world.quotas.iter().map(Quota::left).collect();
    let mut found = None;
    for round in 0..ROUNDS {
        // Calls about here: so many whatever the reads, and so many for each read more.
        let (fixed, each) = linear(world, &reads);
        let readers: Vec<sharing::Reader> = world
            .readers
            .iter()
            .zip(each)
            .zip(&ranges)
            .map(|((reader, calls), range)| reader.shared(calls, *range))
            .collect();
        let quotas: Vec<f64> = left.iter().zip(&fixed).map(|(l, f)| l - f).collect();
        let shared = match sharing::share(measure, &readers, &quotas) {
            Ok(shared) => shared,
            // At the floors themselves the calls are known exactly.
            Err(_) if round == 0 => {
                reads = ranges.iter().map(|r| r.0).collect();
                continue;
            }
            Err(_) => return found,
        };
        let still = reads
            .iter()
            .zip(&shared.reads)
            .all(|(a, b)| (a - b).abs() <= 1e-7 * b);
        // Halfway, once it goes to and fro.
        let part = if round < 8 { 1.0 } else { 0.5 };
        let pairs = reads.iter().zip(&shared.reads);
        reads = pairs.map(|(a, b)| a + part * (b - a)).collect();
        let shares = notices(world, measure, &readers, &quotas);
        found = Some(Ideal {
            reads: shared.reads,
            multipliers: shared.multipliers,
            shares,
        });
        if still {
            break;
        }
    }
    found
}

/// By quota: calls that do not depend on the reads about here; by reader and quota: calls of one
/// more read.
fn linear(world: &World, reads: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut fixed = vec![0.0; world.quotas.len()];
    let each = world.readers.iter().zip(reads).map(|(reader, reads)| {
        let at = |reads: f64| world.calls_at(reader.scenario, reads);
        const STEP: f64 = 0.01;
        let (less, here, more) = (
            at(reads * (1.0 - STEP)),
            at(*reads),
            at(reads * (1.0 + STEP)),
        );
        let slopes = less.iter().zip(&more).zip(&here).map(|((l, m), here)| {
            // Where nothing is known of the slope, a read is as dear as those before it.
            let slope = (m - l) / (2.0 * STEP * reads);
            slope.clamp(1e-3 * here / reads, here / reads)
        });
        let slopes: Vec<f64> = slopes.collect();
        for ((sum, here), slope) in fixed.iter_mut().zip(&here).zip(&slopes) {
            *sum += here - slope * reads;
        }
        slopes
    });
    let each = each.collect();
    (fixed, each)
}

/// The share of their notices that the best sharing would follow, if a policy could say so.
fn notices(
    world: &World,
    measure: Measure,
    readers: &[sharing::Reader],
    quotas: &[f64],
) -> Vec<Option<f64>> {
    let none = vec![None; world.notified.len()];
    if measure != Measure::Harmonic || world.notified.is_empty() {
        return none;
    }
    let mut quotas = quotas.to_vec();
    let mut all = readers.to_vec();
    for notified in &world.notified {
        for (quota, calls) in quotas.iter_mut().zip(&notified.calls) {
            *quota += calls;
        }
        let calls = notified.calls.iter().map(|c| c / notified.changes);
        all.push(sharing::Reader {
            way: Way::Notified(Part {
                weight: notified.weight,
                changes: notified.changes,
            }),
            calls: calls.collect(),
            least: if notified.bounded {
                notified.changes
            } else {
                0.0
            },
            most: notified.changes,
        });
    }
    let Ok(shared) = sharing::share(measure, &all, &quotas) else {
        return none;
    };
    let followed = shared.reads.iter().skip(readers.len());
    let pairs = world.notified.iter().zip(followed);
    pairs.map(|(n, reads)| Some(reads / n.changes)).collect()
}

fn shown(
    choosing: &Choosing,
    world: &World,
    plan: Option<&Plan>,
    ideal: Option<&Ideal>,
) -> Freshness {
    let measure = choosing.measure;
    let positive = |value: f64| match measure {
        Measure::Freshness => value,
        Measure::Age | Measure::Harmonic => -value,
    };
    let finite = |value: f64| value.is_finite().then(|| positive(value));
    let sum = |reads: &dyn Fn(usize, &Reader) -> f64| -> f64 {
        let each = world.readers.iter().enumerate();
        each.map(|(at, r)| r.value(measure, reads(at, r))).sum()
    };
    let (weights, silent) = match &world.weights {
        Weights::Costs => ("costs", Vec::new()),
        Weights::Equal(silent) => ("equal", silent.clone()),
    };
    let today: Vec<f64> = (0..world.quotas.len())
        .map(|at| {
            let own = world.readers.iter();
            own.map(|r| world.calls_today(r.scenario, at)).sum()
        })
        .collect();
    let then = plan.map(|plan| choosing.calls(plan));
    Freshness {
        measure: word(measure).to_owned(),
        weights: weights.to_owned(),
        silent,
        total: Total {
            today: finite(sum(&|_, r| r.today)),
            then: plan.and_then(|plan| finite(choosing.value(plan))),
            best: ideal.and_then(|i| finite(sum(&|at, _| i.reads[at]))),
        },
        quotas: world
            .quotas
            .iter()
            .enumerate()
            .map(|(at, quota)| SharedQuota {
                system: world.ground.name(quota.system).to_owned(),
                limit: quota.name.clone(),
                allowed_per_day: quota.allowed,
                held_per_day: quota.held,
                calls_per_day: Change {
                    today: Some(today[at]),
                    then: then.as_ref().map(|t| t[at]),
                },
                multiplier: ideal.map(|i| i.multipliers[at]),
            })
            .collect(),
        readers: world
            .readers
            .iter()
            .enumerate()
            .map(|(at, reader)| {
                let option = plan.and_then(|p| reader.options.get(p[at]));
                reading(reader, option.map(|o| o.reads), ideal.map(|i| i.reads[at]))
            })
            .collect(),
        notified: world
            .notified
            .iter()
            .enumerate()
            .map(|(at, n)| Notice {
                scenario: n.scenario.name.text.to_string(),
                changes_per_day: n.changes,
                best_share: ideal.and_then(|i| i.shares[at]),
            })
            .collect(),
        held: world
            .held
            .iter()
            .map(|(s, why)| Held {
                scenario: s.name.text.to_string(),
                why: why.clone(),
            })
            .collect(),
    }
}

fn reading(reader: &Reader, then: Option<f64>, best: Option<f64>) -> Reading {
    let change = |of: &dyn Fn(f64) -> f64| {
        let known = |reads: f64| Some(of(reads)).filter(|v| v.is_finite());
        Change {
            today: known(reader.today),
            then: then.and_then(known),
        }
    };
    let rarest = reader.range().map(|r| r.0);
    let at_floor = best
        .zip(rarest)
        .is_some_and(|(best, least)| best <= least * (1.0 + 1e-6));
    Reading {
        scenario: reader.scenario.name.text.to_string(),
        weight: reader.weight,
        changes_per_day: reader.parts.iter().map(|p| p.changes).sum(),
        reads_per_day: Total {
            today: Some(reader.today),
            then,
            best,
        },
        least_per_day: reader.bound.as_ref().and(rarest),
        bound: reader.bound.as_ref().map(|b| b.words.clone()),
        freshness: change(&|reads| reader.mean(Measure::Freshness, reads)),
        age_seconds: change(&|reads| reader.mean(Measure::Age, reads) * DAY),
        harmonic: change(&|reads| reader.mean(Measure::Harmonic, reads)),
        left_out: at_floor,
    }
}

/// A measure's name.
pub fn word(measure: polling::Measure) -> &'static str {
    match measure {
        Measure::Freshness => "freshness",
        Measure::Age => "age",
        Measure::Harmonic => "harmonic",
    }
}
