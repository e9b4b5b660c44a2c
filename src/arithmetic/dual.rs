//! The multipliers of several quotas at once.
//!
//! They are where the dual of a sharing is least: a convex, smooth function of them whose slope in
//! one is what its quota has left. Newton's steps find that in a few rounds, held above nothing:
//! a multiplier at nothing whose quota has something left stays there (D. P. Bertsekas, "Projected
//! Newton Methods for Optimization Problems with Simple Constraints", 1982).

/// What a set of multipliers leads to, each quota taken as 1.
pub(super) struct Point {
    /// By quota: what is left of it, as a share; below 0: it is exceeded.
    pub left: Vec<f64>,
    /// By quota and quota: by how much less of the first is spent for each unit that the second's
    /// multiplier grows.
    pub yields: Vec<Vec<f64>>,
}

/// Steps, and halvings or doublings of one, after which it ends as it is.
const STEPS: usize = 200;
const STRIDES: usize = 60;

/// Steps that may end where the function rises half as steeply as it fell at the start. Later ones
/// have to end where it is all but level, so that they cannot go round in a circle.
const BOLD_STEPS: usize = 20;

/// By how much a quota may be missed, as a share of it.
const MISSED: f64 = 1e-9;

/// How far a step goes at first, as a multiple of the highest multiplier.
const FARTHEST: f64 = 10.0;

/// What is added to the curvature where two quotas bind the same readers and only their sum counts.
const RIDGE: f64 = 1e-8;

/// The least point from a start.
pub(super) fn least(start: Vec<f64>, at: &dyn Fn(&[f64]) -> Point) -> Vec<f64> {
    let mut prices = start;
    let mut here = at(&prices);
    for round in 0..STEPS {
        let rise = if round < BOLD_STEPS { 0.5 } else { 1e-3 };
        let free: Vec<usize> = (0..prices.len())
            .filter(|q| prices[*q] > 0.0 || here.left[*q] < 0.0)
            .collect();
        if free.iter().all(|q| here.left[*q].abs() <= MISSED) {
            break;
        }
        let step = newton(&here, &free);
        let moved = stride(&prices, &here, &step, rise, at).or_else(|| {
            let straight = straight(&prices, &here, &free, &step)?;
            stride(&prices, &here, &straight, rise, at)
        });
        let Some((next, there)) = moved else {
            break;
        };
        prices = next;
        here = there;
    }
    prices
}

/// Newton's step in the free multipliers, 0 in the others.
fn newton(here: &Point, free: &[usize]) -> Vec<f64> {
    // Where nobody's reads change there is no curvature: a step of any length will do.
    let ridge = |quota: usize| match here.yields[quota][quota] {
        0.0 => 1.0,
        own => RIDGE * own,
    };
    let mut rows: Vec<Vec<f64>> = free
        .iter()
        .map(|q| {
            let row = free.iter().map(|r| {
                let own = if q == r { ridge(*q) } else { 0.0 };
                here.yields[*q][*r] + own
            });
            row.chain([-here.left[*q]]).collect()
        })
        .collect();
    let solved = eliminate(&mut rows);
    let mut step = vec![0.0; here.left.len()];
    for (quota, by) in free.iter().zip(solved) {
        step[*quota] = by;
    }
    step
}

/// A step for where Newton's would bend at nothing and not lead down: multipliers that it takes there
/// though their quotas have something left go there straight, and the others step by themselves.
/// None: there are no such.
fn straight(prices: &[f64], here: &Point, free: &[usize], step: &[f64]) -> Option<Vec<f64>> {
    let falls = |q: &usize| here.left[*q] > 0.0 && prices[*q] + step[*q] < 0.0;
    let (falling, others): (Vec<usize>, Vec<usize>) = free.iter().partition(|q| falls(q));
    if falling.is_empty() {
        return None;
    }
    let mut step = newton(here, &others);
    for quota in falling {
        step[quota] = -prices[quota];
    }
    Some(step)
}

/// Solves a symmetric positive definite system; each row ends with its right side.
fn eliminate(rows: &mut [Vec<f64>]) -> Vec<f64> {
    let size = rows.len();
    for pivot in 0..size {
        let (above, below) = rows.split_at_mut(pivot + 1);
        let lead = &above[pivot];
        for row in below {
            let factor = row[pivot] / lead[pivot];
            for (cell, led) in row.iter_mut().zip(lead).skip(pivot) {
                *cell -= factor * led;
            }
        }
    }
    let mut solved = vec![0.0; size];
    for at in (0..size).rev() {
        let row = &rows[at];
        let known: f64 = (at + 1..size).map(|other| row[other] * solved[other]).sum();
        solved[at] = (row[size] - known) / row[at];
    }
    solved
}

/// As far along a step as the function falls and does not rise again steeply: by no more than `rise`
/// of how it fell at the start.
///
/// Both slopes are those along the way that is really gone, which ends where a multiplier would fall
/// below nothing: the function is convex, so one that still falls at the end has fallen throughout.
fn stride(
    prices: &[f64],
    here: &Point,
    step: &[f64],
    rise: f64,
    at: &dyn Fn(&[f64]) -> Point,
) -> Option<(Vec<f64>, Point)> {
    let reached = |part: f64| -> (Vec<f64>, Point, f64) {
        let pairs = prices.iter().zip(step);
        let next: Vec<f64> = pairs.map(|(p, s)| (p + part * s).max(0.0)).collect();
        let point = at(&next);
        let slope = |left: &[f64]| -> f64 {
            let moved = next.iter().zip(prices).map(|(n, p)| n - p);
            left.iter().zip(moved).map(|(left, by)| left * by).sum()
        };
        let (first, last) = (slope(&here.left), slope(&point.left));
        // A way that bends at nothing may not even lead down.
        let kept = if first < 0.0 { last / first } else { -1.0 };
        (next, point, kept)
    };
    let longest = step.iter().fold(0.0_f64, |most, s| most.max(s.abs()));
    let highest = prices.iter().copied().fold(0.0, f64::max);
    let mut part = match highest > 0.0 && longest > FARTHEST * highest {
        true => FARTHEST * highest / longest,
        false => 1.0,
    };
    let mut found = reached(part);
    for _ in 0..STRIDES {
        let factor = match found.2 {
            kept if kept < -rise => 0.5,
            kept if kept > 0.9 => 2.0,
            _ => break,
        };
        let next = reached(part * factor);
        // Between a step that is too short and its double that is too long, the short one it is.
        if factor > 1.0 && next.2 < -rise {
            break;
        }
        part *= factor;
        found = next;
    }
    (found.2 >= -rise && found.0 != prices).then_some((found.0, found.1))
}
