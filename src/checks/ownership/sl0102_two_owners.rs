//! SL0102 two-owners: two declarations give one field different owners.

use super::super::{Context, fix, words};
use crate::finding::{Code, Finding, Grade};
use crate::model::{Declaration, Field, SystemId};

const CODE: Code = Code(102);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.each_field(|field| {
        let Some(first) = field.declared.first() else {
            return Vec::new();
        };
        disputes(field)
            .map(|(d, a, b)| finding(ctx, field, (first, a), (d, b)))
            .collect()
    })
}

/// The later declarations that give a field another owner than the first, with both.
fn disputes(field: &Field) -> impl Iterator<Item = (&Declaration, SystemId, SystemId)> {
    let first = field.declared.first().and_then(owner);
    let later = field.declared.iter().skip(1);
    later
        .filter_map(move |d| Some((d, first?, owner(d)?)))
        .filter(|(_, a, b)| a != b)
}

/// Whether two places disagree about a field's owner: then nothing follows from either.
pub(super) fn is_disputed(field: &Field) -> bool {
    disputes(field).next().is_some()
}

fn owner(declaration: &Declaration) -> Option<SystemId> {
    declaration.owner.as_ref()?.value
}

fn finding(
    ctx: &Context,
    field: &Field,
    (first, first_owner): (&Declaration, SystemId),
    (later, later_owner): (&Declaration, SystemId),
) -> Finding {
    let path = ctx.path(field.id);
    let (a, b) = (ctx.system(first_owner), ctx.system(later_owner));
    let message = format!("`{path}` is declared twice, owned by `{a}` and by `{b}`");
    let mut found = Finding::new(CODE, later.name, message)
        .mark(format!("here it belongs to `{b}`"))
        .label(first.name, format!("here it belongs to `{a}`"));
    for (declaration, system) in [(first, a), (later, b)] {
        if let Some(owner) = &declaration.owner {
            found = words::label(found, owner.clause, format!("owned by `{system}` here"));
        }
    }
    found
        .help(format!(
            "keep one declaration of `{path}` with one `owner`; where both write it, name the \
             other one in its `accepts`, as `owner {a} accepts {b}`"
        ))
        .fix(
            format!("keep `{a}` as the owner and remove this declaration"),
            Grade::Review,
            vec![fix::remove(later.span, ctx.sources)],
        )
}
