//! Declarations that are misspelt themselves: a name that several places use and nothing declares,
//! beside a near one that is declared and that no place uses.
//!
//! Each place that uses it would be a finding of its own, far from where the slip is. Instead the
//! declaration is reported once, and the policy is read as if it were spelt as everywhere else.

use std::collections::HashMap;

use super::Lowering;
use super::names::{Kind, Place};
use crate::model::report::{Misdeclared, misdeclared};
use crate::syntax::tree::File;
use crate::text::{Sources, Span};

/// Uses of one name, from which on the declaration is in doubt and not they.
const MANY: usize = 2;

/// Names that are looked into; a text with more is not a policy with slips.
const MOST: usize = 16;

/// What begins an item that has a name.
const ITEMS: [&str; 4] = ["policy", "system", "entity", "scenario"];

/// How declarations are meant to be spelt, by the place of the name.
pub(super) type Spellings<'a> = HashMap<Span, &'a str>;

/// A name that is used and not declared, at one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Missed<'a> {
    kind: Kind,
    name: &'a str,
    at: Span,
}

/// A declaration that was meant to be spelt otherwise.
#[derive(Debug)]
pub(super) struct Misspelt<'a> {
    what: &'static str,
    name: &'a str,
    uses: Vec<Span>,
    declared: Place,
}

impl<'a> Lowering<'a> {
    /// Notes a use of a name that nothing declares.
    pub(super) fn missed(&mut self, kind: Kind, at: Span) {
        let name = self.text(at);
        self.missed.push(Missed { kind, name, at });
    }

    /// The declarations that are misspelt, in the order in which their names were first missed.
    pub(super) fn misspelt(&mut self, files: &[File]) -> Vec<Misspelt<'a>> {
        let mut groups: Vec<(Kind, &'a str, Vec<Span>)> = Vec::new();
        let mut index: HashMap<(Kind, &str), usize> = HashMap::new();
        for missed in std::mem::take(&mut self.missed) {
            let at = *index
                .entry((missed.kind, missed.name))
                .or_insert(groups.len());
            if at == groups.len() {
                groups.push((missed.kind, missed.name, Vec::new()));
            }
            if let Some((.., uses)) = groups.get_mut(at) {
                uses.push(missed.at);
            }
        }
        let many = groups.into_iter().filter(|(.., uses)| uses.len() >= MANY);
        let mut found: Vec<Misspelt<'a>> = Vec::new();
        for (kind, name, uses) in many.take(MOST) {
            let Some(declared) = self.meant(kind, name) else {
                continue;
            };
            let twice = found.iter().any(|m| m.declared.1 == declared.1);
            if !twice && stands_once(&declared.0, kind.noun(), self.sources, files) {
                found.push(Misspelt {
                    what: kind.noun(),
                    name,
                    uses,
                    declared,
                });
            }
        }
        found
    }

    /// How a declared name is read.
    pub(super) fn spelt(&self, name: Span) -> &'a str {
        match self.spellings.get(&name) {
            Some(meant) => meant,
            None => self.text(name),
        }
    }

    /// Reports what is misspelt and reads it as it is meant from here on.
    pub(super) fn correct(&mut self, misspelt: &[Misspelt<'a>]) {
        for slip in misspelt {
            self.spellings.insert(slip.declared.1, slip.name);
            self.report(misdeclared(Misdeclared {
                what: slip.what,
                used: slip.name,
                uses: &slip.uses,
                declared: &slip.declared.0,
                at: slip.declared.1,
            }));
        }
    }
}

/// Whether a word stands at one place only; comments, quoted words and what declares an item of
/// another kind aside.
fn stands_once(word: &str, kind: &str, sources: &Sources, files: &[File]) -> bool {
    let part = |c: char| c == '_' || c.is_alphanumeric();
    let places = sources.iter().zip(files).flat_map(|((_, source), tree)| {
        let text: &str = &source.text;
        text.match_indices(word).filter(move |(at, _)| {
            let before = text.get(..*at).and_then(|t| t.chars().next_back());
            let after = text.get(at + word.len()..).and_then(|t| t.chars().next());
            let whole = !before.is_some_and(part) && !after.is_some_and(part);
            // What a system calls its table is no name of the policy.
            let quoted = before == Some('"') && after == Some('"');
            let keyword = text
                .get(..*at)
                .and_then(|t| t.split_whitespace().next_back());
            let other = keyword.is_some_and(|k| k != kind && ITEMS.contains(&k));
            whole && !quoted && !other && !in_comment(*at, tree)
        })
    });
    places.take(2).count() == 1
}

fn in_comment(at: usize, file: &File) -> bool {
    let next = file
        .comments
        .partition_point(|c| (c.span.end as usize) <= at);
    let comment = file.comments.get(next);
    comment.is_some_and(|c| c.span.start as usize <= at)
}
