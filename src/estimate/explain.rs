//! Every term of one scenario, with its inputs and where each comes from.

use super::build::Ground;
use super::formulas::Shape;
use super::place::{self, default};
use super::types::{Explanation, Input, Place, Term};
use crate::arithmetic::{
    Age, Demand, HopAge, HopLoad, Known, MONTH_DAYS, Origin, PriceFacts, ScenarioFigures,
    SystemFacts, Timing, per_month, per_second,
};
use crate::checks::figures;
use crate::model::{Policy, Scenario, SystemId};
use crate::text::{Sources, Span};

/// Explains a scenario; none: its figures are not known at all.
pub fn explain(ground: Ground, sources: &Sources, scenario: &Scenario) -> Option<Explanation> {
    let figures = ground.arithmetic.scenario(scenario.id)?;
    let mut writer = Writer {
        ground,
        sources,
        scenario,
        figures,
        inputs: Vec::new(),
        terms: Vec::new(),
    };
    writer.mode();
    for (at, load) in figures.hops.iter().enumerate() {
        writer.demand(load);
        if let Some(age) = figures.ages.get(at) {
            writer.hop(load, age);
        }
    }
    for system in called(figures) {
        writer.system(system);
    }
    writer.money();
    Some(Explanation {
        scenario: scenario.name.text.to_string(),
        inputs: writer.inputs,
        terms: writer.terms,
    })
}

/// The systems that it calls, each once, in the order of its hops.
fn called(figures: &ScenarioFigures) -> Vec<SystemId> {
    let mut systems = Vec::new();
    for system in figures.hops.iter().flat_map(|h| [h.from, h.to]) {
        if !systems.contains(&system) {
            systems.push(system);
        }
    }
    systems
}

struct Writer<'a> {
    ground: Ground<'a>,
    sources: &'a Sources,
    scenario: &'a Scenario,
    figures: &'a ScenarioFigures,
    inputs: Vec<Input>,
    terms: Vec<Term>,
}

impl Writer<'_> {
    fn line(&self, span: Span) -> Place {
        place::line(self.sources, span)
    }

    fn place(&self, origin: &Origin) -> Place {
        place::of(self.sources, origin)
    }

    fn input(&mut self, of: &str, symbol: &str, meaning: &str, value: String, place: Place) {
        let input = Input {
            of: of.to_owned(),
            symbol: symbol.to_owned(),
            meaning: meaning.to_owned(),
            value: Some(value),
            place,
        };
        if !self.inputs.contains(&input) {
            self.inputs.push(input);
        }
    }

    fn known(&mut self, of: &str, symbol: &str, meaning: &str, known: &Known<f64>, unit: Unit) {
        let place = self.place(&known.origin);
        self.input(of, symbol, meaning, unit.said(known.value), place);
    }

    fn term(&mut self, of: &str, what: &str, formula: &str, value: Option<f64>, unit: &str) {
        self.terms.push(Term {
            of: of.to_owned(),
            what: what.to_owned(),
            formula: formula.to_owned(),
            value,
            unit: unit.to_owned(),
        });
    }

    fn mode(&mut self) {
        let scenario = self.scenario;
        let name = scenario.name.text.to_string();
        let place = match (&scenario.mode.chosen, scenario.mode.span) {
            (Some(chosen), _) => Place::Derived {
                reason: format!("chosen for `auto`, {}", chosen.why),
            },
            (_, Some(span)) => self.line(span),
            (_, None) => default("neither the scenario nor `unsure` says a mode"),
        };
        let text = crate::choice::text(&scenario.mode.kind);
        self.input(&name, "mode", "when it moves records", text, place);
        if let Some(window) = &scenario.window {
            let place = self.line(window.clause);
            self.input(
                &name,
                "window",
                "when it may start",
                window.value.to_string(),
                place,
            );
        }
        let Some(gaps) = self.figures.timing.gaps() else {
            return;
        };
        let follows = || Place::Derived {
            reason: "from the mode over the 366 days from 1 January, clock changes included"
                .to_owned(),
        };
        let longest = gaps.longest.to_string();
        self.input(&name, "T", "longest gap between starts", longest, follows());
        let starts = figures::count(gaps.starts_per_day());
        self.input(&name, "S", "starts a day", starts, follows());
    }

    fn demand(&mut self, load: &HopLoad) {
        let of = self.hop_name(load);
        let entity = self.ground.policy.entity(load.entity).name.text.to_string();
        let demand = &load.demand;
        match &demand.records_per_day {
            Some(carried) => {
                let meaning = "changed records a day that leave its source";
                self.known(&of, "λ", meaning, carried, Unit::Count);
            }
            None => self.inputs.push(Input {
                of: of.clone(),
                symbol: "λ".to_owned(),
                meaning: "changed records a day that leave its source".to_owned(),
                value: None,
                place: default("nothing declares a `volume`: its calls are not known"),
            }),
        }
        if let Some(all) = &demand.entity_changes_per_day {
            let meaning = "changes a day of the whole entity, which a read meets";
            self.known(&entity, "λₑ", meaning, all, Unit::Count);
        }
        if let Some(records) = &demand.records {
            self.known(&entity, "N", "records", records, Unit::Count);
        }
        if self.figures.timing.is_realtime() {
            let meaning = "the busiest minute over the mean";
            self.known(&of, "k", meaning, &demand.peak, Unit::Count);
        }
        self.shares(demand, &of);
    }

    fn shares(&mut self, demand: &Demand, of: &str) {
        let passes = [&demand.events_pass, &demand.records_pass];
        for share in passes.into_iter().flatten() {
            self.known(of, "f", "share that passes `if`", share, Unit::Share);
        }
        if matches!(self.figures.timing, Timing::Hybrid(_)) {
            let meaning = "share of changes that events lose";
            self.known(of, "d", meaning, &demand.drift, Unit::Share);
        }
    }

    fn hop_name(&self, load: &HopLoad) -> String {
        let (from, to) = (self.ground.name(load.from), self.ground.name(load.to));
        match load.hop {
            Some(_) => format!("{from} → {to}"),
            None => format!("clean in {from}"),
        }
    }

    fn hop(&mut self, load: &HopLoad, age: &HopAge) {
        let of = self.hop_name(load);
        let known = !load.volume_is_unknown();
        let of_known = |value: f64| known.then_some(value);
        let shape = Shape::of(self.figures, self.scenario, load);
        let (from, to) = (
            format!("calls a day at {}", self.ground.name(load.from)),
            format!("calls a day at {}", self.ground.name(load.to)),
        );
        let source = of_known(load.per_day.source.total());
        let at_source = match load.hop {
            Some(_) => shape.reads(),
            None => "S · (⌈N/g⌉ + E⌈X/b⌉ · w) / (1−p), X Poisson of N(1 − e^(−λt/N))",
        };
        self.term(&of, &from, at_source, source, "calls");
        if load.hop.is_some() {
            let target = of_known(load.per_day.target.total());
            self.term(&of, &to, shape.writes(), target, "calls");
        }
        let records = load.records_per_day();
        self.term(
            &of,
            "records written a day",
            shape.records(),
            records,
            "records",
        );
        if shape.by_event {
            let peak = of_known(load.peak.source.total() + load.peak.target.total());
            let formula = "k · calls a day / 86,400";
            self.term(&of, "peak calls a second", formula, peak, "calls/s");
        }
        self.age(&of, &shape, age);
    }

    fn age(&mut self, of: &str, shape: &Shape, age: &HopAge) {
        for (which, age) in [("worst", age.worst), ("mean", age.mean)] {
            let Age {
                detect,
                queue,
                write,
            } = age;
            let what = |part: &str| format!("{which} delay, {part}");
            self.term(of, &what("until known"), shape.detect(which), detect, "s");
            self.term(of, &what("in the queue"), shape.wait(which), queue, "s");
            self.term(of, &what("to write"), shape.write(which), write, "s");
            let total = age.total();
            self.term(of, &what("in all"), "the sum of these three", total, "s");
        }
    }

    fn system(&mut self, id: SystemId) {
        let Some(facts) = self.ground.arithmetic.facts(id) else {
            return;
        };
        let of = self.ground.name(id).to_owned();
        let reads = self.figures.hops.iter().any(|h| h.from == id);
        let writes = self.figures.hops.iter().any(|h| h.to == id);
        let timing = &self.figures.timing;
        self.known(
            &of,
            "p",
            "share of calls that fail and are tried again",
            &facts.failure,
            Unit::Share,
        );
        if reads && timing.is_realtime() {
            self.known(
                &of,
                "D",
                "until an event tells of a change",
                &facts.event_latency,
                Unit::Seconds,
            );
            let place = self.entry_of(id);
            let read = figures::count(facts.reads_per_event);
            self.input(&of, "r", "reads for each event", read, place);
        }
        if timing.gaps().is_some() {
            self.batches(&of, facts, reads, writes);
        }
        if reads && matches!(timing, Timing::Scheduled(_)) {
            self.known(
                &of,
                "lag",
                "until a read shows a change",
                &facts.read_lag,
                Unit::Seconds,
            );
        }
        if writes || timing.gaps().is_some() {
            self.known(&of, "L", "one write, p99", &facts.latency, Unit::Seconds);
            let place = self.entry_of(id);
            let calls = figures::count(facts.calls_per_write);
            self.input(&of, "w", "calls of one write", calls, place);
        }
        if timing.gaps().is_some() {
            self.known(&of, "c", "calls at a time", &facts.concurrency, Unit::Count);
        }
        self.limits(&of, facts);
    }

    fn batches(&mut self, of: &str, facts: &SystemFacts, reads: bool, writes: bool) {
        let said = |group: Option<u32>| match group {
            Some(records) => figures::count(f64::from(records)),
            None => "the whole file".to_owned(),
        };
        if reads {
            let place = self.place(&facts.read_page.origin);
            let value = said(facts.read_page.value);
            self.input(of, "g", "records of one read page", value, place);
        }
        if !writes {
            return;
        }
        if let Some(own) = &self.scenario.batch {
            let (value, place) = (figures::count(own.value as f64), self.line(own.clause));
            self.input(of, "b", "records of one write call", value, place);
            return;
        }
        let place = self.place(&facts.write_batch.origin);
        let value = said(facts.write_batch.value);
        self.input(of, "b", "records of one write call", value, place);
        if let Some(bulk) = &facts.bulk {
            self.known(
                of,
                "bulk",
                "records from which a bulk job is taken",
                &bulk.from_records,
                Unit::Count,
            );
            self.known(
                of,
                "fixed",
                "calls that a bulk job takes anyway",
                &bulk.fixed_calls,
                Unit::Count,
            );
        }
    }

    fn limits(&mut self, of: &str, facts: &SystemFacts) {
        for limit in &facts.limits {
            let place = self.place(&limit.origin);
            let calls = figures::count(limit.calls);
            let per = figures::duration(limit.per_seconds);
            let (symbol, meaning) = match limit.is_quota() {
                true => ("Q", format!("quota `{}`", limit.name)),
                false => ("μ", format!("burst limit `{}`", limit.name)),
            };
            self.input(
                of,
                symbol,
                &meaning,
                format!("{calls} {} per {per}", limit.counts.unit()),
                place,
            );
        }
        if facts.quotas().next().is_some() {
            self.known(
                of,
                "B",
                "the policy's share of quotas",
                &facts.budget,
                Unit::Share,
            );
        }
        match &facts.price {
            PriceFacts::Known { per_call, included } => {
                self.known(of, "price", "of one call", per_call, Unit::Money);
                if let Some(included) = included {
                    let meaning = "calls a month that the tier includes";
                    self.known(of, "free", meaning, included, Unit::Count);
                }
            }
            PriceFacts::None => {
                let place = default("calls cost nothing where nobody says a `price`");
                self.input(of, "price", "of one call", "0".to_owned(), place);
            }
            PriceFacts::Foreign(currency) => {
                let reason = format!("the catalog has it in {currency} only: write `price`");
                self.input(
                    of,
                    "price",
                    "of one call",
                    "not known".to_owned(),
                    default(&reason),
                );
            }
        }
    }

    /// What an entry says by what it can do, not by a figure with a source of its own.
    fn entry_of(&self, id: SystemId) -> Place {
        match self.ground.policy.system(id).entry() {
            Some(entry) => Place::Catalog {
                entry: entry.name.clone(),
                page: Some(entry.docs.clone()).filter(|d| !d.is_empty()),
                date: None,
            },
            None => default("it has no connector that is known"),
        }
    }

    fn money(&mut self) {
        let policy: &Policy = self.ground.policy;
        let name = self.scenario.name.text.to_string();
        if self.figures.timing.is_realtime() {
            let (value, place) = match &policy.upkeep {
                Some(said) => (per_month(said.value), self.line(said.clause)),
                None => (
                    0.0,
                    default("real time needs no upkeep where none is declared"),
                ),
            };
            let meaning = "of one real-time scenario a month";
            self.input(&name, "upkeep", meaning, Unit::Money.said(value), place);
        }
        let stale = self.scenario.stale.as_ref();
        let (cost, place) = match stale.and_then(|s| Some((s.clause, s.costs?))) {
            Some((clause, costs)) => (per_second(costs.value) * 3_600.0, self.line(clause)),
            None => {
                let reason = "a delay costs nothing where `stale` says no `costs`";
                (0.0, default(reason))
            }
        };
        let meaning = "of one record late by an hour";
        self.input(&name, "costs", meaning, Unit::Money.said(cost), place);
        self.bill(&name);
    }

    fn bill(&mut self, name: &str) {
        let (policy, scenario): (&Policy, _) = (self.ground.policy, self.scenario);
        let Some(costs) = self.ground.arithmetic.costs(policy, scenario) else {
            return;
        };
        let delayed = self.figures.delayed_per_day(policy, scenario);
        let delayed = delayed.map(|d| d * MONTH_DAYS);
        let formula = "30 · λ·f of all its hops, each changed record once";
        self.term(
            name,
            "records that wait a month",
            formula,
            delayed,
            "records",
        );
        let mean = self.figures.mean_delay();
        self.term(
            name,
            "mean delay",
            "the largest mean of its hops",
            mean,
            "s",
        );
        let currency = policy.currency.to_string();
        let mut cost = |what: &str, formula: &str, amount| {
            self.term(name, what, formula, amount, &currency);
        };
        let api = "calls a month beyond `free` · price";
        cost("cost of calls a month", api, costs.api);
        let upkeep = "once for each real-time scenario";
        cost("cost of upkeep a month", upkeep, Some(costs.upkeep));
        let stale = "records that wait · mean delay · costs / 3,600";
        cost("cost of delays a month", stale, costs.staleness);
        cost("cost a month", "the sum of these three", costs.total());
    }
}

/// How an input's figure is written.
#[derive(Clone, Copy)]
enum Unit {
    Count,
    Share,
    Seconds,
    Money,
}

impl Unit {
    fn said(self, value: f64) -> String {
        match self {
            Unit::Count => figures::count(value),
            Unit::Share => figures::share(value),
            Unit::Seconds => figures::duration(value),
            Unit::Money => {
                let text = format!("{value:.6}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
        }
    }
}
