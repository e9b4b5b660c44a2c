//! How a day's load is spread over its hours.
//!
//! Every day is alike, so that any whole number of days has the mean that the estimate speaks of.
//! Where the policy's zone is that of a place, people work there from eight to six; in UTC the load
//! is even. In both, the busiest minutes of the day have the declared peak.

/// Minutes of a day.
const DAY: f64 = 1_440.0;
/// Working hours, in minutes of the day.
const WORK: (f64, f64) = (480.0, 1_080.0);
/// How much busier they are than the mean.
const AT_WORK: f64 = 1.7;
/// How many single minutes of the day are the busiest: one in each of these hours, each further on
/// in its hour than the one before, so that no schedule meets them all at the same distance.
const BUSIEST: usize = 10;

/// The beginning of each of the busiest minutes.
fn busiest() -> impl Iterator<Item = f64> {
    (0..BUSIEST).map(|n| WORK.0 + 3.0 + 66.0 * n as f64)
}

/// The shape of a day: parts with how many times the mean their rate is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    /// The end of each part in minutes, the factor in it, and the share of the day's load up to
    /// its end.
    parts: Vec<(f64, f64, f64)>,
}

impl Shape {
    /// A day with a peak of so many times the mean; `works`: with working hours.
    pub fn new(peak: f64, works: bool) -> Shape {
        let busiest_minutes = BUSIEST as f64;
        // The minutes at the peak must leave something for the rest.
        let peak = peak.clamp(1.0, DAY / 2.0 / busiest_minutes);
        let even = (DAY - busiest_minutes * peak) / (DAY - busiest_minutes);
        let (day, night) = match works {
            true => {
                let day = AT_WORK.min(peak);
                let long = WORK.1 - WORK.0;
                let night = (DAY - long * day) / (DAY - long);
                // What the peak has more is taken from the other hours of work.
                let left = long * day - busiest_minutes * peak;
                (left / (long - busiest_minutes), night)
            }
            false => (even, even),
        };
        // A peak that takes more than the hours of work have comes out of the whole day.
        let (day, night) = if day > 0.0 {
            (day, night)
        } else {
            (even, even)
        };
        let minutes = busiest().flat_map(|at| [(at, day), (at + 1.0, peak)]);
        let ends = [(WORK.0, night)].into_iter().chain(minutes);
        let ends = ends.chain([(WORK.1, day), (DAY, night)]);
        let mut parts = Vec::new();
        let (mut sum, mut from) = (0.0, 0.0);
        for (to, factor) in ends {
            sum += (to - from) * factor / DAY;
            parts.push((to, factor, sum));
            from = to;
        }
        Shape { parts }
    }

    /// The share of a day's load that has come by a minute of the day.
    pub fn load_by(&self, minute: f64) -> f64 {
        let mut before = (0.0, 0.0);
        for (to, factor, sum) in &self.parts {
            if minute < *to {
                return before.1 + (minute - before.0) * factor / DAY;
            }
            before = (*to, *sum);
        }
        1.0
    }

    /// The minute, counted from midnight of the first day, by which `load` days' worth of load has
    /// come.
    pub fn minute_of(&self, load: f64) -> f64 {
        let day = load.floor();
        let left = load - day;
        let mut before = (0.0, 0.0);
        for (to, factor, sum) in &self.parts {
            if left < *sum && *factor > 0.0 {
                return day * DAY + before.0 + (left - before.1) * DAY / factor;
            }
            before = (*to, *sum);
        }
        (day + 1.0) * DAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_mean_and_its_peak() {
        for (peak, works) in [
            (1.0, false),
            (3.0, false),
            (8.0, true),
            (1.2, true),
            (200.0, true),
        ] {
            let shape = Shape::new(peak, works);
            let sum = shape.parts.last().map_or(0.0, |p| p.2);
            assert!((sum - 1.0).abs() < 1e-9, "{peak} {works}: {sum}");
            assert!(shape.parts.iter().all(|p| p.1 >= 0.0), "{shape:?}");
            assert_eq!(shape.minute_of(0.0), 0.0);
            assert!((shape.minute_of(3.0) - 3.0 * DAY).abs() < 1e-6);
            let mut last = -1.0;
            for step in 0..1_000 {
                let load = f64::from(step) / 500.0;
                let minute = shape.minute_of(load);
                let back = shape.load_by(minute.rem_euclid(DAY)) + (minute / DAY).floor();
                assert!((back - load).abs() < 1e-6, "{back} {load}");
                assert!(minute > last);
                last = minute;
            }
        }
        let shape = Shape::new(8.0, true);
        let (before, after) = (shape.minute_of(0.5), shape.minute_of(0.5001));
        assert!((480.0..1_080.0).contains(&before) && after > before);
    }
}
