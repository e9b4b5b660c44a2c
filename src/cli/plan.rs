//! `syncline plan`: compiles a policy.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::console::Console;
use super::disk;
use super::failure::{Failure, Status};
use super::policy::{self, Checked};
use crate::finding::Severity;
use crate::plan::{to_json, to_yaml};
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

pub(super) fn run(args: &Args, console: &mut Console) -> Result<Status, Failure> {
    let checked = policy::check_one(args.path.as_deref())?;
    if checked.has_errors() {
        refuse(&checked, console);
        return Ok(Status::Negative);
    }
    let Some(plan) = checked.plan() else {
        return Err(Failure::own("a policy without errors gave no plan"));
    };
    let by_name = args.output.as_deref().map_or(Format::Json, Format::of);
    let style = match args.output {
        Some(_) => Style::PLAIN,
        None => console.style,
    };
    let text = match args.format.unwrap_or(by_name) {
        Format::Json => to_json(&plan),
        Format::Yaml => to_yaml(&plan),
        Format::Human => render::plan::human(&plan, style),
    };
    match &args.output {
        Some(file) => {
            disk::write(file, &text)?;
            console.note(&format!("wrote {}  {}", file.display(), plan.digest));
        }
        None => console.print(&text)?,
    }
    Ok(Status::Clean)
}

/// Says on standard error what keeps a policy from being planned.
pub(super) fn refuse(checked: &Checked, console: &mut Console) {
    let errors: Vec<_> = checked
        .findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .cloned()
        .collect();
    let mut report = Report::default();
    report.add(&errors, &checked.sources);
    let text = human::check(&report, console.note_style, false);
    console.warn(text.trim_end_matches('\n'));
}
