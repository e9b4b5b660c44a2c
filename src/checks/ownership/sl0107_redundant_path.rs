//! SL0107 redundant-path: two ways of one mode class bring the same changes from one system to
//! another.

use std::collections::BTreeMap;

use super::super::{Context, fix, words};
use super::{sl0103_write_to_owner, sl0104_unauthorised_source};
use crate::finding::{Code, Finding, Grade};
use crate::graph::{Edge, Flow};
use crate::model::{Field, FieldId, SystemId};
use crate::terms::ModeClass;
use crate::text::Span;

const CODE: Code = Code(107);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    // Fields that travel alike are looked at once, and clauses are compared once, however many
    // fields they share.
    let mut alike: BTreeMap<Alike, Vec<&Field>> = BTreeMap::new();
    for field in ctx.policy.fields().filter(|f| !f.is_key) {
        if let Some(flow) = ctx.graph.flows.number_of(field.id) {
            let origins = match field.is_data() && !field.origins_unknown() {
                true => field.origins(),
                false => Vec::new(),
            };
            alike
                .entry((flow, field.owner(), origins))
                .or_default()
                .push(field);
        }
    }
    let mut doubles: BTreeMap<Double, Vec<FieldId>> = BTreeMap::new();
    for ((_, _, origins), fields) in &alike {
        let Some((first, flow)) = fields
            .first()
            .and_then(|f| Some((f, ctx.graph.flows.of(f.id)?)))
        else {
            continue;
        };
        // Where a flow may not be at all, a second way is not what to mend first.
        let relayed = match forbidden(ctx, first) {
            true => Vec::new(),
            false => relayed(ctx, origins, flow),
        };
        for double in doubled(ctx, flow).into_iter().chain(relayed) {
            let ids = fields.iter().map(|f| f.id);
            doubles.entry(double).or_default().extend(ids);
        }
    }
    doubles
        .into_iter()
        .map(|(double, mut fields)| {
            fields.sort_unstable();
            finding(ctx, &double, &fields)
        })
        .collect()
}

/// A graph's number, and owner and origins of the fields that travel by it.
type Alike = (u32, Option<SystemId>, Vec<SystemId>);

fn forbidden(ctx: &Context, field: &Field) -> bool {
    !sl0103_write_to_owner::faults(ctx, field).is_empty()
        || !sl0104_unauthorised_source::faults(ctx, field)
            .edges
            .is_empty()
}

/// Two ways between the same systems: an edge, and one or more edges that do the same.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Double {
    direct: Edge,
    other: Vec<Edge>,
}

fn class(ctx: &Context, edge: Edge) -> Option<ModeClass> {
    ctx.scenario(edge).mode.class
}

fn clause(ctx: &Context, edge: Edge) -> Span {
    ctx.sync(edge).clause
}

/// Edges of two clauses between the same two systems.
fn doubled(ctx: &Context, flow: &Flow) -> Vec<Double> {
    let mut edges: Vec<Edge> = flow.edges().collect();
    edges.sort_unstable();
    let same_ends = |a: &Edge, b: &Edge| (a.from, a.to) == (b.from, b.to);
    let mut doubles = Vec::new();
    for group in edges.chunk_by(same_ends) {
        for (position, later) in group.iter().enumerate() {
            // The nearest earlier clause is enough to say that this one repeats.
            let earlier = group[..position].iter().rev().find(|earlier| {
                class(ctx, **earlier).is_some()
                    && class(ctx, **earlier) == class(ctx, *later)
                    && clause(ctx, **earlier) != clause(ctx, *later)
                    && !apart(ctx, **earlier, *later)
            });
            doubles.extend(earlier.map(|earlier| Double {
                direct: *later,
                other: vec![*earlier],
            }));
        }
    }
    doubles
}

/// An edge from an origin, and a path through systems that are no origins, all of one class.
fn relayed(ctx: &Context, origins: &[SystemId], flow: &Flow) -> Vec<Double> {
    let mut doubles: Vec<Double> = Vec::new();
    for origin in origins.iter().copied() {
        for direct in flow.leaving(origin) {
            let Some(wanted) = class(ctx, direct) else {
                continue;
            };
            let known = doubles
                .iter()
                .any(|d| d.direct.to == direct.to && class(ctx, d.direct) == Some(wanted));
            if known || direct.to == origin {
                continue;
            }
            let path = flow.path(origin, direct.to, |e| {
                class(ctx, e) == Some(wanted)
                    && (e.from == origin || !origins.contains(&e.from))
                    && !(e.from == origin && e.to == direct.to)
                    && !apart(ctx, e, direct)
            });
            doubles.extend(path.map(|other| Double { direct, other }));
        }
    }
    doubles
}

/// Whether the two take different changes: other events, or records that pass other conditions.
/// One without any condition takes what the other takes.
fn apart(ctx: &Context, a: Edge, b: Edge) -> bool {
    match (conditions(ctx, a), conditions(ctx, b)) {
        (Some(a), Some(b)) => a != b,
        _ => false,
    }
}

/// The event and the conditions of an edge as written; `None`: it takes every change.
fn conditions<'c>(ctx: &Context<'c>, edge: Edge) -> Option<[&'c str; 3]> {
    let when = ctx.scenario(edge).when.as_ref();
    let text = |filter: &Option<crate::model::Filter>| {
        filter.as_ref().map(|f| ctx.sources.slice(f.expr.span))
    };
    let event = when.map(|w| &*w.event.text);
    let of_event = when.and_then(|w| text(&w.filter));
    let of_record = text(&ctx.sync(edge).filter);
    (event.is_some() || of_record.is_some()).then(|| {
        [
            event.unwrap_or_default(),
            of_event.unwrap_or_default(),
            of_record.unwrap_or_default(),
        ]
    })
}

fn finding(ctx: &Context, double: &Double, fields: &[FieldId]) -> Finding {
    let direct = double.direct;
    let carried = words::names(fields.iter().map(|f| ctx.path(*f)));
    let class = class(ctx, direct).map_or("", ModeClass::word);
    let (from, to) = (ctx.system(direct.from), ctx.system(direct.to));
    let be = match fields.len() {
        1 => "travels",
        _ => "travel",
    };
    let message = format!(
        "{carried} {be} from `{from}` to `{to}` by two {class} ways, {}, so each change is written \
         twice",
        both(ctx, double)
    );
    let all: Vec<Edge> = std::iter::once(direct)
        .chain(double.other.iter().copied())
        .collect();
    // Hops are numbered in reading order.
    let later = all.iter().copied().max_by_key(|e| e.hop).unwrap_or(direct);
    let mark = words::carries(ctx, &[later]);
    let mut found = Finding::new(CODE, clause(ctx, later), message).mark(mark);
    found = words::label_edges(ctx, found, &all);
    found = words::walk(ctx, found, &all);
    let short = words::names(fields.iter().map(|f| &*ctx.policy.field(*f).name.text));
    found = found.help(format!("take {short} out of one of the two ways"));
    match fix::uncarry(ctx, later, fields) {
        Some(edit) => found.fix(
            format!("take {short} out of this `sync`"),
            Grade::Review,
            vec![edit],
        ),
        None => found,
    }
}

/// The two ways by the names of their scenarios.
fn both(ctx: &Context, double: &Double) -> String {
    let direct = words::scenarios(ctx, &[double.direct]);
    let other = words::scenarios(ctx, &double.other);
    match double.other.split_last() {
        Some((_, through)) if !through.is_empty() => {
            let through = words::systems(ctx, words::targets(through));
            format!("straight by {direct} and through {through} by {other}")
        }
        _ if direct == other => format!("both in {direct}"),
        _ => format!("by {other} and by {direct}"),
    }
}
