//! SL01: who owns a field, who else may write it, and whether its flows keep to that.

pub(super) mod sl0101_no_owner;
pub(super) mod sl0102_two_owners;
pub(super) mod sl0103_write_to_owner;
pub(super) mod sl0104_unauthorised_source;
pub(super) mod sl0105_competing_writers;
pub(super) mod sl0106_sync_loop;
pub(super) mod sl0107_redundant_path;
pub(super) mod sl0108_no_change_time;
pub(super) mod sl0109_resolve_type;
pub(super) mod sl0110_accepts_unused;
pub(super) mod sl0111_derivation_circle;
pub(super) mod sl0112_derived_owned;
pub(super) mod sl0113_order_circle;
pub(super) mod sl0114_clean_not_owner;
pub(super) mod sl0115_unstable_round_trip;
pub(super) mod sl0116_coarse_change_time;

use super::{Context, fix, words};
use crate::finding::{Edit, Finding, Grade};
use crate::model::Field;
use crate::terms::ResolveRule;

/// Whether all that is said about a field's origins could be read, so that a missing one is really
/// missing; not so for keys and derived fields, which have none.
fn origins_known(ctx: &Context, field: &Field) -> bool {
    let unread = field.accepts.is_none() && ctx.policy.entity(field.id.entity).broken;
    let disputed = sl0102_two_owners::is_disputed(field);
    field.is_data() && !field.origins_unknown() && !unread && !disputed
}

/// Whether a field has no `resolve`, and none that could not be read.
fn lacks_rule(ctx: &Context, field: &Field) -> bool {
    field.resolve.is_none() && !field.broken && !ctx.policy.entity(field.id.entity).broken
}

/// Carries the mend that lets systems write fields, with a rule where one has none: then values of
/// several origins meet.
fn accept(ctx: &Context, found: Finding, fields: &[&Field], more: &[&str]) -> Finding {
    let mut edits = Vec::new();
    let mut rules: Vec<ResolveRule> = Vec::new();
    for field in fields {
        let rule = lacks_rule(ctx, field).then(|| words::proposed_rule(field));
        edits.extend(accepting(ctx, field, more, rule));
        rules.extend(rule.filter(|r| !rules.contains(r)));
    }
    let names = words::names(fields.iter().map(|f| &f.name.text));
    let title = format!("let {} change {names}", words::names(more));
    let title = match rules.as_slice() {
        [] => title,
        [rule] => format!("{title} too, with `resolve {rule}`"),
        _ => format!("{title} too, each with a `resolve`"),
    };
    found.fix(title, Grade::Review, edits)
}

fn accepting(ctx: &Context, field: &Field, more: &[&str], rule: Option<ResolveRule>) -> Vec<Edit> {
    let accepted = field.accepts.iter().flat_map(|a| &a.value.systems);
    let mut all: Vec<&str> = accepted.map(|s| ctx.system(s.value)).collect();
    all.extend(more);
    let clause = format!("accepts {}", all.join(", "));
    let mut edits = Vec::new();
    let mut added = Vec::new();
    match field.accepts.as_ref().filter(|a| !a.inherited) {
        Some(own) => edits.push(Edit {
            span: own.clause,
            text: clause,
        }),
        None => added.push(clause),
    }
    added.extend(rule.map(|r| format!("resolve {r}")));
    if !added.is_empty() {
        edits.push(fix::add_clause(field, &added.join("  ")));
    }
    edits
}
