//! A policy of several files: from a root through `use` to every file it reaches.
//!
//! Does no I/O itself: files come through [`FileReader`]. Troubles of files are findings (SL0004,
//! SL0005), so that one missing file does not hide what is wrong in the others.

mod encoding;
mod known;

use self::encoding::is_wide;
use self::known::Known;
use super::markdown;
use super::tree::{self, ItemKind};
use super::{literal, parse};
use crate::finding::{self, Code, Edit, Finding, Grade};
use crate::text::{FileId, SourceFile, Sources, Span, nearest};
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Component, Path, PathBuf};

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: usize = 64 * 1024 * 1024;

/// Files may use one another this deep.
const MAX_DEPTH: usize = 256;

/// The file that a directory stands for.
pub const ROOT_FILE: &str = "policy.sync";

/// Where files come from.
pub trait FileReader: Sync {
    /// The bytes of a file; may stop once it has more than `limit`.
    fn read(&self, path: &Path, limit: usize) -> io::Result<Vec<u8>>;
    /// Whether a directory stands at `path`.
    fn is_dir(&self, path: &Path) -> bool;
    /// Whether anything stands at `path`.
    fn exists(&self, path: &Path) -> bool;
    /// The names of what stands in a directory, for suggestions; none where that is not known.
    fn names(&self, _directory: &Path) -> Vec<String> {
        Vec::new()
    }
    /// The one absolute path of what stands at `path`: no `.`, no `..`, no symbolic link.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;
}

/// What to load.
#[derive(Debug, Clone, Copy)]
pub enum Root<'a> {
    /// A file, or a directory that holds a `policy.sync`.
    Path(&'a Path),
    /// A text that is in no file yet, such as standard input or an editor's buffer: its name as
    /// shown, to which its `use` is relative, and its bytes.
    Text(&'a str, &'a [u8]),
}

/// The files of a policy, parsed.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The texts in reading order, the root first.
    pub sources: Sources,
    /// The trees, one for each text.
    pub files: Vec<tree::File>,
    /// SL0001, SL0004 and SL0005, in the order in which findings are shown.
    pub findings: Vec<Finding>,
    /// Every `use` string that leads to a file, with that file.
    pub imports: Vec<(Span, FileId)>,
    /// A part of a Markdown text that is only parsed, and no policy.
    pub fragment: bool,
    /// Where the policy begins in its first file: after the fence of a Markdown block, else 0.
    pub start: usize,
    /// The one absolute path of each text, without links, in the same order.
    pub places: Vec<PathBuf>,
    /// The directory that none of its files may leave.
    pub repository: PathBuf,
    /// The part of each text that is read, in the same order.
    ranges: Vec<Range<usize>>,
}

/// There is nothing to load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing stands at the path.
    #[error("`{}` does not exist", .0.display())]
    Missing(PathBuf),
    /// A directory without a policy.
    #[error("`{}` holds no `policy.sync`", .0.display())]
    NoPolicy(PathBuf),
}

/// Loads the policy at `root`. `current` is the absolute path of the current directory, to which
/// shown paths are relative.
pub fn load(root: Root<'_>, reader: &dyn FileReader, current: &Path) -> Result<Loaded, LoadError> {
    reload(Loaded::default(), root, reader, current)
}

/// Loads a policy once more. Files that are as they were in the `earlier` load are not parsed
/// again; the answer is the same as that of [`load`].
pub fn reload(
    earlier: Loaded,
    root: Root<'_>,
    reader: &dyn FileReader,
    current: &Path,
) -> Result<Loaded, LoadError> {
    let mut loader = Loader::new(reader, current);
    loader.earlier = Known::all(earlier);
    let (place, bytes) = loader.root(root)?;
    loader.begin(&place);
    match loader.text(bytes, &place.real) {
        Ok(text) => loader.add(&place, text, None),
        Err(why) => {
            let at = Span::point(FileId(loader.loaded.sources.len() as u32), 0);
            loader.fail(at, why);
            loader.push(&place, SourceFile::new(place.shown.clone(), ""), 0..0, None);
        }
    }
    Ok(loader.finish())
}

/// Loads every ```` ```sync ```` block of a Markdown text, each as a policy of its own whose
/// places are those of the Markdown text.
pub fn load_markdown(
    root: Root<'_>,
    reader: &dyn FileReader,
    current: &Path,
) -> Result<Vec<Loaded>, LoadError> {
    let (place, bytes) = Loader::new(reader, current).root(root)?;
    let Ok(text) = Loader::new(reader, current).text(bytes, &place.real) else {
        // Said once, as for any other file.
        return load(root, reader, current).map(|loaded| vec![loaded]);
    };
    let blocks = markdown::blocks(&text).into_iter().map(|block| {
        let mut loader = Loader::new(reader, current);
        loader.loaded.fragment = block.fragment;
        loader.loaded.start = block.range.start;
        loader.follow = !block.fragment;
        loader.begin(&place);
        loader.add(&place, text.clone(), Some(block.range));
        loader.finish()
    });
    Ok(blocks.collect())
}

/// A file's two names.
#[derive(Debug, Clone)]
struct Place {
    /// As shown: relative to the current directory, with `/`.
    shown: String,
    /// Absolute, without links.
    real: PathBuf,
}

/// Why a `use` leads nowhere.
struct Unfound {
    why: String,
    help: String,
    /// What was meant instead.
    instead: Option<(String, Grade)>,
}

impl Unfound {
    fn new(why: impl Into<String>, help: impl Into<String>) -> Self {
        Unfound {
            why: why.into(),
            help: help.into(),
            instead: None,
        }
    }
}

struct Loader<'a> {
    reader: &'a dyn FileReader,
    current: PathBuf,
    loaded: Loaded,
    /// The files of an earlier load that were not met again so far.
    earlier: BTreeMap<PathBuf, Known>,
    /// What is parsed already, for each file of this load.
    parsed: Vec<Option<(tree::File, Vec<Finding>)>>,
    /// Files read so far, by their one path.
    seen: BTreeMap<PathBuf, FileId>,
    /// The files being read, each with the `use` string in it that is being followed.
    stack: Vec<(PathBuf, Span)>,
    follow: bool,
}

impl<'a> Loader<'a> {
    fn new(reader: &'a dyn FileReader, current: &Path) -> Self {
        Loader {
            reader,
            current: reader
                .canonical(current)
                .unwrap_or_else(|_| normal(current)),
            loaded: Loaded::default(),
            earlier: BTreeMap::new(),
            parsed: Vec::new(),
            seen: BTreeMap::new(),
            stack: Vec::new(),
            follow: true,
        }
    }

    /// Finds and reads the root.
    fn root(&self, root: Root<'_>) -> Result<(Place, io::Result<Vec<u8>>), LoadError> {
        let path = match root {
            Root::Text(name, bytes) => {
                let path = normal(&self.current.join(name));
                let place = Place {
                    shown: self.shown(Path::new(name)),
                    real: self.reader.canonical(&path).unwrap_or(path),
                };
                return Ok((place, Ok(bytes.to_vec())));
            }
            Root::Path(path) => path,
        };
        let absolute = self.current.join(path);
        if !self.reader.exists(&absolute) {
            return Err(LoadError::Missing(path.to_owned()));
        }
        let file = if self.reader.is_dir(&absolute) {
            let file = path.join(ROOT_FILE);
            if !self.reader.exists(&self.current.join(&file)) {
                return Err(LoadError::NoPolicy(path.to_owned()));
            }
            file
        } else {
            path.to_owned()
        };
        let absolute = self.current.join(&file);
        let real = self
            .reader
            .canonical(&absolute)
            .unwrap_or_else(|_| normal(&absolute));
        let bytes = self.reader.read(&real, MAX_FILE_BYTES);
        let shown = self.shown(&file);
        Ok((Place { shown, real }, bytes))
    }

    /// Settles what the policy may not leave.
    fn begin(&mut self, root: &Place) {
        let own = root.real.parent().unwrap_or(Path::new("/"));
        let with_git = own
            .ancestors()
            .find(|dir| self.reader.exists(&dir.join(".git")));
        self.loaded.repository = with_git.unwrap_or(own).to_owned();
    }

    /// A path as shown: without `.`, relative where it lies below the current directory, with `/`.
    fn shown(&self, path: &Path) -> String {
        let path = normal(path);
        // `../here/a.sync` is `a.sync` where the current directory is `here`.
        let absolute = normal(&self.current.join(&path));
        let path = absolute.strip_prefix(&self.current).unwrap_or(&path);
        path.to_string_lossy().replace('\\', "/")
    }

    /// Text of bytes, or why there is none.
    fn text(&self, bytes: io::Result<Vec<u8>>, path: &Path) -> Result<String, String> {
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.why_unreadable(&error, path)),
        };
        if bytes.len() > MAX_FILE_BYTES {
            return Err("the file is larger than 64 MiB".to_owned());
        }
        if is_wide(&bytes) {
            return Err("the file is UTF-16; save it as UTF-8".to_owned());
        }
        String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..at).unwrap_or_default();
            let line = 1 + before.iter().filter(|b| **b == b'\n').count();
            format!("the file is not UTF-8 (first at byte {at}, line {line}); save it as UTF-8")
        })
    }

    fn why_unreadable(&self, error: &io::Error, path: &Path) -> String {
        match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::PermissionDenied => "the file may not be read".to_owned(),
            _ if self.reader.is_dir(path) => format!("the directory holds no `{ROOT_FILE}`"),
            _ => format!("the file cannot be read: {error}"),
        }
    }

    fn fail(&mut self, at: Span, why: String) {
        self.loaded.findings.push(Finding::new(Code(4), at, why));
    }

    fn unfound(&mut self, at: Span, unfound: Unfound) {
        let mut finding = Finding::new(Code(4), at, unfound.why).help(unfound.help);
        if let Some((meant, grade)) = unfound.instead {
            let edit = Edit {
                span: at,
                text: format!("\"{meant}\""),
            };
            finding = finding.fix(format!("use `{meant}`"), grade, vec![edit]);
        }
        self.loaded.findings.push(finding);
    }

    /// Takes a file in and follows its `use`, depth first.
    fn add(&mut self, place: &Place, text: String, range: Option<Range<usize>>) {
        let range = range.unwrap_or_else(|| parse::whole(&text));
        let id = FileId(self.loaded.sources.len() as u32);
        // Spans name their file by its number, so a file that is read at another turn than
        // before has to be parsed again.
        let known = self
            .earlier
            .remove(&place.real)
            .filter(|known| known.id == id && known.range == range && *known.source.text == *text);
        match known {
            Some(Known {
                mut source,
                tree,
                findings,
                ..
            }) => {
                source.path.clone_from(&place.shown);
                self.push(place, source, range.clone(), Some((tree, findings)));
            }
            None => {
                let source = SourceFile::new(place.shown.clone(), text);
                self.push(place, source, range.clone(), None);
            }
        }
        self.seen.insert(place.real.clone(), id);
        if !self.follow {
            return;
        }
        for path in parse::imports(&self.loaded.sources, id, range) {
            self.import(place, path);
        }
    }

    fn push(
        &mut self,
        place: &Place,
        source: SourceFile,
        range: Range<usize>,
        parsed: Option<(tree::File, Vec<Finding>)>,
    ) {
        self.loaded.sources.add(source);
        self.loaded.places.push(place.real.clone());
        self.loaded.ranges.push(range);
        self.parsed.push(parsed);
    }

    /// Follows one `use` string of the file at `from`.
    fn import(&mut self, from: &Place, at: Span) {
        let token = self.loaded.sources.slice(at).to_owned();
        let target = match literal::string(&token) {
            Ok(target) => target.into_owned(),
            Err(error) => return self.fail(at, error.to_string()),
        };
        let place = match self.resolve(from, &target) {
            Ok(place) => place,
            Err(unfound) => return self.unfound(at, unfound),
        };
        let circle = |(path, _): &(PathBuf, Span)| *path == place.real;
        let here = from.real == place.real;
        if here || self.stack.iter().any(circle) {
            return self.circle(at, &place);
        }
        if let Some(id) = self.seen.get(&place.real) {
            self.loaded.imports.push((at, *id));
            return;
        }
        if self.stack.len() >= MAX_DEPTH {
            let why = format!("files use one another more than {MAX_DEPTH} deep");
            return self.fail(at, why);
        }
        match self.text(self.reader.read(&place.real, MAX_FILE_BYTES), &place.real) {
            Ok(text) => {
                let id = FileId(self.loaded.sources.len() as u32);
                self.loaded.imports.push((at, id));
                self.stack.push((from.real.clone(), at));
                self.add(&place, text, None);
                self.stack.pop();
            }
            Err(why) => self.fail(at, format!("`{}`: {why}", place.shown)),
        }
    }

    /// `at` is the `use` that closes the circle. The links are told in the order in which the files
    /// reach each other, from the file that is reached twice.
    fn circle(&mut self, at: Span, place: &Place) {
        let begin = self.stack.iter().position(|(path, _)| *path == place.real);
        let links = begin.and_then(|i| self.stack.get(i..)).unwrap_or_default();
        let mut links: Vec<Span> = links.iter().map(|(_, link)| *link).collect();
        links.push(at);
        let name = |span: Span| format!("`{}`", self.loaded.sources.file(span.file).path);
        let route: Vec<String> = links.iter().map(|l| name(*l)).collect();
        let back = route.first().cloned().unwrap_or_default();
        let message = match links.as_slice() {
            [_] => format!("{back} uses itself"),
            _ => format!(
                "files use each other in a circle: {} → {back}",
                route.join(" → ")
            ),
        };
        let mut finding = Finding::new(Code(5), at, message)
            .mark(format!("leads back to {back}"))
            .help(
                "remove this `use`: names are known in all files of a policy, so none has to use \
                 another to name what it declares",
            );
        for (position, link) in links.iter().enumerate() {
            let next = route.get(position + 1).unwrap_or(&back);
            let says = format!("{} uses {next} here", name(*link));
            finding = finding.step(*link, says.clone());
            if *link != at {
                finding = finding.label(*link, says);
            }
        }
        if let Some(edit) = self.without_use(at) {
            finding = finding.fix("remove this `use`", Grade::Review, vec![edit]);
        }
        self.loaded.findings.push(finding);
    }

    /// Takes away the `use` of a string, and its line where nothing else stands on it.
    fn without_use(&self, at: Span) -> Option<Edit> {
        let text = &self.loaded.sources.file(at.file).text;
        let before = text.get(..at.start as usize)?;
        let start = before.trim_end().strip_suffix("use")?.len();
        let after = text.get(at.end as usize..)?;
        let line = after.split_inclusive('\n').next().unwrap_or_default();
        let begins = start == 0 || before[..start].ends_with(['\n', '\u{feff}']);
        let end = match begins && line.trim().is_empty() {
            true => at.end as usize + line.len(),
            false => at.end as usize,
        };
        Some(Edit {
            span: Span::new(at.file, start, end),
            text: String::new(),
        })
    }

    /// The file that `target`, written in the file at `from`, names; or why not, and help.
    fn resolve(&self, from: &Place, target: &str) -> Result<Place, Unfound> {
        let written = Path::new(target);
        if target.is_empty() {
            let help = "write the path of a file, as in `use \"teams/mail.sync\"`, or remove it";
            return Err(Unfound::new("`use` names no file", help));
        }
        if written.is_absolute() || written.has_root() {
            let help = "write the path as seen from this file, as in `use \"teams/mail.sync\"`";
            return Err(Unfound::new(
                format!("`{target}` is no relative path"),
                help,
            ));
        }
        let leaves = || {
            let help = "a policy may only use files of its own repository: those below the \
                        nearest folder with `.git`, else below the root file's own folder";
            Unfound::new(format!("`{target}` leaves the repository"), help)
        };
        let mut path = normal(&from.real.parent().unwrap_or(Path::new("/")).join(written));
        if !path.starts_with(&self.loaded.repository) {
            return Err(leaves());
        }
        let mut shown = Path::new(&from.shown)
            .parent()
            .unwrap_or(Path::new(""))
            .join(written);
        if self.reader.is_dir(&path) {
            path.push(ROOT_FILE);
            shown.push(ROOT_FILE);
            if !self.reader.exists(&path) {
                let help =
                    format!("name a file in it; a folder alone stands for its `{ROOT_FILE}`");
                let why = format!("the folder `{target}` holds no `{ROOT_FILE}`");
                return Err(Unfound::new(why, help));
            }
        }
        if !self.reader.exists(&path) {
            return Err(self.no_such_file(target, &path));
        }
        let real = self.reader.canonical(&path).unwrap_or(path);
        if !real.starts_with(&self.loaded.repository) {
            return Err(leaves());
        }
        let shown = self.shown(&shown);
        Ok(Place { shown, real })
    }

    /// Nothing stands at `path`, which `target` names; the file that was meant, where that is plain.
    fn no_such_file(&self, target: &str, path: &Path) -> Unfound {
        let mut unfound = Unfound::new(format!("there is no file `{target}`"), "");
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            return unfound;
        };
        let beside = self.reader.names(path.parent().unwrap_or(path));
        let policies = || beside.iter().filter(|n| n.ends_with(".sync"));
        let longer = format!("{name}.sync");
        let meant = match self.reader.exists(&path.with_file_name(&longer)) {
            true => Some((longer, Grade::Safe)),
            false => nearest(name, policies().map(String::as_str))
                .map(|near| (near.to_owned(), Grade::Review)),
        };
        match meant {
            Some((meant, grade)) => {
                let folder = target.strip_suffix(name).unwrap_or_default();
                let meant = format!("{folder}{meant}");
                unfound.help = format!("write `use \"{meant}\"`");
                unfound.instead = Some((meant, grade));
            }
            None => {
                unfound.help = "write the path of a file as seen from this one, with its ending, \
                                as in `use \"teams/mail.sync\"`"
                    .to_owned();
            }
        }
        unfound
    }

    /// Parses every file that is not parsed already, several at a time.
    fn finish(mut self) -> Loaded {
        let sources = &self.loaded.sources;
        let ids = sources.iter().map(|(id, _)| id);
        let ranges = self.loaded.ranges.iter().cloned();
        let jobs: Vec<_> = ids.zip(ranges).zip(self.parsed).collect();
        let parsed: Vec<_> = jobs
            .into_par_iter()
            .map(|((id, range), known)| {
                known.unwrap_or_else(|| parse::parse_range(sources, id, range))
            })
            .collect();
        for (file, findings) in parsed {
            self.loaded.files.push(file);
            self.loaded.findings.extend(findings);
        }
        finding::sort(&mut self.loaded.findings, &self.loaded.sources);
        self.loaded
    }
}

impl tree::File {
    /// The strings of its `use` items.
    pub fn uses(&self) -> impl Iterator<Item = Span> + '_ {
        self.items.iter().filter_map(|item| match item.kind {
            ItemKind::Use(path) => Some(path.0),
            _ => None,
        })
    }
}

/// A path without `.` and with every `..` taken away together with what it leaves, links not
/// looked at.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                let name = matches!(out.components().next_back(), Some(Component::Normal(_)));
                if name {
                    out.pop();
                } else if !out.has_root() {
                    out.push("..");
                }
            }
            part => out.push(part),
        }
    }
    out
}
