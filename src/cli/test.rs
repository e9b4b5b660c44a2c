//! `syncline test`: a policy's tests on the real engine, under virtual time.

use std::path::PathBuf;

use clap::ValueEnum;

use super::failure::{Exit, Failure};
use super::plan::plan_of;
use super::policy;
use super::shell::Shell;
use crate::model::Test;
use crate::render::trials::{self, Results};
use crate::sim::trial::Suite;
use crate::text::nearest;

/// Run the policy's tests on the real engine, in seconds of virtual time.
///
/// Each `test` item gets a new store and systems in memory that behave as their catalog entries say,
/// but never fail by chance. A failed expectation shows what was found and, as `why` does, how it
/// came to be. What no test touches is listed at the end.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy file, a directory with policy.sync, or `-` for standard input; default: the
    /// current directory
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Only tests whose title holds this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
}

/// The forms of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// For programs, by `docs/test.schema.json`.
    Json,
    /// For build servers.
    Junit,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let checked = policy::check_one(args.path.as_deref())?;
    let Some(plan) = plan_of(&checked, shell)? else {
        return Ok(Exit::Findings);
    };
    let policy = &checked.policy;
    let tests = wanted(&policy.tests, args.filter.as_deref())?;
    let name = plan.policy.clone();
    let suite = Suite::new(policy, plan).map_err(|e| Failure::own(e.to_string()))?;
    let outcomes = suite.run(&tests);
    let left_out = policy.tests.len() - tests.len();
    let coverage = (left_out == 0).then(|| suite.coverage(&outcomes));
    let results = Results {
        policy: &name,
        sources: &checked.sources,
        trials: &outcomes,
        left_out,
        coverage: coverage.as_ref(),
    };
    let text = match args.format {
        Format::Human => trials::human(&results, shell.style),
        Format::Json => trials::json(&results),
        Format::Junit => trials::junit(&results),
    };
    shell.print(&text);
    if outcomes.is_empty() {
        shell.note("the policy has no tests: write `test \"what has to hold\" { … }`");
    }
    Ok(match outcomes.iter().all(|t| t.passed()) {
        true => Exit::Clean,
        false => Exit::Findings,
    })
}

/// The tests whose title holds the filter.
fn wanted<'p>(all: &'p [Test], filter: Option<&str>) -> Result<Vec<&'p Test>, Failure> {
    let Some(filter) = filter else {
        return Ok(all.iter().collect());
    };
    let found: Vec<&Test> = all
        .iter()
        .filter(|test| test.title.text.contains(filter))
        .collect();
    if found.is_empty() {
        let failure = Failure::input(format!("no test's title holds `{filter}`"));
        let titles = all.iter().map(|test| &*test.title.text);
        return Err(match nearest(filter, titles) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("leave `--filter` out to see all titles"),
        });
    }
    Ok(found)
}
