//! `syncline estimate`: calls, peak rates, quota use, freshness and cost of a policy.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::check::date;
use super::failure::{Exit, Failure};
use super::plan::refuse;
use super::policy::{self, Checked};
use super::shell::Shell;
use crate::arithmetic::Arithmetic;
use crate::checks::figures;
use crate::estimate::{self, Estimate, Ground, SystemEstimate};
use crate::graph::Graph;
use crate::render::estimate::{self as shape, Shown};
use crate::text::nearest;
use crate::time::Date;

/// Estimate calls, peak rates, quota use, freshness and cost.
///
/// Works offline, from the policy and the connector catalog alone, and refuses a policy with
/// errors. Figures are for a mean day and a month of 30 days; what is not known is shown as such
/// and never as 0.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy file, a directory with policy.sync, or `-` for standard input; default: the
    /// current directory
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// The form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
    /// Add every mode that each scenario could have, with what it would do and whether it may
    #[arg(long)]
    what_if: bool,
    /// Show every term of this scenario, with its inputs and where each comes from
    #[arg(long, value_name = "SCENARIO")]
    explain: Option<String>,
    /// End with status 1 where a system uses more of its daily budget on its busiest day, as in
    /// 'crm > 80%'; `*` is any system; may repeat
    #[arg(long, value_name = "CONDITION")]
    fail_over: Vec<FailOver>,
    /// A day of the year that the figures are for; default: today in UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    now: Option<Date>,
}

/// The forms of an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
    /// One figure a row, for spreadsheets.
    Csv,
    /// Tables for a comment on a change.
    Markdown,
}

/// `SYSTEM > PERCENT`.
#[derive(Debug, Clone, PartialEq)]
struct FailOver {
    /// The system; none: any.
    system: Option<String>,
    /// The most of its budget that it may use.
    share: f64,
}

impl FromStr for FailOver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write a system, `>` and a percentage, as in 'crm > 80%'".to_owned();
        let (system, share) = text.split_once('>').ok_or_else(wrong)?;
        let number = share.trim().strip_suffix('%').ok_or_else(wrong)?;
        let number: f64 = number.trim().parse().map_err(|_| wrong())?;
        let system = system.trim();
        if system.is_empty() || !number.is_finite() || number < 0.0 {
            return Err(wrong());
        }
        Ok(FailOver {
            system: (system != "*").then(|| system.to_owned()),
            share: number / 100.0,
        })
    }
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let today = args.now.unwrap_or_else(policy::today);
    let checked = policy::check_one_on(args.path.as_deref(), today)?;
    if checked.has_errors() {
        refuse(&checked, shell);
        return Ok(Exit::Findings);
    }
    for condition in &args.fail_over {
        is_system(&checked, condition)?;
    }
    let graph = Graph::build(&checked.policy);
    let arithmetic = Arithmetic::of(&checked.policy, &graph);
    let ground = Ground {
        policy: &checked.policy,
        graph: &graph,
        arithmetic: &arithmetic,
    };
    let mut estimate = estimate::of(ground);
    estimate::add_ranges(ground, &checked.sources, &mut estimate);
    if args.what_if {
        estimate::what_if(ground, &mut estimate);
    }
    if let Some(name) = &args.explain {
        explain(&checked, ground, name, &mut estimate)?;
    }
    show(args, &checked, ground, &estimate, shell);
    let over = args
        .fail_over
        .iter()
        .filter(|c| exceeds(c, &estimate, shell));
    // Each condition is told of, not only the first that holds.
    Ok(match over.count() {
        0 => Exit::Clean,
        _ => Exit::Findings,
    })
}

fn show(args: &Args, checked: &Checked, ground: Ground, estimate: &Estimate, shell: &mut Shell) {
    let for_people = matches!(args.format, Format::Human | Format::Markdown);
    let better = match for_people && args.explain.is_none() {
        true => estimate::better(ground),
        false => Vec::new(),
    };
    let name = checked.policy.name.as_ref();
    let shown = Shown {
        policy: name.map_or("", |n| &n.text),
        estimate,
        better: &better,
    };
    let text = match args.format {
        Format::Human => shape::human(shown, shell.style),
        Format::Markdown => shape::markdown(shown),
        Format::Csv => shape::csv::text(shown),
        Format::Json => {
            // Serialising plain data with text keys cannot fail.
            let mut text = serde_json::to_string_pretty(estimate).unwrap_or_default();
            text.push('\n');
            text
        }
    };
    shell.print(&text);
}

fn explain(
    checked: &Checked,
    ground: Ground,
    name: &str,
    estimate: &mut Estimate,
) -> Result<(), Failure> {
    let policy = &checked.policy;
    let scenario = policy.scenario_named(name).map(|id| policy.scenario(id));
    let names = policy.scenarios.iter().map(|s| &*s.name.text);
    let scenario = scenario.ok_or_else(|| no_such("scenario", name, names))?;
    estimate.explain = estimate::explain(ground, &checked.sources, scenario);
    Ok(())
}

fn is_system(checked: &Checked, condition: &FailOver) -> Result<(), Failure> {
    let Some(name) = &condition.system else {
        return Ok(());
    };
    let names = || checked.policy.systems.iter().map(|s| &*s.name.text);
    match names().any(|n| n == name) {
        true => Ok(()),
        false => Err(no_such("system", name, names())),
    }
}

pub(super) fn no_such<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> Failure {
    let failure = Failure::input(format!("the policy has no {what} `{name}`"));
    match nearest(name, names) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None => failure,
    }
}

/// Whether a system uses more than a condition allows; tells of it, and where nobody can know.
fn exceeds(condition: &FailOver, estimate: &Estimate, shell: &mut Shell) -> bool {
    let mut over = false;
    let wanted = |s: &&SystemEstimate| condition.system.as_ref().is_none_or(|n| *n == s.name);
    for system in estimate.systems.iter().filter(wanted) {
        let named = condition.system.is_some();
        let most = figures::share(condition.share);
        match system.busiest_utilisation {
            Some(used) if used > condition.share => {
                over = true;
                shell.warn(&format!(
                    "`{}` uses {} of its daily budget, over the {most} of `--fail-over`",
                    system.name,
                    figures::share(used)
                ));
            }
            Some(_) if !system.without.is_empty() => shell.note(&format!(
                "`{}` stays under {most} without {}, whose volume nothing declares",
                system.name,
                system.without.join(", ")
            )),
            None if named && system.quota_per_day.is_none() => shell.warn(&format!(
                "`{}` has no daily quota that is known, so `--fail-over` cannot hold it to {most}; \
                 give it a `limit` of a day",
                system.name
            )),
            None if named => shell.warn(&format!(
                "what `{}` uses is not known: nothing declares a volume",
                system.name
            )),
            _ => {}
        }
    }
    over
}
