//! A policy's `test` items on the real engine: the same runner, in a world whose clock leaps.
//!
//! A [`Suite`] makes a plan ready once; each test then gets a world and a store of its own. Its
//! systems behave as their plan and catalog entries say, but never fail by chance: what goes wrong
//! in a test is what the test says.
//!
//! **What holds.** `given` puts records into systems a day before the test starts, and nobody tells
//! of them; the store is new, as on the first start of a runner. `sets` and `deletes` are changes of
//! the system's own, told by its events where it has any. The test ends with its last `expect at`,
//! or an hour after its last step where there is none; `expect calls` and `expect dead_letters`
//! count up to there.

mod coverage;
mod held_back;
mod script;
mod steps;

pub use coverage::{Coverage, Touched, Uncovered};
pub use held_back::{HeldBack, Of};
pub use script::Misfit;

use rayon::prelude::*;

use self::coverage::touched_by;
use self::script::Script;
use self::steps::Steps;
use super::emulated::Maps;
use super::systems::Systems;
use super::world::World;
use super::{SharedStore, Silent};
use crate::connector::decode::Events;
use crate::engine::ports::{DeadLetter, Store as _};
use crate::engine::program::Program;
use crate::engine::runner::Options;
use crate::engine::why::FieldStory;
use crate::model::{Policy, Test};
use crate::plan::Plan;
use crate::text::Span;
use crate::time::Millis;

/// Everything is left to chance by this number: a test runs the same way each time.
const SEED: u64 = 7;

/// A policy made ready for its tests.
pub struct Suite<'p> {
    policy: &'p Policy,
    program: Program,
    maps: Maps,
    decoder: Events,
}

/// Why no test of a policy can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the plan cannot be made ready: {0}")]
pub struct NotReady(String);

/// What became of a test.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its title.
    pub title: String,
    /// Where it stands.
    pub span: Span,
    /// What was expected and did not come to be; empty: it passed.
    pub unmet: Vec<Unmet>,
    /// How much virtual time it covers.
    pub lasted: Millis,
    /// What of the policy it touched.
    pub touched: Touched,
}

impl Trial {
    /// Whether all that was expected came to be.
    pub fn passed(&self) -> bool {
        self.unmet.is_empty()
    }
}

/// Something expected that did not come to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmet {
    /// The clause.
    pub clause: Span,
    /// What was found instead.
    pub what: Difference,
}

/// What was found instead of what was expected.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// A system does not have the record.
    Missing {
        /// `entity "key"`.
        record: String,
        /// The system.
        system: String,
        /// What the runner knows of its fields.
        why: Vec<FieldStory>,
        /// The conditions that keep it from there.
        held_back: Vec<HeldBack>,
    },
    /// A system has the record.
    Present {
        /// `entity "key"`.
        record: String,
        /// The system.
        system: String,
    },
    /// A record's fields differ.
    Values {
        /// `entity "key"`.
        record: String,
        /// The system.
        system: String,
        /// Each field that differs.
        fields: Vec<Differs>,
        /// The conditions that keep these fields from there.
        held_back: Vec<HeldBack>,
    },
    /// A system was called more often.
    Calls {
        /// The system.
        system: String,
        /// How often at most.
        at_most: u64,
        /// How often it was.
        made: u64,
    },
    /// More writes were given up.
    DeadLetters {
        /// How many at most.
        at_most: u64,
        /// Those that were.
        letters: Vec<DeadLetter>,
    },
    /// The test itself cannot be carried out.
    Unfit(Misfit),
    /// The runner stopped: a fault of Syncline's own.
    Fault(String),
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Differs {
    /// Its name.
    pub field: String,
    /// What was expected; `None`: no value.
    pub expected: Option<String>,
    /// What the system holds; `None`: no value.
    pub actual: Option<String>,
    /// Why, as far as the runner knows.
    pub why: Option<FieldStory>,
}

impl<'p> Suite<'p> {
    /// Makes a policy and its plan ready.
    pub fn new(policy: &'p Policy, plan: Plan) -> Result<Self, NotReady> {
        let maps = Maps::of(&plan).map_err(|e| NotReady(e.message))?;
        let decoder = Events::new(&plan).map_err(|e| NotReady(e.message))?;
        let program = Program::new(plan).map_err(|e| NotReady(e.to_string()))?;
        Ok(Suite {
            policy,
            program,
            maps,
            decoder,
        })
    }

    /// Runs tests side by side; their outcomes in the order given.
    pub fn run(&self, tests: &[&Test]) -> Vec<Trial> {
        tests.par_iter().map(|test| self.run_one(test)).collect()
    }

    /// What these trials leave untouched.
    pub fn coverage(&self, trials: &[Trial]) -> Coverage {
        let mut all = Touched::default();
        for trial in trials {
            all.add(&trial.touched);
        }
        Coverage::of(&self.program, &all)
    }

    fn run_one(&self, test: &Test) -> Trial {
        let mut trial = Trial {
            title: test.title.text.to_string(),
            span: test.span,
            unmet: Vec::new(),
            lasted: Millis::ZERO,
            touched: Touched::default(),
        };
        let mut systems = self.systems(test);
        match Script::of(self.policy, &self.program, test, &mut systems) {
            Ok(script) => self.play(script, systems, &mut trial),
            Err((clause, misfit)) => trial.unmet.push(Unmet {
                clause,
                what: Difference::Unfit(misfit),
            }),
        }
        trial
    }

    /// The systems of a test, empty, at its start.
    fn systems(&self, test: &Test) -> Systems {
        let start = script::start(&self.program, test);
        let entry = |name: &str| self.policy.system(self.policy.system_named(name)?).entry();
        Systems::new(
            &self.program,
            &self.maps,
            start,
            SEED,
            entry,
            |_, manner| manner.unfailing(),
        )
    }

    fn play(&self, script: Script, systems: Systems, trial: &mut Trial) {
        let start = systems.now;
        let store = systems.store.clone();
        let mut world = World::new(systems, Steps::new((&self.program, &self.decoder), script));
        let options = Options::default();
        let ran = world.run(&self.program, &self.decoder, &mut Silent, options);
        let fault = ran.err().map(|e| e.message).or(world.fault);
        trial.unmet = world.driver.unmet;
        if let Some(fault) = fault {
            trial.unmet.push(Unmet {
                clause: trial.span,
                what: Difference::Fault(fault),
            });
        }
        trial.lasted = world.driver.ended.since(start);
        trial.touched = touched_by(&self.program, &mut *store.inner(), &world.driver.wrote);
    }
}

/// The dead letters of a store, in order.
fn letters(store: &SharedStore) -> Vec<DeadLetter> {
    // A store in memory that nothing cuts off does not fail.
    store.inner().dead_letters().unwrap_or_default()
}
