//! Clauses of `scenario` and `checkpoint`.

use super::{Part, Parts, allow, common};
use crate::syntax::parse::grammar::Rule;
use crate::syntax::tree::*;
use crate::terms::{Impact, OrderBy, Priority};

pub fn clause(part: Part<'_>) -> Option<ScenarioClause> {
    let rule = part.rule();
    if rule == Rule::allow {
        return allow(part).map(ScenarioClause::Allow);
    }
    let mut parts = part.parts();
    Some(match rule {
        Rule::scenario_when => ScenarioClause::When(
            Name(parts.token(Rule::system_name)?),
            Name(parts.token(Rule::event_name)?),
            filter(&mut parts),
        ),
        Rule::scenario_sync => ScenarioClause::Sync(sync(parts)?),
        Rule::scenario_clean => ScenarioClause::Clean(
            Name(parts.token(Rule::entity_name)?),
            Name(parts.token(Rule::system_name)?),
        ),
        Rule::scenario_mode => ScenarioClause::Mode(common::mode(parts.maybe(Rule::mode)?)?),
        Rule::scenario_fresh => ScenarioClause::Fresh(duration(&mut parts)?),
        Rule::scenario_stale => ScenarioClause::Stale(
            common::word(&parts.maybe(Rule::impact)?, Impact::from_word)?,
            parts.maybe(Rule::money_rate).and_then(common::money_rate),
        ),
        Rule::scenario_volume => ScenarioClause::Volume(
            Rate(parts.token(Rule::rate)?),
            parts.token(Rule::multiple).map(Multiple),
        ),
        Rule::scenario_after => {
            let names = parts.rest(Rule::scenario_name);
            ScenarioClause::After(names.into_iter().map(Name).collect())
        }
        _ => return limits(rule, parts),
    })
}

/// The clauses that bound a run.
fn limits(rule: Rule, mut parts: Parts<'_>) -> Option<ScenarioClause> {
    Some(match rule {
        Rule::scenario_window => ScenarioClause::Window(
            TimeOfDayTok(parts.token(Rule::time)?),
            TimeOfDayTok(parts.token(Rule::time)?),
            match parts.maybe(Rule::days) {
                Some(days) => common::days(days)?,
                None => Vec::new(),
            },
        ),
        Rule::scenario_batch => ScenarioClause::Batch(Int(parts.token(Rule::integer)?)),
        Rule::scenario_scan => {
            ScenarioClause::Scan(common::either(&parts.maybe(Rule::scan_word)?, "full"))
        }
        Rule::scenario_deletes => ScenarioClause::Deletes(common::either(
            &parts.maybe(Rule::deletes_word)?,
            "propagate",
        )),
        Rule::scenario_priority => ScenarioClause::Priority(common::word(
            &parts.maybe(Rule::priority_word)?,
            Priority::from_word,
        )?),
        Rule::scenario_retry => ScenarioClause::Retry(
            duration(&mut parts)?,
            duration(&mut parts)?,
            Int(parts.token(Rule::integer)?),
        ),
        Rule::scenario_breaker => {
            ScenarioClause::Breaker(Int(parts.token(Rule::integer)?), duration(&mut parts)?)
        }
        Rule::scenario_order => ScenarioClause::Order(order(parts)?),
        _ => return None,
    })
}

fn order(parts: Parts<'_>) -> Option<Word<OrderBy>> {
    if let Some(span) = parts.keyword(Rule::kw_none) {
        return Some(Word {
            span,
            value: OrderBy::None,
        });
    }
    let span = parts.keyword(Rule::kw_key)?;
    Some(Word {
        span,
        value: OrderBy::Key,
    })
}

fn duration(parts: &mut Parts<'_>) -> Option<DurationTok> {
    parts.token(Rule::duration).map(DurationTok)
}

fn filter(parts: &mut Parts<'_>) -> Option<Filter> {
    let mut parts = parts.maybe(Rule::filter)?.parts();
    Some(Filter {
        expr: Expr(parts.token(Rule::expression)?),
        passes: parts.token(Rule::percent).map(Percent),
    })
}

fn sync(mut parts: Parts<'_>) -> Option<Sync> {
    let entity = Name(parts.token(Rule::entity_name)?);
    let carried = match parts.token(Rule::star) {
        Some(star) => Carried::All(star),
        None => Carried::Fields(parts.maybe(Rule::fields)?.names(Rule::field_name)),
    };
    let first = common::systems(&mut parts)?;
    let ends = match common::systems(&mut parts) {
        Some(second) => Ends::FromTo(first, second),
        None => Ends::Between(first),
    };
    Some(Sync {
        entity,
        carried,
        ends,
        filter: filter(&mut parts),
    })
}

pub fn checkpoint_clause(part: Part<'_>) -> Option<CheckpointClause> {
    let rule = part.rule();
    if rule == Rule::allow {
        return allow(part).map(CheckpointClause::Allow);
    }
    let mut parts = part.parts();
    Some(match rule {
        Rule::checkpoint_dedupe => {
            let fields = parts.maybe(Rule::fields)?.names(Rule::field_name);
            CheckpointClause::Dedupe(fields, common::word(&parts.maybe(Rule::keep_word)?, keep)?)
        }
        Rule::checkpoint_require => {
            let expr = Expr(parts.token(Rule::expression)?);
            CheckpointClause::Require(
                expr,
                common::either(&parts.maybe(Rule::else_word)?, "abort"),
            )
        }
        Rule::checkpoint_guard => CheckpointClause::Guard(
            Name(parts.token(Rule::field_name)?),
            Percent(parts.token(Rule::percent)?),
        ),
        Rule::checkpoint_abort => CheckpointClause::Abort(Percent(parts.token(Rule::percent)?)),
        _ => return None,
    })
}

fn keep(word: &str) -> Option<KeepWord> {
    Some(match word {
        "newest" => KeepWord::Newest,
        "oldest" => KeepWord::Oldest,
        "owner" => KeepWord::Owner,
        _ => return None,
    })
}
