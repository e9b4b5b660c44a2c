//! Following a file that grows: what was appended since the last look, whatever its format.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::hashed_id;
use super::failure::file as file_failure;
use super::file::Files;
use crate::engine::ports::{EventPage, Failure, RawEvent};

/// Bytes at the start, and as many before the position, by which a file is known again.
const PRINT_BYTES: u64 = 1024;

/// For how long nothing is written to a file whose writer is done: two looks may be moments apart,
/// and between two parts of a row a program may have other work.
const REST: Duration = Duration::from_secs(60);

/// How far each file was followed, by its name.
type Position = BTreeMap<String, Followed>;

/// How far a file was followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Followed {
    byte: u64,
    /// Print of its start and of what stands before `byte`. A file in which these are as they were
    /// has only grown; any other was cut or replaced.
    print: String,
    /// The file's length at that time.
    length: u64,
}

/// What is appended to a file, piece by piece.
pub(super) trait Pieces {
    /// The next whole piece: an event, or nothing worth one. `None`: the rest is not whole yet.
    fn next(&mut self) -> io::Result<Option<Option<RawEvent>>>;
    /// Byte offset after the last piece.
    fn byte(&self) -> u64;
}

/// Where a format starts to look for pieces.
pub(super) struct Start {
    /// The file, at any offset.
    pub file: File,
    /// Byte offset of the first piece.
    pub byte: u64,
    /// The file's length, where nothing was appended since the last look, nor for [`REST`]: what
    /// has no end there will not get one.
    pub still: Option<u64>,
}

/// Reads on from a position in all files of a system.
pub(super) fn events<P: Pieces>(
    files: &Files,
    position: Option<&str>,
    limit: usize,
    pieces: impl Fn(Start) -> io::Result<P>,
) -> Result<EventPage, Failure> {
    // A position of another making is none: what is seen again is known by its id.
    let mut position: Position = position
        .and_then(|p| serde_json::from_str(p).ok())
        .unwrap_or_default();
    let mut page = EventPage::default();
    let mut absent = None;
    for path in files.all()? {
        let name = path.file_name().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
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
        let followed = follow(file, position.get(&name), limit, &mut page, &pieces)
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

fn follow<P: Pieces>(
    mut file: File,
    before: Option<&Followed>,
    limit: usize,
    page: &mut EventPage,
    pieces: impl Fn(Start) -> io::Result<P>,
) -> io::Result<Followed> {
    let found = file.metadata()?;
    let length = found.len();
    let before = match before {
        Some(f) if print(&mut file, f.byte)?.as_deref() == Some(&f.print) => Some(f),
        _ => None,
    };
    let mut pieces = pieces(Start {
        file: file.try_clone()?,
        byte: before.map_or(0, |f| f.byte),
        still: before
            .filter(|f| f.length == length && rests(&found))
            .map(|_| length),
    })?;
    let mut byte = before.map_or(0, |f| f.byte);
    loop {
        if page.events.len() >= limit {
            page.more = true;
            break;
        }
        let Some(piece) = pieces.next()? else {
            break;
        };
        byte = pieces.byte();
        page.events.extend(piece);
    }
    Ok(Followed {
        byte,
        print: print(&mut file, byte)?.unwrap_or_default(),
        length,
    })
}

/// Whether nothing was written to a file for long; where its time lies ahead nobody can tell.
fn rests(found: &Metadata) -> bool {
    let written = found.modified().ok();
    let since = written.and_then(|at| at.elapsed().ok());
    since.is_some_and(|since| since >= REST)
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
