//! SL0205 idle-realtime: a scenario runs in real time though nobody minds when it is late.

use super::super::connectors::sl0501_no_events;
use super::super::{Context, fix, words};
use super::sl0203_consent_not_realtime::{Why, must_not_wait};
use super::{bound, pace};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Field, ModeKind, Scenario, Stale, SystemId};
use crate::terms::Impact;
use crate::text::Span;
use crate::time::{Millis, Schedule};

const CODE: Code = Code(205);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .scenarios
        .iter()
        .filter(|s| pace::is_live(s) && could_be_scheduled(ctx, s))
        .filter_map(|s| {
            let stale = s.stale.as_ref()?;
            let idle = matches!(stale.impact.value, Impact::None | Impact::Reporting);
            idle.then(|| finding(ctx, s, stale))
        })
        .collect()
}

/// Whether every source can be read by the clock. Where events do not come at all, SL0501 already
/// asks for a schedule.
fn could_be_scheduled(ctx: &Context, scenario: &Scenario) -> bool {
    let readable = |s: SystemId| ctx.entry(s).is_some_and(|entry| entry.capabilities.read);
    !scenario.hops.is_empty()
        && scenario.hops.iter().all(|h| readable(h.from.value))
        && sl0501_no_events::silent_sources(ctx, scenario).is_empty()
}

fn finding(ctx: &Context, scenario: &Scenario, stale: &Stale) -> Finding {
    let impact = stale.impact.value;
    let message = format!(
        "scenario `{}` moves each change at once, but `stale {impact}` says that nobody waits for it",
        scenario.name
    );
    let harmless = match impact {
        Impact::Reporting => "says that being late only makes a report old",
        _ => "says that being late does no harm",
    };
    let found = Finding::new(CODE, words::mode_place(scenario), message)
        .mark("runs at each change")
        .label(stale.clause, harmless);
    let found = words::label_unsure(found, scenario);
    if let Some(consent) = consent(ctx, scenario) {
        return for_consent(ctx, found, stale, &consent);
    }
    let bound = tightest(ctx, scenario);
    let found = match bound {
        Some((within, clause)) => words::label(
            found,
            clause,
            format!("but here it may be {within} old at most"),
        ),
        None => found,
    };
    match pace::slowest(ctx, scenario, bound.map(|b| b.0)) {
        Some(schedule) => for_schedule(ctx, found, scenario, &schedule),
        None => found.help(
            "no schedule meets that bound: say in `stale` what a late arrival does, or ask for less \
             in `fresh`",
        ),
    }
}

fn for_schedule(
    ctx: &Context,
    found: Finding,
    scenario: &Scenario,
    schedule: &Schedule,
) -> Finding {
    let also = match &scenario.when {
        Some(_) => " and remove `when`",
        None => "",
    };
    let mut help = format!("write `mode {schedule}`{also}");
    if let Some(sentence) = savings(ctx, scenario, schedule) {
        help.push_str(&format!(", which {sentence}"));
    }
    let unread = without_cursor(ctx, scenario);
    if let Some(system) = unread {
        let name = ctx.system(system);
        help.push_str(&format!(
            ", with a `cursor` in the map of `{name}` by which a schedule finds what changed"
        ));
    }
    help.push_str("; or say in `stale` what a late arrival does");
    let found = found.help(help);
    let Some(mut edits) = slower(ctx, scenario, schedule).filter(|_| unread.is_none()) else {
        return found;
    };
    if let Some(when) = &scenario.when {
        edits.push(fix::remove(when.clause, ctx.sources));
    }
    found.fix("run it by the clock", Grade::Review, edits)
}

fn slower(ctx: &Context, scenario: &Scenario, schedule: &Schedule) -> Option<Vec<Edit>> {
    fix::set_mode(ctx.sources, scenario, &schedule.to_string()).map(|edit| vec![edit])
}

/// A source whose map has no cursor, which a scheduled scan of changes needs.
fn without_cursor(ctx: &Context, scenario: &Scenario) -> Option<SystemId> {
    let lacks = |entity, system| {
        let map = ctx.policy.map_for(entity, system);
        map.is_some_and(|m| m.cursor.is_none() && !m.broken)
    };
    let mut hops = scenario.hops.iter().filter(|_| !scenario.scans_full());
    hops.find(|h| lacks(h.entity, h.from.value))
        .map(|h| h.from.value)
}

/// A consent that must not wait: its field, where it goes, and why.
struct Consent<'a> {
    field: &'a Field,
    to: SystemId,
    why: Why,
}

fn consent<'a>(ctx: &Context<'a>, scenario: &Scenario) -> Option<Consent<'a>> {
    scenario.hops.iter().find_map(|hop| {
        hop.fields.iter().find_map(|id| {
            let field = ctx.policy.field(*id);
            let why = must_not_wait(ctx, scenario, hop.to.value, field)?;
            Some(Consent {
                field,
                to: hop.to.value,
                why,
            })
        })
    })
}

/// Real time is right there: what is wrong is the `stale`.
fn for_consent(ctx: &Context, found: Finding, stale: &Stale, consent: &Consent) -> Finding {
    let (path, to) = (ctx.path(consent.field.id), ctx.system(consent.to));
    let mut found = words::label(
        found,
        consent.field.name.span,
        format!("`{}` is a consent", consent.field.name),
    );
    if let Why::Bound(clause) = consent.why {
        found = words::label(found, clause, format!("says how old it may be in `{to}`"));
    }
    found
        .help(format!(
            "write `stale compliance`: it carries the consent `{path}` to `{to}`, which must not be \
             late; what else it carries can go by a schedule of its own"
        ))
        .fix(
            "say that being late breaks a rule",
            Grade::Review,
            vec![Edit {
                span: stale.impact.span,
                text: Impact::Compliance.word().to_owned(),
            }],
        )
}

/// The tightest bound on what a scenario carries, with the clause that says it.
fn tightest(ctx: &Context, scenario: &Scenario) -> Option<(Millis, Span)> {
    let own = scenario.fresh.as_ref().map(|f| (f.value, f.clause));
    let of_fields = scenario.hops.iter().flat_map(|hop| {
        hop.fields.iter().filter_map(|id| {
            let field = ctx.policy.field(*id);
            let clause = bound(ctx, field, hop.to.value)?;
            let within = field.fresh.as_ref()?.value.within?;
            Some((within, clause))
        })
    });
    own.into_iter().chain(of_fields).min()
}

/// What a schedule would save, in calls a day, where volumes are declared and it saves any.
fn savings(ctx: &Context, scenario: &Scenario, instead: &Schedule) -> Option<String> {
    let figures = ctx.arithmetic.scenario(scenario.id)?;
    if figures.hops.iter().any(|h| h.volume_is_unknown()) {
        return None;
    }
    let mode = ModeKind::Scheduled(Some(instead.clone()));
    let then = ctx.arithmetic.as_if(ctx.policy, ctx.graph, scenario, &mode);
    let (live, scheduled) = (figures.calls_per_day(), then.figures.calls_per_day());
    (scheduled < live).then(|| {
        format!(
            "makes about {} calls a day in place of about {}",
            words::about(scheduled),
            words::about(live)
        )
    })
}
