//! SL0503 cannot-write: a flow into a system that takes no writes, or a scheduled read from one
//! that gives none.

use super::super::{Context, fix, words};
use crate::finding::{Code, Finding, Grade};
use crate::model::{Connector, ModeKind, Scenario, SystemId};
use crate::text::Span;

const CODE: Code = Code(503);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let mut found = Vec::new();
    for scenario in &ctx.policy.scenarios {
        let uses = uses(ctx, scenario);
        let mut known = Vec::new();
        for used in uses {
            if !known.contains(&(used.system, used.writes)) {
                known.push((used.system, used.writes));
                found.extend(finding(ctx, scenario, &used));
            }
        }
    }
    found
}

/// One way in which a scenario uses a system.
struct Use {
    system: SystemId,
    writes: bool,
    clause: Span,
}

fn uses(ctx: &Context, scenario: &Scenario) -> Vec<Use> {
    let mut uses = Vec::new();
    if let Some(clean) = &scenario.clean
        && let Some(system) = clean.system.id
    {
        for writes in [false, true] {
            uses.push(Use {
                system,
                writes,
                clause: clean.clause,
            });
        }
    }
    // A reconcile leaves a source that cannot be read to its events, and `auto` is not chosen yet.
    let by_clock =
        matches!(scenario.mode.kind, ModeKind::Scheduled(_)) && words::mode_is_known(scenario);
    for hop in &scenario.hops {
        let Some(sync) = scenario.syncs.get(hop.sync as usize) else {
            continue;
        };
        if by_clock && lacks_read(ctx, hop.from.value) {
            uses.push(Use {
                system: hop.from.value,
                writes: false,
                clause: sync.clause,
            });
        }
        uses.push(Use {
            system: hop.to.value,
            writes: true,
            clause: sync.clause,
        });
    }
    uses
}

/// Whether a system's connector gives no reads.
pub(in super::super) fn lacks_read(ctx: &Context, system: SystemId) -> bool {
    connector(ctx, system).is_some_and(|(_, read, _)| !read)
}

/// The connector with whether it reads and writes, where the catalog knows it.
fn connector<'a>(ctx: &Context<'a>, system: SystemId) -> Option<(&'a Connector, bool, bool)> {
    let connector = ctx.policy.system(system).connector.as_ref()?;
    let can = connector.entry.as_ref()?.capabilities;
    Some((connector, can.read, can.write))
}

fn finding(ctx: &Context, scenario: &Scenario, used: &Use) -> Option<Finding> {
    let (connector, read, write) = connector(ctx, used.system)?;
    let name = ctx.system(used.system);
    let kind = &connector.written;
    let (message, label, help) = if used.writes && !write {
        (
            format!(
                "scenario `{}` writes to `{name}`, but `{kind}` takes no writes",
                scenario.name
            ),
            format!("`{kind}` can only be read"),
            format!("take `{name}` out of the destinations of this scenario"),
        )
    } else if !used.writes && !read {
        (
            format!(
                "scenario `{}` reads `{name}` by schedule, but `{kind}` cannot be read",
                scenario.name
            ),
            format!("`{kind}` only sends events"),
            by_event(ctx, scenario),
        )
    } else {
        return None;
    };
    let found = Finding::new(CODE, words::mode_place(scenario), message);
    let mark = match used.writes {
        true => format!("cannot write to `{name}`"),
        false => format!("cannot read `{name}` by the clock"),
    };
    let found = found
        .mark(mark)
        .label(used.clause, format!("uses `{name}` here"));
    let found = words::label(found, connector.clause, label).help(help);
    let events = !used.writes && scenario.clean.is_none() && only_events(ctx, scenario);
    let edit = events.then(|| fix::set_mode(ctx.sources, scenario, "realtime"));
    Some(match edit.flatten() {
        Some(edit) => found.fix("take its events as they come", Grade::Review, vec![edit]),
        None => found,
    })
}

/// Whether none of a scenario's sources can be read.
fn only_events(ctx: &Context, scenario: &Scenario) -> bool {
    scenario.hops.iter().all(|h| lacks_read(ctx, h.from.value))
}

/// What to write where a system only sends events.
fn by_event(ctx: &Context, scenario: &Scenario) -> String {
    if scenario.clean.is_some() {
        return "clean a system that can be read".to_owned();
    }
    match only_events(ctx, scenario) {
        true => "write `mode realtime`".to_owned(),
        false => "write `mode realtime`, or `mode realtime with reconcile …` to read the other \
                  sources by schedule too"
            .to_owned(),
    }
}
