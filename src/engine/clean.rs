//! What looks at staged records of a run besides its routes: a clean, and the guards of a
//! checkpoint.

use super::batch::ActiveRun;
use super::books::{load, put};
use super::chunk::{Batches, CHUNK};
use super::evaluate::absorb;
use super::merge::report_of;
use super::outbox::idempotency_key;
use super::ports::{FieldIx, Idempotency, Staged, Stored, Write};
use super::program::EntityProgram;
use super::register::{Gone, Register};
use super::resolve::shown;
use super::runner::{Runner, damaged};
use super::stage::{Payload, kept, percent};
use crate::value::Value;

impl Runner<'_> {
    /// A clean: of each group of records one stays, the others are deleted where they stand.
    pub(super) fn clean_chunk(
        &mut self,
        run: &mut ActiveRun,
        rows: &[Staged],
        batches: &mut Batches,
    ) -> Stored<()> {
        let program = self.program;
        let plan = &program.plan.scenarios[run.scenario as usize];
        let scenario = &program.scenarios[run.scenario as usize];
        let Some(source) = scenario.reads.first().copied() else {
            return Ok(());
        };
        let checkpoint = plan.checkpoint.as_ref();
        let Some(keep) = checkpoint.and_then(|c| c.dedupe.as_ref()).map(|d| d.keep) else {
            return Ok(());
        };
        let names = &program.entities[source.entity as usize];
        for group in rows.chunk_by(|a, b| a.key == b.key && !a.group.is_empty()) {
            if group.len() < 2 {
                continue;
            }
            let stays = kept(group, keep, None);
            let staying: Payload = postcard::from_bytes(&group[stays].payload).map_err(damaged)?;
            for (i, row) in group.iter().enumerate() {
                if i == stays {
                    continue;
                }
                let payload: Payload = postcard::from_bytes(&row.payload).map_err(damaged)?;
                run.record.counts.deduplicated += 1;
                self.tally(run.scenario).counts.deduplicated += 1;
                if payload.key != staying.key {
                    self.note_cleaned(source, &payload.key)?;
                } else if payload.locator.is_none() {
                    // By its key alone the system would take the one that stays for it.
                    continue;
                }
                let locator = payload.locator.clone().unwrap_or_default();
                batches.entry(source.map).or_default().push(Write {
                    idempotency: Idempotency::Key(idempotency_key(
                        &plan.name,
                        &names.name,
                        &format!("{}#{locator}", payload.key),
                        run.record.id as u64,
                        program.system_name(source.system),
                    )),
                    key: payload.key,
                    native_key: payload.native_key,
                    locator: payload.locator,
                    fields: Vec::new(),
                    delete: true,
                });
            }
        }
        Ok(())
    }

    /// A record with a key of its own that a clean deletes is gone from the cleaned system.
    fn note_cleaned(&mut self, source: super::program::Source, key: &str) -> Stored<()> {
        let program = self.program;
        let now = self.world.now().0.saturating_mul(1_000);
        let mut register = self.register(source.entity, key)?;
        if register.view(source.system).is_none() {
            return Ok(());
        }
        let at = now.max(register.last_had(source.system));
        let view = register.view_mut(source.system);
        view.known.clear();
        view.gone = Some(Gone {
            at,
            sent: Some(now),
        });
        let names = &program.entities[source.entity as usize];
        put(names, &mut *self.store, key, &mut register).map(drop)
    }

    /// Counts, before the first write, on how many records each guarded field would change.
    pub(super) fn guard(&mut self, run: &mut ActiveRun) -> Stored<Option<String>> {
        let program = self.program;
        let scenario = &program.scenarios[run.scenario as usize];
        let guards = &scenario.guard;
        let Some(entity) = scenario.checked else {
            return Ok(None);
        };
        let names = &program.entities[entity as usize];
        let mut carried = 0u64;
        let mut changes = vec![0u64; guards.len()];
        let mut after: Option<String> = None;
        loop {
            let rows = self
                .store
                .stage_after(run.record.id, after.as_deref(), CHUNK)?;
            let Some(last) = rows.last().map(|r| r.key.to_string()) else {
                break;
            };
            for group in rows.chunk_by(|a, b| a.key == b.key) {
                let before = load(program, &mut *self.store, entity, &group[0].key)?;
                let mut register = before.clone();
                let mut any = false;
                for row in group {
                    let payload: Payload = postcard::from_bytes(&row.payload).map_err(damaged)?;
                    if payload.entity != entity || payload.present_only {
                        continue;
                    }
                    any = true;
                    let settled = self.settled(run, row.system);
                    let read = self.overrules(&register, row.system, &payload, settled)?;
                    absorb(
                        names,
                        &mut register,
                        &report_of(&run.stamp, row.system, &payload, read),
                    );
                }
                carried += u64::from(any);
                for (i, (field, _)) in guards.iter().enumerate() {
                    let was = seen(names, &before, *field);
                    changes[i] += u64::from(was.is_some() && was != seen(names, &register, *field));
                }
            }
            after = Some(last);
        }
        let tripped = guards
            .iter()
            .zip(&changes)
            .find(|((_, over), changed)| **changed as f64 > over * carried as f64);
        Ok(tripped.map(|((field, over), changed)| {
            format!(
                "the run would change `{}.{}` on {changed} of {carried} records, over the {} that `guard` allows",
                names.name,
                names.fields[*field as usize].name,
                percent(*over)
            )
        }))
    }
}

fn seen(entity: &EntityProgram, register: &Register, field: FieldIx) -> Option<Value> {
    let program = entity.fields.get(field as usize)?;
    shown(program.rule, register.field(field)?).value().cloned()
}
