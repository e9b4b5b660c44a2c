//! Ages as they are counted: in a fixed number of classes, so that memory does not grow with what
//! is measured.

use std::collections::BTreeMap;

use crate::time::Millis;

/// Each class is so much wider than the one before.
const WIDER: f64 = 1.005;

/// A distribution of ages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ages {
    count: u64,
    sum_ms: u128,
    most: u64,
    classes: BTreeMap<u16, u64>,
}

impl Ages {
    /// Counts one.
    pub fn add(&mut self, age: Millis) {
        self.count += 1;
        self.sum_ms += u128::from(age.0);
        self.most = self.most.max(age.0);
        *self.classes.entry(class(age.0)).or_default() += 1;
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean in seconds.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_ms as f64 / self.count as f64 / 1_000.0)
    }

    /// The greatest, in seconds.
    pub fn worst(&self) -> Option<f64> {
        (self.count > 0).then(|| self.most as f64 / 1_000.0)
    }

    /// What a share of them stays under, in seconds, to half a percent.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (class, count) in &self.classes {
            seen += count;
            if seen >= wanted {
                return Some(upper(*class).min(self.most as f64) / 1_000.0);
            }
        }
        None
    }
}

fn class(ms: u64) -> u16 {
    // At most 9,000 for any number of milliseconds.
    ((ms as f64 + 1.0).ln() / WIDER.ln()) as u16
}

fn upper(class: u16) -> f64 {
    WIDER.powi(i32::from(class) + 1) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_half_a_percent() {
        let mut ages = Ages::default();
        for second in 1..=1_000 {
            ages.add(Millis::from_secs(second));
        }
        assert_eq!(ages.mean(), Some(500.5));
        assert_eq!(ages.worst(), Some(1_000.0));
        let near = |found: Option<f64>, exact: f64| (found.unwrap() / exact - 1.0).abs() < 0.006;
        assert!(near(ages.quantile(0.5), 500.0));
        assert!(near(ages.quantile(0.99), 990.0));
        assert_eq!(ages.quantile(1.0), Some(1_000.0));
        assert_eq!(Ages::default().quantile(0.5), None);
        ages.add(Millis(u64::MAX));
        assert!(ages.classes.len() < 2_000);
    }
}
