//! Clauses of `entity`, `extend entity` and fields, and types.

use super::{Part, Parts, allow, common};
use crate::syntax::parse::grammar::Rule;
use crate::syntax::tree::*;
use crate::terms::ResolveRule;

pub fn clause(part: Part<'_>) -> Option<EntityClause> {
    let rule = part.rule();
    Some(match rule {
        Rule::entity_key => {
            EntityClause::Key(part.parts().maybe(Rule::fields)?.names(Rule::field_name))
        }
        Rule::entity_volume => EntityClause::Volume(volume(part.parts())?),
        Rule::entity_field => EntityClause::Field(Box::new(field(part)?)),
        _ => match field_clause(part)? {
            FieldClause::Owner(name) => EntityClause::Owner(name),
            FieldClause::Accepts(accepts) => EntityClause::Accepts(accepts),
            FieldClause::Resolve(rule) => EntityClause::Resolve(rule),
            FieldClause::Fresh(fresh) => EntityClause::Fresh(fresh),
            FieldClause::Class(names) => EntityClause::Class(names),
            FieldClause::Allow(allow) => EntityClause::Allow(allow),
            FieldClause::Changes(_) | FieldClause::Derived(_) => return None,
        },
    })
}

fn volume(mut parts: Parts<'_>) -> Option<EntityVolume> {
    Some(EntityVolume {
        records: Int(parts.token(Rule::integer)?),
        changes: Rate(parts.token(Rule::rate)?),
        peak: parts.token(Rule::multiple).map(Multiple),
    })
}

fn field(part: Part<'_>) -> Option<FieldDecl> {
    let mut parts = part.parts();
    let mut field = field_head(parts.maybe(Rule::field_head)?)?;
    while let Some(part) = parts.any() {
        field.clauses.push(spanned(part, field_clause)?);
    }
    Some(field)
}

/// A clause with its keyword's place, which begins it.
pub fn spanned<C>(part: Part<'_>, build: fn(Part<'_>) -> Option<C>) -> Option<Clause<C>> {
    let span = part.span();
    let word = part.text().bytes();
    let len = word
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
        .count();
    let start = span.start as usize;
    Some(Clause {
        span,
        keyword: crate::text::Span::new(span.file, start, start + len),
        kind: Some(build(part)?),
    })
}

/// `field NAME: TYPE` without its clauses and doc comment.
pub fn field_head(part: Part<'_>) -> Option<FieldDecl> {
    let mut parts = part.parts();
    Some(FieldDecl {
        doc: None,
        name: Name(parts.token(Rule::field_name)?),
        ty: type_ref(parts.maybe(Rule::type_ref)?)?,
        clauses: Vec::new(),
    })
}

pub fn field_clause(part: Part<'_>) -> Option<FieldClause> {
    let rule = part.rule();
    if rule == Rule::allow {
        return allow(part).map(FieldClause::Allow);
    }
    let mut parts = part.parts();
    Some(match rule {
        Rule::owner => FieldClause::Owner(Name(parts.token(Rule::system_name)?)),
        Rule::accepts => FieldClause::Accepts(match parts.keyword(Rule::kw_none) {
            Some(none) => Accepts::None(none),
            None => Accepts::Systems(common::systems(&mut parts)?),
        }),
        Rule::resolve => FieldClause::Resolve(common::word(
            &parts.maybe(Rule::resolve_rule)?,
            ResolveRule::from_word,
        )?),
        Rule::fresh => FieldClause::Fresh(Fresh {
            within: DurationTok(parts.token(Rule::duration)?),
            systems: common::systems(&mut parts).unwrap_or_default(),
        }),
        Rule::class => FieldClause::Class(parts.maybe(Rule::classes)?.names(Rule::class_name)),
        Rule::changes => FieldClause::Changes(Rate(parts.token(Rule::rate)?)),
        Rule::derived => FieldClause::Derived(Expr(parts.token(Rule::expression)?)),
        _ => return None,
    })
}

fn type_ref(part: Part<'_>) -> Option<TypeRef> {
    let span = part.span();
    let optional = part.text().ends_with('?');
    let part = part.parts().any()?;
    let rule = part.rule();
    let mut parts = part.parts();
    let kind = match rule {
        Rule::type_bool => TypeKind::Bool,
        Rule::type_int => TypeKind::Int(match parts.token(Rule::signed) {
            Some(low) => Some((Int(low), Int(parts.token(Rule::signed)?))),
            None => None,
        }),
        Rule::type_decimal => TypeKind::Decimal(
            Int(parts.token(Rule::integer)?),
            Int(parts.token(Rule::integer)?),
        ),
        Rule::type_text => TypeKind::Text(parts.token(Rule::integer).map(Int)),
        Rule::type_email => TypeKind::Email,
        Rule::type_phone => TypeKind::Phone,
        Rule::type_url => TypeKind::Url,
        Rule::type_date => TypeKind::Date,
        Rule::type_datetime => TypeKind::Datetime,
        Rule::type_json => TypeKind::Json,
        Rule::type_enum => {
            TypeKind::Enum(parts.rest(Rule::enum_value).into_iter().map(Name).collect())
        }
        Rule::type_set => TypeKind::Set(Box::new(type_ref(parts.maybe(Rule::type_ref)?)?)),
        _ => return None,
    };
    Some(TypeRef {
        span,
        kind,
        optional,
    })
}
