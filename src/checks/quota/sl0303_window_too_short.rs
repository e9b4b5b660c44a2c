//! SL0303 window-too-short: a run takes longer than its window is open, or than the time until
//! the next start.

use super::super::{Context, figures, words};
use super::limits::label_limit;
use crate::arithmetic::{Run, RunAt, ScenarioFigures};
use crate::finding::{Code, Finding};
use crate::model::Scenario;
use crate::time::Millis;

const CODE: Code = Code(303);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let scenarios = ctx.policy.scenarios.iter();
    scenarios
        .filter_map(|s| Some(finding(ctx, s, &fault(ctx, s)?)))
        .collect()
}

/// Whether a scenario's run does not fit.
pub(in super::super) fn concerns(ctx: &Context, scenario: &Scenario) -> bool {
    fault(ctx, scenario).is_some()
}

/// What a run does not fit.
struct Fault<'a> {
    figures: &'a ScenarioFigures,
    run: &'a Run,
    most: Millis,
    by_window: bool,
}

fn fault<'c>(ctx: &'c Context, scenario: &Scenario) -> Option<Fault<'c>> {
    if !words::mode_is_known(scenario) || scenario.broken {
        return None;
    }
    let figures = ctx.arithmetic.scenario(scenario.id)?;
    let (run, gaps) = (figures.run.as_ref()?, figures.timing.gaps()?);
    let window = scenario.window.as_ref().map(|w| w.value.length());
    let (most, by_window) = match window {
        Some(window) if window <= gaps.shortest => (window, true),
        _ => (gaps.shortest, false),
    };
    let fits = run.seconds.is_some_and(|s| s <= most.as_secs_f64());
    (!fits).then_some(Fault {
        figures,
        run,
        most,
        by_window,
    })
}

fn finding(ctx: &Context, scenario: &Scenario, fault: &Fault) -> Finding {
    let takes = match fault.run.seconds {
        Some(seconds) => format!("takes {}", figures::duration(seconds)),
        None => "never ends".to_owned(),
    };
    let room = match fault.by_window {
        true => format!("its window is open for {}", fault.most),
        false => format!("its next start may come after {}", fault.most),
    };
    let part = match fault.figures.timing.is_realtime() {
        true => "the reconcile",
        false => "a run",
    };
    let message = format!(
        "{part} of scenario `{}` {takes} by the model, but {room}",
        scenario.name
    );
    let primary = scenario
        .window
        .as_ref()
        .map_or_else(|| words::mode_place(scenario), |w| w.clause);
    let mut found = Finding::new(CODE, primary, message).mark(match fault.by_window {
        true => format!("open for {}", fault.most),
        false => format!("at least {} between two starts", fault.most),
    });
    let mut places: Vec<&RunAt> = fault.run.systems.iter().collect();
    places.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
    // What takes next to no time does not help to see why.
    let longest = places.first().map_or(0.0, |at| seconds(at));
    for at in places.iter().filter(|at| seconds(at) >= longest / 50.0) {
        found = label_system(ctx, found, at);
    }
    found = words::label(found, words::mode_place(scenario), "its mode");
    if let Some(volume) = volume(ctx, fault.figures) {
        found = words::label(found, volume, "the volume that it has to move");
    }
    found.help(help(ctx, fault, places.first().copied()))
}

fn seconds(at: &RunAt) -> f64 {
    at.seconds.unwrap_or(f64::INFINITY)
}

fn label_system(ctx: &Context, found: Finding, at: &RunAt) -> Finding {
    if at.calls.total() <= 0.0 {
        return found;
    }
    let system = ctx.policy.system(at.system);
    let calls = figures::calls(at.calls.total());
    let takes = match at.seconds {
        Some(seconds) if calls == "1 call" => format!("takes {}", figures::duration(seconds)),
        Some(seconds) => format!("take {}", figures::duration(seconds)),
        None if calls == "1 call" => {
            "gets no turn: calls of higher priority use up the limit".to_owned()
        }
        None => "get no turn: calls of higher priority use up the limit".to_owned(),
    };
    let text = format!("{calls} at `{}` {takes}", system.name);
    let found = words::label(found, system.name.span, text);
    let facts = ctx.arithmetic.facts(at.system);
    let limit = facts.and_then(|f| {
        let slows = |l: &&crate::arithmetic::LimitFacts| at.slowed_by.as_ref() == Some(&l.name);
        f.bursts().find(slows)
    });
    match limit {
        Some(limit) => label_limit(ctx, found, system, limit),
        None => found,
    }
}

fn volume(ctx: &Context, figures: &ScenarioFigures) -> Option<crate::text::Span> {
    let hop = figures.hops.first()?;
    let own = ctx.policy.scenario(hop.scenario).volume.as_ref();
    own.map(|v| v.clause).or_else(|| {
        let entity = ctx.policy.entity(hop.entity);
        entity.volume.as_ref().map(|v| v.clause)
    })
}

fn help(ctx: &Context, fault: &Fault, slowest: Option<&RunAt>) -> String {
    let at = slowest.map_or("the slowest system", |s| ctx.system(s.system));
    let room = match (fault.by_window, fault.run.seconds) {
        (true, Some(seconds)) => format!(
            "open the window for at least {}",
            figures::duration(seconds)
        ),
        (false, Some(seconds)) => {
            format!(
                "leave at least {} between two starts",
                figures::duration(seconds)
            )
        }
        (_, None) => "slow the real-time flows there".to_owned(),
    };
    format!(
        "{room}; or make fewer calls at `{at}`: a larger `batch` where its API allows one, fewer \
         records by an `if`, or a tier with a higher limit"
    )
}
