//! SL0301 over-daily-quota: all scenarios together call a system more often than the policy's
//! share of its quota allows, on the busiest day.

use super::super::{Context, alternatives, figures, words};
use super::limits::{self, label_limit, only};
use crate::arithmetic::{Arithmetic, LimitFacts, ScenarioShare};
use crate::finding::{Code, Finding};
use crate::model::{Scenario, System};

const CODE: Code = Code(301);

/// What a call may be short of and still count as whole: sums of fractions are not exact.
const TOLERANCE: f64 = 1e-6;

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let systems = ctx.policy.systems.iter().filter(|s| !s.broken);
    systems.filter_map(|s| of_system(ctx, s)).collect()
}

/// One finding a system, for the quota that is broken most.
fn of_system(ctx: &Context, system: &System) -> Option<Finding> {
    let facts = ctx.arithmetic.facts(system.id)?;
    let used =
        |limit: &LimitFacts| used(&ctx.arithmetic, system, limit) / allowed(ctx, system, limit);
    let worst = facts
        .quotas()
        .filter(|l| used(l) > 1.0 + TOLERANCE)
        .max_by(|a, b| used(a).total_cmp(&used(b)))?;
    Some(finding(ctx, system, worst))
}

fn used(arithmetic: &Arithmetic, system: &System, limit: &LimitFacts) -> f64 {
    let load = arithmetic.system(system.id);
    load.map_or(0.0, |l| l.busiest_day().counted(limit.counts))
}

fn allowed(ctx: &Context, system: &System, limit: &LimitFacts) -> f64 {
    let facts = ctx.arithmetic.facts(system.id);
    limit.per_day() * facts.map_or(1.0, |f| f.budget.value)
}

fn finding(ctx: &Context, system: &System, limit: &LimitFacts) -> Finding {
    let used = used(&ctx.arithmetic, system, limit);
    let allowed = allowed(ctx, system, limit);
    let (needed, most) = figures::more_than(used, allowed);
    let most = match &system.budget {
        Some(budget) => format!(
            "{most} of its budget, {} % of {}",
            budget.value.0.normalize(),
            limits::rate(limit)
        ),
        None => format!("{most} of its quota"),
    };
    let unit = limit.counts.unit();
    let calls = match needed.as_str() {
        "1" => unit.trim_end_matches('s'),
        _ => unit,
    };
    let message = format!(
        "the policy needs {needed} {calls} a day{} at `{}`, more than the {most}",
        only(limit),
        system.name,
    );
    let mut found = Finding::new(CODE, system.name.span, message).mark(format!(
        "{} of what it may use",
        figures::share(used / allowed)
    ));
    found = label_limit(ctx, found, system, limit);
    if let Some(budget) = &system.budget {
        let text = format!("leaves this policy {}", limits::counted(limit, allowed));
        found = words::label(found, budget.clause, text);
    }
    let shares = shares(ctx, system, limit);
    for (scenario, calls) in &shares {
        let text = format!(
            "`{}`: {} a day, {}",
            scenario.name,
            limits::counted(limit, *calls),
            figures::share(calls / used)
        );
        found = words::label(found, scenario.name.span, text);
    }
    found.help(help(ctx, system, limit, &shares, used - allowed))
}

/// The scenarios by what they ask for, the greatest first.
fn shares<'a>(ctx: &Context<'a>, system: &System, limit: &LimitFacts) -> Vec<(&'a Scenario, f64)> {
    let load = ctx.arithmetic.system(system.id);
    let of = |share: &ScenarioShare| {
        let calls = share.busiest_day.counted(limit.counts);
        (calls > 0.0).then(|| (ctx.policy.scenario(share.scenario), calls))
    };
    let mut shares: Vec<(&Scenario, f64)> = load
        .into_iter()
        .flat_map(|l| &l.scenarios)
        .filter_map(of)
        .collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.id.cmp(&b.0.id)));
    shares
}

fn help(
    ctx: &Context,
    system: &System,
    limit: &LimitFacts,
    shares: &[(&Scenario, f64)],
    over: f64,
) -> String {
    let more = match &system.budget {
        Some(budget) if budget.value.share() < 1.0 => {
            format!("raise `budget`, or {}", limits::more(ctx, system, limit))
        }
        _ => limits::more(ctx, system, limit),
    };
    for (scenario, today) in shares {
        let candidates = alternatives::feasible(ctx, scenario).into_iter();
        let saving = candidates
            .filter_map(|c| {
                let load = c.what_if.systems.get(system.id.index())?;
                let then = load.scenarios.iter().find(|s| s.scenario == scenario.id);
                let then = then.map_or(0.0, |s| s.busiest_day.counted(limit.counts));
                (today - then >= over && alternatives::keeps_bounds(ctx, scenario, &c))
                    .then_some((c, then))
            })
            .next_back();
        if let Some((candidate, then)) = saving {
            return format!(
                "write `mode {}` in `{}`, which then needs {} a day here; or {more}",
                candidate.text,
                scenario.name,
                limits::counted(limit, then)
            );
        }
    }
    let first = shares.first().map_or("", |s| &s.0.name.text);
    format!(
        "let `{first}` carry fewer records with an `if`, {more}, or allow more in `fresh` and run it \
         less often: no slower mode of one scenario that keeps every `fresh` is enough"
    )
}
