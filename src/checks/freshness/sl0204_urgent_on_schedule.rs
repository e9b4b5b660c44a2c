//! SL0204 urgent-on-schedule: leads are lost while they wait for the clock.

use super::super::{Context, fix, words};
use super::pace;
use crate::finding::{Code, Finding, Grade};
use crate::model::{Scenario, Stale};
use crate::terms::{Impact, ModeClass};

const CODE: Code = Code(204);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .scenarios
        .iter()
        .filter(|s| !s.hops.is_empty() && pace::class(s) == Some(ModeClass::Scheduled))
        .filter_map(|s| {
            let stale = s.stale.as_ref()?;
            (stale.impact.value == Impact::LostLead).then(|| finding(ctx, s, stale))
        })
        .collect()
}

fn finding(ctx: &Context, scenario: &Scenario, stale: &Stale) -> Finding {
    let mode = pace::named(scenario);
    let wait = match pace::gap(ctx, scenario) {
        Some(gap) => format!("a lead waits up to {gap}"),
        None => "a lead waits without end".to_owned(),
    };
    let message = format!(
        "scenario `{}` runs {mode}, so {wait}, and a lead that comes late is lost",
        scenario.name
    );
    let place = words::mode_place(scenario);
    let mut found = Finding::new(CODE, stale.clause, message)
        .mark("says that being late loses leads")
        .label(place, "starts more than 15 minutes apart");
    found = words::label_unsure(found, scenario);
    if let Some(window) = &scenario.window {
        found = words::label(
            found,
            window.clause,
            "outside these hours it does not start",
        );
    }
    match pace::live(ctx, scenario) {
        Some(mode) => with_mode(ctx, found, scenario, &mode, "move each lead at once"),
        // A window keeps even short intervals from what is urgent.
        None if scenario.window.is_some() => found.help(
            "write `mode every 5m` and remove `window`, or take the leads from a system that sends \
             change events",
        ),
        None => with_mode(ctx, found, scenario, "every 5m", "run it every 5 minutes"),
    }
}

fn with_mode(
    ctx: &Context,
    found: Finding,
    scenario: &Scenario,
    mode: &str,
    title: &str,
) -> Finding {
    let found = found.help(format!(
        "write `mode {mode}`; where a late lead is only a late call, write `stale late_followup`"
    ));
    match fix::set_mode(ctx.sources, scenario, mode) {
        Some(edit) => found.fix(title, Grade::Review, vec![edit]),
        None => found,
    }
}
