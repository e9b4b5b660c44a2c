//! `syncline check`: everything that is wrong with the policies at PATHs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::baseline::Baseline;
use super::failure::{Exit, Failure};
use super::policy::{self, Question, STDIN};
use super::shell::Shell;
use super::{disk, fix};
use crate::finding::{CODES, Code, Level, code_by_name};
use crate::render::{Diagnostic, Report, Severity, Style, human, json};
use crate::text::nearest;
use crate::time::Date;

/// Check policies: names, owners, freshness, quotas, mappings.
///
/// Says on standard error how many files were read. A Markdown file's ```sync blocks are checked,
/// each as a policy of its own. A file without a `policy` item is checked as a part of the nearest
/// policy.sync above it that uses it, and findings are limited to that file.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Policy files, directories with policy.sync, Markdown files, or `-` for standard input;
    /// default: the current directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// How to print what was found
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
    /// Write what was found to a file too, `json=findings.json`; may repeat
    #[arg(long, value_name = "FORMAT=FILE")]
    output: Vec<Output>,
    /// Count warnings, or the findings of a check, as a reason to fail; may repeat
    #[arg(long, value_name = "warnings|CODE")]
    deny: Vec<Deny>,
    /// Report only the findings of this check; may repeat
    #[arg(long, value_name = "CODE", value_parser = check_code)]
    only: Vec<Code>,
    /// Report the findings of a check that is off unless asked for, such as SL0804; may repeat
    #[arg(long, value_name = "CODE", value_parser = check_code)]
    warn: Vec<Code>,
    /// Accept what this file lists: the JSON of an earlier check, or what --write-baseline wrote
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write today's findings to a file for --baseline, and accept them
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    write_baseline: Option<PathBuf>,
    /// Apply the fixes that keep what was plainly meant, then check again
    #[arg(long)]
    fix: bool,
    /// Show what --fix would change, and change nothing
    #[arg(long, requires = "fix")]
    diff: bool,
    /// What standard input is called; its `use` is relative to it
    #[arg(long, value_name = "FILE")]
    stdin_filename: Option<String>,
    /// The day on which to check; default: today in UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    now: Option<Date>,
}

/// The forms of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, with the lines in question.
    Human,
    /// One JSON object.
    Json,
}

impl Format {
    fn render(self, report: &Report, style: Style, allowed: bool) -> String {
        match self {
            Format::Human => human::check(report, style, allowed),
            Format::Json => json::check(report),
        }
    }
}

/// A form and the file it goes to.
#[derive(Debug, Clone)]
struct Output {
    format: Format,
    file: PathBuf,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text
            .split_once('=')
            .filter(|(_, file)| !file.is_empty())
            .ok_or("write it as FORMAT=FILE, such as json=findings.json")?;
        Ok(Output {
            format: Format::from_str(format, false)
                .map_err(|_| format!("there is no format `{format}`"))?,
            file: file.into(),
        })
    }
}

/// What fails a check beyond errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deny {
    Warnings,
    Check(Code),
}

impl FromStr for Deny {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "warnings" => Ok(Deny::Warnings),
            _ => check_code(text).map(Deny::Check),
        }
    }
}

/// Reads a check's code or name.
pub(super) fn check_code(text: &str) -> Result<Code, String> {
    let upper = text.to_ascii_uppercase();
    code_by_name(text)
        .or_else(|| code_by_name(&upper))
        .ok_or_else(|| {
            let near = nearest(text, CODES.iter().map(|c| c.name));
            near.map_or_else(
                || {
                    "there is no such check; codes look like SL0103, names like write-to-owner"
                        .into()
                },
                |near| format!("there is no such check; did you mean {near}?"),
            )
        })
}

/// Reads a day.
pub(super) fn date(text: &str) -> Result<Date, String> {
    Date::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|d| d.format("%Y-%m-%d").to_string() == text)
        .ok_or_else(|| "write a day as 2027-01-31".to_owned())
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let from_stdin = args.paths.iter().any(|p| p.as_os_str() == STDIN);
    if args.fix && from_stdin {
        let failure = Failure::input("`--fix` cannot change standard input");
        return Err(failure.help("name the file instead of `-`"));
    }
    if args.stdin_filename.is_some() && !from_stdin {
        let failure = Failure::input("`--stdin-filename` is given but standard input is not read");
        return Err(failure.help("add `-` as PATH"));
    }
    let baseline = args.baseline.as_deref().map(Baseline::read).transpose()?;
    let question = Question {
        paths: args.paths.clone(),
        stdin_filename: args.stdin_filename.clone(),
        today: args.now.unwrap_or_else(policy::today),
    };
    let mut report = look(&question, args, shell)?;
    if args.fix {
        let changes = fix::plan(&report);
        if args.diff {
            shell.print(&fix::diff(&report, &changes, shell.style));
            return Ok(verdict(&report, &args.deny));
        }
        if !changes.is_empty() {
            fix::apply(&changes, shell)?;
            report = look(&question, args, shell)?;
        }
    }
    if let Some(mut baseline) = baseline {
        baseline.accept(&mut report);
    }
    if let Some(file) = &args.write_baseline {
        disk::write(file, &json::check(&report))?;
        Baseline::of(&report).accept(&mut report);
    }
    let allowed = shell.verbose > 0;
    for output in &args.output {
        let text = output.format.render(&report, Style::PLAIN, true);
        disk::write(&output.file, &text)?;
    }
    let text = args.format.render(&report, shell.style, allowed);
    shell.print(&text);
    Ok(verdict(&report, &args.deny))
}

/// Checks everything that is asked for and says how many files that were.
fn look(question: &Question, args: &Args, shell: &mut Shell) -> Result<Report, Failure> {
    let policies = policy::check_all(question)?;
    let mut report = Report::default();
    let mut files = BTreeSet::new();
    for checked in &policies {
        report.add(&checked.findings, &checked.sources);
        files.extend(checked.sources.iter().map(|(_, f)| f.path.as_str()));
    }
    if files.is_empty() {
        return Err(Failure::input("no file was read"));
    }
    let wanted = |d: &Diagnostic| {
        let asked = |codes: &[Code]| codes.iter().any(|c| c.to_string() == d.code);
        let off = code_by_name(&d.code).is_some_and(|c| c.info().level == Level::Off);
        (args.only.is_empty() || asked(&args.only))
            && (!off || asked(&args.warn) || asked(&args.only))
    };
    report.diagnostics.retain(wanted);
    report.sort();
    let plural = if files.len() == 1 { "" } else { "s" };
    shell.note(&format!("read {} file{plural}", files.len()));
    if shell.verbose > 0 {
        for file in &files {
            shell.note(&format!("  {file}"));
        }
    }
    Ok(report)
}

fn verdict(report: &Report, deny: &[Deny]) -> Exit {
    let fails = report.diagnostics.iter().any(|d| match d.severity {
        Severity::Allowed => false,
        Severity::Error => true,
        Severity::Warning => deny.iter().any(|deny| match deny {
            Deny::Warnings => true,
            Deny::Check(code) => code.to_string() == d.code,
        }),
    });
    if fails { Exit::Findings } else { Exit::Clean }
}
