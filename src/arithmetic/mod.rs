//! The arithmetic behind checks, estimates and the choice of modes: calls, rates, waits, ages.
//!
//! Rank 5. May use everything below. Pure: the same policy gives the same figures. Knows no
//! findings and no output; what is too much or too old is for others to say.
//!
//! * [`formula`]: numbers in, numbers out, as `model.md` has them.
//! * [`SystemFacts`], [`Demand`]: the inputs, each with where it comes from ([`Known`]).
//! * [`HopLoad`], [`SystemLoad`]: calls of each hop, sums by system against its limits.
//! * [`HopAge`], [`Run`]: how old a change is behind a hop, how long a run takes.
//! * [`arrivals`], [`cohorts`], [`passing`], [`relays`]: what hops do that pass on what runs by the
//!   clock bring them.
//! * [`Path`]: how old a field gets in a system, over all hops on its way.
//! * [`Alternative`]: the same figures if one scenario had another mode.
//! * [`Guessed`], [`Turn`]: what is only guessed, and all figures if that turns out well or badly.
//! * [`Costs`]: what a scenario costs in a month.
//! * [`polling`], [`sharing`]: how fresh a copy is that is read now and then, and how a quota of
//!   reads is best shared out.
//!
//! A scenario whose volume nothing declares counts as no calls and is marked, so that sums say
//! what they leave out. Figures in real time are upper bounds where a filter declares no share.

mod age;
mod arrivals;
mod beside;
mod calls;
mod cohorts;
mod cost;
mod demand;
mod dual;
mod facts;
pub mod formula;
mod guess;
mod known;
mod load;
mod longest;
mod paging;
mod passing;
mod path;
pub mod polling;
mod relays;
pub mod sharing;
mod system;
mod timing;

pub use age::{Age, HopAge, Run, RunAt, Taken};
pub use calls::{Calls, Counting};
pub use cost::{Costs, MONTH_DAYS, per_month, per_second};
pub use demand::Demand;
pub use facts::{BulkFacts, LimitFacts, PriceFacts, SystemFacts, tier};
pub use guess::{Guess, Guessed, Turn};
pub use known::{Known, Origin};
pub use load::{Ends, HopLoad};
pub use path::Path;
pub use system::{ScenarioShare, Shared, SystemLoad};
pub use timing::Timing;

use std::sync::Arc;

use rayon::prelude::*;

use crate::graph::{Graph, HopId};
use crate::model::{AUTO_RUNS_AS, ModeKind, Policy, Scenario, ScenarioId, SystemId};
use crate::terms::Priority;
use crate::time::Schedule;

/// Every figure of one policy.
#[derive(Debug)]
pub struct Arithmetic {
    facts: Arc<[SystemFacts]>,
    demands: Arc<[Demand]>,
    heard: load::Heard,
    /// By hop; see [`arrivals`].
    arrivals: Arc<[Option<arrivals::Arrivals>]>,
    coming: Coming,
    /// By scenario.
    scenarios: Vec<ScenarioFigures>,
    /// By system.
    systems: Vec<Shared>,
    /// By hop: its scenario and its position there.
    hops: Vec<(ScenarioId, u32)>,
}

/// Whether figures of one scenario hang on when others run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coming {
    /// What runs bring comes to those that pass it on when it comes, and runs that start meet others.
    AtOnce,
    /// What they bring comes at any time, as if it changed there, and no runs meet.
    Steadily,
}

/// The figures of one scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioFigures {
    /// When it moves records.
    pub timing: Timing,
    /// The schedule of a mode by the clock, or of the reconcile of a hybrid.
    pub schedule: Option<Schedule>,
    /// Whose calls go first, which a mode may decide.
    pub priority: Priority,
    /// Its hops in order, its `clean` last.
    pub hops: Vec<HopLoad>,
    /// Their ages in the same order.
    pub ages: Vec<HopAge>,
    /// One run after the longest gap; none in real time without a reconcile.
    pub run: Option<Run>,
}

impl ScenarioFigures {
    /// Its calls a day at all systems together.
    pub fn calls_per_day(&self) -> f64 {
        let ends = self.hops.iter().flat_map(HopLoad::ends);
        ends.map(|(_, [per_day, ..])| per_day.total()).sum()
    }
}

/// What would be if one scenario had another mode.
#[derive(Debug)]
pub struct Alternative {
    /// The scenario.
    pub scenario: ScenarioId,
    /// Its figures.
    pub figures: ScenarioFigures,
    /// What all scenarios then ask of each system.
    pub systems: Vec<Shared>,
    /// How many times as many records as declared it carries.
    times: f64,
}

impl Alternative {
    /// Calls a day at all systems together.
    pub fn calls_per_day(&self) -> f64 {
        self.systems.iter().map(|s| s.per_day().total()).sum()
    }
}

impl Arithmetic {
    /// Works out every figure of a policy.
    pub fn of(policy: &Policy, graph: &Graph) -> Arithmetic {
        let facts = facts::of_policy(policy).into();
        let demands = demand::of_hops(policy, graph, Turn::Taken).into();
        let known = (facts, demands, Coming::AtOnce);
        Arithmetic::with(policy, graph, known, |s| &s.mode.kind)
    }

    /// The same, but for what comes to a relay with runs by the clock, which is taken to come there
    /// at any time, and for runs that meet others. So no figure of a scenario hangs on when others
    /// run, which a choice of modes counts on; a relay is then taken to make as many calls as it can,
    /// or more.
    pub fn apart(policy: &Policy, graph: &Graph) -> Arithmetic {
        let facts = facts::of_policy(policy).into();
        let demands = demand::of_hops(policy, graph, Turn::Taken).into();
        let known = (facts, demands, Coming::Steadily);
        Arithmetic::with(policy, graph, known, |s| &s.mode.kind)
    }

    /// Every figure if all that is guessed turned out so.
    pub fn turned(&self, policy: &Policy, graph: &Graph, turn: Turn) -> Arithmetic {
        let facts = self.facts.iter().map(|f| guess::turn_facts(f, turn));
        let demands = demand::of_hops(policy, graph, turn).into();
        let known = (facts.collect(), demands, self.coming);
        Arithmetic::with(policy, graph, known, |s| &s.mode.kind)
    }

    /// Every figure if the scenarios had these modes, in their order; one too few: as declared.
    pub fn if_modes(&self, policy: &Policy, graph: &Graph, modes: &[&ModeKind]) -> Arithmetic {
        let (facts, demands) = (Arc::clone(&self.facts), Arc::clone(&self.demands));
        Arithmetic::with(policy, graph, (facts, demands, self.coming), |s| {
            modes.get(s.id.index()).copied().unwrap_or(&s.mode.kind)
        })
    }

    fn with<'m>(
        policy: &'m Policy,
        graph: &Graph,
        (facts, demands, coming): (Arc<[SystemFacts]>, Arc<[Demand]>, Coming),
        mode: impl Fn(&'m Scenario) -> &'m ModeKind + Sync,
    ) -> Arithmetic {
        let timings: Vec<(Timing, When)> = policy
            .scenarios
            .par_iter()
            .map(|s| {
                let window = s.window.as_ref().map(|w| &w.value);
                let kind = mode(s);
                let when = When {
                    priority: policy.priority_as(s, kind),
                    schedule: schedule_of(kind),
                };
                (Timing::as_mode(policy, kind, window), when)
            })
            .collect();
        let mut heard = load::Heard::new();
        let live = policy.scenarios.iter().zip(&timings);
        for (scenario, _) in live.filter(|(_, (timing, _))| timing.is_realtime()) {
            for place in load::hears(scenario) {
                *heard.entry(place).or_default() += 1;
            }
        }
        let hops = policy
            .scenarios
            .iter()
            .flat_map(|s| (0..s.hops.len()).map(|at| (s.id, at as u32)))
            .collect();
        let mut all = Arithmetic {
            facts,
            demands,
            heard,
            arrivals: Arc::new([]),
            coming,
            scenarios: Vec::new(),
            systems: Vec::new(),
            hops,
        };
        all.fill(policy, graph, timings);
        if coming == Coming::AtOnce {
            let arrivals = all.arrivals(policy, graph);
            if arrivals.iter().any(Option::is_some) {
                all.arrivals = arrivals.into();
                let scenarios = std::mem::take(&mut all.scenarios).into_iter();
                let timings = scenarios.map(|s| {
                    let (priority, schedule) = (s.priority, s.schedule);
                    (s.timing, When { priority, schedule })
                });
                all.fill(policy, graph, timings.collect());
            }
            all.meet(policy);
        }
        all
    }

    /// Works out all that hangs on when scenarios move their records.
    fn fill(&mut self, policy: &Policy, graph: &Graph, timings: Vec<(Timing, When)>) {
        let ground = self.ground(policy, graph);
        let loads: Vec<Vec<HopLoad>> = policy
            .scenarios
            .par_iter()
            .zip(&timings)
            .map(|(scenario, (timing, when))| {
                load::of_scenario(&ground, scenario, (timing, when.schedule.as_ref()))
            })
            .collect();
        let prioritised = timings.iter().map(|(_, when)| when.priority).zip(&loads);
        let systems = system::sums(policy, prioritised);
        let scenarios = timings
            .into_par_iter()
            .zip(loads)
            .zip(&policy.scenarios)
            .map(|(((timing, when), hops), scenario)| {
                let ground = (policy, &[][..], scenario.id);
                figures(&self.facts, &systems, (timing, when), hops, ground)
            })
            .collect();
        (self.scenarios, self.systems) = (scenarios, systems);
    }

    /// By scenario: its schedule, and how many seconds a run reads; nothing where runs are taken to
    /// meet no others.
    fn runs(&self) -> Vec<Option<(&Schedule, f64)>> {
        let all = self.scenarios.iter().map(|s| {
            let run = s.run.as_ref()?;
            Some((s.schedule.as_ref()?, run.reading_seconds))
        });
        match self.coming {
            Coming::AtOnce => all.collect(),
            Coming::Steadily => Vec::new(),
        }
    }

    /// Works the runs out once more, each by the others that it may meet.
    fn meet(&mut self, policy: &Policy) {
        let runs = self.runs();
        let met: Vec<(Option<Run>, Vec<HopAge>)> = self
            .scenarios
            .par_iter()
            .zip(&policy.scenarios)
            .map(|(figures, scenario)| {
                let starts = age::Starts {
                    policy,
                    all: &runs,
                    own: scenario.id,
                    schedule: figures.schedule.as_ref(),
                };
                let when = (&figures.timing, figures.priority);
                age::of_scenario(&self.facts, &self.systems, when, &figures.hops, starts)
            })
            .collect();
        for (figures, (run, ages)) in self.scenarios.iter_mut().zip(met) {
            (figures.run, figures.ages) = (run, ages);
        }
    }

    fn ground<'a>(&'a self, policy: &'a Policy, graph: &'a Graph) -> load::Ground<'a> {
        load::Ground {
            policy,
            graph,
            facts: &self.facts,
            demands: &self.demands,
            heard: &self.heard,
            hearing: 0,
            times: 1.0,
            arrivals: &self.arrivals,
        }
    }

    /// What comes to each hop with runs by the clock, by when these start and how long they take.
    fn arrivals(&self, policy: &Policy, graph: &Graph) -> Vec<Option<arrivals::Arrivals>> {
        let when = |id| {
            let figures = self.scenario(id)?;
            Some((&figures.timing, figures.schedule.as_ref()))
        };
        let age = |hop| self.age(hop);
        arrivals::of_hops(&arrivals::Moves {
            policy,
            graph,
            demands: &self.demands,
            facts: &self.facts,
            when: &when,
            age: &age,
        })
    }

    /// What is known of a system.
    pub fn facts(&self, system: SystemId) -> Option<&SystemFacts> {
        system::at(&self.facts, system)
    }

    /// What all scenarios ask of a system.
    pub fn system(&self, system: SystemId) -> Option<&SystemLoad> {
        system::at(&self.systems, system).map(|shared| &**shared)
    }

    /// The figures of a scenario.
    pub fn scenario(&self, scenario: ScenarioId) -> Option<&ScenarioFigures> {
        self.scenarios.get(scenario.index())
    }

    /// The age of a change behind a hop.
    pub fn age(&self, hop: HopId) -> Option<&HopAge> {
        let (scenario, position) = *self.hops.get(hop.0 as usize)?;
        self.scenario(scenario)?.ages.get(position as usize)
    }

    /// What a hop asks of its systems.
    pub fn load(&self, hop: HopId) -> Option<&HopLoad> {
        let (scenario, position) = *self.hops.get(hop.0 as usize)?;
        self.scenario(scenario)?.hops.get(position as usize)
    }

    /// Calls a day at all systems together.
    pub fn calls_per_day(&self) -> f64 {
        self.systems.iter().map(|s| s.per_day().total()).sum()
    }

    /// The figures if a scenario had another mode, all others as they are.
    pub fn as_if(
        &self,
        policy: &Policy,
        graph: &Graph,
        scenario: &Scenario,
        mode: &ModeKind,
    ) -> Alternative {
        self.as_if_busier(policy, graph, (scenario, mode), 1.0)
    }

    /// The same if the scenario also had to carry so many times as many records: λ grows as its own
    /// `volume` would say it, what its reads meet and all other scenarios stay as they are.
    pub fn as_if_busier(
        &self,
        policy: &Policy,
        graph: &Graph,
        (scenario, mode): (&Scenario, &ModeKind),
        times: f64,
    ) -> Alternative {
        let window = scenario.window.as_ref().map(|w| &w.value);
        let timing = Timing::as_mode(policy, mode, window);
        let today = self.scenario(scenario.id);
        let hears_today = today.is_some_and(|f| f.timing.is_realtime());
        let ground = load::Ground {
            hearing: i64::from(timing.is_realtime()) - i64::from(hears_today),
            times,
            ..self.ground(policy, graph)
        };
        let schedule = schedule_of(mode);
        let hops = load::of_scenario(&ground, scenario, (&timing, schedule.as_ref()));
        let priority = policy.priority_as(scenario, mode);
        let before = today.map_or(scenario.priority, |f| f.priority);
        let systems = system::replaced(&self.systems, scenario.id, (before, priority), &hops);
        let when = When { priority, schedule };
        let runs = self.runs();
        let ground = (policy, &runs[..], scenario.id);
        Alternative {
            scenario: scenario.id,
            figures: figures(&self.facts, &systems, (timing, when), hops, ground),
            systems,
            times,
        }
    }
}

/// What a mode decides beside the timing.
struct When {
    priority: Priority,
    schedule: Option<Schedule>,
}

fn schedule_of(mode: &ModeKind) -> Option<Schedule> {
    match mode {
        ModeKind::Scheduled(schedule) | ModeKind::Hybrid(schedule) => schedule.clone(),
        ModeKind::Auto => Some(AUTO_RUNS_AS),
        _ => None,
    }
}

fn figures(
    facts: &[SystemFacts],
    systems: &[system::Shared],
    (timing, when): (Timing, When),
    hops: Vec<HopLoad>,
    (policy, all, own): (&Policy, &[Option<(&Schedule, f64)>], ScenarioId),
) -> ScenarioFigures {
    let When { priority, schedule } = when;
    let starts = age::Starts {
        policy,
        all,
        own,
        schedule: schedule.as_ref(),
    };
    let (run, ages) = age::of_scenario(facts, systems, (&timing, priority), &hops, starts);
    ScenarioFigures {
        timing,
        schedule,
        priority,
        hops,
        ages,
        run,
    }
}
