//! Words that several checks use: lists of names, and labels for owners, origins and flows.

use std::collections::{BTreeMap, BTreeSet};

use super::Context;
use crate::finding::Finding;
use crate::graph::{Edge, HopId, ReadBy};
use crate::model::{Field, Mode, ModeKind, Scenario, Sync, SystemId};
use crate::terms::ResolveRule;
use crate::text::Span;
use crate::value::Type;

/// How many names a list shows before it only counts.
const SHOWN_MAX: usize = 6;

/// Names in backticks: `a`, `b` and `c`.
pub(super) fn names<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    listed(
        names
            .into_iter()
            .map(|n| format!("`{}`", n.as_ref()))
            .collect(),
        "and",
    )
}

/// The same with "or".
pub(super) fn either<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    listed(
        names
            .into_iter()
            .map(|n| format!("`{}`", n.as_ref()))
            .collect(),
        "or",
    )
}

fn listed(mut items: Vec<String>, word: &str) -> String {
    if items.len() > SHOWN_MAX + 1 {
        let more = items.len() - SHOWN_MAX;
        items.truncate(SHOWN_MAX);
        return format!("{} {word} {more} more", items.join(", "));
    }
    match items.pop() {
        None => String::new(),
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} {word} {last}", items.join(", ")),
    }
}

/// The names of systems.
pub(super) fn systems(ctx: &Context, ids: impl IntoIterator<Item = SystemId>) -> String {
    names(ids.into_iter().map(|s| ctx.system(s)))
}

/// A text as a string of the language.
pub(super) fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Adds a label unless its place is labelled already or is the primary one.
pub(super) fn label(finding: Finding, span: Span, message: impl Into<String>) -> Finding {
    let known = finding.primary == Some(span) || finding.labels.iter().any(|l| l.span == span);
    if known {
        finding
    } else {
        finding.label(span, message)
    }
}

/// Labels the clauses that say who owns a field and who may write it too.
pub(super) fn label_origins(ctx: &Context, mut finding: Finding, field: &Field) -> Finding {
    if let Some(owner) = &field.owner
        && let Some(system) = owner.value
    {
        let text = format!("owned by `{}` here", ctx.system(system));
        finding = label(finding, owner.clause, text);
    }
    if let Some(accepts) = &field.accepts
        && !accepts.value.systems.is_empty()
    {
        let accepted = systems(ctx, accepts.value.systems.iter().map(|s| s.value));
        finding = label(
            finding,
            accepts.clause,
            format!("{accepted} may change it too"),
        );
    }
    finding
}

/// How many flows a finding labels before it only counts them: a reader has lost the thread long
/// before, and a policy may have thousands.
const FLOWS_MAX: usize = 24;

/// Labels the `sync` clause of each edge, each once, with its scenario and every way of these that
/// it goes.
pub(super) fn label_edges(ctx: &Context, mut finding: Finding, edges: &[Edge]) -> Finding {
    for group in by_clause(ctx, edges.to_vec()).into_iter().take(FLOWS_MAX) {
        let Some(first) = group.first() else {
            continue;
        };
        let text = carries(ctx, &group);
        finding = label(finding, ctx.sync(*first).clause, text);
    }
    finding
}

/// "`names` carries it from `a` to `b` here", for edges of one clause.
pub(super) fn carries(ctx: &Context, edges: &[Edge]) -> String {
    let scenario = edges.first().map_or("", |e| &*ctx.scenario(*e).name.text);
    let mut seen = BTreeSet::new();
    let ways = edges.iter().filter(|e| seen.insert((e.from, e.to)));
    let ways = ways.map(|e| way(ctx, *e)).collect();
    format!("`{scenario}` carries it {} here", listed(ways, "and"))
}

/// Adds edges that follow each other as the finding's path; each clause that is not labelled yet
/// is.
pub(super) fn walk(ctx: &Context, mut finding: Finding, edges: &[Edge]) -> Finding {
    for edge in edges {
        let (clause, text) = (
            ctx.sync(*edge).clause,
            carries(ctx, std::slice::from_ref(edge)),
        );
        finding = label(finding, clause, text.clone()).step(clause, text);
    }
    finding
}

/// The scenarios of edges, each once.
pub(super) fn scenarios(ctx: &Context, edges: &[Edge]) -> String {
    let mut seen = BTreeSet::new();
    let all = edges.iter().map(|e| ctx.scenario(*e));
    names(all.filter(|s| seen.insert(s.id)).map(|s| &*s.name.text))
}

/// "from `a` to `b`".
pub(super) fn way(ctx: &Context, edge: Edge) -> String {
    format!(
        "from `{}` to `{}`",
        ctx.system(edge.from),
        ctx.system(edge.to)
    )
}

/// The systems along edges that follow each other: `a` → `b` → `a`.
pub(super) fn route(ctx: &Context, edges: &[Edge]) -> String {
    let start = edges.first().map(|e| e.from);
    let stops = start.into_iter().chain(edges.iter().map(|e| e.to));
    let stops: Vec<String> = stops.map(|s| format!("`{}`", ctx.system(s))).collect();
    stops.join(" → ")
}

/// What an expression is in the words of an author.
pub(super) fn reader(ctx: &Context, by: ReadBy) -> String {
    match by {
        ReadBy::Filter => "the `if` of this flow".into(),
        ReadBy::Require => "a `require` of the checkpoint".into(),
        ReadBy::Derived(field) => format!("the derived `{}`", ctx.path(field)),
    }
}

/// The rule to propose for a field that has none: an opt-in or opt-out counts whoever says it, for
/// everything else the system of record does.
pub(super) fn proposed_rule(field: &Field) -> ResolveRule {
    if field.ty == Some(Type::Bool) && field.has_class("consent") {
        ResolveRule::AnyTrue
    } else {
        ResolveRule::OwnerWins
    }
}

/// The `sync` clauses by which a field reaches a system, in reading order; a key travels with every
/// record of its entity.
pub(super) fn syncs_into<'a>(ctx: &Context<'a>, field: &Field, system: SystemId) -> Vec<&'a Sync> {
    let mut syncs: Vec<&Sync> = Vec::new();
    if field.is_key {
        let scenarios = ctx.policy.scenarios.iter();
        for (scenario, hop) in scenarios.flat_map(|s| s.hops.iter().map(move |h| (s, h))) {
            if hop.entity == field.id.entity && hop.to.value == system {
                syncs.extend(scenario.syncs.get(hop.sync as usize));
            }
        }
    } else if let Some(flow) = ctx.graph.flows.of(field.id) {
        let edges = flow.edges().filter(|e| e.to == system);
        syncs.extend(edges.map(|e| ctx.sync(e)));
    }
    let mut seen = BTreeSet::new();
    syncs.retain(|s| seen.insert(s.clause));
    syncs
}

/// Edges in groups of one `sync` clause each, in reading order.
pub(super) fn by_clause(ctx: &Context, edges: Vec<Edge>) -> Vec<Vec<Edge>> {
    let mut groups: BTreeMap<Span, (HopId, Vec<Edge>)> = BTreeMap::new();
    for edge in edges {
        let clause = ctx.sync(edge).clause;
        let (_, group) = groups.entry(clause).or_insert((edge.hop, Vec::new()));
        group.push(edge);
    }
    let mut groups: Vec<(HopId, Vec<Edge>)> = groups.into_values().collect();
    groups.sort_by_key(|g| g.0);
    groups.into_iter().map(|g| g.1).collect()
}

/// The systems that edges come from, each once.
pub(super) fn sources(edges: &[Edge]) -> impl Iterator<Item = SystemId> {
    once(edges.iter().map(|e| e.from))
}

/// The systems that edges lead to, each once.
pub(super) fn targets(edges: &[Edge]) -> impl Iterator<Item = SystemId> {
    once(edges.iter().map(|e| e.to))
}

fn once(systems: impl Iterator<Item = SystemId>) -> impl Iterator<Item = SystemId> {
    let mut list: Vec<SystemId> = Vec::new();
    for system in systems {
        if !list.contains(&system) {
            list.push(system);
        }
    }
    list.into_iter()
}

/// How to let systems write a field: what its `accepts` then says.
pub(super) fn accept(ctx: &Context, field: &Field, more: &[&str]) -> String {
    let accepted = field.accepts.iter().flat_map(|a| &a.value.systems);
    let mut all: Vec<&str> = accepted.map(|s| ctx.system(s.value)).collect();
    all.extend(more);
    format!(
        "write `accepts {}` on `{}`",
        all.join(", "),
        ctx.path(field.id)
    )
}

/// What a rule does, for a help.
pub(super) fn rule_meaning(rule: ResolveRule) -> &'static str {
    match rule {
        ResolveRule::OwnerWins => "the owner's value holds wherever it has one",
        ResolveRule::LastWriteWins => "the latest change holds",
        ResolveRule::FirstWriteWins => "the earliest change holds",
        ResolveRule::AnyTrue => {
            "true holds as soon as one system says it, until the owner takes it back"
        }
        ResolveRule::AllTrue => {
            "false holds as soon as one system says it, until the owner takes it back"
        }
        ResolveRule::Max => "the greatest value holds",
        ResolveRule::Min => "the least value holds",
        ResolveRule::Union => "the members of all values hold together",
        ResolveRule::Manual => "a person decides each conflict",
    }
}

/// Whether the mode that holds is the one meant: a `mode` that could not be read is not replaced
/// by the policy's.
pub(super) fn mode_is_known(scenario: &Scenario) -> bool {
    scenario.mode.written || !scenario.broken
}

/// A number for people: two digits that count, thousands apart.
pub(super) fn about(number: f64) -> String {
    let digits = number.max(1.0).log10().floor() as i32;
    let step = 10_f64.powi((digits - 1).max(0));
    let whole = ((number / step).round() * step) as u64;
    super::figures::grouped_by(whole, ',')
}

/// Where a scenario's mode is said; its name where it says none.
pub(super) fn mode_place(scenario: &Scenario) -> Span {
    match &scenario.mode {
        Mode {
            written: true,
            span: Some(span),
            ..
        } => *span,
        _ => scenario.name.span,
    }
}

/// Labels the policy's `unsure` where a scenario takes its mode from there.
pub(super) fn label_unsure(finding: Finding, scenario: &Scenario) -> Finding {
    match scenario.mode.span.filter(|_| !scenario.mode.written) {
        Some(unsure) => label(finding, unsure, "the mode of a scenario that names none"),
        None => finding,
    }
}

/// Whether a scenario reads a system by schedule: any mode by the clock, and a reconcile where the
/// system can be read at all (a source without reads is left to its events).
pub(super) fn is_scheduled_read(ctx: &Context, scenario: &Scenario, system: SystemId) -> bool {
    match scenario.mode.kind {
        ModeKind::Realtime | ModeKind::Auto | ModeKind::Unknown => false,
        ModeKind::Scheduled(_) => true,
        ModeKind::Hybrid(_) => {
            let connector = ctx.policy.system(system).connector.as_ref();
            let entry = connector.and_then(|c| c.entry.as_ref());
            entry.is_none_or(|e| e.capabilities.read)
        }
    }
}
