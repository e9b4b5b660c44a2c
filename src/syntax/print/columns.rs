//! The columns of clauses that stand together: arguments under arguments, `=` under `=`, types
//! under types.

use super::outline::{BlockKind, Part, Shape};
use super::space::{Gap, Gaps};

/// Names wider than this stand out of their column instead of widening it.
const WIDEST_NAME: u32 = 32;

/// The same for types.
const WIDEST_TYPE: u32 = 16;

/// A continued field does not begin further right than this.
const FURTHEST_HANG: u32 = 48;

/// The keywords of a scenario take at least so many columns, so that scenarios look alike.
const SCENARIO_KEYWORD: u32 = 7;

/// How far a line is indented that continues one without columns.
const HANG: u32 = 4;

/// Blanks between a field's clauses.
const BETWEEN: u32 = 2;

/// Lays out a run of clauses of one block without an empty line between them; each begins at
/// column `indent`.
pub(super) fn lay(gaps: &mut Gaps<'_>, kind: BlockKind, parts: &[Part], indent: u32) {
    let argument = indent + keywords(gaps, kind, parts) + 1;
    let equals = mapped_names(gaps, parts);
    for run in parts.chunk_by(|a, b| is_field(a) == is_field(b)) {
        if run.first().is_some_and(is_field) {
            fields(gaps, run, indent);
        }
    }
    for run in parts.chunk_by(|a, b| is_timed(a) && is_timed(b)) {
        timed(gaps, run);
    }
    for part in parts {
        match part.shape {
            Shape::Plain | Shape::Mapped => {
                pad(gaps, part.first + 1, part.first, argument - 1 - indent);
                if matches!(part.shape, Shape::Mapped) {
                    pad(gaps, part.first + 2, part.first + 1, equals);
                }
                gaps.clause(part.first, part.end, indent, argument, &[]);
            }
            Shape::Bare | Shape::Timed { .. } | Shape::Free => {
                gaps.clause(part.first, part.end, indent, indent + HANG, &[]);
            }
            // `lay` of fields has done these; the others have no clause of their own.
            Shape::Field { .. } | Shape::Block(_) | Shape::Kept => {}
        }
    }
}

fn is_field(part: &Part) -> bool {
    matches!(part.shape, Shape::Field { .. })
}

fn is_timed(part: &Part) -> bool {
    matches!(part.shape, Shape::Timed { .. })
}

fn width(gaps: &Gaps<'_>, index: usize) -> u32 {
    gaps.lexemes.all.get(index).map_or(0, |lexeme| lexeme.head)
}

/// Pads `before` to `column` columns, so that `index` begins one blank after them.
fn pad(gaps: &mut Gaps<'_>, index: usize, before: usize, column: u32) {
    let blanks = column.saturating_sub(width(gaps, before)) + 1;
    gaps.set(index, Gap::Space(blanks));
}

/// Columns of the widest keyword that has arguments.
fn keywords(gaps: &Gaps<'_>, kind: BlockKind, parts: &[Part]) -> u32 {
    let widest = parts
        .iter()
        .filter(|part| matches!(part.shape, Shape::Plain | Shape::Mapped))
        .map(|part| width(gaps, part.first))
        .max()
        .unwrap_or(0);
    match kind {
        BlockKind::Scenario => widest.max(SCENARIO_KEYWORD),
        _ => widest,
    }
}

/// Columns of the widest name before `=` in a map.
fn mapped_names(gaps: &Gaps<'_>, parts: &[Part]) -> u32 {
    parts
        .iter()
        .filter(|part| matches!(part.shape, Shape::Mapped))
        .filter(|part| !gaps.lexemes.has_comment(part.first, part.first + 3))
        .map(|part| width(gaps, part.first + 1))
        .filter(|width| *width <= WIDEST_NAME)
        .max()
        .unwrap_or(0)
}

/// Fields one under the other: name, type, clauses.
fn fields(gaps: &mut Gaps<'_>, run: &[Part], indent: u32) {
    let mut names = 0;
    let mut types = 0;
    for part in run {
        let Shape::Field { type_end, clauses } = &part.shape else {
            continue;
        };
        if gaps.lexemes.has_comment(part.first, *type_end) {
            continue;
        }
        let name = width(gaps, part.first + 1);
        if name <= WIDEST_NAME {
            names = names.max(name);
        }
        let kind = gaps.columns(part.first + 3, *type_end);
        if kind <= WIDEST_TYPE && !clauses.is_empty() {
            types = types.max(kind);
        }
    }
    let keyword = run.first().map_or(0, |part| width(gaps, part.first));
    // keyword, blank, name, colon, blank
    let type_at = indent + keyword + 1 + names + 2;
    let clauses_at = type_at + types + BETWEEN;
    let hang = match clauses_at <= FURTHEST_HANG {
        true => clauses_at,
        false => indent + HANG,
    };
    for part in run {
        let Shape::Field { type_end, clauses } = &part.shape else {
            continue;
        };
        if !gaps.lexemes.has_comment(part.first, part.first + 4) {
            pad(gaps, part.first + 3, part.first + 1, names);
        }
        for clause in clauses {
            gaps.set(*clause, Gap::Space(BETWEEN));
        }
        if !gaps.lexemes.has_comment(part.first, *type_end)
            && let Some(first) = clauses.first().filter(|first| *first == type_end)
        {
            let kind = gaps.columns(part.first + 3, *type_end);
            gaps.set(*first, Gap::Space(types.saturating_sub(kind) + BETWEEN));
        }
        gaps.clause(part.first, part.end, indent, hang, clauses);
    }
}

/// `at` clauses one under the other: time, system, what happens.
fn timed(gaps: &mut Gaps<'_>, run: &[Part]) {
    let has_system = |part: &Part| matches!(part.shape, Shape::Timed { system: true });
    let plain = |gaps: &Gaps<'_>, part: &Part| {
        is_timed(part) && !gaps.lexemes.has_comment(part.first, part.first + 4)
    };
    let times = run
        .iter()
        .filter(|part| plain(gaps, part))
        .map(|part| width(gaps, part.first + 1))
        .max();
    let systems = run
        .iter()
        .filter(|part| plain(gaps, part) && has_system(part))
        .map(|part| width(gaps, part.first + 2))
        .filter(|width| *width <= WIDEST_NAME)
        .max();
    for part in run {
        if !plain(gaps, part) {
            continue;
        }
        pad(gaps, part.first + 2, part.first + 1, times.unwrap_or(0));
        if has_system(part) {
            pad(gaps, part.first + 3, part.first + 2, systems.unwrap_or(0));
        }
    }
}
