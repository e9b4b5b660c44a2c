//! `sync` clauses.

use super::Lowering;
use super::expression::Names;
use crate::model::{Carried, Sync};
use crate::syntax::tree;
use crate::text::Span;

impl<'a> Lowering<'a> {
    pub(super) fn sync(&mut self, clause: Span, sync: &'a tree::Sync) -> Sync {
        let entity = self.entity_ref(sync.entity);
        let carried = match &sync.carried {
            tree::Carried::All(span) => Carried::All(*span),
            tree::Carried::Fields(names) => {
                let names = self.each_once(names);
                let fields = names.into_iter().map(|n| self.field_ref(entity.id, n));
                Carried::Fields(fields.collect())
            }
        };
        let (sources, targets, between) = match &sync.ends {
            tree::Ends::FromTo(from, to) => (self.system_refs(from), self.system_refs(to), false),
            tree::Ends::Between(systems) => {
                let refs = self.system_refs(systems);
                (refs.clone(), refs, true)
            }
        };
        let written = match &sync.ends {
            tree::Ends::FromTo(from, to) => from.len() + to.len(),
            tree::Ends::Between(systems) => systems.len() * 2,
        };
        let mut pairs = sources
            .iter()
            .flat_map(|s| targets.iter().map(move |t| (s, t)));
        let goes_nowhere = !pairs.any(|(s, t)| s.id.is_none() || t.id.is_none() || s.id != t.id);
        // Where a system was named twice, that was said, and mending it mends this too.
        if goes_nowhere
            && written == sources.len() + targets.len()
            && let Some(only) = targets.last()
        {
            let name = self.text(only.span);
            let message = format!("nothing travels from `{name}` to `{name}`");
            self.bad(only.span, message, "name another system to receive it");
        }
        let record = self.text(sync.entity.0);
        let names = Names::Record(record, entity.id);
        Sync {
            clause,
            entity,
            carried,
            sources,
            targets,
            between,
            filter: sync.filter.as_ref().map(|f| self.filter(f, names)),
        }
    }
}
