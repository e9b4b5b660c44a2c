//! `entity` and `extend entity` items.

use std::collections::HashMap;

use super::Lowering;
use super::clauses::Read;
use super::items::{Items, Of};
use super::names::Kind;
use crate::finding::{Edit, Grade};
use crate::model::report::{Bad, Missing, bad_value, missing};
use crate::model::{
    Accepts, Entity, EntityId, Field, FieldId, Fresh, Ident, Said, Spanned, SystemId, Volume,
};
use crate::syntax::tree::{self, Block, EntityClause, EntityVolume, FieldDecl, Name};
use crate::text::{Span, nearest};

/// A field's declaration that has still to be read.
pub(super) struct Declared<'a> {
    pub(super) field: FieldId,
    pub(super) decl: &'a FieldDecl,
    /// The whole `field` clause.
    pub(super) span: Span,
    /// The item it stands in.
    pub(super) item: Span,
    /// Whether that item is `entity`, not `extend entity`.
    pub(super) own: bool,
    /// Whether the name was declared before.
    pub(super) again: bool,
}

impl<'a> Lowering<'a> {
    pub(super) fn entity_items(&mut self, items: &Items<'a>) {
        let mut declared = Vec::new();
        let mut clauses = Vec::new();
        for (item, block) in &items.entities {
            let id = EntityId(self.policy.entities.len() as u32);
            let named = self
                .policy
                .index
                .entities
                .get(self.spelt(block.name.0))
                .copied();
            if named != Some(id) {
                // A second of one name (SL0002) is not read; the names in it are no unknown ones.
                self.broken_clause(item.span);
                continue;
            }
            let mut read = self.read_clauses(&block.clauses, &["field", "allow"], |_| None);
            self.note_cut(item, &mut read);
            self.unnamed_fields(id, &block.clauses);
            let entity = Entity {
                id,
                name: self.ident(block.name),
                doc: item.doc,
                span: item.span,
                key: None,
                volume: None,
                owner: None,
                accepts: None,
                resolve: None,
                fresh: None,
                classes: None,
                fields: Vec::new(),
                // A field that cannot be read says nothing of its siblings.
                broken: read.is_broken_beside(&["field", "allow"]),
            };
            self.policy.entities.push(entity);
            self.policy.index.fields.push(HashMap::new());
            self.declare_fields(id, item.span, true, &read, &mut declared);
            clauses.push((id, *block, read));
        }
        for extend in &items.extends {
            self.extend(extend, &mut declared);
        }
        for (id, block, read) in clauses {
            self.entity_clauses(id, block, read);
        }
        self.fields(declared);
    }

    fn extend(
        &mut self,
        (item, block): &Of<'a, Block<EntityClause>>,
        declared: &mut Vec<Declared<'a>>,
    ) {
        let mut read = self.read_clauses(&block.clauses, &["field", "allow"], |_| None);
        self.note_cut(item, &mut read);
        let entity = self.entity_ref(block.name);
        let Some(id) = entity.id else { return };
        self.unnamed_fields(id, &block.clauses);
        self.declare_fields(id, item.span, false, &read, declared);
        if let Some(entity) = self.policy.entities.get_mut(id.index()) {
            entity.broken |= read.is_broken_beside(&["field", "allow"]);
        }
    }

    /// Gives each field its place in the entity.
    fn declare_fields(
        &mut self,
        id: EntityId,
        item: Span,
        own: bool,
        read: &Read<'a, EntityClause>,
        declared: &mut Vec<Declared<'a>>,
    ) {
        for (clause, kind) in &read.clauses {
            let EntityClause::Field(decl) = kind else {
                continue;
            };
            let name = self.ident(decl.name);
            let Some(index) = self.policy.index.fields.get_mut(id.index()) else {
                continue;
            };
            let next = index.len() as u32;
            let at = *index.entry(name.text.clone()).or_insert(next);
            let field = FieldId {
                entity: id,
                index: at,
            };
            declared.push(Declared {
                field,
                decl,
                span: clause.span,
                item,
                own,
                again: at != next,
            });
            if at == next {
                let field = self.blank(field, name, clause.span, decl);
                if let Some(entity) = self.policy.entities.get_mut(id.index()) {
                    entity.fields.push(field);
                }
            }
        }
    }

    fn blank(&mut self, id: FieldId, name: Ident, span: Span, decl: &FieldDecl) -> Field {
        Field {
            id,
            name,
            doc: decl.doc,
            span,
            type_span: decl.ty.span,
            ty: self.type_of(&decl.ty),
            optional: decl.ty.optional,
            is_key: false,
            owner: None,
            accepts: None,
            resolve: None,
            fresh: None,
            classes: None,
            changes: None,
            derived: None,
            declared: Vec::new(),
            broken: false,
        }
    }

    fn entity_clauses(
        &mut self,
        id: EntityId,
        block: &'a Block<EntityClause>,
        read: Read<'a, EntityClause>,
    ) {
        let mut has_key = read.is_broken_beside(&["field", "allow"]);
        // Worked on apart, so that names can be looked up in the policy meanwhile.
        let entity = self.policy.entity(id);
        let (name, item) = (entity.name.clone(), entity.span);
        let mut done = entity.clone_head();
        for (clause, kind) in read.clauses {
            match kind {
                EntityClause::Key(names) => {
                    has_key = true;
                    done.key = Some(self.key(id, clause.span, names));
                }
                EntityClause::Volume(volume) => done.volume = self.volume(clause.span, volume),
                EntityClause::Owner(name) => done.owner = Some(self.owner(clause.span, *name)),
                EntityClause::Accepts(accepts) => {
                    done.accepts = Some(self.accepts(clause.span, accepts));
                }
                EntityClause::Resolve(rule) => {
                    done.resolve = Some(Said {
                        clause: clause.span,
                        span: rule.span,
                        value: rule.value,
                    });
                }
                EntityClause::Fresh(fresh) => done.fresh = Some(self.fresh(clause.span, fresh)),
                EntityClause::Class(names) => {
                    done.classes = Some(self.class_clause(clause.span, names));
                }
                EntityClause::Field(_) => {}
                EntityClause::Allow(allow) => self.allow(allow, Some(item)),
            }
        }
        if !has_key {
            let mut finding = missing(Missing::Key, &name.text, block.name.0);
            let first = self.policy.entity(id).fields.first();
            if let Some(first) = first.map(|f| f.name.text.clone())
                && let Some(edit) = self.first_clause(block.name.0, &format!("key {first}"))
            {
                let title = format!("tell records apart by `{first}`");
                finding = finding.fix(title, Grade::Review, vec![edit]);
            }
            self.report(finding);
        }
        if let Some(entity) = self.policy.entities.get_mut(id.index()) {
            let fields = std::mem::take(&mut entity.fields);
            let broken = entity.broken;
            *entity = Entity {
                fields,
                broken,
                ..done
            };
            let key: Vec<u32> = entity
                .key
                .iter()
                .flat_map(|k| &k.value)
                .map(|k| k.value)
                .collect();
            for index in key {
                if let Some(field) = entity.fields.get_mut(index as usize) {
                    field.is_key = true;
                }
            }
        }
    }

    /// Adds a clause where the block after a name begins.
    fn first_clause(&self, name: Span, clause: &str) -> Option<Edit> {
        let text = &self.sources.file(name.file).text;
        let rest = text.get(name.end as usize..)?;
        let brace = rest.len() - rest.trim_start().strip_prefix('{')?.len();
        let at = name.end as usize + brace;
        let line = text.get(at..)?.split('\n').next().unwrap_or_default();
        let text = match line.trim().is_empty() {
            true => format!("\n  {clause}"),
            false => format!(" {clause} "),
        };
        Some(Edit {
            span: Span::point(name.file, at),
            text,
        })
    }

    fn key(&mut self, id: EntityId, clause: Span, names: &[Name]) -> Said<Vec<Spanned<u32>>> {
        let mut key = Vec::new();
        for name in self.each_once(names) {
            let text = self.text(name.0);
            match self.policy.field_named(id, text) {
                Some(field) => key.push(Spanned {
                    span: name.0,
                    value: field.index,
                }),
                None if self.may_be_declared(Kind::Field(id), text) => {}
                None => {
                    self.missed(Kind::Field(id), name.0);
                    let entity = self.policy.entity(id).name.text.clone();
                    let known = self.field_places(id);
                    let meant = nearest(text, known.iter().map(|(n, _)| &**n));
                    let help = match meant {
                        Some(meant) => format!("write `{meant}`"),
                        None => {
                            format!("declare it in `entity {entity}` with `field {text}: TYPE`")
                        }
                    };
                    let message = format!("the key `{text}` is no field of `{entity}`");
                    let place = meant.and_then(|m| known.iter().find(|(n, _)| **n == *m));
                    self.report(bad_value(Bad {
                        at: name.0,
                        message,
                        help: &help,
                        because: place.map(|(n, at)| (*at, format!("`{n}` is declared here"))),
                        mend: meant.map(|meant| {
                            let edit = Edit {
                                span: name.0,
                                text: meant.to_owned(),
                            };
                            (format!("write `{meant}`"), Grade::Safe, vec![edit])
                        }),
                    }));
                }
            }
        }
        let span = match (names.first(), names.last()) {
            (Some(first), Some(last)) => first.0.to(last.0),
            _ => clause,
        };
        Said {
            clause,
            span,
            value: key,
        }
    }

    fn volume(&mut self, clause: Span, volume: &EntityVolume) -> Option<Said<Volume>> {
        let records = self.positive(volume.records, "the number of records");
        let changes = self.rate(volume.changes);
        let peak = volume.peak.map(|peak| self.multiple(peak));
        let span = volume
            .records
            .0
            .to(volume.peak.map_or(volume.changes.0, |p| p.0));
        Some(Said {
            clause,
            span,
            value: Volume {
                records: records?,
                changes: changes?,
                peak: peak.flatten(),
            },
        })
    }

    pub(super) fn owner(&mut self, clause: Span, name: Name) -> Said<Option<SystemId>> {
        let system = self.system_ref(name);
        Said {
            clause,
            span: name.0,
            value: system.id,
        }
    }

    pub(super) fn accepts(&mut self, clause: Span, accepts: &tree::Accepts) -> Said<Accepts> {
        match accepts {
            tree::Accepts::None(span) => Said {
                clause,
                span: *span,
                value: Accepts {
                    systems: Vec::new(),
                    unknown: false,
                },
            },
            tree::Accepts::Systems(names) => {
                let refs = self.system_refs(names);
                let systems = refs.iter().filter_map(|r| {
                    r.id.map(|value| Spanned {
                        span: r.span,
                        value,
                    })
                });
                Said {
                    clause,
                    span: span_of(names).unwrap_or(clause),
                    value: Accepts {
                        systems: systems.collect(),
                        unknown: refs.iter().any(|r| r.id.is_none()),
                    },
                }
            }
        }
    }

    pub(super) fn fresh(&mut self, clause: Span, fresh: &tree::Fresh) -> Said<Fresh> {
        let within = self.lasting(fresh.within, "a freshness bound");
        let systems = match fresh.systems.is_empty() {
            true => None,
            false => Some(self.system_refs(&fresh.systems)),
        };
        Said {
            clause,
            span: fresh.within.0,
            value: Fresh {
                within: within.map(|w| w.value),
                span: fresh.within.0,
                systems,
            },
        }
    }

    pub(super) fn class_clause(&mut self, clause: Span, names: &[Name]) -> Said<Vec<Ident>> {
        let classes: Vec<Ident> = self
            .each_once(names)
            .into_iter()
            .map(|n| self.ident(n))
            .collect();
        for class in &classes {
            if self.class_names.insert(class.text.clone()) {
                self.classes.push(class.clone());
            }
        }
        Said {
            clause,
            span: span_of(names).unwrap_or(clause),
            value: classes,
        }
    }
}

impl Entity {
    /// The entity without its fields.
    fn clone_head(&self) -> Entity {
        Entity {
            id: self.id,
            name: self.name.clone(),
            doc: self.doc,
            span: self.span,
            key: None,
            volume: None,
            owner: None,
            accepts: None,
            resolve: None,
            fresh: None,
            classes: None,
            fields: Vec::new(),
            broken: self.broken,
        }
    }
}

fn span_of(names: &[Name]) -> Option<Span> {
    Some(names.first()?.0.to(names.last()?.0))
}
