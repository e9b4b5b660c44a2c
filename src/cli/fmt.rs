//! `syncline fmt`: one canonical layout.

use std::path::{Path, PathBuf};

use super::disk::{self, Disk};
use super::failure::{Exit, Failure};
use super::policy::{STDIN, load_path};
use super::shell::Shell;
use super::unified;
use crate::render::{Report, human};
use crate::syntax::load::{FileReader, MAX_FILE_BYTES};
use crate::syntax::parse;
use crate::syntax::print::format;
use crate::text::{SourceFile, Sources};

/// Lay policies out in the one canonical way.
///
/// Rewrites files in place and prints the names of those that changed. A directory stands for its
/// policy.sync and every file that it uses. Comments stay where they stood and the plan stays what
/// it was. Where any text is broken, nothing at all is changed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Policy files, directories with policy.sync, or `-` to read standard input and write to
    /// standard output; default: the current directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Change nothing; print the names of files out of layout and fail where there are any
    #[arg(long)]
    check: bool,
    /// Change nothing; print what would change
    #[arg(long)]
    diff: bool,
}

/// A file and its canonical text.
struct Laid {
    name: String,
    old: String,
    new: String,
}

impl Laid {
    fn changed(&self) -> bool {
        self.old != self.new
    }
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let names = names(&args.paths)?;
    let mut laid = Vec::new();
    let mut broken = Report::default();
    for name in names {
        let old = text(&name)?;
        let formatted = format(&old)
            .map_err(|e| Failure::own(e.to_string()).help("the file was left as it is"))?;
        if formatted.sound {
            let new = formatted.text;
            laid.push(Laid { name, old, new });
        } else {
            let mut sources = Sources::default();
            let file = sources.add(SourceFile::new(name, old));
            let (_, findings) = parse(&sources, file);
            broken.add(&findings, &sources);
        }
    }
    if !broken.diagnostics.is_empty() {
        broken.sort();
        let text = human::check(&broken, shell.note_style, false);
        shell.warn(text.trim_end_matches('\n'));
        return Err(Failure::input(
            "broken text has no layout; nothing was changed",
        ));
    }
    show(args, &laid, shell)
}

/// Writes, or says what would be written.
fn show(args: &Args, laid: &[Laid], shell: &mut Shell) -> Result<Exit, Failure> {
    for file in laid {
        let from_stdin = file.name == STDIN;
        if args.diff {
            let style = shell.style;
            shell.print(&unified::unified(&file.name, &file.old, &file.new, style));
        } else if args.check {
            if file.changed() {
                shell.print(&format!("{}\n", file.name));
            }
        } else if from_stdin {
            shell.print(&file.new);
        } else if file.changed() {
            disk::write(Path::new(&file.name), &file.new)?;
            shell.print(&format!("{}\n", file.name));
        }
    }
    let changed = laid.iter().filter(|f| f.changed()).count();
    Ok(if args.check && changed > 0 {
        Exit::Findings
    } else {
        Exit::Clean
    })
}

/// The files that PATHs stand for, each once, in order.
fn names(paths: &[PathBuf]) -> Result<Vec<String>, Failure> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here } else { paths };
    let mut names: Vec<String> = Vec::new();
    for path in paths {
        let found = if path.as_os_str() == STDIN {
            vec![STDIN.to_owned()]
        } else if path.is_dir() {
            let loaded = load_path(path)?;
            let sources = loaded.sources.iter();
            sources.map(|(_, file)| file.path.clone()).collect()
        } else {
            let path = path.strip_prefix(".").unwrap_or(path);
            vec![path.to_string_lossy().replace('\\', "/")]
        };
        for name in found {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    Ok(names)
}

fn text(name: &str) -> Result<String, Failure> {
    let bytes = if name == STDIN {
        disk::stdin()?
    } else {
        let path = Path::new(name);
        if !path.exists() {
            return Err(Failure::input(format!("`{name}` does not exist")));
        }
        Disk.read(path, MAX_FILE_BYTES)
            .map_err(|e| Failure::input(format!("`{name}` cannot be read: {e}")))?
    };
    if bytes.len() > MAX_FILE_BYTES {
        return Err(Failure::input(format!("`{name}` is larger than 64 MiB")));
    }
    String::from_utf8(bytes)
        .map_err(|_| Failure::input(format!("`{name}` is not UTF-8")).help("save it as UTF-8"))
}
