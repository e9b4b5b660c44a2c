//! Runs of other programs: how long each took, what it used.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::spent::spent;

/// How often a running program is asked for its memory.
const ASKED_EVERY: Duration = Duration::from_micros(300);

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
    /// Too coarse for one run, but not for the mean of several.
    pub cpu: Duration,
    /// As last seen before the end; memory is at its greatest well before that.
    pub peak_kib: u64,
    pub status: i32,
}

/// Runs a command in a directory; none where it cannot be run.
pub fn measure(run: &Run, directory: &Path) -> Option<Measured> {
    let [_, before] = spent("self");
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
        cpu: spent("self")[1].saturating_sub(before),
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
    let cpu: Duration = runs.iter().map(|r| r.cpu).sum();
    Some(Summary {
        wall: middle(runs, |r| r.wall)?,
        cpu_seconds: cpu.as_secs_f64() / runs.len() as f64,
        peak_kib: middle(runs, |r| r.peak_kib)?,
        status: runs.iter().map(|r| r.status).max()?,
    })
}
