//! From which figure on the answer is another one, found by the arithmetic itself: prices are
//! linear and solved for, volumes are searched by halving, ages are compared mode by mode.
//!
//! A threshold holds with everything else as it is: all other scenarios, limits and prices.

use std::collections::BTreeSet;

use super::super::build::{quota_share, tightest};
use super::super::candidates::Tried;
use super::super::fields;
use super::options::{Choice, MONEY_MIN, Options};
use super::search::{
    first_that_wins, grouped, last_that_holds, money_beyond, no_longer_than, no_shorter_than,
};
use super::{Asked, Clause, Lever, SECONDS_TOLERANCE, Side, Then, Threshold};
use crate::arithmetic::{Alternative, MONTH_DAYS, Origin, per_month, per_second};
use crate::choice;
use crate::model::{FieldId, SystemId};

/// How many fields are looked at for the bounds that would change the answer.
const FIELDS_MAX: usize = 24;

/// How many of them are told.
const BOUNDS_SHOWN: usize = 4;

pub(super) fn of(asked: Asked, options: &Options) -> Vec<Threshold> {
    let Some(answer) = options.answer() else {
        return Vec::new();
    };
    let solver = Solver {
        asked,
        options,
        answer,
    };
    let mut found = solver.bounds();
    found.extend(solver.looser_bounds());
    found.extend(solver.costs());
    found.extend(solver.upkeep());
    found.extend(solver.limits());
    found.extend(solver.volumes());
    found
}

struct Solver<'a> {
    asked: Asked<'a>,
    options: &'a Options,
    /// The mode whose standing is in question.
    answer: &'a Choice,
}

impl Solver<'_> {
    /// The other modes that fit.
    fn rivals(&self) -> impl Iterator<Item = (usize, &Choice)> {
        let all = self.options.choices.iter().enumerate();
        all.filter(|(_, c)| c.fits && c.tried.text != self.answer.tried.text)
    }

    fn then_mode(&self, mode: Option<&Choice>) -> Then {
        let price = |c: &Choice| c.costs.total();
        let saves = mode.and_then(|c| Some(price(self.answer)? - price(c)?));
        Then::Mode {
            mode: mode.map(|c| c.tried.text.clone()),
            saves_per_month: saves.filter(|s| *s >= MONEY_MIN),
        }
    }

    // Ages.

    /// How old a field gets in a system if the scenario had that mode.
    fn worst(&self, of: &Alternative, field: FieldId, system: SystemId) -> f64 {
        let ground = self.asked.ground;
        let paths = of.paths(
            ground.arithmetic,
            ground.policy,
            ground.graph,
            field,
            system,
        );
        fields::worst(&paths).unwrap_or(f64::INFINITY)
    }

    /// The fields whose age this scenario decides, with the systems: the bounded ones, else the
    /// first that each hop carries.
    fn watched(&self) -> Vec<(FieldId, SystemId)> {
        let ground = self.asked.ground;
        let mut alike = BTreeSet::new();
        let flow = |f: FieldId| ground.graph.flows.number_of(f);
        let bounded = choice::bounded(ground, self.asked.scenario).map(|(f, s, _)| (f.id, s));
        let mut watched: Vec<(FieldId, SystemId)> = bounded
            .filter(|(field, system)| alike.insert((flow(*field), *system)))
            .take(FIELDS_MAX)
            .collect();
        if watched.is_empty() {
            let hops = self.asked.scenario.hops.iter();
            let first = hops.filter_map(|hop| {
                let mut data = hop.fields.iter().copied();
                let field = data.find(|f| ground.policy.field(*f).is_data())?;
                Some((field, hop.to.value))
            });
            watched = first
                .filter(|(field, system)| alike.insert((flow(*field), *system)))
                .take(FIELDS_MAX)
                .collect();
        }
        watched
    }

    /// Bounds that the answer would not keep.
    fn bounds(&self) -> Vec<Threshold> {
        let mut found = Vec::new();
        for (field, system) in self.watched() {
            let now = self.worst(&self.answer.tried.what_if, field, system);
            if !now.is_finite() {
                continue;
            }
            let all = self.options.choices.iter();
            let ages: Vec<f64> = all
                .map(|c| self.worst(&c.tried.what_if, field, system))
                .collect();
            // Where no mode of this scenario makes a difference, others decide how old it gets.
            if ages
                .iter()
                .all(|age| (age - now).abs() <= SECONDS_TOLERANCE)
            {
                continue;
            }
            let faster = self.rivals().map(|(at, _)| at).filter(|at| {
                let then = ages.get(*at).copied().unwrap_or(f64::INFINITY);
                now - then > SECONDS_TOLERANCE
            });
            let next = self.options.cheapest(faster);
            let next = next.and_then(|at| self.options.choices.get(at));
            let declared = self.asked.ground.policy.field(field);
            let today = choice::bound(declared, system);
            found.push(Threshold {
                lever: Lever::Fresh,
                of: self.place_of(field, system),
                when: Side::Below,
                value: now,
                unit: "s".to_owned(),
                today,
                clauses: vec![Clause {
                    of: self.asked.ground.policy.field_path(field),
                    text: format!(
                        "fresh {} in {}",
                        no_longer_than(now),
                        self.asked.ground.name(system)
                    ),
                }],
                then: self.then_mode(next),
            });
        }
        // Where the bound of today is nearest to what would break it comes first.
        let slack = |t: &Threshold| t.today.map_or(f64::INFINITY, |today| today - t.value);
        found.sort_by(|a, b| slack(a).total_cmp(&slack(b)));
        found.truncate(BOUNDS_SHOWN);
        found
    }

    fn place_of(&self, field: FieldId, system: SystemId) -> String {
        let ground = self.asked.ground;
        format!(
            "{} in {}",
            ground.policy.field_path(field),
            ground.name(system)
        )
    }

    /// The bounds that keep a cheaper mode out.
    fn looser_bounds(&self) -> Option<Threshold> {
        let cheaper = |c: &Choice| {
            let saves = self.answer.costs.total().zip(c.costs.total());
            let saves = saves.map_or(0.0, |(now, then)| now - then);
            let simpler = c.burden() < self.answer.burden();
            saves >= MONEY_MIN || (saves > -0.005 && simpler)
        };
        let late = self.options.choices.iter().enumerate();
        let late = late.filter(|(_, c)| c.only_late && cheaper(c));
        let at = self.options.cheapest(late.map(|(at, _)| at))?;
        let choice = self.options.choices.get(at)?;
        let mut broken = self.broken(&choice.tried);
        broken.sort_by(|a, b| b.2.total_cmp(&a.2));
        let (of, today, value, _) = broken.first()?.clone();
        if !value.is_finite() {
            return None;
        }
        Some(Threshold {
            lever: Lever::Fresh,
            of,
            when: Side::Above,
            value,
            unit: "s".to_owned(),
            today: Some(today),
            clauses: broken.into_iter().map(|b| b.3).collect(),
            then: self.then_mode(Some(choice)),
        })
    }

    /// The bounds that a mode breaks: whose, what is allowed, what it would need, and as a clause.
    fn broken(&self, tried: &Tried) -> Vec<(String, f64, f64, Clause)> {
        let (ground, scenario) = (self.asked.ground, self.asked.scenario);
        let mut broken = Vec::new();
        let figures = &tried.what_if.figures;
        let slowest = super::worst_of(figures).unwrap_or(f64::INFINITY);
        if let Some(own) = scenario.fresh.map(|f| f.value.as_secs_f64())
            && slowest > own + SECONDS_TOLERANCE
        {
            let clause = Clause {
                of: self.asked.name(),
                text: format!("fresh {}", no_shorter_than(slowest)),
            };
            broken.push((self.asked.name(), own, slowest, clause));
        }
        for (field, system, within) in choice::bounded(ground, scenario).take(FIELDS_MAX) {
            let worst = self.worst(&tried.what_if, field.id, system);
            if worst > within + SECONDS_TOLERANCE {
                let clause = Clause {
                    of: ground.policy.field_path(field.id),
                    text: format!(
                        "fresh {} in {}",
                        no_shorter_than(worst),
                        ground.name(system)
                    ),
                };
                broken.push((self.place_of(field.id, system), within, worst, clause));
            }
        }
        broken
    }

    // Money: a mode's cost is its calls and upkeep, and what an hour's delay costs times the hours
    // that its records wait.

    /// What a mode costs without delays, and the hours that its records wait in a month.
    fn line(&self, choice: &Choice) -> Option<(f64, f64)> {
        let (policy, scenario) = (self.asked.ground.policy, self.asked.scenario);
        let figures = &choice.tried.what_if.figures;
        let records = figures.delayed_per_day(policy, scenario)? * MONTH_DAYS;
        let hours = figures.mean_delay()? / 3_600.0;
        Some((choice.costs.api? + choice.costs.upkeep, records * hours))
    }

    /// The `costs` at which another mode would be the answer: the nearest above and below.
    fn costs(&self) -> Vec<Threshold> {
        let Some((own_fixed, own_hours)) = self.line(self.answer) else {
            return Vec::new();
        };
        let stale = self.asked.scenario.stale;
        let costs = stale.and_then(|s| s.costs);
        let today = costs.map_or(0.0, |c| per_second(c.value) * 3_600.0);
        let mut above: Option<(f64, usize)> = None;
        let mut below: Option<(f64, usize)> = None;
        for (at, rival) in self.rivals() {
            let Some((fixed, hours)) = self.line(rival) else {
                continue;
            };
            let turn = (fixed - own_fixed) / (own_hours - hours);
            if !turn.is_finite() || turn <= 0.0 {
                continue;
            }
            // One that waits less wins above, one that waits more below.
            if hours < own_hours && turn > today && above.is_none_or(|a| turn < a.0) {
                above = Some((turn, at));
            }
            if hours > own_hours && turn < today && below.is_none_or(|b| turn > b.0) {
                below = Some((turn, at));
            }
        }
        let told = |side, turn: Option<(f64, usize)>| {
            let (value, at) = turn?;
            let unit = format!("{}/hour", self.asked.ground.policy.currency);
            let impact = self.asked.scenario.impact();
            let impact = impact.map_or("late_followup", |i| i.word());
            let amount = money_beyond(value, side);
            let currency = &self.asked.ground.policy.currency;
            Some(Threshold {
                lever: Lever::Costs,
                of: self.asked.name(),
                when: side,
                value,
                unit,
                today: Some(today),
                clauses: vec![Clause {
                    of: self.asked.name(),
                    text: format!("stale {impact} costs {amount} {currency}/hour"),
                }],
                then: self.then_mode(self.options.choices.get(at)),
            })
        };
        let both = [told(Side::Above, above), told(Side::Below, below)];
        both.into_iter().flatten().collect()
    }

    /// The `upkeep` at which real time begins to pay, or no longer does.
    fn upkeep(&self) -> Option<Threshold> {
        let policy = self.asked.ground.policy;
        let today = policy.upkeep.as_ref().map_or(0.0, |u| per_month(u.value));
        let live = |c: &Choice| c.tried.what_if.figures.timing.is_realtime();
        let now_live = live(self.answer);
        let others = self.rivals().filter(|(_, c)| live(c) != now_live);
        let at = self.options.cheapest(others.map(|(at, _)| at))?;
        let rival = self.options.choices.get(at)?;
        let bare = |c: &Choice| Some(c.costs.api? + c.costs.staleness?);
        let (with, without, side) = match now_live {
            true => (self.answer, rival, Side::Above),
            false => (rival, self.answer, Side::Below),
        };
        let value = bare(without)? - bare(with)?;
        let turns = match side {
            Side::Above => value > today,
            Side::Below => value > 0.0 && value < today,
        };
        let amount = money_beyond(value, side);
        let currency = &policy.currency;
        turns.then(|| Threshold {
            lever: Lever::Upkeep,
            of: "policy".to_owned(),
            when: side,
            value,
            unit: format!("{currency}/month"),
            today: Some(today),
            clauses: vec![Clause {
                of: "policy".to_owned(),
                text: format!("upkeep {amount} {currency}/month"),
            }],
            then: self.then_mode(Some(rival)),
        })
    }

    // Volumes.

    fn busier(&self, choice: &Choice, times: f64) -> Alternative {
        let ground = self.asked.ground;
        let what = (self.asked.scenario, &choice.tried.mode);
        ground
            .arithmetic
            .as_if_busier(ground.policy, ground.graph, what, times)
    }

    /// Records a day that leave the scenario's sources; none: not known, or nothing.
    fn records_today(&self) -> Option<f64> {
        let mut by_source: Vec<(SystemId, f64)> = Vec::new();
        for hop in &self.asked.figures.hops {
            let carried = hop.demand.records_per_day.as_ref()?.value;
            match by_source.iter_mut().find(|s| s.0 == hop.from) {
                Some(known) => known.1 = known.1.max(carried),
                None => by_source.push((hop.from, carried)),
            }
        }
        let sum: f64 = by_source.iter().map(|s| s.1).sum();
        (sum > 0.0).then_some(sum)
    }

    /// `volume` as the scenario would write it; none: it would share records out otherwise than
    /// they come.
    fn volume_clause(&self, records: f64) -> Option<Clause> {
        let hops = &self.asked.figures.hops;
        let first = hops.first()?;
        let carried = |h: &crate::arithmetic::HopLoad| {
            h.demand.records_per_day.as_ref().map_or(0.0, |r| r.value)
        };
        let even = |h| (carried(h) - carried(first)).abs() <= 1e-9 * carried(first);
        if !hops.iter().all(even) {
            return None;
        }
        let peak = match first.demand.peak.origin {
            Origin::Policy(_) => format!(" peak {}x", first.demand.peak.value),
            _ => String::new(),
        };
        // The search stops a millionth short of the turn at most.
        let count = grouped((records * (1.0 + 1e-6)).floor() as u64 + 1);
        Some(Clause {
            of: self.asked.name(),
            text: format!("volume {count}/day{peak}"),
        })
    }

    fn volume(&self, side: Side, times: f64, then: Then) -> Option<Threshold> {
        let today = self.records_today()?;
        let value = today * times;
        Some(Threshold {
            lever: Lever::Volume,
            of: self.asked.name(),
            when: side,
            value,
            unit: "records/day".to_owned(),
            today: Some(today),
            clauses: match side {
                Side::Above => self.volume_clause(value).into_iter().collect(),
                Side::Below => Vec::new(),
            },
            then,
        })
    }

    /// How many records more break a quota, a burst limit, a run's time or a bound: the nearest of
    /// each kind.
    fn limits(&self) -> Vec<Threshold> {
        if self.records_today().is_none() {
            return Vec::new();
        }
        let ground = self.asked.ground;
        let answer = self.answer;
        let mut quota: Option<(f64, SystemId)> = None;
        let mut burst: Option<(f64, SystemId)> = None;
        for id in answer.tried.touched() {
            let Some(facts) = ground.arithmetic.facts(id) else {
                continue;
            };
            let load = |what_if: &Alternative| what_if.systems.get(id.index()).cloned();
            let in_quota = |times| {
                let then = load(&self.busier(answer, times)).unwrap_or_default();
                let tight = tightest(facts, &then);
                tight.is_none_or(|q| quota_share(facts, q, then.busiest_day()) <= 1.0)
            };
            let in_burst = |times| {
                let then = load(&self.busier(answer, times)).unwrap_or_default();
                facts.bursts().all(|l| choice::burst_share(l, &then) <= 1.0)
            };
            let nearest = |known: Option<(f64, SystemId)>, found: Option<f64>| match found {
                Some(found) if known.is_none_or(|k| found < k.0) => Some((found, id)),
                _ => known,
            };
            if facts.quotas().next().is_some() {
                quota = nearest(quota, last_that_holds(in_quota));
            }
            if facts.bursts().next().is_some() {
                burst = nearest(burst, last_that_holds(in_burst));
            }
        }
        let name = |id| ground.name(id).to_owned();
        let mut found = Vec::new();
        found.extend(quota.and_then(|(times, id)| {
            self.volume(Side::Above, times, Then::Quota { system: name(id) })
        }));
        found.extend(burst.and_then(|(times, id)| {
            let limit = self.burst_at(id, times);
            let then = Then::Burst {
                system: name(id),
                limit,
            };
            self.volume(Side::Above, times, then)
        }));
        // A limit that is used up makes everything late just before: one word is enough.
        let near = |times: f64| burst.is_some_and(|(b, _)| times > 0.99 * b);
        found.extend(self.slowness(near));
        found
    }

    /// The burst limit that is used most at so many times the records.
    fn burst_at(&self, id: SystemId, times: f64) -> String {
        let then = self.busier(self.answer, times);
        let facts = self.asked.ground.arithmetic.facts(id);
        let load = then.systems.get(id.index());
        let limits = facts.zip(load).and_then(|(facts, load)| {
            facts.bursts().max_by(|a, b| {
                choice::burst_share(a, load).total_cmp(&choice::burst_share(b, load))
            })
        });
        limits.map_or_else(String::new, |l| l.name.clone())
    }

    /// How many records more make a run too long, or a bound break.
    fn slowness(&self, told: impl Fn(f64) -> bool) -> Vec<Threshold> {
        let (ground, scenario) = (self.asked.ground, self.asked.scenario);
        let at = |times| Tried {
            text: self.answer.tried.text.clone(),
            mode: self.answer.tried.mode.clone(),
            what_if: self.busier(self.answer, times),
        };
        let in_time = last_that_holds(|times| at(times).overrun(scenario).is_none());
        let fresh = |times| {
            let tried = at(times);
            tried.late_hop(ground, scenario).is_none()
                && tried.late_field(ground, scenario).is_none()
        };
        let fresh = last_that_holds(fresh).filter(|times| !told(*times));
        let mut found = Vec::new();
        found.extend(in_time.and_then(|times| self.volume(Side::Above, times, Then::Overrun)));
        found.extend(fresh.and_then(|times| {
            let beyond = at(times * 1.001);
            let late = beyond.late_hop(ground, scenario);
            let why = late.or_else(|| beyond.late_field(ground, scenario))?;
            self.volume(Side::Above, times, Then::Late { why })
        }));
        found
    }

    /// How many records more, or fewer, make another mode the cheaper one.
    fn volumes(&self) -> Vec<Threshold> {
        if self.records_today().is_none() {
            return Vec::new();
        }
        let turn = |side: Side| {
            let rivals = self.rivals();
            let turns = rivals.filter_map(|(at, rival)| {
                let wins = |times: f64| {
                    let saves = self.saves(rival, times);
                    saves.is_some_and(|s| s > MONEY_MIN)
                };
                let times = first_that_wins(wins, side)?;
                Some((times, at))
            });
            let near = |t: &(f64, usize)| t.0.ln().abs();
            turns.min_by(|a, b| near(a).total_cmp(&near(b)))
        };
        let told = |side| {
            let (times, at) = turn(side)?;
            let then = self.then_mode(self.options.choices.get(at));
            self.volume(side, times, then)
        };
        let both = [told(Side::Above), told(Side::Below)];
        both.into_iter().flatten().collect()
    }

    /// What another mode saves in a month at so many times the records.
    fn saves(&self, rival: &Choice, times: f64) -> Option<f64> {
        let ground = self.asked.ground;
        let price = |c: &Choice| {
            let what_if = self.busier(c, times);
            let costs = what_if.costs(ground.arithmetic, ground.policy, self.asked.scenario);
            costs.total()
        };
        Some(price(self.answer)? - price(rival)?)
    }
}
