//! Clauses of `policy`.

use super::{Part, allow, common};
use crate::syntax::parse::grammar::Rule;
use crate::syntax::tree::{Currency, PolicyClause, Str};

pub fn clause(part: Part<'_>) -> Option<PolicyClause> {
    let rule = part.rule();
    if rule == Rule::allow {
        return allow(part).map(PolicyClause::Allow);
    }
    let mut parts = part.parts();
    Some(match rule {
        Rule::policy_timezone => PolicyClause::Timezone(Str(parts.token(Rule::string)?)),
        Rule::policy_currency => PolicyClause::Currency(Currency(parts.token(Rule::currency)?)),
        Rule::policy_unsure => PolicyClause::Unsure(common::mode(parts.maybe(Rule::mode)?)?),
        Rule::policy_upkeep => {
            PolicyClause::Upkeep(common::money_rate(parts.maybe(Rule::money_rate)?)?)
        }
        Rule::policy_alert => PolicyClause::Alert(common::env(parts.maybe(Rule::env)?)?),
        _ => return None,
    })
}
