//! The account of a run: what was staged is worked through, what is owed comes to something. A run
//! whose account does not close has not ended well, whatever it looks like.

use super::cause::with_words;
use super::ports::{RunCounts, RunRecord};

/// What one runner did for a run, to be held against what the run's record says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    /// Rows that sources showed, and those of them that were staged or kept back.
    read: (u64, u64),
    /// Writes that the run's chunks owed.
    owed: u64,
    /// What the record counted before this runner took the run over.
    before: u64,
    /// Staged rows that were worked through; `None` where an earlier runner worked on some.
    worked: Option<u64>,
    /// The last key that was worked through.
    last: Option<String>,
}

/// Writes that came to something.
fn settled(counts: &RunCounts) -> u64 {
    counts.written + counts.failed + counts.postponed
}

impl Account {
    /// Of a run that begins.
    pub fn new() -> Self {
        Account {
            worked: Some(0),
            ..Account::default()
        }
    }

    /// Of a run that another runner left.
    pub fn taken_over(record: &RunRecord) -> Self {
        Account {
            before: settled(&record.counts),
            ..Account::default()
        }
    }

    /// Of rows that a source showed so many were staged or kept back.
    pub fn read(&mut self, shown: usize, kept: usize) {
        self.read.0 += shown as u64;
        self.read.1 += kept as u64;
    }

    /// Staged rows were worked through, up to a key.
    pub fn worked(&mut self, rows: usize, last: &str) {
        if let Some(worked) = &mut self.worked {
            *worked += rows as u64;
        }
        self.last = Some(last.to_owned());
    }

    /// Writes are owed.
    pub fn owes(&mut self, writes: usize) {
        self.owed += writes as u64;
    }

    /// What does not agree at the run's end, in words whose first line names no record. `kept`: rows
    /// that the run put into its stage, less those that it dropped there as repeats.
    pub fn disagreement(&self, record: &RunRecord, kept: u64) -> Option<String> {
        let (shown, taken) = self.read;
        if shown != taken {
            return Some(format!(
                "{shown} records were read and {taken} staged or kept back"
            ));
        }
        if let Some(worked) = self.worked.filter(|worked| *worked != kept) {
            return Some(format!("{kept} records were staged and {worked} worked on"));
        }
        if let Some(last) = self.last.as_ref()
            && record.confirmed.as_ref().is_none_or(|c| c < last)
        {
            return Some(with_words(
                "a record was worked on and is not confirmed",
                &format!("record `{last}`"),
            ));
        }
        let came = settled(&record.counts).saturating_sub(self.before);
        (came != self.owed).then(|| {
            format!(
                "{} writes were owed, and {came} were made, refused or left to the outbox",
                self.owed
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::RunStatus;
    use crate::time::Instant;
    use std::collections::BTreeMap;

    fn record(written: u64, confirmed: &str) -> RunRecord {
        RunRecord {
            id: 1,
            scenario: "s".into(),
            why: "schedule".into(),
            started: Instant(0),
            ended: None,
            status: RunStatus::Writing,
            counts: RunCounts {
                written,
                ..RunCounts::default()
            },
            calls: BTreeMap::new(),
            cursor_before: BTreeMap::new(),
            cursor_after: BTreeMap::new(),
            confirmed: Some(confirmed.into()),
            committed: None,
            note: None,
            goes_on: None,
        }
    }

    #[test]
    fn each_step_has_to_come_to_what_the_one_before_it_did() {
        let mut account = Account::new();
        account.read(10, 10);
        account.worked(9, "k");
        account.owes(4);
        assert_eq!(account.disagreement(&record(4, "k"), 9), None);
        let staged = account.disagreement(&record(4, "k"), 8);
        assert_eq!(
            staged.as_deref(),
            Some("8 records were staged and 9 worked on")
        );
        assert!(
            account
                .disagreement(&record(4, "j"), 9)
                .is_some_and(|t| t.contains("not confirmed"))
        );
        assert!(
            account
                .disagreement(&record(3, "k"), 9)
                .is_some_and(|t| t.contains("4 writes were owed"))
        );
        account.read(2, 1);
        let read = account.disagreement(&record(4, "k"), 9);
        assert_eq!(
            read.as_deref(),
            Some("12 records were read and 11 staged or kept back")
        );
    }
}
