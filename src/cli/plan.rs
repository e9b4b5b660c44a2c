//! `syncline plan`: compiles a policy.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::disk;
use super::failure::{Exit, Failure};
use super::policy::{self, Checked};
use super::shell::Shell;
use crate::finding::{Finding, Severity};
use crate::plan::{Plan, read_plan, to_json, to_yaml};
use crate::render::{self, Report, Style, human};

/// Compile a policy to the plan that `run` runs.
///
/// Refuses a policy with errors. The same policy gives the same bytes on every machine; the digest
/// changes only with the meaning.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy file, a directory with policy.sync, or `-` for standard input; default: the
    /// current directory
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Write the plan to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The form; default: by the file's extension, else json
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
}

/// The forms of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// What `run` reads.
    Json,
    /// The same as YAML.
    Yaml,
    /// For people: owners, flows, modes and why.
    Human,
}

impl Format {
    /// The form that a file's extension asks for.
    fn of(file: &Path) -> Format {
        match file.extension().and_then(|e| e.to_str()) {
            Some("yaml" | "yml") => Format::Yaml,
            Some("txt") => Format::Human,
            _ => Format::Json,
        }
    }
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let checked = policy::check_one(args.path.as_deref())?;
    let Some(plan) = plan_of(&checked, shell)? else {
        return Ok(Exit::Findings);
    };
    let by_name = args.output.as_deref().map_or(Format::Json, Format::of);
    let style = match args.output {
        Some(_) => Style::PLAIN,
        None => shell.style,
    };
    let text = match args.format.unwrap_or(by_name) {
        Format::Json => to_json(&plan),
        Format::Yaml => to_yaml(&plan),
        Format::Human => render::plan::human(&plan, style),
    };
    match &args.output {
        Some(file) => {
            disk::write(file, &text)?;
            shell.note(&format!("wrote {}  {}", file.display(), plan.digest));
        }
        None => shell.print(&text),
    }
    Ok(Exit::Clean)
}

/// The plan of a policy; one with errors has none, and standard error is told why.
pub(super) fn plan_of(checked: &Checked, shell: &mut Shell) -> Result<Option<Plan>, Failure> {
    if checked.has_errors() {
        refuse(checked, shell);
        return Ok(None);
    }
    match checked.plan() {
        Some(plan) => Ok(Some(plan)),
        // Files that only hold what others use have nothing wrong with them.
        None => Err(Failure::input("there is no policy here, only parts of one")
            .help("give the file or directory in which `policy NAME { … }` stands; in Markdown, a block marked `sync`")),
    }
}

/// Says on standard error what keeps a policy from being planned.
pub(super) fn refuse(checked: &Checked, shell: &mut Shell) {
    show_errors(checked, shell, |_| true);
}

/// Says on standard error what could not be read, where that is all that is asked.
pub(super) fn refuse_unread(checked: &Checked, shell: &mut Shell) {
    show_errors(checked, shell, Finding::is_of_reading);
}

fn show_errors(checked: &Checked, shell: &mut Shell, wanted: impl Fn(&Finding) -> bool) {
    let errors: Vec<_> = checked
        .all()
        .filter(|f| f.severity == Severity::Error && wanted(f))
        .cloned()
        .collect();
    let mut report = Report::default();
    report.add(&errors, &checked.sources);
    report.sort();
    let text = human::check(&report, shell.note_style, false);
    shell.warn(text.trim_end_matches('\n'));
}

/// The plan at a path (a compiled plan by its extension, else a policy that is compiled now) and
/// the directory in which its relative paths start.
pub(super) fn plan_or_policy(path: &Path, shell: &mut Shell) -> Result<(Plan, PathBuf), Exit> {
    let loaded = match path.extension().and_then(|e| e.to_str()) {
        Some("json" | "yaml" | "yml") => read(path),
        _ => compiled(path, shell),
    };
    match loaded {
        Ok(Some(plan)) => Ok((plan, base(path))),
        Ok(None) => Err(Exit::Findings),
        Err(failure) => Err(shell.fail(&failure)),
    }
}

fn read(path: &Path) -> Result<Option<Plan>, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::input(format!("`{name}` cannot be read: {e}")))?;
    let plan = read_plan(&text).map_err(|e| Failure::input(format!("`{name}`: {e}")))?;
    Ok(Some(plan))
}

fn compiled(path: &Path, shell: &mut Shell) -> Result<Option<Plan>, Failure> {
    let checked = policy::check_one(Some(path))?;
    plan_of(&checked, shell)
}

/// The directory of a file; a directory itself.
fn base(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
