//! SL0113 order-circle: scenarios wait for each other.

use super::super::{Context, words};
use crate::finding::{Code, Finding};
use crate::model::ScenarioId;

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
    let clause = first.after_clause.unwrap_or(first.name.span);
    let mut found = Finding::new(CODE, clause, message).mark("can never start");
    for (position, id) in circle.iter().enumerate().skip(1) {
        let scenario = ctx.policy.scenario(*id);
        let next = circle.get(position + 1).unwrap_or(&first.id);
        let clause = scenario.after_clause.unwrap_or(scenario.name.span);
        let text = format!("{} waits for {} here", name(id), name(next));
        found = words::label(found, clause, text);
    }
    let last = circle
        .last()
        .map(|id| ctx.policy.scenario(*id).name.text.clone());
    let last = last.unwrap_or_else(|| first.name.text.clone());
    Some(found.help(format!(
        "take `{}` out of the `after` of `{last}`",
        first.name
    )))
}
