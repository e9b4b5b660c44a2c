//! Fields: their types, their clauses, what they inherit.

use super::Lowering;
use super::entity::Declared;
use super::expression::{Names, Want};
use crate::finding::Edit;
use crate::model::report::{Twice, duplicate};
use crate::model::{Declaration, Derived, Effective, Field, FieldId, Said, SystemId};
use crate::syntax::literal;
use crate::syntax::tree::{self, FieldClause, Name, TypeKind, TypeRef};
use crate::text::Span;
use crate::value::Type;

/// The most digits that a decimal keeps.
const MOST_DIGITS: u64 = 28;

/// Entity clauses that a field's own would take for its, were they to follow it.
const MISPLACED: &[&str] = &["owner", "accepts", "resolve", "fresh", "class"];

impl<'a> Lowering<'a> {
    pub(super) fn type_of(&mut self, ty: &TypeRef) -> Option<Type> {
        Some(match &ty.kind {
            TypeKind::Bool => Type::Bool,
            TypeKind::Int(None) => Type::Int {
                min: None,
                max: None,
            },
            TypeKind::Int(Some((a, b))) => {
                let min = self.value(a.0, literal::integer(self.text(a.0)));
                let max = self.value(b.0, literal::integer(self.text(b.0)));
                let (min, max) = (min?, max?);
                if min > max {
                    let message = format!("no number is at least {min} and at most {max}");
                    let edit = Edit {
                        span: a.0.to(b.0),
                        text: format!("{}..{}", self.text(b.0), self.text(a.0)),
                    };
                    let mend = (format!("write `{}`", edit.text), vec![edit]);
                    let help = "write the smaller bound first";
                    self.bad_but(a.0.to(b.0), message, help, None, mend);
                    return None;
                }
                Type::Int {
                    min: Some(min),
                    max: Some(max),
                }
            }
            TypeKind::Decimal(precision, scale) => {
                let digits = self.positive(*precision, "the number of digits");
                let after = self.int(*scale);
                let (digits, after) = (digits?, after?);
                if digits > MOST_DIGITS {
                    let message = format!("a decimal keeps at most {MOST_DIGITS} digits");
                    self.bad(precision.0, message, "write from 1 to 28 digits");
                    return None;
                }
                if after > digits {
                    let message =
                        format!("{after} digits after the point are more than {digits} in all");
                    self.bad(
                        scale.0,
                        message,
                        "write at most as many digits after the point as there are in all",
                    );
                    return None;
                }
                Type::Decimal {
                    precision: digits as u32,
                    scale: after as u32,
                }
            }
            TypeKind::Text(None) => Type::Text { max: None },
            TypeKind::Text(Some(max)) => {
                let length = self.positive(*max, "the length of a text")?;
                let Ok(length) = u32::try_from(length) else {
                    self.bad(max.0, "the length of a text is at most 4_294_967_295", "");
                    return None;
                };
                Type::Text { max: Some(length) }
            }
            TypeKind::Email => Type::Email,
            TypeKind::Phone => Type::Phone,
            TypeKind::Url => Type::Url,
            TypeKind::Date => Type::Date,
            TypeKind::Datetime => Type::Datetime,
            TypeKind::Json => Type::Json,
            TypeKind::Enum(names) => {
                let names = self.each_once(names);
                Type::Enum {
                    values: names.iter().map(|n| self.text(n.0).to_owned()).collect(),
                }
            }
            TypeKind::Set(of) => Type::Set {
                of: Box::new(self.type_of(of)?),
            },
        })
    }

    pub(super) fn fields(&mut self, declared: Vec<Declared<'a>>) {
        let mut derived = Vec::new();
        for d in &declared {
            if d.again {
                self.declared_again(d);
            } else {
                self.field(d, &mut derived);
            }
        }
        for (id, clause, expr) in derived {
            self.derived(id, clause, expr);
        }
    }

    fn field(&mut self, d: &Declared<'a>, derived: &mut Vec<(FieldId, Span, tree::Expr)>) {
        let entity = self.policy.entity(d.field.entity).name.text.clone();
        let read = self.read_clauses(&d.decl.clauses, &["allow"], |keyword| {
            (d.own && MISPLACED.contains(&keyword)).then(|| {
                format!(
                    "keep one `{keyword}`; if this one is meant for all of `{entity}`, move it \
                     above the first field"
                )
            })
        });
        let mut field = self.policy.field(d.field).clone();
        field.broken = read.is_broken();
        let mut is_derived = false;
        for (clause, kind) in read.clauses {
            match kind {
                FieldClause::Owner(name) => field.owner = Some(own(self.owner(clause.span, *name))),
                FieldClause::Accepts(a) => {
                    field.accepts = Some(own(self.accepts(clause.span, a)));
                }
                FieldClause::Resolve(rule) => {
                    field.resolve = Some(own(Said {
                        clause: clause.span,
                        span: rule.span,
                        value: rule.value,
                    }));
                }
                FieldClause::Fresh(f) => field.fresh = Some(own(self.fresh(clause.span, f))),
                FieldClause::Class(names) => {
                    field.classes = Some(own(self.class_clause(clause.span, names)));
                }
                FieldClause::Changes(rate) => {
                    field.changes = self.rate(*rate).map(|value| Said {
                        clause: clause.span,
                        span: rate.0,
                        value,
                    });
                }
                FieldClause::Derived(expr) => {
                    is_derived = true;
                    derived.push((d.field, clause.span, *expr));
                }
                FieldClause::Allow(allow) => self.allow(allow, Some(d.span)),
            }
        }
        if !is_derived {
            self.inherit(&mut field);
        }
        field.declared.push(Declaration {
            name: d.decl.name.0,
            span: d.span,
            item: d.item,
            owner: field.owner,
        });
        if let Some(place) = self.field_mut(d.field) {
            *place = field;
        }
    }

    fn field_mut(&mut self, id: FieldId) -> Option<&mut Field> {
        let entity = self.policy.entities.get_mut(id.entity.index())?;
        entity.fields.get_mut(id.index as usize)
    }

    fn inherit(&self, field: &mut Field) {
        let entity = self.policy.entity(field.id.entity);
        let (owner, resolve) = (entity.owner, entity.resolve);
        field.owner = field.owner.or_else(|| owner.map(inherited));
        field.resolve = field.resolve.or_else(|| resolve.map(inherited));
        if field.accepts.is_none() {
            field.accepts = entity.accepts.clone().map(inherited);
        }
        if field.classes.is_none() {
            field.classes = entity.classes.clone().map(inherited);
        }
        if field.fresh.is_none() && !field.is_key {
            field.fresh = entity.fresh.clone().map(inherited);
        }
    }

    /// A later declaration of a field: owners that differ are SL0102, which a check reports; any
    /// other is said here. The first holds.
    fn declared_again(&mut self, d: &Declared<'a>) {
        let own_owner = d.decl.clauses.iter().find_map(|c| match &c.kind {
            Some(FieldClause::Owner(name)) => Some((c.span, *name)),
            _ => None,
        });
        let is_derived = d
            .decl
            .clauses
            .iter()
            .any(|c| matches!(c.kind, Some(FieldClause::Derived(_))));
        let entity = self.policy.entity(d.field.entity);
        let owner = match own_owner {
            Some((clause, name)) => Some(self.silent_owner(clause, name)),
            None if is_derived => None,
            None => entity.owner.map(inherited),
        };
        let field = self.policy.field(d.field);
        let first_owner = field
            .declared
            .first()
            .and_then(|f| f.owner)
            .and_then(|o| o.value);
        let later_owner = owner.and_then(|o| o.value);
        let differ = first_owner.zip(later_owner).is_some_and(|(a, b)| a != b);
        let (name, first) = (field.name.text.clone(), field.name.span);
        let whole = field.declared.first().map(|f| f.span);
        if !differ {
            self.report(duplicate(Twice {
                what: "field",
                name: &name,
                first,
                later: d.decl.name.0,
                help: None,
                same: whole.and_then(|whole| self.repetition(whole, d.span)),
            }));
        }
        let declaration = Declaration {
            name: d.decl.name.0,
            span: d.span,
            item: d.item,
            owner,
        };
        if let Some(field) = self.field_mut(d.field) {
            field.declared.push(declaration);
        }
    }

    fn silent_owner(&self, clause: Span, name: Name) -> Effective<Option<SystemId>> {
        Effective {
            clause,
            span: name.0,
            inherited: false,
            value: self.policy.index.systems.get(self.text(name.0)).copied(),
        }
    }

    fn derived(&mut self, id: FieldId, clause: Span, expr: tree::Expr) {
        let entity = self.policy.entity(id.entity);
        let record = entity.name.text.clone();
        let field = self.policy.field(id);
        let (ty, type_span, is_key) = (field.ty.clone(), field.type_span, field.is_key);
        let name = field.name.clone();
        let names = Names::Record(&record, Some(id.entity));
        let want = match &ty {
            Some(ty) => Want::Type(ty, type_span),
            None => Want::Anything,
        };
        let expr = self.expression(expr, names, "`derived`", want);
        if is_key {
            let message = format!("the key `{name}` cannot be derived");
            self.bad(
                name.span,
                message,
                "name a field in `key` that the systems hold themselves",
            );
        }
        if let Some(field) = self.field_mut(id) {
            field.derived = Some(Derived { clause, expr });
        }
    }
}

fn own<T>(said: Said<T>) -> Effective<T> {
    Effective {
        clause: said.clause,
        span: said.span,
        inherited: false,
        value: said.value,
    }
}

fn inherited<T>(said: Said<T>) -> Effective<T> {
    Effective {
        inherited: true,
        ..own(said)
    }
}
