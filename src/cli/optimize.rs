//! `syncline optimize`: the best modes under all quotas and bounds at once, or the best freshness
//! that the quotas can buy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;

use super::check::date;
use super::disk::{self, Instead, Rewrite};
use super::failure::{Exit, Failure};
use super::plan::refuse;
use super::policy::{self, Checked, Question, STDIN};
use super::shell::Shell;
use crate::arithmetic::{Arithmetic, polling};
use crate::checks;
use crate::choice::{self, Free, Ground, Limits, Problem, Work};
use crate::finding::{Edit, Severity};
use crate::graph::Graph;
use crate::optimize::{self, Ending, Proposal};
use crate::render::{freshness, optimize as shape};
use crate::text::FileId;
use crate::time::{Date, Millis};

/// Find the modes that cost least under all quotas and bounds at once, or the freshest.
///
/// By cost, weighs every mode of every scenario against all others by a mixed-integer program: calls, upkeep
/// and delays, within budgets, burst limits and every `fresh`. Of modes that cost the same the
/// simplest is taken. By freshness, each quota is spent on the reads by the clock so that a further
/// call would buy the same wherever it went, after every `fresh` has what it demands; only intervals
/// change. What a policy breaks by its modes is no hindrance, other errors are.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy file, a directory with policy.sync, or `-` for standard input; default: the
    /// current directory
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// What is to be best
    #[arg(long, value_enum, value_name = "OBJECTIVE", default_value_t = Objective::Cost)]
    objective: Objective,
    /// What freshness means; default: harmonic where sources that notify share a quota with sources
    /// that are polled, else freshness
    #[arg(long, value_enum, value_name = "MEASURE")]
    measure: Option<Measure>,
    /// The form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
    /// Write the modes into the policy; comments and layout stay
    #[arg(long)]
    write: bool,
    /// End the search after this time and say how far from the optimum it may be
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    time_limit: Millis,
    /// A day of the year that the figures are for; default: today in UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    now: Option<Date>,
}

/// The forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
}

/// What is to be best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Objective {
    /// The least cost
    Cost,
    /// The most freshness that the quotas can buy
    Freshness,
}

/// What freshness means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// The share of the time in which no change is outstanding; may leave out what changes too fast
    Freshness,
    /// How long the first change outstanding has waited; leaves nothing out
    Age,
    /// The harmonic staleness, which also weighs sources that notify; leaves nothing out
    Harmonic,
}

impl From<Measure> for polling::Measure {
    fn from(measure: Measure) -> Self {
        match measure {
            Measure::Freshness => polling::Measure::Freshness,
            Measure::Age => polling::Measure::Age,
            Measure::Harmonic => polling::Measure::Harmonic,
        }
    }
}

fn duration(text: &str) -> Result<Millis, String> {
    Millis::parse(text).map_err(|e| e.to_string())
}

/// Errors that another mode may mend.
const OF_MODES: [u16; 7] = [201, 203, 301, 302, 303, 307, 501];

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let stdin = args.path.as_deref() == Some(Path::new(STDIN));
    if args.write && stdin {
        let failure = Failure::input("standard input cannot be written");
        return Err(failure.help("name the policy's file, or leave `--write` out"));
    }
    if args.measure.is_some() && args.objective == Objective::Cost {
        let failure = Failure::input("`--measure` says what freshness means, not what costs");
        return Err(failure.help("add `--objective freshness`, or leave `--measure` out"));
    }
    let today = args.now.unwrap_or_else(policy::today);
    let checked = policy::check_one_on(args.path.as_deref(), today)?;
    if has_other_errors(&checked) {
        refuse(&checked, shell);
        return Ok(Exit::Findings);
    }
    let begin = Instant::now();
    let most = Duration::from_millis(args.time_limit.0);
    let proposal = propose(args, &checked, &|| {
        Some(most.saturating_sub(begin.elapsed()).as_secs_f64())
    });
    let name = checked.policy.name.as_ref().map_or("", |n| &n.text);
    let text = match args.format {
        Format::Human => match &proposal.shown.freshness {
            Some(spent) => freshness::human(name, &proposal.shown, spent, shell.style),
            None => shape::human(name, &proposal.shown, shell.style),
        },
        Format::Json => {
            // Serialising plain data with text keys cannot fail.
            let mut text = serde_json::to_string_pretty(&proposal.shown).unwrap_or_default();
            text.push('\n');
            text
        }
    };
    shell.print(&text);
    match proposal.shown.result {
        Ending::Infeasible | Ending::Unknown => return Ok(Exit::Findings),
        Ending::Optimal | Ending::Feasible => {}
    }
    if args.write {
        write(args, &checked, &proposal, today, shell)?;
    }
    Ok(Exit::Clean)
}

fn has_other_errors(checked: &Checked) -> bool {
    let mut errors = checked.all().filter(|f| f.severity == Severity::Error);
    errors.any(|f| !OF_MODES.contains(&f.code.0))
}

fn propose(args: &Args, checked: &Checked, seconds_left: &dyn Fn() -> Option<f64>) -> Proposal {
    let graph = Graph::build(&checked.policy);
    let arithmetic = Arithmetic::of(&checked.policy, &graph);
    let ground = Ground {
        policy: &checked.policy,
        graph: &graph,
        arithmetic: &arithmetic,
    };
    let problem = Problem::new(ground, Free::All);
    if args.objective == Objective::Freshness {
        let measure = args.measure.map(polling::Measure::from);
        return optimize::freshness::of(ground, &problem, measure);
    }
    let outcome = problem.solve(&Limits {
        seconds_left,
        work: Work::ASKED,
    });
    optimize::of(ground, &problem, &outcome)
}

/// Writes the modes, all files together, after the new texts were checked like any others.
fn write(
    args: &Args,
    checked: &Checked,
    proposal: &Proposal,
    today: Date,
    shell: &mut Shell,
) -> Result<(), Failure> {
    let mut edits: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    let scenarios = checked.policy.scenarios.iter().zip(&proposal.modes);
    for (scenario, mode) in scenarios {
        let Some(mode) = mode else {
            continue;
        };
        let edit = checks::set_mode(&checked.sources, scenario, &choice::text(mode));
        let edit = edit.ok_or_else(|| {
            Failure::own(format!("the mode of `{}` cannot be written", scenario.name))
        })?;
        edits.entry(edit.span.file).or_default().push(edit);
    }
    let rewrites: Vec<Rewrite> = edits
        .into_iter()
        .map(|(file, edits)| {
            let source = checked.sources.file(file);
            let mut new = source.text.to_string();
            let mut edits = edits;
            edits.sort_by_key(|e| std::cmp::Reverse(e.span.start));
            for edit in edits {
                new.replace_range(edit.span.range(), &edit.text);
            }
            Rewrite {
                name: source.path.clone(),
                old: source.text.to_string(),
                new,
            }
        })
        .collect();
    if rewrites.is_empty() {
        shell.note("nothing to write");
        return Ok(());
    }
    let mut question = Question::of(args.path.clone().into_iter().collect(), today);
    question.overlay = overlay(&rewrites);
    let again = policy::check_all(&question)?;
    let broken = |c: &Checked| c.all().find(|f| f.severity == Severity::Error).cloned();
    if let Some(error) = again.iter().find_map(broken) {
        return Err(Failure::own(format!(
            "nothing was written, for with the new modes the policy would have {}: {}",
            error.code, error.message
        )));
    }
    disk::write_all(&rewrites)?;
    for file in &rewrites {
        shell.note(&format!("wrote {}", file.name));
    }
    Ok(())
}

fn overlay(rewrites: &[Rewrite]) -> Instead {
    let real = |r: &Rewrite| {
        Some((
            Path::new(&r.name).canonicalize().ok()?,
            r.new.clone().into_bytes(),
        ))
    };
    rewrites.iter().filter_map(real).collect()
}
