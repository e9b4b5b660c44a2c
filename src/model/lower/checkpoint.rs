//! `checkpoint` blocks.

use super::Lowering;
use super::expression::{Names, Want};
use crate::model::{Checkpoint, Dedupe, EntityId, Guard, Keep, Require, Said, Scenario, Spanned};
use crate::syntax::tree::{self, CheckpointClause, KeepWord};
use crate::text::Span;

const MANY: &[&str] = &["require", "guard", "allow"];

impl<'a> Lowering<'a> {
    pub(super) fn checkpoint(
        &mut self,
        clause: Span,
        block: &'a tree::Checkpoint,
        scenario: &Scenario,
    ) -> Checkpoint {
        let entity = self.checked_entity(scenario);
        let read = self.read_clauses(&block.clauses, MANY, |_| None);
        let mut checkpoint = Checkpoint {
            clause,
            dedupe: None,
            requires: Vec::new(),
            guards: Vec::new(),
            abort: None,
        };
        for (clause, kind) in read.clauses {
            let at = clause.span;
            match kind {
                CheckpointClause::Dedupe(names, keep) => {
                    checkpoint.dedupe = Some(self.dedupe(at, names, *keep, scenario, entity));
                }
                CheckpointClause::Require(expr, otherwise) => {
                    let record = entity.map(|e| self.policy.entity(e).name.text.clone());
                    let written = self.written_entity(scenario);
                    let names = Names::Record(record.as_deref().unwrap_or(written), entity);
                    let expr = self.expression(*expr, names, "`require`", Want::Bool);
                    checkpoint.requires.push(Require {
                        clause: at,
                        expr,
                        abort: otherwise.value,
                    });
                }
                CheckpointClause::Guard(name, over) => {
                    let field = self.field_ref(entity, *name);
                    let over = self.percent(*over).map(|value| Spanned {
                        span: over.0,
                        value,
                    });
                    checkpoint.guards.push(Guard {
                        clause: at,
                        field,
                        over,
                    });
                }
                CheckpointClause::Abort(over) => {
                    checkpoint.abort = self.percent(*over).map(|value| Said {
                        clause: at,
                        span: over.0,
                        value,
                    });
                }
                CheckpointClause::Allow(allow) => self.allow(allow, Some(block.body)),
            }
        }
        checkpoint
    }

    fn dedupe(
        &mut self,
        clause: Span,
        names: &[tree::Name],
        keep: tree::Word<KeepWord>,
        scenario: &Scenario,
        entity: Option<EntityId>,
    ) -> Dedupe {
        if keep.value == KeepWord::Owner
            && let Some(clean) = &scenario.clean
        {
            let message =
                "`clean` reads one system, so there is no owner's record beside it to keep";
            let help = "write `keep newest` or `keep oldest`";
            let why = (clean.clause, "one system is read here".to_owned());
            self.bad_because(keep.span, message, help, why);
        }
        let names = self.each_once(names);
        Dedupe {
            clause,
            by: names
                .into_iter()
                .map(|n| self.field_ref(entity, n))
                .collect(),
            keep: Spanned {
                span: keep.span,
                value: match keep.value {
                    KeepWord::Newest => Keep::Newest,
                    KeepWord::Oldest => Keep::Oldest,
                    KeepWord::Owner => Keep::Owner,
                },
            },
        }
    }

    /// The entity whose records the checkpoint sees: that of `clean`, else of the first `sync`.
    fn checked_entity(&self, scenario: &Scenario) -> Option<EntityId> {
        match &scenario.clean {
            Some(clean) => clean.entity.id,
            None => scenario.syncs.first().and_then(|s| s.entity.id),
        }
    }

    /// That entity's name as written, for one that is not known.
    fn written_entity(&self, scenario: &Scenario) -> &'a str {
        let at = match &scenario.clean {
            Some(clean) => Some(clean.entity.span),
            None => scenario.syncs.first().map(|s| s.entity.span),
        };
        at.map(|at| self.text(at)).unwrap_or_default()
    }
}
