//! What messages say of limits: where they come from, how to get more, what a batch would do.

use super::super::{Context, alternatives, figures, words};
use crate::arithmetic::{LimitFacts, Origin};
use crate::catalog;
use crate::finding::Finding;
use crate::model::{Scenario, System};

/// Labels what makes a limit: the policy's own clause, or the connector and tier of the catalog's.
pub(super) fn label_limit(
    ctx: &Context,
    found: Finding,
    system: &System,
    limit: &LimitFacts,
) -> Finding {
    let rate = rate(limit);
    if let Origin::Policy(span) = limit.origin {
        return words::label(found, span, format!("at most {rate}"));
    }
    let rate = match limit.origin.is_guess() {
        true => format!("{rate} (unverified)"),
        false => rate,
    };
    let place = match (&system.tier, &system.connector) {
        (Some(tier), _) => Some((tier.clause, format!("this tier allows {rate}"))),
        (None, Some(connector)) => {
            let smallest = ctx.entry(system.id).and_then(|e| e.smallest_tier());
            let text = match smallest {
                Some(tier) => format!(
                    "`{}` allows {rate} in its smallest tier, `{}`, which holds where no `tier` is named",
                    connector.written, tier.name
                ),
                None => format!("`{}` allows {rate}", connector.written),
            };
            Some((connector.clause, text))
        }
        (None, None) => None,
    };
    match place {
        Some((span, text)) => words::label(found, span, text),
        None => found,
    }
}

/// "625,000 calls a day", "190 calls per 10s", "5 searches a second".
pub(super) fn rate(limit: &LimitFacts) -> String {
    let what = match limit.counts.what {
        _ if limit.counts.is_weighted() => "tokens",
        catalog::Calls::All => "calls",
        catalog::Calls::Reads => "reads",
        catalog::Calls::Writes => "writes",
        catalog::Calls::Bulk => "bulk calls",
        catalog::Calls::Events => "events",
    };
    let number = figures::count(limit.calls);
    let what = match number.as_str() {
        "1" => what.trim_end_matches('s'),
        _ => what,
    };
    let per = match limit.per_seconds {
        1.0 => "a second".to_owned(),
        60.0 => "a minute".to_owned(),
        3_600.0 => "an hour".to_owned(),
        86_400.0 => "a day".to_owned(),
        seconds => format!("per {}", figures::duration(seconds)),
    };
    format!("{number} {what} {per}")
}

/// How to get more from a system: by its own clause, by the vendor's tiers.
pub(super) fn more(ctx: &Context, system: &System, limit: &LimitFacts) -> String {
    let has_tiers = ctx.entry(system.id).is_some_and(|e| e.tiers.len() > 1);
    match &limit.origin {
        Origin::Policy(_) => "raise `limit`".to_owned(),
        _ if has_tiers && system.tier.is_none() => {
            format!("name the `tier` that `{}` really has", system.name)
        }
        origin => {
            let usual = match has_tiers {
                true => "take a larger tier",
                false => "ask the vendor for a higher limit",
            };
            // Nobody should pay for more before it is known that there is too little.
            let unsure = match origin.is_guess() {
                true => {
                    ", once the vendor has confirmed this unverified one (an entry of your own \
                         for `connector` can correct it)"
                }
                false => "",
            };
            format!("{usual}{unsure}")
        }
    }
}

/// What running a real-time scenario every 5 minutes would do for a destination's limit; none where
/// its sources cannot be read by schedule.
pub(super) fn batching(ctx: &Context, scenario: &Scenario, system: &System) -> Option<String> {
    if !alternatives::can_be_scheduled(ctx, scenario) {
        return None;
    }
    let batch = ctx.arithmetic.facts(system.id)?.write_batch.value;
    Some(match batch {
        Some(1) => format!(
            "write `mode every 5m` in `{}`: its runs then wait for what the limit leaves",
            scenario.name
        ),
        Some(records) => format!(
            "write `mode every 5m` in `{}`: one call then carries up to {} records",
            scenario.name,
            figures::count(f64::from(records))
        ),
        None => format!(
            "write `mode every 5m` in `{}`: one call then carries all that changed",
            scenario.name
        ),
    })
}

/// Ways to mend something, joined to one sentence.
pub(super) fn ways(ways: impl IntoIterator<Item = Option<String>>) -> String {
    let ways: Vec<String> = ways.into_iter().flatten().collect();
    ways.join("; or ")
}

/// "1 call", "12,000 events".
pub(super) fn counted(limit: &LimitFacts, number: f64) -> String {
    let text = figures::count(number);
    let unit = limit.counts.unit();
    match text.as_str() {
        "1" => format!("1 {}", unit.trim_end_matches('s')),
        _ => format!("{text} {unit}"),
    }
}

/// Which calls a limit counts, where not all: " (reads)".
pub(super) fn only(limit: &LimitFacts) -> &'static str {
    match limit.counts.what {
        catalog::Calls::All => "",
        catalog::Calls::Reads => " (reads)",
        catalog::Calls::Writes => " (writes)",
        catalog::Calls::Bulk => " (bulk)",
        catalog::Calls::Events => "",
    }
}
