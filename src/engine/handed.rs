//! Which of the values that wait for a system were handed to it, and when: what was never handed
//! over cannot come back as an echo.
//!
//! Each runner knows the calls that it made itself. What an earlier runner noted counts as handed
//! over when it was noted, since nobody knows any more. May know registers and ports; must not know
//! how calls are let out or answered.

use std::collections::BTreeMap;

use super::ports::{EntityIx, FieldIx, SystemIx, Write};
use super::register::{How, Known};

/// The calls by which values that are not yet confirmed were handed over. Grows with what was
/// tried and is not confirmed, not with what waits.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<(SystemIx, EntityIx), BTreeMap<String, Vec<Call>>>);

/// When a field was handed over; microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Call {
    field: FieldIx,
    first: i64,
    last: i64,
}

impl Calls {
    /// A write is handed over.
    pub fn note(&mut self, (system, entity): (SystemIx, EntityIx), write: &Write, now: i64) {
        let keys = self.0.entry((system, entity)).or_default();
        let calls = match keys.get_mut(&write.key) {
            Some(calls) => calls,
            None => keys.entry(write.key.clone()).or_default(),
        };
        for (field, _) in &write.fields {
            match calls.iter_mut().find(|c| c.field == *field) {
                Some(call) => call.last = now,
                None => calls.push(Call {
                    field: *field,
                    first: now,
                    last: now,
                }),
            }
        }
    }

    /// A write was answered for good.
    pub fn settle(&mut self, (system, entity): (SystemIx, EntityIx), key: &str) {
        if let Some(keys) = self.0.get_mut(&(system, entity)) {
            keys.remove(key);
            if keys.is_empty() {
                self.0.remove(&(system, entity));
            }
        }
    }

    /// What is known of the values of a record that wait for a system, of which these are the
    /// fields. `since`: when this runner started, in microseconds.
    pub fn of(
        &self,
        (system, entity): (SystemIx, EntityIx),
        key: &str,
        waits: Vec<FieldIx>,
        since: i64,
    ) -> HandedOver {
        let keys = self.0.get(&(system, entity));
        let calls = keys.and_then(|keys| keys.get(key));
        HandedOver {
            since,
            waits,
            calls: calls.cloned().unwrap_or_default(),
        }
    }
}

/// Which values of one record were handed to one system.
#[derive(Debug, Clone, Default)]
pub struct HandedOver {
    since: i64,
    waits: Vec<FieldIx>,
    calls: Vec<Call>,
}

impl HandedOver {
    /// From when on a value that was written may come back as an echo, in microseconds; `None`: it
    /// waits and was never handed over.
    pub fn from(&self, field: FieldIx, known: &Known) -> Option<i64> {
        let waits = known.how == How::Sent && known.at >= self.since && self.waits.contains(&field);
        if !waits {
            return Some(known.at);
        }
        let call = self.calls.iter().find(|c| c.field == field);
        // A call before it was noted handed over an older value.
        call.filter(|c| c.last >= known.at)
            .map(|c| c.first.max(known.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn known(at: i64) -> Known {
        Known {
            value: Value::Int(1),
            at,
            how: How::Sent,
        }
    }

    fn write() -> Write {
        Write {
            key: "k".into(),
            native_key: None,
            locator: None,
            fields: vec![(0, Value::Int(1))],
            delete: false,
            idempotency_key: String::new(),
        }
    }

    #[test]
    fn what_waits_and_was_never_handed_over_has_no_echo() {
        let mut calls = Calls::default();
        let here = (1, 0);
        let of = |calls: &Calls| calls.of(here, "k", vec![0], 100);
        assert_eq!(of(&calls).from(0, &known(150)), None);
        // Of what was noted before the runner started nobody knows.
        assert_eq!(of(&calls).from(0, &known(50)), Some(50));
        // What does not wait was handed over.
        assert_eq!(of(&calls).from(1, &known(150)), Some(150));
        calls.note(here, &write(), 200);
        calls.note(here, &write(), 300);
        assert_eq!(of(&calls).from(0, &known(150)), Some(200));
        assert_eq!(of(&calls).from(0, &known(250)), Some(250));
        // A newer value that no call carried yet.
        assert_eq!(of(&calls).from(0, &known(350)), None);
        calls.settle(here, "k");
        assert!(calls.0.is_empty());
    }
}
