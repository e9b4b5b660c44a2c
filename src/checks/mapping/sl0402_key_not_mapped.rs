//! SL0402 key-not-mapped: a map lacks the entity's key, so its records cannot be told apart.

use super::super::{Context, fix, words};
use crate::finding::{Code, Finding, Grade};
use crate::model::{Field, Map};

const CODE: Code = Code(402);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .maps
        .iter()
        .filter(|m| !m.broken)
        .filter_map(|m| finding(ctx, m))
        .collect()
}

fn finding(ctx: &Context, map: &Map) -> Option<Finding> {
    let entity = ctx.policy.entity(map.entity.value);
    let missing: Vec<&Field> = entity
        .key_fields()
        .filter(|f| !map.has(f.id.index))
        .collect();
    if missing.is_empty() {
        return None;
    }
    let system = ctx.system(map.system.value);
    let names = words::names(missing.iter().map(|f| &*f.name.text));
    let message = format!(
        "the map of `{}` in `{system}` lacks the key {names}, by which records are told apart",
        entity.name
    );
    let mut found = Finding::new(CODE, map.system.span, message)
        .mark("without it no record can be found again");
    if let Some(key) = &entity.key {
        found = words::label(found, key.clause, format!("the key of `{}`", entity.name));
    }
    let lines: Vec<String> = missing
        .iter()
        .map(|f| format!("key {} = \"{}\"", f.name, f.name))
        .collect();
    let help = format!(
        "write {} in this map, with what `{system}` itself calls it",
        words::names(missing.iter().map(|f| format!("key {} = \"…\"", f.name)))
    );
    found = found.help(help);
    let edit = fix::add_line(map.span, ctx.sources, &lines.join("\n  "));
    Some(match edit {
        Some(edit) => found.fix(
            format!("map {names} by the same name"),
            Grade::Review,
            vec![edit],
        ),
        None => found,
    })
}
