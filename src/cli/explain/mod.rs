//! `syncline explain`: what a check is about.

mod meanings;

use super::check::check_code;
use super::failure::{Exit, Failure};
use super::shell::Shell;
use crate::checks::pages;
use crate::finding::Code;
use crate::render::{fill, page};

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
    let text = match (pages::source(args.code), args.format) {
        (Some(markdown), Format::Human) => page::terminal(args.code, markdown, shell.style),
        (Some(markdown), Format::Markdown) => markdown.to_owned(),
        (None, format) => paragraph(args.code, format, shell),
    };
    shell.print(&text);
    Ok(Exit::Clean)
}

/// What a check is about, in a paragraph.
pub(super) fn meaning(code: Code) -> &'static str {
    meanings::of(code)
}

fn paragraph(code: Code, format: Format, shell: &Shell) -> String {
    let info = code.info();
    let title = format!("{} {}", info.code, info.name);
    match format {
        Format::Markdown => format!("# {title}\n\n{}\n", meanings::of(code)),
        Format::Human => {
            let heading = shell.style.bold(&title);
            let text = fill(meanings::of(code), shell.style.width);
            format!("{heading} ({})\n\n{text}", page::level(info.level))
        }
    }
}
