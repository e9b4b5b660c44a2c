//! `syncline report`: a policy as one page for people.

use std::path::PathBuf;

use super::check::date;
use super::disk;
use super::failure::{Exit, Failure};
use super::policy::{self, Checked};
use super::shell::Shell;
use super::simulate::{Down, SEED, simulated, span, whole};
use crate::arithmetic::Arithmetic;
use crate::estimate::Ground;
use crate::graph::Graph;
use crate::overview::{self, Overview, Question};
use crate::render::{Report, html};
use crate::time::{Date, Millis};

/// Write one self-contained page: owners, flows, freshness, calls, modes compared, findings.
///
/// The page needs no network and sends no request; it can be read without its script, in dark
/// mode, by keyboard and on paper. A policy with errors gets its page too: the errors come first,
/// and where not all of it could be read, what follows from it is left out. The status is 0 once
/// the page is written; `check` is what fails on findings.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy file, a directory with policy.sync, or `-` for standard input; default: the
    /// current directory
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// The file to write, as in `-o report.html`
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// A day of the year that the figures are for; default: today in UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    now: Option<Date>,
    /// Also show what `syncline simulate` measures over so much virtual time, as in `2d`
    #[arg(long, value_name = "DURATION", value_parser = span, allow_hyphen_values = true)]
    simulate: Option<Millis>,
    /// The number that all chance of the simulation comes from; default: 1
    #[arg(long, value_name = "N", requires = "simulate", value_parser = whole)]
    seed: Option<u64>,
    /// A system that is down for a while in the simulation, as in `crm@2d+1h`; may repeat
    #[arg(long, value_name = "SYSTEM@AT+LENGTH", requires = "simulate")]
    outage: Vec<Down>,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let today = args.now.unwrap_or_else(policy::today);
    let checked = policy::check_one_on(args.path.as_deref(), today)?;
    let overview = overview(&checked, today);
    let mut findings = Report::default();
    let all: Vec<_> = checked.all().cloned().collect();
    findings.add(&all, &checked.sources);
    findings.sort();
    let plan = checked.plan();
    let found = match args.simulate.zip(plan) {
        Some((lasts, plan)) => {
            let chance = (args.seed.unwrap_or(SEED), args.outage.as_slice());
            Some(simulated(&checked, plan, lasts, chance)?)
        }
        None => None,
    };
    let page = html::page(&overview, &findings, found.as_ref());
    disk::write(&args.output, &page)?;
    shell.note(&format!("wrote {}", args.output.display()));
    let sum = findings.summary();
    if sum.errors > 0 {
        let left = match overview.figures {
            Some(_) => "",
            None => "; what follows from the policy is left out, since not all of it could be read",
        };
        let errors = match sum.errors {
            1 => "1 error".to_owned(),
            n => format!("{n} errors"),
        };
        shell.note(&format!(
            "the policy has {errors}{left}: see `syncline check`"
        ));
        if args.simulate.is_some() {
            shell.note("nothing was simulated: a policy with errors has no plan to run");
        }
    }
    Ok(Exit::Clean)
}

fn overview(checked: &Checked, today: Date) -> Overview {
    let policy = &checked.policy;
    let graph = Graph::build(policy);
    let arithmetic = Arithmetic::of(policy, &graph);
    let plan = checked.plan();
    overview::of(Question {
        ground: Ground {
            policy,
            graph: &graph,
            arithmetic: &arithmetic,
        },
        sources: &checked.sources,
        day: &today.to_string(),
        digest: plan.as_ref().map(|p| p.digest.as_str()),
        whole: checked.is_whole(),
    })
}
