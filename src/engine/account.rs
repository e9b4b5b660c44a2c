//! The account of a run: what was staged is worked through, what is owed comes to something. A run
//! whose account does not close has not ended well, whatever it looks like.

use super::ports::{RunCounts, RunRecord};

/// What one runner did for a run, to be held against what the run's record says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
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

    /// What does not agree at the run's end, in words. `kept`: rows that the run put into its stage,
    /// less those that it dropped there as repeats.
    pub fn disagreement(&self, record: &RunRecord, kept: u64) -> Option<String> {
        if let Some(worked) = self.worked.filter(|worked| *worked != kept) {
            return Some(format!("{kept} records were staged and {worked} worked on"));
        }
        if let Some(last) = self.last.as_ref()
            && record.confirmed.as_ref().is_none_or(|c| c < last)
        {
            return Some(format!("`{last}` was worked on and is not confirmed"));
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
