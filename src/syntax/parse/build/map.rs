//! Clauses of `map`.

use super::{Part, Parts, allow};
use crate::syntax::parse::grammar::Rule;
use crate::syntax::tree::*;

pub fn clause(part: Part<'_>) -> Option<MapClause> {
    let rule = part.rule();
    if rule == Rule::allow {
        return allow(part).map(MapClause::Allow);
    }
    let mut parts = part.parts();
    Some(match rule {
        Rule::map_key => MapClause::Key(mapped(parts)?),
        Rule::map_field => MapClause::Field(mapped(parts)?),
        Rule::map_same_names => MapClause::SameNames,
        Rule::map_cursor => MapClause::Cursor(
            Str(parts.token(Rule::string)?),
            parts.token(Rule::duration).map(DurationTok),
        ),
        Rule::map_changed_at => MapClause::ChangedAt(Str(parts.token(Rule::string)?)),
        Rule::map_deleted => MapClause::Deleted(Str(parts.token(Rule::string)?)),
        _ => return None,
    })
}

fn mapped(mut parts: Parts<'_>) -> Option<MapField> {
    let field = Name(parts.token(Rule::field_name)?);
    let column = Str(parts.token(Rule::string)?);
    let mut all = Vec::new();
    while let Some(part) = parts.any() {
        let (rule, whole) = (part.rule(), part.span());
        let mut inner = part.parts();
        all.push(match rule {
            Rule::map_values => MapPart::Values(whole, pairs(inner)?),
            Rule::map_read => {
                let keyword = inner.keyword(Rule::kw_read)?;
                MapPart::Read(keyword, Expr(inner.token(Rule::expression)?))
            }
            Rule::map_write => {
                let keyword = inner.keyword(Rule::kw_write)?;
                MapPart::Write(keyword, Expr(inner.token(Rule::expression)?))
            }
            _ => return None,
        });
    }
    Some(MapField {
        field,
        column,
        parts: all,
    })
}

fn pairs(mut parts: Parts<'_>) -> Option<Vec<(Name, Str)>> {
    let mut all = Vec::new();
    while let Some(name) = parts.token(Rule::enum_value) {
        all.push((Name(name), Str(parts.token(Rule::string)?)));
    }
    Some(all)
}
