//! SL0114 clean-not-owner: a `clean` writes back into a system that does not own what it changes.

use super::super::{Context, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Clean, Entity, Field, Scenario, SystemId};

const CODE: Code = Code(114);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .scenarios
        .iter()
        .filter_map(|s| finding(ctx, s, s.clean.as_ref()?))
        .collect()
}

fn finding(ctx: &Context, scenario: &Scenario, clean: &Clean) -> Option<Finding> {
    let system = clean.system.id?;
    let entity = ctx.policy.entity(clean.entity.id?);
    let name = ctx.system(system);
    match &entity.owner {
        Some(said) => {
            let owner = said.value.filter(|o| *o != system)?;
            let message = format!(
                "scenario `{}` cleans `{}` in `{name}`, but `{}` owns it",
                scenario.name,
                entity.name,
                ctx.system(owner)
            );
            let found = Finding::new(CODE, clean.clause, message)
                .mark(format!("writes back to `{name}`"))
                .label(
                    said.clause,
                    format!("owned by `{}` here", ctx.system(owner)),
                );
            let owner_name = ctx.system(owner);
            let found = found.help(format!(
                "write `clean {} in {owner_name}`, and let the flows carry the result to `{name}`",
                entity.name,
            ));
            // Where the owner has no map, cleaning there is more than one edit.
            if ctx.policy.map_for(entity.id, owner).is_none() {
                return Some(found);
            }
            let edit = Edit {
                span: clean.system.span,
                text: owner_name.to_owned(),
            };
            let title = format!("clean it in `{owner_name}`");
            Some(found.fix(title, Grade::Review, vec![edit]))
        }
        None if entity.broken => None,
        None => {
            let others = owned_elsewhere(ctx, entity, system);
            (!others.is_empty()).then(|| by_fields(ctx, clean, entity, system, &others))
        }
    }
}

/// The fields that the system maps but does not own.
fn owned_elsewhere<'a>(ctx: &Context<'a>, entity: &'a Entity, system: SystemId) -> Vec<&'a Field> {
    let Some(map) = ctx.policy.map_for(entity.id, system) else {
        return Vec::new();
    };
    entity
        .fields
        .iter()
        .filter(|f| f.is_data() && !f.origins_unknown() && map.has(f.id.index))
        .filter(|f| f.owner() != Some(system))
        .collect()
}

fn by_fields(
    ctx: &Context,
    clean: &Clean,
    entity: &Entity,
    system: SystemId,
    others: &[&Field],
) -> Finding {
    let name = ctx.system(system);
    let fields = words::names(others.iter().map(|f| &*f.name.text));
    let message = format!(
        "`clean {} in {name}` may change {fields}, which `{name}` does not own",
        entity.name
    );
    let mut found =
        Finding::new(CODE, clean.clause, message).mark(format!("writes back to `{name}`"));
    for field in others {
        found = match field
            .owner
            .as_ref()
            .and_then(|o| Some((o.clause, o.value?)))
        {
            Some((clause, owner)) => {
                let text = format!("`{}` is owned by `{}` here", field.name, ctx.system(owner));
                words::label(found, clause, text)
            }
            None => words::label(found, field.name.span, "has no owner"),
        };
    }
    found.help(format!(
        "write `owner {name}` on entity `{}`, or clean it in the system that owns these fields",
        entity.name
    ))
}
