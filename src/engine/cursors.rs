//! Which cursors a run commits: one that a later change could not exceed would pass over everything
//! that changes from then on, and nobody would notice.
//!
//! Where one stays, what changed since the one before it is read again each time, until the record
//! is mended. May know plans; must not know how a connector compares cursors.

use crate::plan::Map;
use crate::time::{Instant, Millis};
use crate::value::parse_instant;

/// Times without a zone are up to so far ahead of the clock.
const AHEAD: Millis = Millis(86_400_000);

/// Why a cursor is not committed; none: it is. `before`: the one that was committed last.
pub(super) fn unsound(
    map: Option<&Map>,
    before: Option<&str>,
    cursor: &str,
    now: Instant,
) -> Option<&'static str> {
    let is_number = |cursor: &str| cursor.trim().parse::<f64>().is_ok();
    // Of numbers nobody knows whether they count seconds.
    if is_number(cursor) {
        return None;
    }
    if let Some(at) = parse_instant(cursor) {
        let latest = (now + AHEAD).0.saturating_mul(1_000);
        return (at > latest).then_some("lies in the future");
    }
    let is_time = map.is_some_and(|map| map.cursor.is_some() && map.cursor == map.changed_at);
    let was_number = before.is_some_and(is_number);
    let was_time = before.is_some_and(|before| parse_instant(before).is_some());
    if was_number {
        return Some("is no number, as those before it were");
    }
    if is_time || was_time {
        return Some("is no time");
    }
    is_out_of_order(cursor).then_some("does not sort by its text")
}

/// Whether a text is like `12/31/2025` or `1.10.2`, whose parts count but not from left to right, or
/// not digit by digit.
fn is_out_of_order(cursor: &str) -> bool {
    let parts: Vec<&str> = cursor.trim().split(['/', '.', '-']).collect();
    let counts = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    parts.len() == 3 && parts.iter().all(counts) && parts.first().is_some_and(|p| p.len() <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-05T00:00:00Z.
    const NOW: Instant = Instant(1_767_571_200_000);

    #[test]
    fn a_cursor_that_would_pass_over_later_changes_is_not_committed() {
        let told = |before, cursor| unsound(None, before, cursor, NOW);
        let good = [
            (None, "2026-01-05T00:00:00Z"),
            (None, "2026-01-05 13:00:00"),
            (Some("2026-01-04"), "2026-01-05"),
            (None, "v17"),
            (Some("v16"), "v17"),
            (Some("41"), "42"),
            (Some("1767571200"), "4102444800"),
        ];
        for (before, cursor) in good {
            assert_eq!(told(before, cursor), None, "{cursor} after {before:?}");
        }
        let bad = [
            (None, "2099-01-01T00:00:00Z"),
            (Some("2026-01-04"), "n/a"),
            (Some("41"), "n/a"),
            (None, "12/31/2025"),
        ];
        for (before, cursor) in bad {
            assert!(told(before, cursor).is_some(), "{cursor} after {before:?}");
        }
    }
}
