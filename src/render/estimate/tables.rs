//! The tables of an estimate.

use super::glance::blame;
use super::page::{NOTHING, Section, UNKNOWN, delay, known, money, rate};
use crate::checks::figures;
use crate::estimate::scenario::ScenarioExplained;
use crate::estimate::{
    Candidate, Estimate, Explanation, HopEstimate, Input, Place, Range, ScenarioEstimate,
    SystemEstimate, SystemThen,
};
use crate::terms::ModeClass;

/// Columns that are left out where nothing has such a price.
const MONEY_PARTS: &[&str] = &["calls", "upkeep", "delays"];

/// Fields without a bound are told apart only where they are few.
const FIELDS_SHOWN: usize = 20;

pub(super) fn systems(estimate: &Estimate) -> Section {
    let head = [
        "system",
        "#calls/day",
        "#quota/day",
        "#budget/day",
        "#used",
        "#busiest day",
        "#peak/s",
        "#of burst limit",
        "most by",
    ];
    let mut table = Section::new("systems", &head);
    table.rows = estimate
        .systems
        .iter()
        .map(|s| system(estimate, s))
        .collect();
    table.slim(&["of burst limit"])
}

fn system(estimate: &Estimate, system: &SystemEstimate) -> Vec<String> {
    let at_least = match system.without.is_empty() {
        true => "",
        false => "≥",
    };
    let ends = |name: &str| system.ranges.get(name);
    let share = |name: &str, value: Option<f64>| match system.quota_per_day {
        Some(_) => ranged(ends(name), value, |v| known(v, figures::share)),
        None => NOTHING.to_owned(),
    };
    let limit = |name: &str, value: Option<f64>| match value {
        Some(_) => ranged(ends(name), value, |v| known(v, figures::count)),
        None => "none known".to_owned(),
    };
    let counted = |quota: String| match &system.quota_counts {
        Some(unit) => format!("{quota} {unit}"),
        None => quota,
    };
    let burst = system.burst_limit.as_ref();
    let most = blame(estimate, &system.name);
    vec![
        system.name.clone(),
        format!(
            "{at_least}{}",
            ranged(ends("calls_per_day"), system.calls_per_day, |v| {
                known(v, figures::count)
            })
        ),
        counted(limit("quota_per_day", system.quota_per_day)),
        limit("budget_per_day", system.budget_per_day),
        share("utilisation", system.utilisation),
        share("busiest_utilisation", system.busiest_utilisation),
        ranged(
            ends("peak_calls_per_second"),
            system.peak_calls_per_second,
            |v| known(v, rate),
        ),
        burst.map_or(NOTHING.to_owned(), |b| known(b.utilisation, figures::share)),
        most.map_or(NOTHING.to_owned(), |(name, part)| {
            format!("{name} ({})", figures::share(part))
        }),
    ]
}

pub(super) fn scenarios(estimate: &Estimate) -> Section {
    let currency = &estimate.currency;
    let total = format!("#{currency}/month");
    let head = [
        "scenario",
        "mode",
        "class",
        "#calls/day",
        "#mean",
        "#worst",
        "#calls",
        "#upkeep",
        "#delays",
        &total,
    ];
    let mut table = Section::new("scenarios", &head);
    table.rows = estimate.scenarios.iter().map(scenario).collect();
    table.slim(MONEY_PARTS)
}

fn scenario(scenario: &ScenarioEstimate) -> Vec<String> {
    let mode = match &scenario.declared {
        Some(declared) => format!("{} ({declared})", scenario.mode),
        None => scenario.mode.clone(),
    };
    let cost = &scenario.cost_per_month;
    let sum = |part: &str, amount: Option<f64>| {
        let ends = scenario.ranges.get(&format!("cost_per_month.{part}"));
        ranged(ends, amount, |v| known(v, money))
    };
    let calls = all_calls(&scenario.hops);
    vec![
        scenario.name.clone(),
        mode,
        class(scenario.class),
        ranged(calls_range(&scenario.hops).as_ref(), calls, |v| {
            known(v, figures::count)
        }),
        age(&scenario.hops, "staleness.mean", |h| {
            h.staleness_seconds.mean
        }),
        age(&scenario.hops, "staleness.worst", |h| {
            h.staleness_seconds.worst
        }),
        sum("api", cost.api),
        sum("upkeep", cost.upkeep),
        sum("staleness", cost.staleness),
        sum("total", cost.total),
    ]
}

/// A figure as the ends between which it lies, where these look different.
fn ranged(
    range: Option<&Range>,
    taken: Option<f64>,
    shape: impl Fn(Option<f64>) -> String,
) -> String {
    let Some(range) = range else {
        return shape(taken);
    };
    let low = shape(Some(range.low));
    let high = match range.high {
        Some(high) => shape(Some(high)),
        None => "no bound".to_owned(),
    };
    match low == high {
        true => low,
        false => format!("{low}–{high}"),
    }
}

/// The ends of what hops ask for together; none where none of them is guessed.
fn calls_range(hops: &[HopEstimate]) -> Option<Range> {
    let mut sum = (0.0, Some(0.0), false);
    for hop in hops {
        for (system, calls) in &hop.calls_per_day {
            let range = hop.ranges.get(&format!("calls_per_day.{system}"));
            let (low, high) = match range {
                Some(range) => (range.low, range.high),
                None => ((*calls)?, *calls),
            };
            sum.0 += low;
            sum.1 = sum.1.zip(high).map(|(a, b)| a + b);
            sum.2 |= range.is_some();
        }
    }
    sum.2.then_some(Range {
        low: sum.0,
        high: sum.1,
    })
}

/// The oldest that hops get by that figure, with its ends.
fn age(hops: &[HopEstimate], name: &str, of: fn(&HopEstimate) -> Option<f64>) -> String {
    let ends = |end: fn(&Range) -> Option<f64>| {
        let mut each = hops.iter().map(|h| match h.ranges.get(name) {
            Some(range) => end(range),
            None => of(h),
        });
        each.try_fold(0.0_f64, |most, next| Some(most.max(next?)))
    };
    let range = hops.iter().any(|h| h.ranges.contains_key(name));
    let low = ends(|r| Some(r.low)).filter(|_| range);
    let range = low.map(|low| Range {
        low,
        high: ends(|r| r.high),
    });
    ranged(range.as_ref(), slowest(hops, of), delay)
}

fn class(class: Option<ModeClass>) -> String {
    class.map_or(UNKNOWN.to_owned(), |c| c.word().to_owned())
}

fn all_calls(hops: &[HopEstimate]) -> Option<f64> {
    hops.iter()
        .flat_map(|h| h.calls_per_day.values())
        .copied()
        .sum()
}

fn slowest(hops: &[HopEstimate], of: fn(&HopEstimate) -> Option<f64>) -> Option<f64> {
    hops.iter()
        .map(of)
        .try_fold(0.0_f64, |most, next| Some(most.max(next?)))
}

pub(super) fn fields(estimate: &Estimate) -> Section {
    let head = ["field", "system", "#fresh", "#worst", "#mean"];
    let mut table = Section::new("how old fields get", &head);
    let bounded = estimate
        .fields
        .iter()
        .filter(|f| f.required_seconds.is_some());
    let open = estimate
        .fields
        .iter()
        .filter(|f| f.required_seconds.is_none());
    let left = open.clone().count();
    let shown = if left > FIELDS_SHOWN { 0 } else { left };
    table.rows = bounded
        .chain(open.take(shown))
        .map(|f| {
            let fresh = f.required_seconds.map(figures::duration);
            vec![
                f.field.clone(),
                f.system.clone(),
                fresh.unwrap_or_else(|| NOTHING.to_owned()),
                ranged(f.ranges.get("worst"), f.worst_seconds, delay),
                ranged(f.ranges.get("mean"), f.mean_seconds, delay),
            ]
        })
        .collect();
    if left > shown {
        let left = figures::count(left as f64);
        let note = format!("and {left} more without a `fresh`: see `--format json` or `csv`");
        table.notes.push(note);
    }
    table
}

pub(super) fn feeds(estimate: &Estimate) -> Section {
    let head = ["events of", "an outage may last", "then", "from"];
    let mut table = Section::new("outages", &head);
    table.rows = estimate
        .feeds
        .iter()
        .map(|feed| {
            let lasts = match (feed.survives_seconds, feed.replayable) {
                (Some(seconds), _) => figures::duration(seconds),
                (None, true) => "for ever".to_owned(),
                (None, false) => "not known".to_owned(),
            };
            let mut then = Vec::new();
            if !feed.reconciled_for.is_empty() {
                then.push(format!("reconciled in {}", feed.reconciled_for.join(", ")));
            }
            if !feed.lost_for.is_empty() {
                then.push(format!("lost for good to {}", feed.lost_for.join(", ")));
            }
            if then.is_empty() {
                then.push("nothing is lost".to_owned());
            }
            let from = match (&feed.source, feed.verified) {
                (Some(source), _) => source.clone(),
                (None, true) => "how the connector reads".to_owned(),
                (None, false) => "unverified".to_owned(),
            };
            vec![feed.system.clone(), lasts, then.join("; "), from]
        })
        .collect();
    table
}

pub(super) fn guesses(estimate: &Estimate) -> Section {
    let head = ["guess", "#taken", "#well", "#badly", "of", "from", "write"];
    let mut table = Section::new("guesses behind the ranges", &head);
    table.rows = estimate
        .guesses
        .iter()
        .map(|guess| {
            vec![
                guess.what.clone(),
                guess.taken.clone(),
                guess.well.clone(),
                guess.badly.clone(),
                several(&guess.of),
                place(&guess.place),
                guess.mend.clone(),
            ]
        })
        .collect();
    table
}

/// The first of several names, and how many more there are.
fn several(names: &[String]) -> String {
    let shown = names.iter().take(3);
    let text = shown.map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

pub(super) fn what_if(estimate: &Estimate) -> Vec<Section> {
    let of = |scenario: &ScenarioEstimate| {
        let candidates = scenario.what_if.as_ref()?;
        let title = format!("what if: {}", scenario.name);
        Some(candidates_of(
            title,
            (&scenario.mode, candidates),
            &estimate.currency,
        ))
    };
    estimate.scenarios.iter().filter_map(of).collect()
}

/// The modes that an explained scenario could have.
pub(in crate::render) fn modes(explained: &ScenarioExplained) -> Section {
    let candidates = (explained.mode.as_str(), explained.candidates.as_slice());
    candidates_of("the modes".to_owned(), candidates, &explained.currency)
}

fn candidates_of(
    title: String,
    (now, candidates): (&str, &[Candidate]),
    currency: &str,
) -> Section {
    let total = format!("#{currency}/month");
    let head = [
        "mode",
        "calls/day",
        "most used",
        "#mean",
        "#worst",
        "#calls",
        "#upkeep",
        "#delays",
        &total,
        "feasible",
    ];
    let mut table = Section::new(title, &head);
    table.rows = candidates.iter().map(|c| candidate(now, c)).collect();
    table.slim(MONEY_PARTS)
}

fn candidate(now: &str, candidate: &Candidate) -> Vec<String> {
    let mode = match candidate.mode == now {
        true => format!("{} (now)", candidate.mode),
        false => candidate.mode.clone(),
    };
    let mut calls: Vec<(&str, Option<f64>)> = Vec::new();
    for (system, more) in candidate.hops.iter().flat_map(|h| &h.calls_per_day) {
        match calls.iter_mut().find(|c| c.0 == system) {
            Some(known) => known.1 = known.1.zip(*more).map(|(a, b)| a + b),
            None => calls.push((system, *more)),
        }
    }
    let calls: Vec<String> = calls
        .into_iter()
        .map(|(system, calls)| format!("{system} {}", known(calls, figures::count)))
        .collect();
    let share = |s: &&SystemThen| s.utilisation.unwrap_or(-1.0);
    let used = candidate.systems.iter().filter(|s| s.utilisation.is_some());
    let used = used.max_by(|a, b| share(a).total_cmp(&share(b)));
    let cost = &candidate.cost_per_month;
    vec![
        mode,
        calls.join(", "),
        used.map_or(NOTHING.to_owned(), |s| {
            let counts = s.quota_counts.as_ref();
            let counts = counts.map_or(String::new(), |unit| format!(" of its {unit}"));
            format!(
                "{} {}{counts}",
                s.name,
                known(s.utilisation, figures::share)
            )
        }),
        delay(slowest(&candidate.hops, |h| h.staleness_seconds.mean)),
        delay(slowest(&candidate.hops, |h| h.staleness_seconds.worst)),
        known(cost.api, money),
        known(cost.upkeep, money),
        known(cost.staleness, money),
        known(cost.total, money),
        match &candidate.why_not {
            Some(why) => format!("no: {}", first(why)),
            None => "yes".to_owned(),
        },
    ]
}

/// The first of several reasons, and how many more there are.
fn first(reasons: &str) -> String {
    let mut reasons = reasons.split("; ");
    let first = reasons.next().unwrap_or_default();
    match reasons.count() {
        0 => first.to_owned(),
        more => format!("{first} (and {more} more)"),
    }
}

pub(super) fn explanation(explained: &Explanation) -> Vec<Section> {
    let head = ["of", "symbol", "meaning", "#value", "from"];
    let mut inputs = Section::new("what goes in", &head);
    inputs.rows = explained.inputs.iter().map(input).collect();
    let head = ["of", "what", "#value", "unit", "formula"];
    let mut terms = Section::new("what comes out", &head);
    terms.rows = explained
        .terms
        .iter()
        .map(|term| {
            vec![
                term.of.clone(),
                term.what.clone(),
                known(term.value, figure),
                term.unit.clone(),
                term.formula.clone(),
            ]
        })
        .collect();
    vec![inputs, terms]
}

/// A figure to three decimals below a thousand.
fn figure(value: f64) -> String {
    match value.abs() < 999.9995 {
        true => {
            let text = format!("{value:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        false => figures::count(value),
    }
}

fn input(input: &Input) -> Vec<String> {
    vec![
        input.of.clone(),
        input.symbol.clone(),
        input.meaning.clone(),
        input.value.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
        place(&input.place),
    ]
}

/// Where a figure comes from.
fn place(place: &Place) -> String {
    match place {
        Place::Policy { file, line } => format!("{file}:{line}"),
        Place::Catalog { entry, page, date } => {
            let source = [page.clone(), date.clone()];
            let source: Vec<String> = source.into_iter().flatten().collect();
            match source.is_empty() {
                true => format!("catalog {entry}, unverified"),
                false => format!("catalog {entry}: {}", source.join(", ")),
            }
        }
        Place::Default { reason } => format!("default: {reason}"),
        Place::Derived { reason } => reason.clone(),
    }
}
