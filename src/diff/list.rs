//! The list of changes as it grows, and how two lists of named items are held side by side.

use std::collections::BTreeMap;

use super::kind::{Grade, Kind};
use super::side::Side;
use super::types::{About, Change, Hits, Place, Said};

/// The two sides and what was found so far.
pub(super) struct List<'s, 'a> {
    pub old: &'s Side<'a>,
    pub new: &'s Side<'a>,
    pub changes: Vec<Change>,
}

impl<'s, 'a> List<'s, 'a> {
    pub fn new(old: &'s Side<'a>, new: &'s Side<'a>) -> Self {
        List {
            old,
            new,
            changes: Vec::new(),
        }
    }

    /// Adds a change of a kind that has one grade.
    pub fn add(&mut self, kind: Kind, subject: impl Into<String>) -> Adding<'_> {
        // Every kind has a grade; `tests/diff.rs` holds the table to what is found.
        let grade = kind.grades().first().copied().unwrap_or(Grade::Risky);
        self.graded(kind, grade, subject)
    }

    /// Adds a change of a kind.
    pub fn graded(&mut self, kind: Kind, grade: Grade, subject: impl Into<String>) -> Adding<'_> {
        debug_assert!(kind.grades().contains(&grade), "{kind} is never {grade}");
        self.changes.push(Change {
            kind,
            area: kind.area(),
            grade,
            subject: subject.into(),
            means: String::new(),
            old: None,
            new: None,
            hits: Hits::default(),
            approved: None,
            about: About::default(),
        });
        Adding {
            change: self.changes.last_mut(),
        }
    }
}

/// A change whose parts are being told.
pub(super) struct Adding<'c> {
    change: Option<&'c mut Change>,
}

impl Adding<'_> {
    fn set(mut self, set: impl FnOnce(&mut Change)) -> Self {
        if let Some(change) = &mut self.change {
            set(change);
        }
        self
    }

    /// What it comes to.
    pub fn means(self, text: impl Into<String>) -> Self {
        self.set(|c| c.means = text.into())
    }

    /// What the old side says, and where.
    pub fn was(self, text: impl Into<String>, at: Option<Place>) -> Self {
        let text = text.into();
        self.set(|c| c.old = Some(Said { text, at }))
    }

    /// What the new side says, and where.
    pub fn is(self, text: impl Into<String>, at: Option<Place>) -> Self {
        let text = text.into();
        self.set(|c| c.new = Some(Said { text, at }))
    }

    /// What it is about.
    pub fn about(self, about: About) -> Self {
        self.set(|c| c.about = about)
    }
}

/// Items of two sides under their names: one of the two is there at least.
pub(super) fn joined<'l, T>(
    old: &'l [T],
    new: &'l [T],
    name: impl Fn(&T) -> &str,
) -> Vec<(String, Option<&'l T>, Option<&'l T>)> {
    let mut all: BTreeMap<&'l str, (Option<&'l T>, Option<&'l T>)> = BTreeMap::new();
    for item in old {
        all.entry(name_of(item, &name)).or_default().0 = Some(item);
    }
    for item in new {
        all.entry(name_of(item, &name)).or_default().1 = Some(item);
    }
    all.into_iter()
        .map(|(name, (old, new))| (name.to_owned(), old, new))
        .collect()
}

fn name_of<'l, T>(item: &'l T, name: &impl Fn(&T) -> &str) -> &'l str {
    // The closure's own signature ties the name to the item.
    name(item)
}

/// Names in a sentence: "`a`", "`a` and `b`", "`a`, `b` and 3 more".
pub(super) fn names<'n>(all: impl IntoIterator<Item = &'n str>) -> String {
    let all: Vec<String> = all.into_iter().map(|n| format!("`{n}`")).collect();
    match all.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [some @ .., last] if all.len() <= 4 => format!("{} and {last}", some.join(", ")),
        [a, b, c, rest @ ..] => format!("{a}, {b}, {c} and {} more", rest.len()),
        [..] => all.join(", "),
    }
}

/// A share as a policy writes it: `40%`.
pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.4}", share * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}%")
}
