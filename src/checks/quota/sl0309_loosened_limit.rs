//! SL0309 loosened-limit: a system is to take more calls than its vendor allows.

use std::collections::BTreeMap;

use super::super::{Context, figures, words};
use super::vendor;
use crate::catalog::{Calls, Entry, Limit, Scope};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Rate, Said, System};
use crate::terms::Unit;
use crate::time::Millis;

const CODE: Code = Code(309);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let mut found = Vec::new();
    for system in &ctx.policy.systems {
        let Some(entry) = ctx.entry(system.id) else {
            continue;
        };
        for said in &system.limits {
            let allowed = allowed(system, entry, said.value);
            found.extend(allowed.and_then(|a| finding(ctx, system, said, &a)));
        }
    }
    found
}

/// What a vendor allows.
struct Allowed<'a> {
    limit: &'a Limit,
    rate: Rate,
}

/// The vendor's limit that a rate is compared with: one of the same kind (a quota of a day or
/// longer, or a burst limit), of the same window where there is one, else the loosest, for only
/// what is above all of them is no limit at all.
fn allowed<'a>(system: &System, entry: &'a Entry, rate: Rate) -> Option<Allowed<'a>> {
    let tier = system.tier.as_ref().and_then(|t| entry.tier(&t.value));
    let tier = tier.or_else(|| entry.smallest_tier());
    let seats = system.seats.as_ref().map_or(0, |s| s.value);
    let kind = |l: &&Limit| l.is_quota() == (rate.per >= Millis::DAY);
    let limits: Vec<&Limit> = entry.limits(tier).filter(kind).collect();
    // Limits of some calls only say little about all of them, where the vendor has others.
    let of_all: Vec<&Limit> = limits
        .iter()
        .copied()
        .filter(|l| l.counts == Calls::All && l.scope != Scope::Endpoint)
        .collect();
    let tightest = !of_all.is_empty();
    let mut windows: BTreeMap<Millis, Allowed> = BTreeMap::new();
    for limit in if tightest { of_all } else { limits } {
        let one = Allowed {
            limit,
            rate: Rate {
                count: limit.allowed(seats),
                per: limit.per,
            },
        };
        let holds = windows
            .get(&limit.per)
            .is_none_or(|known| (one.rate.count < known.rate.count) == tightest);
        if holds {
            windows.insert(limit.per, one);
        }
    }
    match windows.remove(&rate.per) {
        Some(same) => Some(same),
        None => windows
            .into_values()
            .max_by(|a, b| a.rate.per_second().total_cmp(&b.rate.per_second())),
    }
}

fn finding(
    ctx: &Context,
    system: &System,
    said: &Said<Rate>,
    allowed: &Allowed,
) -> Option<Finding> {
    // Compared by cross multiplication: rates of different windows need not be round.
    let asked = u128::from(said.value.count) * u128::from(allowed.rate.per.0);
    let most = u128::from(allowed.rate.count) * u128::from(said.value.per.0);
    if asked <= most {
        return None;
    }
    let name = &system.name;
    let vendor = vendor(system)?;
    let (asked, most) = (ctx.sources.slice(said.span), written(allowed.rate));
    let message = format!(
        "the limit `{asked}` of `{name}` is above what {vendor} allows, `{most}`: a limit can only \
         be lowered"
    );
    let mut found = Finding::new(CODE, said.span, message).mark(format!("above `{most}`"));
    if let Some(connector) = &system.connector {
        let sure = match allowed.limit.calls.verified() {
            true => "",
            false => ", as far as is known",
        };
        let text = format!("allows `{most}` of `{}`{sure}", allowed.limit.name);
        found = words::label(found, connector.clause, text);
    }
    if let Some(tier) = &system.tier {
        found = words::label(found, tier.clause, "the tier that sets it");
    }
    let has_tiers = ctx.entry(system.id).is_some_and(|e| !e.tiers.is_empty());
    let mut help =
        format!("write `limit {most}` or less, or remove it: the vendor's own always holds");
    if allowed.limit.per_seat.is_some() && system.seats.is_none() {
        help.push_str("; where more seats are paid for, say so with `seats`");
    } else if system.tier.is_none() && has_tiers {
        help.push_str("; where more is paid for, say so with `tier`");
    }
    Some(found.help(help).fix(
        "lower it to what the vendor allows",
        Grade::Safe,
        vec![Edit {
            span: said.span,
            text: most,
        }],
    ))
}

/// A rate as a policy writes it.
fn written(rate: Rate) -> String {
    let seconds = rate.per.0 / 1_000;
    let unit = Unit::ALL
        .iter()
        .find(|u| rate.per.0.is_multiple_of(1_000) && u.seconds() == seconds);
    let count = figures::grouped_by(rate.count, '_');
    match unit {
        Some(unit) => format!("{count}/{unit}"),
        None => format!("{count}/{}", rate.per),
    }
}
