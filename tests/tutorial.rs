//! The tutorial does what it says: its files are written, its commands are run in order, and what
//! it shows of their output is there.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// A fenced block: the words after the fence, and the text.
fn blocks(text: &str) -> Vec<(Vec<&str>, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(Vec<&str>, String)> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(""), Some(block)) => blocks.push(block),
            (Some(info), None) => open = Some((info.split_whitespace().collect(), String::new())),
            (None, Some((info, body))) => open = Some((info, body + line + "\n")),
            (_, other) => open = other,
        }
    }
    blocks
}

/// Runs commands as a reader would, with this build first on the path.
fn run(commands: &str, dir: &Path) -> (bool, String) {
    let program = Path::new(env!("CARGO_BIN_EXE_syncline"));
    let folder = program.parent().expect("a folder").display().to_string();
    let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-ec", commands])
        .env("PATH", path)
        .current_dir(dir)
        .output()
        .expect("a shell");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[test]
fn the_tutorial_does_what_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tutorial.md");
    let text = fs::read_to_string(path).expect("the tutorial");
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path();
    let policy = dir.join("policy.sync");
    let (mut whole, mut printed, mut commands) = (String::new(), String::new(), 0);
    for (info, body) in blocks(&text) {
        match info[..] {
            ["sh", ref how @ ..] => {
                if how == ["fixed"] {
                    fs::write(&policy, &whole).expect("the policy");
                }
                let (well, said) = run(&body, dir);
                assert_eq!(well, how != ["fails"], "{body}{said}");
                printed = said;
                commands += 1;
            }
            ["text"] => {
                for line in body.lines() {
                    assert!(printed.contains(line), "`{line}` is not in:\n{printed}");
                }
            }
            ["sync", "fragment", "append"] => {
                fs::write(&policy, whole.clone() + "\n" + &body).expect("the policy");
            }
            [kind, file] => {
                let place = dir.join(file);
                fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
                fs::write(place, &body).expect("a file");
                if kind == "sync" {
                    whole = body;
                }
            }
            _ => panic!("what is a block of {info:?}?"),
        }
    }
    assert!(commands >= 9, "only {commands} blocks of commands");
}
