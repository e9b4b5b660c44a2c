//! SL0111 derivation-circle: derived fields are computed from each other in a circle.

use super::super::{Context, words};
use crate::finding::{Code, Finding};
use crate::model::FieldId;

const CODE: Code = Code(111);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let circles = ctx.graph.derivations.circles();
    circles.iter().filter_map(|c| finding(ctx, c)).collect()
}

fn finding(ctx: &Context, circle: &[FieldId]) -> Option<Finding> {
    let first = *circle.first()?;
    let route: Vec<String> = circle
        .iter()
        .chain([&first])
        .map(|f| format!("`{}`", ctx.path(*f)))
        .collect();
    let message = match circle {
        [_] => format!("`{}` is derived from itself", ctx.path(first)),
        _ => format!(
            "derived fields read each other in a circle: {}",
            route.join(" → ")
        ),
    };
    let field = ctx.policy.field(first);
    let mut found = Finding::new(CODE, field.name.span, message).mark("can never be computed");
    for (position, id) in circle.iter().enumerate() {
        let next = circle.get(position + 1).copied().unwrap_or(first);
        let reads = ctx
            .policy
            .field(*id)
            .derived
            .iter()
            .flat_map(|d| &d.expr.reads);
        // A field that is read twice is one step.
        for read in reads.filter(|r| r.value == next).take(1) {
            let text = format!("`{}` reads `{}` here", ctx.path(*id), ctx.path(next));
            found = words::label(found, read.span, text.clone()).step(read.span, text);
        }
    }
    let help = match circle {
        [_] => "derive it from other fields, or remove `derived` and give it an `owner`",
        _ => "derive one of them from fields that are not derived, or give it an `owner` instead",
    };
    Some(found.help(help))
}
