//! `syncline suppressions`: every `allow`, with its reason, its last day and its age.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::blame;
use super::check::date;
use super::failure::{Exit, Failure};
use super::policy::{self, Question};
use super::shell::Shell;
use crate::checks;
use crate::finding::{CODES, Level};
use crate::render::Range;
use crate::render::suppressions::{self, Suppression, SuppressionsOutput, Written};
use crate::time::Date;

/// List every `allow`: which check, why, what it covers, until when, and what it silences today.
///
/// Expired ones come first, then those that end soonest. Where the file is in a git repository the
/// list says when the line was written.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Policy files, directories with policy.sync, or Markdown files; default: the current
    /// directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to print the list
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
    /// Fail where any is expired
    #[arg(long, value_enum, value_name = "expired", hide_possible_values = true)]
    deny: Option<Deny>,
    /// The day against which `until` is held; default: today in UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    now: Option<Date>,
}

/// The forms of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table.
    Human,
    /// One JSON object.
    Json,
}

/// What fails the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Any whose last day is over.
    Expired,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let today = args.now.unwrap_or_else(policy::today);
    let found = list(args, today)?;
    let output = SuppressionsOutput::new(today.to_string(), found);
    shell.print(&match args.format {
        Format::Human => suppressions::human(&output, shell.style),
        Format::Json => suppressions::json(&output),
    });
    let denied = args.deny == Some(Deny::Expired) && output.summary.expired > 0;
    Ok(if denied { Exit::Findings } else { Exit::Clean })
}

/// The `allow`s of all policies that are asked about, one that several share once.
fn list(args: &Args, today: Date) -> Result<Vec<Suppression>, Failure> {
    let mut question = Question::of(args.paths.clone(), today);
    // An `allow` of a check that is off is held against what that check would say.
    let off = CODES.iter().filter(|c| c.level == Level::Off);
    question.asked = off.map(|c| c.code).collect();
    let mut found: BTreeMap<(String, Range), Suppression> = BTreeMap::new();
    for checked in &policy::check_all(&question)? {
        let all: Vec<_> = checked.all().collect();
        for one in checks::suppressions(&checked.policy, &all) {
            let Some(code) = one.allow.check else {
                continue;
            };
            let (file, range) = crate::render::place(one.allow.span, &checked.sources);
            if checked
                .only
                .as_ref()
                .is_some_and(|only| !only.contains(&file))
            {
                continue;
            }
            let until = one.allow.until.map(|u| u.value);
            let days_left = until.map(|until| (until - today).num_days());
            let suppression = Suppression {
                code: code.to_string(),
                name: code.info().name.to_owned(),
                reason: one.allow.reason.text.to_string(),
                file: file.clone(),
                range,
                covers: one.covers,
                until: until.map(|until| until.to_string()),
                days_left,
                expired: days_left.is_some_and(|days| days < 0),
                silences: one.silences,
                written: Written::Unknown,
            };
            let known = found.entry((file, range)).or_insert(suppression);
            known.silences = known.silences.max(one.silences);
        }
    }
    let mut found: Vec<Suppression> = found.into_values().collect();
    date_lines(&mut found, today);
    Ok(found)
}

/// Asks git once for each file.
fn date_lines(found: &mut [Suppression], today: Date) {
    let mut lines: BTreeMap<String, BTreeSet<u32>> = BTreeMap::new();
    for one in found.iter() {
        let lines = lines.entry(one.file.clone()).or_default();
        lines.insert(one.range.start.line);
    }
    for (file, lines) in &lines {
        let told = blame::written(Path::new(file), lines, today);
        for one in found.iter_mut().filter(|one| one.file == *file) {
            if let Some(written) = told.get(&one.range.start.line) {
                one.written = written.clone();
            }
        }
    }
}
