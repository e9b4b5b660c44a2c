//! What a revision holds, as the `git` program tells: files are read from it without touching the
//! work tree.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use super::failure::Failure;
use crate::syntax::load::FileReader;

/// Links are followed so often, as file systems do.
const MAX_LINKS: usize = 40;

/// `git` in a directory: no pager, no locks, no fetching, no terminal.
pub(super) fn command(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command
        .arg("--no-pager")
        .current_dir(directory)
        // Inside a hook these point at the repository of the commit, relative to its root.
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env("GIT_OPTIONAL_LOCKS", "0")
        // A clone that left objects out would fetch them.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A repository with its work tree.
#[derive(Debug)]
pub(super) struct Repository {
    top: PathBuf,
}

impl Repository {
    /// The repository that a directory lies in.
    pub fn of(directory: &Path) -> Result<Repository, Failure> {
        let mut asked = command(directory);
        let output = asked.args(["rev-parse", "--show-toplevel"]).output();
        let output = output.map_err(|e| no_git(&e))?;
        let top = String::from_utf8_lossy(&output.stdout);
        let top = top.trim_end_matches(['\n', '\r']);
        if !output.status.success() || top.is_empty() {
            let message = format!("`{}` is in no git repository", directory.display());
            return Err(Failure::input(message)
                .help("`--base` compares with a revision; name two policies instead"));
        }
        let top = Path::new(top);
        Ok(Repository {
            top: top.canonicalize().unwrap_or_else(|_| top.to_owned()),
        })
    }

    fn ask(&self, args: &[&str]) -> Option<String> {
        let output = command(&self.top).args(args).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    }

    fn commit(&self, revision: &str) -> Option<String> {
        let wanted = format!("{revision}^{{commit}}");
        self.ask(&[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &wanted,
        ])
    }

    fn is_shallow(&self) -> bool {
        let answer = self.ask(&["rev-parse", "--is-shallow-repository"]);
        answer.as_deref() == Some("true")
    }

    /// The commit from which a revision and the one that is checked out went their own ways.
    pub fn merge_base(&self, revision: &str) -> Result<String, Failure> {
        let Some(commit) = self.commit(revision) else {
            let message = format!("git knows no revision `{revision}`");
            let help = "fetch it first, as in `git fetch origin main`; a checkout on a build \
                        server often holds one revision only";
            return Err(Failure::input(message).help(help));
        };
        let Some(head) = self.commit("HEAD") else {
            return Err(Failure::input("the repository has no commit yet"));
        };
        if let Some(base) = self.ask(&["merge-base", &commit, &head]) {
            return Ok(base);
        }
        let message = format!("`{revision}` and HEAD have no commit in common");
        let failure = Failure::input(message);
        Err(match self.is_shallow() {
            true => failure.help(
                "the clone is shallow: fetch the rest with `git fetch --unshallow`, or check out \
                 with the full history (`fetch-depth: 0`)",
            ),
            false => failure.help("name a revision of the same history"),
        })
    }

    /// The files of a commit.
    pub fn tree(&self, commit: &str) -> Result<Tree, Failure> {
        let unread = |why: &str| Failure::own(format!("git cannot list `{commit}`: {why}"));
        let mut asked = command(&self.top);
        let output = asked
            .args(["ls-tree", "-r", "-z", "--full-tree", commit])
            .output()
            .map_err(|e| no_git(&e))?;
        if !output.status.success() {
            return Err(unread("objects are missing"));
        }
        let mut tree = Tree {
            top: self.top.clone(),
            files: BTreeMap::new(),
            directories: BTreeSet::from([PathBuf::new()]),
            blobs: Mutex::new(Blobs::new(&self.top).map_err(|e| no_git(&e))?),
        };
        for line in output.stdout.split(|b| *b == 0).filter(|l| !l.is_empty()) {
            let line = String::from_utf8_lossy(line);
            let (entry, path) = line.split_once('\t').ok_or_else(|| unread("no path"))?;
            let words: Vec<&str> = entry.split(' ').collect();
            let [mode, "blob", id] = words[..] else {
                // A submodule is a repository of its own.
                continue;
            };
            let path = PathBuf::from(path);
            let parents = path.ancestors().skip(1).map(Path::to_owned);
            tree.directories.extend(parents);
            let file = Blob {
                id: id.to_owned(),
                link: mode == "120000",
            };
            tree.files.insert(path, file);
        }
        Ok(tree)
    }
}

fn no_git(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NotFound => {
            Failure::input("`--base` needs the `git` program, which is not found")
                .help("install git, or name two policies instead")
        }
        _ => Failure::own(format!("git cannot be run: {error}")),
    }
}

#[derive(Debug)]
struct Blob {
    id: String,
    link: bool,
}

/// The files of a commit where the work tree would have them.
#[derive(Debug)]
pub(super) struct Tree {
    top: PathBuf,
    /// By path below the top.
    files: BTreeMap<PathBuf, Blob>,
    directories: BTreeSet<PathBuf>,
    blobs: Mutex<Blobs>,
}

/// A `git cat-file` that answers one object after the other.
#[derive(Debug)]
struct Blobs {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Blobs {
    fn new(top: &Path) -> io::Result<Blobs> {
        let mut child = command(top)
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let output = child.stdout.take().ok_or_else(gone)?;
        Ok(Blobs {
            input: child.stdin.take(),
            output: BufReader::new(output),
            child,
        })
    }

    fn read(&mut self, id: &str) -> io::Result<Vec<u8>> {
        let gone = || io::Error::from(io::ErrorKind::BrokenPipe);
        let input = self.input.as_mut().ok_or_else(gone)?;
        writeln!(input, "{id}")?;
        input.flush()?;
        let mut head = String::new();
        self.output.read_line(&mut head)?;
        let words: Vec<&str> = head.split_whitespace().collect();
        let [_, "blob", size] = words[..] else {
            let message = "the object is missing; fetch the revision whole";
            return Err(io::Error::new(io::ErrorKind::NotFound, message));
        };
        let size: u64 = size.parse().map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        // The text and the line end behind it.
        (&mut self.output)
            .take(size.saturating_add(1))
            .read_to_end(&mut bytes)?;
        bytes.pop();
        Ok(bytes)
    }
}

impl Drop for Blobs {
    fn drop(&mut self) {
        // It ends where nobody asks any more.
        self.input = None;
        let _ = self.child.wait();
    }
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => _ = out.pop(),
            part => out.push(part),
        }
    }
    out
}

impl Tree {
    /// Where the work tree is.
    pub fn top(&self) -> &Path {
        &self.top
    }

    /// Every policy file, by its path below the top.
    pub fn policy_files(&self) -> impl Iterator<Item = &Path> {
        let files = self.files.keys().map(PathBuf::as_path);
        files.filter(|p| p.extension().is_some_and(|e| e == "sync"))
    }

    /// The path below the top of what stands at an absolute path, with links followed.
    fn find(&self, path: &Path) -> Option<PathBuf> {
        let mut rest = plain(path).strip_prefix(&self.top).ok()?.to_owned();
        for _ in 0..MAX_LINKS {
            let Some(linked) = self.follow(&rest) else {
                return (self.files.contains_key(&rest) || self.directories.contains(&rest))
                    .then_some(rest);
            };
            rest = linked.strip_prefix(&self.top).ok()?.to_owned();
        }
        None
    }

    /// Where the first link on a path leads, with what comes behind it.
    fn follow(&self, path: &Path) -> Option<PathBuf> {
        let mut ancestors: Vec<&Path> = path.ancestors().collect();
        ancestors.reverse();
        let link = ancestors
            .into_iter()
            .find(|p| self.files.get(*p).is_some_and(|b| b.link))?;
        let target = String::from_utf8(self.bytes(link).ok()?).ok()?;
        let beside = self.top.join(link.parent().unwrap_or(Path::new("")));
        let behind = path.strip_prefix(link).ok()?;
        Some(plain(&beside.join(target).join(behind)))
    }

    fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let blob = self.files.get(path).ok_or_else(missing)?;
        let mut blobs = self.blobs.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.read(&blob.id)
    }
}

impl FileReader for Tree {
    fn read(&self, path: &Path, _limit: usize) -> io::Result<Vec<u8>> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        self.bytes(&self.find(path).ok_or_else(missing)?)
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.find(path)
            .is_some_and(|p| self.directories.contains(&p))
    }

    fn exists(&self, path: &Path) -> bool {
        // A repository's own folder is in no commit and bounds what a policy may use.
        plain(path) == self.top.join(".git") || self.find(path).is_some()
    }

    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        Ok(self.top.join(self.find(path).ok_or_else(missing)?))
    }
}
