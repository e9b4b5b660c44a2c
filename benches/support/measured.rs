//! One run of another program: how long it took, what it used.
//!
//! The peak memory of a process is known to its parent once it has ended, but only as the greatest
//! of all its children. So each run gets a parent of its own: this program once more, which runs
//! the one command and prints what it came to.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// The argument that makes this program the parent of one command.
const MEASURE: &str = "--measure-one";

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
    pub cpu: Duration,
    pub peak_kib: i64,
    pub status: i32,
}

/// Where this process is the parent of one command, runs it and ends.
pub fn parent_of_one() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() != Some(MEASURE) {
        return;
    }
    let program = args.next().expect("a program");
    let begin = Instant::now();
    let status = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let wall = begin.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("what the child used");
    let seconds = |t: nix::sys::time::TimeVal| t.tv_sec() * 1_000_000 + i64::from(t.tv_usec());
    let cpu = seconds(usage.user_time()) + seconds(usage.system_time());
    let status = status.ok().and_then(|s| s.code()).unwrap_or(-1);
    println!("{} {cpu} {} {status}", wall.as_micros(), usage.max_rss());
    std::process::exit(0);
}

/// Runs a command in a directory; none where it cannot be run.
pub fn measure(run: &Run, directory: &Path) -> Option<Measured> {
    let output = Command::new(std::env::current_exe().ok()?)
        .arg(MEASURE)
        .arg(&run.program)
        .args(&run.args)
        .current_dir(directory)
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let numbers: Vec<i64> = text
        .split_whitespace()
        .map(|n| n.parse().ok())
        .collect::<Option<_>>()?;
    let [wall, cpu, peak_kib, status] = *numbers.as_slice() else {
        return None;
    };
    Some(Measured {
        wall: Duration::from_micros(wall.unsigned_abs()),
        cpu: Duration::from_micros(cpu.unsigned_abs()),
        peak_kib,
        status: i32::try_from(status).ok()?,
    })
}

/// The median of each figure; the greatest status.
pub fn median(runs: &[Measured]) -> Option<Measured> {
    fn middle<T: Ord + Copy>(runs: &[Measured], of: impl Fn(&Measured) -> T) -> Option<T> {
        let mut all: Vec<T> = runs.iter().map(of).collect();
        all.sort();
        all.get(all.len() / 2).copied()
    }
    Some(Measured {
        wall: middle(runs, |r| r.wall)?,
        cpu: middle(runs, |r| r.cpu)?,
        peak_kib: middle(runs, |r| r.peak_kib)?,
        status: runs.iter().map(|r| r.status).max()?,
    })
}
