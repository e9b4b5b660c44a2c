//! The answers that a reader looks for first, in sentences.

use super::page::{delay, money, names};
use crate::checks::figures;
use crate::estimate::{Better, Estimate, Feed, ScenarioEstimate, SystemEstimate};

/// How many cheaper modes are told.
const BETTER_SHOWN: usize = 3;

/// How many bounds that bad guesses would break are told.
const BROKEN_SHOWN: usize = 3;

pub(super) fn lines(estimate: &Estimate, better: &[Better]) -> Vec<String> {
    let mut lines = vec![runs_out_first(estimate)];
    lines.extend(nearest_burst(estimate));
    lines.push(cost(estimate));
    lines.extend(if_badly(estimate));
    lines.extend(further(estimate, better));
    lines
}

/// What would break if everything that is only guessed turned out badly.
fn if_badly(estimate: &Estimate) -> Option<String> {
    let quotas = estimate.systems.iter().filter_map(|s| {
        let taken = s.busiest_utilisation?;
        let high = s.ranges.get("busiest_utilisation")?.high?;
        (taken <= 1.0 && high > 1.0)
            .then(|| format!("`{}` needs {} of its budget", s.name, figures::share(high)))
    });
    let fields = estimate.fields.iter().filter_map(|f| {
        let (within, taken) = (f.required_seconds?, f.worst_seconds?);
        let high = f.ranges.get("worst")?.high;
        let breaks = taken <= within && high.is_none_or(|h| h > within);
        breaks.then(|| {
            format!(
                "`{}` gets {} old in `{}`, over its `fresh {}`",
                f.field,
                delay(high).replace("no bound", "without bound"),
                f.system,
                figures::duration(within)
            )
        })
    });
    let scenarios = estimate.scenarios.iter().filter_map(|s| {
        let within = s.required_seconds?;
        let late = s.hops.iter().find_map(|h| {
            let taken = h.staleness_seconds.worst?;
            let high = h.ranges.get("staleness.worst")?.high;
            (taken <= within && high.is_none_or(|h| h > within)).then_some((h, high))
        });
        let (hop, high) = late?;
        Some(format!(
            "`{}` takes {} to `{}`, over its `fresh {}`",
            s.name,
            delay(high).replace("no bound", "without bound"),
            hop.to,
            figures::duration(within)
        ))
    });
    let broken: Vec<String> = quotas.chain(fields).chain(scenarios).collect();
    let shown = broken.get(..broken.len().min(BROKEN_SHOWN))?.join("; ");
    let more = match broken.len().saturating_sub(BROKEN_SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    (!broken.is_empty()).then(|| {
        format!(
            "If all that is only guessed turns out badly: {shown}{more}. See the guesses below."
        )
    })
}

/// What there is to say besides what runs out and what it costs.
pub(in crate::render) fn further(estimate: &Estimate, better: &[Better]) -> Vec<String> {
    let mut lines: Vec<String> = cheaper(estimate, better).into_iter().collect();
    lines.extend(estimate.feeds.iter().filter_map(loses));
    lines.extend(estimate.notes.iter().map(|note| format!("Note: {note}.")));
    lines
}

fn runs_out_first(estimate: &Estimate) -> String {
    let used = |s: &SystemEstimate| s.busiest_utilisation.or(s.utilisation);
    let first = estimate
        .systems
        .iter()
        .filter(|s| used(s).is_some())
        .max_by(|a, b| used(a).unwrap_or(0.0).total_cmp(&used(b).unwrap_or(0.0)));
    let Some((system, share)) = first.and_then(|s| Some((s, used(s)?))) else {
        return "No system that is called has a daily quota that is known.".to_owned();
    };
    if share <= 0.0 {
        return "No system with a daily quota is called.".to_owned();
    }
    let budget = system.budget_per_day.map_or(String::new(), |b| {
        let unit = system.quota_counts.as_deref().unwrap_or("calls");
        format!(" of the {} {unit} that it may use", figures::count(b))
    });
    let sum = match system.without.is_empty() {
        true => "",
        false => "at least ",
    };
    let blame = blame(estimate, &system.name).map_or(String::new(), |(scenario, part)| {
        format!("; `{scenario}` makes {} of its calls", figures::share(part))
    });
    format!(
        "`{}` runs out first: {sum}{}{budget} on its busiest day{blame}.",
        system.name,
        figures::share(share),
    )
}

/// The scenario that calls a system most, with its part of all calls there.
pub(super) fn blame<'e>(estimate: &'e Estimate, system: &str) -> Option<(&'e str, f64)> {
    let calls = |s: &ScenarioEstimate| -> f64 {
        let at = s.hops.iter().filter_map(|h| h.calls_per_day.get(system));
        at.map(|c| c.unwrap_or(0.0)).sum()
    };
    let all: f64 = estimate.scenarios.iter().map(calls).sum();
    let each = estimate
        .scenarios
        .iter()
        .map(|s| (s.name.as_str(), calls(s)));
    let most = each.reduce(|most, next| if next.1 > most.1 { next } else { most })?;
    (all > 0.0).then(|| (most.0, most.1 / all))
}

/// The system whose burst limit is used most, where that is a tenth of it or more.
pub(in crate::render) fn nearest_burst(estimate: &Estimate) -> Option<String> {
    let limits = estimate.systems.iter().filter_map(|s| {
        let limit = s.burst_limit.as_ref()?;
        Some((s, limit, limit.utilisation?))
    });
    let (system, limit, share) = limits.max_by(|a, b| a.2.total_cmp(&b.2))?;
    (share >= 0.1).then(|| {
        format!(
            "At the peak `{}` comes nearest to a burst limit: {} of `{}`.",
            system.name,
            figures::share(share),
            limit.name
        )
    })
}

fn cost(estimate: &Estimate) -> String {
    let currency = &estimate.currency;
    let sum = |of: fn(&ScenarioEstimate) -> Option<f64>| -> f64 {
        estimate.scenarios.iter().filter_map(of).sum()
    };
    let total = sum(|s| s.cost_per_month.total);
    let unknown: Vec<String> = estimate
        .scenarios
        .iter()
        .filter(|s| s.cost_per_month.total.is_none())
        .map(|s| s.name.clone())
        .collect();
    let without = match unknown.is_empty() {
        true => String::new(),
        false => format!(", and what is not known for {}", names(&unknown)),
    };
    if total == 0.0 {
        return match unknown.is_empty() {
            true => "Nothing has a price: write `price`, `upkeep` or `stale … costs` to see what \
                     it costs."
                .to_owned(),
            false => format!("What it costs is not known for {}.", names(&unknown)),
        };
    }
    let part = |of: fn(&ScenarioEstimate) -> Option<f64>| money(sum(of));
    let most = estimate
        .scenarios
        .iter()
        .filter_map(|s| Some((s.name.as_str(), s.cost_per_month.total?)))
        .reduce(|most, next| if next.1 > most.1 { next } else { most });
    let most = most.map_or(String::new(), |(name, amount)| {
        format!("; most in `{name}`, {}", money(amount))
    });
    let ends = total_range(estimate)
        .filter(|(low, high)| money(*low) != money(*high))
        .map_or(String::new(), |(low, high)| {
            format!(", or {} to {} as guesses turn out", money(low), money(high))
        });
    format!(
        "It costs {} {currency} a month (calls {}, upkeep {}, delays {}){ends}{without}{most}.",
        money(total),
        part(|s| s.cost_per_month.total.and(s.cost_per_month.api)),
        part(|s| s.cost_per_month.total.and(s.cost_per_month.upkeep)),
        part(|s| s.cost_per_month.total.and(s.cost_per_month.staleness)),
    )
}

/// Between what ends the whole cost lies; none where one of its parts has no end.
fn total_range(estimate: &Estimate) -> Option<(f64, f64)> {
    let mut sum = (0.0, 0.0);
    for scenario in &estimate.scenarios {
        let Some(taken) = scenario.cost_per_month.total else {
            continue;
        };
        match scenario.ranges.get("cost_per_month.total") {
            Some(range) => {
                sum.0 += range.low;
                sum.1 += range.high?;
            }
            None => {
                sum.0 += taken;
                sum.1 += taken;
            }
        }
    }
    Some(sum)
}

fn cheaper(estimate: &Estimate, better: &[Better]) -> Option<String> {
    let shown: Vec<String> = better
        .iter()
        .take(BETTER_SHOWN)
        .map(|b| {
            let saves = match b.saves > 0.0 {
                true => format!("{} {} a month", money(b.saves), estimate.currency),
                false => format!("{} a day", figures::calls(b.fewer_calls)),
            };
            let price = match (b.saves > 0.0, b.fewer_calls) {
                (true, fewer) if fewer <= -0.5 => {
                    format!(" for {} more a day", figures::calls(-fewer))
                }
                _ => String::new(),
            };
            format!(
                "`mode {}` in `{}` saves {saves}{price}, at most {} old then",
                b.mode,
                b.scenario,
                delay(b.worst_seconds)
            )
        })
        .collect();
    let more = match better.len().saturating_sub(shown.len()) {
        0 => "",
        _ => "; see `--what-if` for more",
    };
    (!shown.is_empty()).then(|| format!("Cheaper: {}{more}.", shown.join("; ")))
}

/// What an outage does to a feed for which nothing mends it.
fn loses(feed: &Feed) -> Option<String> {
    if feed.lost_for.is_empty() {
        return None;
    }
    let whose = names(&feed.lost_for);
    Some(match feed.survives_seconds {
        Some(seconds) => format!(
            "After an outage of more than {} changes in `{}` are lost to {whose} for good{}.",
            figures::duration(seconds),
            feed.system,
            if feed.verified { "" } else { " (unverified)" }
        ),
        None => format!(
            "How long `{}` keeps its events in an outage is not known: what it gives up is lost to \
             {whose} for good.",
            feed.system
        ),
    })
}
