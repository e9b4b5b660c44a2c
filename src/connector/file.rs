//! Files as systems: where a map's file is, which file it is, and how one is replaced whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};

use super::codec::Binding;
use super::failure::{file as file_failure, retry, setup};
use crate::engine::ports::{Failure, MapIx, SystemIx};
use crate::failpoint::{Point, reach};
use crate::plan::Plan;

/// The maps of a system whose objects are files.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    /// Appended to an object without an extension.
    extension: &'static str,
    maps: BTreeMap<MapIx, Mapped>,
}

/// One of the maps.
#[derive(Debug)]
struct Mapped {
    binding: Binding,
    /// No scenario reads records from here: a file that is not there yet is an empty one.
    only_written: bool,
}

impl Files {
    /// Binds all maps of a system; `path` is a directory or a file.
    pub(super) fn open(
        plan: &Plan,
        system: SystemIx,
        path: PathBuf,
        extension: &'static str,
    ) -> Result<Files, Failure> {
        let mut maps = BTreeMap::new();
        for (map, binding) in bindings(plan, system)? {
            let only_written = !plan.scenarios.iter().any(|s| {
                let cleaned = s
                    .clean
                    .as_ref()
                    .is_some_and(|c| c.entity == binding.entity() && c.system == binding.system());
                cleaned
                    || s.routes
                        .iter()
                        .any(|r| r.entity == binding.entity() && r.from == binding.system())
            });
            let mapped = Mapped {
                binding,
                only_written,
            };
            maps.insert(map, mapped);
        }
        Ok(Files {
            path,
            extension,
            maps,
        })
    }

    /// A map's binding and file.
    pub(super) fn of(&self, map: MapIx) -> Result<(&Binding, PathBuf), Failure> {
        let mapped = self.mapped(map)?;
        Ok((&mapped.binding, self.file(mapped.binding.object())?))
    }

    /// The same for writing. A file that is read as well has to be there: rows that are written
    /// into a new one in its place would, once they are read, say of every other field of theirs
    /// that its owner emptied it.
    pub(super) fn to_write(&self, map: MapIx) -> Result<(&Binding, PathBuf), Failure> {
        let (binding, path) = self.of(map)?;
        // What cannot be looked at now is told of by the write.
        if self.may_be_absent(map) || path.try_exists().unwrap_or(true) {
            return Ok((binding, path));
        }
        let create = match self.extension {
            "csv" => format!(
                "the file with the header line {}",
                binding.wanted().join(",")
            ),
            _ => "an empty file".to_owned(),
        };
        Err(setup(
            format!(
                "`{}`: the file {} is not there, and it is read as well as written",
                binding.system(),
                path.display()
            ),
            format!("correct the option `path`; where there are no records yet, create {create}"),
        ))
    }

    /// Whether a map's missing file may be taken for an empty one.
    pub(super) fn may_be_absent(&self, map: MapIx) -> bool {
        self.maps.get(&map).is_some_and(|m| m.only_written)
    }

    /// The files of all maps, each once, in order; the option's own where there is no map.
    pub(super) fn all(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut files: Vec<PathBuf> = self
            .maps
            .values()
            .map(|m| self.file(m.binding.object()))
            .collect::<Result<_, _>>()?;
        if files.is_empty() {
            files.push(self.path.clone());
        }
        files.sort();
        files.dedup();
        Ok(files)
    }

    /// Whether a column of that name is mapped.
    pub(super) fn map_column(&self, name: &str) -> bool {
        self.maps
            .values()
            .any(|m| m.binding.wanted().iter().any(|w| w == name))
    }

    fn mapped(&self, map: MapIx) -> Result<&Mapped, Failure> {
        self.maps.get(&map).ok_or_else(|| no_such_map(map))
    }

    fn file(&self, object: &str) -> Result<PathBuf, Failure> {
        if !names_directory(&self.path) {
            return Ok(self.path.clone());
        }
        let inside = Path::new(object)
            .components()
            .all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if object.is_empty() || !inside {
            return Err(setup(
                format!("`{object}` is no file inside `{}`", self.path.display()),
                "name a file below the directory of the option `path`, without `..`",
            ));
        }
        let file = self.path.join(object);
        Ok(match file.extension() {
            Some(_) => file,
            None => file.with_extension(self.extension),
        })
    }
}

/// All maps of a system, compiled.
pub(super) fn bindings(plan: &Plan, system: SystemIx) -> Result<Vec<(MapIx, Binding)>, Failure> {
    let name = plan
        .systems
        .get(usize::from(system))
        .map(|s| s.name.as_str())
        .unwrap_or_default();
    let mut bound = Vec::new();
    for (at, map) in plan.maps.iter().enumerate() {
        if map.system == name
            && let Ok(ix) = MapIx::try_from(at)
        {
            bound.push((ix, Binding::compile(plan, ix)?));
        }
    }
    Ok(bound)
}

/// A request for a map that belongs to another system.
pub(super) fn no_such_map(map: MapIx) -> Failure {
    setup(
        format!("map {map} of the plan is none of this system's"),
        "compile the plan again with `syncline plan`",
    )
}

/// Whether a path is meant as a directory: it is one, or it does not exist and has no extension.
fn names_directory(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) => found.is_dir(),
        Err(_) => {
            path.extension().is_none() || path.as_os_str().to_string_lossy().ends_with(['/', '\\'])
        }
    }
}

/// Which file it is, whatever its name says by now.
pub(super) fn identity(found: &fs::Metadata) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        format!("{:x}-{:x}", found.dev(), found.ino())
    }
    #[cfg(not(unix))]
    {
        let created = found
            .created()
            .ok()
            .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
            .map_or(0, |d| d.as_nanos());
        format!("{created:x}")
    }
}

/// What tells that somebody changed a file: its length, time and identity.
pub(super) type Stamp = (u64, Option<std::time::SystemTime>, String);

/// A file's stamp.
pub(super) fn stamp(path: &Path) -> Result<Stamp, Failure> {
    let found = fs::metadata(path).map_err(|e| file_failure("read", path, &e))?;
    Ok((found.len(), found.modified().ok(), identity(&found)))
}

/// Refuses to replace a file that somebody else changed since its stamp was taken.
pub(super) fn unchanged(path: &Path, before: &Stamp) -> Result<(), Failure> {
    if stamp(path)? == *before {
        return Ok(());
    }
    Err(retry(
        format!(
            "`{}` was changed by somebody else while it was being rewritten",
            path.display()
        ),
        "let only one program write that file at a time",
    ))
}

/// A file that takes the place of another one at once, or not at all.
///
/// What is written goes to a hidden file beside the target. [`Rewrite::commit`] makes it durable,
/// renames it over the target and makes the renaming durable. A process that is killed leaves the
/// target as it was; the hidden file is taken over by the next rewrite.
#[derive(Debug)]
pub(super) struct Rewrite {
    target: PathBuf,
    beside: PathBuf,
    out: Option<BufWriter<File>>,
    /// The last byte written.
    last: Option<u8>,
}

impl Rewrite {
    /// Starts to replace `target`; directories on the way are created.
    pub(super) fn start(target: &Path) -> Result<Rewrite, Failure> {
        // A link stays a link: what it points to is replaced.
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_path_buf());
        let parent = parent_of(&target);
        if !parent.exists() {
            create_directories(&parent).map_err(|e| file_failure("create", &parent, &e))?;
        }
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let beside = parent.join(format!(".{name}.syncline-part"));
        let opened = match fs::remove_file(&beside) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => File::create_new(&beside),
        };
        let file = opened.map_err(|e| file_failure("write", &beside, &e))?;
        let rewrite = Rewrite {
            target,
            beside,
            out: Some(BufWriter::with_capacity(256 * 1024, file)),
            last: None,
        };
        if let Ok(found) = fs::metadata(&rewrite.target) {
            fs::set_permissions(&rewrite.beside, found.permissions())
                .map_err(|e| rewrite.failure(&e))?;
        }
        Ok(rewrite)
    }

    /// Makes the new file durable and puts it in the target's place.
    pub(super) fn commit(mut self) -> Result<(), Failure> {
        let put = |rewrite: &mut Rewrite| -> io::Result<()> {
            if let Some(out) = rewrite.out.take() {
                let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.sync_all()?;
            }
            reach(Point::FileWritten);
            fs::rename(&rewrite.beside, &rewrite.target)?;
            reach(Point::FileReplaced);
            sync_directory(&parent_of(&rewrite.target))
        };
        put(&mut self).map_err(|e| {
            let _ = fs::remove_file(&self.beside);
            self.failure(&e)
        })
    }

    /// Whether what was written so far ends with one of these bytes (or is nothing).
    pub(super) fn ends_with(&self, ends: &[u8]) -> bool {
        self.last.is_none_or(|last| ends.contains(&last))
    }

    /// A failure to write the target.
    pub(super) fn failure(&self, error: &io::Error) -> Failure {
        file_failure("write", &self.target, error)
    }
}

impl Write for Rewrite {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(out) = &mut self.out else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let written = out.write(bytes)?;
        if let Some(last) = bytes.get(..written).and_then(<[u8]>::last) {
            self.last = Some(*last);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for Rewrite {
    fn drop(&mut self) {
        if let Some(out) = self.out.take() {
            // What was not committed is not wanted: neither its buffer nor its file.
            drop(out.into_parts());
            let _ = fs::remove_file(&self.beside);
        }
    }
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

fn create_directories(path: &Path) -> io::Result<()> {
    let mut missing: Vec<&Path> = path.ancestors().take_while(|p| !p.exists()).collect();
    fs::create_dir_all(path)?;
    // Each new name is durable only once its parent is.
    while let Some(made) = missing.pop() {
        sync_directory(&parent_of(made))?;
    }
    Ok(())
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}
