//! What a system may be asked and when: its burst limits, its quotas and the calls it takes at a
//! time, shared by all scenarios, the higher priority first.
//!
//! Pure: the time comes in, what was spent comes in and goes out as text. A window that the vendor
//! counts from midnight is counted from midnight in the policy's zone; every other one reaches back
//! from any moment, which holds whenever the vendor's own window begins.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::ports::SystemIx;
use super::program::Program;
use crate::terms::Priority;
use crate::time::{Instant, Millis, Zone};

/// Parts into which a window that reaches back is divided: what was spent within one part comes
/// free together, and memory does not grow with calls.
const PARTS: u64 = 128;
/// Of a limit, one part in so many is kept for a higher priority that uses the system.
const RESERVE: u64 = 20;
/// How many priorities there are.
const PRIORITIES: usize = Priority::ALL.len();

/// What a call is to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A read.
    Read,
    /// A write.
    Write,
    /// A call of a bulk job.
    Job,
}

/// A call that has to wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    /// Not before then.
    pub until: Instant,
    /// The name of the limit that lets it go last.
    pub limit: String,
    /// The limits that hold it, a bit each.
    gauges: u64,
}

/// Limits that a higher priority waits for: no lower one goes before it there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Claimed(u64);

impl Claimed {
    /// A higher priority is held.
    pub fn by(&mut self, held: &Held) {
        self.0 |= held.gauges;
    }
}

/// All limits of a system with what is spent of each.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    gauges: Vec<Gauge>,
    /// Calls at a time, by priority.
    room: [u32; PRIORITIES],
    zone: Zone,
}

#[derive(Debug, Clone)]
struct Gauge {
    name: String,
    per: Millis,
    /// Whether it counts from midnight to midnight.
    midnight: bool,
    /// What a read, a write and a call of a bulk job cost.
    costs: [u64; 3],
    /// How much may be spent in a window, by priority.
    caps: [u64; PRIORITIES],
    /// When, in milliseconds (the beginning of a part of the window), and how much.
    spent: VecDeque<(i64, u64)>,
}

/// What is spent of a limit, as stored.
#[derive(Serialize, Deserialize)]
struct Spent {
    limit: String,
    per: Millis,
    spent: VecDeque<(i64, u64)>,
}

impl Limits {
    /// The limits of a system of a program.
    pub fn of(program: &Program, system: SystemIx) -> Self {
        let plan = &program.plan.systems[system as usize];
        let used = program.priorities_of(system);
        let gauge = |name: &str, calls, per: Millis, midnight, costs| Gauge {
            name: name.to_owned(),
            per,
            midnight,
            costs,
            caps: match per >= Millis::DAY {
                true => quota_caps(calls, plan.budget, &used),
                false => burst_caps(calls, &used),
            },
            spent: VecDeque::new(),
        };
        let vendor = plan.vendor_limits.iter().map(|l| {
            let costs = [l.read, l.write, l.bulk].map(u64::from);
            let midnight = l.fixed && l.per == Millis::DAY;
            gauge(&l.name, l.calls, l.per, midnight, costs)
        });
        let own = plan.limits.iter();
        let own = own.map(|l| gauge("limit", l.calls, l.per, false, [1; 3]));
        let room = plan.concurrency.max(1);
        let kept = u32::from(room > 1 && used.contains(&Priority::Consent));
        Limits {
            gauges: vendor.chain(own).filter(|g| g.per > Millis::ZERO).collect(),
            room: std::array::from_fn(|at| room - if at == 0 { 0 } else { kept }),
            zone: program.zone,
        }
    }

    /// Calls at a time that a priority may have under way, those of others counted in.
    pub fn room(&self, priority: Priority) -> u32 {
        self.room[priority as usize]
    }

    /// Whether there is anything to keep account of.
    pub fn any(&self) -> bool {
        !self.gauges.is_empty()
    }

    /// Whether a call may go now; else until when it is held, and by what. `calls`: how many calls
    /// of the vendor's it stands for.
    pub fn ask(
        &mut self,
        now: Instant,
        (kind, calls): (Kind, u64),
        priority: Priority,
        claimed: Claimed,
    ) -> Result<(), Held> {
        let mut held: Option<Held> = None;
        for (at, gauge) in self.gauges.iter_mut().enumerate() {
            let cost = gauge.costs[kind as usize].saturating_mul(calls);
            if cost == 0 {
                continue;
            }
            let bit = 1 << at.min(63);
            let free = gauge.free(now, cost, priority, self.zone);
            let until = match free {
                Some(until) => until,
                // It would fit, but a higher priority waits for it: its turn tells.
                None if claimed.0 & bit != 0 => now,
                None => continue,
            };
            let held = held.get_or_insert_with(|| Held {
                until,
                limit: gauge.name.clone(),
                gauges: 0,
            });
            held.gauges |= bit;
            if until > held.until {
                held.until = until;
                held.limit.clone_from(&gauge.name);
            }
        }
        held.map_or(Ok(()), Err)
    }

    /// Calls were made, or are about to be.
    pub fn spend(&mut self, now: Instant, (kind, calls): (Kind, u64)) {
        for gauge in &mut self.gauges {
            let cost = gauge.costs[kind as usize].saturating_mul(calls);
            if cost > 0 {
                gauge.spend(now, cost, self.zone);
            }
        }
    }

    /// What is spent, as text.
    pub fn print(&self) -> String {
        let spent: Vec<Spent> = self
            .gauges
            .iter()
            .map(|g| Spent {
                limit: g.name.clone(),
                per: g.per,
                spent: g.spent.clone(),
            })
            .collect();
        // Plain numbers and names always print.
        serde_json::to_string(&spent).unwrap_or_default()
    }

    /// Takes over what an earlier runner spent; what it says of limits that are no more is left.
    pub fn recall(&mut self, text: &str) {
        // What cannot be read was written by nobody that this runner has to answer for.
        let spent: Vec<Spent> = serde_json::from_str(text).unwrap_or_default();
        let mut left: Vec<Option<Spent>> = spent.into_iter().map(Some).collect();
        for gauge in &mut self.gauges {
            let ours = |s: &Option<Spent>| {
                s.as_ref()
                    .is_some_and(|s| s.limit == gauge.name && s.per == gauge.per)
            };
            if let Some(spent) = left.iter_mut().find(|s| ours(s)).and_then(Option::take) {
                gauge.spent = spent.spent;
            }
        }
    }
}

/// Of a quota each priority leaves a part to every higher one that uses the system. The budget
/// binds all but consent, which only the vendor's own figure ends.
fn quota_caps(calls: u64, budget: f64, used: &BTreeSet<Priority>) -> [u64; PRIORITIES] {
    // A share of a whole number that a float holds is below it.
    let share = ((calls as f64 * budget).floor() as u64).min(calls);
    let step = share.div_ceil(RESERVE).min(share / PRIORITIES as u64);
    std::array::from_fn(|at| {
        let higher = used.iter().filter(|p| (**p as usize) < at).count() as u64;
        match at {
            0 => calls.max(1),
            _ => (share - step * higher).max(1),
        }
    })
}

/// Of a burst limit a part is left to consent, where it uses the system.
fn burst_caps(calls: u64, used: &BTreeSet<Priority>) -> [u64; PRIORITIES] {
    let step = calls.div_ceil(RESERVE).min(calls / PRIORITIES as u64);
    let kept = if used.contains(&Priority::Consent) {
        step
    } else {
        0
    };
    std::array::from_fn(|at| (calls - if at == 0 { 0 } else { kept }).max(1))
}

impl Gauge {
    /// `None`: so much can be spent now; else when.
    fn free(&mut self, now: Instant, cost: u64, priority: Priority, zone: Zone) -> Option<Instant> {
        self.set_right(now, zone);
        let over = self.over(now, zone);
        let cap = self.caps[priority as usize];
        let spent: u64 = self.spent.iter().skip(over).map(|(_, n)| n).sum();
        // What can never fit goes when nothing else does.
        let excess = (spent + cost.min(cap)).saturating_sub(cap);
        let mut freed = 0;
        for (at, n) in self.spent.iter().skip(over) {
            if freed >= excess {
                break;
            }
            freed += n;
            if freed >= excess {
                return Some(self.ends(*at, zone));
            }
        }
        None
    }

    /// When what was spent at a time counts no more.
    fn ends(&self, at: i64, zone: Zone) -> Instant {
        if self.midnight {
            let (date, _) = zone.date_and_minute(Instant(at));
            return date
                .succ_opt()
                .map_or(Instant(i64::MAX), |next| zone.start_of(next));
        }
        let whole = self.part().saturating_sub(1).saturating_add(self.per.0);
        Instant(at.saturating_add_unsigned(whole))
    }

    /// The length of a part of the window.
    fn part(&self) -> u64 {
        (self.per.0 / PARTS).max(1)
    }

    fn spend(&mut self, now: Instant, cost: u64, zone: Zone) {
        self.set_right(now, zone);
        let at = self.part_of(now, zone);
        self.enter(at, cost);
        // As many parts as a window has are kept beyond its end: when they are all new, that much
        // time has passed, whatever the clock did meanwhile.
        while self.over(now, zone) > PARTS as usize + 1 {
            self.spent.pop_front();
        }
    }

    /// How many of the first parts count no more.
    fn over(&self, now: Instant, zone: Zone) -> usize {
        let over = self.spent.iter();
        over.take_while(|(at, _)| self.ends(*at, zone) <= now)
            .count()
    }

    /// The beginning of the part of the window that a time lies in.
    fn part_of(&self, now: Instant, zone: Zone) -> i64 {
        match self.midnight {
            true => zone.start_of(zone.date_and_minute(now).0).0,
            false => now.0 - now.0.rem_euclid(self.part() as i64),
        }
    }

    /// Adds to what was spent in a part; a clock that was set back may come to an earlier one.
    fn enter(&mut self, at: i64, cost: u64) {
        let after = self.spent.partition_point(|(there, _)| *there <= at);
        let same = after.checked_sub(1).and_then(|i| self.spent.get_mut(i));
        match same.filter(|(there, _)| *there == at) {
            Some((_, n)) => *n = n.saturating_add(cost),
            None => self.spent.insert(after, (at, cost)),
        }
    }

    /// What lies ahead by more than a window was spent by a clock that was wrong: it counts as
    /// spent now. What lies ahead by less may be right, and the clock wrong now.
    fn set_right(&mut self, now: Instant, zone: Zone) {
        let most = now.0.saturating_add_unsigned(self.per.0);
        while let Some((last, n)) = self.spent.back().copied()
            && last > most
        {
            self.spent.pop_back();
            self.enter(self.part_of(now, zone), n);
        }
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
