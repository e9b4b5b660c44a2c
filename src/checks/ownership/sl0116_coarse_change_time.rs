//! SL0116 coarse-change-time: a rule goes by change time, and a source's clock is so coarse that
//! changes of one record will tie.

use super::super::{Context, words};
use super::sl0108_no_change_time::{by_time, only_by_event};
use crate::catalog::{ChangeTime, Entry, Transport};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::Flow;
use crate::model::{Entity, Field, FieldId, Map, Said, Scenario, SystemId, Volume};
use crate::terms::ResolveRule;
use crate::text::Span;

const CODE: Code = Code(116);

/// Ties a day from which on a clock is too coarse.
const TIES_PER_DAY_MIN: f64 = 0.1;

const SECONDS_PER_DAY: f64 = 86_400.0;

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let mut coarse: Vec<Coarse> = Vec::new();
    for entity in &ctx.policy.entities {
        // Without a volume nobody can say how often changes tie.
        let Some(volume) = entity.volume.as_ref() else {
            continue;
        };
        for field in &entity.fields {
            let Some(flow) = ctx.graph.flows.of(field.id) else {
                continue;
            };
            if let Some(rule) = by_time(field) {
                of_field(ctx, entity, volume, field, flow, rule, &mut coarse);
            }
        }
    }
    coarse.iter().map(|c| finding(ctx, c)).collect()
}

/// A clause whose rule a system's clock cannot serve, for these fields.
struct Coarse<'a> {
    map: &'a Map,
    clock: Clock,
    clause: Span,
    rule: ResolveRule,
    fields: Vec<FieldId>,
    /// The most of any field.
    ties_per_day: f64,
    volume: Span,
}

#[derive(Clone, Copy, PartialEq)]
enum Clock {
    Seconds,
    /// Arrival, known within so many seconds.
    Arrival(f64),
}

impl Clock {
    fn unit_seconds(self) -> f64 {
        match self {
            Clock::Seconds => 1.0,
            Clock::Arrival(seconds) => seconds,
        }
    }
}

fn of_field<'a>(
    ctx: &Context<'a>,
    entity: &'a Entity,
    volume: &Said<Volume>,
    field: &Field,
    flow: &Flow,
    (clause, rule): (Span, ResolveRule),
    coarse: &mut Vec<Coarse<'a>>,
) {
    for origin in field.origins().into_iter().filter(|o| flow.is_source(*o)) {
        let Some(map) = ctx.policy.map_for(entity.id, origin) else {
            continue;
        };
        let Some(clock) = clock(ctx, map, flow, origin) else {
            continue;
        };
        let rates = flow
            .leaving(origin)
            .map(|e| carried_rate(ctx.scenario(e), entity, volume));
        let Some((rate, said)) = rates.reduce(|most, next| match next.0 > most.0 {
            true => next,
            false => most,
        }) else {
            continue;
        };
        let records = volume.value.records.max(1) as f64;
        let ties = rate * rate * clock.unit_seconds() / (SECONDS_PER_DAY * records);
        if ties < TIES_PER_DAY_MIN {
            continue;
        }
        match coarse
            .iter_mut()
            .find(|c| c.map.id == map.id && c.clause == clause)
        {
            Some(known) => {
                known.fields.push(field.id);
                if ties > known.ties_per_day {
                    (known.ties_per_day, known.volume) = (ties, said);
                }
            }
            None => coarse.push(Coarse {
                map,
                clock,
                clause,
                rule,
                fields: vec![field.id],
                ties_per_day: ties,
                volume: said,
            }),
        }
    }
}

/// What is known of a coarse clock. A missing column that SL0108 asks for is not said twice; a
/// column of a system whose events bear no time may be as fine as it likes.
fn clock(ctx: &Context, map: &Map, flow: &Flow, origin: SystemId) -> Option<Clock> {
    let entry = ctx
        .policy
        .system(origin)
        .connector
        .as_ref()?
        .entry
        .as_ref()?;
    let has_column = map.changed_at.is_some();
    if !has_column && (map.broken || !only_by_event(ctx, flow, origin)) {
        return None;
    }
    match entry.change_time {
        _ if !has_column && !tells_time_itself(entry) => {
            Some(Clock::Arrival(entry.event_latency().as_secs_f64()))
        }
        ChangeTime::Seconds => Some(Clock::Seconds),
        ChangeTime::Milliseconds | ChangeTime::Arrival => None,
    }
}

/// Whether events bear the time of the change beside the record: a vendor's and a database's do,
/// a line, a message and a post hold what their sender put there.
fn tells_time_itself(entry: &Entry) -> bool {
    match entry.transport {
        Transport::Http => entry.change_time != ChangeTime::Arrival,
        Transport::Postgres | Transport::Sqlite => true,
        Transport::Csv | Transport::Jsonl | Transport::Webhook | Transport::Nats => false,
    }
}

/// Changes a day of the records that a scenario carries, and the clause that says so most.
fn carried_rate(scenario: &Scenario, entity: &Entity, volume: &Said<Volume>) -> (f64, Span) {
    if let Some(own) = &scenario.volume {
        return (own.value.rate.per_day(), own.clause);
    }
    let mut carried: Vec<FieldId> = scenario
        .hops
        .iter()
        .filter(|h| h.entity == entity.id)
        .flat_map(|h| h.fields.iter().copied())
        .collect();
    carried.sort_unstable();
    carried.dedup();
    let declared: Option<Vec<(f64, Span)>> = carried
        .iter()
        .filter_map(|id| entity.fields.get(id.index as usize))
        .filter(|f| f.is_data())
        .map(|f| f.changes.as_ref().map(|c| (c.value.per_day(), c.clause)))
        .collect();
    let most = declared.as_ref().and_then(|all| {
        let most = all.iter().max_by(|a, b| a.0.total_cmp(&b.0));
        most.map(|(_, clause)| *clause)
    });
    match (declared, most) {
        (Some(all), Some(clause)) => (all.iter().map(|c| c.0).sum(), clause),
        _ => (volume.value.changes.per_day(), volume.clause),
    }
}

fn finding(ctx: &Context, coarse: &Coarse) -> Finding {
    let system = ctx.system(coarse.map.system.value);
    let fields = words::names(coarse.fields.iter().map(|f| ctx.path(*f)));
    let rule = coarse.rule;
    let often = often(coarse.ties_per_day);
    let by_arrival = matches!(coarse.clock, Clock::Arrival(_));
    let tells = match by_arrival {
        true => "tells no change time but the arrival",
        false => "tells change times in whole seconds",
    };
    let message = format!(
        "`resolve {rule}` of {fields} compares change times, but `{system}` {tells}: at the \
         declared volume two changes of one record bear the same time {often}"
    );
    // The first repair is a column where there is none, else another rule.
    let (primary, other) = match by_arrival {
        true => (coarse.map.system.span, coarse.clause),
        false => (coarse.clause, coarse.map.system.span),
    };
    let mut found = Finding::new(CODE, primary, message);
    found = match by_arrival {
        true => found
            .mark("has no `changed_at`")
            .label(other, format!("`{rule}` needs the time of each change")),
        false => found
            .mark("needs the time of each change")
            .label(other, format!("`{system}` knows it to the second only")),
    };
    found = words::label(found, coarse.volume, "the volume that makes ties likely");
    let found = found.help(match by_arrival {
        true => format!(
            "write `changed_at \"…\"` with the part of what `{system}` sends that holds when a \
             record changed, or write `resolve owner_wins`"
        ),
        false => "write `resolve owner_wins`, or keep the rule and accept that a tie goes to the \
                  owner, then by system name"
            .to_owned(),
    });
    let edit = Edit {
        span: coarse.clause,
        text: "resolve owner_wins".to_owned(),
    };
    found.fix("write `resolve owner_wins`", Grade::Review, vec![edit])
}

fn often(ties_per_day: f64) -> String {
    match ties_per_day {
        t if t >= 1.5 => format!("about {t:.0} times a day"),
        t if t >= 0.75 => "about once a day".to_owned(),
        t => format!("about once in {:.0} days", (1.0 / t).ceil()),
    }
}
