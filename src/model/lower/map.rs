//! `map` items.

use std::sync::Arc;

use super::Lowering;
use super::expression::{Names, Want};
use super::items::Items;
use crate::expr::Kind;
use crate::model::report::{Twice, duplicate};
use crate::model::{
    Change, Cursor, EntityId, FieldId, Ident, Map, MapId, MappedField, Said, Spanned, SystemId,
    Values,
};
use crate::syntax::tree::{DurationTok, Item, MapClause, MapField, MapItem, MapPart, Name, Str};
use crate::text::Span;
use crate::value::Type;

const MANY: &[&str] = &["key", "field", "allow"];

impl<'a> Lowering<'a> {
    pub(super) fn map_items(&mut self, items: &Items<'a>) {
        for (item, map) in &items.maps {
            let entity = self.entity_ref(map.entity);
            let system = self.system_ref(map.system);
            let (Some(e), Some(s)) = (entity.id, system.id) else {
                // It may have been meant for any pair.
                self.policy.gaps.maps = true;
                let map = self.map_item(item, map, entity.id, None);
                drop(map);
                continue;
            };
            if let Some(first) = self.policy.map_for(e, s) {
                let same = self.repetition(first.span, item.span);
                let first = first.entity.span.to(first.system.span);
                let name = format!("{} in {}", self.text(map.entity.0), self.text(map.system.0));
                self.report(duplicate(Twice {
                    what: "map",
                    name: &name,
                    first,
                    later: map.entity.0.to(map.system.0),
                    help: None,
                    same,
                }));
                continue;
            }
            let id = MapId(self.policy.maps.len() as u32);
            if let Some(map) = self.map_item(item, map, Some(e), Some((id, s))) {
                self.policy.index.maps.insert((e, s), id);
                self.policy.maps.push(map);
            }
        }
    }

    fn map_item(
        &mut self,
        item: &Item,
        map: &'a MapItem,
        entity: Option<EntityId>,
        place: Option<(MapId, SystemId)>,
    ) -> Option<Map> {
        let mut read = self.read_clauses(&map.clauses, MANY, |_| None);
        self.note_cut(item, &mut read);
        let mut broken = read.is_broken();
        let mut fields: Vec<MappedField> = Vec::new();
        let mut same_names = None;
        let (mut cursor, mut changed_at, mut deleted) = (None, None, None);
        for (clause, kind) in read.clauses {
            match kind {
                MapClause::Key(field) | MapClause::Field(field) => {
                    match self.mapped(entity, clause.span, field, &fields) {
                        Some(Ok(field)) => fields.push(field),
                        Some(Err(())) => {}
                        None => broken = true,
                    }
                }
                MapClause::SameNames => same_names = Some(clause.span),
                MapClause::Cursor(column, overlap) => {
                    cursor = self.cursor(clause.span, *column, *overlap);
                    broken |= cursor.is_none();
                }
                MapClause::ChangedAt(column) => {
                    changed_at = self.column(clause.span, *column, "the column of `changed_at`");
                    broken |= changed_at.is_none();
                }
                MapClause::Deleted(column) => {
                    deleted = self.column(clause.span, *column, "the column of `deleted`");
                }
                MapClause::Allow(allow) => self.allow(allow, Some(item.span)),
            }
        }
        let object = map.object.map(|o| self.filled(o, "the object's name"));
        let (entity, (id, system)) = (entity?, place?);
        if let Some(span) = same_names {
            self.same_names(entity, span, &mut fields);
        }
        fields.sort_by_key(|f| f.field);
        let entity_name = self.policy.entity(entity).name.text.clone();
        Some(Map {
            id,
            span: item.span,
            doc: item.doc,
            entity: spanned(map.entity.0, entity),
            system: spanned(map.system.0, system),
            object: object.flatten().map_or(entity_name, |o| o.text),
            object_span: map.object.map(|o| o.0),
            fields,
            same_names,
            cursor,
            changed_at,
            deleted,
            broken,
        })
    }

    fn cursor(
        &mut self,
        clause: Span,
        column: Str,
        overlap: Option<DurationTok>,
    ) -> Option<Said<Cursor>> {
        let overlap = overlap.and_then(|o| self.duration(o));
        let column = self.column(clause, column, "the cursor")?;
        Some(Said {
            clause,
            span: column.span,
            value: Cursor {
                column: column.value,
                overlap,
            },
        })
    }

    /// Every field that is not listed keeps its name.
    fn same_names(&self, entity: EntityId, span: Span, fields: &mut Vec<MappedField>) {
        let all = &self.policy.entity(entity).fields;
        let mut listed = vec![false; all.len()];
        for field in fields.iter() {
            if let Some(listed) = listed.get_mut(field.field as usize) {
                *listed = true;
            }
        }
        fields.reserve_exact(all.len().saturating_sub(fields.len()));
        for (field, _) in all.iter().zip(listed).filter(|(_, listed)| !listed) {
            fields.push(MappedField {
                field: field.id.index,
                same_name: true,
                span,
                column_span: span,
                column: field.name.text.clone(),
                change: None,
            });
        }
    }

    fn column(&mut self, clause: Span, column: Str, what: &str) -> Option<Said<Arc<str>>> {
        let column = self.filled(column, what)?;
        Some(Said {
            clause,
            span: column.span,
            value: column.text,
        })
    }

    /// A mapped field; `Err`: it stands there twice; `None`: it is unknown or has no column.
    fn mapped(
        &mut self,
        entity: Option<EntityId>,
        clause: Span,
        map: &'a MapField,
        others: &[MappedField],
    ) -> Option<Result<MappedField, ()>> {
        let field = self.field_ref(entity, map.field).id;
        if let Some(first) = field.and_then(|f| others.iter().find(|o| o.field == f.index)) {
            let first = first.span;
            self.report(duplicate(Twice {
                what: "entry",
                name: self.text(map.field.0),
                first,
                later: map.field.0,
                help: Some("map the field once".to_owned()),
                same: self.repetition(first, clause),
            }));
            return Some(Err(()));
        }
        let column = self.filled(map.column, "the column");
        let change = self.change(field, map);
        let (field, column) = (field?, column?);
        Some(Ok(MappedField {
            field: field.index,
            same_name: false,
            span: clause,
            column_span: column.span,
            column: column.text,
            change: change.map(Box::new),
        }))
    }

    fn change(&mut self, field: Option<FieldId>, map: &'a MapField) -> Option<Change> {
        if map.parts.is_empty() {
            return None;
        }
        let declared = field.map(|id| {
            let field = self.policy.field(id);
            (field.ty.clone(), field.type_span, field.name.clone())
        });
        let ty = declared.as_ref().and_then(|(ty, ..)| ty.as_ref());
        let has_values = map.parts.iter().any(|p| matches!(p, MapPart::Values(..)));
        let mut change = Change::default();
        let mut first: [Option<Span>; 3] = [None; 3];
        for part in &map.parts {
            let (slot, word, place) = match part {
                MapPart::Values(span, _) => (0, "values", *span),
                MapPart::Read(span, _) => (1, "read", *span),
                MapPart::Write(span, _) => (2, "write", *span),
            };
            if let Some(first) = first.get(slot).copied().flatten() {
                self.report(duplicate(Twice {
                    what: "clause",
                    name: word,
                    first,
                    later: place,
                    help: None,
                    same: None,
                }));
                continue;
            }
            if let Some(first) = first.get_mut(slot) {
                *first = Some(place);
            }
            match part {
                MapPart::Values(span, pairs) => {
                    self.values_fit(*span, declared.as_ref());
                    change.values = Some(self.values(*span, pairs));
                }
                MapPart::Read(_, expr) => {
                    // What `read` gives goes through `values` first, which take strings.
                    let raw = Type::Text { max: None };
                    let want = match (&declared, ty) {
                        (Some((_, at, _)), Some(_)) if has_values => Want::Type(&raw, *at),
                        (Some((_, at, _)), Some(ty)) => Want::Type(ty, *at),
                        _ => Want::Anything,
                    };
                    let names = Names::Value(&Kind::Any);
                    change.read = Some(self.expression(*expr, names, "`read`", want));
                }
                MapPart::Write(_, expr) => {
                    let kind = match ty {
                        Some(_) if has_values => Kind::Text,
                        Some(ty) => Kind::of(ty),
                        None => Kind::Any,
                    };
                    let names = Names::Value(&kind);
                    change.write = Some(self.expression(*expr, names, "`write`", Want::Anything));
                }
            }
        }
        Some(change)
    }

    /// `values` need an enum.
    fn values_fit(&mut self, at: Span, declared: Option<&(Option<Type>, Span, Ident)>) {
        if let Some((Some(ty), type_span, name)) = declared
            && !matches!(ty, Type::Enum { .. })
        {
            let keyword = Span::new(
                at.file,
                at.start as usize,
                at.start as usize + "values".len(),
            );
            let message = format!("`{name}` is {}, which has no `values`", with_article(ty));
            let help = "use `read` and `write` for a field that is no enum";
            let why = "its type is declared here".to_owned();
            self.bad_because(keyword, message, help, (*type_span, why));
        }
    }

    fn values(&mut self, span: Span, pairs: &[(Name, Str)]) -> Values {
        let mut read: Vec<(Ident, Ident)> = Vec::with_capacity(pairs.len());
        for (name, raw) in pairs {
            let name = self.ident(*name);
            if let Some((first, _)) = read.iter().find(|(n, _)| n.text == name.text) {
                self.report(duplicate(Twice {
                    what: "entry",
                    name: &name.text,
                    first: first.span,
                    later: name.span,
                    help: None,
                    same: None,
                }));
                continue;
            }
            if let Some(raw) = self.string(*raw) {
                read.push((name, raw));
            }
        }
        Values { span, pairs: read }
    }
}

fn spanned<T>(span: Span, value: T) -> Spanned<T> {
    Spanned { span, value }
}

fn with_article(ty: &Type) -> String {
    let name = ty.describe();
    match name.as_str() {
        "int" | "email" => format!("an {name}"),
        _ if name.starts_with("int") => format!("an {name}"),
        _ => format!("a {name}"),
    }
}
