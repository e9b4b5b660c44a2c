//! The stage of a run: what is kept of each record read, and the checkpoint's conditions that it is
//! held to on its way in.

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::batch::ActiveRun;
use super::cause::{with_words, without_values};
use super::evaluate::change_time;
use super::owed::key_values;
use super::ports::{EntityIx, FieldIx, Quarantined, Row, ScenarioIx, Staged, key_text};
use super::program::{EntityProgram, Program, RequireProgram, Source};
use super::runner::Runner;
use crate::plan::Keep;
use crate::value::Value;

/// A staged record beside its place in the order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// What it is a record of: rows of several entities may share a key.
    pub entity: EntityIx,
    /// The record's own key (in a clean run rows are staged by what they are deduplicated by).
    pub key: CompactString,
    pub native_key: Option<String>,
    pub locator: Option<String>,
    /// Change time, settled when it was staged so that a resumed run finds the same one.
    pub at: i64,
    /// Whether the time is the system's own.
    pub timed: bool,
    pub deleted: bool,
    /// Says no more than that the source has the record: it was kept back, or may be dropped as a
    /// repeat, and must not be taken for one that is gone.
    pub present_only: bool,
    pub fields: Vec<(FieldIx, Value)>,
}

impl Payload {
    /// What is kept of a row whose change time is settled, and may have been clamped.
    pub fn of(
        entity: EntityIx,
        row: Row,
        (at, clamped): (i64, bool),
        absorbed: &[FieldIx],
    ) -> Self {
        Payload {
            entity,
            at,
            timed: row.changed_at.is_some() && !clamped,
            key: row.key,
            native_key: row.native_key,
            locator: row.locator,
            deleted: row.deleted,
            present_only: false,
            fields: taken(row.fields, absorbed),
        }
    }
}

/// What became of a page.
#[derive(Default)]
pub(super) struct Sifted {
    pub staged: Vec<Staged>,
    pub kept_back: Vec<Quarantined>,
    /// Of what is staged, how much only says that there is a record.
    pub markers: usize,
    /// Records whose change time lay too far in the future.
    pub clamped: u64,
    /// Why the run has to stop.
    pub abort: Option<String>,
}

impl Runner<'_> {
    /// Holds each record of a page to the checkpoint's conditions.
    pub(super) fn sift(&mut self, run: &mut ActiveRun, source: Source, rows: Vec<Row>) -> Sifted {
        let program = self.program;
        let scenario = &program.scenarios[run.scenario as usize];
        let plan = &program.plan.scenarios[run.scenario as usize];
        let entity = &program.entities[source.entity as usize];
        let absorbed = absorbed_fields(program, (run.scenario, run.reconcile), source);
        let arrival = self.world.now().0.saturating_mul(1_000);
        let input = scenario.reads.contains(&source);
        let checked = self.held_to_checkpoint(run, source);
        let tracks = run.tracks_presence(plan);
        let mut out = Sifted::default();
        for row in rows {
            run.record.counts.read += 1;
            let failed = match (&row.problem, row.deleted) {
                (Some(problem), _) => Some((problem.clone(), false)),
                (None, true) => None,
                (None, false) if !checked => None,
                (None, false) => unmet(&scenario.require, source.entity, entity, &row),
            };
            let (at, clamped) = change_time(row.changed_at, arrival);
            if let Some((reason, fatal)) = failed {
                run.record.counts.quarantined += u64::from(checked);
                if fatal && out.abort.is_none() {
                    let told = without_values(&reason);
                    let said = if told == reason { "" } else { &*reason };
                    let said = format!("record `{}`: {said}", row.key);
                    out.abort = Some(with_words(
                        &format!("a record stops it: {told}"),
                        said.trim_end_matches(": "),
                    ));
                }
                if tracks {
                    out.markers += 1;
                    out.staged.push(marker(run, source, row.key.clone()));
                }
                out.kept_back.push(Quarantined {
                    run: run.record.id,
                    scenario: plan.name.clone(),
                    system: program.system_name(source.system).to_owned(),
                    entity: entity.name.clone(),
                    record: row.raw.clone().unwrap_or_else(|| shown_row(entity, &row)),
                    key: row.key.into(),
                    reason,
                });
                continue;
            }
            out.clamped += u64::from(clamped);
            let group = match input {
                true => self.group_of(run, source, &row),
                false => CompactString::default(),
            };
            if tracks && !group.is_empty() {
                out.markers += 1;
                out.staged.push(marker(run, source, row.key.clone()));
            }
            let order = row.changed_at.map_or(i64::MIN, |_| at);
            let payload = Payload::of(source.entity, row, (at, clamped), &absorbed);
            let clean = plan.clean.is_some();
            out.staged
                .push(stage(run, source, payload, (group, order), clean));
        }
        out
    }

    /// See [`held_to_checkpoint`].
    pub(super) fn held_to_checkpoint(&self, run: &ActiveRun, source: Source) -> bool {
        held_to_checkpoint(self.program, (run.scenario, run.reconcile), source)
    }

    /// What a record is deduplicated by; empty: it is like no other.
    ///
    /// Records of two systems with one key are one record seen twice, which the resolve rules
    /// bring together: repeats are looked for within each system, but for `keep owner`, which
    /// chooses between systems.
    fn group_of(&self, run: &ActiveRun, source: Source, row: &Row) -> CompactString {
        let scenario = &self.program.scenarios[run.scenario as usize];
        let plan = &self.program.plan.scenarios[run.scenario as usize];
        let by = &scenario.dedupe;
        if by.is_empty() || scenario.checked != Some(source.entity) || row.deleted {
            return CompactString::default();
        }
        let entity = &self.program.entities[source.entity as usize];
        let mut group = if *by == entity.keys {
            row.key.clone()
        } else {
            let key = key_values(entity, &row.key);
            let held = |f: &FieldIx| {
                let mut all = row.fields.iter().chain(&key);
                all.find(|(ix, _)| ix == f).map(|(_, v)| v)
            };
            let values: Vec<&Value> = by.iter().filter_map(held).collect();
            if values.len() < by.len() || values.iter().any(|v| v.is_null()) {
                return CompactString::default();
            }
            key_text(values).into()
        };
        let keep = plan.checkpoint.as_ref().and_then(|c| c.dedupe.as_ref());
        let by_owner = keep.is_some_and(|d| d.keep == Keep::Owner);
        if !by_owner && plan.clean.is_none() && scenario.reads.len() > 1 {
            group.push('\u{1f}');
            group.push_str(self.program.system_name(source.system));
        }
        group
    }
}

/// Whether the checkpoint of a scenario's run speaks of a source's records; `of`: the scenario, and
/// whether it is a hybrid's reconcile. What is only read for comparison is nobody's input; but what
/// an origin says of a field that is carried goes on to the others.
pub(super) fn held_to_checkpoint(
    program: &Program,
    of: (ScenarioIx, bool),
    source: Source,
) -> bool {
    let fields = &program.entities[source.entity as usize].fields;
    let speaks = |f: &FieldIx| {
        let field = fields.get(usize::from(*f));
        field.is_some_and(|f| f.origins.contains(&source.system))
    };
    let input = program.scenarios[of.0 as usize].reads.contains(&source);
    input || absorbed_fields(program, of, source).iter().any(speaks)
}

/// The fields of a source that the routes of a scenario's run take over; `reconcile`: whether it is
/// a hybrid's.
pub(super) fn absorbed_fields(
    program: &Program,
    (scenario, reconcile): (ScenarioIx, bool),
    source: Source,
) -> Vec<FieldIx> {
    let scenario = &program.scenarios[scenario as usize];
    let mut fields: Vec<FieldIx> = Vec::new();
    for route in scenario.routes.iter().filter(|r| r.entity == source.entity) {
        if route.from == source.system {
            fields.extend(&route.absorbs);
        }
        if route.to == source.system && reconcile {
            fields.extend(&route.fields);
        }
    }
    if scenario.checked == Some(source.entity) {
        fields.extend(&scenario.dedupe);
    }
    fields.sort_unstable();
    fields.dedup();
    fields
}

/// The first condition that a record does not meet: why, and whether that aborts the run.
pub(super) fn unmet(
    require: &[RequireProgram],
    ix: EntityIx,
    entity: &EntityProgram,
    row: &Row,
) -> Option<(String, bool)> {
    let mut require = require.iter().filter(|r| r.entity == ix).peekable();
    require.peek()?;
    let key = key_values(entity, &row.key);
    let lookup = |field: FieldIx| {
        let held = row.fields.iter().chain(&key).find(|(ix, _)| *ix == field);
        held.map(|(_, v)| v.clone())
    };
    require.find_map(|r| match r.holds.truth(&lookup) {
        Ok(true) => None,
        Ok(false) => Some((format!("does not hold: {}", r.holds.text()), r.abort)),
        Err(error) => Some((
            format!("{} cannot be told: {error}", r.holds.text()),
            r.abort,
        )),
    })
}

fn taken(mut fields: Vec<(FieldIx, Value)>, absorbed: &[FieldIx]) -> Vec<(FieldIx, Value)> {
    fields.retain(|(f, _)| absorbed.binary_search(f).is_ok());
    fields
}

/// A row that only says that the source has the record; an empty key: one that cannot be read.
fn marker(run: &mut ActiveRun, source: Source, key: CompactString) -> Staged {
    let payload = Payload {
        entity: source.entity,
        key,
        native_key: None,
        locator: None,
        at: i64::MIN,
        timed: false,
        deleted: false,
        present_only: true,
        fields: Vec::new(),
    };
    stage(
        run,
        source,
        payload,
        (CompactString::default(), i64::MIN),
        false,
    )
}

fn stage(
    run: &mut ActiveRun,
    source: Source,
    payload: Payload,
    (group, changed_at): (CompactString, i64),
    clean: bool,
) -> Staged {
    run.staged += 1;
    // A record that cannot be encoded cannot be made: every part has a fixed encoding.
    let encoded = postcard::to_extend(&payload, Vec::with_capacity(160)).unwrap_or_default();
    let key = match clean && !group.is_empty() {
        true => group.clone(),
        false => payload.key,
    };
    Staged {
        key,
        seq: run.staged,
        system: source.system,
        group,
        changed_at,
        payload: encoded,
    }
}

fn shown_row(entity: &EntityProgram, row: &Row) -> String {
    let mut record = serde_json::Map::new();
    for (field, value) in &row.fields {
        if let Some(program) = entity.fields.get(*field as usize) {
            record.insert(program.name.clone(), value.to_json());
        }
    }
    serde_json::Value::Object(record).to_string()
}

/// Which of several staged records of one group stays: index into `rows`.
pub(super) fn kept(rows: &[Staged], keep: Keep, owner: Option<super::ports::SystemIx>) -> usize {
    let newest = |i: &usize| (rows[*i].changed_at, rows[*i].seq);
    let indexes = 0..rows.len();
    let best = match keep {
        Keep::Newest => indexes.max_by_key(newest),
        Keep::Oldest => indexes.min_by_key(newest),
        Keep::Owner => indexes.max_by_key(|i| (Some(rows[*i].system) == owner, newest(i))),
    };
    best.unwrap_or(0)
}

pub(super) fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}
