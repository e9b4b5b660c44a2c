//! What a report does to a record: pure functions over a register. Echoes and repeats end here;
//! what each destination is owed then is worked out in [`super::owed`].

use std::sync::Arc;

use super::handed::HandedOver;
use super::ports::{FieldIx, SystemIx};
use super::program::EntityProgram;
use super::register::{Gone, How, Known, Register, Stamp, View};
use super::resolve::{Rule, Shown, disagree, leaves_out, shown};
use crate::terms::ResolveRule;
use crate::value::Value;

/// How far a change time may lie in the future before it is taken for arrival: 5 minutes, in
/// microseconds. The same allowance is made for a system's clock when its report is compared with
/// the time of a write.
pub const TOLERANCE_US: i64 = 300_000_000;

/// A second in microseconds: some systems tell no finer time.
const SECOND_US: i64 = 1_000_000;

/// The change time of a field that is seen for the first time in a record whose own time `at` the
/// runner's write has moved: it is older than that, nobody knows by how much. It loses to whatever
/// has a time, but for a value that must not be lost and for a rule that asks who was first.
fn unknown_time(entity: &EntityProgram, field: FieldIx, value: &Value, at: i64) -> i64 {
    let rule = entity
        .fields
        .get(field as usize)
        .and_then(|f| f.rule.resolve);
    match rule {
        Some(ResolveRule::AnyTrue) if *value == Value::Bool(true) => at,
        Some(ResolveRule::AllTrue) if *value == Value::Bool(false) => at,
        Some(ResolveRule::FirstWriteWins) => at,
        _ => 0,
    }
}

/// The time of a change and whether it was clamped: its own, or its arrival where it has none or
/// lies too far in the future; microseconds.
pub fn change_time(own: Option<i64>, arrival: i64) -> (i64, bool) {
    match own {
        Some(at) if at > arrival.saturating_add(TOLERANCE_US) => (arrival, true),
        Some(at) => (at, false),
        None => (arrival, false),
    }
}

/// A system's report of a record.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Who reports.
    pub system: SystemIx,
    /// Change time in microseconds (see [`change_time`]).
    pub at: i64,
    /// Whether the time is the system's own, rather than the report's arrival.
    pub timed: bool,
    /// The event or run that told of it.
    pub id: &'a Arc<str>,
    /// The fields shown.
    pub fields: &'a [(FieldIx, Value)],
    /// The key as the system writes it, where that differs.
    pub native_key: Option<&'a str>,
    /// Whether the record is gone.
    pub deleted: bool,
    /// Where the whole record was read, rather than a change told by an event: every write sent
    /// before this time (microseconds) would show in it.
    pub read: Option<i64>,
    /// Of an event: which values that were written there were handed over; `None`: all were.
    pub handed: Option<&'a HandedOver>,
}

impl Report<'_> {
    /// From when on a value that was written may come back as an echo; `None`: it was never handed
    /// over.
    fn echoes_from(&self, field: FieldIx, known: &Known) -> Option<i64> {
        match self.handed {
            Some(handed) => handed.from(field, known),
            None => Some(known.at),
        }
    }
}

/// What a report did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Absorbed {
    /// Whether anything of the register changed.
    pub changed: bool,
    /// Whether a value that the world sees changed, or a record went or came back.
    pub shown_changed: bool,
    /// Fields on which this report and another origin disagree, with the origin whose value
    /// holds.
    pub conflicts: Vec<(FieldIx, Option<SystemIx>)>,
    /// Fields whose reported value lost: the reporting system itself holds another one now.
    pub lost: Vec<FieldIx>,
    /// Fields under `resolve manual` that may have come to be held, or to be held no longer.
    pub manual: Vec<FieldIx>,
}

/// Takes a report into a register.
pub fn absorb(entity: &EntityProgram, register: &mut Register, report: &Report<'_>) -> Absorbed {
    let mut out = Absorbed::default();
    let view = register.view_mut(report.system);
    // A record shown under its canonical key has no other spelling any more.
    if !report.deleted && view.native_key.as_deref() != report.native_key {
        view.native_key = report.native_key.map(str::to_owned);
        out.changed = true;
    }
    if report.deleted {
        absorb_deletion(register, report, &mut out);
        return out;
    }
    let mut at = report.at;
    let mut there = true;
    if let Some(gone) = view.gone {
        let read_later = report
            .read
            .is_some_and(|settled| settled > gone.sent.unwrap_or(gone.at));
        there = match gone.sent {
            _ if read_later => true,
            // What an event tells of the time before the deletion was sent is over.
            Some(sent) => report.read.is_none() && at > sent,
            None => at > gone.at,
        };
        if there {
            view.gone = None;
            out.changed = true;
            out.shown_changed = true;
            // Whatever its own time says, the record came back after it was gone.
            at = at.max(gone.at.saturating_add(1));
        }
    }
    let bumped = report.read.is_some() && report.timed && told_by_own_write(register, report);
    let shown = report.fields.len();
    register
        .fields
        .reserve(shown.saturating_sub(register.fields.len()));
    let known = &mut register.view_mut(report.system).known;
    known.reserve(shown.saturating_sub(known.len()));
    for (field, value) in report.fields {
        let unseen = || {
            let view = register.view(report.system);
            view.is_none_or(|v| v.field(*field).is_none())
        };
        let at = match bumped && unseen() {
            true => unknown_time(entity, *field, value, at),
            false => at,
        };
        if !entity.keys.contains(field) {
            absorb_field(
                entity,
                register,
                report,
                (at, there),
                (*field, value),
                &mut out,
            );
        }
    }
    out
}

/// Whether a record's change time is that of the runner's own write to it.
fn told_by_own_write(register: &Register, report: &Report<'_>) -> bool {
    let known = register
        .view(report.system)
        .into_iter()
        .flat_map(|v| &v.known);
    known.filter(|(_, k)| k.how.written()).any(|(_, k)| {
        let until = k.settled_at().max(k.at.saturating_add(TOLERANCE_US));
        (k.at..=until).contains(&report.at)
    })
}

/// A deletion counts where the system is not known to have had the record later.
fn absorb_deletion(register: &mut Register, report: &Report<'_>, out: &mut Absorbed) {
    let last_had = register.last_had(report.system);
    let view = register.view_mut(report.system);
    let read_later = report.read.is_some_and(|settled| settled > last_had);
    if report.at < last_had && !read_later {
        return;
    }
    let at = report.at.max(last_had);
    match view.gone {
        // The echo of the runner's own deletion.
        Some(Gone { sent: Some(_), .. }) => {}
        Some(gone) if gone.at >= at => {}
        before => {
            view.gone = Some(Gone { at, sent: None });
            view.known.clear();
            out.changed = true;
            out.shown_changed |= before.is_none();
        }
    }
}

/// How a report of a field stands to what the system is known to hold.
struct Standing {
    /// The same value.
    same: bool,
    /// The value that the runner wrote there comes back.
    echo: bool,
    /// It tells of a time before a write, or before a later report.
    stale: bool,
    /// It tells of a time before the write of which it may be an echo.
    before: bool,
    /// So much before it that no clock that tells whole seconds would say so of an echo.
    well_before: bool,
}

/// Whether an event brings back a value that the runner wrote before it wrote another one: until
/// the later write is confirmed it may still be applied, so such an event may also be younger.
/// Gives the time of that write.
fn echoes_older(view: &View, ix: FieldIx, known: &Known, at: i64, value: &Value) -> Option<i64> {
    let upto = match known.how {
        How::Reported | How::Arrived(_) => known.settled_at(),
        How::Sent => known.at.saturating_add(TOLERANCE_US),
    };
    let sent = view.sent.iter();
    let sent = sent.filter(|s| s.field == ix && s.value == *value);
    let times = sent.map(|s| s.from);
    times
        .filter(|when| at <= upto && at.saturating_add(TOLERANCE_US) >= *when)
        .min()
}

/// Whether an event's time is one before a value came to be known. Of one time with a write that
/// arrived nobody knows which came first: the write counts, so that the difference is sent again.
fn precedes(known: &Known, at: i64) -> bool {
    match known.how {
        How::Arrived(_) => at <= known.settled_at(),
        How::Reported | How::Sent => at < known.settled_at(),
    }
}

fn standing(view: &View, ix: FieldIx, report: &Report<'_>, at: i64, value: &Value) -> Standing {
    let Some(known) = view.field(ix) else {
        return Standing {
            same: false,
            echo: false,
            stale: false,
            before: false,
            well_before: false,
        };
    };
    let same = known.value == *value;
    match report.read {
        Some(settled) => Standing {
            same,
            echo: same,
            stale: !same && known.settled_at() >= settled && (known.how.written() || at < known.at),
            before: false,
            well_before: false,
        },
        None => {
            let older = echoes_older(view, ix, known, at, value).filter(|_| !same);
            let from = report.echoes_from(ix, known);
            let of_this = known.how.written()
                && from.is_some_and(|from| at.saturating_add(TOLERANCE_US) >= from);
            let first = older.or(from).unwrap_or(known.at);
            Standing {
                same,
                echo: older.is_some() || (same && of_this),
                stale: !same && (older.is_some() || precedes(known, at)),
                before: at < first,
                well_before: at.saturating_add(SECOND_US) <= first,
            }
        }
    }
}

/// Whether a value that may be no more than an echo is still taken for a change: where it keeps a
/// `true` (or `false`) that must not be lost and is an echo by the allowance for clocks only, or
/// where being one cannot change what is shown.
fn counts(rule: Rule, value: &Value, standing: &Standing) -> bool {
    match rule.resolve {
        Some(ResolveRule::AnyTrue) => standing.before && *value == Value::Bool(true),
        Some(ResolveRule::AllTrue) => standing.before && *value == Value::Bool(false),
        Some(ResolveRule::FirstWriteWins) => true,
        // One that is told with the time of a clock that is behind loses to the change it echoes.
        None | Some(ResolveRule::LastWriteWins) => standing.before,
        // An echo taken for the owner's word would win over what it echoes.
        Some(ResolveRule::OwnerWins | ResolveRule::Manual) => standing.well_before,
        // Here a value counts as long as its origin says nothing else.
        Some(ResolveRule::Max | ResolveRule::Min | ResolveRule::Union) => false,
    }
}

fn absorb_field(
    entity: &EntityProgram,
    register: &mut Register,
    report: &Report<'_>,
    (at, there): (i64, bool),
    (ix, value): (FieldIx, &Value),
    out: &mut Absorbed,
) {
    let Some(field) = entity.fields.get(ix as usize) else {
        return;
    };
    let system = report.system;
    let view = register.view_mut(system);
    let standing = standing(view, ix, report, at, value);
    let seen_anew = there && !standing.same && !standing.stale;
    let at = match seen_anew && report.read.is_some() {
        true => after_own_last(register, system, ix, at, value),
        false => at,
    };
    let view = register.view_mut(system);
    if seen_anew {
        let known = Known {
            value: value.clone(),
            at,
            how: How::Reported,
        };
        let from = view.field(ix).and_then(|k| report.echoes_from(ix, k));
        view.replace_sent(ix, known, from);
        out.changed = true;
    }
    let told = match report.read {
        // A field that is as it was is no change; one read while a write was under way has no
        // time of its own to be told by.
        Some(_) => !standing.same && (report.timed || !standing.stale),
        None => !standing.echo || counts(field.rule, value, &standing),
    };
    if !told || !field.origins.contains(&system) {
        return;
    }
    let slot = register.field_mut(ix);
    let before = match field.origins.len() {
        1 => slot.origins.first().map(|(_, o)| o.latest.value.clone()),
        _ => shown(field.rule, slot).value().cloned(),
    };
    let stamp = Stamp {
        value: value.clone(),
        at,
        id: Arc::clone(report.id),
    };
    let merged = slot.merge(system, stamp);
    if !merged && !seen_anew {
        return;
    }
    out.changed |= merged;
    let after = shown(field.rule, slot);
    out.shown_changed |= before.as_ref() != after.value();
    if field.rule.resolve == Some(ResolveRule::Manual) {
        out.manual.push(ix);
    }
    if field.origins.len() > 1 {
        let winner = match &after {
            Shown::Value { from, .. } => *from,
            _ => None,
        };
        if after.value() != Some(value) && !matches!(after, Shown::Held { .. }) {
            out.lost.push(ix);
        }
        if merged && disagree(field.rule, slot) && leaves_out(field.rule, slot, after.value()) {
            out.conflicts.push((ix, winner));
        }
    }
    if report.read.is_none() {
        follow_latest(register, system, ix);
    }
}

/// A record read whole is as it is now: another value than the system last told of is a change
/// after that one, also where its change time was not raised with it.
fn after_own_last(
    register: &Register,
    system: SystemIx,
    ix: FieldIx,
    at: i64,
    value: &Value,
) -> i64 {
    match register.field(ix).and_then(|f| f.origin(system)) {
        Some(own) if own.latest.at >= at && own.latest.value != *value => {
            own.latest.at.saturating_add(1)
        }
        _ => at,
    }
}

/// Of several events of one time the register chooses one; what the system is known to hold is
/// that one too, whatever the order of arrival.
fn follow_latest(register: &mut Register, system: SystemIx, ix: FieldIx) {
    let latest = register
        .field(ix)
        .and_then(|f| f.origin(system))
        .map(|o| (o.latest.at, o.latest.value.clone()));
    let view = register.view_mut(system);
    if let (Some((at, value)), Some(known)) = (latest, view.field(ix))
        && !known.how.written()
        && at >= known.at
        && (known.value != value || known.at != at)
    {
        let how = How::Reported;
        view.set(ix, Known { value, at, how });
    }
}
