//! Clauses of `test`.

use super::{Part, Parts, allow, common};
use crate::syntax::parse::grammar::Rule;
use crate::syntax::tree::*;

pub fn clause(part: Part<'_>) -> Option<TestClause> {
    let rule = part.rule();
    if rule == Rule::allow {
        return allow(part).map(TestClause::Allow);
    }
    let mut parts = part.parts();
    Some(match rule {
        Rule::test_start => TestClause::Start(Str(parts.token(Rule::string)?)),
        Rule::test_given => TestClause::Given(
            Name(parts.token(Rule::entity_name)?),
            Str(parts.token(Rule::string)?),
            record(parts.maybe(Rule::record)?)?,
            common::systems(&mut parts)?,
        ),
        Rule::test_at => at(parts)?,
        Rule::test_expect => expect(parts.any()?)?,
        _ => return None,
    })
}

fn at(mut parts: Parts<'_>) -> Option<TestClause> {
    let when = DurationTok(parts.token(Rule::duration)?);
    let act = parts.any()?;
    let is_event = act.rule() == Rule::test_event;
    let mut parts = act.parts();
    let system = Name(parts.token(Rule::system_name)?);
    if is_event {
        return Some(TestClause::Event(
            when,
            system,
            Name(parts.token(Rule::event_name)?),
            Expr(parts.token(Rule::expression)?),
        ));
    }
    let act = parts.any()?;
    let rule = act.rule();
    let mut parts = act.parts();
    if rule == Rule::test_down {
        let pause = DurationTok(parts.token(Rule::duration)?);
        return Some(TestClause::Down(when, system, pause));
    }
    let entity = Name(parts.token(Rule::entity_name)?);
    let key = Str(parts.token(Rule::string)?);
    Some(match parts.maybe(Rule::record) {
        Some(part) => TestClause::Sets(when, system, entity, key, record(part)?),
        None => TestClause::Deletes(when, system, entity, key),
    })
}

fn expect(part: Part<'_>) -> Option<TestClause> {
    let rule = part.rule();
    let mut parts = part.parts();
    Some(match rule {
        Rule::expect_record => {
            let when = DurationTok(parts.token(Rule::duration)?);
            let entity = Name(parts.token(Rule::entity_name)?);
            let key = Str(parts.token(Rule::string)?);
            let system = Name(parts.token(Rule::system_name)?);
            match parts.maybe(Rule::record) {
                Some(part) => TestClause::Expect(when, entity, key, system, record(part)?),
                None => TestClause::ExpectAbsent(when, entity, key, system),
            }
        }
        Rule::expect_calls => TestClause::ExpectCalls(
            Name(parts.token(Rule::system_name)?),
            Int(parts.token(Rule::integer)?),
        ),
        Rule::expect_dead_letters => {
            TestClause::ExpectDeadLetters(Int(parts.token(Rule::integer)?))
        }
        _ => return None,
    })
}

fn record(part: Part<'_>) -> Option<TestRecord> {
    let span = part.span();
    let mut parts = part.parts();
    let mut fields = Vec::new();
    while let Some(name) = parts.token(Rule::field_name) {
        fields.push((Name(name), value(parts.maybe(Rule::test_value)?)?));
    }
    Some(TestRecord { span, fields })
}

fn value(part: Part<'_>) -> Option<TestValue> {
    let span = part.span();
    let mut parts = part.parts();
    let Some(inner) = parts.any() else {
        // The one form that is a keyword alone.
        return Some(TestValue::Absent(span));
    };
    Some(match inner.rule() {
        Rule::string => TestValue::Str(Str(span)),
        Rule::boolean => TestValue::Bool(common::either(&inner, "true")),
        Rule::signed_number => TestValue::Number(Number(span)),
        Rule::value_name => TestValue::Name(Name(span)),
        Rule::value_list => {
            let mut parts = inner.parts();
            let mut values = Vec::new();
            while let Some(item) = parts.maybe(Rule::test_value) {
                values.push(value(item)?);
            }
            TestValue::List(span, values)
        }
        _ => return None,
    })
}
