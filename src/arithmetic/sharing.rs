//! How a quota of reads is best shared out among what is read.
//!
//! The best is sought of Σ w·measure(λ, f) with Σ c·f no more than the quota. Each measure gains
//! ever less by each further read, so the best sharing is the one in which a further call buys the
//! same wherever it goes: μ, the multiplier. What has a floor gets that first; what gains less than
//! μ even at its first read gets its floor, which may be nothing, and no more.

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
    /// c: calls of one read, more than 0.
    pub calls: f64,
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
    /// μ: by how much one more call a day would better the sum; 0 where all have their most.
    pub multiplier: f64,
}

/// The floors alone need more calls a day than there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Short {
    /// Calls a day that they need.
    pub needs: f64,
}

/// By how much a reader's own sum gets better for each further call a day.
pub fn value_per_call(measure: Measure, reader: &Reader, reads: f64) -> f64 {
    let gain: f64 = match &reader.way {
        Way::Polled(parts) => parts
            .iter()
            .filter(|p| p.weight > 0.0)
            .map(|p| p.weight * measure.gain(p.changes, reads))
            .sum(),
        Way::Notified(part) if part.weight > 0.0 && part.changes > 0.0 => {
            -part.weight * harmonic_notified_slope(reads)
        }
        Way::Notified(_) => 0.0,
    };
    gain / reader.calls
}

/// Shares out so many calls a day. Floors that fill the quota within a millionth of a call fit.
pub fn share(measure: Measure, readers: &[Reader], quota: f64) -> Result<Shared, Short> {
    let least: Vec<f64> = readers.iter().map(|r| r.least).collect();
    let floors = calls(readers, &least);
    if floors > quota + 1e-6 {
        return Err(Short { needs: floors });
    }
    let most: Vec<f64> = readers.iter().map(|r| r.most).collect();
    if calls(readers, &most) <= quota {
        return Ok(Shared {
            reads: most,
            multiplier: 0.0,
        });
    }
    let free = readers.iter().filter(|r| r.most > r.least);
    let highest = free.map(|r| value_per_call(measure, r, r.least.max(f64::MIN_POSITIVE)));
    let highest = highest.fold(0.0, f64::max);
    if floors >= quota {
        return Ok(Shared {
            reads: least,
            multiplier: highest,
        });
    }
    let at = |value: f64| -> Vec<f64> {
        let reader = |r: &Reader| reads_at(measure, r, value, quota);
        readers.iter().map(reader).collect()
    };
    let (low, high) = between(&|value| calls(readers, &at(value)), quota);
    if low <= 0.0 {
        // Not even a worthless call finds a taker: nothing that could be read gains by it.
        return Ok(Shared {
            reads: at(0.0),
            multiplier: 0.0,
        });
    }
    Ok(Shared {
        reads: meet(readers, &at(low), &at(high), quota),
        multiplier: low,
    })
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

/// Reads a day at which a further call buys so much: the least where it never does, the most where
/// it always does. More than twice what the quota allows is never looked at.
fn reads_at(measure: Measure, reader: &Reader, value: f64, quota: f64) -> f64 {
    let worth = |reads: f64| value_per_call(measure, reader, reads);
    let top = reader
        .most
        .min(2.0 * quota / reader.calls)
        .max(reader.least);
    if worth(top) > value {
        return top;
    }
    if reader.least > 0.0 && worth(reader.least) <= value {
        return reader.least;
    }
    let mut high = top;
    let mut low = top;
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

/// Between two sharings whose values per call are next to each other: the one that spends the quota.
/// Where F begins to read something, its reads leap within one step of the value.
fn meet(readers: &[Reader], more: &[f64], less: &[f64], quota: f64) -> Vec<f64> {
    let (above, below) = (calls(readers, more), calls(readers, less));
    let part = match above > below {
        true => ((quota - below) / (above - below)).clamp(0.0, 1.0),
        false => 0.0,
    };
    let pairs = more.iter().zip(less);
    pairs.map(|(m, l)| l + part * (m - l)).collect()
}

fn calls(readers: &[Reader], reads: &[f64]) -> f64 {
    readers.iter().zip(reads).map(|(r, f)| r.calls * f).sum()
}

#[cfg(test)]
#[path = "sharing_laws.rs"]
mod laws;
