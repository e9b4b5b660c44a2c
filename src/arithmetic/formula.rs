//! The formulas themselves: numbers in, numbers out.
//!
//! Rates are per second or per day as each says, times are seconds, shares lie between 0 and 1.
//! The source of each is `model.md`, "Calls", "Rates and budgets" and "Freshness", with the queue
//! formulas of the rulings; standard results are named where they are used.

use std::f64::consts::{PI, SQRT_2};

/// Seconds of a day.
pub const DAY_SECONDS: f64 = 86_400.0;

/// The share of a day's changes that real time loses and a reconcile finds, where nobody knows
/// better.
pub const DRIFT_SHARE: f64 = 0.001;

/// Means up to which a Poisson distribution is summed term by term; beyond, its normal
/// approximation with a skewness term is closer than 1e-4 of a call.
const SUMMED_MEAN_MAX: f64 = 400.0;

/// How much busier than the mean of a day the hours are at which people work.
const WORKING_HOURS: f64 = 1.7;

/// Standard deviations that a count does not stray from its mean but once in millions.
const SURE: f64 = 5.0;

/// Means up to which a distribution that lies about a threshold is summed term by term; beyond, it
/// is narrow enough to lie on one side of it.
const SPLIT_MEAN_MAX: f64 = 1e6;

/// Standard deviations of a Poisson distribution beyond which nothing is left to sum.
const TAIL: f64 = 12.0;

/// Expected attempts for each call that succeeds, where a share `failure` of calls fails and is
/// tried again: 1/(1−p). A system where every call fails is taken at 99.9 %.
pub fn attempts(failure: f64) -> f64 {
    1.0 / (1.0 - failure.clamp(0.0, 0.999))
}

/// Distinct records that change within `days`, of `records` that change `per_day` times in all:
/// N·(1 − e^(−λt/N)), since repeated changes of one record collapse. Without a known number of
/// records none collapse.
pub fn distinct(records: Option<f64>, per_day: f64, days: f64) -> f64 {
    let changes = (per_day * days).max(0.0);
    match records {
        Some(n) if n > 0.0 => n * -(-changes / n).exp_m1(),
        Some(_) => 0.0,
        None => changes,
    }
}

/// How much busier than the mean a stretch of time may be that holds the busiest minute: as much as
/// working hours are, beside that minute at the peak; a whole day is as busy as any.
pub fn busiest_stretch(peak: f64, seconds: f64) -> f64 {
    let peak = peak.max(1.0);
    match seconds >= DAY_SECONDS {
        true => 1.0,
        false => (WORKING_HOURS + (peak - 1.0) * 60.0 / seconds.max(60.0)).min(peak),
    }
}

/// More records than this a Poisson number with this mean has in one case of millions only.
pub fn most_records(mean: f64) -> f64 {
    mean + SURE * mean.max(0.0).sqrt() + SURE
}

/// Fewer records than this it has as rarely.
pub fn fewest_records(mean: f64) -> f64 {
    (mean - SURE * mean.max(0.0).sqrt()).max(0.0)
}

/// Expected calls for a Poisson number of records with this mean in groups of `group`:
/// E⌈X/m⌉ = Σ_{j≥0} P(X > j·m). Without a group everything goes in one call.
pub fn grouped_calls(mean: f64, group: Option<u32>) -> f64 {
    if mean.is_nan() || mean <= 0.0 {
        return 0.0;
    }
    let Some(group) = group else {
        return -(-mean).exp_m1();
    };
    let m = f64::from(group.max(1));
    if m == 1.0 {
        return mean;
    }
    let deviation = mean.sqrt();
    if mean > SUMMED_MEAN_MAX && deviation > 3.0 * m {
        // The distribution spans many groups: the last one is filled evenly.
        return mean / m + (m - 1.0) / (2.0 * m);
    }
    if mean <= SUMMED_MEAN_MAX {
        summed(mean, m)
    } else {
        approximated(mean, deviation, m)
    }
}

/// The sum with exact probabilities, each from the one before.
fn summed(mean: f64, m: f64) -> f64 {
    let last = mean + TAIL * mean.sqrt() + TAIL;
    let (mut calls, mut boundary) = (0.0, 0.0);
    let (mut k, mut probability, mut below) = (0.0, (-mean).exp(), (-mean).exp());
    while k <= last {
        if k >= boundary {
            calls += (1.0 - below).max(0.0);
            boundary += m;
        }
        k += 1.0;
        probability *= mean / k;
        below += probability;
    }
    calls
}

/// The sum with normal probabilities, from the first group that may not be full.
fn approximated(mean: f64, deviation: f64, m: f64) -> f64 {
    let sure = ((mean - TAIL * deviation) / m).floor().max(-1.0) + 1.0;
    let mut calls = sure;
    let mut j = sure;
    while j * m <= mean + TAIL * deviation {
        let z = (j * m + 0.5 - mean) / deviation;
        let density = (-z * z / 2.0).exp() / (2.0 * PI).sqrt();
        // Edgeworth's first term: a Poisson distribution's skewness is 1/σ.
        let above = 0.5 * libm::erfc(z / SQRT_2) + (z * z - 1.0) * density / (6.0 * deviation);
        calls += above.clamp(0.0, 1.0);
        j += 1.0;
    }
    calls
}

/// Expected calls where up to so many records go in groups of one size and more in groups of
/// another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// E⌈X/m⌉ over what does not exceed the threshold.
    pub below: f64,
    /// E⌈X/m'⌉ over what does.
    pub above: f64,
    /// How often it does.
    pub share_above: f64,
}

/// Expected calls for a Poisson number of records with this mean: in groups of the first size where
/// there are at most `most`, else in groups of the second.
pub fn split_calls(mean: f64, most: f64, (group, large): (Option<u32>, u32)) -> Split {
    let reach = TAIL * mean.max(0.0).sqrt() + TAIL;
    if mean.is_nan() || mean + reach <= most || (mean > SPLIT_MEAN_MAX && mean <= most) {
        return Split {
            below: grouped_calls(mean, group),
            above: 0.0,
            share_above: 0.0,
        };
    }
    if mean - reach > most || mean > SPLIT_MEAN_MAX {
        return Split {
            below: 0.0,
            above: grouped_calls(mean, Some(large)),
            share_above: 1.0,
        };
    }
    let in_groups = |k: f64, of: Option<u32>| match of {
        Some(of) => (k / f64::from(of.max(1))).ceil(),
        None => k.min(1.0),
    };
    let (mut below, mut above, mut share_above) = (0.0, 0.0, 0.0);
    let mut k = (mean - reach).floor().max(0.0);
    let mut probability = (k * mean.ln() - mean - libm::lgamma(k + 1.0)).exp();
    while k <= mean + reach {
        if k <= most {
            below += probability * in_groups(k, group);
        } else {
            above += probability * in_groups(k, Some(large));
            share_above += probability;
        }
        k += 1.0;
        probability *= mean / k;
    }
    Split {
        below,
        above,
        share_above,
    }
}

/// Expected calls of one read for a Poisson number of records: one even where nothing changed,
/// 1·P(X = 0) + E⌈X/g⌉.
pub fn read_calls(mean: f64, page: Option<u32>) -> f64 {
    (-mean.max(0.0)).exp() + grouped_calls(mean, page)
}

/// Calls that read a known number of records: at least one.
pub fn full_read_calls(records: f64, page: Option<u32>) -> f64 {
    match page {
        Some(page) => (records / f64::from(page.max(1))).ceil().max(1.0),
        None => 1.0,
    }
}

/// Calls of a certain size: how records come to a system, or how they are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Batched {
    /// Records of one call; none: all that there are.
    pub batch: Option<u32>,
    /// Calls at a time.
    pub at_a_time: f64,
    /// How long one takes, in seconds.
    pub seconds: f64,
}

/// What becomes of records that come together and go on by event.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct PassedOn {
    /// Calls that write them.
    pub calls: f64,
    /// The mean time in seconds that a record waits for those before it.
    pub mean_wait: f64,
    /// The longest.
    pub longest_wait: f64,
}

/// Points of a distribution at which a bunch is followed.
const FOLLOWED: f64 = 24.0;
/// Calls of one bunch that are followed at most; what is beyond is in proportion.
const FOLLOWED_CALLS: f64 = 20_000.0;

/// What becomes of a Poisson number of records with this mean that come in the calls of `feed`, one
/// after the other, and are written in those of `pass`: whatever waits when a call can be made goes
/// with it.
pub fn passed_on(mean: f64, feed: Batched, pass: Batched) -> PassedOn {
    if mean.is_nan() || mean <= 0.0 {
        return PassedOn::default();
    }
    let reach = 4.0 * mean.sqrt() + 4.0;
    let (lowest, highest) = ((mean - reach).floor().max(1.0), (mean + reach).ceil());
    let step = ((highest - lowest) / FOLLOWED).ceil().max(1.0);
    let (mut sum, mut weights, mut met) = (PassedOn::default(), 0.0, 0.0);
    let mut records = lowest;
    while records <= highest {
        let likely = (records * mean.ln() - mean - libm::lgamma(records + 1.0)).exp();
        let one = passed_on_exactly(records, feed, pass);
        sum.calls += likely * one.calls;
        sum.mean_wait += likely * records * one.mean_wait;
        sum.longest_wait += likely * one.longest_wait;
        weights += likely;
        met += likely * records;
        records += step;
    }
    if weights <= 0.0 || met <= 0.0 {
        return passed_on_exactly(mean.round().max(1.0), feed, pass);
    }
    // Nothing at all comes as often as that.
    let any = -(-mean).exp_m1();
    PassedOn {
        calls: sum.calls / weights * any,
        mean_wait: sum.mean_wait / met,
        longest_wait: sum.longest_wait / weights,
    }
}

/// The same for a number of records that is known.
pub fn passed_on_exactly(records: f64, feed: Batched, pass: Batched) -> PassedOn {
    let size = |batch: Option<u32>| batch.map_or(f64::INFINITY, |b| f64::from(b.max(1)));
    let (come, go) = (size(feed.batch), size(pass.batch));
    let followed = records.min(FOLLOWED_CALLS * go.min(come));
    let every = feed.seconds / feed.at_a_time.max(1.0);
    // By when each call that may be under way is done.
    let mut free = vec![0.0_f64; pass.at_a_time.clamp(1.0, 256.0) as usize];
    let (mut arrived, mut gone, mut next) = (0.0, 0.0, 0.0);
    let (mut calls, mut waited, mut longest) = (0.0, 0.0, 0.0_f64);
    while gone < followed {
        let slot = (0..free.len()).min_by(|a, b| free[*a].total_cmp(&free[*b]));
        let slot = slot.unwrap_or(0);
        let ready = free.get(slot).copied().unwrap_or(0.0);
        // All that has come by then goes; where nothing has, the next that comes does.
        let now = match arrived > gone {
            true => ready.max(next - every),
            false => ready.max(next),
        };
        while next <= now + 1e-9 && arrived < followed {
            arrived = followed.min(arrived + come);
            next += every.max(1e-9);
        }
        let taken = go.min(arrived - gone);
        // Records leave in the order in which they came.
        let mean_came = every * (((gone + taken / 2.0) / come).floor());
        let first_came = every * (gone / come).floor();
        waited += (now - mean_came).max(0.0) * taken;
        longest = longest.max(now - first_came);
        gone += taken;
        calls += 1.0;
        if let Some(slot) = free.get_mut(slot) {
            *slot = now + pass.seconds;
        }
    }
    let more = records / followed;
    PassedOn {
        calls: calls * more,
        mean_wait: waited / followed * more,
        longest_wait: longest * more,
    }
}

/// A queue with random arrivals and a fixed time of service (M/D/1), at one rate of service.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Queue {
    /// Calls a second that arrive.
    pub arrivals: f64,
    /// Calls a second that can be served.
    pub service: f64,
}

impl Queue {
    /// Utilisation ρ; at 1 or more the queue has no bound.
    pub fn utilisation(self) -> f64 {
        match self.service > 0.0 {
            true => self.arrivals / self.service,
            false => f64::INFINITY,
        }
    }

    /// The mean wait in seconds, ρs/(2(1−ρ)) (Pollaczek and Khinchine); none: unbounded.
    pub fn mean_wait(self) -> Option<f64> {
        let rho = self.utilisation();
        (rho < 1.0).then(|| rho / self.service / (2.0 * (1.0 - rho)))
    }

    /// The wait in seconds that 99 of 100 calls stay under, s/(2(1−ρ))·ln(100ρ) and no less than
    /// nothing (the exponential tail of M/D/1); none: unbounded.
    pub fn p99_wait(self) -> Option<f64> {
        let rho = self.utilisation();
        (rho < 1.0).then(|| match rho > 0.0 {
            true => ((100.0 * rho).ln() / self.service / (2.0 * (1.0 - rho))).max(0.0),
            false => 0.0,
        })
    }
}

/// How long a run keeps one system busy, in seconds: its calls at the rate that is left (none: no
/// limit), or one after the other at the system's own pace. None: nothing is left, it never ends.
pub fn busy_seconds(
    calls: f64,
    rate: Option<f64>,
    latency_seconds: f64,
    at_a_time: f64,
) -> Option<f64> {
    let pace = calls * latency_seconds / at_a_time.max(1.0);
    match rate {
        None => Some(pace),
        Some(rate) if rate > 0.0 => Some((calls / rate).max(pace)),
        Some(_) if calls <= 0.0 => Some(0.0),
        Some(_) => None,
    }
}

/// How long a system needs to work off an outage of `outage_seconds` at a service rate and the
/// rate at which work keeps coming, λ'·t/(μ − λ'); none: it never catches up.
pub fn drain_seconds(arrivals: f64, service: f64, outage_seconds: f64) -> Option<f64> {
    if arrivals <= 0.0 {
        return Some(0.0);
    }
    (service > arrivals).then(|| arrivals * outage_seconds / (service - arrivals))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn near(a: f64, b: f64, tolerance: f64) -> bool {
        (a - b).abs() <= tolerance * b.abs().max(1.0)
    }

    /// E⌈X/m⌉ by its definition, with probabilities through logarithms.
    fn by_definition(mean: f64, m: u32) -> f64 {
        let top = (mean + 40.0 * mean.sqrt() + 60.0) as u32;
        let mut log_factorial = 0.0;
        (1..=top)
            .map(|k| {
                log_factorial += f64::from(k).ln();
                let p = (f64::from(k) * mean.ln() - mean - log_factorial).exp();
                p * f64::from(k.div_ceil(m))
            })
            .sum()
    }

    #[test]
    fn batches_save_calls_where_changes_of_a_record_collapse() {
        assert!(near(distinct(Some(250_000.0), 6_000.0, 1.0), 5_928.6, 1e-4));
        assert!(near(distinct(Some(10.0), 1_000.0, 1.0), 10.0, 1e-9));
        assert_eq!(distinct(None, 6_000.0, 0.5), 3_000.0);
        assert_eq!(distinct(Some(0.0), 6_000.0, 0.5), 0.0);
    }

    #[test]
    fn a_read_takes_a_call_even_where_nothing_changed() {
        assert_eq!(read_calls(0.0, Some(100)), 1.0);
        // Half a record on average: one call either way.
        assert!(near(read_calls(0.5, Some(100)), 1.0, 1e-9));
        assert_eq!(grouped_calls(0.0, Some(100)), 0.0);
        assert!(near(grouped_calls(0.5, Some(100)), 0.393_469, 1e-5));
        assert!(near(grouped_calls(0.5, None), 0.393_469, 1e-5));
        assert_eq!(full_read_calls(250_000.0, Some(2_000)), 125.0);
        assert_eq!(full_read_calls(0.0, Some(2_000)), 1.0);
        assert_eq!(full_read_calls(250_000.0, None), 1.0);
    }

    #[test]
    fn runs_about_a_threshold_are_split() {
        let few = split_calls(50.0, 500.0, (Some(1), 1_000));
        assert_eq!((few.below, few.above, few.share_above), (50.0, 0.0, 0.0));
        let many = split_calls(5_000.0, 500.0, (Some(1), 10_000));
        assert_eq!((many.below, many.above, many.share_above), (0.0, 1.0, 1.0));
        // Of two records on average, one in e² is none and two in e² are one.
        let about = split_calls(2.0, 1.0, (Some(1), 10));
        let none_or_one = (-2.0f64).exp() * 3.0;
        assert!(near(about.below, 2.0 * (-2.0f64).exp(), 1e-9));
        assert!(near(about.share_above, 1.0 - none_or_one, 1e-9));
        assert!(near(about.above, 1.0 - none_or_one, 1e-4));
    }

    #[test]
    fn waits_grow_without_bound_towards_full_use() {
        let queue = |arrivals| Queue {
            arrivals,
            service: 10.0,
        };
        assert_eq!(queue(0.0).mean_wait(), Some(0.0));
        assert_eq!(queue(0.0).p99_wait(), Some(0.0));
        assert!(near(queue(5.0).mean_wait().unwrap(), 0.05, 1e-12));
        // s/(2·0.5)·ln 50 = 0.1·3.912
        assert!(near(queue(5.0).p99_wait().unwrap(), 0.391_2, 1e-4));
        assert_eq!(
            queue(0.05).p99_wait(),
            Some(0.0),
            "rarer than one in a hundred"
        );
        assert_eq!(queue(10.0).p99_wait(), None);
        assert_eq!(queue(11.0).mean_wait(), None);
        let nothing_left = Queue {
            arrivals: 0.0,
            service: 0.0,
        };
        assert_eq!(nothing_left.p99_wait(), None);
    }

    #[test]
    fn a_run_lasts_as_long_as_its_slowest_constraint() {
        assert_eq!(busy_seconds(100.0, Some(10.0), 0.05, 1.0), Some(10.0));
        assert_eq!(busy_seconds(100.0, Some(10.0), 1.0, 5.0), Some(20.0));
        assert_eq!(busy_seconds(100.0, None, 1.0, 5.0), Some(20.0));
        assert_eq!(busy_seconds(100.0, Some(0.0), 1.0, 5.0), None);
        assert_eq!(busy_seconds(0.0, Some(0.0), 1.0, 5.0), Some(0.0));
    }

    #[test]
    fn a_backlog_drains_at_what_is_left() {
        assert_eq!(drain_seconds(8.0, 10.0, 3_600.0), Some(14_400.0));
        assert_eq!(drain_seconds(10.0, 10.0, 3_600.0), None);
        assert_eq!(drain_seconds(0.0, 0.0, 3_600.0), Some(0.0));
    }

    proptest! {
        #[test]
        fn grouped_calls_are_what_their_definition_says(mean in 0.01f64..5_000.0, m in 1u32..3_000) {
            let exact = by_definition(mean, m);
            let found = grouped_calls(mean, Some(m));
            prop_assert!(near(found, exact, 2e-3), "{found} for {exact}");
        }

        #[test]
        fn grouped_calls_never_fall_as_records_grow(mean in 0.0f64..2_000.0, more in 0.0f64..50.0, m in 2u32..500) {
            let (few, many) = (grouped_calls(mean, Some(m)), grouped_calls(mean + more, Some(m)));
            prop_assert!(many >= few - 2e-3);
            prop_assert!(few <= mean + 1e-9);
        }
    }
}
