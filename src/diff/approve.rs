//! Approvals: a file in the repository that accepts named changes, each with a reason and a date.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Kind, kind_named};
use super::types::{Approved, Change, Diff, Place, Unused, WhyUnused};
use crate::text::nearest;
use crate::time::Date;

/// The file beside a policy's root in which approvals are looked for.
pub const FILE: &str = "approvals.yaml";

/// A file of approvals as it is written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct File {
    /// The changes that are accepted.
    #[serde(default)]
    approvals: Vec<Entry>,
}

/// An approval as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// The kind of change, as `diff` names it.
    change: String,
    /// What changes, as `diff` names it: one subject or a list.
    subject: Subjects,
    /// What it may change to, word for word; left out: to anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// Why it is accepted.
    reason: String,
    /// The day of the approval, `2027-01-31`.
    date: String,
    /// The last day on which it holds; left out: it has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// One subject or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`subject` is one text or a list of texts")]
enum Subjects {
    One(String),
    Several(Vec<String>),
}

/// An approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    change: Kind,
    subjects: Vec<String>,
    to: Option<String>,
    approved: Approved,
    until: Option<Date>,
    at: Place,
}

/// Why a file of approvals cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovalsError {
    /// Not of the shape of such a file.
    #[error("`{file}` is no file of approvals: {why}")]
    Shape {
        /// The file.
        file: String,
        /// What does not fit.
        why: String,
    },
    /// An approval that says something wrong.
    #[error("`{file}:{line}`: {why}")]
    Entry {
        /// The file.
        file: String,
        /// The line of the approval.
        line: u32,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads a file of approvals.
///
/// # Errors
/// As [`ApprovalsError`] says; the first trouble is told.
pub fn read_approvals(file: &str, text: &str) -> Result<Vec<Approval>, ApprovalsError> {
    // An empty file, or one of comments alone, approves nothing.
    let blank = |l: &str| l.trim().is_empty() || l.trim_start().starts_with('#');
    if text.lines().all(blank) {
        return Ok(Vec::new());
    }
    let read: File = serde_yaml::from_str(text).map_err(|e| ApprovalsError::Shape {
        file: file.to_owned(),
        why: e.to_string(),
    })?;
    let lines = lines_of_entries(text);
    let entries = read.approvals.into_iter().enumerate();
    entries
        .map(|(number, entry)| {
            let line = lines.get(number).copied().unwrap_or(1);
            let at = Place {
                file: file.to_owned(),
                line,
            };
            checked(entry, at).map_err(|why| ApprovalsError::Entry {
                file: file.to_owned(),
                line,
                why,
            })
        })
        .collect()
}

/// The line of each entry: those that begin with `-` as far in as the first one does.
fn lines_of_entries(text: &str) -> Vec<u32> {
    let dash = |line: &str| {
        let inner = line.trim_start();
        inner.starts_with('-').then(|| line.len() - inner.len())
    };
    let indent = text.lines().find_map(dash);
    let lines = text.lines().zip(1..);
    lines
        .filter(|(line, _)| indent.is_some() && dash(line) == indent)
        .map(|(_, number)| number)
        .collect()
}

fn checked(entry: Entry, at: Place) -> Result<Approval, String> {
    let change = kind_named(&entry.change).ok_or_else(|| {
        let known = Kind::ALL.iter().map(|k| k.name());
        match nearest(&entry.change, known) {
            Some(near) => format!(
                "there is no change `{}`; did you mean `{near}`?",
                entry.change
            ),
            None => format!("there is no change `{}`", entry.change),
        }
    })?;
    let subjects = match entry.subject {
        Subjects::One(one) => vec![one],
        Subjects::Several(several) => several,
    };
    if subjects.is_empty() || subjects.iter().any(|s| s.trim().is_empty()) {
        return Err("`subject` is empty: name what changes".to_owned());
    }
    if entry.reason.trim().is_empty() {
        return Err("`reason` is empty: say why the change is accepted".to_owned());
    }
    day("date", &entry.date)?;
    let until = entry
        .until
        .as_deref()
        .map(|u| day("until", u))
        .transpose()?;
    Ok(Approval {
        change,
        subjects,
        to: entry.to,
        approved: Approved {
            reason: entry.reason,
            date: entry.date,
            until: entry.until,
        },
        until,
        at,
    })
}

fn day(member: &str, text: &str) -> Result<Date, String> {
    let date = Date::parse_from_str(text, "%Y-%m-%d").ok();
    date.filter(|d| d.format("%Y-%m-%d").to_string() == text)
        .ok_or_else(|| format!("`{member}` is no day: write it as 2027-01-31"))
}

impl Approval {
    /// Whether it names a change, whatever that comes to.
    fn names(&self, change: &Change) -> bool {
        self.change == change.kind && self.subjects.contains(&change.subject)
    }

    fn fits(&self, change: &Change) -> bool {
        let to = change.new.as_ref().map(|n| n.text.as_str());
        self.to.as_deref().is_none_or(|wanted| to == Some(wanted))
    }

    fn expired(&self, today: Date) -> bool {
        self.until.is_some_and(|until| until < today)
    }
}

impl Diff {
    /// Accepts what approvals name, and notes those that accept nothing.
    pub fn approve(&mut self, approvals: &[Approval], today: Date) {
        for approval in approvals {
            let expired = approval.expired(today);
            let mut open: Vec<String> = approval.subjects.clone();
            let mut other = false;
            for change in self.changes.iter_mut().filter(|c| approval.names(c)) {
                if expired {
                    continue;
                }
                if !approval.fits(change) {
                    other = true;
                    continue;
                }
                open.retain(|s| *s != change.subject);
                if change.approved.is_none() {
                    change.approved = Some(approval.approved.clone());
                }
            }
            if !open.is_empty() {
                self.approvals.push(Unused {
                    change: approval.change,
                    subject: open,
                    at: approval.at.clone(),
                    why: match (expired, other) {
                        (true, _) => WhyUnused::Expired,
                        (false, true) => WhyUnused::Other,
                        (false, false) => WhyUnused::Stale,
                    },
                });
            }
        }
        self.settle();
    }
}

/// The JSON Schema of a file of approvals.
pub fn schema() -> serde_json::Value {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<File>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".into(), "Syncline approvals".into());
    }
    schema
}
