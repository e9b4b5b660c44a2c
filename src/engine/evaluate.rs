//! What a report does to a record: pure functions over a register. Echoes and repeats end here;
//! what each destination is owed then is worked out in [`super::owed`].

use std::sync::Arc;

use super::handed::HandedOver;
use super::ports::{FieldIx, SystemIx};
use super::program::EntityProgram;
use super::register::{Echoes, Gone, Handed, How, Known, Register, Stamp, View};
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
    /// Of an event: whether it shows all of the record rather than what changed.
    pub whole: bool,
    /// Of an event: which values that were written there were handed over; `None`: all were.
    pub handed: Option<&'a HandedOver>,
}

impl Report<'_> {
    /// How a value that was written was handed over; `None`: never.
    fn handed_over(&self, field: FieldIx, known: &Known) -> Option<Handed> {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It is a change, and the system holds its value now.
    News,
    /// It is a change, and nobody can say whether it came before the runner's write or after it.
    Doubt,
    /// The value that the system is known to hold already.
    Same,
    /// A value that the runner wrote before it wrote another one comes back late; its position
    /// among those.
    Echo(usize),
    /// An event that tells of something else shows what the system had said itself before.
    Still,
    /// It tells of a time before the system came to hold what it is known to hold.
    Stale,
}

/// How an event stands. What it tells of a field is an echo where the runner handed that value over
/// and not each of the calls has been told of: a clock that is off changes nothing in that. Which of
/// an event and a write came later is told by the system's own clock, from the write's echo; before
/// that came, only what is older beyond the tolerance is known to be, and in doubt the value shown
/// is sent once more.
fn standing_of_event(
    view: &View,
    ix: FieldIx,
    report: &Report<'_>,
    (at, value): (i64, &Value),
    own: Option<&Stamp>,
) -> Standing {
    let known = view.field(ix);
    if let Some(known) = known.filter(|known| known.value == *value) {
        let from = report.handed_over(ix, known).map(|handed| handed.from);
        let before = known.how.written() && from.is_none_or(|from| at < from);
        // The same was written before: something else stood there meanwhile.
        let earlier = before.then(|| late_echo(view, ix, (at, value), (None, None)));
        return earlier.flatten().map_or(Standing::Same, Standing::Echo);
    }
    let echoes = view.echoes(ix).filter(|e| e.seen > 0);
    let written = known.is_some_and(|known| known.how.written());
    let told_first = echoes.filter(|_| written).map(|e| e.first);
    let own_last = own.filter(|own| own.value != *value).map(|own| own.at);
    if let Some(echo) = late_echo(view, ix, (at, value), (own_last, told_first)) {
        return Standing::Echo(echo);
    }
    let Some(known) = known else {
        return Standing::News;
    };
    let own = own.filter(|own| report.whole && written && own.value == *value);
    if own.is_some_and(|own| !told_otherwise(view, ix, (own, at), told_first)) {
        return Standing::Still;
    }
    if !written {
        return match at < echoes.map_or(known.at, |e| e.last.max(known.at)) {
            true => Standing::Stale,
            false => Standing::News,
        };
    }
    match (report.handed_over(ix, known), told_first) {
        // It is still to be written over whatever is there.
        (None, _) => Standing::Stale,
        (_, Some(first)) if at < first => Standing::Stale,
        (_, Some(first)) if at > first => Standing::News,
        (Some(handed), None) if at.saturating_add(TOLERANCE_US) < handed.from => Standing::Stale,
        _ => Standing::Doubt,
    }
}

/// Whether a system told of a value that the runner wrote between what it said itself and a time.
fn told_otherwise(
    view: &View,
    ix: FieldIx,
    (own, at): (&Stamp, i64),
    told_first: Option<i64>,
) -> bool {
    let others = view.sent.iter();
    let others = others.filter(|s| s.field == ix && s.value != own.value && s.echoes.seen > 0);
    let others = others.map(|s| s.echoes.first);
    others
        .chain(told_first)
        .any(|first| own.at <= first && first <= at)
}

/// The earliest of the values written before the one that is known, of which an event may be the
/// echo, or may show it as it still is. `own_last`: when the system last changed it to something
/// else; `told_first`: the time of the first echo of the one that is known.
fn late_echo(
    view: &View,
    ix: FieldIx,
    (at, value): (i64, &Value),
    (own_last, told_first): (Option<i64>, Option<i64>),
) -> Option<usize> {
    let written = view.sent.iter().enumerate().filter(|(_, s)| s.field == ix);
    let (mut awaited, mut shown) = (None, None);
    // The earliest echo of what was written later: nothing written before it is told of after it.
    let mut before = told_first.unwrap_or(i64::MAX);
    for (i, sent) in written.rev() {
        let from = sent.from.saturating_sub(TOLERANCE_US);
        let within = from <= at && at <= before;
        let soon = at <= sent.until.saturating_add(TOLERANCE_US);
        let echoes = &sent.echoes;
        let still = echoes.seen > 0 && own_last.is_none_or(|own| own < echoes.first);
        if sent.value == *value && within {
            match soon && echoes.may_come() {
                true => awaited = Some(i),
                false if still => shown = Some(i),
                false => {}
            }
        }
        if sent.echoes.seen > 0 {
            before = before.min(sent.echoes.first);
        }
    }
    awaited.or(shown)
}

/// How a record that was read whole stands: what was sent before `settled` would show in it.
fn standing_of_read(view: &View, ix: FieldIx, settled: i64, at: i64, value: &Value) -> Standing {
    match view.field(ix) {
        None => Standing::News,
        Some(known) if known.value == *value => Standing::Same,
        Some(known) => {
            let stale = known.settled_at() >= settled && (known.how.written() || at < known.at);
            match stale {
                true => Standing::Stale,
                false => Standing::News,
            }
        }
    }
}

/// Whether an event that may be the echo of a write, and tells of a time before it was handed over
/// (`from`), counts as the system's own word. Its clock may be behind: so only where taking an echo
/// for a change does less harm than the other way round.
fn counts(rule: Rule, value: &Value, at: i64, from: i64) -> bool {
    let before = at < from;
    match rule.resolve {
        Some(ResolveRule::AnyTrue) => before && *value == Value::Bool(true),
        Some(ResolveRule::AllTrue) => before && *value == Value::Bool(false),
        // One that is told with the time of a clock that is behind loses to the change it echoes.
        None | Some(ResolveRule::LastWriteWins | ResolveRule::FirstWriteWins) => before,
        // An echo taken for the owner's word would win over what it echoes.
        Some(ResolveRule::OwnerWins | ResolveRule::Manual) => at.saturating_add(SECOND_US) <= from,
        // Here a value counts as long as its origin says nothing else.
        Some(ResolveRule::Max | ResolveRule::Min | ResolveRule::Union) => false,
    }
}

/// Whether an event that shows a whole record may show what the system had said itself before the
/// same was written there.
fn own_again(
    view: &View,
    ix: FieldIx,
    report: &Report<'_>,
    (own, value): (Option<&Stamp>, &Value),
) -> bool {
    report.whole && written(view, ix) && own.is_some_and(|own| own.value == *value)
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
    let returns = match several && report.read.is_none() {
        true => came_back(view, ix, at),
        false => Vec::new(),
    };
    let mut said_too = None;
    let handed = view.field(ix).and_then(|k| report.handed_over(ix, k));
    let from = match standing {
        Standing::Echo(i) => view.sent.get(i).map(|s| s.from),
        Standing::Same if written(view, ix) => handed.map(|h| h.from),
        _ => None,
    };
    let partly = several && !report.whole && report.read.is_none();
    let counts = |from: i64| partly && counts(field.rule, value, at, from);
    let unhanded = standing == Standing::Same && written(view, ix) && handed.is_none();
    match standing {
        // The same was said there before it was written.
        Standing::Same if unhanded && partly => said_too = Some(at),
        Standing::Same | Standing::Echo(_) if from.is_some_and(counts) => said_too = Some(at),
        Standing::Echo(i) => {
            let echoes = &mut view.sent[i].echoes;
            echoes.note(at);
            said_too = echoes.said_too().filter(|_| partly);
            out.changed = true;
        }
        // It may be what the system had said itself before: no echo then.
        Standing::Same if own_again(view, ix, report, (own.as_ref(), value)) => {}
        Standing::Same if report.read.is_none() && tells_more(view, ix, at, several) => {
            view.told_of(ix, at);
            said_too = view
                .said_too(ix, handed.and_then(|h| h.calls))
                .filter(|_| partly);
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
            // Whatever should be there is sent.
            view.forget(ix);
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
        (None, Standing::Same) => {
            let again = several && report.whole;
            !again && !written(register.view_mut(system), ix)
        }
        (_, Standing::Same | Standing::Still | Standing::Echo(_)) => false,
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

/// Whether a system holds what the runner wrote there.
fn written(view: &View, ix: FieldIx) -> bool {
    view.field(ix).is_some_and(|known| known.how.written())
}

/// Whether it is worth keeping that a system told once more of what it is known to hold: of what was
/// written, since that is its echo, and where several systems speak for a field.
fn tells_more(view: &View, ix: FieldIx, at: i64, several: bool) -> bool {
    let Some(known) = view.field(ix) else {
        return false;
    };
    let echoes = view.echoes(ix);
    match known.how {
        How::Reported => several && at > echoes.map_or(known.at, |e| e.last),
        How::Sent | How::Arrived(_) => echoes.is_none_or(|e| e.may_come() || at > e.last),
    }
}

/// A change came late, and the system told of another value both before it and after: it came back
/// to that after the change, which is a change too. Gives such values with their times.
fn came_back(view: &View, ix: FieldIx, at: i64) -> Vec<(Value, i64)> {
    // What more calls than were told of may have written was no change of the system's.
    let own = |e: &Echoes| !e.may_come() && e.seen > 1;
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
