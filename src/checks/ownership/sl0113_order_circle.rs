//! SL0113 order-circle: scenarios wait for each other.

use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Scenario, ScenarioId};

const CODE: Code = Code(113);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let circles = ctx.graph.order.circles();
    circles.iter().filter_map(|c| finding(ctx, c)).collect()
}

fn finding(ctx: &Context, circle: &[ScenarioId]) -> Option<Finding> {
    let first = ctx.policy.scenario(*circle.first()?);
    let name = |id: &ScenarioId| format!("`{}`", ctx.policy.scenario(*id).name);
    let route: Vec<String> = circle.iter().chain([&first.id]).map(name).collect();
    let message = match circle {
        [_] => format!("scenario `{}` waits for itself", first.name),
        _ => format!("scenarios wait for each other: {}", route.join(" → ")),
    };
    let waits = |position: usize| {
        let id = circle.get(position)?;
        let next = circle.get(position + 1).unwrap_or(&first.id);
        let scenario = ctx.policy.scenario(*id);
        let clause = scenario.after_clause.unwrap_or(scenario.name.span);
        Some((
            clause,
            format!("{} waits for {} here", name(id), name(next)),
        ))
    };
    let (clause, says) = waits(0)?;
    let mut found = Finding::new(CODE, clause, message)
        .mark(says.clone())
        .step(clause, says);
    for (clause, says) in (1..circle.len()).filter_map(waits) {
        found = words::label(found, clause, says.clone()).step(clause, says);
    }
    let last = ctx.policy.scenario(*circle.last()?);
    found = found.help(match circle {
        [_] => format!("take `{}` out of its own `after`", first.name),
        _ => format!(
            "take `{}` out of the `after` of `{}`, or cut the circle at another of its places",
            first.name, last.name
        ),
    });
    Some(match without(ctx, last, first.id) {
        Some(edit) => found.fix(
            format!(
                "let `{}` start without waiting for `{}`",
                last.name, first.name
            ),
            Grade::Review,
            vec![edit],
        ),
        None => found,
    })
}

/// Takes a scenario out of the `after` of another.
fn without(ctx: &Context, scenario: &Scenario, waited_for: ScenarioId) -> Option<Edit> {
    let clause = scenario.after_clause?;
    let others = scenario.after.iter().filter(|a| a.id != Some(waited_for));
    let kept: Vec<&str> = others.map(|a| ctx.sources.slice(a.span)).collect();
    if kept.is_empty() {
        return Some(fix::remove(clause, ctx.sources));
    }
    let list = scenario.after.first()?.span.to(scenario.after.last()?.span);
    (!ctx.sources.slice(list).contains("//")).then(|| Edit {
        span: list,
        text: kept.join(", "),
    })
}
