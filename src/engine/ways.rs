//! On which ways a field comes to a system that passes it on.
//!
//! The runner knows what an origin says long before a relay holds it, and a relay passes on what is
//! known. But a condition on the way to the relay holds records back, and what may not come to the
//! relay may not go on from there either. So a flow out of a relay keeps, for each of its fields,
//! the conditions on the ways by which the field comes there; where one way has none, there is
//! nothing to keep.

use std::sync::Arc;

use super::expression::RecordExpr;
use super::ports::{EntityIx, FieldIx, SystemIx};
use super::program::{EntityProgram, RouteProgram};

/// Conditions that a record has to meet, all of them, to come to a system.
pub type Way = Vec<Arc<RecordExpr>>;

/// Ways of one field that are told apart. More than these are not asked: then the flow's own
/// condition alone decides.
const WAYS_MAX: usize = 32;

/// A field that comes to the sender under conditions only.
#[derive(Debug)]
pub struct Conditional {
    /// The field.
    pub field: FieldIx,
    /// The ways: a record may go on that meets the conditions of one of them.
    pub ways: Vec<Way>,
}

/// The fields of a flow that come to its sender under conditions only, ascending.
pub(super) fn conditional(
    entities: &[EntityProgram],
    routes: &[&RouteProgram],
    route: &RouteProgram,
) -> Vec<Conditional> {
    let Some(entity) = entities.get(usize::from(route.entity)) else {
        return Vec::new();
    };
    let found = route.fields.iter().filter_map(|field| {
        let ground = Ground {
            entity: (route.entity, entity),
            routes,
            field: *field,
        };
        let ways = ground.ways_to(route.from, &mut Vec::new())?;
        let open = ways.is_empty() || ways.iter().any(Vec::is_empty) || ways.len() > WAYS_MAX;
        (!open).then_some(Conditional {
            field: *field,
            ways,
        })
    });
    found.collect()
}

struct Ground<'a> {
    entity: (EntityIx, &'a EntityProgram),
    routes: &'a [&'a RouteProgram],
    field: FieldIx,
}

impl Ground<'_> {
    /// The ways of the field into a system; none: the system is an origin of it, so that whatever
    /// is known of the field may leave from there. `passed`: systems on the way back.
    fn ways_to(&self, system: SystemIx, passed: &mut Vec<SystemIx>) -> Option<Vec<Way>> {
        let field = self.entity.1.fields.get(usize::from(self.field))?;
        if field.derived.is_some() || field.origins.contains(&system) {
            return None;
        }
        if passed.contains(&system) {
            return Some(Vec::new());
        }
        passed.push(system);
        let mut all: Vec<Way> = Vec::new();
        for route in self.routes {
            let brings = route.to == system && route.fields.contains(&self.field);
            if !brings || route.entity != self.entity.0 {
                continue;
            }
            let own = route.filter.clone();
            match self.ways_to(route.from, passed) {
                None => all.push(own.into_iter().collect()),
                Some(ways) => all.extend(ways.into_iter().map(|mut way| {
                    way.extend(own.clone());
                    way
                })),
            }
            if all.len() > WAYS_MAX {
                break;
            }
        }
        passed.pop();
        Some(all)
    }
}
