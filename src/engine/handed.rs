//! Which of the values that wait for a system were handed to it, and when: what was never handed
//! over cannot come back as an echo.
//!
//! Each runner knows the calls that it made itself. What an earlier runner noted counts as handed
//! over when it was noted, since nobody knows any more. May know registers and ports; must not know
//! how calls are let out or answered.

use std::collections::BTreeMap;

use super::ports::{EntityIx, FieldIx, SystemIx, Write};
use super::register::{Handed, How, Known};

/// The calls by which values that are not yet confirmed were handed over. Grows with what was
/// tried and is not confirmed, not with what waits.
#[derive(Debug, Default)]
pub(super) struct Calls(BTreeMap<(SystemIx, EntityIx), BTreeMap<String, Vec<Call>>>);

/// When a field was handed over (microseconds), and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Call {
    field: FieldIx,
    first: i64,
    last: i64,
    times: u32,
}

impl Calls {
    /// A write is handed over.
    pub fn note(&mut self, (system, entity): (SystemIx, EntityIx), write: &Write, now: i64) {
        let keys = self.0.entry((system, entity)).or_default();
        let calls = match keys.get_mut(&*write.key) {
            Some(calls) => calls,
            None => keys.entry(write.key.to_string()).or_default(),
        };
        for (field, _) in &write.fields {
            match calls.iter_mut().find(|c| c.field == *field) {
                Some(call) => {
                    call.last = now;
                    call.times = call.times.saturating_add(1);
                }
                None => calls.push(Call {
                    field: *field,
                    first: now,
                    last: now,
                    times: 1,
                }),
            }
        }
    }

    /// A write was answered for good: gives the calls that handed it over.
    pub fn settle(&mut self, (system, entity): (SystemIx, EntityIx), key: &str) -> Settled {
        let Some(keys) = self.0.get_mut(&(system, entity)) else {
            return Settled::default();
        };
        let calls = keys.remove(key).unwrap_or_default();
        if keys.is_empty() {
            self.0.remove(&(system, entity));
        }
        Settled(calls)
    }

    /// What is known of the values of a record that wait for a system, of which these are the
    /// fields. `since`: when this runner started, `now`: the time, in microseconds.
    pub fn of(
        &self,
        (system, entity): (SystemIx, EntityIx),
        key: &str,
        waits: Vec<FieldIx>,
        (since, now): (i64, i64),
    ) -> HandedOver {
        let keys = self.0.get(&(system, entity));
        let calls = keys.and_then(|keys| keys.get(key));
        HandedOver {
            now,
            since,
            waits,
            calls: calls.cloned().unwrap_or_default(),
        }
    }
}

/// The calls that handed over a write that is answered for good.
#[derive(Debug, Clone, Default)]
pub(super) struct Settled(Vec<Call>);

impl Settled {
    /// By how many calls a value was handed over; `None`: nobody knows.
    pub fn times(&self, field: FieldIx, known: &Known) -> Option<u32> {
        let call = self.0.iter().find(|c| c.field == field)?;
        (call.first >= known.at).then_some(call.times)
    }
}

/// Which values of one record were handed to one system.
#[derive(Debug, Clone, Default)]
pub struct HandedOver {
    now: i64,
    since: i64,
    waits: Vec<FieldIx>,
    calls: Vec<Call>,
}

impl HandedOver {
    /// All that was written was handed over, nobody knows by how many calls; `now` in microseconds.
    pub fn all(now: i64) -> Self {
        HandedOver {
            now,
            ..HandedOver::default()
        }
    }

    /// How a value that was written was handed over; `None`: it waits and never was.
    pub fn of(&self, field: FieldIx, known: &Known) -> Option<Handed> {
        let at = known.at;
        let handed = |from, calls| Handed {
            from,
            until: match known.how {
                How::Sent => self.now.max(at),
                How::Reported | How::Arrived(_) => known.settled_at(),
            },
            calls,
        };
        if known.how != How::Sent {
            // Its calls are counted in the register.
            return Some(handed(at, Some(0)));
        }
        if at < self.since || !self.waits.contains(&field) {
            // By an earlier runner, or with a run.
            return Some(handed(at, None));
        }
        let call = self.calls.iter().find(|c| c.field == field);
        // A call before it was noted handed over an older value.
        call.filter(|c| c.last >= at)
            .map(|c| handed(c.first.max(at), (c.first >= at).then_some(c.times)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ports::Idempotency;
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
            idempotency: Idempotency::default(),
        }
    }

    #[test]
    fn what_waits_and_was_never_handed_over_has_no_echo() {
        let mut calls = Calls::default();
        let here = (1, 0);
        let of = |calls: &Calls, field, at| {
            let handed = calls
                .of(here, "k", vec![0], (100, 400))
                .of(field, &known(at));
            handed.map(|h| (h.from, h.calls))
        };
        assert_eq!(of(&calls, 0, 150), None);
        // Of what was noted before the runner started nobody knows.
        assert_eq!(of(&calls, 0, 50), Some((50, None)));
        // What does not wait was handed over.
        assert_eq!(of(&calls, 1, 150), Some((150, None)));
        calls.note(here, &write(), 200);
        calls.note(here, &write(), 300);
        assert_eq!(of(&calls, 0, 150), Some((200, Some(2))));
        // The first of the two handed over an older value.
        assert_eq!(of(&calls, 0, 250), Some((250, None)));
        // A newer value that no call carried yet.
        assert_eq!(of(&calls, 0, 350), None);
        calls.settle(here, "k");
        assert!(calls.0.is_empty());
    }
}
