//! From the PATHs of a command line to checked policies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{self, Disk, Overlay};
use super::failure::Failure;
use crate::catalog::{self, Catalog};
use crate::checks;
use crate::finding::{self, Code, Finding, Severity};
use crate::graph::Graph;
use crate::model::{self, Policy};
use crate::plan::Plan;
use crate::syntax::load::{
    FileReader, LoadError, Loaded, MAX_FILE_BYTES, ROOT_FILE, Root, load, load_markdown,
};
use crate::syntax::markdown;
use crate::syntax::tree::ItemKind;
use crate::text::{FileId, SourceFile, Sources, Span};
use crate::time::Date;

/// The PATH that stands for standard input.
pub(super) const STDIN: &str = "-";

/// A policy with all that was found in it.
#[derive(Debug)]
pub(super) struct Checked {
    /// Its texts, the root first.
    pub sources: Sources,
    /// What it means.
    pub policy: Policy,
    /// What was found, in order.
    pub findings: Vec<Finding>,
    /// What was found in files that were not asked about.
    pub beyond: Vec<Finding>,
    /// The files that were asked about, by their shown names; none: all.
    pub only: Option<BTreeSet<String>>,
}

impl Checked {
    /// Whether anything stops a plan.
    pub fn has_errors(&self) -> bool {
        self.all().any(|f| f.severity == Severity::Error)
    }

    /// What was found anywhere in the policy.
    pub fn all(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().chain(&self.beyond)
    }

    /// The plan of a policy without errors.
    pub fn plan(&self) -> Option<Plan> {
        if self.has_errors() {
            return None;
        }
        let current = disk::current().ok()?;
        crate::plan::compile(&seen_from_root(&self.sources, &current), &self.policy)
    }
}

/// The same texts named from the root's directory, so that a plan does not show where it was
/// compiled.
fn seen_from_root(sources: &Sources, current: &Path) -> Sources {
    let real = |file: &SourceFile| canonical(&current.join(&file.path));
    let root = sources.iter().next().map(|(_, file)| real(file));
    let directory = root.as_deref().and_then(Path::parent).unwrap_or(current);
    let mut named = Sources::default();
    for (_, file) in sources.iter() {
        let mut file = file.clone();
        let path = disk::relative(directory, &real(&file));
        file.path = path.to_string_lossy().replace('\\', "/");
        named.add(file);
    }
    named
}

/// What is asked of the policies.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// The PATHs as given; none: the current directory.
    pub paths: Vec<PathBuf>,
    /// What standard input is called.
    pub stdin_filename: Option<String>,
    /// The day on which they are checked.
    pub today: Date,
    /// Texts to read instead of what is stored.
    pub overlay: Overlay,
}

impl Question {
    /// What is wrong at PATHs on a day.
    pub fn of(paths: Vec<PathBuf>, today: Date) -> Self {
        Question {
            paths,
            stdin_filename: None,
            today,
            overlay: Overlay::new(),
        }
    }
}

/// Today, by the system's clock in UTC.
pub(super) fn today() -> Date {
    chrono::Utc::now().date_naive()
}

/// The files of the policy at a PATH, read and not yet checked.
pub(super) fn load_path(path: &Path) -> Result<Loaded, Failure> {
    load(Root::Path(path), &Disk::default(), &disk::current()?).map_err(no_policy)
}

/// The one policy at a PATH, standard input or the current directory.
pub(super) fn check_one(path: Option<&Path>) -> Result<Checked, Failure> {
    let question = Question::of(path.map(Path::to_owned).into_iter().collect(), today());
    let mut checked = check_all(&question)?;
    match (checked.pop(), checked.is_empty()) {
        (Some(one), true) => Ok(one),
        (_, more) => Err(Failure::input(if more {
            "there is no policy".to_owned()
        } else {
            "the file holds several policies".to_owned()
        })
        .help("name one policy file, or a directory with `policy.sync`")),
    }
}

/// Reads and checks every policy that is asked for. Nothing is checked where one PATH cannot be
/// read.
pub(super) fn check_all(question: &Question) -> Result<Vec<Checked>, Failure> {
    let current = disk::current()?;
    let finder = Finder::new(question, &current)?;
    let mut jobs: Vec<Job> = Vec::new();
    for path in finder.paths() {
        for job in finder.find(&path)? {
            add(&mut jobs, job);
        }
    }
    Ok(jobs
        .into_iter()
        .map(|job| job.check(&finder.disk, &current, question.today))
        .collect())
}

/// A loaded policy that is to be checked.
struct Job {
    loaded: Loaded,
    /// Where the policy begins in its first file: after the fence of a Markdown block.
    start: usize,
    /// The root's one path; none for a block of a Markdown text.
    root: Option<PathBuf>,
    /// The files to which findings are limited, by their shown names; none: all.
    only: Option<BTreeSet<String>>,
}

/// Adds a policy; one that is there already is not checked twice.
fn add(jobs: &mut Vec<Job>, job: Job) {
    let known = jobs
        .iter_mut()
        .find(|j| j.root.is_some() && j.root == job.root);
    match (known, job) {
        (None, job) => jobs.push(job),
        (
            Some(known),
            Job {
                only: Some(more), ..
            },
        ) => {
            if let Some(only) = &mut known.only {
                only.extend(more);
            }
        }
        (Some(known), Job { only: None, .. }) => known.only = None,
    }
}

/// Finds the policy that a PATH means.
struct Finder<'a> {
    question: &'a Question,
    current: &'a Path,
    disk: Disk,
    /// Standard input: its name and its bytes.
    stdin: Option<(String, Vec<u8>)>,
}

impl<'a> Finder<'a> {
    fn new(question: &'a Question, current: &'a Path) -> Result<Self, Failure> {
        let mut finder = Finder {
            question,
            current,
            disk: Disk {
                instead: question.overlay.clone(),
            },
            stdin: None,
        };
        if question.paths.iter().any(|p| p.as_os_str() == STDIN) {
            let bytes = disk::stdin()?;
            let name = question.stdin_filename.as_deref().unwrap_or(STDIN);
            let path = current.join(name);
            let real = path.canonicalize().unwrap_or(path);
            finder.disk.instead.insert(real, bytes.clone());
            finder.stdin = Some((name.to_owned(), bytes));
        }
        Ok(finder)
    }

    fn paths(&self) -> Vec<PathBuf> {
        if self.question.paths.is_empty() {
            vec![PathBuf::from(".")]
        } else {
            self.question.paths.clone()
        }
    }

    fn find(&self, path: &Path) -> Result<Vec<Job>, Failure> {
        let root = match &self.stdin {
            Some((name, bytes)) if path.as_os_str() == STDIN => Root::Text(name, bytes),
            _ => Root::Path(path),
        };
        let name = match root {
            Root::Text(name, _) => Path::new(name),
            Root::Path(path) => path,
        };
        if is_markdown(name) {
            return self.find_blocks(root, name);
        }
        let loaded = load(root, &self.disk, self.current).map_err(no_policy)?;
        let real = self.real(&loaded);
        if !declares_policy(&loaded)
            && let Some(job) = self.look_up(&real, &loaded)
        {
            return Ok(vec![job]);
        }
        Ok(vec![Job {
            loaded,
            start: 0,
            root: Some(real),
            only: None,
        }])
    }

    /// Every block of a Markdown text is a policy of its own.
    fn find_blocks(&self, root: Root<'_>, name: &Path) -> Result<Vec<Job>, Failure> {
        let blocks = load_markdown(root, &self.disk, self.current).map_err(no_policy)?;
        let starts = |loaded: &Loaded| {
            let text = loaded.sources.iter().next();
            let blocks = markdown::blocks(text.map_or("", |(_, file)| &file.text));
            blocks.into_iter().map(|block| block.range.start).collect()
        };
        let starts: Vec<usize> = blocks.first().map_or_else(Vec::new, starts);
        if blocks.is_empty() {
            let message = format!("`{}` holds no ```sync block", name.display());
            return Err(Failure::input(message));
        }
        let jobs = blocks.into_iter().enumerate().map(|(index, loaded)| Job {
            loaded,
            start: starts.get(index).copied().unwrap_or_default(),
            root: None,
            only: None,
        });
        Ok(jobs.collect())
    }

    /// The nearest `policy.sync` above a file that reaches it through `use`.
    fn look_up(&self, file: &Path, loaded: &Loaded) -> Option<Job> {
        let name = loaded.sources.iter().next().map(|(_, f)| f.path.clone())?;
        let here = canonical(self.current);
        for directory in file.ancestors().skip(1) {
            let root = directory.join(ROOT_FILE);
            let shown = disk::relative(&here, &root);
            if root != file
                && self.disk.exists(&root)
                && let Ok(loaded) = load(Root::Path(&shown), &self.disk, self.current)
                && let Some(shown) = self.reached(&loaded, file)
            {
                return Some(Job {
                    root: Some(self.real(&loaded)),
                    loaded,
                    start: 0,
                    only: Some(BTreeSet::from([shown, name])),
                });
            }
            if self.disk.exists(&directory.join(".git")) {
                return None;
            }
        }
        None
    }

    /// The name by which a policy knows a file.
    fn reached(&self, loaded: &Loaded, file: &Path) -> Option<String> {
        let mut sources = loaded.sources.iter().map(|(_, source)| &source.path);
        sources
            .find(|shown| canonical(&self.current.join(shown)) == file)
            .cloned()
    }

    /// The one path of a loaded policy's root.
    fn real(&self, loaded: &Loaded) -> PathBuf {
        let root = loaded.sources.iter().next();
        canonical(&self.current.join(root.map_or("", |(_, f)| &f.path)))
    }
}

/// A path without links, where it exists.
fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn no_policy(error: LoadError) -> Failure {
    let help = match &error {
        LoadError::Missing(path) if path.to_string_lossy().contains(['*', '?']) => {
            "no file fits this pattern: the shell handed it on as it was written"
        }
        LoadError::Missing(_) => "name a policy file, or a directory with `policy.sync`",
        LoadError::NoPolicy(_) => "name the policy file, or begin one here with `syncline init`",
    };
    Failure::input(error.to_string()).help(help)
}

/// Whether a file is Markdown, by its name.
pub(super) fn is_markdown(path: &Path) -> bool {
    let extension = path
        .extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default();
    extension.eq_ignore_ascii_case("md") || extension.eq_ignore_ascii_case("markdown")
}

/// Whether any of the files may hold a `policy` item: a broken one counts, and so may anything in
/// a file that could not be read.
fn declares_policy(loaded: &Loaded) -> bool {
    if loaded.findings.iter().any(|f| f.code == UNREADABLE) {
        return true;
    }
    let items = loaded.files.iter().flat_map(|f| &f.items);
    items.into_iter().any(|item| match &item.kind {
        ItemKind::Policy(_) => true,
        ItemKind::Error { keyword, .. } => {
            keyword.is_some_and(|k| loaded.sources.slice(k) == "policy")
        }
        _ => false,
    })
}

const UNREADABLE: Code = Code(4);

impl Job {
    fn check(self, disk: &Disk, current: &Path, today: Date) -> Checked {
        let Loaded {
            sources,
            files,
            findings,
            fragment,
            ..
        } = self.loaded;
        let own = Own {
            disk,
            current,
            sources: &sources,
        };
        let own = model::own_connector_paths(&sources, &files)
            .into_iter()
            .map(|(span, path)| (span, own.read(sources.file(span.file), &path)))
            .collect();
        let (policy, more) = model::lower(&model::Input {
            sources: &sources,
            files: &files,
            unread: findings.iter().any(|f| f.code == UNREADABLE),
            catalog: Catalog::builtin(),
            own: &own,
            now: today,
        });
        let mut findings = findings;
        if !fragment {
            findings.extend(more);
            let graph = Graph::build(&policy);
            let context = checks::Context::new(&sources, &policy, &graph, today);
            findings = checks::run(&context, findings);
        }
        // What is about a block as a whole stands where the block begins, not where its file does.
        if self.start > 0 {
            let whole = Span::point(FileId(0), 0);
            for finding in &mut findings {
                if finding.primary.is_none_or(|place| place == whole) {
                    finding.primary = Some(Span::point(FileId(0), self.start));
                }
            }
            finding::sort(&mut findings, &sources);
        }
        let asked = |f: &Finding| {
            let only = self.only.as_ref();
            only.is_none_or(|only| {
                f.primary
                    .is_some_and(|p| only.contains(&sources.file(p.file).path))
            })
        };
        let (findings, beyond) = findings.into_iter().partition(asked);
        Checked {
            sources,
            policy,
            findings,
            beyond,
            only: self.only,
        }
    }
}

/// Connector entries of the author's own.
struct Own<'a> {
    disk: &'a Disk,
    current: &'a Path,
    sources: &'a Sources,
}

impl Own<'_> {
    /// The entry that `connector "path"` in a file names, or what is wrong with it.
    fn read(&self, file: &SourceFile, path: &str) -> Result<Arc<catalog::Entry>, String> {
        let from = canonical(&self.current.join(&file.path));
        let directory = from.parent().unwrap_or(Path::new("/"));
        if Path::new(path).is_absolute() {
            return Err(format!("`{path}` is no path relative to this file"));
        }
        let missing = || format!("`{path}`: there is no such file");
        let real = directory.join(path).canonicalize().map_err(|_| missing())?;
        if !real.starts_with(self.repository()) {
            return Err(format!("`{path}` leaves the repository"));
        }
        let bytes = self
            .disk
            .read(&real, MAX_FILE_BYTES)
            .map_err(|e| format!("`{path}` cannot be read: {e}"))?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(format!("`{path}` is larger than 64 MiB"));
        }
        let text = String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8"))?;
        catalog::parse_entry(&text)
            .map(Arc::new)
            .map_err(|e| format!("`{path}`: {e}"))
    }

    /// The directory that a policy's files may not leave.
    fn repository(&self) -> PathBuf {
        let root = self.sources.iter().next().map_or("", |(_, f)| &f.path);
        let root = canonical(&self.current.join(root));
        let own = root.parent().unwrap_or(Path::new("/"));
        let with_git = own.ancestors().find(|d| self.disk.exists(&d.join(".git")));
        with_git.unwrap_or(own).to_owned()
    }
}
