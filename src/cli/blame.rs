//! When lines of a file were written, as the `git` program tells.
//!
//! Only asked, never needed: without git, or outside a repository, the answer is that it is not
//! known.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::DateTime;

use crate::render::suppressions::Written;
use crate::time::Date;

/// When these lines (from 1) of a file were written, on a day.
pub(super) fn written(file: &Path, lines: &BTreeSet<u32>, today: Date) -> BTreeMap<u32, Written> {
    let all = |written: Written| lines.iter().map(|l| (*l, written.clone())).collect();
    let directory = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Some(name) = file.file_name() else {
        return all(Written::Unknown);
    };
    let git = |args: &[&str]| git(directory, args);
    let Some(shallow) = git(&["rev-parse", "--is-shallow-repository"]) else {
        return all(Written::Unknown);
    };
    let name = name.to_string_lossy();
    let mut args: Vec<String> = ["blame", "--porcelain", "-w"].map(str::to_owned).to_vec();
    for line in lines {
        args.push(format!("-L{line},{line}"));
    }
    args.extend(["--".to_owned(), name.into_owned()]);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    // In a repository, what git cannot trace was never committed.
    let Some(blame) = git(&args) else {
        return all(Written::Uncommitted);
    };
    let told = read(&blame, shallow.trim() == "true", today);
    lines
        .iter()
        .map(|l| (*l, told.get(l).cloned().unwrap_or(Written::Unknown)))
        .collect()
}

/// What git prints, where it succeeds.
fn git(directory: &Path, args: &[&str]) -> Option<String> {
    let output = super::git::command(directory).args(args).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// What is known of a commit.
#[derive(Debug, Clone, Default)]
struct Commit {
    day: Option<Date>,
    boundary: bool,
}

/// Reads the porcelain form of `git blame`: a header of commit, old line and new line, the first
/// time with the commit's own lines, then the text behind a tab.
fn read(blame: &str, shallow: bool, today: Date) -> BTreeMap<u32, Written> {
    let mut commits: BTreeMap<&str, Commit> = BTreeMap::new();
    let mut placed: Vec<(u32, &str)> = Vec::new();
    let mut current = "";
    for line in blame.lines().filter(|l| !l.starts_with('\t')) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            [hash, _, new, ..] if is_hash(hash) => {
                current = hash;
                commits.entry(hash).or_default();
                placed.extend(new.parse().ok().map(|new: u32| (new, hash)));
            }
            ["author-time", seconds] => {
                let time = seconds
                    .parse()
                    .ok()
                    .and_then(|s| DateTime::from_timestamp(s, 0));
                if let (Some(commit), Some(time)) = (commits.get_mut(current), time) {
                    commit.day = Some(time.date_naive());
                }
            }
            ["boundary"] => {
                if let Some(commit) = commits.get_mut(current) {
                    commit.boundary = true;
                }
            }
            _ => {}
        }
    }
    let written = |hash: &str| match commits.get(hash) {
        _ if hash.bytes().all(|b| b == b'0') => Written::Uncommitted,
        Some(Commit {
            day: Some(day),
            boundary,
        }) => Written::Committed {
            date: day.to_string(),
            commit: hash.to_owned(),
            days: (today - *day).num_days().max(0),
            // Every first commit is a boundary; only in a shallow clone is there more before it.
            at_least: *boundary && shallow,
        },
        _ => Written::Unknown,
    };
    placed
        .iter()
        .map(|(line, hash)| (*line, written(hash)))
        .collect()
}

fn is_hash(word: &str) -> bool {
    word.len() >= 40 && word.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_porcelain_form_is_read() {
        let (old, new) = ("a".repeat(40), "0".repeat(40));
        let text = format!(
            "{old} 3 4 1\nauthor A\nauthor-time 1767225600\nauthor-tz +0000\nboundary\n\
             summary author-time 5\nfilename p\n\tauthor-time 9\n{new} 9 9 1\nauthor Not\n\
             author-time 1769904000\n\tx\n{old} 7 8 1\n\ty\n"
        );
        let today = Date::from_ymd_opt(2026, 1, 31).unwrap();
        let committed = |at_least| Written::Committed {
            date: "2026-01-01".into(),
            commit: old.clone(),
            days: 30,
            at_least,
        };
        let told = read(&text, false, today);
        assert_eq!(told.get(&4), Some(&committed(false)));
        assert_eq!(told.get(&8), Some(&committed(false)));
        assert_eq!(told.get(&9), Some(&Written::Uncommitted));
        assert_eq!(read(&text, true, today).get(&4), Some(&committed(true)));
    }
}
