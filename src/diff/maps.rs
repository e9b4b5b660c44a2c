//! Maps: objects, columns, values and cursors.

use super::kind::{Grade, Kind};
use super::list::{List, joined, names};
use super::reach::{self, Reach};
use super::types::{About, Where};
use super::words;
use crate::model;
use crate::plan::{Map, MapField, Plan};
use crate::text::Span;
use crate::time::Millis;

fn label(m: &Map) -> String {
    format!("{} in {}", m.entity, m.system)
}

fn about(m: &Map) -> About {
    About::Map(m.entity.clone(), m.system.clone())
}

pub(super) fn compare(list: &mut List, reach: &Reach) {
    let (old, new) = (list.old, list.new);
    let labelled =
        |plan: &Plan| -> Vec<(String, usize)> { plan.maps.iter().map(label).zip(0..).collect() };
    let (before, after) = (labelled(&old.plan), labelled(&new.plan));
    for (name, a, b) in joined(&before, &after, |(label, _)| label) {
        let a = a.and_then(|(_, at)| old.plan.maps.get(*at));
        let b = b.and_then(|(_, at)| new.plan.maps.get(*at));
        match (a, b) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => map(list, reach, a, b),
            (Some(a), None) => removed(list, &name, a),
            (None, Some(b)) => {
                list.add(Kind::MapAdded, &name)
                    .is(map_text(b), new.map(&b.entity, &b.system, |_| None))
                    .means(format!(
                        "`{}` has a place for {} of its fields",
                        b.system,
                        b.fields.len()
                    ))
                    .about(about(b));
            }
            (None, None) => {}
        }
    }
}

fn map_text(m: &Map) -> String {
    format!("map {} in {} \"{}\"", m.entity, m.system, m.object)
}

/// Whether anything goes by a map.
fn used(plan: &Plan, m: &Map) -> bool {
    let mut scenarios = plan.scenarios.iter();
    scenarios.any(|s| {
        let mut routes = s.routes.iter();
        let cleaned = s.clean.as_ref();
        routes.any(|r| r.entity == m.entity && (r.from == m.system || r.to == m.system))
            || cleaned.is_some_and(|c| c.entity == m.entity && c.system == m.system)
    })
}

fn removed(list: &mut List, name: &str, a: &Map) {
    let old = list.old;
    let (grade, means) = match used(&old.plan, a) {
        true => (
            Grade::Breaking,
            format!("nothing goes to `{}` or comes from it any more", a.system),
        ),
        false => (Grade::Safe, "nothing went by it".to_owned()),
    };
    list.graded(Kind::MapRemoved, grade, name)
        .was(map_text(a), old.map(&a.entity, &a.system, |_| None))
        .means(means)
        .about(about(a));
}

fn map(list: &mut List, reach: &Reach, a: &Map, b: &Map) {
    if a.object != b.object {
        let means = format!(
            "`{}` is read and written elsewhere; what stands in \"{}\" stays there",
            b.system, a.object
        );
        let words = (format!("\"{}\"", a.object), format!("\"{}\"", b.object));
        said(
            list,
            b,
            Kind::ObjectChanged,
            words,
            |m| m.object_span,
            means,
        );
    }
    for (field, x, y) in joined(&a.fields, &b.fields, |f| &f.field) {
        match (x, y) {
            (Some(x), Some(y)) => mapped(list, b, x, y),
            (Some(x), None) => unmapped(list, reach, b, x),
            (None, Some(y)) => {
                let new = list.new;
                list.add(
                    Kind::FieldMapped,
                    format!("{}.{field} in {}", b.entity, b.system),
                )
                .is(
                    format!("field {field} = \"{}\"", y.column),
                    new.mapped(&b.entity, &b.system, &field),
                )
                .means(format!("`{}` has a place for it", b.system))
                .about(About::Field(
                    b.entity.clone(),
                    field.clone(),
                    Where::Mapped(b.system.clone()),
                ));
            }
            (None, None) => {}
        }
    }
    reading(list, a, b);
}

/// Adds a change of a clause of a map.
fn said(
    list: &mut List,
    m: &Map,
    kind: Kind,
    (was, is): (String, String),
    at: fn(&model::Map) -> Option<Span>,
    means: impl Into<String>,
) {
    let (old, new) = (list.old, list.new);
    list.add(kind, label(m))
        .was(was, old.map(&m.entity, &m.system, at))
        .is(is, new.map(&m.entity, &m.system, at))
        .means(means)
        .about(about(m));
}

fn unmapped(list: &mut List, reach: &Reach, m: &Map, field: &MapField) {
    let (old, new) = (list.old, list.new);
    // That the field itself is gone is told already.
    if reach::field(&new.plan, &m.entity, &field.field).is_none() {
        return;
    }
    let sends = old
        .plan
        .scenarios
        .iter()
        .flat_map(|s| &s.routes)
        .any(|r| r.entity == m.entity && r.from == m.system && r.fields.contains(&field.field));
    let got = reach.gets(false, &m.entity, &field.field, &m.system);
    let (grade, means) = match (sends, got) {
        (false, false) => (
            Grade::Safe,
            "no flow carried it to or from there".to_owned(),
        ),
        (true, _) => (
            Grade::Breaking,
            format!("what `{}` says of it is no longer read", m.system),
        ),
        (false, true) => (Grade::Breaking, format!("`{}` no longer gets it", m.system)),
    };
    list.graded(
        Kind::FieldUnmapped,
        grade,
        format!("{}.{} in {}", m.entity, field.field, m.system),
    )
    .was(
        format!("field {} = \"{}\"", field.field, field.column),
        old.mapped(&m.entity, &m.system, &field.field),
    )
    .means(means)
    .about(About::Field(
        m.entity.clone(),
        field.field.clone(),
        Where::Mapped(m.system.clone()),
    ));
}

fn mapped(list: &mut List, m: &Map, x: &MapField, y: &MapField) {
    let (old, new) = (list.old, list.new);
    let subject = format!("{}.{} in {}", m.entity, y.field, m.system);
    let mut tell = |kind, grade, was: String, is: String, means: String| {
        list.graded(kind, grade, &subject)
            .was(was, old.mapped(&m.entity, &m.system, &x.field))
            .is(is, new.mapped(&m.entity, &m.system, &y.field))
            .means(means)
            .about(About::Field(
                m.entity.clone(),
                y.field.clone(),
                Where::Mapped(m.system.clone()),
            ));
    };
    if x.column != y.column {
        let means = format!(
            "`{}` reads and writes another column; what stands in \"{}\" grows old",
            m.system, x.column
        );
        let text = |f: &MapField| format!("{} = \"{}\"", f.field, f.column);
        tell(
            Kind::ColumnChanged,
            Grade::Breaking,
            text(x),
            text(y),
            means,
        );
    }
    if x.key != y.key {
        let text = |f: &MapField| if f.key { "key" } else { "field" }.to_owned();
        let means = "records are found by other columns".to_owned();
        tell(
            Kind::ColumnChanged,
            Grade::Breaking,
            text(x),
            text(y),
            means,
        );
    }
    if x.values != y.values {
        let (grade, means) = other_values(m, x, y);
        tell(
            Kind::ValuesChanged,
            grade,
            values_text(x),
            values_text(y),
            means,
        );
    }
    for (word, before, after) in [("read", &x.read, &y.read), ("write", &x.write, &y.write)] {
        if let Some((kind, grade, means)) = conversion(m, word, before, after) {
            let text = |e: &Option<String>| {
                e.as_ref()
                    .map_or(format!("no {word}"), |e| format!("{word} `{e}`"))
            };
            tell(kind, grade, text(before), text(after), means);
        }
    }
}

/// What another conversion comes to; none: it is the same.
fn conversion(
    m: &Map,
    word: &str,
    before: &Option<String>,
    after: &Option<String>,
) -> Option<(Kind, Grade, String)> {
    Some(match (before, after) {
        (a, b) if a == b => return None,
        (Some(a), Some(b)) if words::same_but_spaces(a, b) => (
            Kind::ExpressionRewritten,
            Grade::Safe,
            "it says the same in other words".to_owned(),
        ),
        _ if word == "read" => (
            Kind::ConversionChanged,
            Grade::Risky,
            format!("what `{}` holds is read as other values", m.system),
        ),
        _ => (
            Kind::ConversionChanged,
            Grade::Risky,
            format!("`{}` gets other values", m.system),
        ),
    })
}

/// What other words for the values of an enum come to.
fn other_values(m: &Map, x: &MapField, y: &MapField) -> (Grade, String) {
    let differs = |(name, raw): &(&String, &String)| y.values.get(*name) != Some(raw);
    let lost: Vec<&str> = x
        .values
        .iter()
        .filter(differs)
        .map(|(n, _)| n.as_str())
        .collect();
    let won = y.values.keys().filter(|n| !x.values.contains_key(*n));
    let won: Vec<&str> = won.map(String::as_str).collect();
    match lost.is_empty() {
        false => (
            Grade::Breaking,
            format!(
                "what `{}` holds for {} is read as something else or not at all",
                m.system,
                names(lost)
            ),
        ),
        true => (
            Grade::Risky,
            format!("`{}` may get {}", m.system, names(won)),
        ),
    }
}

fn values_text(f: &MapField) -> String {
    if f.values.is_empty() {
        return "no values".to_owned();
    }
    let pairs: Vec<String> = f
        .values
        .iter()
        .map(|(n, raw)| format!("{n} = \"{raw}\""))
        .collect();
    format!("values {{ {} }}", pairs.join(", "))
}

/// A clause that names a column.
fn quoted(word: &str, column: &Option<String>) -> String {
    match column {
        Some(column) => format!("{word} \"{column}\""),
        None => format!("no {word}"),
    }
}

/// How changes are found: cursor, overlap, change time, deletions.
fn reading(list: &mut List, a: &Map, b: &Map) {
    let cursor = |m: &Map| quoted("cursor", &m.cursor);
    if a.cursor != b.cursor {
        let (kind, means) = match (&a.cursor, &b.cursor) {
            (Some(_), Some(_)) => (
                Kind::CursorChanged,
                "a store's position in the old column means nothing in the new one: clear it, or changes are missed".to_owned(),
            ),
            (_, None) => (Kind::CursorRemoved, format!("each read of `{}` takes everything", b.system)),
            (None, _) => (Kind::CursorAdded, format!("reads of `{}` take what changed", b.system)),
        };
        said(
            list,
            b,
            kind,
            (cursor(a), cursor(b)),
            |m| m.cursor.as_ref().map(|c| c.clause),
            means,
        );
    }
    overlap(list, a, b);
    times(list, a, b);
}

fn overlap(list: &mut List, a: &Map, b: &Map) {
    if a.overlap != b.overlap {
        let text =
            |o: Option<Millis>| o.map_or("no overlap".to_owned(), |o| format!("overlap {o}"));
        let (kind, means) = match b.overlap.unwrap_or_default() < a.overlap.unwrap_or_default() {
            true => (
                Kind::OverlapShortened,
                "changes that show late may be missed",
            ),
            false => (Kind::OverlapLengthened, "changes that show late are found"),
        };
        let words = (text(a.overlap), text(b.overlap));
        said(
            list,
            b,
            kind,
            words,
            |m| m.cursor.as_ref().map(|c| c.clause),
            means,
        );
    }
}

/// The columns that say when a record changed and whether it was deleted.
fn times(list: &mut List, a: &Map, b: &Map) {
    if a.changed_at != b.changed_at {
        let words = (
            quoted("changed_at", &a.changed_at),
            quoted("changed_at", &b.changed_at),
        );
        let means = match b.changed_at {
            Some(_) => format!(
                "which change of `{}` is the later is told by another column",
                b.system
            ),
            None => format!("changes of `{}` count as made when they are read", b.system),
        };
        said(
            list,
            b,
            Kind::ChangeTimeChanged,
            words,
            |m| m.changed_at.as_ref().map(|c| c.clause),
            means,
        );
    }
    if a.deleted != b.deleted {
        let words = (quoted("deleted", &a.deleted), quoted("deleted", &b.deleted));
        let means = match b.deleted {
            Some(_) => format!("other records of `{}` count as deleted", b.system),
            None => format!(
                "deletions in `{}` show by events and full scans alone",
                b.system
            ),
        };
        said(
            list,
            b,
            Kind::DeletedColumnChanged,
            words,
            |m| m.deleted.as_ref().map(|c| c.clause),
            means,
        );
    }
}
