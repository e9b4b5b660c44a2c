//! Runs of other programs: how long each took, what it used.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often a running program is asked for its memory.
const ASKED_EVERY: Duration = Duration::from_micros(300);

/// Clock ticks in a second, as Linux counts them towards programs whatever its own clock does.
const TICKS: f64 = 100.0;

/// A command.
#[derive(Debug, Clone)]
pub struct Run {
    pub program: PathBuf,
    pub args: Vec<String>,
}

/// What a run came to.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    pub wall: Duration,
    /// In ticks: too coarse for one run, but not for the mean of several.
    pub cpu: u64,
    /// As last seen before the end; memory is at its greatest well before that.
    pub peak_kib: u64,
    pub status: i32,
}

/// Runs a command in a directory; none where it cannot be run.
pub fn measure(run: &Run, directory: &Path) -> Option<Measured> {
    let before = ticks_of_children();
    let begin = Instant::now();
    let mut child = Command::new(&run.program)
        .args(&run.args)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut peak_kib = 0;
    let status = loop {
        peak_kib = peak_of(child.id()).unwrap_or(0).max(peak_kib);
        if let Some(status) = child.try_wait().ok()? {
            break status;
        }
        std::thread::sleep(ASKED_EVERY);
    };
    Some(Measured {
        wall: begin.elapsed(),
        cpu: ticks_of_children().saturating_sub(before),
        peak_kib,
        status: status.code().unwrap_or(-1),
    })
}

/// The peak memory of a process that runs, in KiB.
fn peak_of(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Processor time of the children that have ended, in ticks; 0 where it cannot be known.
fn ticks_of_children() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in brackets may hold blanks; after it, the times of children are 14th and 15th.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields = after.split_whitespace().skip(13).take(2);
    fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// What several runs came to: medians, but the mean of processor time.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    pub wall: Duration,
    pub cpu_seconds: f64,
    pub peak_kib: u64,
    /// The greatest.
    pub status: i32,
}

/// Puts several runs together; none where there is none.
pub fn summary(runs: &[Measured]) -> Option<Summary> {
    fn middle<T: Ord + Copy>(runs: &[Measured], of: impl Fn(&Measured) -> T) -> Option<T> {
        let mut all: Vec<T> = runs.iter().map(of).collect();
        all.sort();
        all.get(all.len() / 2).copied()
    }
    let ticks: u64 = runs.iter().map(|r| r.cpu).sum();
    Some(Summary {
        wall: middle(runs, |r| r.wall)?,
        cpu_seconds: ticks as f64 / TICKS / runs.len() as f64,
        peak_kib: middle(runs, |r| r.peak_kib)?,
        status: runs.iter().map(|r| r.status).max()?,
    })
}
