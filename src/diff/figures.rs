//! Calls, ages and money before and after, and the changes that they are.

use std::collections::BTreeMap;

use super::kind::Kind;
use super::list::{List, joined};
use super::types::{About, AgeFigures, Delta, Figures, ScenarioFigures, SystemFigures, Where};
use super::whole::POLICY;
use crate::checks::figures::{calls, duration, share};
use crate::estimate::{Estimate, FieldAge, ScenarioEstimate, SystemEstimate};

/// By which share of what was there before more calls or costs are risky.
const MUCH: f64 = 0.1;

/// Days in the month of an estimate.
const MONTH: f64 = 30.0;

pub(super) fn compare(list: &mut List) -> Option<Figures> {
    let estimate = |side: &super::Side| -> Option<Estimate> {
        side.policy.as_ref().and_then(|p| p.estimate.cloned())
    };
    let (mut old, new) = (estimate(list.old), estimate(list.new));
    // Where one side has none there is nothing to hold the other's against, unless there was no
    // policy at all: what is not there calls nobody and costs nothing.
    if new.is_none() || (old.is_none() && !list.old.nothing) {
        return None;
    }
    if let Some(old) = &mut old {
        rename(list, old);
    }
    let currencies = (
        old.as_ref().map(|e| e.currency.clone()),
        new.as_ref().map(|e| e.currency.clone()),
    );
    let currency = match currencies {
        (Some(a), Some(b)) if a != b => None,
        (a, b) => b.or(a),
    };
    let total = |e: &Option<Estimate>| e.as_ref().map_or(Some(0.0), total_cost);
    let mut month = Delta::of(total(&old), total(&new));
    let mut figures = Figures {
        systems: systems(list, &old, &new),
        scenarios: scenarios(&old, &new),
        ages: ages(list, &old, &new),
        cost_per_day: day(month),
        cost_per_month: month,
        currency,
    };
    if figures.currency.is_none() {
        month.change = None;
        figures.cost_per_month = month;
        figures.cost_per_day = day(month);
        for scenario in &mut figures.scenarios {
            scenario.cost_per_month.change = None;
            scenario.cost_per_day.change = None;
        }
    } else if month.growth().is_some_and(|g| g > MUCH) {
        let money = |m: Option<f64>| {
            let currency = figures.currency.as_deref().unwrap_or_default();
            m.map_or("not known".to_owned(), |m| {
                format!("{m:.2} {currency} a month")
            })
        };
        let growth = month.growth().unwrap_or_default();
        let (old, new) = (list.old, list.new);
        list.add(Kind::CostUp, POLICY)
            .was(money(month.old), old.head(|_| None))
            .is(money(month.new), new.head(|_| None))
            .means(format!("{} more", share(growth)));
    }
    Some(figures)
}

/// Reads the old figures with the new names.
fn rename(list: &List, old: &mut Estimate) {
    let renames = &list.old.renames;
    let find = |pairs: &[(String, String)], name: &str| {
        let found = pairs.iter().find(|(from, _)| from == name);
        found.map(|(_, to)| to.clone())
    };
    for system in &mut old.systems {
        if let Some(to) = find(&renames.systems, &system.name) {
            system.name = to;
        }
    }
    for scenario in &mut old.scenarios {
        if let Some(to) = find(&renames.scenarios, &scenario.name) {
            scenario.name = to;
        }
    }
    for age in &mut old.fields {
        if let Some(to) = find(&renames.systems, &age.system) {
            age.system = to;
        }
        let Some((entity, field)) = age.field.split_once('.') else {
            continue;
        };
        let entity = find(&renames.entities, entity).unwrap_or_else(|| entity.to_owned());
        let mut fields = renames.fields.iter();
        let found = fields.find(|(of, from, _)| *of == entity && from == field);
        let field = found.map_or(field, |(_, _, to)| to);
        age.field = format!("{entity}.{field}");
    }
}

fn day(month: Delta) -> Delta {
    let of = |m: Option<f64>| m.map(|m| m / MONTH);
    Delta {
        old: of(month.old),
        new: of(month.new),
        change: of(month.change),
    }
}

/// What all scenarios cost; none where one of them is not known.
fn total_cost(estimate: &Estimate) -> Option<f64> {
    let costs = estimate.scenarios.iter().map(|s| s.cost_per_month.total);
    costs.sum()
}

/// A figure of an item: 0 where it is not there at all.
fn of<T>(item: Option<&T>, figure: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    item.map_or(Some(0.0), figure)
}

fn systems(list: &mut List, old: &Option<Estimate>, new: &Option<Estimate>) -> Vec<SystemFigures> {
    let of_side = |e: &'_ Option<Estimate>| -> Vec<SystemEstimate> {
        e.as_ref().map_or(Vec::new(), |e| e.systems.clone())
    };
    let (a, b) = (of_side(old), of_side(new));
    let mut all = Vec::new();
    for (name, x, y) in joined(&a, &b, |s| &s.name) {
        let calls_per_day = Delta::of(of(x, |s| s.calls_per_day), of(y, |s| s.calls_per_day));
        let busiest = Delta::of(
            x.and_then(|s| s.busiest_utilisation),
            y.and_then(|s| s.busiest_utilisation),
        );
        system(list, &name, calls_per_day, busiest);
        all.push(SystemFigures {
            calls_per_day,
            quota_per_day: Delta::of(
                x.and_then(|s| s.quota_per_day),
                y.and_then(|s| s.quota_per_day),
            ),
            busiest_utilisation: busiest,
            name,
        });
    }
    all
}

fn system(list: &mut List, name: &str, per_day: Delta, busiest: Delta) {
    let (old, new) = (list.old, list.new);
    let more = match (per_day.old, per_day.new) {
        // Of a policy that is new every call is; that is no growth.
        _ if old.nothing => false,
        (Some(a), Some(b)) => b > a * (1.0 + MUCH) && b - a >= 1.0,
        _ => false,
    };
    let text = |c: Option<f64>| c.map_or("not known".to_owned(), |c| format!("{} a day", calls(c)));
    if more {
        let means = match per_day.growth() {
            Some(growth) => format!("{} more", share(growth)),
            None => "it was not called before".to_owned(),
        };
        list.add(Kind::CallsUp, name)
            .was(text(per_day.old), old.system(name, |_| None))
            .is(text(per_day.new), new.system(name, |_| None))
            .means(means)
            .about(About::System(name.to_owned()));
    }
    let over = |used: Option<f64>| used.is_some_and(|used| used > 1.0);
    if over(busiest.new) && !over(busiest.old) {
        let text = |used: Option<f64>| {
            used.map_or("not known".to_owned(), |used| {
                format!("{} of its budget", share(used))
            })
        };
        let at = |s: &crate::model::System| s.budget.as_ref().map(|b| b.clause);
        list.add(Kind::OverBudget, name)
            .was(text(busiest.old), old.system(name, at))
            .is(text(busiest.new), new.system(name, at))
            .means("on the busiest day calls are refused or have to wait for the next")
            .about(About::System(name.to_owned()));
    }
}

/// Calls a day at all systems; none where one is not known.
fn calls_of(scenario: &ScenarioEstimate) -> Option<f64> {
    let hops = scenario.hops.iter().flat_map(|h| h.calls_per_day.values());
    hops.copied().sum()
}

/// The worst age over all hops; none where one has no bound or is not known.
fn worst_of(scenario: &ScenarioEstimate) -> Option<f64> {
    let mut worst: Option<f64> = None;
    for hop in &scenario.hops {
        let own = hop.staleness_seconds.worst?;
        worst = Some(worst.map_or(own, |w| w.max(own)));
    }
    worst
}

fn scenarios(old: &Option<Estimate>, new: &Option<Estimate>) -> Vec<ScenarioFigures> {
    let none: &[ScenarioEstimate] = &[];
    let a = old.as_ref().map_or(none, |e| &e.scenarios);
    let b = new.as_ref().map_or(none, |e| &e.scenarios);
    let mut all = Vec::new();
    for (name, x, y) in joined(a, b, |s| &s.name) {
        let cost_per_month = Delta::of(
            of(x, |s| s.cost_per_month.total),
            of(y, |s| s.cost_per_month.total),
        );
        let row = ScenarioFigures {
            name,
            old_mode: x.map(|s| s.mode.clone()),
            new_mode: y.map(|s| s.mode.clone()),
            calls_per_day: Delta::of(of(x, calls_of), of(y, calls_of)),
            cost_per_day: day(cost_per_month),
            cost_per_month,
            worst_seconds: Delta::of(x.and_then(worst_of), y.and_then(worst_of)),
        };
        let figures = [row.calls_per_day, row.cost_per_month, row.worst_seconds];
        if row.old_mode != row.new_mode || figures.iter().any(Delta::differs) {
            all.push(row);
        }
    }
    all
}

/// A field and a system.
type Pair<'e> = (&'e str, &'e str);

fn ages(list: &mut List, old: &Option<Estimate>, new: &Option<Estimate>) -> Vec<AgeFigures> {
    let none: &[FieldAge] = &[];
    let a = old.as_ref().map_or(none, |e| &e.fields);
    let b = new.as_ref().map_or(none, |e| &e.fields);
    let mut pairs: BTreeMap<Pair, (Option<&FieldAge>, Option<&FieldAge>)> = BTreeMap::new();
    for age in a {
        pairs.entry((&age.field, &age.system)).or_default().0 = Some(age);
    }
    for age in b {
        pairs.entry((&age.field, &age.system)).or_default().1 = Some(age);
    }
    let mut all = Vec::new();
    for ((field, system), (x, y)) in pairs {
        let row = AgeFigures {
            field: field.to_owned(),
            system: system.to_owned(),
            required_seconds: Delta::of(
                x.and_then(|a| a.required_seconds),
                y.and_then(|a| a.required_seconds),
            ),
            worst_seconds: Delta::of(
                x.and_then(|a| a.worst_seconds),
                y.and_then(|a| a.worst_seconds),
            ),
        };
        if let Some(y) = y {
            slower(list, x, y);
        }
        if row.worst_seconds.differs() || row.required_seconds.differs() {
            all.push(row);
        }
    }
    all
}

/// Whether a field can get older than what is asked.
fn late(age: &FieldAge) -> bool {
    let Some(required) = age.required_seconds else {
        return false;
    };
    age.unbounded || age.worst_seconds.is_some_and(|worst| worst > required)
}

fn slower(list: &mut List, before: Option<&FieldAge>, now: &FieldAge) {
    if !late(now) || before.is_some_and(late) {
        return;
    }
    let Some((entity, field)) = now.field.split_once('.') else {
        return;
    };
    let (old, new) = (list.old, list.new);
    let text = |age: &FieldAge| match (age.unbounded, age.worst_seconds) {
        (true, _) => "any age".to_owned(),
        (false, Some(worst)) => format!("up to {} old", duration(worst)),
        (false, None) => "of an age that is not known".to_owned(),
    };
    let at = |f: &crate::model::Field| f.fresh.as_ref().map(|b| b.clause);
    let required = duration(now.required_seconds.unwrap_or_default());
    let adding = list
        .add(
            Kind::SlowerThanBound,
            format!("{} in {}", now.field, now.system),
        )
        .is(text(now), new.field(entity, field, at))
        .means(format!(
            "`fresh {required}` asks for less in `{}`",
            now.system
        ))
        .about(About::Field(
            entity.to_owned(),
            field.to_owned(),
            Where::At(now.system.clone()),
        ));
    if let Some(before) = before {
        adding.was(text(before), old.field(entity, field, at));
    }
}
