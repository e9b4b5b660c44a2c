//! SL0602 unfiltered-send: a run fills a system that sends mail, and nothing on the way asks
//! whether the person agreed.

use std::collections::HashSet;

use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::{HopId, ReadBy};
use crate::model::{Entity, EntityId, Field, Hop, ModeKind, Scenario, Sync, SystemId};
use crate::terms::ResolveRule;
use crate::value::Type;

const CODE: Code = Code(602);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    each(ctx)
        .map(|(scenario, fault)| finding(ctx, scenario, &fault))
        .collect()
}

/// The entities whose consent a flow should ask and does not: there the field that nobody reads is
/// no mistake of its own.
pub(in super::super) fn entities(ctx: &Context) -> HashSet<EntityId> {
    each(ctx).map(|(_, fault)| fault.entity.id).collect()
}

fn each<'a>(ctx: &'a Context<'a>) -> impl Iterator<Item = (&'a Scenario, Fault<'a>)> {
    let scenarios = ctx.policy.scenarios.iter();
    scenarios
        .filter(|s| !ctx.flows_incomplete && runs_by_clock(s))
        .flat_map(|s| of_scenario(ctx, s).into_iter().map(move |f| (s, f)))
}

/// Any mode but realtime.
fn runs_by_clock(scenario: &Scenario) -> bool {
    let scheduled = matches!(
        scenario.mode.kind,
        ModeKind::Scheduled(_) | ModeKind::Hybrid(_)
    );
    scheduled && words::mode_is_known(scenario)
}

/// A clause with the mailers that it fills unasked.
struct Fault<'a> {
    sync: &'a Sync,
    entity: &'a Entity,
    sources: Vec<SystemId>,
    mailers: Vec<SystemId>,
}

fn of_scenario<'a>(ctx: &Context<'a>, scenario: &'a Scenario) -> Vec<Fault<'a>> {
    let mut faults: Vec<Fault> = Vec::new();
    for (position, hop) in scenario.hops.iter().enumerate() {
        let id = ctx.graph.flows.hop_id(scenario.id, position);
        let Some(sync) = scenario.syncs.get(hop.sync as usize) else {
            continue;
        };
        if !mails(ctx, hop.to.value) || !is_unasked(ctx, sync, hop, id) {
            continue;
        }
        let known = faults.iter().position(|f| f.sync.clause == sync.clause);
        let at = known.unwrap_or_else(|| {
            faults.push(Fault {
                sync,
                entity: ctx.policy.entity(hop.entity),
                sources: Vec::new(),
                mailers: Vec::new(),
            });
            faults.len() - 1
        });
        if let Some(fault) = faults.get_mut(at) {
            add(&mut fault.sources, hop.from.value);
            add(&mut fault.mailers, hop.to.value);
        }
    }
    faults
}

fn add(list: &mut Vec<SystemId>, system: SystemId) {
    if !list.contains(&system) {
        list.push(system);
    }
}

fn mails(ctx: &Context, system: SystemId) -> bool {
    ctx.entry(system).is_some_and(|e| e.capabilities.sends_mail)
}

fn consents(entity: &Entity) -> impl Iterator<Item = &Field> {
    entity.fields.iter().filter(|f| f.has_class("consent"))
}

/// Whether the entity knows consent, and neither the flow nor the mailer asks it.
fn is_unasked(ctx: &Context, sync: &Sync, hop: &Hop, id: HopId) -> bool {
    let entity = ctx.policy.entity(hop.entity);
    let unread = sync
        .filter
        .as_ref()
        .is_some_and(|f| f.expr.program.is_none());
    if unread || entity.broken || consents(entity).next().is_none() {
        return false;
    }
    let reads = ctx.graph.reads.by_hop(id);
    !consents(entity).any(|consent| {
        let carried = hop.fields.binary_search(&consent.id).is_ok();
        let filtered = reads
            .iter()
            .any(|r| r.field == consent.id && matches!(r.by, ReadBy::Filter | ReadBy::Require));
        carried || filtered || consent.origins_unknown() || knows(ctx, consent, hop.to.value)
    })
}

/// Whether a mailer has the person's word itself: it owns the field or hears of each change.
fn knows(ctx: &Context, consent: &Field, mailer: SystemId) -> bool {
    let flow = ctx.graph.flows.of(consent.id);
    consent.owner() == Some(mailer)
        || flow.is_some_and(|f| {
            f.edges()
                .any(|e| e.to == mailer && ctx.scenario(e).mode.is_realtime())
        })
}

fn finding(ctx: &Context, scenario: &Scenario, fault: &Fault) -> Finding {
    let mailers = words::systems(ctx, fault.mailers.iter().copied());
    let fields: Vec<&Field> = consents(fault.entity).collect();
    let names = words::either(fields.iter().map(|f| ctx.path(f.id)));
    let message = format!(
        "scenario `{}` fills {mailers}, which may mail whoever arrives there, without asking {names}",
        scenario.name
    );
    let mut found = Finding::new(CODE, fault.sync.clause, message)
        .mark("sends people on whether they agreed or not");
    for field in &fields {
        let class = field.classes.as_ref().map_or(field.name.span, |c| c.clause);
        let text = format!("`{}` says whether they agreed", field.name);
        found = words::label(found, class, text);
    }
    for mailer in &fault.mailers {
        if let Some(connector) = &ctx.policy.system(*mailer).connector {
            let text = format!("`{}` sends mail", connector.written);
            found = words::label(found, connector.clause, text);
        }
    }
    let Some(field) = fields.first() else {
        return found;
    };
    let path = ctx.path(field.id);
    let agreed = agreed(ctx, field);
    let condition = agreed.clone().unwrap_or_else(|| format!("{path} == …"));
    let first = fault.mailers.first().map_or("", |m| ctx.system(*m));
    let condition = match fault.sync.filter {
        Some(_) => format!("`&& {condition}` in the `if`"),
        None => format!("if `{condition}`"),
    };
    found = found.help(format!(
        "let only those pass who agreed, with {condition}, or bring `{path}` to `{first}` in \
         real time so that it can ask itself"
    ));
    match mend(ctx, fault, field, agreed) {
        Some(edit) => found.fix("let only those pass who agreed", Grade::Review, vec![edit]),
        None => found,
    }
}

/// The condition that lets those pass who agreed, where the rule tells which value protects: one
/// that any system can set is the one to heed.
fn agreed(ctx: &Context, field: &Field) -> Option<String> {
    let path = ctx.path(field.id);
    match (&field.ty, field.resolve.as_ref()?.value) {
        (Some(Type::Bool), ResolveRule::AnyTrue) => Some(format!("{path} != true")),
        (Some(Type::Bool), ResolveRule::AllTrue) => Some(format!("{path} == true")),
        _ => None,
    }
}

/// The filter, where every sending end knows the field.
fn mend(ctx: &Context, fault: &Fault, field: &Field, agreed: Option<String>) -> Option<Edit> {
    let flow = ctx.graph.flows.of(field.id);
    let reached = flow.map(|f| f.reached_from(&field.origins()));
    let knows = |system: &SystemId| {
        let gets = reached.as_ref().is_some_and(|r| r.contains(system));
        ctx.policy.maps_field(field.id, *system) && (field.is_origin(*system) || gets)
    };
    let known = field.derived.is_none() && fault.sources.iter().all(knows);
    fix::add_filter(fault.sync, &agreed.filter(|_| known)?)
}
