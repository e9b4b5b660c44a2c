//! The terminal: results to standard output, everything else to standard error.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

use super::args::{Global, When};
use super::failure::{Exit, Failure};
use crate::host::HostError;
use crate::render::Style;

/// Lines are never laid out narrower than this.
const WIDTH_MIN: usize = 60;
/// Nor wider: long lines are hard to read.
const WIDTH_MAX: usize = 120;

/// The program's way out.
pub(super) struct Shell {
    out: BufWriter<Stdout>,
    /// Nobody reads standard output any more: the rest is dropped without a word.
    closed: bool,
    /// The first write that failed.
    trouble: Option<io::Error>,
    /// How results for people look.
    pub style: Style,
    /// How messages on standard error look.
    pub note_style: Style,
    quiet: bool,
    /// How much more is to be said.
    pub verbose: u8,
}

impl Shell {
    pub fn new(global: &Global) -> Self {
        let width = terminal_size::terminal_size()
            .map_or(Style::PLAIN.width, |(w, _)| usize::from(w.0))
            .clamp(WIDTH_MIN, WIDTH_MAX);
        let style = |terminal: bool| Style {
            color: colors(global.color, terminal, |name| std::env::var(name).ok()),
            width: if terminal { width } else { Style::PLAIN.width },
        };
        Shell {
            out: BufWriter::new(io::stdout()),
            closed: false,
            trouble: None,
            style: style(io::stdout().is_terminal()),
            note_style: style(io::stderr().is_terminal()),
            quiet: global.quiet,
            verbose: global.verbose,
        }
    }

    /// Writes a result. A reader that went away, as `head` does, is no failure; any other trouble
    /// is told when the program ends.
    pub fn print(&mut self, text: &str) {
        if !self.closed {
            let written = self.out.write_all(text.as_bytes());
            self.heard(written);
        }
    }

    /// Writes a JSON value as a result.
    pub fn print_json(&mut self, value: &serde_json::Value) {
        self.print(&format!("{value:#}\n"));
    }

    /// Writes out what is still held back; tells of the first write that failed.
    pub fn finish(&mut self) -> Result<(), Failure> {
        if !self.closed {
            let flushed = self.out.flush();
            self.heard(flushed);
        }
        match self.trouble.take() {
            None => Ok(()),
            Some(error) => Err(Failure::own(format!(
                "standard output cannot be written: {error}"
            ))),
        }
    }

    fn heard(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.trouble = Some(error);
            }
        }
    }

    /// Whether only what went wrong is to be said.
    pub fn quiet(&self) -> bool {
        self.quiet
    }

    /// Tells how things go, unless `--quiet`.
    pub fn note(&mut self, text: &str) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// Tells what is wrong, even with `--quiet`.
    pub fn warn(&mut self, text: &str) {
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Tells why the runner or the store failed.
    pub fn failure(&mut self, error: &HostError) -> Exit {
        let mut failure = Failure::own(error.message.clone());
        if let Some(remedy) = &error.remedy {
            failure = failure.help(remedy.clone());
        }
        self.fail(&failure)
    }

    /// Tells why the command failed.
    pub fn fail(&mut self, failure: &Failure) -> Exit {
        // What was found before the failure comes first, and the failure is the news.
        let _ = self.finish();
        let style = self.note_style;
        self.warn(&format!("{} {failure}", style.red("error:")));
        if let Some(help) = failure.what_to_do() {
            self.warn(&format!("{} {help}", style.bold("help:")));
        }
        failure.exit()
    }
}

/// Whether to use colours: the argument, then NO_COLOR, then CLICOLOR_FORCE, then the terminal.
fn colors(when: When, terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name: &str| variable(name).is_some_and(|v| !v.is_empty());
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if set("NO_COLOR") => false,
        When::Auto if set("CLICOLOR_FORCE") => variable("CLICOLOR_FORCE").as_deref() != Some("0"),
        When::Auto => {
            terminal
                && variable("CLICOLOR").as_deref() != Some("0")
                && variable("TERM").as_deref() != Some("dumb")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_follow_the_argument_then_the_environment_then_the_terminal() {
        let with = |vars: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                let found = vars.iter().find(|(n, _)| *n == name);
                found.map(|(_, value)| (*value).to_owned())
            }
        };
        let both: &[_] = &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")];
        assert!(colors(When::Always, false, with(both)));
        assert!(!colors(When::Never, true, with(&[("CLICOLOR_FORCE", "1")])));
        assert!(!colors(When::Auto, true, with(both)));
        assert!(colors(When::Auto, false, with(&[("CLICOLOR_FORCE", "1")])));
        assert!(!colors(When::Auto, false, with(&[("CLICOLOR_FORCE", "0")])));
        assert!(colors(When::Auto, true, with(&[("NO_COLOR", "")])));
        assert!(!colors(When::Auto, true, with(&[("TERM", "dumb")])));
        assert!(!colors(When::Auto, false, with(&[])));
    }
}
