//! Following a file that grows: what was appended since the last look.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::read::{Lines, content};
use crate::connector::event::{hashed_id, own_id};
use crate::connector::failure::file as file_failure;
use crate::connector::file::Files;
use crate::engine::ports::{EventPage, Failure, RawEvent};

/// Bytes at the start, and as many before the position, by which a file is known again.
const PRINT_BYTES: u64 = 1024;

/// How far each file was followed, by its name.
type Position = BTreeMap<String, Followed>;

/// How far a file was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Followed {
    byte: u64,
    /// Print of its start and of what stands before `byte`. A file in which these are as they were
    /// has only grown; any other was cut or replaced.
    print: String,
}

/// Reads on from a position in all files of a system.
pub(super) fn events(
    system: &str,
    files: &Files,
    position: Option<&str>,
    limit: usize,
) -> Result<EventPage, Failure> {
    // A position of another making is none: what it passes over again is known by its id.
    let mut position: Position = position
        .and_then(|p| serde_json::from_str(p).ok())
        .unwrap_or_default();
    let id_is_column = files.map_column("id");
    let mut page = EventPage::default();
    let mut absent = None;
    for path in files.all()? {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) => {
                let known = position.contains_key(&name);
                // A file that is being rotated is away for a moment.
                if !(known && e.kind() == io::ErrorKind::NotFound) {
                    absent.get_or_insert(file_failure("read", &path, &e));
                }
                continue;
            }
        };
        let source = Source {
            system,
            id_is_column,
        };
        let followed = source
            .follow(file, position.get(&name), limit, &mut page)
            .map_err(|e| file_failure("read", &path, &e))?;
        position.insert(name, followed);
        if page.more {
            break;
        }
    }
    match absent {
        Some(failure) if position.is_empty() => return Err(failure),
        _ => page.position = serde_json::to_string(&position).ok(),
    }
    Ok(page)
}

struct Source<'a> {
    system: &'a str,
    id_is_column: bool,
}

impl Source<'_> {
    fn follow(
        &self,
        mut file: File,
        before: Option<&Followed>,
        limit: usize,
        page: &mut EventPage,
    ) -> io::Result<Followed> {
        let start = match before {
            Some(f) if print(&mut file, f.byte)?.as_deref() == Some(&f.print) => f.byte,
            _ => 0,
        };
        let mut lines = Lines::from(file.try_clone()?, start, 1)?;
        let mut done = start;
        let mut line = Vec::new();
        loop {
            if page.events.len() >= limit {
                page.more = true;
                break;
            }
            if !lines.next(&mut line)? {
                break;
            }
            let text = content(&line);
            let parsed = serde_json::from_slice::<Json>(text).ok();
            // Whoever appends is not done with a line that has no end and no meaning yet.
            if !line.ends_with(b"\n") && !matches!(parsed, Some(Json::Object(_))) {
                break;
            }
            done = lines.byte;
            if !text.is_empty() {
                page.events.push(self.event(text, parsed.as_ref()));
            }
        }
        let print = print(&mut file, done)?.unwrap_or_default();
        Ok(Followed { byte: done, print })
    }

    /// A line that is no JSON is an event too: whoever reads its body says what is wrong.
    fn event(&self, text: &[u8], parsed: Option<&Json>) -> RawEvent {
        let own = parsed.and_then(|json| own_id(json, self.id_is_column));
        RawEvent {
            id: own.unwrap_or_else(|| hashed_id(self.system, text)),
            body: String::from_utf8_lossy(text).into_owned(),
        }
    }
}

/// The print of a file followed up to `byte`; none where it is shorter.
fn print(file: &mut File, byte: u64) -> io::Result<Option<String>> {
    if file.metadata()?.len() < byte {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.by_ref()
        .take(byte.min(PRINT_BYTES))
        .read_to_end(&mut bytes)?;
    let tail = byte.saturating_sub(PRINT_BYTES);
    file.seek(SeekFrom::Start(tail))?;
    file.by_ref().take(byte - tail).read_to_end(&mut bytes)?;
    Ok(Some(hashed_id("print", &bytes)))
}
