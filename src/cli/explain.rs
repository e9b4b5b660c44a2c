//! `syncline explain`: what a check is about.

use super::check::check_code;
use super::failure::{Exit, Failure};
use super::shell::Shell;
use crate::checks::pages;
use crate::finding::Code;
use crate::render::page;

/// Explain a check: what it means, why it matters, a policy that fails and the same mended.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A check's code or name, SL0103 or write-to-owner
    #[arg(value_name = "CODE", value_parser = check_code)]
    code: Code,
    /// How to print the page
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
}

/// The forms of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For a terminal.
    Human,
    /// The Markdown.
    Markdown,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    // A test holds that every code has its page.
    let markdown = pages::source(args.code).unwrap_or_default();
    let text = match args.format {
        Format::Human => page::terminal(args.code, markdown, shell.style),
        Format::Markdown => markdown.to_owned(),
    };
    shell.print(&text);
    Ok(Exit::Clean)
}
