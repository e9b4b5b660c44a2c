//! SL0302 over-burst-limit: in the busiest minute real-time flows alone call a system faster than
//! it lets them.

use super::super::{Context, figures, words};
use super::limits::{self, label_limit, only};
use crate::arithmetic::LimitFacts;
use crate::finding::{Code, Finding};
use crate::model::{Scenario, System, SystemId};

const CODE: Code = Code(302);

const TOLERANCE: f64 = 1e-9;

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let systems = ctx.policy.systems.iter().filter(|s| !s.broken);
    systems
        .filter_map(|s| Some(finding(ctx, s, broken(ctx, s.id)?)))
        .collect()
}

/// Whether the peaks at a system break a limit of it.
pub(in super::super) fn concerns(ctx: &Context, system: SystemId) -> bool {
    broken(ctx, system).is_some()
}

/// The burst limit that is broken most.
fn broken<'c>(ctx: &'c Context, system: SystemId) -> Option<&'c LimitFacts> {
    let facts = ctx.arithmetic.facts(system)?;
    let use_of = |limit: &LimitFacts| peak(ctx, system, limit) / limit.per_second();
    facts
        .bursts()
        .filter(|l| use_of(l) > 1.0 + TOLERANCE)
        .max_by(|a, b| use_of(a).total_cmp(&use_of(b)))
}

fn peak(ctx: &Context, system: SystemId, limit: &LimitFacts) -> f64 {
    let load = ctx.arithmetic.system(system);
    load.map_or(0.0, |l| l.peak().counted(limit.counts))
}

fn finding(ctx: &Context, system: &System, limit: &LimitFacts) -> Finding {
    let peak = peak(ctx, system.id, limit);
    let (made, most) = figures::more_than(peak, limit.per_second());
    let calls = match made.as_str() {
        "1" => "call",
        _ => "calls",
    };
    let message = format!(
        "in the busiest minute real-time flows make {made} {calls} a second{} at `{}`, more than the \
         {most} that it allows",
        only(limit),
        system.name,
    );
    let mut found = Finding::new(CODE, system.name.span, message).mark(format!(
        "{} of what it allows",
        figures::share(peak / limit.per_second())
    ));
    found = label_limit(ctx, found, system, limit);
    let load = ctx.arithmetic.system(system.id);
    let mut shares: Vec<(usize, f64)> = load
        .into_iter()
        .flat_map(|l| &l.scenarios)
        .map(|s| (s.scenario.index(), s.peak.counted(limit.counts)))
        .filter(|s| s.1 > 0.0)
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let scenarios = shares
        .iter()
        .filter_map(|(id, calls)| Some((ctx.policy.scenarios.get(*id)?, *calls)));
    for (scenario, calls) in scenarios {
        let text = format!(
            "`{}`: {} a second at its peak, {}",
            scenario.name,
            figures::calls(calls),
            figures::share(calls / peak)
        );
        found = words::label(found, scenario.name.span, text);
    }
    let first = shares.first().and_then(|s| ctx.policy.scenarios.get(s.0));
    found.help(limits::ways([
        first.and_then(|s| limits::batching(ctx, s, system)),
        first.and_then(|s| guessed_peak(ctx, s)),
        Some(limits::more(ctx, system, limit)),
    ]))
}

/// Where nobody declares a peak, that it is a guess.
fn guessed_peak(ctx: &Context, scenario: &Scenario) -> Option<String> {
    let figures = ctx.arithmetic.scenario(scenario.id)?;
    let guessed = figures.hops.iter().any(|h| h.demand.peak.origin.is_guess());
    guessed.then(|| {
        format!(
            "write the true `peak` behind the `volume` of `{}`: three times the mean is a guess",
            scenario.name
        )
    })
}
