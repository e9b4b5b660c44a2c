//! Upserts and deletions by rewriting the file line by line.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map as Object, Value as Json};

use super::read::{Line, Lines, content};
use crate::connector::codec::Binding;
use crate::connector::failure::file as file_failure;
use crate::connector::file::{Rewrite, stamp, unchanged};
use crate::connector::upserts::{Change, Upserts, locator};
use crate::engine::ports::{Failure, Write, WriteReport};

/// Applies the writes to the file; when it returns, they are durable there.
pub(super) fn upsert(
    binding: &Binding,
    path: &Path,
    writes: &[Write],
) -> Result<WriteReport, Failure> {
    let mut upserts = Upserts::new(binding, writes);
    let existing = match File::open(path) {
        Ok(file) => Some((file, stamp(path)?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(file_failure("read", path, &e)),
    };
    let mut rewrite = Rewrite::start(path)?;
    let mut changed = existing.is_none();
    let mut before = None;
    if let Some((file, stamp)) = existing {
        changed |= lines(&mut upserts, file, path, &mut rewrite)?;
        before = Some(stamp);
    }
    changed |= append(&mut upserts, &mut rewrite)?;
    if changed {
        if let Some(before) = &before {
            unchanged(path, before)?;
        }
        rewrite.commit()?;
    }
    Ok(upserts.report())
}

/// Copies the file's lines, changing those that somebody writes; whether any changed.
fn lines(
    upserts: &mut Upserts<'_>,
    file: File,
    path: &Path,
    out: &mut Rewrite,
) -> Result<bool, Failure> {
    let io = |e| file_failure("read", path, &e);
    let mut lines = Lines::from(file, 0, 1).map_err(io)?;
    let mut line = Vec::new();
    let mut changed = false;
    loop {
        let number = lines.line;
        if !lines.next(&mut line).map_err(io)? {
            break;
        }
        let new = successor(upserts, &line, path, number);
        changed |= new.is_some();
        let bytes = new.as_deref().unwrap_or(&line);
        out.write_all(bytes).map_err(|e| out.failure(&e))?;
    }
    if !out.ends_with(b"\n") {
        out.write_all(b"\n").map_err(|e| out.failure(&e))?;
    }
    Ok(changed)
}

/// What takes the place of a line; none: it stays as it is.
fn successor(upserts: &mut Upserts<'_>, line: &[u8], path: &Path, number: u64) -> Option<Vec<u8>> {
    let text = content(line);
    let mut json: Json = serde_json::from_slice(text).ok()?;
    let record = Line {
        binding: upserts.binding(),
        json: Some(&json),
        text,
        path,
        line: number,
    };
    let key = upserts.binding().decode_key_only(&record).ok()?;
    let cells = match upserts.meet(&key, || locator([text]))? {
        Change::Keep => return None,
        Change::Delete => return Some(Vec::new()),
        Change::Set(cells) => cells,
    };
    let members = json.as_object_mut()?;
    let mut changed = false;
    for (wanted, raw) in &cells {
        let name = upserts.binding().name_of(*wanted);
        let new = raw.json();
        if members.get(name) != Some(&new) {
            members.insert(name.to_owned(), new);
            changed = true;
        }
    }
    let end = match line.strip_suffix(b"\r\n") {
        Some(_) => "\r\n",
        None => "\n",
    };
    changed.then(|| format!("{json}{end}").into_bytes())
}

/// Writes the records that the file did not have; whether there were any.
fn append(upserts: &mut Upserts<'_>, out: &mut Rewrite) -> Result<bool, Failure> {
    let mut from = 0;
    while let Some((cells, next)) = upserts.next_new(from) {
        let object: Object<String, Json> = cells
            .iter()
            .map(|(wanted, raw)| (upserts.binding().name_of(*wanted).to_owned(), raw.json()))
            .collect();
        writeln!(out, "{}", Json::Object(object)).map_err(|e| out.failure(&e))?;
        from = next;
    }
    Ok(from > 0)
}
