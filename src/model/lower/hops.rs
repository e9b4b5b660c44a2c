//! From `sync` clauses to hops: every ordered pair of systems, with what it carries.

use std::sync::Arc;

use super::Lowering;
use crate::model::{
    Carried, EntityId, Field, FieldId, Hop, Map, Policy, Scenario, Spanned, Sync, SystemId,
};

impl Lowering<'_> {
    pub(super) fn hops(&mut self, scenario: &mut Scenario) {
        let mut hops = Vec::new();
        for (index, sync) in scenario.syncs.iter().enumerate() {
            let Some(entity) = sync.entity.id else {
                continue;
            };
            let named = named_fields(&self.policy, sync);
            for from in &sync.sources {
                for to in &sync.targets {
                    let (Some(a), Some(b)) = (from.id, to.id) else {
                        continue;
                    };
                    if a == b {
                        continue;
                    }
                    let fields = match &named {
                        Some(fields) => fields.clone(),
                        None => all_fields(&self.policy, entity, a, b),
                    };
                    hops.push(Hop {
                        sync: index as u32,
                        entity,
                        from: Spanned {
                            span: from.span,
                            value: a,
                        },
                        to: Spanned {
                            span: to.span,
                            value: b,
                        },
                        fields,
                    });
                }
            }
        }
        scenario.hops = hops;
    }
}

/// The fields that a clause names, keys left out; `None` for `*`.
fn named_fields(policy: &Policy, sync: &Sync) -> Option<Arc<[FieldId]>> {
    match &sync.carried {
        Carried::All(_) => None,
        Carried::Fields(fields) => {
            let mut fields: Vec<FieldId> = fields
                .iter()
                .filter_map(|f| f.id)
                .filter(|id| !policy.field(*id).is_key)
                .collect();
            fields.sort_unstable();
            Some(fields.into())
        }
    }
}

/// What `*` is from one system to another.
fn all_fields(policy: &Policy, entity: EntityId, from: SystemId, to: SystemId) -> Arc<[FieldId]> {
    let (Some(source), Some(target)) = (policy.map_for(entity, from), policy.map_for(entity, to))
    else {
        return Arc::from([]);
    };
    let fields = target.fields.iter().map(|m| FieldId {
        entity,
        index: m.field,
    });
    fields
        .filter(|id| {
            let field = policy.field(*id);
            if field.is_key {
                return false;
            }
            if field.derived.is_some() {
                return inputs_mapped(policy, field, source, &mut Vec::new());
            }
            source.has(id.index) && (field.owner() != Some(to) || field.is_origin(from))
        })
        .collect()
}

/// Whether a map has everything that a derived field is computed from, other derived fields
/// traced to what they are computed from.
fn inputs_mapped(policy: &Policy, field: &Field, source: &Map, seen: &mut Vec<FieldId>) -> bool {
    let Some(derived) = &field.derived else {
        return source.has(field.id.index);
    };
    // A circle is reported elsewhere; what cannot be read is carried by nobody.
    if seen.contains(&field.id) || derived.expr.program.is_none() {
        return false;
    }
    seen.push(field.id);
    let fits = derived
        .expr
        .fields()
        .into_iter()
        .all(|input| inputs_mapped(policy, policy.field(input), source, seen));
    seen.pop();
    fits
}
