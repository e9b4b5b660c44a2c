//! Expressions: compiled once for each text and place, findings put where the author wrote them.

use std::sync::Arc;

use super::{Lowering, names};
use crate::expr::{Fault, Kind, Program, Read, Scope, compile};
use crate::model::report::{Misfit, does_not_fit, faulty, no_such_field};
use crate::model::{EntityId, Expression, Spanned};
use crate::syntax::{literal, tree};
use crate::text::Span;
use crate::value::Type;

/// What an expression may name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Names<'n> {
    /// A record of an entity, which may not be known.
    Record(&'n str, Option<EntityId>),
    /// `event`.
    Event,
    /// `value`, of a kind.
    Value(&'n Kind),
    /// Nothing.
    Nothing,
}

/// What an expression has to give.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want<'n> {
    /// True or false.
    Bool,
    /// A value of a type, which a place says.
    Type(&'n Type, Span),
    /// A map.
    Map,
    /// Anything.
    Anything,
}

/// What one text in one kind of place compiled to.
pub(super) struct Ready {
    program: Option<Arc<Program>>,
    faults: Vec<Fault>,
    reads: Vec<Read>,
    kind: Kind,
}

/// What tells one kind of place from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Record(EntityId),
    /// The record of an entity that is not known.
    Unknown(String),
    Event,
    Value(Kind),
    Nothing,
}

impl<'a> Lowering<'a> {
    /// `what` is what the expression is, `the condition`.
    pub(super) fn expression(
        &mut self,
        token: tree::Expr,
        names: Names<'_>,
        what: &str,
        want: Want<'_>,
    ) -> Expression {
        let text = literal::expression(self.text(token.0));
        let ready = self.ready(text, names);
        let base = token.0.start as usize + 1;
        let at = |range: &std::ops::Range<usize>| {
            Span::new(token.0.file, base + range.start, base + range.end)
        };
        let mut sound = ready.faults.is_empty();
        for fault in &ready.faults {
            self.report(faulty(at(&fault.range), fault.clone()));
        }
        let mut reads = Vec::with_capacity(ready.reads.len());
        if let Names::Record(_, entity) = names {
            for read in &ready.reads {
                let id = entity.and_then(|e| self.policy.field_named(e, &read.field));
                match id {
                    Some(value) => reads.push(Spanned {
                        span: at(&read.range),
                        value,
                    }),
                    None => {
                        sound = false;
                        self.unknown_field(entity, at(&read.range), &read.field);
                    }
                }
            }
        }
        if sound && let Some(wanted) = misses(&ready.kind, want) {
            sound = false;
            let trimmed = text.trim();
            let from = text.len() - text.trim_start().len();
            let because = match want {
                Want::Type(_, span) => Some(span),
                _ => None,
            };
            let misfit = Misfit {
                what,
                gives: &ready.kind,
                wanted,
                because,
            };
            self.report(does_not_fit(at(&(from..from + trimmed.len())), misfit));
        }
        Expression {
            span: token.0,
            program: ready.program.clone().filter(|_| sound),
            reads,
        }
    }

    fn unknown_field(&mut self, entity: Option<EntityId>, at: Span, field: &str) {
        let Some(id) = entity.filter(|e| !self.may_be_declared(names::Kind::Field(*e), field))
        else {
            return;
        };
        self.missed(names::Kind::Field(id), at);
        let entity = self.policy.entity(id);
        let fields = entity.fields.iter().map(|f| (&*f.name.text, f.name.span));
        let finding = no_such_field(at, (&entity.name.text, entity.name.span), field, fields);
        self.report(finding);
    }

    fn ready(&mut self, text: &'a str, names: Names<'_>) -> Arc<Ready> {
        let place = match names {
            Names::Record(_, Some(id)) => Place::Record(id),
            Names::Record(name, None) => Place::Unknown(name.to_owned()),
            Names::Event => Place::Event,
            Names::Value(kind) => Place::Value(kind.clone()),
            Names::Nothing => Place::Nothing,
        };
        let key = (text, place);
        if let Some(ready) = self.expressions.get(&key) {
            return ready.clone();
        }
        let any = Kind::Any;
        let field = |name: &str| {
            let Names::Record(_, Some(entity)) = names else {
                return None;
            };
            let id = self.policy.field_named(entity, name)?;
            self.policy.field(id).ty.as_ref().map(Kind::of)
        };
        let words = |name: &str| {
            let Names::Record(_, Some(entity)) = names else {
                return None;
            };
            let field = self.policy.field(self.policy.field_named(entity, name)?);
            match field.ty.as_ref()? {
                // An enum that was not read whole may hold the word.
                Type::Enum { values } if !field.broken => Some(&values[..]),
                _ => None,
            }
        };
        let scope = match names {
            Names::Record(name, _) => Scope::Record {
                name,
                field: &field,
                words: &words,
            },
            Names::Event => Scope::Variable {
                name: "event",
                kind: &any,
            },
            Names::Value(kind) => Scope::Variable {
                name: "value",
                kind,
            },
            Names::Nothing => Scope::Nothing,
        };
        let compiled = compile(text, scope);
        let ready = Arc::new(Ready {
            program: compiled.program.map(Arc::new),
            faults: compiled.faults,
            reads: compiled.reads,
            kind: compiled.kind,
        });
        self.expressions.insert(key, ready.clone());
        ready
    }
}

/// What a place wants, with an article, where a kind does not fit it.
fn misses(kind: &Kind, want: Want<'_>) -> Option<String> {
    match want {
        Want::Bool if !matches!(kind, Kind::Bool | Kind::Any) => Some("a bool".to_owned()),
        Want::Map if !matches!(kind, Kind::Map | Kind::Any) => Some("a map".to_owned()),
        Want::Type(ty, _) if !kind.fits(ty) => {
            let name = ty.describe();
            let article = match name.starts_with(['a', 'e', 'i', 'o', 'u']) && name != "url" {
                true => "an",
                false => "a",
            };
            Some(format!("{article} {name}"))
        }
        _ => None,
    }
}
