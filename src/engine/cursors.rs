//! Which cursors a run commits: one that a later change could not exceed would pass over everything
//! that changes from then on, and nobody would notice.
//!
//! Where one stays, what changed since the one before it is read again each time, until the record
//! is mended. May know plans; must not know how a connector compares cursors.

use crate::plan::Map;
use crate::time::{Instant, Millis};
use crate::value::{has_digit, parse_instant};

/// Times without a zone are up to so far ahead of the clock.
const AHEAD: Millis = Millis(86_400_000);

/// Why a cursor is not committed; none: it is. `before`: the one that was committed last.
pub(super) fn unsound(
    map: Option<&Map>,
    before: Option<&str>,
    cursor: &str,
    now: Instant,
) -> Option<&'static str> {
    let is_number = |cursor: &str| {
        let digits = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-');
        !cursor.trim().is_empty() && cursor.trim().bytes().all(digits)
    };
    if is_out_of_order(cursor) {
        return Some("does not sort by its text");
    }
    // Of numbers nobody knows whether they count seconds.
    if is_number(cursor) {
        return None;
    }
    if let Some(at) = parse_instant(cursor) {
        let latest = (now + AHEAD).0.saturating_mul(1_000);
        return (at > latest).then_some("lies in the future");
    }
    // Words like `n/a` or `infinity` come after everything that counts; a text with digits may be a
    // counter, or a time in a form that sorts.
    if has_digit(cursor) {
        return None;
    }
    let is_time = map.is_some_and(|map| map.cursor.is_some() && map.cursor == map.changed_at);
    let endless = ["infinity", "inf", "nan"];
    let endless = endless.contains(&&*cursor.trim().to_lowercase());
    (is_time || endless || before.is_some_and(has_digit)).then_some("counts nothing")
}

/// Whether a text is a date like `12/31/2025` or `31.12.2025`, which does not sort.
fn is_out_of_order(cursor: &str) -> bool {
    let date = cursor
        .trim()
        .split([' ', 'T', ','])
        .next()
        .unwrap_or_default();
    ['/', '.', '-'].into_iter().any(|separator| {
        let parts: Vec<&str> = date.split(separator).collect();
        let [first, second, year] = parts.as_slice() else {
            return false;
        };
        let counts = |part: &str, most| {
            (1..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        };
        counts(first, 2) && counts(second, 2) && counts(year, 4) && year.len() == 4
    })
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
            (Some("0000000000002000"), "00000000000020af"),
            (Some("2026-01-04"), "2026-01-05T00:00:00.000+0000"),
            (None, "25-001-00017"),
            (None, "01.02.03"),
        ];
        for (before, cursor) in good {
            assert_eq!(told(before, cursor), None, "{cursor} after {before:?}");
        }
        let bad = [
            (None, "2099-01-01T00:00:00Z"),
            (Some("2026-01-04"), "n/a"),
            (Some("41"), "n/a"),
            (None, "12/31/2025"),
            (Some("30.12.2025"), "31.12.2025 10:00"),
            (None, "infinity"),
        ];
        for (before, cursor) in bad {
            assert!(told(before, cursor).is_some(), "{cursor} after {before:?}");
        }
    }
}
