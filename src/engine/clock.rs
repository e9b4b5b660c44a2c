//! A clock that was set back: what waited for a time goes on as soon as it was meant to, starts are
//! counted anew, and what was stamped meanwhile no longer lies in the future.
//!
//! A clock that is set forward needs nothing: what is due is due, and what was missed is made up
//! once, as after any pause.

use super::dispatch::Gate;
use super::evaluate::TOLERANCE_US;
use super::ports::Stored;
use super::register::Register;
use super::runner::{Runner, SystemState};
use crate::time::{Calendar, Instant, Millis, Schedule};

/// Where it is kept up to when stamps may lie ahead of the clock, and by how much; milliseconds.
const AHEAD: &str = "clock:ahead";
/// Where it is kept when a runner last stopped.
const STOPPED: &str = "clock:stopped";
/// The clock is corrected by less than this all the time; nothing has to be done about it.
const CORRECTION: Millis = Millis(1_000);

/// Stamps that were made before the clock was set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ahead {
    /// The latest that there are.
    until: Instant,
    /// By how much they are ahead.
    by: Millis,
}

impl Ahead {
    fn parse(text: &str) -> Option<Ahead> {
        let (until, by) = text.split_once(' ')?;
        Some(Ahead {
            until: Instant(until.parse().ok()?),
            by: Millis(by.parse().ok()?),
        })
    }

    /// Takes back how far a register's stamps are ahead of the clock.
    pub(super) fn correct(self, now: Instant, register: &mut Register) {
        if now < self.until {
            let latest = now.0.saturating_mul(1_000).saturating_add(TOLERANCE_US);
            let by = i64::try_from(self.by.0).unwrap_or(i64::MAX);
            register.take_back(latest, by.saturating_mul(1_000));
        }
    }
}

impl Runner<'_> {
    /// Compares the clock with what earlier runners saw of it.
    pub(super) fn recall_clock(&mut self) -> Stored<()> {
        let ahead = self.store.meta(AHEAD)?;
        self.ahead = ahead.as_deref().and_then(Ahead::parse);
        let stopped = self.store.meta(STOPPED)?;
        let stopped = stopped.and_then(|t| t.parse().ok()).map(Instant);
        let mut last = stopped;
        for prefix in ["heard:", "started:"] {
            for (_, time) in self.store.meta_with_prefix(prefix)? {
                last = last.max(time.parse().ok().map(Instant));
            }
        }
        // What was noted by a clock that is known to have been ahead says nothing new.
        let known = self.ahead.is_some_and(|a| last <= Some(a.until));
        match if known { stopped } else { last } {
            Some(last) => self.set_back_from(last),
            None => Ok(()),
        }
    }

    /// Looks at the clock once a turn.
    pub(super) fn heed_clock(&mut self) -> Stored<()> {
        let now = self.world.now();
        let before = std::mem::replace(&mut self.seen, now);
        if before > now {
            self.set_back_from(before)?;
        }
        Ok(())
    }

    /// What the next runner compares its clock with.
    pub(super) fn leave_clock(&mut self) -> Stored<()> {
        let now = self.world.now();
        self.store.set_meta(STOPPED, &now.0.to_string())
    }

    fn set_back_from(&mut self, before: Instant) -> Stored<()> {
        let now = self.world.now();
        let by = before.since(now);
        if by < CORRECTION {
            return Ok(());
        }
        let until = self.ahead.map_or(before, |a| a.until.max(before));
        self.ahead = Some(Ahead { until, by });
        self.begin()?;
        let text = format!("{} {}", until.0, by.0);
        self.store.set_meta(AHEAD, &text)?;
        self.store.bring_forward(by)?;
        self.recent.clear();
        // The next comparison starts from here.
        self.store.set_meta(STOPPED, &now.0.to_string())?;
        self.store.commit()?;
        self.systems.iter_mut().for_each(|s| s.set_back(by));
        self.gates.iter_mut().for_each(Gate::forget_hold);
        for run in &mut self.runs {
            back(&mut run.retry_at, by);
            // What comes from now on is told by the new time, and is no older than what was read.
            run.record.started = run.record.started - by;
        }
        back(&mut self.forgot, by);
        back(&mut self.stop_seen, by);
        self.started = self.started.min(now);
        self.clock = Default::default();
        Ok(())
    }

    /// From when the starts of a scenario count that was last started at a time; where the clock
    /// has been set back beyond a whole gap of its schedule since, from now on.
    pub(super) fn counts_from(&self, started: Instant, schedule: &Schedule) -> Instant {
        let now = self.world.now();
        if started <= now {
            return started;
        }
        let calendar = Calendar::of_year(self.program.zone, now.date());
        let gap = calendar.longest_gap(schedule, None);
        match gap.is_some_and(|gap| started.since(now) > gap) {
            true => now,
            false => started,
        }
    }
}

impl SystemState {
    fn set_back(&mut self, by: Millis) {
        for time in [
            &mut self.open_until,
            &mut self.rest_until,
            &mut self.answered,
            &mut self.followed,
            &mut self.follow_after,
        ] {
            back(time, by);
        }
        back(&mut self.down, by);
        if let Some((since, _)) = &mut self.paused {
            *since = *since - by;
        }
    }
}

fn back(time: &mut Option<Instant>, by: Millis) {
    *time = time.map(|time| time - by);
}
