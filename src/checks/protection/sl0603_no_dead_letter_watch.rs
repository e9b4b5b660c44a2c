//! SL0603 no-dead-letter-watch: what is lost hurts, and nobody is told of a loss.

use super::super::{Context, fix, words};
use crate::finding::{Code, Finding, Grade};
use crate::model::{Scenario, Stale};
use crate::terms::Impact;

const CODE: Code = Code(603);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let gaps = &ctx.policy.gaps;
    let may_say = gaps.anything || gaps.policy || gaps.may_declare("alert");
    if ctx.policy.alert.is_some() || ctx.policy.name.is_none() || may_say {
        return Vec::new();
    }
    ctx.policy
        .scenarios
        .iter()
        .filter_map(|scenario| {
            let stale = scenario.stale.as_ref()?;
            matters(stale.impact.value).then(|| finding(ctx, scenario, stale))
        })
        .collect()
}

fn matters(impact: Impact) -> bool {
    matches!(impact, Impact::Compliance | Impact::LostLead)
}

fn finding(ctx: &Context, scenario: &Scenario, stale: &Stale) -> Finding {
    let loss = match stale.impact.value {
        Impact::Compliance => "breaks a rule",
        _ => "costs a lead",
    };
    let message = format!(
        "a change that `{}` cannot deliver {loss}, and the policy names no `alert` to hear of it",
        scenario.name
    );
    let mut found = Finding::new(CODE, stale.clause, message).mark("too costly to lose unheard");
    if let Some(name) = &ctx.policy.name {
        found = words::label(found, name.span, "this policy has no `alert`");
    }
    let clause = "alert env(\"ALERT_URL\")";
    let found = found.help(format!(
        "write `{clause}` in the policy, with the variable that holds the address of your \
         on-call channel"
    ));
    let edit = ctx
        .policy
        .span
        .and_then(|block| fix::add_line(block, ctx.sources, clause));
    match edit {
        Some(edit) => found.fix("send alerts to `ALERT_URL`", Grade::Review, vec![edit]),
        None => found,
    }
}
