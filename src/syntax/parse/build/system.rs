//! Clauses of `system`.

use super::{Part, allow, common};
use crate::syntax::parse::grammar::Rule;
use crate::syntax::tree::*;

pub fn clause(part: Part<'_>) -> Option<SystemClause> {
    let rule = part.rule();
    if rule == Rule::allow {
        return allow(part).map(SystemClause::Allow);
    }
    let mut parts = part.parts();
    Some(match rule {
        Rule::system_connector => SystemClause::Connector(match parts.token(Rule::string) {
            Some(path) => ConnectorRef::Path(Str(path)),
            None => ConnectorRef::Name(Name(parts.token(Rule::connector_name)?)),
        }),
        Rule::system_tier => SystemClause::Tier(Name(parts.token(Rule::tier_name)?)),
        Rule::system_seats => SystemClause::Seats(Int(parts.token(Rule::integer)?)),
        Rule::system_budget => SystemClause::Budget(Percent(parts.token(Rule::percent)?)),
        Rule::system_limit => SystemClause::Limit(Rate(parts.token(Rule::rate)?)),
        Rule::system_price => SystemClause::Price(
            common::money(parts.maybe(Rule::money)?)?,
            parts.token(Rule::integer).map(Int),
        ),
        Rule::system_failure => SystemClause::Failure(Percent(parts.token(Rule::percent)?)),
        Rule::system_latency => SystemClause::Latency(DurationTok(parts.token(Rule::duration)?)),
        Rule::system_option => SystemClause::Option(
            Name(parts.token(Rule::option_name)?),
            common::option_value(parts.maybe(Rule::option_value)?)?,
        ),
        Rule::system_secret => SystemClause::Secret(
            Name(parts.token(Rule::secret_name)?),
            common::option_value(parts.maybe(Rule::option_value)?)?,
        ),
        Rule::system_cleared => {
            SystemClause::Cleared(parts.maybe(Rule::classes)?.names(Rule::class_name))
        }
        _ => return None,
    })
}
