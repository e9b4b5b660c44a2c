//! How quotas of reads are best shared out among what is read.
//!
//! The best is sought of Σ w·measure(λ, f), f reads a day, where the calls that they need keep
//! within each quota. Each measure gains ever less by each further read, so in the best sharing a
//! further read of anything gains just what its calls are worth, and a call of one quota is worth
//! the same wherever it goes: μ, the quota's multiplier. What has a floor gets that first; what
//! gains less than its calls are worth even at its first read gets its floor, which may be nothing,
//! and no more.

use super::dual;
use super::polling::{Measure, harmonic_notified_slope};

/// What the reads of one kind keep fresh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// w: what it counts for.
    pub weight: f64,
    /// λ: its changes a day.
    pub changes: f64,
}

/// How changes come to be known.
#[derive(Debug, Clone, PartialEq)]
pub enum Way {
    /// By reads at even intervals, each of which serves all of these.
    Polled(Vec<Part>),
    /// By notices, each of which may be followed by a read. Held to the harmonic staleness whatever
    /// the measure, for which alone there is a formula.
    Notified(Part),
}

/// Something that reads are spent on.
#[derive(Debug, Clone, PartialEq)]
pub struct Reader {
    /// How its changes come to be known.
    pub way: Way,
    /// c: calls of one read, by quota. One that needs none must have a finite most.
    pub calls: Vec<f64>,
    /// Reads a day that it has to have.
    pub least: f64,
    /// Reads a day of which it can make use, no fewer than the least; may be infinite.
    pub most: f64,
}

/// Reads a day of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// f, in the order given.
    pub reads: Vec<f64>,
    /// μ by quota: by how much one more call a day would better the sum; 0 where some are left.
    pub multipliers: Vec<f64>,
}

/// The floors alone need more calls a day than there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Short {
    /// The position of the first quota of which they do.
    pub quota: usize,
    /// Calls a day that they need of it.
    pub needs: f64,
}

/// By how much a reader's own sum gets better for each further read a day.
pub fn gain(measure: Measure, reader: &Reader, reads: f64) -> f64 {
    match &reader.way {
        Way::Polled(parts) => parts
            .iter()
            .filter(|p| p.weight > 0.0)
            .map(|p| p.weight * measure.gain(p.changes, reads))
            .sum(),
        Way::Notified(part) if part.weight > 0.0 && part.changes > 0.0 => {
            -part.weight * harmonic_notified_slope(reads)
        }
        Way::Notified(_) => 0.0,
    }
}

/// By how much spending may miss a quota, as a share of it.
const SLACK: f64 = 1e-9;

/// The share below which something counts as nothing.
const TRACE: f64 = 1e-7;

/// By which share of itself a gain is taken as less at the most reads that are looked at, where
/// there are several quotas. The gain of F is the same to the last digit for all reads that are
/// few beside the changes; this tells them apart. Smaller by steps, each from where the one before
/// led, since the smaller it is the more suddenly reads begin.
const TILTS: [f64; 6] = [0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6];

/// Shares out so many calls a day of each quota. Floors that fill a quota within a millionth of a
/// call fit.
///
/// The multiplier of one quota is found by halving; those of several, from what each would be alone,
/// by steps over all at once ([`dual`]).
pub fn share(measure: Measure, readers: &[Reader], quotas: &[f64]) -> Result<Shared, Short> {
    let sharing = Sharing {
        measure,
        readers,
        quotas,
        tilt: 0.0,
    };
    let least: Vec<f64> = readers.iter().map(|r| r.least).collect();
    for (quota, allowed) in quotas.iter().enumerate() {
        let needs = sharing.calls(quota, &least);
        if needs > allowed + 1e-6 {
            return Err(Short { quota, needs });
        }
    }
    let most: Vec<f64> = readers.iter().map(|r| r.most).collect();
    if sharing.fits(&most) {
        return Ok(Shared {
            reads: most,
            multipliers: vec![0.0; quotas.len()],
        });
    }
    Ok(sharing.solve(least))
}

/// The multiplier of each quota, between two numbers next to each other: at the lower no less than
/// the quota is spent, at the higher no more.
#[derive(Debug, Clone, PartialEq)]
struct Prices {
    low: Vec<f64>,
    high: Vec<f64>,
}

#[derive(Clone, Copy)]
struct Sharing<'a> {
    measure: Measure,
    readers: &'a [Reader],
    quotas: &'a [f64],
    tilt: f64,
}

impl Sharing<'_> {
    fn solve(self, least: Vec<f64>) -> Shared {
        // A quota that the floors fill leaves nothing to share out: who needs it has its floor.
        let full = |quota: usize| {
            self.quotas
                .get(quota)
                .is_some_and(|q| self.calls(quota, &least) >= *q)
        };
        let full: Vec<bool> = (0..self.quotas.len()).map(full).collect();
        let pinned: Vec<bool> = self
            .readers
            .iter()
            .map(|r| r.calls.iter().zip(&full).any(|(c, full)| *full && *c > 0.0))
            .collect();
        let open: Vec<usize> = (0..full.len()).filter(|q| !full[*q]).collect();
        let (tilted, prices) = self.prices(&open, &pinned);
        let more = tilted.at(&prices.low, &pinned);
        let less = tilted.at(&prices.high, &pinned);
        let reads = match self.fits(&less) {
            true => self.meet(&less, &more),
            // The rounds ended early: what is shared out beyond the floors gives way evenly.
            false => self.meet(&least, &less),
        };
        let mut multipliers = prices.low;
        for quota in (0..full.len()).filter(|q| full[*q]) {
            multipliers[quota] = self.worth_of_full(quota, &multipliers, &least);
        }
        Shared { reads, multipliers }
    }

    /// What a call of a quota would be worth that the floors fill, beside the other prices.
    fn worth_of_full(self, quota: usize, prices: &[f64], least: &[f64]) -> f64 {
        let wanting = self.readers.iter().zip(least);
        let wanting = wanting.filter(|(r, _)| r.most > r.least && r.calls[quota] > 0.0);
        let worth = wanting.map(|(reader, reads)| {
            let gained = gain(self.measure, reader, reads.max(f64::MIN_POSITIVE));
            (gained - price_of(reader, prices)) / reader.calls[quota]
        });
        worth.fold(0.0, f64::max)
    }

    /// The prices, and the sharing by whose gains they are.
    fn prices(self, open: &[usize], pinned: &[bool]) -> (Self, Prices) {
        let none = vec![0.0; self.quotas.len()];
        let mut prices = Prices {
            low: none.clone(),
            high: none,
        };
        for quota in open {
            (prices.low[*quota], prices.high[*quota]) = self.price(*quota, pinned);
        }
        if open.len() <= 1 {
            return (self, prices);
        }
        // Each quota counts as 1, so that all multipliers are of one kind.
        let whole = |scaled: &[f64]| -> Vec<f64> {
            let mut all = vec![0.0; self.quotas.len()];
            for (quota, price) in open.iter().zip(scaled) {
                all[*quota] = price / self.quotas[*quota];
            }
            all
        };
        let start = open.iter().map(|q| prices.high[*q] * self.quotas[*q]);
        let mut found: Vec<f64> = start.map(|p| p / open.len() as f64).collect();
        let mut tilted = self;
        for tilt in TILTS {
            tilted.tilt = tilt;
            found = dual::least(found, &|scaled| tilted.point(open, &whole(scaled), pinned));
        }
        let high = tilted.without_traces(whole(&found), pinned);
        let prices = Prices {
            low: high.clone(),
            high,
        };
        (tilted, prices)
    }

    /// Prices without those that are on their way to nothing: of quotas that are not spent, and that
    /// matter to no reader beside its other prices.
    fn without_traces(self, prices: Vec<f64>, pinned: &[bool]) -> Vec<f64> {
        let reads = self.at(&prices, pinned);
        let is_trace = |quota: usize| {
            let matters = |reader: &Reader| {
                prices[quota] * reader.calls[quota] > TRACE * price_of(reader, &prices)
            };
            self.calls(quota, &reads) < self.quotas[quota] * (1.0 - TRACE)
                && !self.readers.iter().any(matters)
        };
        let kept = |quota: usize| if is_trace(quota) { 0.0 } else { prices[quota] };
        (0..prices.len()).map(kept).collect()
    }

    /// What some prices lead to, for the quotas that are not full.
    fn point(self, open: &[usize], prices: &[f64], pinned: &[bool]) -> dual::Point {
        let mut left = vec![1.0; open.len()];
        let mut yields = vec![vec![0.0; open.len()]; open.len()];
        for (reader, pinned) in self.readers.iter().zip(pinned) {
            let reads = self.reads_of(reader, *pinned, prices);
            let share = |quota: &usize| reader.calls[*quota] / self.quotas[*quota];
            let shares: Vec<f64> = open.iter().map(share).collect();
            let falls = match pinned {
                true => 0.0,
                false => self.falls(reader, reads),
            };
            for (at, share) in shares.iter().enumerate().filter(|s| *s.1 > 0.0) {
                left[at] -= share * reads;
                for (other, also) in shares.iter().enumerate() {
                    yields[at][other] += share * also * falls;
                }
            }
        }
        dual::Point { left, yields }
    }

    /// By how many fewer reads a read is worth making for each unit that its price grows.
    fn falls(self, reader: &Reader, reads: f64) -> f64 {
        if reads <= reader.least || reads >= self.top(reader) {
            return 0.0;
        }
        let step = reads * 1e-5;
        let worth = |reads: f64| self.worth(reader, reads);
        let bend = worth(reads - step) - worth(reads + step);
        match bend > 0.0 {
            true => 2.0 * step / bend,
            false => 0.0,
        }
    }

    /// The multiplier of one quota if it were the only one.
    fn price(self, quota: usize, pinned: &[bool]) -> (f64, f64) {
        let spent = |value: f64| -> f64 {
            let mut prices = vec![0.0; self.quotas.len()];
            prices[quota] = value;
            self.calls(quota, &self.at(&prices, pinned))
        };
        let allowed = self.quotas[quota];
        match spent(0.0) <= allowed {
            true => (0.0, 0.0),
            false => between(&spent, allowed),
        }
    }

    fn at(self, prices: &[f64], pinned: &[bool]) -> Vec<f64> {
        let both = self.readers.iter().zip(pinned);
        both.map(|(reader, pinned)| self.reads_of(reader, *pinned, prices))
            .collect()
    }

    fn reads_of(self, reader: &Reader, pinned: bool, prices: &[f64]) -> f64 {
        match pinned {
            true => reader.least,
            false => self.reads_at(reader, price_of(reader, prices)),
        }
    }

    /// A reader's gain as it is compared with a price.
    fn worth(self, reader: &Reader, reads: f64) -> f64 {
        let gained = gain(self.measure, reader, reads);
        match self.tilt > 0.0 {
            true => gained * (1.0 - self.tilt * (reads / self.top(reader)).min(1.0)),
            false => gained,
        }
    }

    /// More than twice what the quotas allow is never looked at.
    fn top(self, reader: &Reader) -> f64 {
        let calls = reader.calls.iter().zip(self.quotas);
        let allowed = calls
            .filter(|(c, _)| **c > 0.0)
            .map(|(c, allowed)| 2.0 * allowed / c);
        allowed.fold(reader.most, f64::min).max(reader.least)
    }

    /// Reads a day at which a further one gains so much: the least where it never does, the most
    /// where it always does.
    fn reads_at(self, reader: &Reader, value: f64) -> f64 {
        let worth = |reads: f64| self.worth(reader, reads);
        let top = self.top(reader);
        if worth(top) > value {
            return top;
        }
        if reader.least > 0.0 && worth(reader.least) <= value {
            return reader.least;
        }
        let (mut low, mut high) = (top, top);
        while worth(low) <= value {
            if low <= reader.least || low < 1e-290 {
                return reader.least;
            }
            (low, high) = ((low / 1_024.0).max(reader.least), low);
        }
        loop {
            let middle = low.sqrt() * high.sqrt();
            if middle <= low || middle >= high {
                return low;
            }
            match worth(middle) > value {
                true => low = middle,
                false => high = middle,
            }
        }
    }

    /// From a sharing that fits as far towards another as fits. Where F begins to read something,
    /// its reads leap within one step of the multiplier, and the quota is met between.
    fn meet(self, fits: &[f64], other: &[f64]) -> Vec<f64> {
        let parts = self.quotas.iter().enumerate().map(|(quota, allowed)| {
            let (below, above) = (self.calls(quota, fits), self.calls(quota, other));
            match above > *allowed && above > below {
                true => ((allowed - below) / (above - below)).clamp(0.0, 1.0),
                false => 1.0,
            }
        });
        let part = parts.fold(1.0, f64::min);
        let pairs = fits.iter().zip(other);
        pairs.map(|(from, to)| from + part * (to - from)).collect()
    }

    fn fits(self, reads: &[f64]) -> bool {
        let mut quotas = self.quotas.iter().enumerate();
        quotas.all(|(quota, allowed)| self.calls(quota, reads) <= allowed * (1.0 + SLACK))
    }

    /// Calls a day of one quota.
    fn calls(self, quota: usize, reads: &[f64]) -> f64 {
        let each = self.readers.iter().zip(reads);
        let spent = each.map(|(r, f)| (r.calls[quota], *f));
        // Endless reads of what needs no call are no call.
        spent.filter(|(c, _)| *c > 0.0).map(|(c, f)| c * f).sum()
    }
}

/// What the calls of one read are worth.
fn price_of(reader: &Reader, prices: &[f64]) -> f64 {
    reader.calls.iter().zip(prices).map(|(c, p)| c * p).sum()
}

/// Values per call next to each other, at the lower of which no fewer calls than the quota are
/// spent, at the higher no more. 0 as the lower: there is none.
///
/// Each reader takes ever fewer reads the more a call has to buy, so the sum falls in it and halving
/// is all it takes: no derivative to trust where F leaves something out and its slope is endless, no
/// start to choose, an end after at most a few dozen steps whatever the readers.
fn between(spent: &dyn Fn(f64) -> f64, quota: f64) -> (f64, f64) {
    const STRIDE: f64 = 65_536.0;
    let (mut low, mut high) = (1.0_f64, 1.0_f64);
    while spent(low) < quota {
        (low, high) = (low / STRIDE, low);
        if low < 1e-290 {
            return (0.0, high);
        }
    }
    while spent(high) > quota && high < 1e290 {
        (low, high) = (high, high * STRIDE);
    }
    loop {
        // The middle of their logarithms, since values range over many powers of ten.
        let middle = low.sqrt() * high.sqrt();
        if middle <= low || middle >= high {
            return (low, high);
        }
        match spent(middle) >= quota {
            true => low = middle,
            false => high = middle,
        }
    }
}

#[cfg(test)]
#[path = "sharing_laws.rs"]
mod laws;
