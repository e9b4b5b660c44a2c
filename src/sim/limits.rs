//! A vendor's limits as an emulated system holds them: counted anew, apart from the engine's own
//! count, so that the one can test the other.

use std::collections::VecDeque;

use crate::catalog::Group;
use crate::plan::{self, Limit, VendorLimit};
use crate::time::{Instant, Millis, Zone};

/// All limits of a system, with what was asked of each.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    limits: Vec<Metered>,
}

/// One limit with what was asked of it.
#[derive(Debug, Clone)]
pub struct Metered {
    /// Its name.
    pub name: String,
    /// Calls, or tokens where calls cost more than one, in a window.
    pub allows: u64,
    /// The window's length.
    pub per: Millis,
    /// Whether it is the policy's own and the system would let more pass.
    pub own: bool,
    /// The most that was spent in one window.
    pub peak: u64,
    /// Calls that came when nothing was left.
    pub exceeded: u64,
    /// Where windows begin: at midnight in a zone, at multiples of their length, or at any moment.
    opens: Opens,
    /// What a read, a write and a call of a bulk job cost.
    costs: [u64; 3],
    /// When, in milliseconds (or, of fixed windows, which), and how much.
    spent: VecDeque<(i64, u64)>,
    sum: u64,
}

#[derive(Debug, Clone, Copy)]
enum Opens {
    Midnight(Zone),
    Fixed,
    Anywhere,
}

impl Meter {
    /// The limits of a system of a plan whose schedules are read in `zone`: the vendor's, and the
    /// policy's own.
    pub fn of(system: &plan::System, zone: Zone) -> Self {
        let vendor = system
            .vendor_limits
            .iter()
            .map(|l| Metered::vendor(l, zone));
        let own = system.limits.iter().map(Metered::own);
        Meter {
            limits: vendor.chain(own).filter(|m| m.per > Millis::ZERO).collect(),
        }
    }

    /// Counts a call; an error says until when the system would refuse it.
    pub fn ask(&mut self, now: Instant, what: Group, calls: u64) -> Result<(), Instant> {
        let mut until = None;
        for limit in &mut self.limits {
            let cost = limit.costs[what as usize].saturating_mul(calls);
            if let Some(free) = limit.holds(now, cost) {
                limit.exceeded += 1;
                if !limit.own {
                    until = until.max(Some(free));
                }
            }
        }
        match until {
            Some(until) => Err(until),
            None => {
                for limit in &mut self.limits {
                    let cost = limit.costs[what as usize].saturating_mul(calls);
                    limit.spend(now, cost);
                }
                Ok(())
            }
        }
    }

    /// What was asked so far is spent, but no longer counted.
    pub fn count_anew(&mut self) {
        for limit in &mut self.limits {
            (limit.peak, limit.exceeded) = (limit.sum, 0);
        }
    }

    /// The limits with what was asked of each, in the plan's order.
    pub fn limits(&self) -> &[Metered] {
        &self.limits
    }
}

impl Metered {
    fn vendor(limit: &VendorLimit, zone: Zone) -> Self {
        Metered {
            name: limit.name.clone(),
            allows: limit.calls,
            per: limit.per,
            own: false,
            peak: 0,
            exceeded: 0,
            opens: match limit.fixed {
                true if limit.per == Millis::DAY => Opens::Midnight(zone),
                true => Opens::Fixed,
                false => Opens::Anywhere,
            },
            costs: [limit.read, limit.write, limit.bulk].map(u64::from),
            spent: VecDeque::new(),
            sum: 0,
        }
    }

    fn own(limit: &Limit) -> Self {
        Metered {
            name: "limit".to_owned(),
            allows: limit.calls,
            per: limit.per,
            own: true,
            peak: 0,
            exceeded: 0,
            opens: Opens::Anywhere,
            costs: [1; 3],
            spent: VecDeque::new(),
            sum: 0,
        }
    }

    /// Until when there is no room for so much; `None`: there is.
    fn holds(&mut self, now: Instant, cost: u64) -> Option<Instant> {
        self.forget(now);
        if cost == 0 || self.sum + cost <= self.allows {
            return None;
        }
        let mut over = self.sum + cost - self.allows;
        for (at, spent) in &self.spent {
            if *spent >= over {
                return Some(self.frees(*at));
            }
            over -= spent;
        }
        // More than a window ever lets pass.
        Some(Instant(now.0.saturating_add(self.per.0 as i64)))
    }

    fn spend(&mut self, now: Instant, cost: u64) {
        if cost == 0 {
            return;
        }
        let at = self.mark(now);
        match self.spent.back_mut() {
            Some((last, spent)) if *last == at => *spent += cost,
            _ => self.spent.push_back((at, cost)),
        }
        self.sum += cost;
        self.peak = self.peak.max(self.sum);
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, spent)) = self.spent.front().copied() {
            if self.frees(at) > now {
                break;
            }
            self.sum -= spent;
            self.spent.pop_front();
        }
    }

    /// What a moment is counted under: itself, or the beginning of its window.
    fn mark(&self, now: Instant) -> i64 {
        match self.opens {
            Opens::Anywhere => now.0,
            Opens::Fixed => now.0 - now.0.rem_euclid(self.per.0.max(1) as i64),
            Opens::Midnight(zone) => zone.start_of(zone.date_and_minute(now).0).0,
        }
    }

    /// When what was counted under `mark` no longer counts.
    fn frees(&self, mark: i64) -> Instant {
        match self.opens {
            Opens::Anywhere | Opens::Fixed => Instant(mark.saturating_add(self.per.0 as i64)),
            Opens::Midnight(zone) => {
                // A day and a half later it is the next day, however long this one is.
                let next = Instant(mark.saturating_add(36 * 3_600_000));
                zone.start_of(zone.date_and_minute(next).0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(calls: u64, per: Millis, fixed: bool) -> Meter {
        Meter {
            limits: vec![Metered::vendor(
                &VendorLimit {
                    name: "l".into(),
                    calls,
                    per,
                    fixed,
                    read: 1,
                    write: 2,
                    bulk: 3,
                },
                Zone::UTC,
            )],
        }
    }

    #[test]
    fn a_window_that_reaches_back_frees_what_left_it() {
        let mut meter = meter(3, Millis(1_000), false);
        assert_eq!(meter.ask(Instant(0), Group::Read, 1), Ok(()));
        assert_eq!(meter.ask(Instant(400), Group::Write, 1), Ok(()));
        assert_eq!(meter.ask(Instant(999), Group::Read, 1), Err(Instant(1_000)));
        assert_eq!(
            meter.ask(Instant(999), Group::Write, 1),
            Err(Instant(1_400))
        );
        assert_eq!(
            meter.ask(Instant(1_000), Group::Bulk, 1),
            Err(Instant(1_400))
        );
        assert_eq!(meter.ask(Instant(1_000), Group::Read, 1), Ok(()));
        assert_eq!(meter.limits()[0].peak, 3);
        assert_eq!(meter.limits()[0].exceeded, 3);
    }

    #[test]
    fn a_fixed_day_ends_at_midnight() {
        let day = 86_400_000;
        let mut meter = meter(1, Millis::DAY, true);
        assert_eq!(meter.ask(Instant(day - 1), Group::Read, 1), Ok(()));
        assert_eq!(
            meter.ask(Instant(day - 1), Group::Read, 1),
            Err(Instant(day))
        );
        assert_eq!(meter.ask(Instant(day), Group::Read, 1), Ok(()));
    }
}
