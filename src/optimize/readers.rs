//! Who reads, at what cost, under which quotas, and how often it has to.
//!
//! A reader is a scenario that runs by the clock and whose calls a quota counts. What is held as it
//! is says why: real time moves each change by itself, a `window` says when a scenario may run.

use std::collections::BTreeMap;

use crate::arithmetic::polling::Measure;
use crate::arithmetic::sharing::{self, Part, Way};
use crate::arithmetic::{Arithmetic, LimitFacts, ScenarioFigures, Timing, per_second};
use crate::choice::{self, Ground};
use crate::graph::HopId;
use crate::model::{ModeKind, Scenario, SystemId};
use crate::time::{Gaps, Millis, Schedule};

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// The intervals that are proposed, in minutes: those that divide a day and that people write.
const MINUTES: [u64; 18] = [
    1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720,
];

/// A quota that counts the calls of a reader.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quota {
    pub system: SystemId,
    /// The position among the system's limits.
    pub limit: usize,
    pub name: String,
    /// Calls a day that the policy may make.
    pub allowed: f64,
    /// Calls of the busiest day by what is no reader.
    pub held: f64,
}

impl Quota {
    /// Calls a day that the readers may share.
    pub fn left(&self) -> f64 {
        self.allowed - self.held
    }
}

/// A scenario that runs by the clock.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub scenario: &'a Scenario,
    pub weight: f64,
    /// By hop: what it counts for, and its changes a day.
    pub parts: Vec<Part>,
    /// Reads a day that it has today, the mean.
    pub today: f64,
    /// The longest interval that holds every bound; none: nothing bounds it.
    pub bound: Option<Bound>,
    /// Its modes, the rarest first, none that breaks its bound.
    pub options: Vec<Choice>,
}

/// The longest that it may wait between two reads.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bound {
    pub seconds: f64,
    /// The bound in the policy's words: `fresh 10m`, or `contact.status` within 10m in `mailer`.
    pub words: String,
}

/// A mode that a reader may have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Choice {
    pub mode: ModeKind,
    pub reads: f64,
    /// Calls of the busiest day, by quota.
    pub calls: Vec<f64>,
}

/// A scenario in real time.
#[derive(Debug)]
pub(super) struct Notified<'a> {
    pub scenario: &'a Scenario,
    pub weight: f64,
    pub changes: f64,
    /// Calls a day, by quota.
    pub calls: Vec<f64>,
    /// Whether every notice has to be followed.
    pub bounded: bool,
}

/// What the weights of the readers are made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Weights {
    /// What a day's changes cost for each unit of delay.
    Costs,
    /// All alike, since these do not say what lateness costs.
    Equal(Vec<String>),
}

/// All of it.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub ground: Ground<'a>,
    pub quotas: Vec<Quota>,
    pub readers: Vec<Reader<'a>>,
    pub notified: Vec<Notified<'a>>,
    /// Scenarios that keep their modes, each with the reason.
    pub held: Vec<(&'a Scenario, String)>,
    pub weights: Weights,
    /// How many times the mean starts the longest date of the year has, 25/24 where clocks change.
    pub longest_day: f64,
}

impl<'a> World<'a> {
    pub fn of(ground: Ground<'a>) -> World<'a> {
        let policy = ground.policy;
        let (mut polled, mut held) = (Vec::new(), Vec::new());
        let mut live = Vec::new();
        for scenario in &policy.scenarios {
            let Some(figures) = ground.arithmetic.scenario(scenario.id) else {
                continue;
            };
            match why_held(ground, scenario, figures) {
                Some(why) => {
                    if figures.timing.is_realtime() && !scenario.hops.is_empty() {
                        live.push(scenario);
                    }
                    held.push((scenario, why));
                }
                None => polled.push(scenario),
            }
        }
        let all_quotas = quotas(ground);
        let calls_any = |scenario: &Scenario| -> bool {
            let calls = busiest(ground.arithmetic.scenario(scenario.id), ground, &all_quotas);
            calls.iter().any(|c| *c > 0.0)
        };
        let (polled, free): (Vec<_>, Vec<_>) = polled.into_iter().partition(|s| calls_any(s));
        let free = free.into_iter();
        held.extend(free.map(|s| (s, "no quota counts its calls".to_owned())));
        held.sort_by_key(|h| h.0.id);
        let quotas = with_readers(ground, all_quotas, &polled);
        let (weights, by_scenario) = weigh(ground, &polled, &live);
        let longest_day = longest_day(ground);
        let bounds = bounds(ground, &polled);
        let mut world = World {
            ground,
            quotas,
            readers: Vec::new(),
            notified: Vec::new(),
            held,
            weights,
            longest_day,
        };
        let weight = |s: &Scenario| by_scenario.get(&s.id.index()).copied().unwrap_or(0.0);
        world.notified = live
            .into_iter()
            .filter_map(|s| world.notified(s, weight(s)))
            .collect();
        world.readers = polled
            .into_iter()
            .zip(bounds)
            .map(|(s, bound)| world.reader(s, weight(s), bound))
            .collect();
        world
    }

    fn reader(&self, scenario: &'a Scenario, weight: f64, bound: Option<Bound>) -> Reader<'a> {
        let figures = self.ground.arithmetic.scenario(scenario.id);
        let changes: Vec<f64> = figures.map_or(Vec::new(), changes);
        let sum: f64 = changes.iter().sum();
        let alike = 1.0 / changes.len().max(1) as f64;
        let parts = changes.iter().map(|changes| Part {
            weight: weight
                * match self.weights {
                    Weights::Costs if sum > 0.0 => changes / sum,
                    _ => alike,
                },
            changes: *changes,
        });
        let gaps = figures.and_then(|f| f.timing.gaps());
        Reader {
            scenario,
            weight,
            parts: parts.collect(),
            today: gaps.map_or(0.0, |g| g.starts_per_day()),
            options: self.options(scenario, bound.as_ref()),
            bound,
        }
    }

    /// The modes that a reader may have, the rarest first.
    fn options(&self, scenario: &Scenario, bound: Option<&Bound>) -> Vec<Choice> {
        let own = &scenario.mode.kind;
        let every = |millis| ModeKind::Scheduled(Some(Schedule::Every(millis)));
        let usual = MINUTES.map(|m| every(Millis::from_mins(m)));
        let daily = choice::daily(scenario);
        let mut modes: Vec<ModeKind> = vec![own.clone(), ModeKind::Scheduled(Some(daily))];
        modes.extend(usual);
        // Where nothing usual comes near the bound, the bound itself, in whole minutes or seconds.
        let whole = |seconds: f64| match seconds >= 60.0 {
            true => Millis::from_mins((seconds / 60.0) as u64),
            false => Millis::from_secs(seconds as u64),
        };
        modes.extend(bound.map(|b| whole(b.seconds.clamp(1.0, DAY))).map(every));
        let mut options: Vec<(Gaps, Choice)> = Vec::new();
        for mode in modes {
            let Some((gaps, option)) = self.option(scenario, mode) else {
                continue;
            };
            let holds = bound.is_none_or(|b| gaps.longest.as_secs_f64() <= b.seconds + 1e-3);
            let same = |known: &Gaps| {
                (known.longest_by_clock, known.shortest) == (gaps.longest_by_clock, gaps.shortest)
            };
            if holds && !options.iter().any(|o| same(&o.0)) {
                options.push((gaps, option));
            }
        }
        options.sort_by(|a, b| a.1.reads.total_cmp(&b.1.reads));
        options.into_iter().map(|o| o.1).collect()
    }

    /// A mode with its longest gap; none: its runs do not end in time.
    fn option(&self, scenario: &Scenario, mode: ModeKind) -> Option<(Gaps, Choice)> {
        let figures = self.as_if(scenario, &mode);
        if choice::overrun(scenario, &figures).is_some() && mode != scenario.mode.kind {
            return None;
        }
        let gaps = figures.timing.gaps()?;
        let option = Choice {
            reads: gaps.starts_per_day(),
            calls: busiest(Some(&figures), self.ground, &self.quotas),
            mode,
        };
        Some((gaps.clone(), option))
    }

    fn as_if(&self, scenario: &Scenario, mode: &ModeKind) -> ScenarioFigures {
        let Ground {
            policy,
            graph,
            arithmetic,
        } = self.ground;
        arithmetic.as_if(policy, graph, scenario, mode).figures
    }

    /// Calls a day by quota at so many even reads a day.
    pub fn calls_at(&self, scenario: &Scenario, reads: f64) -> Vec<f64> {
        let interval = Millis((DAY * 1_000.0 / reads).round().max(1.0) as u64);
        let exactly = DAY * 1_000.0 / interval.0 as f64;
        let mode = ModeKind::Scheduled(Some(Schedule::Every(interval)));
        let figures = self.as_if(scenario, &mode);
        let run = |quota: &Quota| counted(&figures, self.ground, quota, |calls| calls[3]);
        let runs = self.quotas.iter().map(run);
        // To the reads asked for: an interval is of whole milliseconds.
        runs.map(|calls| calls * exactly * self.longest_day)
            .collect()
    }

    /// Calls of its busiest day as the policy stands.
    pub fn calls_today(&self, scenario: &Scenario, quota: usize) -> f64 {
        let figures = self.ground.arithmetic.scenario(scenario.id);
        let calls = busiest(figures, self.ground, &self.quotas);
        calls.get(quota).copied().unwrap_or(0.0)
    }

    fn notified(&self, scenario: &'a Scenario, weight: f64) -> Option<Notified<'a>> {
        let figures = self.as_if(scenario, &ModeKind::Realtime);
        let changes: f64 = changes(&figures).iter().sum();
        let calls = self
            .quotas
            .iter()
            .map(|q| counted(&figures, self.ground, q, |calls| calls[0]));
        let calls: Vec<f64> = calls.collect();
        let live = |s: &Scenario| s.id != scenario.id && self.is_live(s);
        let urgent = choice::must_not_wait(self.ground, scenario, &live).is_some();
        let bounded = urgent
            || scenario.fresh.is_some()
            || choice::bounded(self.ground, scenario).next().is_some();
        (changes > 0.0 && calls.iter().any(|c| *c > 0.0)).then_some(Notified {
            scenario,
            weight,
            changes,
            calls,
            bounded,
        })
    }

    fn is_live(&self, scenario: &Scenario) -> bool {
        let figures = self.ground.arithmetic.scenario(scenario.id);
        figures.is_some_and(|f| f.timing.is_realtime())
    }
}

impl Reader<'_> {
    /// The sum of what it keeps fresh, more is better, at so many even reads a day.
    pub fn value(&self, measure: Measure, reads: f64) -> f64 {
        let counting = self.parts.iter().filter(|p| p.weight > 0.0);
        let sum: f64 = counting
            .map(|p| p.weight * measure.of(p.changes, reads))
            .sum();
        match measure {
            Measure::Freshness => sum,
            Measure::Age | Measure::Harmonic => -sum,
        }
    }

    /// The plain mean of a measure over its parts.
    pub fn mean(&self, measure: Measure, reads: f64) -> f64 {
        let sum: f64 = self
            .parts
            .iter()
            .map(|p| measure.of(p.changes, reads))
            .sum();
        sum / self.parts.len().max(1) as f64
    }

    /// For the sharing: with these calls of one read.
    pub fn shared(&self, calls: Vec<f64>, (least, most): (f64, f64)) -> sharing::Reader {
        sharing::Reader {
            way: Way::Polled(self.parts.clone()),
            calls,
            least,
            most,
        }
    }

    /// The fewest and the most reads a day that a mode of it makes.
    pub fn range(&self) -> Option<(f64, f64)> {
        let (rarest, most) = (self.options.first()?, self.options.last()?);
        let bound = self.bound.as_ref().map(|b| DAY / b.seconds);
        let least = bound.unwrap_or(rarest.reads).min(rarest.reads);
        Some((least, most.reads.max(least)))
    }
}

/// Why a scenario keeps its mode; none: it is read by the clock.
fn why_held(ground: Ground, scenario: &Scenario, figures: &ScenarioFigures) -> Option<String> {
    let why = match &figures.timing {
        Timing::Realtime | Timing::Hybrid(_) => "each change moves by itself",
        Timing::Unknown | Timing::Never => "it never starts",
        Timing::Scheduled(_) if scenario.clean.is_some() => "a `clean` keeps nothing fresh",
        Timing::Scheduled(_) if scenario.window.is_some() => "its `window` says when it may run",
        Timing::Scheduled(_) if figures.hops.iter().any(|h| h.volume_is_unknown()) => {
            "nothing declares the `volume` of what it carries"
        }
        Timing::Scheduled(_) => {
            let against = choice::against_clauses(ground, scenario, &scenario.mode.kind);
            return against.into_iter().next();
        }
    };
    Some(why.to_owned())
}

/// By hop: changes a day, after filters.
fn changes(figures: &ScenarioFigures) -> Vec<f64> {
    let hops = figures.hops.iter().filter(|h| h.hop.is_some());
    hops.filter_map(|h| h.demand.written_per_day()).collect()
}

/// Calls of a scenario that a quota counts.
fn counted(
    figures: &ScenarioFigures,
    ground: Ground,
    quota: &Quota,
    which: impl Fn([crate::arithmetic::Calls; 4]) -> crate::arithmetic::Calls,
) -> f64 {
    let limit = ground.arithmetic.facts(quota.system);
    let Some(limit) = limit.and_then(|f| f.limits.get(quota.limit)) else {
        return 0.0;
    };
    let ends = figures.hops.iter().flat_map(|h| h.ends());
    let here = ends.filter(|e| e.0 == quota.system);
    here.map(|(_, calls)| which(calls).counted(limit.counts))
        .sum()
}

/// Calls of a scenario's busiest day, by quota.
fn busiest(figures: Option<&ScenarioFigures>, ground: Ground, quotas: &[Quota]) -> Vec<f64> {
    let of = |quota: &Quota| figures.map_or(0.0, |f| counted(f, ground, quota, |calls| calls[1]));
    quotas.iter().map(of).collect()
}

/// Every quota of every system.
fn quotas(ground: Ground) -> Vec<Quota> {
    let systems = ground.policy.systems.iter();
    let facts = systems.filter_map(|s| ground.arithmetic.facts(s.id));
    facts
        .flat_map(|facts| {
            let limits = facts.limits.iter().enumerate();
            limits
                .filter(|(_, l)| l.is_quota())
                .map(|(at, limit): (usize, &LimitFacts)| Quota {
                    system: facts.id,
                    limit: at,
                    name: limit.name.clone(),
                    allowed: limit.per_day() * facts.budget.value,
                    held: 0.0,
                })
        })
        .collect()
}

/// The quotas that count calls of readers, with what all others need of them.
fn with_readers(ground: Ground, quotas: Vec<Quota>, readers: &[&Scenario]) -> Vec<Quota> {
    let reads = |id| readers.iter().any(|r| r.id == id);
    let mut kept: Vec<Quota> = Vec::new();
    for mut quota in quotas {
        let (mut ours, mut others) = (0.0, 0.0);
        for scenario in &ground.policy.scenarios {
            let figures = ground.arithmetic.scenario(scenario.id);
            let calls = figures.map_or(0.0, |f| counted(f, ground, &quota, |calls| calls[1]));
            match reads(scenario.id) {
                true => ours += calls,
                false => others += calls,
            }
        }
        quota.held = others;
        if ours > 0.0 {
            kept.push(quota);
        }
    }
    kept
}

/// What each scenario counts for, 1 on the mean: by what its delay costs where every one that is
/// polled says so, else all alike. What is `stale none` counts for nothing.
fn weigh(
    ground: Ground,
    polled: &[&Scenario],
    live: &[&Scenario],
) -> (Weights, BTreeMap<usize, f64>) {
    use crate::terms::Impact;
    let harmless = |s: &Scenario| s.impact() == Some(Impact::None);
    let costs = |s: &Scenario| s.stale.and_then(|stale| stale.costs);
    let silent: Vec<String> = polled
        .iter()
        .filter(|s| !harmless(s) && costs(s).is_none())
        .map(|s| s.name.text.to_string())
        .collect();
    let by_costs = silent.is_empty() && polled.iter().any(|s| costs(s).is_some());
    let raw = |s: &Scenario| -> f64 {
        if harmless(s) {
            return 0.0;
        }
        match (by_costs, costs(s)) {
            (false, _) => 1.0,
            (true, None) => 0.0,
            (true, Some(costs)) => {
                let figures = ground.arithmetic.scenario(s.id);
                let changes: f64 = figures.map_or(0.0, |f| changes(f).iter().sum());
                changes * per_second(costs.value)
            }
        }
    };
    let sum: f64 = polled.iter().map(|s| raw(s)).sum();
    let counting = polled.iter().filter(|s| raw(s) > 0.0).count();
    let unit = match sum > 0.0 {
        true => counting as f64 / sum,
        false => 1.0,
    };
    let all = polled.iter().chain(live);
    let weights = all.map(|s| (s.id.index(), raw(s) * unit)).collect();
    match by_costs {
        true => (Weights::Costs, weights),
        false => (Weights::Equal(silent), weights),
    }
}

/// Starts of the longest date of the year over those of a mean one, for even intervals.
fn longest_day(ground: Ground) -> f64 {
    let hourly = Schedule::Every(Millis::HOUR);
    let gaps = ground.policy.calendar.gaps(&hourly, None);
    let starts = |day: &Vec<(Millis, u64)>| day.iter().map(|g| g.1).sum::<u64>() as f64;
    let most = gaps.map_or(24.0, |g| g.days.iter().map(starts).fold(24.0, f64::max));
    most / 24.0
}

/// The longest that each of these may wait between two reads.
///
/// All of them at once are given the shortest of their bounds as interval; what a way is longer than
/// its intervals then is the part that no interval mends. What is left of the bound goes to the
/// intervals on the way in proportion.
fn bounds(ground: Ground, polled: &[&Scenario]) -> Vec<Option<Bound>> {
    let policy = ground.policy;
    let mut modes: Vec<ModeKind> = policy
        .scenarios
        .iter()
        .map(|s| s.mode.kind.clone())
        .collect();
    let mut interval: BTreeMap<usize, f64> = BTreeMap::new();
    for scenario in polled {
        let own = scenario.fresh.map(|f| f.value.as_secs_f64());
        let fields = choice::bounded(ground, scenario).map(|b| b.2);
        let Some(shortest) = own.into_iter().chain(fields).min_by(f64::total_cmp) else {
            let figures = ground.arithmetic.scenario(scenario.id);
            let gaps = figures.and_then(|f| f.timing.gaps());
            interval.insert(
                scenario.id.index(),
                gaps.map_or(DAY, |g| g.longest.as_secs_f64()),
            );
            continue;
        };
        let figures = ground.arithmetic.scenario(scenario.id);
        let gaps = figures.and_then(|f| f.timing.gaps());
        let today = gaps.map_or(DAY, |g| g.longest.as_secs_f64());
        let millis = Millis((today.min(shortest) * 1_000.0).max(1.0) as u64);
        modes[scenario.id.index()] = ModeKind::Scheduled(Some(Schedule::Every(millis)));
        interval.insert(scenario.id.index(), millis.as_secs_f64());
    }
    let modes: Vec<&ModeKind> = modes.iter().collect();
    let tight = ground.arithmetic.if_modes(policy, ground.graph, &modes);
    let at = Ground {
        arithmetic: &tight,
        ..ground
    };
    polled
        .iter()
        .map(|scenario| bound_of(at, scenario, &interval))
        .collect()
}

fn bound_of(at: Ground, scenario: &Scenario, interval: &BTreeMap<usize, f64>) -> Option<Bound> {
    let policy = at.policy;
    let mine = interval.get(&scenario.id.index()).copied()?;
    let mut found: Vec<Bound> = Vec::new();
    // Without end: no interval is short enough.
    let part = |worst: Option<f64>, within: f64, intervals: f64| match worst {
        Some(worst) => mine / intervals * (within - (worst - intervals)),
        None => 0.0,
    };
    if let (Some(fresh), Some(figures)) = (scenario.fresh, at.arithmetic.scenario(scenario.id)) {
        let within = fresh.value.as_secs_f64();
        let hops = figures.ages.iter().map(|a| a.worst.total());
        found.extend(hops.map(|worst| Bound {
            seconds: part(worst, within, mine),
            words: format!("its `fresh {}`", fresh.value),
        }));
    }
    for (field, system, within) in choice::bounded(at, scenario) {
        let age = |hop: HopId| at.arithmetic.age(hop);
        for path in Arithmetic::paths_by(policy, at.graph, (field.id, system), &age) {
            let on_way = path.edges.iter();
            let on_way: Vec<usize> = on_way
                .map(|e| at.graph.flows.scenario(policy, e.hop).id.index())
                .collect();
            if !on_way.contains(&scenario.id.index()) {
                continue;
            }
            let intervals: f64 = on_way.iter().filter_map(|s| interval.get(s)).sum();
            let millis = Millis((within * 1_000.0).round() as u64);
            found.push(Bound {
                seconds: part(path.worst, within, intervals),
                words: format!(
                    "`{}` within {millis} in `{}`",
                    policy.field_path(field.id),
                    at.name(system)
                ),
            });
        }
    }
    found
        .into_iter()
        .min_by(|a, b| a.seconds.total_cmp(&b.seconds))
}
