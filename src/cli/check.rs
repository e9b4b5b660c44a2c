//! `syncline check`: everything that is wrong with the policies at PATHs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;

use super::baseline::Baseline;
use super::disk::Instead;
use super::failure::{Exit, Failure};
use super::fix::{Errors, Looked};
use super::policy::{self, Question, STDIN};
use super::shell::Shell;
use super::{disk, fix, rules};
use crate::finding::{CODES, Code, code_by_name};
use crate::render::{Diagnostic, Report, Severity, Style};
use crate::render::{concise, github, gitlab, human, json, junit, sarif};
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
    /// One line for each finding.
    Concise,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Workflow commands, for annotations on GitHub.
    Github,
    /// A code quality report, for GitLab.
    Gitlab,
    /// JUnit XML, for build servers.
    Junit,
}

impl Format {
    fn render(self, report: &Report, style: Style, allowed: bool) -> String {
        match self {
            Format::Human => human::check(report, style, allowed),
            Format::Concise => concise::check(report, style, allowed),
            Format::Json => json::check(report),
            Format::Sarif => sarif::check(report, &rules::about),
            Format::Github => github::check(report),
            Format::Gitlab => gitlab::check(report),
            Format::Junit => junit::check(report),
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
        if file == STDIN {
            return Err("standard output takes what --format says; name a file".into());
        }
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
    let question = question(args)?;
    let baseline = args.baseline.as_deref().map(Baseline::read).transpose()?;
    let asker = Asker {
        args,
        question,
        baseline,
    };
    let (first, files) = asker.ask(&Instead::new())?;
    say_what_was_read(&files, shell);
    let mut report = if args.fix {
        let look = |overlay: &Instead| asker.ask(overlay).map(|(looked, _)| looked);
        mend(args, &first, &look, shell)?
    } else {
        first.report
    };
    if let Some(file) = &args.write_baseline {
        disk::write(file, &json::check(&report))?;
        Baseline::of(&report).accept(&mut report);
    }
    // Before the files, so that what was found is seen even where one of them has no place.
    if !args.diff {
        let allowed = shell.verbose > 0;
        let text = args.format.render(&report, shell.style, allowed);
        shell.print(&text);
    }
    for output in &args.output {
        let text = output.format.render(&report, Style::PLAIN, true);
        disk::write(&output.file, &text)?;
    }
    Ok(verdict(&report, shell))
}

/// What is asked, where the arguments fit together.
fn question(args: &Args) -> Result<Question, Failure> {
    let from_stdin = args.paths.iter().any(|p| p.as_os_str() == STDIN);
    if args.fix && from_stdin {
        let failure = Failure::input("`--fix` cannot change standard input");
        return Err(failure.help("name the file instead of `-`"));
    }
    if args.stdin_filename.is_some() && !from_stdin {
        let failure = Failure::input("`--stdin-filename` is given but standard input is not read");
        return Err(failure.help("add `-` as PATH"));
    }
    let mut question = Question::of(args.paths.clone(), args.now.unwrap_or_else(policy::today));
    question.stdin_filename.clone_from(&args.stdin_filename);
    // Who denies a check asks for it.
    let denied = args.deny.iter().filter_map(|deny| match deny {
        Deny::Warnings => None,
        Deny::Check(code) => Some(*code),
    });
    question.asked = args.warn.iter().chain(&args.only).copied().collect();
    question.asked.extend(denied);
    Ok(question)
}

/// Asks the same of the same files as often as it takes.
struct Asker<'a> {
    args: &'a Args,
    question: Question,
    baseline: Option<Baseline>,
}

impl Asker<'_> {
    /// Checks everything that is asked for, with some texts replaced; names the files read.
    fn ask(&self, overlay: &Instead) -> Result<(Looked, BTreeSet<String>), Failure> {
        let mut question = self.question.clone();
        question.overlay.clone_from(overlay);
        let mut report = Report::default();
        let mut beyond = Report::default();
        for checked in &policy::check_all(&question)? {
            let only = checked.only.as_ref();
            report.add_within(&checked.findings, &checked.sources, only);
            beyond.add(&checked.beyond, &checked.sources);
        }
        let files: BTreeSet<String> = report.texts.keys().cloned().collect();
        if files.is_empty() {
            return Err(Failure::input("no file was read"));
        }
        let errors = if self.args.fix {
            let found = report.diagnostics.iter().cloned();
            beyond.diagnostics.extend(found);
            beyond.sort();
            Errors::of(&beyond)
        } else {
            Errors::default()
        };
        report.diagnostics.retain(|d| self.wanted(d));
        report.sort();
        if let Some(baseline) = &self.baseline {
            baseline.clone().accept(&mut report);
        }
        for diagnostic in &mut report.diagnostics {
            diagnostic.denied = self.denied(diagnostic);
        }
        Ok((Looked { report, errors }, files))
    }

    /// Whether a finding is to be reported.
    fn wanted(&self, diagnostic: &Diagnostic) -> bool {
        let mut only = self.args.only.iter();
        self.args.only.is_empty() || only.any(|c| c.to_string() == diagnostic.code)
    }

    /// Whether `--deny` names the check of a finding.
    fn denies(&self, diagnostic: &Diagnostic) -> bool {
        self.args.deny.iter().any(|deny| match deny {
            Deny::Warnings => false,
            Deny::Check(code) => code.to_string() == diagnostic.code,
        })
    }

    /// Whether a warning is a reason to fail.
    fn denied(&self, diagnostic: &Diagnostic) -> bool {
        diagnostic.severity == Severity::Warning
            && (self.args.deny.contains(&Deny::Warnings) || self.denies(diagnostic))
    }
}

fn say_what_was_read(files: &BTreeSet<String>, shell: &mut Shell) {
    shell.note(&format!("read {}", counted(files.len(), "file")));
    if shell.verbose > 0 {
        for file in files {
            shell.note(&format!("  {file}"));
        }
    }
}

/// Applies the safe fixes, or shows what that would change; gives what is left to find.
fn mend(
    args: &Args,
    first: &Looked,
    look: &dyn Fn(&Instead) -> Result<Looked, Failure>,
    shell: &mut Shell,
) -> Result<Report, Failure> {
    let fixed = fix::fix(first, look)?;
    if let Some(why) = &fixed.refused {
        shell.warn(&format!("no fix was applied, nothing was changed: {why}"));
    }
    if args.diff {
        let style = shell.style;
        shell.print(&fix::diff(&fixed.rewrites, style));
    } else {
        disk::write_all(&fixed.rewrites)?;
        for file in &fixed.rewrites {
            shell.note(&format!("fixed {}", file.name));
        }
    }
    let verb = if args.diff { "would apply" } else { "applied" };
    let fixes = counted(fixed.applied, "fix");
    let files = counted(fixed.rewrites.len(), "file");
    shell.note(&match fixed.applied {
        0 => "no fix to apply".to_owned(),
        _ => format!("{verb} {fixes} in {files}"),
    });
    let waiting = fix::waiting(&fixed.left.report);
    if waiting > 0 {
        let (findings, verb) = match waiting {
            1 => ("1 finding has", "it"),
            _ => (&*format!("{waiting} findings have"), "them"),
        };
        shell.note(&format!(
            "{findings} a fix that a person has to look at: `syncline check` shows {verb}"
        ));
    }
    Ok(fixed.left.report)
}

/// `1 file`, `2 files`, `2 fixes`.
fn counted(number: usize, one: &str) -> String {
    let plural = match number {
        1 => "",
        _ if one.ends_with('x') => "es",
        _ => "s",
    };
    format!("{number} {one}{plural}")
}

/// How the check ends. Where only what `--deny` names fails it, that is said: nothing else would
/// show why.
fn verdict(report: &Report, shell: &mut Shell) -> Exit {
    let findings = report.diagnostics.iter();
    let fails = findings.clone().filter(|d| d.fails()).count();
    let errors = findings.filter(|d| d.severity == Severity::Error).count();
    if fails == 0 {
        return Exit::Clean;
    }
    if errors == 0 {
        let warnings = counted(fails, "warning");
        let count = if fails == 1 { "counts" } else { "count" };
        shell.note(&format!(
            "{warnings} {count} as a reason to fail, as --deny says"
        ));
    }
    Exit::Findings
}
