//! SL0306 slow-recovery: after an hour's outage a destination's real-time backlog takes too long
//! to drain at its limit.

use super::super::{Context, figures, words};
use super::limits::{self, label_limit};
use super::sl0302_over_burst_limit;
use crate::arithmetic::LimitFacts;
use crate::arithmetic::formula::{DAY_SECONDS, drain_seconds};
use crate::finding::{Code, Finding};
use crate::model::{Scenario, System};

const CODE: Code = Code(306);

/// The outage that is asked about.
const OUTAGE_SECONDS: f64 = 3_600.0;
/// The longest time that draining may take.
const DRAIN_SECONDS_MAX: f64 = 4.0 * 3_600.0;

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let systems = ctx.policy.systems.iter().filter(|s| !s.broken);
    systems.filter_map(|s| of_system(ctx, s)).collect()
}

fn of_system(ctx: &Context, system: &System) -> Option<Finding> {
    // Where even the peak does not fit, that is what has to be mended.
    if sl0302_over_burst_limit::concerns(ctx, system.id) {
        return None;
    }
    let facts = ctx.arithmetic.facts(system.id)?;
    let shares = |limit: &LimitFacts| live(ctx, system, limit);
    let drain = |limit: &LimitFacts| {
        let arrivals: f64 = shares(limit).iter().map(|s| s.1).sum();
        drain_seconds(arrivals, limit.per_second(), OUTAGE_SECONDS).unwrap_or(f64::INFINITY)
    };
    let worst = facts
        .bursts()
        .filter(|l| l.counts_writes() && drain(l) > DRAIN_SECONDS_MAX)
        .max_by(|a, b| drain(a).total_cmp(&drain(b)))?;
    Some(finding(ctx, system, worst, &shares(worst), drain(worst)))
}

/// The mean calls a second of real-time hops into a system, by scenario, the greatest first.
fn live<'a>(ctx: &Context<'a>, system: &System, limit: &LimitFacts) -> Vec<(&'a Scenario, f64)> {
    let mut shares: Vec<(&Scenario, f64)> = Vec::new();
    for scenario in &ctx.policy.scenarios {
        let Some(figures) = ctx.arithmetic.scenario(scenario.id) else {
            continue;
        };
        let into = figures.hops.iter().filter(|h| h.to == system.id);
        // The peak is k times the mean of the real-time part alone.
        let mean: f64 = into
            .map(|h| h.peak.target.counted(limit.counts) / h.demand.peak.value.max(1.0))
            .sum();
        if mean > 0.0 {
            shares.push((scenario, mean));
        }
    }
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.id.cmp(&b.0.id)));
    shares
}

fn finding(
    ctx: &Context,
    system: &System,
    limit: &LimitFacts,
    shares: &[(&Scenario, f64)],
    drain: f64,
) -> Finding {
    let lasts = match figures::duration(drain) {
        text if text == figures::duration(DRAIN_SECONDS_MAX) => {
            format!("just over {text} to write")
        }
        text => format!("{text} to write"),
    };
    let message = format!(
        "after an outage of one hour `{}` would need {lasts} what waited, more than four hours",
        system.name
    );
    let arrivals: f64 = shares.iter().map(|s| s.1).sum();
    let mut found = Finding::new(CODE, system.name.span, message).mark(format!(
        "{} of its limit is used at all times",
        figures::share(arrivals / limit.per_second())
    ));
    found = label_limit(ctx, found, system, limit);
    for (scenario, mean) in shares {
        let text = format!(
            "`{}`: {} a day in real time",
            scenario.name,
            figures::calls(mean * DAY_SECONDS)
        );
        found = words::label(found, scenario.name.span, text);
    }
    let one_by_one = facts_batch(ctx, system) == Some(1);
    let first = shares.first().filter(|_| !one_by_one);
    found.help(limits::ways([
        first.and_then(|s| limits::batching(ctx, s.0, system)),
        Some(limits::more(ctx, system, limit)),
        Some("let fewer records through with an `if`".to_owned()),
    ]))
}

/// Records of one write call; none: all of them.
fn facts_batch(ctx: &Context, system: &System) -> Option<u32> {
    ctx.arithmetic.facts(system.id)?.write_batch.value
}
