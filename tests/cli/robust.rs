//! What a user hands in by mistake: nothing to read, links, directories, the wrong encoding.

use crate::support::{CLEAN, Dir, Ran};

fn check(dir: &Dir, path: &str) -> Ran {
    dir.run(&["check", path, "--format", "json"])
}

/// Zero policies read is never success.
#[test]
fn nothing_to_check_is_never_success() {
    let dir = Dir::with(&[
        ("empty.sync", ""),
        ("blank.sync", " \r\n\t\n"),
        ("mark.sync", "\u{feff}"),
        ("comments.sync", "// nothing\n/// to see\n"),
        ("no_block.md", "# Title\n\nText.\n\n```json\n{}\n```\n"),
        ("empty_block.md", "```sync\n```\n"),
        ("comment_block.md", "# Title\n\n```sync\n// later\n```\n"),
        ("here/readme.txt", ""),
    ]);
    for path in ["empty.sync", "blank.sync", "mark.sync", "comments.sync"] {
        let ran = check(&dir, path);
        assert_eq!(ran.status, 1, "{path}: {}", ran.stderr);
        assert_eq!(ran.found(), [format!("SL0008 {path}:1:1")]);
    }
    for (path, line) in [("empty_block.md", 2), ("comment_block.md", 4)] {
        let ran = check(&dir, path);
        let found = ran.found();
        assert_eq!((ran.status, found.len()), (1, 1), "{found:?}");
        assert_eq!(found[0], format!("SL0008 {path}:{line}:1"));
    }
    for path in [".", "here", "no_block.md", "none.sync"] {
        let ran = check(&dir, path);
        assert_eq!(
            (ran.status, &*ran.stdout),
            (2, ""),
            "{path}: {}",
            ran.stderr
        );
    }
    let ran = dir.run_with(&["check", "-", "--format", "json"], "");
    assert_eq!(
        (ran.status, ran.found()),
        (1, vec!["SL0008 -:1:1".to_owned()])
    );
}

#[test]
fn other_commands_find_nothing_to_work_on_either() {
    let dir = Dir::with(&[("empty.sync", ""), ("no_block.md", "text\n")]);
    for args in [
        &["plan", "empty.sync"][..],
        &["plan", "no_block.md"],
        &["plan", "none.sync"],
        &["plan"],
        &["check"],
        &["run", "empty.sync"],
        &["run", "none.sync"],
    ] {
        let ran = dir.run(args);
        assert!(matches!(ran.status, 1 | 2), "{args:?}: {}", ran.status);
        assert_eq!(ran.stdout, "", "{args:?}");
        assert!(!ran.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn every_encoding_but_utf8_is_one_finding() {
    let wide: Vec<u16> = CLEAN.encode_utf16().collect();
    let little: Vec<u8> = wide.iter().flat_map(|u| u.to_le_bytes()).collect();
    let marked = [&[0xff, 0xfe][..], &little].concat();
    let latin = [b"// caf\xe9\n".as_slice(), CLEAN.as_bytes()].concat();
    for bytes in [little, marked, latin] {
        let dir = Dir::new();
        dir.write("policy.sync", bytes);
        let ran = check(&dir, ".");
        assert_eq!(
            (ran.status, ran.found()),
            (1, vec!["SL0004 policy.sync:1:1".to_owned()])
        );
        let message = &ran.json()["diagnostics"][0]["message"];
        assert!(
            message.as_str().unwrap().ends_with("save it as UTF-8"),
            "{message}"
        );
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_out_of_the_repository() {
    use std::os::unix::fs::symlink;
    let dir = Dir::with(&[
        ("in/.git/config", ""),
        ("in/policy.sync", CLEAN),
        ("in/real/part.sync", "// part\n"),
        ("out/secret.sync", "system leaked { connector csv }\n"),
    ]);
    let link = |from: &str, to: &str| symlink(from, dir.file(to)).unwrap();
    link("real", "in/linked");
    link("../out/secret.sync", "in/away.sync");
    link("../out", "in/away");
    link("round.sync", "in/round.sync");
    link("nowhere.sync", "in/dangling.sync");
    link("in/policy.sync", "root.sync");
    let with = |uses: &str| {
        dir.write("in/policy.sync", format!("{uses}{CLEAN}"));
        check(&dir, "in")
    };
    let twice = with(
        "use \"linked/part.sync\"\nuse \"real/part.sync\"\nuse \"linked/../real/part.sync\"\n",
    );
    assert_eq!(
        (twice.status, twice.found().len()),
        (0, 0),
        "{}",
        twice.stdout
    );
    assert!(twice.stderr.contains("read 2 files"), "{}", twice.stderr);
    for name in [
        "away.sync",
        "away/secret.sync",
        "round.sync",
        "dangling.sync",
        "../out/secret.sync",
    ] {
        let ran = with(&format!("use \"{name}\"\n"));
        assert_eq!(ran.found(), ["SL0004 in/policy.sync:1:5"], "{name}");
        assert!(!ran.stdout.contains("leaked"), "{name}");
    }
    dir.write("in/policy.sync", CLEAN);
    assert_eq!(check(&dir, "root.sync").status, 0);
    assert_eq!(check(&dir, "in/round.sync").status, 2);
}

#[test]
fn a_directory_is_no_file() {
    let dir = Dir::with(&[
        ("policy.sync", &format!("use \"parts.sync\"\n{CLEAN}")),
        ("parts.sync/other.sync", ""),
        ("odd/policy.sync/x", ""),
    ]);
    assert_eq!(check(&dir, ".").found(), ["SL0004 policy.sync:1:5"]);
    let ran = check(&dir, "odd");
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    assert_eq!(ran.found(), ["SL0004 odd/policy.sync:1:1"]);
}

/// As an editor sends it: the text of a file that lies in the middle of a policy.
#[test]
fn standard_input_under_the_name_of_a_file_stands_for_it() {
    let dir = Dir::with(&[
        ("policy.sync", &format!("use \"part.sync\"\n{CLEAN}")),
        ("part.sync", "system spare { conector csv }\n"),
    ]);
    let args = [
        "check",
        "-",
        "--stdin-filename",
        "policy.sync",
        "--format",
        "json",
    ];
    let round = dir.run_with(&args, "use \"policy.sync\"\npolicy p { }\n");
    assert_eq!(round.found(), ["SL0005 policy.sync:1:5"]);
    let alone = dir.run_with(&args, CLEAN);
    assert_eq!(
        (alone.status, alone.found().len()),
        (0, 0),
        "{}",
        alone.stdout
    );
}
