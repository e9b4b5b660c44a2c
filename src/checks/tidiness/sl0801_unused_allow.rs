//! SL0801 unused-allow: which findings an `allow` accepts, and which `allow` accepts nothing.

use super::super::{CHECKS, Context, fix};
use crate::finding::{Code, Finding, Grade};
use crate::model::Allow;
use crate::text::Span;

const UNUSED_ALLOW: Code = Code(801);

/// The greatest code that is found while a policy is read.
const READING_LAST: Code = Code(8);

/// Marks the findings that an `allow` accepts, then adds SL0801 for those that are expired or
/// accept nothing. An `allow` of SL0801 itself is applied last.
pub(in super::super) fn apply(ctx: &Context, findings: &mut Vec<Finding>) {
    let mut used = vec![false; ctx.policy.allows.len()];
    accept(ctx, findings, &mut used);
    let complete = is_complete(ctx);
    let about: Vec<Finding> = pairs(ctx, &used)
        .filter(|(a, _)| a.check != Some(UNUSED_ALLOW))
        .filter_map(|(a, used)| judge(ctx, a, used, complete))
        .collect();
    let mut about = about;
    accept(ctx, &mut about, &mut used);
    let last: Vec<Finding> = pairs(ctx, &used)
        .filter(|(a, _)| a.check == Some(UNUSED_ALLOW))
        .filter_map(|(a, used)| judge(ctx, a, used, complete))
        .collect();
    findings.append(&mut about);
    findings.extend(last);
}

fn pairs<'c>(ctx: &'c Context, used: &[bool]) -> impl Iterator<Item = (&'c Allow, bool)> {
    ctx.policy.allows.iter().zip(used.to_vec())
}

fn accept(ctx: &Context, findings: &mut [Finding], used: &mut [bool]) {
    for finding in findings {
        for (allow, used) in ctx.policy.allows.iter().zip(used.iter_mut()) {
            if holds(ctx, allow) && allow.check == Some(finding.code) && covers(allow, finding) {
                finding.accept(allow.span, &*allow.reason.text);
                *used = true;
            }
        }
    }
}

/// The day after `until` it no longer holds.
fn holds(ctx: &Context, allow: &Allow) -> bool {
    allow.until.is_none_or(|until| ctx.today <= until.value)
}

fn covers(allow: &Allow, finding: &Finding) -> bool {
    let Some(block) = allow.covers else {
        return true;
    };
    let within = |span: Span| block.contains(span);
    finding.primary.is_some_and(within) || finding.labels.iter().any(|l| within(l.span))
}

/// Whether all of the policy could be read: what an `allow` accepts may else hide in the rest.
fn is_complete(ctx: &Context) -> bool {
    let p = ctx.policy;
    p.gaps.is_empty()
        && !p.systems.iter().any(|s| s.broken)
        && !p
            .entities
            .iter()
            .any(|e| e.broken || e.fields.iter().any(|f| f.broken))
        && !p.maps.iter().any(|m| m.broken)
        && !p.scenarios.iter().any(|s| s.broken)
        && !p.tests.iter().any(|t| t.broken)
}

fn judge(ctx: &Context, allow: &Allow, used: bool, complete: bool) -> Option<Finding> {
    let code = allow.check?;
    let name = code.info().name;
    if let Some(until) = allow.until.filter(|_| !holds(ctx, allow)) {
        let date = until.value;
        return Some(
            Finding::new(
                UNUSED_ALLOW,
                allow.span,
                format!("this `allow` of {code} {name} expired on {date} and no longer holds"),
            )
            .mark("expired")
            .label(until.span, "its last day")
            .help(
                "mend what it accepted, or write a later date after `until`, or remove the `allow`",
            )
            .fix(
                "remove the `allow`",
                Grade::Safe,
                vec![fix::remove(allow.span, ctx.sources)],
            ),
        );
    }
    let run = code <= READING_LAST
        || code == UNUSED_ALLOW
        || code == Code(405)
        || CHECKS.iter().any(|c| c.code == code);
    (run && !used && complete).then(|| {
        Finding::new(
            UNUSED_ALLOW,
            allow.span,
            format!("this `allow` of {code} {name} silences nothing"),
        )
        .mark("nothing here is found by that check")
        .help("remove the `allow`")
        .fix(
            "remove the `allow`",
            Grade::Safe,
            vec![fix::remove(allow.span, ctx.sources)],
        )
    })
}
