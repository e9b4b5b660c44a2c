//! SL0305 batch-too-large: a write call of a scenario is to hold more records than the system that
//! it goes to takes.

use super::super::{Context, words};
use super::vendor;
use crate::catalog::Figure;
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Said, Scenario, SystemId};

const CODE: Code = Code(305);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .scenarios
        .iter()
        .filter_map(|s| finding(ctx, s, s.batch.as_ref()?))
        .collect()
}

/// The systems that a scenario writes to, with the most records of one write call that the catalog
/// knows for them, where that is less than `batch`; the least first.
fn exceeded<'a>(
    ctx: &Context<'a>,
    scenario: &Scenario,
    batch: u64,
) -> Vec<(SystemId, &'a Figure<u32>)> {
    let cleaned = scenario.clean.iter().filter_map(|c| c.system.id);
    let mut systems: Vec<SystemId> = scenario.hops.iter().map(|h| h.to.value).collect();
    systems.extend(cleaned);
    systems.sort_unstable();
    systems.dedup();
    let most = |system: SystemId| {
        let sizes = &ctx.entry(system)?.batch;
        // Where a file is written whole there is no most.
        let most = sizes.write.as_ref().filter(|_| !sizes.whole_file)?;
        (u64::from(most.value) < batch).then_some((system, most))
    };
    let mut exceeded: Vec<_> = systems.into_iter().filter_map(most).collect();
    exceeded.sort_by_key(|(system, most)| (most.value, *system));
    exceeded
}

fn finding(ctx: &Context, scenario: &Scenario, batch: &Said<u64>) -> Option<Finding> {
    let exceeded = exceeded(ctx, scenario, batch.value);
    let (system, most) = exceeded.first()?;
    let most = most.value;
    let message = format!(
        "scenario `{}` puts `{}` records into a write call, but one of `{}` takes {most} at most",
        scenario.name,
        ctx.sources.slice(batch.span),
        ctx.system(*system),
    );
    let mut found = Finding::new(CODE, batch.span, message).mark(format!("more than {most}"));
    for (system, most) in &exceeded {
        let declared = ctx.policy.system(*system);
        let Some((connector, vendor)) = declared.connector.as_ref().zip(vendor(declared)) else {
            continue;
        };
        let sure = match most.verified() {
            true => "",
            false => ", as far as is known",
        };
        let text = format!("{vendor} takes at most {} in a call{sure}", most.value);
        found = words::label(found, connector.clause, text);
    }
    Some(
        found
            .help(format!(
                "write `batch {most}`, or leave `batch` out: the most is taken then"
            ))
            .fix(
                format!("put {most} into a call"),
                Grade::Safe,
                vec![Edit {
                    span: batch.span,
                    text: most.to_string(),
                }],
            ),
    )
}
