//! SL0201 freshness-unattainable: by the model a field can get older than its `fresh` allows, on
//! its way to a system or on a scenario's own hops.

use std::collections::BTreeMap;

use super::super::{Context, alternatives, figures, fix, quota, words};
use super::{auto, sl0203_consent_not_realtime};
use crate::arithmetic::{Age, Path, Timing};
use crate::finding::{Code, Finding, Grade};
use crate::graph::Edge;
use crate::model::{Field, FieldId, Scenario, SystemId};
use crate::text::Span;
use crate::time::Millis;

const CODE: Code = Code(201);

/// Seconds by which a bound may be missed: less than any duration can say.
const TOLERANCE: f64 = 0.0005;

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let mut found: Vec<Finding> = late_fields(ctx)
        .iter()
        .map(|late| field_finding(ctx, late))
        .collect();
    let hops = ctx.policy.scenarios.iter();
    found.extend(hops.filter_map(|s| scenario_finding(ctx, s)));
    found.extend(auto::findings(ctx));
    found
}

/// Fields that one clause bounds and that travel alike.
type Group = (Span, Option<u32>, Vec<SystemId>, SystemId, Option<FieldId>);

/// Fields that get too old in a system, by one clause and one path.
struct Late<'a> {
    fields: Vec<&'a Field>,
    clause: Span,
    within: Millis,
    system: SystemId,
    path: Path,
}

fn late_fields<'a>(ctx: &Context<'a>) -> Vec<Late<'a>> {
    let mut groups: BTreeMap<Group, Vec<&Field>> = BTreeMap::new();
    for field in ctx.policy.fields().filter(|f| !f.is_key && !f.broken) {
        let Some(fresh) = field.fresh.as_ref().filter(|f| f.value.within.is_some()) else {
            continue;
        };
        let derived = field.derived.is_some().then_some(field.id);
        for system in bounded_in(ctx, field) {
            let flow = ctx.graph.flows.number_of(field.id);
            let group = (fresh.clause, flow, field.origins(), system, derived);
            groups.entry(group).or_default().push(field);
        }
    }
    let late = groups.into_iter().filter_map(|(group, fields)| {
        let first = fields.first()?;
        let within = first.fresh.as_ref()?.value.within?;
        let path = oldest(ctx, first, group.3)?;
        (age(&path) > within.as_secs_f64() + TOLERANCE
            && !told_elsewhere(ctx, &path.edges, &fields))
        .then_some(Late {
            clause: group.0,
            within,
            system: group.3,
            path,
            fields,
        })
    });
    joined(late.collect())
}

/// One finding where fields of one clause are late on the same hops.
fn joined(late: Vec<Late<'_>>) -> Vec<Late<'_>> {
    let mut joined: Vec<Late> = Vec::new();
    for more in late {
        let same = |known: &&mut Late| {
            known.clause == more.clause
                && known.system == more.system
                && known.path.edges == more.path.edges
        };
        match joined.iter_mut().find(same) {
            Some(known) => known.fields.extend(more.fields),
            None => joined.push(more),
        }
    }
    joined
}

/// The systems where a field's `fresh` holds.
fn bounded_in(ctx: &Context, field: &Field) -> Vec<SystemId> {
    let Some(fresh) = &field.fresh else {
        return Vec::new();
    };
    match &fresh.value.systems {
        Some(named) => named.iter().filter_map(|s| s.id).collect(),
        None => {
            let Some(flow) = ctx.graph.flows.of(field.id) else {
                return Vec::new();
            };
            let mut reached: Vec<SystemId> = flow.edges().map(|e| e.to).collect();
            reached.sort_unstable();
            reached.dedup();
            reached
        }
    }
}

/// The path on which a field gets oldest on its way to a system.
fn oldest(ctx: &Context, field: &Field, system: SystemId) -> Option<Path> {
    let paths = ctx
        .arithmetic
        .paths(ctx.policy, ctx.graph, field.id, system);
    paths
        .into_iter()
        .reduce(|oldest, next| match age(&next) > age(&oldest) {
            true => next,
            false => oldest,
        })
}

fn age(path: &Path) -> f64 {
    path.worst.unwrap_or(f64::INFINITY)
}

/// Whether a hop is the business of another finding, or its mode is not known.
fn told_elsewhere(ctx: &Context, edges: &[Edge], fields: &[&Field]) -> bool {
    edges.iter().any(|edge| {
        let scenario = ctx.scenario(*edge);
        let timing = ctx.arithmetic.scenario(scenario.id).map(|s| &s.timing);
        matches!(timing, None | Some(Timing::Unknown | Timing::Never))
            || !words::mode_is_known(scenario)
            || auto::concerns(scenario)
            || quota::sl0302_over_burst_limit::concerns(ctx, edge.to)
            || quota::sl0303_window_too_short::concerns(ctx, scenario)
            || fields
                .iter()
                .any(|f| sl0203_consent_not_realtime::concerns(ctx, *edge, f).is_some())
    })
}

fn field_finding(ctx: &Context, late: &Late) -> Finding {
    let fields = words::names(late.fields.iter().map(|f| ctx.path(f.id)));
    let system = ctx.system(late.system);
    let old = how_old(age(&late.path), late.within);
    let message = format!(
        "{fields} can be {old} in `{system}`, older than the {} that `fresh` allows",
        late.within
    );
    let mut found =
        Finding::new(CODE, late.clause, message).mark(format!("at most {} old", late.within));
    if let Some(derived) = late.fields.first().filter(|f| f.derived.is_some()) {
        let input = ctx.policy.field(late.path.field);
        let text = format!("`{}` is computed from it", derived.name);
        found = words::label(found, input.name.span, text);
    }
    found = walk(ctx, found, &late.path.edges);
    mend(ctx, found, &late.path.edges, late.within)
}

fn how_old(seconds: f64, within: Millis) -> String {
    match seconds.is_finite() {
        true => format!("{} old", how_long(seconds, within)),
        false => "of any age".to_owned(),
    }
}

/// A time that is longer than another also when both are rounded.
fn how_long(seconds: f64, than: Millis) -> String {
    let text = figures::duration(seconds);
    match text == than.to_string() && seconds > than.as_secs_f64() {
        true => format!("just over {text}"),
        false => text,
    }
}

/// Shows the hops one by one, each with what it adds. Several hops of one clause share its label.
fn walk(ctx: &Context, mut found: Finding, edges: &[Edge]) -> Finding {
    let mut by_clause: Vec<(Span, Vec<String>)> = Vec::new();
    for (at, edge) in edges.iter().enumerate() {
        let number = match edges.len() {
            1 => String::new(),
            _ => format!("hop {}: ", at + 1),
        };
        let text = format!("{number}{}", hop(ctx, *edge));
        let clause = ctx.sync(*edge).clause;
        found = found.step(clause, text.clone());
        match by_clause.iter_mut().find(|c| c.0 == clause) {
            Some(known) => known.1.push(text),
            None => by_clause.push((clause, vec![text])),
        }
    }
    for (clause, texts) in by_clause {
        found = words::label(found, clause, texts.join("; "));
    }
    let mut labelled: Vec<Span> = Vec::new();
    for edge in edges {
        let scenario = ctx.scenario(*edge);
        let place = words::mode_place(scenario);
        if !labelled.contains(&place) {
            labelled.push(place);
            found = words::label(found, place, format!("the mode of `{}`", scenario.name));
        }
        found = words::label_unsure(found, scenario);
    }
    found
}

/// "`crm` → `mailer`: 312 s = 300 s until the next start + 12 s to run".
fn hop(ctx: &Context, edge: Edge) -> String {
    let (from, to) = (ctx.system(edge.from), ctx.system(edge.to));
    let Some(age) = ctx.arithmetic.age(edge.hop).map(|a| a.worst) else {
        return format!("`{from}` → `{to}`");
    };
    let total = age.total().map_or("no bound".to_owned(), figures::seconds);
    format!("`{from}` → `{to}` adds {total}: {}", parts(ctx, edge, age))
}

fn parts(ctx: &Context, edge: Edge, age: Age) -> String {
    let scenario = ctx.arithmetic.scenario(ctx.scenario(edge).id);
    let by_event = scenario.is_some_and(|s| s.timing.is_realtime());
    let lag = ctx
        .arithmetic
        .facts(edge.from)
        .map_or(0.0, |f| f.read_lag.value);
    let mut parts: Vec<String> = Vec::new();
    let mut part = |seconds: Option<f64>, what: &str| match seconds {
        Some(seconds) if seconds < 0.05 => {}
        Some(seconds) => parts.push(format!("{} {what}", figures::seconds(seconds))),
        None => parts.push(format!("without bound {what}")),
    };
    match by_event {
        true => {
            part(age.detect, "until the event");
            part(age.queue, "waiting for the limit");
            part(age.write, "to write");
        }
        false => {
            part(age.detect.map(|d| d - lag), "until the next start");
            part(Some(lag), "until reads show it");
            part(age.queue, "waiting for the limit");
            part(age.write, "to run");
        }
    }
    match parts.is_empty() {
        true => "at once".to_owned(),
        false => parts.join(" + "),
    }
}

fn scenario_finding(ctx: &Context, scenario: &Scenario) -> Option<Finding> {
    let fresh = scenario.fresh.as_ref().filter(|_| !scenario.broken)?;
    let within = fresh.value;
    let hops = (0..scenario.hops.len()).map(|at| ctx.graph.flows.hop_id(scenario.id, at));
    let edges = hops.zip(&scenario.hops).map(|(hop, h)| Edge {
        from: h.from.value,
        to: h.to.value,
        hop,
    });
    let late: Vec<Edge> = edges
        .filter(|e| alternatives::worst(ctx, *e) > within.as_secs_f64() + TOLERANCE)
        .filter(|e| !told_elsewhere(ctx, &[*e], &carried(ctx, *e)))
        .collect();
    let worst = late
        .iter()
        .copied()
        .max_by(|a, b| alternatives::worst(ctx, *a).total_cmp(&alternatives::worst(ctx, *b)))?;
    let longest = alternatives::worst(ctx, worst);
    let takes = match longest.is_finite() {
        true => format!("can take {}", how_long(longest, within)),
        false => "can take for ever".to_owned(),
    };
    let message = format!(
        "scenario `{}` {takes} to deliver a change, longer than the {within} that its `fresh` allows",
        scenario.name,
    );
    let mut found =
        Finding::new(CODE, fresh.clause, message).mark(format!("at most {within} on each hop"));
    let mut texts: Vec<(Span, Vec<String>)> = Vec::new();
    for edge in &late {
        let clause = ctx.sync(*edge).clause;
        match texts.iter_mut().find(|t| t.0 == clause) {
            Some(known) => known.1.push(hop(ctx, *edge)),
            None => texts.push((clause, vec![hop(ctx, *edge)])),
        }
    }
    for (clause, texts) in texts {
        found = words::label(found, clause, texts.join("; "));
    }
    let place = words::mode_place(scenario);
    found = words::label(found, place, "its mode");
    found = words::label_unsure(found, scenario);
    // Hops of one scenario have one mode: what mends the slowest mends all.
    found = found.step(ctx.sync(worst).clause, hop(ctx, worst));
    Some(mend(ctx, found, &[worst], within))
}

/// The fields of a hop.
fn carried<'a>(ctx: &Context<'a>, edge: Edge) -> Vec<&'a Field> {
    let hop = ctx.graph.flows.hop(ctx.policy, edge.hop);
    hop.fields.iter().map(|f| ctx.policy.field(*f)).collect()
}

/// Proposes the mode that brings a path under its bound for the fewest calls.
fn mend(ctx: &Context, found: Finding, edges: &[Edge], within: Millis) -> Finding {
    let bound = within.as_secs_f64() + TOLERANCE;
    let total = |candidate: &alternatives::Candidate, scenario: &Scenario| -> f64 {
        let delay = |e: &Edge| match ctx.scenario(*e).id == scenario.id {
            true => candidate.worst(ctx, *e),
            false => alternatives::worst(ctx, *e),
        };
        edges.iter().map(delay).sum()
    };
    let mut scenarios: Vec<&Scenario> = edges.iter().map(|e| ctx.scenario(*e)).collect();
    scenarios.sort_by_key(|s| s.id);
    scenarios.dedup_by_key(|s| s.id);
    let best = scenarios
        .iter()
        .filter_map(|s| {
            let mends = |c: &alternatives::Candidate| total(c, s) <= bound;
            let found = alternatives::cheapest(ctx, alternatives::feasible(ctx, s), mends)?;
            Some((*s, found))
        })
        .min_by(|a, b| a.1.more_calls(ctx).total_cmp(&b.1.more_calls(ctx)));
    let Some((scenario, best)) = best else {
        return found.help(hopeless(ctx, edges, &scenarios, within));
    };
    let then = figures::duration(total(&best, scenario));
    let help = format!(
        "write `mode {}` in `{}`: at most {then} then, and it {}; or, where that is fresh enough, \
         allow more in `fresh`",
        best.text,
        scenario.name,
        best.price(ctx)
    );
    let found = found.help(help);
    match fix::set_mode(ctx.sources, scenario, &best.text) {
        Some(edit) => found.fix(
            format!("run `{}` in mode {}", scenario.name, best.text),
            Grade::Review,
            vec![edit],
        ),
        None => found,
    }
}

/// What to do where no single change of mode is enough.
fn hopeless(ctx: &Context, edges: &[Edge], scenarios: &[&Scenario], within: Millis) -> String {
    let fastest = |scenario: &&Scenario| {
        let own: Vec<&Edge> = edges
            .iter()
            .filter(|e| ctx.scenario(**e).id == scenario.id)
            .collect();
        let today: f64 = own.iter().map(|e| alternatives::worst(ctx, **e)).sum();
        alternatives::feasible(ctx, scenario)
            .into_iter()
            .map(|c| (own.iter().map(|e| c.worst(ctx, **e)).sum::<f64>(), c.text))
            .filter(|(seconds, _)| *seconds < today)
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or((today, String::new()))
    };
    let best: Vec<(f64, String)> = scenarios.iter().map(fastest).collect();
    let sum: f64 = best.iter().map(|b| b.0).sum();
    let changes: Vec<String> = scenarios
        .iter()
        .zip(&best)
        .filter(|(_, (_, mode))| !mode.is_empty())
        .map(|(s, (_, mode))| format!("`mode {mode}` in `{}`", s.name))
        .collect();
    let limits = match sum.is_finite() {
        true => format!("allow `fresh {}`", rounded_up(sum)),
        false => "raise the limits on the way".to_owned(),
    };
    if changes.is_empty() {
        return format!(
            "no other mode is faster; {limits}, or carry the field from its owner over fewer hops"
        );
    }
    let changes = changes.join(" and ");
    if sum <= within.as_secs_f64() + TOLERANCE {
        return format!(
            "no single mode change is enough; write {changes}: at most {} then",
            figures::duration(sum)
        );
    }
    format!(
        "even {changes} would leave it {}; write that and {limits}, or carry the field from its \
         owner over fewer hops",
        how_old(sum, within)
    )
}

/// A bound that holds, in a round number.
fn rounded_up(seconds: f64) -> Millis {
    let step = match seconds {
        s if s <= 60.0 => 5,
        s if s <= 3_600.0 => 60,
        s if s <= 86_400.0 => 900,
        _ => 3_600,
    };
    Millis::from_secs((seconds / step as f64).ceil() as u64 * step)
}
