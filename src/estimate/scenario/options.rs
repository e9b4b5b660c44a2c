//! The modes that a scenario could have, held against each other.

use std::cmp::Reverse;

use super::super::candidates::{Tried, candidates};
use super::super::types::Candidate;
use super::{Answer, Asked, Verdict};
use crate::arithmetic::{Costs, Timing};
use crate::time::Millis;

/// What is too little money a month to change a mode for.
pub(super) const MONEY_MIN: f64 = 0.5;

/// A mode with what it costs and what speaks against it.
pub(super) struct Choice {
    pub tried: Tried,
    pub costs: Costs,
    pub why_not: Vec<String>,
    /// Whether nothing that it does is an error, and no change is lost that is not lost today.
    pub fits: bool,
    /// Whether all that speaks against it is that it is too slow.
    pub only_late: bool,
}

impl Choice {
    /// How much there is to run: least by a clock with long gaps, most with events and a reconcile.
    pub fn burden(&self) -> (u8, Reverse<Millis>) {
        let timing = &self.tried.what_if.figures.timing;
        let longest = timing.gaps().map_or(Millis::ZERO, |g| g.longest);
        let kind = match timing {
            Timing::Realtime => 1,
            Timing::Hybrid(_) => 2,
            _ => 0,
        };
        (kind, Reverse(longest))
    }
}

/// Every mode that a scenario could have.
pub(super) struct Options {
    pub choices: Vec<Choice>,
    /// The position of the mode that it has.
    pub today: usize,
    /// The position of the mode that answers best; none: none fits.
    pub best: Option<usize>,
}

impl Options {
    pub fn of(asked: Asked) -> Options {
        let (ground, scenario) = (asked.ground, asked.scenario);
        let own_text = crate::choice::text(&scenario.mode.kind);
        let tried = candidates(ground, scenario);
        let is_own = |t: &Tried| crate::choice::text(&t.mode) == own_text;
        let today = tried.iter().position(is_own).unwrap_or(0);
        let choices: Vec<Choice> = tried
            .into_iter()
            .enumerate()
            .map(|(at, tried)| {
                let why_not = tried.why_not(ground, scenario);
                let late = [
                    tried.late_hop(ground, scenario),
                    tried.late_field(ground, scenario),
                ];
                let late = late.iter().flatten().count();
                let loses = at != today && tried.loses_changes(ground, scenario);
                Choice {
                    costs: tried
                        .what_if
                        .costs(ground.arithmetic, ground.policy, scenario),
                    fits: why_not.is_empty() && !loses,
                    only_late: late > 0 && why_not.len() == late && !loses,
                    why_not,
                    tried,
                }
            })
            .collect();
        let mut options = Options {
            choices,
            today,
            best: None,
        };
        options.best = options.find_best();
        options
    }

    /// The cheapest that fits; the mode of today where no other is cheaper by enough to matter.
    /// Where its price is not known it stays, as long as it fits.
    fn find_best(&self) -> Option<usize> {
        let fits = |at: &usize| self.choices.get(*at).is_some_and(|c| c.fits);
        let cheapest = self.cheapest((0..self.choices.len()).filter(fits));
        if !fits(&self.today) {
            return cheapest;
        }
        let price = |at: usize| self.choices.get(at).and_then(|c| c.costs.total());
        match (price(self.today), cheapest.and_then(price)) {
            (Some(today), Some(least)) if today - least >= MONEY_MIN => cheapest,
            _ => Some(self.today),
        }
    }

    /// The cheapest of some; the simplest among equals.
    pub fn cheapest(&self, among: impl Iterator<Item = usize>) -> Option<usize> {
        let listed = among.filter_map(|at| Some((at, self.choices.get(at)?)));
        let price = |c: &Choice| c.costs.total().unwrap_or(f64::INFINITY);
        let best = listed.min_by(|(_, a), (_, b)| {
            // Money is told in hundredths: less is no difference.
            let cents = |c: &Choice| (price(c) * 100.0).round();
            let by_price = cents(a).total_cmp(&cents(b));
            by_price.then_with(|| a.burden().cmp(&b.burden()))
        });
        best.map(|(at, _)| at)
    }

    pub fn mode_of_today(&self) -> Option<&Choice> {
        self.choices.get(self.today)
    }

    /// The mode whose thresholds are worth telling: the best, else the one that it has.
    pub fn answer(&self) -> Option<&Choice> {
        self.choices.get(self.best.unwrap_or(self.today))
    }

    pub fn verdict(&self) -> Verdict {
        let today = self.mode_of_today();
        let best = self.best.and_then(|at| self.choices.get(at));
        let fits_today = today.is_some_and(|c| c.fits);
        let answer = match self.best {
            None => Answer::NothingFits,
            Some(at) if at == self.today => Answer::Stands,
            Some(_) if fits_today => Answer::Cheaper,
            Some(_) => Answer::Breaks,
        };
        let price = |c: Option<&Choice>| c.and_then(|c| c.costs.total());
        let saves = price(today).zip(price(best)).map(|(now, then)| now - then);
        Verdict {
            answer,
            mode: best.map(|c| c.tried.text.clone()),
            saves_per_month: saves,
            why_not: today.map_or_else(Vec::new, |c| c.why_not.clone()),
            simpler: self.simpler(),
        }
    }

    /// A mode with less to run that costs no more than the best.
    fn simpler(&self) -> Option<String> {
        let best = self.choices.get(self.best?)?;
        let most = best.costs.total()? + 0.005;
        let fitting = self.choices.iter().filter(|c| c.fits);
        let simple = fitting
            .filter(|c| c.costs.total().is_some_and(|t| t <= most))
            .min_by(|a, b| a.burden().cmp(&b.burden()))?;
        (simple.burden() < best.burden()).then(|| simple.tried.text.clone())
    }

    pub fn shown(&self, asked: Asked) -> Vec<Candidate> {
        let choices = self.choices.iter();
        choices
            .map(|c| c.tried.shown(asked.ground, asked.scenario))
            .collect()
    }
}
