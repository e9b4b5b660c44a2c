//! SL0403 values-incomplete: `values` leaves out a value of the enum, names one that it lacks, or
//! gives two of them one raw value in a system from which the field is read back.

use std::collections::BTreeSet;

use super::super::{Context, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Field, FieldId, Ident, Map, MapId, MappedField, Values};
use crate::text::{Span, nearest};
use crate::value::Type;

const CODE: Code = Code(403);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    each(ctx).map(|f| finding(ctx, &f)).collect()
}

/// The maps with such a line.
pub(in super::super) fn maps(ctx: &Context) -> BTreeSet<MapId> {
    each(ctx).map(|f| f.map.id).collect()
}

/// An enum value and its raw value.
type Pair = (Ident, Ident);

/// What is wrong with one line.
struct Fault<'a> {
    map: &'a Map,
    mapped: &'a MappedField,
    field: &'a Field,
    values: &'a Values,
    /// Enum values that the line leaves out.
    missing: Vec<&'a str>,
    /// Names that are none of the enum's.
    unknown: Vec<&'a Ident>,
    /// Pairs of enum values with one raw value.
    doubled: Vec<[&'a Pair; 2]>,
}

fn each<'a>(ctx: &'a Context<'a>) -> impl Iterator<Item = Fault<'a>> {
    ctx.policy.maps.iter().flat_map(move |map| {
        map.fields
            .iter()
            .filter_map(move |mapped| fault(ctx, map, mapped))
    })
}

fn fault<'a>(ctx: &Context<'a>, map: &'a Map, mapped: &'a MappedField) -> Option<Fault<'a>> {
    let values = mapped.values()?;
    let id = FieldId {
        entity: map.entity.value,
        index: mapped.field,
    };
    let field = ctx.policy.field(id);
    let Some(Type::Enum { values: declared }) = &field.ty else {
        return None;
    };
    let known = |name: &str| declared.iter().any(|d| d == name);
    let named = |name: &str| values.pairs.iter().any(|(n, _)| &*n.text == name);
    let mut doubled = Vec::new();
    if is_read_back(ctx, map, id) {
        for (position, later) in values.pairs.iter().enumerate() {
            let before = values.pairs.iter().take(position);
            let earlier = before
                .filter(|e| known(&e.0.text) && known(&later.0.text))
                .find(|e| e.1.text == later.1.text && e.0.text != later.0.text);
            doubled.extend(earlier.map(|e| [e, later]));
        }
    }
    let fault = Fault {
        map,
        mapped,
        field,
        values,
        missing: declared
            .iter()
            .map(String::as_str)
            .filter(|d| !named(d))
            .collect(),
        unknown: values
            .pairs
            .iter()
            .map(|p| &p.0)
            .filter(|n| !known(&n.text))
            .collect(),
        doubled,
    };
    let wrong = !fault.missing.is_empty() || !fault.unknown.is_empty() || !fault.doubled.is_empty();
    wrong.then_some(fault)
}

/// Whether some flow, or a `clean`, reads the field in this system.
fn is_read_back(ctx: &Context, map: &Map, field: FieldId) -> bool {
    let system = map.system.value;
    let cleaned =
        |c: &crate::model::Clean| c.system.id == Some(system) && c.entity.id == Some(field.entity);
    let flow = ctx.graph.flows.of(field);
    flow.is_some_and(|f| f.is_source(system))
        || ctx
            .policy
            .scenarios
            .iter()
            .any(|s| s.clean.as_ref().is_some_and(cleaned))
}

fn finding(ctx: &Context, fault: &Fault) -> Finding {
    let path = ctx.path(fault.field.id);
    let system = ctx.system(fault.map.system.value);
    let mut faults = Vec::new();
    if !fault.missing.is_empty() {
        faults.push(format!("leaves out {}", words::names(&fault.missing)));
    }
    if !fault.unknown.is_empty() {
        let names = words::names(fault.unknown.iter().map(|i| &*i.text));
        faults.push(format!("names {names}, which the enum lacks"));
    }
    if let Some([a, b]) = fault.doubled.first() {
        faults.push(format!(
            "calls both `{}` and `{}` {}, so what is read back could be either",
            a.0,
            b.0,
            serde_json::Value::from(&*a.1.text)
        ));
    }
    let message = format!(
        "`values` of `{path}` in `{system}` {}",
        faults.join(" and ")
    );
    let mut found = Finding::new(CODE, fault.mapped.span, message)
        .mark(match (fault.missing.first(), fault.unknown.first()) {
            (Some(missing), _) => format!("no word of `{system}` for `{missing}`"),
            (None, Some(unknown)) => format!("`{unknown}` is no value of `{path}`"),
            (None, None) => "one word for two values".to_owned(),
        })
        .label(
            fault.field.type_span,
            format!("the values of `{}`", fault.field.name),
        );
    for name in &fault.unknown {
        found = words::label(found, name.span, "no value of the enum");
    }
    for [a, b] in &fault.doubled {
        found = words::label(found, a.1.span, format!("what `{}` is called there", a.0));
        found = words::label(found, b.1.span, format!("`{}` is called the same", b.0));
    }
    mend(found, fault, system)
}

fn mend(found: Finding, fault: &Fault, system: &str) -> Finding {
    let mut missing = fault.missing.clone();
    let mut edits = Vec::new();
    let mut helps = Vec::new();
    for name in &fault.unknown {
        let near = nearest(&name.text, missing.iter().copied());
        match near {
            Some(near) => {
                helps.push(format!("write `{near}` for `{name}`"));
                missing.retain(|m| *m != near);
                edits.push(Edit {
                    span: name.span,
                    text: near.to_owned(),
                });
            }
            None => helps.push(format!("remove `{name}`, or add it to the enum")),
        }
    }
    let renamed = !edits.is_empty();
    if !missing.is_empty() {
        let pairs: Vec<String> = missing.iter().map(|m| format!("{m} = \"{m}\"")).collect();
        helps.push(format!(
            "add {} with what `{system}` itself calls it",
            words::names(missing.iter().map(|m| format!("{m} = \"…\"")))
        ));
        edits.push(add_pairs(fault.values, &pairs));
    }
    if !fault.doubled.is_empty() {
        helps.push(
            "give each value a word of its own, or take nothing back from this system".to_owned(),
        );
    }
    let found = found.help(helps.join("; "));
    match (renamed, missing.is_empty()) {
        _ if edits.is_empty() => found,
        (true, true) => found.fix("write the enum's own names", Grade::Safe, edits),
        _ => found.fix(
            "add the missing values by their own names",
            Grade::Review,
            edits,
        ),
    }
}

/// Adds pairs after the last one.
fn add_pairs(values: &Values, pairs: &[String]) -> Edit {
    let at = |span: Span| Span::point(span.file, span.end as usize);
    match values.pairs.last() {
        Some((_, raw)) => Edit {
            span: at(raw.span),
            text: format!(", {}", pairs.join(", ")),
        },
        // `{ }`: before the brace that ends the clause.
        None => Edit {
            span: Span::point(
                values.span.file,
                (values.span.end as usize).saturating_sub(1),
            ),
            text: format!(" {} ", pairs.join(", ")),
        },
    }
}
