//! `syncline explain`: what a check is about.

mod meanings;

use super::check::check_code;
use super::failure::{Exit, Failure};
use super::shell::Shell;
use crate::finding::{Code, Level};
use crate::render::fill;

/// Explain a check: its level, and what it means.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A check's code or name, SL0103 or write-to-owner
    #[arg(value_name = "CODE", value_parser = check_code)]
    code: Code,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let info = args.code.info();
    let level = match info.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Off => "off unless asked for",
    };
    let style = shell.style;
    let heading = style.bold(&format!("{} {}", info.code, info.name));
    let text = fill(meanings::of(args.code), style.width);
    shell.print(&format!("{heading} ({level})\n\n{text}"));
    Ok(Exit::Clean)
}

/// What a check is about, in a paragraph.
pub(super) fn meaning(code: Code) -> &'static str {
    meanings::of(code)
}
