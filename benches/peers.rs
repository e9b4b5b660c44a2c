//! `cargo bench --bench peers [-- [--runs N] DECLARATIONS…]`: `syncline check` beside what other
//! policy and schema tools do to check the same number of declarations, in one run, side by side.
//!
//! Peers are found on PATH, or by CEDAR, BUF and RUFF, which name the programs; one that is not
//! there is left out with a notice. Figures are medians of several runs that take turns (the mean for
//! CPU, which the system counts in hundredths of a second), so that what else the machine does falls
//! on all of them. CPU and memory are known on Linux only. See `support/peers.rs` for what counts as
//! a declaration.

#[path = "support/measured.rs"]
mod measured;
#[path = "support/spent.rs"]
mod spent;
#[path = "support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use measured::{Measured, Run, Summary, measure, summary};
use support::peers::{self, Files};

/// A tool and how it checks.
struct Tool {
    name: &'static str,
    program: PathBuf,
    args: &'static [&'static str],
    input: fn(usize) -> Files,
}

const SIZES: [usize; 4] = [50, 200, 2_000, 20_000];
const RUNS: usize = 11;

fn tools() -> Vec<Tool> {
    let syncline = Tool {
        name: "syncline check",
        program: env!("CARGO_BIN_EXE_syncline").into(),
        args: &["-q", "check", "policy.sync"],
        input: peers::sync,
    };
    let others = [
        (
            "CEDAR",
            "cedar",
            Tool {
                name: "cedar validate",
                program: PathBuf::new(),
                args: &[
                    "validate",
                    "--schema",
                    "schema.cedarschema",
                    "--policies",
                    "policies.cedar",
                ],
                input: peers::cedar,
            },
        ),
        (
            "BUF",
            "buf",
            Tool {
                name: "buf lint",
                program: PathBuf::new(),
                args: &["lint"],
                input: peers::buf,
            },
        ),
        (
            "RUFF",
            "ruff",
            Tool {
                name: "ruff check",
                program: PathBuf::new(),
                args: &["check", "--isolated", "--no-cache", "-q", "generated.py"],
                input: peers::ruff,
            },
        ),
    ];
    let mut tools = vec![syncline];
    for (variable, name, tool) in others {
        match find(variable, name) {
            Some(program) => tools.push(Tool { program, ..tool }),
            None => println!(
                "{} is left out: no `{name}` on PATH and no {variable}",
                tool.name
            ),
        }
    }
    tools
}

fn find(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(given) = std::env::var_os(variable) {
        return Path::new(&given).canonicalize().ok();
    }
    let path = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&path).map(|dir| dir.join(name));
    all.find(|p| p.is_file())
}

/// Runs and sizes that are asked for.
fn asked() -> (usize, Vec<usize>) {
    let mut args = std::env::args().skip(1).filter(|a| a != "--bench");
    let (mut runs, mut sizes) = (RUNS, Vec::new());
    while let Some(arg) = args.next() {
        let number = |text: Option<String>| text.and_then(|t| t.parse().ok());
        match arg.as_str() {
            "--runs" => runs = number(args.next()).unwrap_or(RUNS),
            _ => sizes.extend(number(Some(arg))),
        }
    }
    if sizes.is_empty() {
        sizes = SIZES.to_vec();
    }
    (runs, sizes)
}

/// Writes a tool's input; gives the bytes.
fn write(files: &Files, directory: &Path) -> std::io::Result<usize> {
    for (name, text) in files {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(directory))?;
        std::fs::write(path, text)?;
    }
    Ok(files.iter().map(|(_, text)| text.len()).sum())
}

fn main() -> std::io::Result<()> {
    let (runs, sizes) = asked();
    let tools = tools();
    println!("{runs} runs that take turns: medians, CPU the mean");
    println!("| declarations | tool | MB | wall | CPU | peak MiB | declarations/s | MB/s |");
    println!("|---|---|---|---|---|---|---|---|");
    for size in sizes {
        let units = peers::units(size);
        let declarations = units * peers::UNIT;
        let mut inputs = Vec::new();
        for tool in &tools {
            let directory = tempfile::tempdir()?;
            let bytes = write(&(tool.input)(units), directory.path())?;
            inputs.push((directory, bytes));
        }
        let mut all: Vec<Vec<Measured>> = vec![Vec::new(); tools.len()];
        // The first turn only fills the caches.
        for turn in 0..=runs {
            for ((tool, (directory, _)), found) in tools.iter().zip(&inputs).zip(&mut all) {
                let run = Run {
                    program: tool.program.clone(),
                    args: tool.args.iter().map(|a| (*a).to_owned()).collect(),
                };
                let measured = measure(&run, directory.path());
                found.extend(measured.filter(|_| turn > 0));
            }
        }
        for ((tool, (_, bytes)), found) in tools.iter().zip(&inputs).zip(&all) {
            print(tool.name, declarations, *bytes, summary(found));
        }
    }
    Ok(())
}

fn print(name: &str, declarations: usize, bytes: usize, found: Option<Summary>) {
    let Some(found) = found else {
        println!("{name} could not be run");
        return;
    };
    let seconds = found.wall.as_secs_f64();
    let megabytes = bytes as f64 / 1e6;
    println!(
        "| {declarations} | {name} | {megabytes:.2} | {:.1} ms | {:.1} ms | {:.1} | {:.0} | {:.1} |",
        seconds * 1e3,
        found.cpu_seconds * 1e3,
        found.peak_kib as f64 / 1024.0,
        declarations as f64 / seconds,
        megabytes / seconds,
    );
    if found.status != 0 {
        println!(
            "{name} ended with status {}: its input is not sound",
            found.status
        );
    }
}
