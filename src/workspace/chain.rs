//! The one chain: loaded files → resolved policy → graphs → modes chosen for `auto` → checks →
//! findings.

use crate::catalog::Catalog;
use crate::checks;
use crate::choice;
use crate::finding::{self, Code, Finding, Severity};
use crate::graph::Graph;
use crate::model::{self, Policy};
use crate::syntax::load::{FileReader, Loaded};
use crate::text::{FileId, Sources, Span};
use crate::time::Date;

use super::own::Own;

/// A policy with all that was found in it.
#[derive(Debug)]
pub struct Checked {
    /// Its texts and trees, and what was found while they were read.
    pub loaded: Loaded,
    /// What it means.
    pub policy: Policy,
    /// Everything that was found, in the order in which it is shown.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// Its texts, the root first.
    pub fn sources(&self) -> &Sources {
        &self.loaded.sources
    }

    /// Whether anything stops a plan.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }
}

/// The code of files that could not be read.
pub(super) const UNREADABLE: Code = Code(4);

/// Resolves and checks a loaded policy. A part of a Markdown text that is only parsed keeps the
/// findings of its reading. Connector entries of the author's own come through `files`. `asked` are
/// the checks wanted of those that are off unless asked for.
pub fn check(loaded: Loaded, files: &dyn FileReader, today: Date, asked: &[Code]) -> Checked {
    let sources = &loaded.sources;
    let own = Own::of(&loaded, files).read_all();
    let (mut policy, more) = model::lower(&model::Input {
        sources,
        files: &loaded.files,
        unread: loaded.findings.iter().any(|f| f.code == UNREADABLE),
        catalog: Catalog::builtin(),
        own: &own,
        now: today,
    });
    let mut findings = loaded.findings.clone();
    if !loaded.fragment {
        findings.extend(more);
        let graph = Graph::build(&policy);
        choice::settle(&mut policy, &graph);
        let context = checks::Context::new(sources, &policy, &graph, today).asking(asked);
        findings = checks::run(&context, findings);
    }
    place_in_block(&mut findings, &loaded);
    Checked {
        loaded,
        policy,
        findings,
    }
}

/// What is about a block of a Markdown text as a whole stands where the block begins, not where
/// its file does.
fn place_in_block(findings: &mut Vec<Finding>, loaded: &Loaded) {
    if loaded.start == 0 {
        return;
    }
    let whole = Span::point(FileId(0), 0);
    for finding in &mut *findings {
        if finding.primary.is_none_or(|place| place == whole) {
            finding.primary = Some(Span::point(FileId(0), loaded.start));
        }
    }
    finding::sort(findings, &loaded.sources);
}
