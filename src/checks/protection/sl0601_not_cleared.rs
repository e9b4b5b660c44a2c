//! SL0601 not-cleared: a classed field goes to a system that is not cleared for its class.
//!
//! What an expression reads counts as carried: a derived field tells of its inputs, and a filter
//! tells by whom it lets through. Keys count too, since they always travel.

use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::{Edge, HopId, ReadBy};
use crate::model::{Carried, Field, FieldId, Hop, Scenario, Sync, System};
use crate::text::Span;

const CODE: Code = Code(601);

/// How many fields of a finding are shown with their places.
const SHOWN_MAX: usize = 6;

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .scenarios
        .iter()
        .flat_map(|s| of_scenario(ctx, s))
        .collect()
}

/// How a field gets to a system.
#[derive(Clone, Copy, PartialEq)]
enum Via {
    Carried,
    Read(ReadBy, Span),
}

/// A field that goes too far, with the classes for which it does.
struct Leak<'a> {
    field: &'a Field,
    classes: Vec<&'a str>,
    via: Via,
    /// The hop by which it was first seen to go.
    edge: Edge,
}

/// What one clause brings to one system that is not cleared for it.
struct Fault<'a> {
    sync: &'a Sync,
    system: &'a System,
    /// The blocks of `allow`s of this check in which its fields stand: what is accepted for one
    /// field must not accept another, so fields of different blocks make different findings.
    blocks: Vec<Span>,
    leaks: Vec<Leak<'a>>,
}

fn of_scenario(ctx: &Context, scenario: &Scenario) -> Vec<Finding> {
    let mut faults: Vec<Fault> = Vec::new();
    for (position, hop) in scenario.hops.iter().enumerate() {
        let system = ctx.policy.system(hop.to.value);
        let Some(sync) = scenario.syncs.get(hop.sync as usize) else {
            continue;
        };
        if !clearance_is_known(ctx, system) {
            continue;
        }
        let id = ctx.graph.flows.hop_id(scenario.id, position);
        for (blocks, leaks) in by_blocks(ctx, leaks(ctx, hop, id, system)) {
            let known = faults.iter_mut().find(|f| {
                f.sync.clause == sync.clause && f.system.id == system.id && f.blocks == blocks
            });
            match known {
                Some(fault) => merge(&mut fault.leaks, leaks),
                None => faults.push(Fault {
                    sync,
                    system,
                    blocks,
                    leaks,
                }),
            }
        }
    }
    let faults = faults.iter();
    faults.map(|f| finding(ctx, f)).collect()
}

/// Whether `cleared` says all that its author wrote: a name in it that does not exist was reported,
/// and may be the very class.
fn clearance_is_known(ctx: &Context, system: &System) -> bool {
    let whole = |said: &crate::model::Said<Vec<_>>| {
        let written = ctx.sources.slice(said.span).split(',').count();
        written == said.value.len()
    };
    !system.broken && system.cleared.as_ref().is_none_or(whole)
}

fn by_blocks<'a>(ctx: &Context, leaks: Vec<Leak<'a>>) -> Vec<(Vec<Span>, Vec<Leak<'a>>)> {
    let blocks = ctx.blocks_of_allows(CODE);
    let mut groups: Vec<(Vec<Span>, Vec<Leak>)> = Vec::new();
    for leak in leaks {
        let stands = |block: &&Span| leak.declarations(ctx).iter().any(|d| block.contains(*d));
        let own: Vec<Span> = blocks.iter().filter(stands).copied().collect();
        match groups.iter_mut().find(|g| g.0 == own) {
            Some(group) => group.1.push(leak),
            None => groups.push((own, vec![leak])),
        }
    }
    groups
}

fn missing<'a>(field: &'a Field, system: &System) -> Vec<&'a str> {
    let cleared = |class: &str| {
        let names = system.cleared.iter().flat_map(|c| &c.value);
        names.into_iter().any(|c| *c.text == *class)
    };
    let classes = field.classes().iter().map(|c| &*c.text);
    classes.filter(|c| !cleared(c)).collect()
}

fn leaks<'a>(ctx: &Context<'a>, hop: &Hop, id: HopId, system: &System) -> Vec<Leak<'a>> {
    let edge = Edge {
        from: hop.from.value,
        to: hop.to.value,
        hop: id,
    };
    let keys = ctx.policy.entity(hop.entity).key_fields().map(|f| f.id);
    let carried = keys.chain(hop.fields.iter().copied());
    let carried = carried.map(|field| (field, Via::Carried));
    let reads = ctx.graph.reads.by_hop(id).iter();
    let reads = reads.map(|r| (r.field, Via::Read(r.by, r.span)));
    let mut leaks = Vec::new();
    for (field, via) in carried.chain(reads) {
        let field = ctx.policy.field(field);
        let classes = missing(field, system);
        if !classes.is_empty() {
            leaks.push(Leak {
                field,
                classes,
                via,
                edge,
            });
        }
    }
    leaks
}

/// Adds what another source of the same clause brings.
fn merge<'a>(known: &mut Vec<Leak<'a>>, more: Vec<Leak<'a>>) {
    let seen: std::collections::HashSet<(FieldId, Option<Span>)> =
        known.iter().map(|l| (l.field.id, l.place())).collect();
    known.extend(
        more.into_iter()
            .filter(|l| !seen.contains(&(l.field.id, l.place()))),
    );
}

impl Leak<'_> {
    /// The field, and the one that is carried for it.
    fn declarations(&self, ctx: &Context) -> Vec<Span> {
        let mut spans = vec![self.field.span];
        if let Via::Read(ReadBy::Derived(field), _) = self.via {
            spans.push(ctx.policy.field(field).span);
        }
        spans
    }

    /// Where an expression reads it.
    fn place(&self) -> Option<Span> {
        match self.via {
            Via::Carried => None,
            Via::Read(_, span) => Some(span),
        }
    }
}

fn finding(ctx: &Context, fault: &Fault) -> Finding {
    let name = &fault.system.name;
    let mut classes: Vec<&str> = Vec::new();
    for class in fault.leaks.iter().flat_map(|l| &l.classes) {
        if !classes.contains(class) {
            classes.push(class);
        }
    }
    let message = message(ctx, fault, &words::either(&classes));
    let mut found =
        Finding::new(CODE, fault.sync.clause, message).mark(format!("brings it to `{name}`"));
    for leak in fault.leaks.iter().take(SHOWN_MAX) {
        found = label(ctx, found, leak);
    }
    let (place, text) = match &fault.system.cleared {
        Some(said) => (said.clause, format!("all that `{name}` is cleared for")),
        None => (name.span, format!("`{name}` is cleared for nothing")),
    };
    found = words::label(found, place, text.clone());
    if let Some(leak) = fault.leaks.first() {
        found = walk(ctx, found, leak);
    }
    found = found.step(fault.sync.clause, format!("goes to `{name}`"));
    found = found.step(place, text);
    mend(ctx, found, fault, &classes)
}

/// What goes where it must not, or what it is that tells of it there.
fn message(ctx: &Context, fault: &Fault, classes: &str) -> String {
    let system = &fault.system.name;
    let paths = |keep: &dyn Fn(&Leak) -> bool| -> Vec<String> {
        let leaks = fault.leaks.iter().filter(|l| keep(l));
        let mut paths: Vec<String> = leaks.map(|l| ctx.path(l.field.id)).collect();
        paths.dedup();
        paths
    };
    let carried = paths(&|l| l.via == Via::Carried);
    if !carried.is_empty() {
        let go = if carried.len() == 1 { "goes" } else { "go" };
        return format!(
            "{} {go} to `{system}`, which is not cleared for {classes}",
            words::names(&carried)
        );
    }
    let derived = fault.leaks.iter().find_map(|l| match l.via {
        Via::Read(ReadBy::Derived(field), _) => Some(field),
        _ => None,
    });
    match derived {
        Some(field) => {
            let inputs =
                paths(&|l| matches!(l.via, Via::Read(ReadBy::Derived(f), _) if f == field));
            format!(
                "`{}`, computed from {}, goes to `{system}`, which is not cleared for {classes}",
                ctx.path(field),
                words::names(&inputs)
            )
        }
        None => format!(
            "`{system}` is not cleared for {classes}, but which records go there tells of {}",
            words::names(paths(&|_| true))
        ),
    }
}

/// Labels the places that make a field arrive.
fn label(ctx: &Context, mut found: Finding, leak: &Leak) -> Finding {
    let classes = words::names(&leak.classes);
    if let Some(said) = &leak.field.classes {
        let text = match said.inherited {
            true => format!("the class of all fields that name none: {classes}"),
            false => format!("`{}` is of class {classes}", leak.field.name),
        };
        found = words::label(found, said.clause, text);
        if said.inherited {
            let text = format!("`{}` names none", leak.field.name);
            found = words::label(found, leak.field.name.span, text);
        }
    }
    for (span, text) in relay(ctx, leak) {
        found = words::label(found, span, text);
    }
    for (span, text) in readings(ctx, leak) {
        found = words::label(found, span, text);
    }
    found
}

/// Walks from the class to the system's door.
fn walk(ctx: &Context, mut found: Finding, leak: &Leak) -> Finding {
    if let Some(said) = &leak.field.classes {
        let text = format!(
            "`{}` is of class {}",
            ctx.path(leak.field.id),
            words::names(&leak.classes)
        );
        found = found.step(said.clause, text);
    }
    let steps = relay(ctx, leak).into_iter().chain(readings(ctx, leak));
    steps.fold(found, |found, (span, text)| found.step(span, text))
}

/// The hops that bring a field to the sending system, where it does not start there.
fn relay(ctx: &Context, leak: &Leak) -> Vec<(Span, String)> {
    let field = leak.field;
    if !field.is_data() || field.is_origin(leak.edge.from) {
        return Vec::new();
    }
    let Some(flow) = ctx.graph.flows.of(field.id) else {
        return Vec::new();
    };
    let origins = field.origins();
    let paths = origins
        .iter()
        .filter_map(|o| flow.path(*o, leak.edge.from, |_| true));
    let shortest = paths.min_by_key(Vec::len).unwrap_or_default();
    let steps = shortest.into_iter();
    steps
        .map(|e| {
            let text = format!("`{}` comes {} here", field.name, words::way(ctx, e));
            (ctx.sync(e).clause, text)
        })
        .collect()
}

/// The expressions that read a field on its way: from the one that names it to the one that is
/// carried.
fn readings(ctx: &Context, leak: &Leak) -> Vec<(Span, String)> {
    match leak.via {
        Via::Carried => Vec::new(),
        Via::Read(ReadBy::Derived(carried), _) => {
            let mut chain = Vec::new();
            derivation(ctx, carried, leak.field.id, &mut Vec::new(), &mut chain);
            chain.reverse();
            chain
        }
        Via::Read(by, span) => {
            vec![(span, format!("{} reads it here", words::reader(ctx, by)))]
        }
    }
}

/// Collects the places by which a derived field reads an input, outermost first.
fn derivation(
    ctx: &Context,
    derived: FieldId,
    input: FieldId,
    seen: &mut Vec<FieldId>,
    chain: &mut Vec<(Span, String)>,
) -> bool {
    if seen.contains(&derived) {
        return false;
    }
    seen.push(derived);
    let Some(formula) = &ctx.policy.field(derived).derived else {
        return false;
    };
    for read in &formula.expr.reads {
        let text = format!(
            "`{}` is computed from `{}` here",
            ctx.path(derived),
            ctx.policy.field(read.value).name
        );
        chain.push((read.span, text));
        if read.value == input || derivation(ctx, read.value, input, seen, chain) {
            return true;
        }
        chain.pop();
    }
    false
}

fn mend(ctx: &Context, found: Finding, fault: &Fault, classes: &[&str]) -> Finding {
    let system = fault.system;
    let more = classes.join(", ");
    let all: Vec<&str> = system
        .cleared
        .iter()
        .flat_map(|c| &c.value)
        .map(|c| &*c.text)
        .chain(classes.iter().copied())
        .collect();
    let clause = format!("cleared {}", all.join(", "));
    let mut out: Vec<String> = Vec::new();
    for leak in &fault.leaks {
        let what = match leak.via {
            Via::Carried if leak.field.is_key => continue,
            Via::Carried => format!("`{}`", leak.field.name),
            Via::Read(ReadBy::Derived(field), _) => {
                format!("`{}`", ctx.policy.field(field).name)
            }
            Via::Read(ReadBy::Filter, _) => "the `if`".to_owned(),
            Via::Read(ReadBy::Require, _) => "the `require`".to_owned(),
        };
        if !out.contains(&what) {
            out.push(what);
        }
        if out.len() > 1 {
            break;
        }
    }
    let all_fields = matches!(fault.sync.carried, Carried::All(_));
    let instead = match out.as_slice() {
        // Only the key: it goes wherever a record goes.
        [] => "else send no record there, since the key always travels".to_owned(),
        [_, ..] if all_fields => "else name the fields to carry instead of `*`".to_owned(),
        [one] => format!("else take {one} out here"),
        _ => "else take out here what it must not see".to_owned(),
    };
    let found = found.help(format!(
        "write `{clause}` in `system {}` if it may hold such data; {instead}",
        system.name
    ));
    let edit = match &system.cleared {
        Some(said) => Some(Edit {
            span: Span::point(said.span.file, said.span.end as usize),
            text: format!(", {more}"),
        }),
        None => fix::add_line(system.span, ctx.sources, &clause),
    };
    match edit {
        Some(edit) => found.fix(
            format!("clear `{}` for {}", system.name, words::names(classes)),
            Grade::Review,
            vec![edit],
        ),
        None => found,
    }
}
