//! `syncline simulate`: generated load on the real engine under virtual time.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::estimate::no_such;
use super::failure::{Exit, Failure};
use super::plan::plan_of;
use super::policy::{self, Checked};
use super::shell::Shell;
use crate::arithmetic::Arithmetic;
use crate::estimate::{self, Ground};
use crate::graph::Graph;
use crate::plan::Plan;
use crate::render::simulation;
use crate::sim::first_day;
use crate::sim::simulation::{Outage, Simulated, Simulation, Span};
use crate::time::Millis;

/// The longest span: ten years.
const LONGEST: Millis = Millis(10 * 366 * 86_400_000);

/// The seed where none is given.
pub(super) const SEED: u64 = 1;

/// Run generated load through the real engine under virtual time.
///
/// The load comes from the declared volumes, the systems are emulated with their limits, latencies
/// and failures, and what they were asked for and how old the data got stands beside the estimate.
/// Works offline and in no real time; the same seed gives the same bytes. All systems begin in
/// step, on Monday 2026-01-05 at midnight in the policy's zone.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy file, a directory with policy.sync, or `-` for standard input; default: the
    /// current directory
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// How much virtual time, as in `7d` or `12h`
    #[arg(long = "for", value_name = "DURATION", value_parser = span, allow_hyphen_values = true)]
    lasts: Millis,
    /// The number that all chance comes from
    #[arg(long, value_name = "N", default_value_t = SEED, value_parser = whole)]
    seed: u64,
    /// A system that is down for a while, as in `crm@2d+1h`: after two days, for an hour; may
    /// repeat
    #[arg(long, value_name = "SYSTEM@AT+LENGTH")]
    outage: Vec<Down>,
    /// The form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
}

/// The forms of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
}

/// `SYSTEM@AT+LENGTH`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Down(Outage);

impl FromStr for Down {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || "write a system, `@`, when, `+` and for how long, as in `crm@2d+1h`".to_owned();
        let (system, times) = text.split_once('@').ok_or_else(wrong)?;
        let (at, lasts) = times.split_once('+').ok_or_else(wrong)?;
        if system.is_empty() {
            return Err(wrong());
        }
        let duration = |text: &str| match text {
            "0" => Ok(Millis::ZERO),
            _ => Millis::parse(text).map_err(|e| e.to_string()),
        };
        let (begins, length) = (duration(at)?, duration(lasts)?);
        if length == Millis::ZERO {
            return Err(format!(
                "an outage needs a length: write one after the `+`, as in `{system}@{at}+1h`"
            ));
        }
        Ok(Down(Outage {
            system: system.to_owned(),
            at: begins,
            lasts: length,
        }))
    }
}

/// A seed.
pub(super) fn whole(text: &str) -> Result<u64, String> {
    let wrong = |_| format!("`{text}` is no whole number from 0 to {}", u64::MAX);
    text.parse().map_err(wrong)
}

/// How much virtual time: more than none, ten years at most.
pub(super) fn span(text: &str) -> Result<Millis, String> {
    let span = Millis::parse(text).map_err(|e| e.to_string())?;
    match span {
        Millis::ZERO => Err("nothing happens in no time: write `1d` or `7d`".to_owned()),
        long if long > LONGEST => Err("at most ten years can be simulated".to_owned()),
        span => Ok(span),
    }
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let checked = policy::check_one_on(args.path.as_deref(), first_day())?;
    let Some(plan) = plan_of(&checked, shell)? else {
        return Ok(Exit::Findings);
    };
    let found = simulated(&checked, plan, args.lasts, (args.seed, &args.outage))?;
    shell.print(&match args.format {
        Format::Human => simulation::human(&found, shell.style),
        Format::Json => simulation::json(&found),
    });
    Ok(Exit::Clean)
}

/// Simulates a checked policy by its plan, with a seed and outages.
pub(super) fn simulated(
    checked: &Checked,
    plan: Plan,
    lasts: Millis,
    (seed, outages): (u64, &[Down]),
) -> Result<Simulated, Failure> {
    let policy = &checked.policy;
    let graph = Graph::build(policy);
    let arithmetic = Arithmetic::of(policy, &graph);
    let ground = Ground {
        policy,
        graph: &graph,
        arithmetic: &arithmetic,
    };
    let estimate = estimate::of(ground);
    let simulation =
        Simulation::new(ground, &estimate, plan).map_err(|e| Failure::own(e.to_string()))?;
    for Down(outage) in outages {
        if simulation.system(&outage.system).is_none() {
            let names = policy.systems.iter().map(|s| &*s.name.text);
            return Err(no_such("system", &outage.system, names));
        }
        begins_within(outage, lasts)?;
    }
    let span = Span {
        lasts,
        seed,
        outages: outages.iter().map(|d| d.0.clone()).collect(),
    };
    simulation
        .run(&span)
        .map_err(|e| Failure::own(e.to_string()))
}

/// An outage that begins when all is over would change nothing, and nobody would notice.
fn begins_within(outage: &Outage, lasts: Millis) -> Result<(), Failure> {
    let Outage { system, at, .. } = outage;
    if *at < lasts {
        return Ok(());
    }
    let failure = Failure::input(format!(
        "the outage of `{system}` begins {at} after the start, but the simulation lasts only {lasts}"
    ));
    let sooner = Millis(lasts.0 / 2);
    Err(failure.help(format!(
        "let it begin sooner, as in `{system}@{sooner}+{}`, or simulate more than {at}",
        outage.lasts
    )))
}
