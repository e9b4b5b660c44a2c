//! Settled registers: many in one row, in the order of their keys, as the JSON object that they
//! are together, one register a line.
//!
//! A row of its own would cost each of them a statement, a descent of the tree and its share of
//! pages that are half empty. Here a page is filled with a few dozen at once: whoever writes most of
//! what lies in a range writes each page of it once, and whoever wants one of them looks over the
//! lines of its row.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::VecDeque;

use memchr::{memchr, memchr2};
use rusqlite::params;

use crate::engine::ports::{Stored, StoredRecord};

use super::{Db, limit};

/// Bytes of a row's entity, first key and text that a page of 8,192 bytes holds without another one:
/// <https://www.sqlite.org/fileformat2.html#b_tree_pages> leaves 8,157 for a row with its header.
const ROOM: usize = 8_140;

/// The last row that begins at a key or before it: the one that the key belongs into.
const AT: &str = "SELECT docs FROM records_settled WHERE entity = ?1 AND first <= ?2 \
                  ORDER BY first DESC LIMIT 1";
/// That row and those after it.
const FROM: &str = "SELECT first, docs FROM records_settled \
    WHERE entity = ?1 AND first >= coalesce((SELECT first FROM records_settled \
        WHERE entity = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1), ?2) ORDER BY first";
/// The same without what is in them, up to another key.
const BETWEEN: &str = "SELECT id, first FROM records_settled \
    WHERE entity = ?1 AND first >= coalesce((SELECT first FROM records_settled \
        WHERE entity = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1), ?2) AND first <= ?3 \
    ORDER BY first";

/// Rows that are looked over in vain before the next key is looked for anew.
const PASSED: u32 = 2;

pub(super) fn get(db: &Db, entity: &str, key: &str) -> Stored<Option<String>> {
    db.check()?;
    let failed = |e| db.failed(e);
    let mut at = db.conn.prepare_cached(AT).map_err(failed)?;
    let mut rows = at.query([entity, key]).map_err(failed)?;
    let Some(row) = rows.next().map_err(failed)? else {
        return Ok(None);
    };
    let docs = row.get_ref(0).and_then(|docs| Ok(docs.as_str()?));
    for line in lines(docs.map_err(failed)?) {
        let line = line.ok_or_else(|| broken(db))?;
        match (*line.key).cmp(key) {
            Ordering::Less => {}
            Ordering::Equal => return Ok(Some(line.doc().to_owned())),
            Ordering::Greater => break,
        }
    }
    Ok(None)
}

/// Registers of keys that ascend.
pub(super) fn several(db: &Db, entity: &str, keys: &[&str]) -> Stored<Vec<Option<String>>> {
    db.check()?;
    let failed = |e| db.failed(e);
    let mut found: Vec<Option<String>> = Vec::with_capacity(keys.len());
    let mut from = db.conn.prepare_cached(FROM).map_err(failed)?;
    while let Some(key) = keys.get(found.len()) {
        let mut rows = from.query([entity, key]).map_err(failed)?;
        let (asked, mut passed) = (found.len(), 0);
        while found.len() < keys.len() && passed < PASSED {
            let Some(row) = rows.next().map_err(failed)? else {
                // Nothing comes after what was looked at.
                found.resize(keys.len(), None);
                break;
            };
            let text = |i| row.get_ref(i).and_then(|text| Ok(text.as_str()?));
            let (first, docs) = (text(0).map_err(failed)?, text(1).map_err(failed)?);
            let before = found.len();
            while keys.get(found.len()).is_some_and(|key| *key < first) {
                found.push(None);
            }
            take_from(docs, keys, &mut found).ok_or_else(|| broken(db))?;
            passed = if found.len() > before { 0 } else { passed + 1 };
        }
        if found.len() == asked {
            // The second row begins after the key, unless two begin with the same one.
            return Err(broken(db));
        }
    }
    Ok(found)
}

/// Takes the next wanted registers out of a row; one that comes after its last may be in the next.
fn take_from(docs: &str, keys: &[&str], found: &mut Vec<Option<String>>) -> Option<()> {
    for line in lines(docs) {
        let line = line?;
        while let Some(wanted) = keys.get(found.len()) {
            match (*line.key).cmp(wanted) {
                Ordering::Less => break,
                Ordering::Equal => found.push(Some(line.doc().to_owned())),
                Ordering::Greater => found.push(None),
            }
        }
        if found.len() == keys.len() {
            break;
        }
    }
    Some(())
}

/// Registers after a key, or from the first on.
pub(super) fn after(
    db: &Db,
    entity: &str,
    after: Option<&str>,
    most: usize,
) -> Stored<Vec<StoredRecord>> {
    db.check()?;
    let failed = |e| db.failed(e);
    let mut found = Vec::new();
    let mut from = db.conn.prepare_cached(FROM).map_err(failed)?;
    let mut rows = from
        .query([entity, after.unwrap_or_default()])
        .map_err(failed)?;
    while found.len() < most
        && let Some(row) = rows.next().map_err(failed)?
    {
        let docs = row.get_ref(1).and_then(|docs| Ok(docs.as_str()?));
        for line in lines(docs.map_err(failed)?) {
            let line = line.ok_or_else(|| broken(db))?;
            if found.len() < most && after.is_none_or(|after| *line.key > *after) {
                found.push(StoredRecord {
                    doc: line.doc().to_owned(),
                    key: line.key.into_owned(),
                });
            }
        }
    }
    Ok(found)
}

/// Whether more rows begin between two keys than so many bytes of registers make worth writing:
/// each should have a fifth of it written.
pub(super) fn lie_apart(
    db: &Db,
    entity: &str,
    (first, last): (&str, &str),
    bytes: usize,
) -> Stored<bool> {
    let worth = bytes / (ROOM / 5);
    let sql = "SELECT count(*) FROM (SELECT 1 FROM records_settled \
               WHERE entity = ?1 AND first > ?2 AND first <= ?3 LIMIT ?4)";
    let params = params![entity, first, last, limit(worth + 1)];
    let rows = db.one(sql, params, |row| row.get::<_, i64>(0))?;
    Ok(rows.unwrap_or_default() > limit(worth))
}

/// Writes registers, whose keys ascend, among those that are there.
pub(super) fn put(db: &Db, entity: &str, records: &[(&str, &str)]) -> Stored<()> {
    let (Some((first, _)), Some((last, _))) = (records.first(), records.last()) else {
        return Ok(());
    };
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let rows: Vec<(i64, String)> = db.all(BETWEEN, params![entity, first, last], read)?;
    let mut rest = records;
    let mut writer = Writer::new(db, entity);
    for (i, (id, first)) in rows.iter().enumerate() {
        let next = rows.get(i + 1).map(|(_, first)| first.as_str());
        let end = next.map_or(rest.len(), |next| rest.partition_point(|r| r.0 < next));
        let (here, later) = rest.split_at(end);
        rest = later;
        if here.is_empty() {
            // It stays as it is, and parts what is before it from what is behind.
            writer.finish(true)?;
            continue;
        }
        let (before, here) = here.split_at(here.partition_point(|r| *r.0 < **first));
        before.iter().try_for_each(|r| writer.add(*r))?;
        let docs = "SELECT docs FROM records_settled WHERE id = ?1";
        let docs = db.one(docs, [id], |row| row.get::<_, String>(0))?;
        writer.free.push_back((*id, first));
        writer.merge(&docs.unwrap_or_default(), here)?;
    }
    rest.iter().try_for_each(|r| writer.add(*r))?;
    let sql = "SELECT 1 FROM records_settled WHERE entity = ?1 AND first > ?2 LIMIT 1";
    let followed = db.one(sql, [entity, last], |_| Ok(()))?.is_some();
    writer.finish(followed)
}

/// Fills rows with registers in their order: those rows first that what they held was taken from.
struct Writer<'a> {
    db: &'a Db,
    entity: &'a str,
    /// Rows that may be written over, with the first key that each still has.
    free: VecDeque<(i64, &'a str)>,
    /// A full row that is not written yet: what follows may be too little for one of its own.
    full: Option<Filled>,
    filling: Filled,
}

/// A row's text, without its closing brace, and its first key.
#[derive(Default)]
struct Filled {
    first: String,
    text: String,
}

impl Filled {
    /// Begins a line; gives the place where the rest of it goes.
    fn begin(&mut self, key: &str) -> &mut String {
        if self.text.is_empty() {
            self.first.clear();
            self.first.push_str(key);
            self.text.push('{');
        } else {
            self.text.push_str(",\n");
        }
        &mut self.text
    }
}

impl<'a> Writer<'a> {
    fn new(db: &'a Db, entity: &'a str) -> Self {
        Writer {
            db,
            entity,
            free: VecDeque::new(),
            full: None,
            filling: Filled::default(),
        }
    }

    /// Adds what a row held, and new registers in the places of old ones and between them.
    fn merge(&mut self, docs: &str, new: &[(&str, &str)]) -> Stored<()> {
        let mut new = new.iter().peekable();
        for line in lines(docs) {
            let line = line.ok_or_else(|| broken(self.db))?;
            let mut replaced = false;
            while let Some((key, doc)) = new.next_if(|(key, _)| **key <= *line.key) {
                replaced = *key == line.key;
                self.add((key, doc))?;
            }
            if !replaced {
                self.make_room(line.spelt.len())?;
                self.filling.begin(&line.key).push_str(line.spelt);
            }
        }
        new.try_for_each(|record| self.add(*record))
    }

    fn add(&mut self, (key, doc): (&str, &str)) -> Stored<()> {
        self.make_room(key.len() + doc.len() + 3)?;
        let text = self.filling.begin(key);
        push_key(text, key);
        text.push(':');
        // A line is a register. In JSON a line's end stands between words alone.
        match doc.contains('\n') {
            true => text.push_str(&doc.replace('\n', " ")),
            false => text.push_str(doc),
        }
        Ok(())
    }

    fn room(&self) -> usize {
        ROOM.saturating_sub(self.entity.len() + self.filling.first.len())
    }

    /// Begins a new row where a line of so many bytes has no place in this one.
    fn make_room(&mut self, bytes: usize) -> Stored<()> {
        if self.filling.text.is_empty() || self.filling.text.len() + bytes + 3 <= self.room() {
            return Ok(());
        }
        let filled = std::mem::take(&mut self.filling);
        match self.full.replace(filled) {
            Some(before) => self.write(before),
            None => Ok(()),
        }
    }

    /// Writes what is left. Where other rows follow, the last two share what is too little for both:
    /// a full one with a few registers behind it would be parted again and again.
    fn finish(&mut self, followed: bool) -> Stored<()> {
        let little = self.filling.text.len() < self.room() / 2;
        let mut last = std::mem::take(&mut self.filling);
        if let Some(mut full) = self.full.take() {
            if followed && little && !last.text.is_empty() {
                (full, last) = halves(&full, &last).ok_or_else(|| broken(self.db))?;
            }
            self.write(full)?;
        }
        if !last.text.is_empty() {
            self.write(last)?;
        }
        for (id, _) in std::mem::take(&mut self.free) {
            let sql = "DELETE FROM records_settled WHERE id = ?1";
            self.db.run(sql, [id])?;
        }
        Ok(())
    }

    fn write(&mut self, mut row: Filled) -> Stored<()> {
        row.text.push('}');
        let (db, entity) = (self.db, self.entity);
        let written = match self.free.pop_front() {
            Some((id, first)) if first == row.first => {
                let sql = "UPDATE records_settled SET docs = ?2 WHERE id = ?1";
                db.run(sql, params![id, row.text])
            }
            Some((id, _)) => {
                let sql = "UPDATE records_settled SET docs = ?2, first = ?3 WHERE id = ?1";
                db.run(sql, params![id, row.text, row.first])
            }
            None => {
                let sql = "INSERT INTO records_settled (entity, first, docs) VALUES (?1, ?2, ?3)";
                db.run(sql, params![entity, row.first, row.text])
            }
        };
        written.map(drop)
    }
}

/// Two rows with about half of the bytes each.
fn halves(one: &Filled, two: &Filled) -> Option<(Filled, Filled)> {
    let half = (one.text.len() + two.text.len()) / 2;
    let (mut first, mut second) = (Filled::default(), Filled::default());
    for row in [one, two] {
        let closed = format!("{}}}", row.text);
        for line in lines(&closed) {
            let line = line?;
            let to = match first.text.len() < half {
                true => &mut first,
                false => &mut second,
            };
            to.begin(&line.key).push_str(line.spelt);
        }
    }
    Some((first, second))
}

/// A register in a row's text.
struct Line<'t> {
    key: Cow<'t, str>,
    /// Key and register as they stand there.
    spelt: &'t str,
    /// Where the register begins in that.
    at: usize,
}

impl<'t> Line<'t> {
    fn doc(&self) -> &'t str {
        &self.spelt[self.at..]
    }
}

/// The registers of a row's text; `None` for what is no line of one.
fn lines(docs: &str) -> impl Iterator<Item = Option<Line<'_>>> {
    let inner = docs.strip_prefix('{').and_then(|d| d.strip_suffix('}'));
    let mut rest = Some(inner.unwrap_or_default());
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let parted = memchr(b'\n', text.as_bytes()).and_then(|at| text.split_at_checked(at));
        let line = match parted {
            Some((line, later)) => {
                rest = later.get(1..);
                line.strip_suffix(',')
            }
            None => Some(text),
        };
        Some(line.and_then(line_of))
    })
}

fn line_of(spelt: &str) -> Option<Line<'_>> {
    let inner = spelt.strip_prefix('"')?;
    let bytes = inner.as_bytes();
    let mut end = memchr2(b'"', b'\\', bytes)?;
    let plain = bytes.get(end) == Some(&b'"');
    while bytes.get(end)? != &b'"' {
        // What stands behind a backslash ends nothing.
        end += 2;
        end += memchr2(b'"', b'\\', bytes.get(end..)?)?;
    }
    // The quotes before and behind the key.
    let (quoted, behind) = (&spelt[..end + 2], &spelt[end + 2..]);
    behind.strip_prefix(':')?;
    let key = match plain {
        true => Cow::Borrowed(&inner[..end]),
        false => Cow::Owned(serde_json::from_str(quoted).ok()?),
    };
    Some(Line {
        key,
        spelt,
        at: end + 3,
    })
}

fn push_key(text: &mut String, key: &str) {
    let plain = |b: &u8| *b >= b' ' && *b != b'"' && *b != b'\\';
    if key.as_bytes().iter().all(plain) {
        text.push('"');
        text.push_str(key);
        text.push('"');
    } else {
        // A string becomes JSON whatever is in it.
        text.push_str(&serde_json::Value::from(key).to_string());
    }
}

fn broken(db: &Db) -> crate::engine::ports::StoreError {
    db.spoilt("a row of `records_settled` is not what Syncline writes there")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(records: &[(String, String)]) -> String {
        let mut filled = Filled::default();
        for (key, doc) in records {
            let text = filled.begin(key);
            push_key(text, key);
            text.push(':');
            text.push_str(doc);
        }
        filled.text + "}"
    }

    proptest! {
        #[test]
        fn a_row_is_json_and_gives_its_lines_back(
            records in prop::collection::btree_map(any::<String>(), any::<String>(), 1..9),
        ) {
            let records: Vec<(String, String)> = records
                .into_iter()
                .map(|(key, said)| (key, serde_json::json!({ "said": said }).to_string()))
                .collect();
            let text = of(&records);
            let found: Option<Vec<(String, String)>> = lines(&text)
                .map(|line| line.map(|l| (l.key.clone().into_owned(), l.doc().to_owned())))
                .collect();
            prop_assert_eq!(found.as_ref(), Some(&records));
            let json: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&text).expect("it is JSON");
            prop_assert_eq!(json.len(), records.len());
            for (key, doc) in &records {
                prop_assert_eq!(&json[key].to_string(), doc);
            }
        }

        #[test]
        fn whatever_a_file_holds_is_read_without_a_panic(text in r#"\{?("|\\|:|,|\n|k|é|\}){0,40}"#) {
            for line in lines(&text).flatten() {
                let _ = line.doc();
            }
        }
    }
}
