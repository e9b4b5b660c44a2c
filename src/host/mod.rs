//! The live runner: the engine with the real clock, store, connectors and an intake server.
//!
//! Rank 10. May use everything below; must not know source text, findings or commands.

pub mod alerts;
mod asked;
mod clock;
mod held;
pub mod metrics;
mod room;
mod server;
mod signals;
mod spans;
mod traces;
mod watch;
mod world;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

pub use clock::now;
pub use held::Heard;
pub use server::IntakeServer;
pub use signals::stop_on_signal;
use spans::Spans;
use traces::Traces;
use watch::{SharedLive, Watched};
pub use world::{Env, LiveWorld, Waker};

use crate::connector::registry;
use crate::engine::cause::on_one_line;
use crate::engine::freshness::{Age, ages};
use crate::engine::ports::{DeadLetter, Failure, Store, StoreError, SystemIx};
use crate::engine::program::{BadPlan, Program};
use crate::engine::runner::{Alert, Observer, Options, Runner, Tally};
use crate::plan::{EnvRef, Plan};
use crate::store::{OpenMode, SqliteStore};

/// Why the runner could not start, or had to end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    /// What happened.
    pub message: String,
    /// How to mend it.
    pub remedy: Option<String>,
}

impl HostError {
    /// What a store says.
    pub fn from_store(error: StoreError) -> Self {
        HostError {
            message: error.message,
            remedy: error.remedy,
        }
    }

    /// What a plan that cannot be run says.
    pub fn from_plan(error: BadPlan) -> Self {
        HostError {
            message: error.to_string(),
            remedy: None,
        }
    }

    fn from_failure(failure: Failure) -> Self {
        HostError {
            message: on_one_line(&failure.message).into_owned(),
            remedy: failure.remedy,
        }
    }
}

/// How to run a plan.
#[derive(Clone)]
pub struct Settings {
    /// The store's file.
    pub store: PathBuf,
    /// Where relative paths of the plan's options start.
    pub base_dir: PathBuf,
    /// The address to hear webhooks on.
    pub listen: Option<String>,
    /// Whether to run every scheduled scenario once, drain and end.
    pub until_idle: bool,
    /// Names of the scenarios to run; empty: all.
    pub only: BTreeSet<String>,
    /// Reads variables.
    pub env: Env,
    /// Hears of the store being held by somebody else for long.
    pub held: Heard,
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// By scenario, in the plan's order: what was counted since the runner started.
    pub scenarios: Vec<(String, Tally)>,
    /// The age of every bounded field.
    pub ages: Vec<Age>,
    /// Writes still waiting, by system.
    pub waiting: Vec<(String, u64)>,
    /// Dead letters in the store.
    pub dead_letters: Vec<DeadLetter>,
    /// Systems that could not be reached, with the last failure.
    pub troubles: Vec<(String, String)>,
    /// Events whose content was kept back in this store, by system.
    pub kept_back: u64,
    /// What is another than when the store was last used, and a person should know.
    pub remarks: Vec<String>,
}

impl Outcome {
    /// Whether some run was stopped by its checkpoint, or could not read.
    pub fn has_notes(&self) -> bool {
        self.scenarios.iter().any(|(_, t)| !t.notes.is_empty())
    }
}

/// Runs a plan. `ready` hears the intake's address (where there is one) and gets a handle that can
/// stop the runner.
pub fn run(
    plan: &Plan,
    settings: &Settings,
    observer: &mut dyn Observer,
    ready: &mut dyn FnMut(Option<std::net::SocketAddr>, Waker),
) -> Result<Outcome, HostError> {
    let program = Arc::new(Program::new(plan.clone()).map_err(HostError::from_plan)?);
    let only = scenarios_named(&program, &settings.only)?;
    require_variables(&program, settings)?;
    require_addresses(&program, settings)?;
    let mut store =
        SqliteStore::open(&settings.store, OpenMode::Run).map_err(HostError::from_store)?;
    let remarks = match remembered_plan(&mut store) {
        Ok(before) => moved(&before, plan),
        // A new store, or a plan that this version cannot read.
        Err(_) => Vec::new(),
    };
    remember_plan(&mut store, plan).map_err(HostError::from_store)?;
    let shared = Arc::new(plan.clone());
    let mut world = LiveWorld::new(
        Arc::clone(&shared),
        settings.base_dir.clone(),
        Arc::clone(&settings.env),
    );
    let traces = Traces::configured(&settings.env)?;
    world.traced(traces.clone());
    let waker = world.waker();
    let ready_to_wait = |store: &mut SqliteStore| {
        let waker = waker.clone();
        let patience = held::patience(move || waker.stopping(), Arc::clone(&settings.held));
        store.wait_with(held::STEP, patience)
    };
    ready_to_wait(&mut store).map_err(HostError::from_store)?;
    let live = SharedLive::default();
    let server = match &settings.listen {
        Some(address) => Some(server::start(
            (shared, Arc::clone(&program)),
            &settings.env,
            address,
            settings.store.clone(),
            world.waker(),
            (live.clone(), traces.clone()),
        )?),
        None => None,
    };
    let asked = asked::watch(&settings.store, world.waker())?;
    let alerts = alerts::start(
        Arc::clone(&program),
        &settings.env,
        &settings.store,
        (live.clone(), settings.listen.is_some()),
    )?;
    ready(server.as_ref().map(|s| s.address), world.waker());
    let decoder = crate::connector::decode::Events::new(plan).map_err(HostError::from_failure)?;
    let options = Options {
        until_idle: settings.until_idle,
        only,
        ..Options::default()
    };
    let mut room = room::Room::new();
    let (tallies, troubles) = loop {
        let spans = traces.clone().map(|t| Spans::new(t, Arc::clone(&program)));
        let mut watched = Watched::new(observer, live.clone(), spans);
        let runner = Runner::new(
            &program,
            &mut store,
            &mut world,
            &decoder,
            &mut watched,
            options.clone(),
        );
        let ran = runner.and_then(|mut runner| {
            runner.run()?;
            Ok((runner.tallies().clone(), runner.troubles()))
        });
        let error = match ran {
            Ok(ran) => break ran,
            Err(error) => error,
        };
        if !error.full || settings.until_idle {
            return Err(HostError::from_store(error));
        }
        observer.alert(&Alert::Full { error: &error });
        live.get().begin_anew();
        drop(store);
        let waited = room::wait(&settings.store, &mut world, &mut room, &mut |store| {
            ready_to_wait(store)?;
            remember_plan(store, plan)
        });
        store = waited?.ok_or_else(|| HostError::from_store(error))?;
        observer.alert(&Alert::Room);
    };
    drop(server);
    drop(asked);
    drop(alerts);
    if let Some(traces) = traces {
        traces.leave();
    }
    let scenarios = program
        .plan
        .scenarios
        .iter()
        .enumerate()
        .map(|(i, s)| {
            (
                s.name.clone(),
                tallies.get(&(i as u16)).cloned().unwrap_or_default(),
            )
        })
        .collect();
    let mut outcome = Outcome {
        scenarios,
        ages: Vec::new(),
        waiting: Vec::new(),
        dead_letters: Vec::new(),
        troubles,
        kept_back: 0,
        remarks,
    };
    let gathered = ages(&program, &mut store, now(), settings.listen.is_some()).and_then(|ages| {
        outcome.ages = ages;
        outcome.waiting = store.waiting_counts()?;
        outcome.dead_letters = store.dead_letters()?;
        outcome.kept_back = store.quarantined(0, usize::MAX)?.len() as u64;
        Ok(())
    });
    gathered.map_err(HostError::from_store)?;
    for scenario in &program.plan.scenarios {
        let name = &scenario.name;
        let paused = crate::engine::decide::paused_since(&mut store, name);
        if paused.map_err(HostError::from_store)?.is_some() {
            let goes_on = format!("`{name}` is paused: `syncline resume {name}` lets it go on");
            outcome.remarks.push(goes_on);
        }
    }
    Ok(outcome)
}

/// The plan that a store was last run with.
pub fn remembered_plan(store: &mut dyn Store) -> Result<Plan, HostError> {
    let text = store.meta("plan").map_err(HostError::from_store)?;
    let text = text.ok_or_else(|| HostError {
        message: "this store has not run a plan yet".into(),
        remedy: Some("run one with `syncline run --store …`".into()),
    })?;
    crate::plan::read_plan(&text).map_err(|e| HostError {
        message: e.to_string(),
        remedy: None,
    })
}

fn remember_plan(store: &mut SqliteStore, plan: &Plan) -> Result<(), StoreError> {
    store.begin()?;
    store.set_meta("plan", &crate::plan::to_json(plan))?;
    store.set_meta("digest", &plan.digest)?;
    store.commit()
}

/// What a store knows of destinations that are others now.
fn moved(before: &Plan, plan: &Plan) -> Vec<String> {
    let mut remarks = Vec::new();
    if before.policy != plan.policy {
        remarks.push(format!(
            "this store was last used by the policy `{}`; now it is by `{}`: give each policy its own \
             with `--store`, unless this one is meant to go on with what the other knew",
            before.policy, plan.policy
        ));
    }
    for system in &plan.systems {
        let Some(was) = before.systems.iter().find(|s| s.name == system.name) else {
            continue;
        };
        if was.connector == system.connector && was.options == system.options {
            continue;
        }
        let writes = |s: &&crate::plan::Scenario| s.routes.iter().any(|r| r.to == system.name);
        let into: Vec<String> = plan
            .scenarios
            .iter()
            .filter(writes)
            .map(|s| s.name.clone())
            .collect();
        if !into.is_empty() && !system.capabilities.read {
            remarks.push(format!(
                "`{}` has another connector or other options than when this store was last used, and \
                 cannot be read: what was written there before is taken to be there still",
                system.name
            ));
        } else if !into.is_empty() {
            let compare: Vec<String> = into
                .iter()
                .map(|name| format!("`syncline backfill {name}`"))
                .collect();
            remarks.push(format!(
                "`{}` has another connector or other options than when this store was last used: what \
                 was written there before is taken to be there still; to compare what it holds, ask \
                 for {}",
                system.name,
                compare.join(", ")
            ));
        }
    }
    remarks
}

fn scenarios_named(
    program: &Program,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<u16>, HostError> {
    let find = |name: &String| {
        program.scenario_ix(name).ok_or_else(|| {
            let all = program.plan.scenarios.iter().map(|s| s.name.as_str());
            let near = crate::text::nearest(name, all);
            HostError {
                message: format!("the plan has no scenario `{name}`"),
                remedy: near.map(|n| format!("did you mean `{n}`?")),
            }
        })
    };
    names.iter().map(find).collect()
}

/// What a runner does with a system of its plan.
#[derive(Default)]
struct Use {
    /// Whether it is written to, read, or followed.
    called: bool,
    /// Whether it is heard over HTTP.
    heard: bool,
}

impl Use {
    fn of(program: &Program, settings: &Settings, system: usize) -> Use {
        let mut used = Use::default();
        let posts = program.plan.systems[system].connector == "webhook";
        for (scenario, plan) in program.scenarios.iter().zip(&program.plan.scenarios) {
            if !settings.only.is_empty() && !settings.only.contains(&plan.name) {
                continue;
            }
            let sends = scenario.routes.iter().any(|r| r.to as usize == system);
            let reads = scenario.reads.iter().any(|r| r.system as usize == system);
            let hears = scenario.routes.iter().any(|r| r.from as usize == system);
            used.called |= sends || reads || (hears && !posts);
            used.heard |= hears && posts && settings.listen.is_some();
        }
        used
    }
}

/// Secrets and options are read at start: a variable that is unset is named before anything moves.
fn require_variables(program: &Program, settings: &Settings) -> Result<(), HostError> {
    let mut missing: Vec<String> = Vec::new();
    for (i, system) in program.plan.systems.iter().enumerate() {
        let used = Use::of(program, settings, i);
        if !used.called && !used.heard {
            continue;
        }
        let options = system
            .options
            .iter()
            .filter_map(|(name, value)| match value {
                crate::plan::Setting::Env(env) => Some((name, env)),
                crate::plan::Setting::Value(_) => None,
            });
        for (name, env) in options.chain(&system.secrets) {
            if unset(env, settings) {
                missing.push(format!(
                    "`{}` (`{name}` of system `{}`)",
                    env.env, system.name
                ));
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(HostError {
        message: format!("not set in the environment: {}", missing.join(", ")),
        remedy: Some("export each, for example `export NAME=value`, and run again".into()),
    })
}

/// An address that cannot be called, or a secret that is no key, shows at start, not with the first
/// write that it holds up. Nothing is dialled.
fn require_addresses(program: &Program, settings: &Settings) -> Result<(), HostError> {
    let env = |name: &str| (settings.env)(name);
    for (i, system) in program.plan.systems.iter().enumerate() {
        // What stands in the way of other connectors may come and go while a runner is at work.
        let has_address = matches!(system.connector.as_str(), "webhook" | "postgres");
        if has_address && Use::of(program, settings, i).called {
            let base = &settings.base_dir;
            registry::open(&program.plan, i as SystemIx, base, &env, Box::new(now))
                .map_err(HostError::from_failure)?;
        }
    }
    Ok(())
}

fn unset(env: &EnvRef, settings: &Settings) -> bool {
    (settings.env)(&env.env).is_none() && env.default.is_none()
}
