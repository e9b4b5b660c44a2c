//! How a report of a field stands to what its system is known to hold: a change, an echo of what the
//! runner wrote there, or something that is over. Pure functions over a [`View`]; what follows from
//! it is worked out in [`super::evaluate`].

use super::evaluate::{Report, TOLERANCE_US};
use super::ports::FieldIx;
use super::register::{How, Known, Sent, Stamp, View};
use super::resolve::Rule;
use crate::terms::ResolveRule;
use crate::value::Value;

/// A second in microseconds: some systems tell no finer time.
const SECOND_US: i64 = 1_000_000;

/// Reads of a value whose change time was not raised with it raise it by a microsecond each: so
/// much is no difference.
pub(super) const RAISED_US: i64 = 1_000;

/// How a report of a field stands to what the system is known to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
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
    /// A write of the runner's own that tells nothing new of the field.
    Ours,
    /// The runner's own write came after the change that the system is known to hold.
    Overwritten,
}

/// How an event stands. What it tells of a field is an echo where the runner handed that value over
/// and not each of the calls has been told of: a clock that is off changes nothing in that. Which of
/// an event and a write came later is told by the system's own clock, from the write's echo; before
/// that came, only what is older beyond the tolerance is known to be, and in doubt the value shown
/// is sent once more.
pub(super) fn standing_of_event(
    view: &View,
    ix: FieldIx,
    report: &Report<'_>,
    (at, value): (i64, &Value),
    own: Option<&Stamp>,
) -> Standing {
    let known = view.field(ix);
    match report.own {
        Some(true) => return standing_of_own_write(view, ix, report, (at, value)),
        Some(false) if known.is_some_and(|known| known.value == *value) => return Standing::Same,
        _ => {}
    }
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
    let late = (report.own.is_none())
        .then(|| late_echo(view, ix, (at, value), (own_last, told_first)))
        .flatten();
    if let Some(echo) = late {
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
    if report.own.is_some() {
        return standing_to_written(view, ix, report, (at, known));
    }
    match (report.handed_over(ix, known), told_first) {
        // It is still to be written over whatever is there.
        (None, _) => Standing::Stale,
        (_, Some(first)) if at < first => Standing::Stale,
        // A call that was not told of may have arrived since.
        (Some(handed), Some(first)) if at > first => {
            match view.echoes_with(ix, handed.calls).may_come() {
                true => Standing::Doubt,
                false => Standing::News,
            }
        }
        (Some(handed), None) if at.saturating_add(TOLERANCE_US) < handed.from => Standing::Stale,
        _ => Standing::Doubt,
    }
}

/// How an event stands that the system itself says comes of the runner's write: never a change. It
/// tells when the write arrived there, which may be after a change that was told of before.
fn standing_of_own_write(
    view: &View,
    ix: FieldIx,
    report: &Report<'_>,
    (at, value): (i64, &Value),
) -> Standing {
    let known = view.field(ix);
    if known.is_some_and(|known| known.how.written() && known.value == *value) {
        return Standing::Same;
    }
    let of_this = |s: &Sent| s.field == ix && s.value == *value;
    let earlier = view.sent.iter().rposition(of_this);
    let reported = known.filter(|known| !known.how.written() && known.value != *value);
    let overwritten = reported.is_some_and(|known| {
        let told = view.echoes(ix).filter(|e| e.seen > 0);
        at >= told.map_or(known.at, |e| e.last.max(known.at))
    });
    match earlier {
        // Beside what was written, a whole record shows what changed there of itself, too.
        Some(_) if overwritten => Standing::Overwritten,
        None if overwritten && !report.whole => Standing::Overwritten,
        Some(echo) => Standing::Echo(echo),
        None => Standing::Ours,
    }
}

/// How a change by somebody else stands to what the runner wrote: the system itself tells when that
/// arrived there, of each call that changed anything.
fn standing_to_written(
    view: &View,
    ix: FieldIx,
    report: &Report<'_>,
    (at, known): (i64, &Known),
) -> Standing {
    let Some(handed) = report.handed_over(ix, known) else {
        // It is still to be written over whatever is there.
        return Standing::Stale;
    };
    let echoes = view.echoes_with(ix, handed.calls);
    match echoes.seen {
        0 if at.saturating_add(TOLERANCE_US) < handed.from => Standing::Stale,
        0 => Standing::Doubt,
        _ if at < echoes.last => Standing::Stale,
        _ if at > echoes.last && !echoes.may_come() => Standing::News,
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
pub(super) fn standing_of_read(
    view: &View,
    ix: FieldIx,
    settled: i64,
    at: i64,
    value: &Value,
) -> Standing {
    match view.field(ix) {
        None => Standing::News,
        Some(known) if known.value == *value => Standing::Same,
        Some(known) => {
            let stale = match known.how.written() {
                true => known.settled_at() >= settled,
                false => {
                    let told_later = at < known.at && known.at >= settled;
                    // The one is told by the system's clock and the other by the runner's.
                    let by_its_own_clock = at.saturating_add(RAISED_US) < known.at
                        && known.at.saturating_add(TOLERANCE_US) >= settled;
                    told_later || by_its_own_clock
                }
            };
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
pub(super) fn counts(rule: Rule, value: &Value, at: i64, from: i64) -> bool {
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
pub(super) fn own_again(
    view: &View,
    ix: FieldIx,
    report: &Report<'_>,
    (own, value): (Option<&Stamp>, &Value),
) -> bool {
    report.whole && written(view, ix) && own.is_some_and(|own| own.value == *value)
}

/// Whether a system holds what the runner wrote there.
pub(super) fn written(view: &View, ix: FieldIx) -> bool {
    view.field(ix).is_some_and(|known| known.how.written())
}

/// Whether it is worth keeping that a system told once more of what it is known to hold: of what was
/// written, since that is its echo, and where several systems speak for a field.
pub(super) fn tells_more(view: &View, ix: FieldIx, at: i64, several: bool) -> bool {
    let Some(known) = view.field(ix) else {
        return false;
    };
    let echoes = view.echoes(ix);
    match known.how {
        How::Reported => several && at > echoes.map_or(known.at, |e| e.last),
        How::Sent | How::Arrived(_) => echoes.is_none_or(|e| e.may_come() || at > e.last),
    }
}
