//! SL0103 write-to-owner: a flow writes a field into its owner from a system that may not.

use std::collections::BTreeMap;

use super::super::{Context, fix, words};
use super::{accept, origins_known};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::Edge;
use crate::model::{Carried, Field, FieldId, SystemId};
use crate::text::Span;

const CODE: Code = Code(103);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let blocks = ctx.blocks_of_allows(CODE);
    // Fields that one clause carries the same way are one slip.
    let mut writes: BTreeMap<Alike, Write> = BTreeMap::new();
    for field in ctx.policy.fields() {
        for edges in words::by_clause(ctx, faults(ctx, field)) {
            let Some(first) = edges.first() else { continue };
            let stands = |b: &&Span| field.declared.iter().any(|d| b.contains(d.span));
            let alike = Alike {
                clause: ctx.sync(*first).clause,
                ways: edges.iter().map(|e| (e.from, e.to)).collect(),
                blocks: blocks.iter().filter(stands).copied().collect(),
            };
            let write = writes.entry(alike).or_default();
            write.edges = edges;
            write.fields.push(field);
        }
    }
    let writes = writes.values();
    writes.filter_map(|w| finding(ctx, w)).collect()
}

/// What fields have in common that make one finding.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Alike {
    clause: Span,
    ways: Vec<(SystemId, SystemId)>,
    blocks: Vec<Span>,
}

#[derive(Default)]
struct Write<'a> {
    edges: Vec<Edge>,
    fields: Vec<&'a Field>,
}

/// How many of many fields are labelled.
const SHOWN_FIELDS: usize = 6;

/// The edges that end in the owner of a field and come from no origin of it.
pub(super) fn faults(ctx: &Context, field: &Field) -> Vec<Edge> {
    let Some(owner) = field.owner() else {
        return Vec::new();
    };
    if !origins_known(ctx, field) {
        return Vec::new();
    }
    let Some(flow) = ctx.graph.flows.of(field.id) else {
        return Vec::new();
    };
    flow.edges()
        .filter(|e| e.to == owner && !field.is_origin(e.from))
        .collect()
}

/// One finding for the edges of one clause.
fn finding(ctx: &Context, write: &Write) -> Option<Finding> {
    let Write { edges, fields } = write;
    let field = *fields.first()?;
    let paths = words::names(fields.iter().map(|f| ctx.path(f.id)));
    let fields_named = words::names(fields.iter().map(|f| &f.name.text));
    let one = fields.len() == 1;
    let (its, it) = if one {
        ("its", "it")
    } else {
        ("their", "them")
    };
    let sources: Vec<&str> = words::sources(edges).map(|s| ctx.system(s)).collect();
    let owner = field.owner().map_or("", |o| ctx.system(o));
    let names = words::names(&sources);
    let verb = if sources.len() == 1 {
        "writes"
    } else {
        "write"
    };
    let message = format!(
        "{names} {verb} {paths} into {its} owner `{owner}`, which does not accept {it} from there"
    );
    let clause = ctx.sync(*edges.first()?).clause;
    let mut found =
        Finding::new(CODE, clause, message).mark(format!("carries {fields_named} into `{owner}`"));
    for field in fields.iter().take(SHOWN_FIELDS) {
        let text = format!("`{}` is declared here", field.name);
        found = words::label(found, field.name.span, text);
        found = words::label_origins(ctx, found, field);
    }
    let accepting = match one {
        true => words::accept(ctx, field, &sources),
        false => format!("add `accepts {}` to each of them", sources.join(", ")),
    };
    let help = format!(
        "take {fields_named} out of this `sync`, or, where {names} may change {it}, {accepting}"
    );
    let mut found = found.help(help);
    if let Some(edit) = one_way(ctx, field, edges) {
        let title = format!("let {fields_named} only flow out of `{owner}`");
        found = found.fix(title, Grade::Review, vec![edit]);
    } else if let Some(edit) = only_these(ctx, fields, edges) {
        let title = format!("take {fields_named} out of this `sync`");
        found = found.fix(title, Grade::Review, vec![edit]);
    }
    Some(accept(ctx, found, fields, &sources))
}

/// Takes fields out of a clause that does nothing else with them.
fn only_these(ctx: &Context, fields: &[&Field], edges: &[Edge]) -> Option<Edit> {
    let first = *edges.first()?;
    let clause = ctx.sync(first).clause;
    let field = fields.first()?;
    let ids: Vec<FieldId> = fields.iter().map(|f| f.id).collect();
    let flow = ctx.graph.flows.of(field.id)?;
    let all = flow.edges().filter(|e| ctx.sync(*e).clause == clause);
    (all.count() == edges.len()).then(|| fix::uncarry(ctx, first, &ids))?
}

/// Turns `between` of the owner and one other system into the one way that is allowed, where that
/// holds for all that the clause carries.
fn one_way(ctx: &Context, field: &Field, edges: &[Edge]) -> Option<Edit> {
    let [edge] = edges else { return None };
    let sync = ctx.sync(*edge);
    let (Carried::Fields(named), [first, last]) = (&sync.carried, sync.sources.as_slice()) else {
        return None;
    };
    let (owner, other): (SystemId, SystemId) = (field.owner()?, edge.from);
    let alike = |id| {
        let f = ctx.policy.field(id);
        f.is_key || f.owner() == Some(owner) && !f.is_origin(other)
    };
    if !sync.between || !named.iter().all(|n| n.id.is_some_and(alike)) {
        return None;
    }
    let (start, end) = (sync.clause.start as usize, first.span.start as usize);
    let before = ctx.sources.slice(Span::new(sync.clause.file, start, end));
    let at = start + before.rfind("between")?;
    Some(Edit {
        span: Span::new(sync.clause.file, at, last.span.end as usize),
        text: format!("from {} to {}", ctx.system(owner), ctx.system(other)),
    })
}
