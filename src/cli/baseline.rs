//! Findings that are accepted because they were there before anybody looked.
//!
//! A baseline is what `check --format json` printed once. A finding is known again by code, name
//! and message, never by line: lines move. Where the file fits too that one is taken first, so that
//! a message that two files share accepts the right one.

use std::collections::BTreeMap;
use std::path::Path;

use super::failure::Failure;
use crate::render::json::{CheckOutput, VERSION};
use crate::render::{Diagnostic, Report, Severity};

/// Code, name and message.
type Key = (String, String, String);

/// What is accepted: how often in which file.
#[derive(Debug, Clone, Default)]
pub(super) struct Baseline {
    accepted: BTreeMap<Key, BTreeMap<String, usize>>,
}

impl Baseline {
    /// Reads a baseline.
    pub fn read(path: &Path) -> Result<Baseline, Failure> {
        let name = path.display();
        let help = "write one with `syncline check --write-baseline FILE`";
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure::input(format!("`{name}` cannot be read: {e}")).help(help))?;
        let output: CheckOutput = serde_json::from_str(&text)
            .map_err(|e| Failure::input(format!("`{name}` is no baseline: {e}")).help(help))?;
        if output.version != VERSION {
            let message = format!("`{name}` is of version {}", output.version);
            return Err(Failure::input(message).help(help));
        }
        Ok(Baseline::from(&output.diagnostics[..]))
    }

    /// All that a report holds.
    pub fn of(report: &Report) -> Baseline {
        Baseline::from(&report.diagnostics[..])
    }

    /// Marks what is accepted. One entry accepts one finding.
    pub fn accept(&mut self, report: &mut Report) {
        for same_file in [true, false] {
            for diagnostic in &mut report.diagnostics {
                if diagnostic.severity != Severity::Allowed && self.take(diagnostic, same_file) {
                    diagnostic.accept_by_baseline();
                }
            }
        }
    }

    fn take(&mut self, diagnostic: &Diagnostic, same_file: bool) -> bool {
        let Some(files) = self.accepted.get_mut(&key(diagnostic)) else {
            return false;
        };
        let left = if same_file {
            files.get_mut(&diagnostic.file).filter(|left| **left > 0)
        } else {
            files.values_mut().find(|left| **left > 0)
        };
        left.map(|left| *left -= 1).is_some()
    }
}

impl From<&[Diagnostic]> for Baseline {
    fn from(diagnostics: &[Diagnostic]) -> Self {
        let mut baseline = Baseline::default();
        // What an `allow` accepts needs no baseline, and must not use up an entry for another.
        for diagnostic in diagnostics
            .iter()
            .filter(|d| d.severity != Severity::Allowed)
        {
            let files = baseline.accepted.entry(key(diagnostic)).or_default();
            *files.entry(diagnostic.file.clone()).or_default() += 1;
        }
        baseline
    }
}

fn key(diagnostic: &Diagnostic) -> Key {
    (
        diagnostic.code.clone(),
        diagnostic.name.clone(),
        diagnostic.message.clone(),
    )
}
