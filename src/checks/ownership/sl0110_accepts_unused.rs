//! SL0110 accepts-unused: a system may write a field, but nothing carries the field from there.

use super::super::{Context, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Accepts, Entity, Field, Said, Spanned, SystemId};
use crate::text::Span;

const CODE: Code = Code(110);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    // What could not be read may carry it.
    if ctx.flows_incomplete {
        return Vec::new();
    }
    let mut found: Vec<Finding> = ctx
        .policy
        .entities
        .iter()
        .filter(|e| !e.broken)
        .flat_map(|e| of_entity(ctx, e))
        .collect();
    found.extend(ctx.each_field(|field| of_field(ctx, field)));
    found
}

fn comes_from(ctx: &Context, field: &Field, system: SystemId) -> bool {
    let flow = ctx.graph.flows.of(field.id);
    field.is_data() && flow.is_some_and(|f| f.is_source(system))
}

/// An entity's clause is unused where no field of the entity comes from the system.
fn of_entity(ctx: &Context, entity: &Entity) -> Vec<Finding> {
    let Some(Said { clause, value, .. }) = &entity.accepts else {
        return Vec::new();
    };
    value
        .systems
        .iter()
        .filter(|s| !entity.fields.iter().any(|f| comes_from(ctx, f, s.value)))
        .map(|s| {
            let what = format!("fields of `{}`", entity.name);
            let of = format!("any field of `{}`", entity.name);
            finding(ctx, *clause, value, s, &what, &of, entity.name.span)
        })
        .collect()
}

fn of_field(ctx: &Context, field: &Field) -> Vec<Finding> {
    let Some(accepts) = field.accepts.as_ref().filter(|a| !a.inherited) else {
        return Vec::new();
    };
    if !field.is_data() {
        return Vec::new();
    }
    accepts
        .value
        .systems
        .iter()
        .filter(|s| !comes_from(ctx, field, s.value))
        .map(|s| {
            let path = format!("`{}`", ctx.path(field.id));
            finding(
                ctx,
                accepts.clause,
                &accepts.value,
                s,
                &path,
                &path,
                field.name.span,
            )
        })
        .collect()
}

fn finding(
    ctx: &Context,
    clause: Span,
    accepts: &Accepts,
    unused: &Spanned<SystemId>,
    what: &str,
    of: &str,
    declared: Span,
) -> Finding {
    let system = ctx.system(unused.value);
    let message = format!("`{system}` may write {what}, but no scenario carries {of} from it");
    let rest: Vec<&str> = accepts
        .systems
        .iter()
        .filter(|s| s.value != unused.value)
        .map(|s| ctx.system(s.value))
        .collect();
    // Without a clause of its own a field would take its entity's, so `none` has to be said.
    let clause_after = match rest.is_empty() {
        true => "accepts none".to_owned(),
        false => format!("accepts {}", rest.join(", ")),
    };
    let found = Finding::new(CODE, clause, message).mark(format!("nothing comes from `{system}`"));
    let found = words::label(found, unused.span, "accepted here");
    let mut found = words::label(found, declared, "declared here");
    found = found.help(format!(
        "write `{clause_after}`, or add a `sync` that carries it from `{system}`"
    ));
    if accepts.unknown {
        return found;
    }
    found.fix(
        format!("take `{system}` out of `accepts`"),
        Grade::Review,
        vec![Edit {
            span: clause,
            text: clause_after,
        }],
    )
}
