//! From the PATHs of a command line to checked policies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::disk::{self, Disk, Instead};
use super::failure::Failure;
use crate::finding::{Code, Finding, Severity};
use crate::model::Policy;
use crate::plan::Plan;
use crate::syntax::load::{FileReader, LoadError, Loaded, Root, load, load_markdown};
use crate::text::{SourceFile, Sources};
use crate::time::Date;
use crate::workspace::{self, Overlay, declares_policy, enclosing};

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

    /// Whether all of it could be read and understood, whatever is wrong with what it says.
    pub fn is_whole(&self) -> bool {
        let mut errors = self.all().filter(|f| f.severity == Severity::Error);
        !errors.any(Finding::is_of_reading)
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
        let path = workspace::relative(directory, &real(&file));
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
    /// The checks wanted of those that are off unless asked for.
    pub asked: Vec<Code>,
    /// Texts to read instead of what is stored.
    pub overlay: Instead,
}

impl Question {
    /// What is wrong at PATHs on a day.
    pub fn of(paths: Vec<PathBuf>, today: Date) -> Self {
        Question {
            paths,
            stdin_filename: None,
            today,
            asked: Vec::new(),
            overlay: Instead::new(),
        }
    }

    /// The files with the texts that are to be read instead.
    fn over(&self, files: Disk) -> Overlay<Disk> {
        let mut over = Overlay::new(files);
        for (path, bytes) in &self.overlay {
            over.set(path, bytes.clone());
        }
        over
    }
}

/// Today, by the system's clock in UTC.
pub(super) fn today() -> Date {
    chrono::Utc::now().date_naive()
}

/// The files of the policy at a PATH, read and not yet checked.
pub(super) fn load_path(path: &Path) -> Result<Loaded, Failure> {
    load(Root::Path(path), &Disk, &disk::current()?).map_err(no_policy)
}

/// The one policy at a PATH, standard input or the current directory.
pub(super) fn check_one(path: Option<&Path>) -> Result<Checked, Failure> {
    check_one_on(path, today())
}

/// The same, checked on another day.
pub(super) fn check_one_on(path: Option<&Path>, day: Date) -> Result<Checked, Failure> {
    let question = Question::of(path.map(Path::to_owned).into_iter().collect(), day);
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
        .map(|job| job.check(&finder.files, question))
        .collect())
}

/// A loaded policy that is to be checked.
struct Job {
    loaded: Loaded,
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
    /// The file system, with standard input over the file whose name it has.
    files: Overlay<Disk>,
    /// Standard input: its name and its bytes.
    stdin: Option<(String, Vec<u8>)>,
}

impl<'a> Finder<'a> {
    fn new(question: &'a Question, current: &'a Path) -> Result<Self, Failure> {
        let mut finder = Finder {
            question,
            current,
            files: question.over(Disk),
            stdin: None,
        };
        if question.paths.iter().any(|p| p.as_os_str() == STDIN) {
            let bytes = disk::stdin()?;
            let name = question.stdin_filename.as_deref().unwrap_or(STDIN);
            finder.files.set(&current.join(name), bytes.clone());
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
        let loaded = load(root, &self.files, self.current).map_err(no_policy)?;
        let real = root_place(&loaded);
        if let Some(real) = real.as_deref().filter(|_| !declares_policy(&loaded))
            && let Some(job) = self.look_up(real, &loaded)
        {
            return Ok(vec![job]);
        }
        Ok(vec![Job {
            loaded,
            root: real,
            only: None,
        }])
    }

    /// Every block of a Markdown text is a policy of its own.
    fn find_blocks(&self, root: Root<'_>, name: &Path) -> Result<Vec<Job>, Failure> {
        let blocks = load_markdown(root, &self.files, self.current).map_err(no_policy)?;
        if blocks.is_empty() {
            let message = format!("`{}` holds no ```sync block", name.display());
            return Err(Failure::input(message));
        }
        let jobs = blocks.into_iter().map(|loaded| Job {
            loaded,
            root: None,
            only: None,
        });
        Ok(jobs.collect())
    }

    /// The policy that a file without a `policy` item is a part of, limited to that file.
    fn look_up(&self, file: &Path, part: &Loaded) -> Option<Job> {
        let name = part.sources.iter().next().map(|(_, f)| f.path.clone())?;
        let (loaded, shown) = enclosing(file, &self.files, self.current)?;
        Some(Job {
            root: root_place(&loaded),
            loaded,
            only: Some(BTreeSet::from([shown, name])),
        })
    }
}

/// The one path of a loaded policy's root.
fn root_place(loaded: &Loaded) -> Option<PathBuf> {
    loaded.places.first().cloned()
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

impl Job {
    fn check(self, files: &dyn FileReader, question: &Question) -> Checked {
        let (today, asked) = (question.today, &question.asked);
        let checked = workspace::check(self.loaded, files, today, asked);
        let sources = checked.loaded.sources;
        let findings = checked.findings;
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
            policy: checked.policy,
            findings,
            beyond,
            only: self.only,
        }
    }
}
