//! Upserts and deletions by rewriting the file line by line.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Map as Object, Value as Json};

use super::read::{Line, Lines, content};
use crate::connector::codec::Binding;
use crate::connector::failure::file as file_failure;
use crate::connector::file::{Rewrite, stamp, unchanged};
use crate::engine::ports::{Failure, Write, WriteReport};

/// Applies the writes to the file; when it returns, they are durable there.
pub(super) fn upsert(
    binding: &Binding,
    path: &Path,
    writes: &[Write],
) -> Result<WriteReport, Failure> {
    let mut batch = Batch {
        binding,
        writes,
        by_key: writes
            .iter()
            .enumerate()
            .map(|(at, w)| (w.key.as_str(), at))
            .collect(),
        seen: vec![false; writes.len()],
        rejected: Vec::new(),
    };
    let existing = match File::open(path) {
        Ok(file) => Some((file, stamp(path)?)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(file_failure("read", path, &e)),
    };
    let mut rewrite = Rewrite::start(path)?;
    let mut changed = existing.is_none();
    let mut before = None;
    if let Some((file, stamp)) = existing {
        changed |= batch.lines(file, path, &mut rewrite)?;
        before = Some(stamp);
    }
    changed |= batch.append(&mut rewrite)?;
    if changed {
        if let Some(before) = &before {
            unchanged(path, before)?;
        }
        rewrite.commit()?;
    }
    batch.rejected.sort();
    Ok(WriteReport {
        rejected: batch.rejected,
        calls: 1,
    })
}

/// The writes of a call and what became of them.
struct Batch<'a> {
    binding: &'a Binding,
    writes: &'a [Write],
    by_key: HashMap<&'a str, usize>,
    seen: Vec<bool>,
    rejected: Vec<(usize, String)>,
}

impl Batch<'_> {
    /// Copies the file's lines, changing those that the batch names; whether any changed.
    fn lines(&mut self, file: File, path: &Path, out: &mut Rewrite) -> Result<bool, Failure> {
        let io = |e| file_failure("read", path, &e);
        let mut lines = Lines::from(file, 0, 1).map_err(io)?;
        let mut line = Vec::new();
        let mut changed = false;
        loop {
            let number = lines.line;
            if !lines.next(&mut line).map_err(io)? {
                break;
            }
            let new = self.line(&line, path, number);
            changed |= new.is_some();
            let bytes = new.as_deref().unwrap_or(&line);
            out.write_all(bytes).map_err(|e| out.failure(&e))?;
        }
        if !out.ends_line() {
            out.write_all(b"\n").map_err(|e| out.failure(&e))?;
        }
        Ok(changed)
    }

    /// What takes the place of a line; none: it stays as it is.
    fn line(&mut self, line: &[u8], path: &Path, number: u64) -> Option<Vec<u8>> {
        let text = content(line);
        let mut json: Json = serde_json::from_slice(text).ok()?;
        let record = Line {
            binding: self.binding,
            json: Some(&json),
            text,
            path,
            line: number,
        };
        let key = self.binding.decode_key_only(&record).ok()?;
        let at = *self.by_key.get(key.as_str())?;
        let write = self.writes.get(at)?;
        if let Some(seen) = self.seen.get_mut(at) {
            *seen = true;
        }
        if write.delete {
            return Some(Vec::new());
        }
        let cells = match self.binding.encode(write) {
            Ok(cells) => cells,
            Err(why) => {
                self.rejected.push((at, why));
                return None;
            }
        };
        let members = json.as_object_mut()?;
        let mut changed = false;
        for (wanted, raw) in &cells {
            let name = self.binding.name_of(*wanted);
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
    fn append(&mut self, out: &mut Rewrite) -> Result<bool, Failure> {
        let mut any = false;
        for (at, write) in self.writes.iter().enumerate() {
            if write.delete || self.seen.get(at).is_some_and(|s| *s) {
                continue;
            }
            let encoded = self
                .binding
                .encode_key(write)
                .and_then(|key| Ok((key, self.binding.encode(write)?)));
            let (key, cells) = match encoded {
                Ok(encoded) => encoded,
                Err(why) => {
                    self.rejected.push((at, why));
                    continue;
                }
            };
            let keys = self.binding.key_columns().zip(&key);
            let object: Object<String, Json> = keys
                .chain(cells.iter().map(|(wanted, raw)| (*wanted, raw)))
                .map(|(wanted, raw)| (self.binding.name_of(wanted).to_owned(), raw.json()))
                .collect();
            writeln!(out, "{}", Json::Object(object)).map_err(|e| out.failure(&e))?;
            any = true;
        }
        Ok(any)
    }
}
