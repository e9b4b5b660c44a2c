//! SL0502 no-upsert: records go to a vendor that finds none by key while it writes.
//!
//! Files are rewritten whole and messages are only sent, so neither has a record to find first.

use super::super::{Context, words};
use crate::catalog::{Entry, Transport};
use crate::finding::{Code, Finding};
use crate::model::{Connector, Sync, System, SystemId};

const CODE: Code = Code(502);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let systems = ctx.policy.systems.iter();
    let looking = systems.filter_map(|system| {
        let connector = system.connector.as_ref()?;
        let entry = connector.entry.as_deref()?;
        looks_first(entry).then_some((system, connector, entry))
    });
    looking
        .filter_map(|(system, connector, entry)| {
            let syncs = syncs_into(ctx, system.id);
            (!syncs.is_empty()).then(|| finding(system, connector, entry, &syncs))
        })
        .collect()
}

fn looks_first(entry: &Entry) -> bool {
    let can = entry.capabilities;
    entry.transport == Transport::Http && can.write && !can.upsert
}

/// The `sync`s that end in a system, each once.
fn syncs_into<'a>(ctx: &Context<'a>, system: SystemId) -> Vec<&'a Sync> {
    let mut syncs: Vec<&Sync> = Vec::new();
    for scenario in &ctx.policy.scenarios {
        for hop in scenario.hops.iter().filter(|h| h.to.value == system) {
            if let Some(sync) = scenario.syncs.get(hop.sync as usize)
                && !syncs.iter().any(|s| s.clause == sync.clause)
            {
                syncs.push(sync);
            }
        }
    }
    syncs
}

fn finding(system: &System, connector: &Connector, entry: &Entry, syncs: &[&Sync]) -> Finding {
    let name = &system.name;
    let guarded = entry.idempotency_header.is_some();
    let repeats = match guarded {
        true => "",
        false => ", and where an answer is lost a record may be made twice",
    };
    let message = format!(
        "`{name}` cannot write by key: each write takes two calls, a search and the write{repeats}"
    );
    let mut found = Finding::new(CODE, connector.written.span, message)
        .mark("has no write that finds its record by key");
    for sync in syncs {
        found = words::label(found, sync.clause, format!("writes to `{name}` here"));
    }
    let repeats = match guarded {
        true => "",
        false => " and look for doubles from time to time",
    };
    found.help(format!(
        "count two calls for each change{repeats}; where that is understood, write \
         `allow SL0502 \"…\"` in `system {name}`"
    ))
}
