//! Which of the model's formulas stand behind a scenario's figures, in letters.

use crate::arithmetic::{HopLoad, ScenarioFigures, Timing};
use crate::model::Scenario;

/// Which of the model's formulas a scenario's mode and clauses ask for at one of its hops.
pub(super) struct Shape {
    pub by_event: bool,
    reconciles: bool,
    whole: bool,
    /// Whether it passes on what runs by the clock bring.
    fed_by_runs: bool,
}

impl Shape {
    pub fn of(figures: &ScenarioFigures, scenario: &Scenario, load: &HopLoad) -> Shape {
        Shape {
            by_event: figures.timing.is_realtime(),
            reconciles: matches!(figures.timing, Timing::Hybrid(_)),
            whole: scenario.scans_full(),
            fed_by_runs: load.passes_on_runs(),
        }
    }

    pub fn reads(&self) -> &'static str {
        match (self.by_event, self.reconciles, self.whole) {
            (true, false, _) => "λ·f · r / (1−p)",
            (true, true, _) => "λ·f · r / (1−p) + S · ⌈N/g⌉ / (1−p)",
            (false, _, true) => "S · ⌈N/g⌉ / (1−p), shared by the hops of its clause",
            (false, ..) => {
                "S · (P(X = 0) + E⌈X/g⌉) / (1−p), X Poisson of N(1 − e^(−λₑt/N)), shared by the \
                 hops of its clause"
            }
        }
    }

    pub fn writes(&self) -> &'static str {
        if self.fed_by_runs {
            return match (self.by_event, self.reconciles) {
                (true, false) => {
                    "calls in which what runs bring to its source goes on together, those of what \
                     comes one by one as λ·f, each · w / (1−p), and r for its own echo"
                }
                (true, true) => {
                    "calls in which what runs bring to its source goes on together, those of what \
                     comes one by one as λ·f, each · w / (1−p), r for its own echo, \
                     S · ⌈N/g⌉ / (1−p) and drift"
                }
                (false, _) => {
                    "the sum of E⌈X/b⌉ · w / (1−p) over its starts, X Poisson of f · what runs have \
                     brought to its source since the start before"
                }
            };
        }
        match (self.by_event, self.reconciles) {
            (true, false) => "λ·f · w / (1−p), and r for its own echo",
            (true, true) => "λ·f · w / (1−p), r for its own echo, S · ⌈N/g⌉ / (1−p) and drift",
            (false, _) => "S · E⌈X/b⌉ · w / (1−p), X Poisson of f · N(1 − e^(−λt/N))",
        }
    }

    pub fn records(&self) -> &'static str {
        if self.fed_by_runs {
            return "what runs bring to its source, by when they start: repeated changes collapse";
        }
        match (self.by_event, self.reconciles) {
            (true, false) => "λ·f",
            (true, true) => "λ·f · (1 + d): a reconcile finds what events lost",
            (false, _) => "S · f · N(1 − e^(−λt/N)): repeated changes collapse",
        }
    }

    pub fn detect(&self, which: &str) -> &'static str {
        match (self.by_event, which) {
            (true, _) => "D",
            (false, "worst") => "T + lag",
            (false, _) => "T/2 + lag",
        }
    }

    pub fn wait(&self, which: &str) -> &'static str {
        match (self.by_event, which) {
            (true, "worst") => {
                "max(0, s/(2(1−ρ)) · ln(100ρ)), over burst limits that count writes; + L where one \
                 call goes at a time"
            }
            (true, _) => {
                "ρs/(2(1−ρ)), over burst limits that count writes; + L/2 · the share of the time \
                 in which one is under way, where one call goes at a time"
            }
            (false, "worst") => {
                "max(0, s/(2(1−ρ)) · ln(100ρ)), over burst limits that count writes"
            }
            (false, _) => "ρs/(2(1−ρ)), over burst limits that count writes",
        }
    }

    pub fn write(&self, which: &str) -> &'static str {
        match (self.by_event, which) {
            (true, _) => "L",
            (false, "worst") => {
                "the sum of reads · L or reads/μ over its sources, + the greatest of writes/μ and \
                 writes · L/c over its destinations, + L; at as many records as a run may meet"
            }
            (false, _) => "(the greatest of writes/μ and writes · L/c at its destination + L) / 2",
        }
    }
}
