//! `syncline diff`: what changes in meaning between two policies, plans or revisions.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::check::date;
use super::disk;
use super::failure::{Exit, Failure};
use super::git::{Repository, Tree};
use super::plan::refuse;
use super::policy::{self, Checked, STDIN};
use super::shell::Shell;
use crate::arithmetic::Arithmetic;
use crate::diff::{self, APPROVALS_FILE, Approval, Diff, Grade, Side, Source};
use crate::estimate::{self, Estimate, Ground};
use crate::graph::Graph;
use crate::plan::{Plan, compile, read_plan};
use crate::render;
use crate::syntax::load::{FileReader, LoadError, Loaded, ROOT_FILE, Root, load, load_markdown};
use crate::time::Date;
use crate::workspace;

/// Tell what changes in meaning between two policies, plans or revisions.
///
/// Each change is graded breaking, risky or safe; docs/diff.md has the table. Moves, renamed files
/// and layout are no change in meaning. Works offline. A plan holds no figures, prices or tests,
/// so these are compared between policies alone.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "syncline diff [OPTIONS] OLD NEW\n       syncline diff [OPTIONS] --base REV [PATH]"
)]
pub(super) struct Args {
    /// The old and the new one: policy files, directories with policy.sync, plans (.json, .yaml)
    /// or `-`; with `--base` the new one alone, by default that of the current directory
    #[arg(value_name = "PATH", num_args = 0..=2)]
    paths: Vec<PathBuf>,
    /// Compare with what stood there at the commit from which HEAD and this git revision went
    /// their own ways
    #[arg(long, value_name = "REV")]
    base: Option<String>,
    /// The form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
    /// End with status 1 where there is any change in meaning
    #[arg(long)]
    exit_code: bool,
    /// End with status 1 where a change of this grade or a graver one is not approved
    #[arg(long, value_enum, value_name = "GRADE")]
    fail_on: Option<FailOn>,
    /// The file that accepts changes; default: approvals.yaml beside the new policy's root file
    #[arg(long, value_name = "FILE")]
    approvals: Option<PathBuf>,
    /// The day against which approvals are held and for whose year figures are; default: today in
    /// UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    now: Option<Date>,
}

/// The forms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
    /// A comment on a pull request.
    Markdown,
}

/// What fails the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A rule, a bound or a flow no longer holds.
    Breaking,
    /// Something behaves otherwise or asks for more.
    Risky,
    /// Anything.
    Safe,
}

impl FailOn {
    fn grade(self) -> Grade {
        match self {
            FailOn::Breaking => Grade::Breaking,
            FailOn::Risky => Grade::Risky,
            FailOn::Safe => Grade::Safe,
        }
    }
}

/// What stands on a side.
struct Half {
    label: String,
    /// The root file or the plan, as it is shown.
    file: PathBuf,
    holds: Holds,
}

enum Holds {
    Policy(Box<Read>),
    Plan(Box<Plan>),
    /// The policy was not there.
    Nothing,
}

/// A policy with what is made of it.
struct Read {
    checked: Checked,
    plan: Option<Plan>,
    estimate: Option<Estimate>,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let today = args.now.unwrap_or_else(policy::today);
    let (old, new) = match &args.base {
        Some(revision) => with_base(args, revision, today)?,
        None => two(args, today)?,
    };
    for half in [&old, &new] {
        if let Holds::Policy(read) = &half.holds
            && read.plan.is_none()
        {
            refuse(&read.checked, shell);
            return Ok(Exit::Findings);
        }
    }
    let beside = new.file.with_file_name(APPROVALS_FILE);
    let approvals = approvals(args, &beside)?;
    let broken = matches!(&new.holds, Holds::Policy(read) if read.checked.has_errors());
    let mut diff = compare(old, new)?;
    diff.approve(&approvals, today);
    shell.print(&match args.format {
        Format::Human => render::diff::human(&diff, &today.to_string(), shell.style),
        Format::Markdown => render::diff::markdown(&diff, &today.to_string()),
        Format::Json => render::diff::json(&diff),
    });
    let failed = args
        .fail_on
        .is_some_and(|f| diff.verdict >= Some(f.grade()));
    Ok(
        match broken || failed || (args.exit_code && !diff.is_empty()) {
            true => Exit::Findings,
            false => Exit::Clean,
        },
    )
}

fn compare(old: Half, new: Half) -> Result<Diff, Failure> {
    let unplanned = || Failure::own("a policy that was read gave no plan");
    let newer = side(&new).ok_or_else(unplanned)?;
    let older = match &old.holds {
        Holds::Nothing => Side::nothing(&old.label, &newer),
        _ => side(&old).ok_or_else(unplanned)?,
    };
    Ok(diff::between(older, &newer))
}

fn side(half: &Half) -> Option<Side<'_>> {
    match &half.holds {
        Holds::Nothing => None,
        Holds::Plan(plan) => Some(Side::plan(&half.label, plan)),
        Holds::Policy(read) => {
            let source = Source {
                policy: &read.checked.policy,
                sources: &read.checked.sources,
                findings: &read.checked.findings,
                estimate: read.estimate.as_ref(),
            };
            Some(Side::policy(&half.label, read.plan.as_ref()?, source))
        }
    }
}

fn two(args: &Args, today: Date) -> Result<(Half, Half), Failure> {
    let [old, new] = args.paths.as_slice() else {
        let message = match args.paths.len() {
            0 => "nothing to compare",
            _ => "only one side to compare",
        };
        let help = "name the old and the new policy or plan, or a revision with `--base REV`";
        return Err(Failure::input(message).help(help));
    };
    if old.as_os_str() == STDIN && new.as_os_str() == STDIN {
        return Err(Failure::input("standard input can be one side only"));
    }
    let (old, new) = rayon::join(|| from_disk(old, today), || from_disk(new, today));
    Ok((old?, new?))
}

/// Whether a path means a compiled plan, by its name.
fn is_plan(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    matches!(extension, Some("json" | "yaml" | "yml"))
}

fn plan_of(bytes: Vec<u8>, name: &Path) -> Result<Holds, Failure> {
    let name = name.display();
    let text =
        String::from_utf8(bytes).map_err(|_| Failure::input(format!("`{name}` is not UTF-8")))?;
    let plan = read_plan(&text).map_err(|e| Failure::input(format!("`{name}`: {e}")))?;
    Ok(Holds::Plan(Box::new(plan)))
}

fn from_disk(path: &Path, today: Date) -> Result<Half, Failure> {
    if is_plan(path) {
        let label = path.display().to_string();
        let bytes = std::fs::read(path)
            .map_err(|e| Failure::input(format!("`{label}` cannot be read: {e}")))?;
        let holds = plan_of(bytes, path)?;
        let file = path.to_owned();
        return Ok(Half { label, file, holds });
    }
    let mut checked = policy::check_one_on(Some(path), today)?;
    // A part of a policy stands for the whole policy here.
    let beyond = std::mem::take(&mut checked.beyond);
    checked.findings.extend(beyond);
    // A directory is no file, and a part no whole: the root is what is compared.
    let root = checked.sources.iter().next();
    let file = root.map_or_else(|| path.to_owned(), |(_, f)| PathBuf::from(&f.path));
    Ok(Half {
        label: file.display().to_string(),
        file,
        holds: Holds::Policy(Box::new(read(checked))),
    })
}

fn read(checked: Checked) -> Read {
    let (plan, estimate) = rayon::join(
        || compile(&checked.sources, &checked.policy),
        || {
            // Of a policy that could not be read whole no figure is to be had.
            checked.is_whole().then(|| {
                let graph = Graph::build(&checked.policy);
                let arithmetic = Arithmetic::of(&checked.policy, &graph);
                estimate::of(Ground {
                    policy: &checked.policy,
                    graph: &graph,
                    arithmetic: &arithmetic,
                })
            })
        },
    );
    Read {
        checked,
        plan,
        estimate,
    }
}

/// The new side from the work tree, the old one from the merge base.
fn with_base(args: &Args, revision: &str, today: Date) -> Result<(Half, Half), Failure> {
    let path = match args.paths.as_slice() {
        [] => Path::new("."),
        [one] => one,
        _ => {
            let message = "with `--base` only the new policy is named";
            return Err(Failure::input(message));
        }
    };
    if path.as_os_str() == STDIN {
        let message = "standard input stands in no revision";
        return Err(Failure::input(message).help("name the policy's file"));
    }
    let current = disk::current()?;
    let current = current.canonicalize().unwrap_or(current);
    let before = |root: &Path| {
        let base = Base::of(root, revision, &current)?;
        let half = base.read(root, today)?;
        Ok((base, half))
    };
    // Most paths tell where the root is before anything is read: then both sides are read at once.
    let likely = real(&current, &likely_root(path));
    let (new, old) = rayon::join(|| from_disk(path, today), || before(&likely));
    let new = new?;
    let root = real(&current, &new.file);
    let (base, old) = if root == likely { old } else { before(&root) }?;
    let old = match (old, &new.holds) {
        (Some(old), _) => Some(old),
        (None, Holds::Policy(read)) => match moved_from(&base.tree, read) {
            Some(root) => base.read(&root, today)?,
            None => None,
        },
        (None, _) => None,
    };
    Ok((old.unwrap_or_else(|| base.nothing()), new))
}

/// The root file that a path means, unless it is a part of another policy.
fn likely_root(path: &Path) -> PathBuf {
    match path.is_dir() {
        true => path.join(ROOT_FILE),
        false => path.to_owned(),
    }
}

fn real(current: &Path, path: &Path) -> PathBuf {
    let absolute = current.join(path);
    absolute.canonicalize().unwrap_or(absolute)
}

/// The commit that is compared with.
struct Base<'a> {
    tree: Tree,
    /// How it is called.
    name: String,
    current: &'a Path,
}

impl<'a> Base<'a> {
    /// Of the repository in which the root file lies.
    fn of(root: &Path, revision: &str, current: &'a Path) -> Result<Self, Failure> {
        let repository = Repository::of(root.parent().unwrap_or(current))?;
        let commit = repository.merge_base(revision)?;
        let short = commit.get(..10).unwrap_or(&commit);
        Ok(Base {
            tree: repository.tree(&commit)?,
            name: format!("{short} (merge base of {revision} and HEAD)"),
            current,
        })
    }

    /// A side on which there is nothing.
    fn nothing(&self) -> Half {
        Half {
            label: self.name.clone(),
            file: PathBuf::new(),
            holds: Holds::Nothing,
        }
    }

    /// What stood at a path; none: nothing did.
    fn read(&self, root: &Path, today: Date) -> Result<Option<Half>, Failure> {
        if !self.tree.exists(root) {
            return Ok(None);
        }
        // Places are shown as those of the work tree are: seen from the current directory.
        let file = workspace::relative(self.current, root);
        if is_plan(root) {
            let label = self.label(&file);
            let bytes = self.tree.read(root, usize::MAX);
            let unread = |e| Failure::input(format!("`{label}` cannot be read: {e}"));
            let holds = plan_of(bytes.map_err(unread)?, &file)?;
            return Ok(Some(Half { label, file, holds }));
        }
        let checked = workspace::check(self.load(&file)?, &self.tree, today, &[]);
        let checked = Checked {
            sources: checked.loaded.sources,
            policy: checked.policy,
            findings: checked.findings,
            beyond: Vec::new(),
            only: None,
        };
        Ok(Some(Half {
            label: self.label(&file),
            file,
            holds: Holds::Policy(Box::new(read(checked))),
        }))
    }

    fn label(&self, file: &Path) -> String {
        format!("{} at {}", file.display(), self.name)
    }

    fn load(&self, root: &Path) -> Result<Loaded, Failure> {
        let unread = |e: LoadError| Failure::input(format!("{e} at {}", self.name));
        let from = Root::Path(root);
        if !policy::is_markdown(root) {
            return load(from, &self.tree, self.current).map_err(unread);
        }
        let mut blocks = load_markdown(from, &self.tree, self.current).map_err(unread)?;
        match (blocks.pop(), blocks.is_empty()) {
            (Some(one), true) => Ok(one),
            _ => Err(Failure::input(format!(
                "`{}` does not hold one policy at {}",
                root.display(),
                self.name
            ))),
        }
    }
}

/// Where a policy stood that is not where it is now: the one file that held a policy of its name
/// and is gone.
fn moved_from(tree: &Tree, new: &Read) -> Option<PathBuf> {
    let name = &*new.checked.policy.name.as_ref()?.text;
    let gone = tree.policy_files().map(|p| tree.top().join(p));
    let mut found = gone.filter(|path| !path.exists()).filter(|path| {
        let bytes = tree.read(path, usize::MAX).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().any(|line| {
            let mut words = line.split(|c: char| c.is_whitespace() || c == '{');
            let mut words = words.by_ref().filter(|w| !w.is_empty());
            words.next() == Some("policy") && words.next() == Some(name)
        })
    });
    let one = found.next()?;
    found.next().is_none().then_some(one)
}

fn approvals(args: &Args, beside: &Path) -> Result<Vec<Approval>, Failure> {
    let file = args.approvals.as_deref().unwrap_or(beside);
    let name = file.display().to_string();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            let missing = error.kind() == std::io::ErrorKind::NotFound;
            return match missing && args.approvals.is_none() {
                true => Ok(Vec::new()),
                false => Err(Failure::input(format!("`{name}` cannot be read: {error}"))),
            };
        }
    };
    diff::read_approvals(&name, &text).map_err(|e| {
        Failure::input(e.to_string()).help("docs/diff.md shows what an approval looks like")
    })
}
