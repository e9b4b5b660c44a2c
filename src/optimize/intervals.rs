//! Whole intervals near a sharing: what a policy can say, within every quota.
//!
//! From the rarest mode of each reader, the step that betters the sum most for what its calls are
//! worth is taken, again and again, as long as one fits; then one reader steps up where another
//! steps down, as long as that is better.

use super::readers::{Quota, Reader};
use crate::arithmetic::polling::Measure;

/// Rounds of changes between two readers; each betters the sum.
const ROUNDS: usize = 64;

/// An option of each reader, by its position.
pub(super) type Plan = Vec<usize>;

/// What is chosen from.
pub(super) struct Choosing<'a> {
    pub readers: &'a [Reader<'a>],
    pub quotas: &'a [Quota],
    /// What a call is worth, by quota.
    pub worth: &'a [f64],
    pub measure: Measure,
}

impl Choosing<'_> {
    /// The best plan that is found; none: not even the rarest modes fit. No worse than today's,
    /// where that fits.
    pub fn best(&self) -> Option<Plan> {
        let rarest = vec![0; self.readers.len()];
        let today: Option<Plan> = self.readers.iter().map(today).collect();
        let starts = [Some(rarest), today].into_iter().flatten();
        let fitting = starts.filter(|plan| self.fits(plan));
        let found = fitting.map(|start| self.improved(start));
        // Of equals the one that changes least is today's, the last.
        found.max_by(|a, b| self.value(a).total_cmp(&self.value(b)))
    }

    /// The sum of a plan; more is better.
    pub fn value(&self, plan: &[usize]) -> f64 {
        let each = self.readers.iter().zip(plan);
        each.map(|(reader, at)| self.value_of(reader, *at)).sum()
    }

    /// Calls of the busiest day, by quota.
    pub fn calls(&self, plan: &[usize]) -> Vec<f64> {
        let of = |quota: usize| -> f64 {
            let each = self.readers.iter().zip(plan);
            each.map(|(reader, at)| calls(reader, *at, quota)).sum()
        };
        (0..self.quotas.len()).map(of).collect()
    }

    pub fn fits(&self, plan: &[usize]) -> bool {
        self.fit(&self.calls(plan))
    }

    fn fit(&self, calls: &[f64]) -> bool {
        let mut all = self.quotas.iter().zip(calls);
        // As the checks hold a quota: to a millionth of it.
        all.all(|(quota, calls)| quota.held + calls <= quota.allowed * (1.0 + 1e-6))
    }

    fn value_of(&self, reader: &Reader, option: usize) -> f64 {
        let option = reader.options.get(option);
        option.map_or(0.0, |o| reader.value(self.measure, o.reads))
    }

    fn improved(&self, start: Plan) -> Plan {
        let mut plan = start;
        while let Some(better) = self.step_up(&plan) {
            plan = better;
        }
        for _ in 0..ROUNDS {
            let Some(mut better) = self.change(&plan) else {
                break;
            };
            while let Some(more) = self.step_up(&better) {
                better = more;
            }
            plan = better;
        }
        plan
    }

    /// The step of one reader that betters the sum most for what its calls are worth.
    fn step_up(&self, plan: &[usize]) -> Option<Plan> {
        let now = self.calls(plan);
        let mut best: Option<(f64, usize, usize)> = None;
        for (at, reader) in self.readers.iter().enumerate() {
            for option in 0..reader.options.len() {
                let gained = self.value_of(reader, option) - self.value_of(reader, plan[at]);
                if gained <= 1e-12 || !self.fit(&self.moved(&now, at, plan[at], option)) {
                    continue;
                }
                let ratio = gained / self.price(reader, plan[at], option);
                if best.is_none_or(|b| ratio > b.0) {
                    best = Some((ratio, at, option));
                }
            }
        }
        let (_, at, option) = best?;
        let mut better = plan.to_vec();
        better[at] = option;
        Some(better)
    }

    /// What the calls of a step are worth. Where no call is worth anything, what share of its quota
    /// each takes; never nothing.
    fn price(&self, reader: &Reader, from: usize, to: usize) -> f64 {
        let more = |quota: usize| calls(reader, to, quota) - calls(reader, from, quota);
        let worth: f64 = self
            .worth
            .iter()
            .enumerate()
            .map(|(q, w)| w * more(q))
            .sum();
        let share = |(at, quota): (usize, &Quota)| more(at) / quota.allowed.max(1.0);
        let shares: f64 = self.quotas.iter().enumerate().map(share).sum();
        let price = if worth > 0.0 { worth } else { shares };
        price.max(f64::MIN_POSITIVE)
    }

    /// One reader up and another down, the change that betters the sum most.
    fn change(&self, plan: &[usize]) -> Option<Plan> {
        let now = self.calls(plan);
        let mut best: Option<(f64, Plan)> = None;
        for (up, riser) in self.readers.iter().enumerate() {
            for above in plan[up] + 1..riser.options.len() {
                let gained = self.value_of(riser, above) - self.value_of(riser, plan[up]);
                let risen = self.moved(&now, up, plan[up], above);
                for (down, faller) in self.readers.iter().enumerate().filter(|f| f.0 != up) {
                    // The least step down that fits loses least.
                    let below = (0..plan[down])
                        .rev()
                        .find(|below| self.fit(&self.moved(&risen, down, plan[down], *below)));
                    let Some(below) = below else {
                        continue;
                    };
                    let lost = self.value_of(faller, plan[down]) - self.value_of(faller, below);
                    let net = gained - lost;
                    if net > 1e-9 * lost.abs().max(1e-3) && best.as_ref().is_none_or(|b| net > b.0)
                    {
                        let mut better = plan.to_vec();
                        (better[up], better[down]) = (above, below);
                        best = Some((net, better));
                    }
                }
            }
        }
        best.map(|b| b.1)
    }

    fn moved(&self, now: &[f64], reader: usize, from: usize, to: usize) -> Vec<f64> {
        let reader = &self.readers[reader];
        let each = now.iter().enumerate();
        each.map(|(q, sum)| sum + calls(reader, to, q) - calls(reader, from, q))
            .collect()
    }
}

/// The mode that it has today among its options.
pub(super) fn today(reader: &Reader) -> Option<usize> {
    let own = &reader.scenario.mode.kind;
    reader.options.iter().position(|o| o.mode == *own)
}

fn calls(reader: &Reader, option: usize, quota: usize) -> f64 {
    let option = reader.options.get(option);
    option.map_or(0.0, |o| o.calls[quota])
}
