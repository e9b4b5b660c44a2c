//! What a report does to a record: pure functions over a register. Echoes and repeats end here;
//! what each destination is owed then is worked out in [`super::owed`].

use std::sync::Arc;

use super::handed::HandedOver;
use super::ports::{FieldIx, SystemIx};
use super::program::EntityProgram;
use super::register::{Echoes, Gone, Handed, How, Known, Register, Stamp, View};
use super::resolve::{Shown, disagree, leaves_out, shown};
use super::standing::{
    Standing, counts, own_again, standing_of_event, standing_of_read, tells_more, written,
};
use crate::terms::ResolveRule;
use crate::value::Value;

/// What the ids of runs begin with, where a stamp says what told of a value.
pub(super) const RUN_STAMP: &str = "run ";

/// How far a change time may lie in the future before it is taken for arrival: 5 minutes, in
/// microseconds. The same allowance is made for a system's clock when its report is compared with
/// the time of a write.
pub const TOLERANCE_US: i64 = 300_000_000;

/// The change time of a field that is seen for the first time in a record whose own time `at` the
/// runner's write has moved: it is older than that, nobody knows by how much. It loses to whatever
/// has a time, but for a value that must not be lost and for a rule that asks who was first.
fn unknown_time(entity: &EntityProgram, field: FieldIx, value: &Value, at: i64) -> i64 {
    let Some(known) = entity.fields.get(field as usize) else {
        return 0;
    };
    if known.origins.len() < 2 {
        // Nobody else speaks for it: as it is now, it is newer than all that was told before.
        return at;
    }
    match known.rule.resolve {
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
#[derive(Debug, Clone, Copy)]
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
    /// Of an event: whether it shows all of the record rather than what changed.
    pub whole: bool,
    /// Of an event: whether it tells of the runner's own write, where the system says who made a
    /// change; `None`: it does not say.
    pub own: Option<bool>,
    /// Of an event: the fields that changed, where it shows more and says which.
    pub changed: Option<&'a [FieldIx]>,
    /// Of an event: which values that were written there were handed over; `None`: all were.
    pub handed: Option<&'a HandedOver>,
}

impl Report<'_> {
    /// Whether a field is only shown beside what changed.
    fn beside(&self, field: FieldIx) -> bool {
        self.changed
            .is_some_and(|changed| !changed.contains(&field))
    }

    /// How a value that was written was handed over; `None`: never.
    pub(super) fn handed_over(&self, field: FieldIx, known: &Known) -> Option<Handed> {
        match self.handed {
            Some(handed) => handed.of(field, known),
            None => HandedOver::default().of(field, known),
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
        let Some(report) = told_of(entity, report, *field, unseen) else {
            continue;
        };
        let at = match (bumped || report.beside(*field)) && unseen() {
            true => unknown_time(entity, *field, value, at),
            false => at,
        };
        if !entity.keys.contains(field) {
            absorb_field(
                entity,
                register,
                &report,
                (at, there),
                (*field, value),
                &mut out,
            );
        }
    }
    out
}

/// What a report tells of a field: what it only shows beside a change is no word of the system's,
/// where several may speak for it and it was seen before.
fn told_of<'a>(
    entity: &EntityProgram,
    report: &Report<'a>,
    field: FieldIx,
    unseen: impl Fn() -> bool,
) -> Option<Report<'a>> {
    let Some(changed) = report.changed else {
        return Some(*report);
    };
    if changed.contains(&field) {
        let whole = false;
        return Some(Report { whole, ..*report });
    }
    let one_origin = entity
        .fields
        .get(usize::from(field))
        .is_some_and(|f| f.origins.len() < 2);
    match one_origin {
        // It is as it is now: what came before is over.
        true => Some(Report {
            changed: None,
            ..*report
        }),
        false => unseen().then_some(*report),
    }
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
    if report.own == Some(true) {
        return;
    }
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
    if report
        .read
        .is_some_and(|settled| told_meanwhile(register, system, ix, (settled, at, value)))
    {
        return;
    }
    let several = field.origins.len() > 1;
    let own = register.field(ix).and_then(|f| f.origin(system));
    // What was read needs none, and there are many of it.
    let own = own
        .filter(|_| report.read.is_none())
        .map(|o| o.latest.clone());
    let view = register.view_mut(system);
    let standing = match report.read {
        Some(settled) => standing_of_read(view, ix, settled, at, value),
        None => standing_of_event(view, ix, report, (at, value), own.as_ref()),
    };
    let seen_anew = there && matches!(standing, Standing::News | Standing::Doubt);
    let at = match seen_anew && report.read.is_some() {
        true => after_own_last(register, system, ix, at, value),
        false => at,
    };
    let view = register.view_mut(system);
    let returns = match (several && report.read.is_none(), report.own) {
        (false, _) | (true, Some(true)) => Vec::new(),
        (true, whose) => came_back(view, ix, at, whose.is_some()),
    };
    let mut said_too = None;
    let handed = view.field(ix).and_then(|k| report.handed_over(ix, k));
    let from = match standing {
        Standing::Echo(i) => view.sent.get(i).map(|s| s.from),
        Standing::Same if written(view, ix) => handed.map(|h| h.from),
        _ => None,
    };
    let partly = several && !report.whole && report.read.is_none();
    let untold = report.own.is_none();
    let counts = |from: i64| partly && untold && counts(field.rule, value, at, from);
    let unhanded = untold && standing == Standing::Same && written(view, ix) && handed.is_none();
    match standing {
        // A change, though to what the runner was about to write, or had just written.
        Standing::Same if report.own == Some(false) => {
            said_too = Some(at).filter(|_| partly && written(view, ix));
            if tells_more(view, ix, at, several) && !written(view, ix) {
                view.told_of(ix, at);
                out.changed = true;
            }
        }
        Standing::Overwritten => {
            // Whatever should be there is sent, by whichever flow carries it there.
            view.forget(ix);
            out.lost.push(ix);
            out.changed = true;
        }
        // The same was said there before it was written.
        Standing::Same if unhanded && partly => said_too = Some(at),
        Standing::Same | Standing::Echo(_) if from.is_some_and(counts) => said_too = Some(at),
        Standing::Echo(i) => {
            let echoes = &mut view.sent[i].echoes;
            echoes.note(at);
            said_too = echoes.said_too().filter(|_| partly && untold);
            out.changed = true;
        }
        // It may be what the system had said itself before: no echo then.
        Standing::Same if own_again(view, ix, report, (own.as_ref(), value)) => {}
        Standing::Same if report.read.is_none() && tells_more(view, ix, at, several) => {
            view.told_of(ix, at);
            said_too = view
                .said_too(ix, handed.and_then(|h| h.calls))
                .filter(|_| partly && untold);
            out.changed = true;
            // What it told against the write before was told after it.
            let against = view.echoes(ix).and_then(|e| e.against);
            let against = against.filter(|against| *against > at && written(view, ix));
            if let Some((against, own)) = against.zip(own) {
                absorb_field(
                    entity,
                    register,
                    report,
                    (against, there),
                    (ix, &own.value),
                    out,
                );
                return;
            }
        }
        Standing::Still => {
            view.told_against(ix, at);
            out.changed = true;
        }
        _ => {}
    }
    if seen_anew {
        let known = Known {
            value: value.clone(),
            at,
            how: How::Reported,
        };
        view.replace_sent(ix, known, handed);
        if standing == Standing::Doubt {
            // Whatever should be there is sent, by whichever flow carries it there.
            view.forget(ix);
            out.lost.push(ix);
        }
        out.changed = true;
    }
    let told = match (report.read, standing) {
        (_, Standing::News | Standing::Doubt) => true,
        // One read while a write was under way has no time of its own to be told by.
        (Some(_), Standing::Stale) => report.timed,
        (None, Standing::Stale) => true,
        // Where one system alone speaks for a field its time is of no weight.
        (None, Standing::Same | Standing::Echo(_)) if said_too.is_some() => true,
        (None, Standing::Same) if report.own == Some(true) => false,
        (None, Standing::Same) => {
            let again = several && report.whole;
            !again && !written(register.view_mut(system), ix)
        }
        (_, Standing::Same | Standing::Still | Standing::Echo(_)) => false,
        (_, Standing::Ours | Standing::Overwritten) => false,
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
        at: said_too.unwrap_or(at),
        id: Arc::clone(report.id),
    };
    let mut merged = slot.merge(system, stamp);
    for (value, at) in returns {
        let id = Arc::clone(report.id);
        merged |= slot.merge(system, Stamp { value, at, id });
    }
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
        let lost = after.value() != Some(value) && !matches!(after, Shown::Held { .. });
        if lost && !out.lost.contains(&ix) {
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

/// A change came late, and the system told of another value both before it and after: it came back
/// to that after the change, which is a change too. Gives such values with their times.
/// `says_whose`: whether the system says whose change each is; then none of the runner's is its own.
fn came_back(view: &View, ix: FieldIx, at: i64, says_whose: bool) -> Vec<(Value, i64)> {
    // What more calls than were told of may have written was no change of the system's.
    let own = |e: &Echoes| !says_whose && !e.may_come() && e.seen > 1;
    let known = view.field(ix).zip(view.echoes(ix));
    let known = known.and_then(|(known, e)| match known.how {
        How::Reported => Some((&known.value, known.at, e.last)),
        _ => own(e).then_some((&known.value, e.first, e.last)),
    });
    let sent = view.sent.iter().filter(|s| s.field == ix && own(&s.echoes));
    let sent = sent.map(|s| (&s.value, s.echoes.first, s.echoes.last));
    known
        .into_iter()
        .chain(sent)
        .filter(|(_, first, last)| *first < at && at < *last)
        .map(|(value, _, last)| (value.clone(), last))
        .collect()
}

/// Whether an event told of a change of the same time as what was read shows, or of a later one, and
/// may have been made since: systems that tell times to the second make several changes in one.
/// Whatever came after it is told by an event of its own, or shown by the next read.
fn told_meanwhile(
    register: &Register,
    system: SystemIx,
    ix: FieldIx,
    (settled, at, value): (i64, i64, &Value),
) -> bool {
    let own = register.field(ix).and_then(|f| f.origin(system));
    let known = register.view(system).and_then(|v| v.field(ix));
    own.zip(known).is_some_and(|(own, known)| {
        let own = &own.latest;
        let holds_it = !known.how.written() && known.value == own.value;
        holds_it && own.value != *value && by_event_since(&own.id, own.at, (settled, at))
    })
}

/// Whether a word came by an event, and tells of no earlier time than `at` and of none that is
/// certainly before a read (see [`Report::read`]), whoever's clock is right.
pub(super) fn by_event_since(id: &str, told: i64, (settled, at): (i64, i64)) -> bool {
    let of_run = id.starts_with(RUN_STAMP);
    !of_run && told >= at && told.saturating_add(TOLERANCE_US) >= settled
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
