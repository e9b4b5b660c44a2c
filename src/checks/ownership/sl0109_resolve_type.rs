//! SL0109 resolve-type: the rule does not fit the field's type.

use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::Field;
use crate::terms::ResolveRule;
use crate::value::Type;

const CODE: Code = Code(109);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.each_field(|field| finding(ctx, field).into_iter().collect())
}

/// What a rule needs, where the type is something else.
fn misfit(rule: ResolveRule, ty: &Type) -> Option<&'static str> {
    match rule {
        ResolveRule::AnyTrue | ResolveRule::AllTrue if *ty != Type::Bool => Some("a `bool`"),
        ResolveRule::Max | ResolveRule::Min if !ty.is_ordered() => {
            Some("an `int`, `decimal`, `date` or `datetime`")
        }
        ResolveRule::Union if !matches!(ty, Type::Set { .. }) => Some("a `set`"),
        _ => None,
    }
}

fn finding(ctx: &Context, field: &Field) -> Option<Finding> {
    let resolve = field.resolve.as_ref().filter(|_| field.is_data())?;
    let ty = field.ty.as_ref()?;
    let rule = resolve.value;
    let needed = misfit(rule, ty)?;
    let path = ctx.path(field.id);
    let message = format!(
        "`resolve {rule}` needs {needed}, but `{path}` is `{}`",
        ty.describe()
    );
    let instead = words::proposed_rule(field);
    let (found, edit) = if resolve.inherited {
        let entity = &ctx.policy.entity(field.id.entity).name;
        let found = Finding::new(CODE, field.name.span, message)
            .mark("takes the rule of its entity")
            .label(resolve.clause, format!("the rule of entity `{entity}`"));
        let own = fix::add_clause(field, &format!("resolve {instead}"));
        (found, own)
    } else {
        let found = Finding::new(CODE, resolve.clause, message).mark(format!("needs {needed}"));
        let replaced = Edit {
            span: resolve.clause,
            text: format!("resolve {instead}"),
        };
        (found, replaced)
    };
    Some(
        found
            .label(field.type_span, format!("the type of `{}`", field.name))
            .help(format!(
                "write `resolve {instead}` on `{path}`: {}",
                words::rule_meaning(instead)
            ))
            .fix(
                format!("write `resolve {instead}` on `{path}`"),
                Grade::Review,
                vec![edit],
            ),
    )
}
