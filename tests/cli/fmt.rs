//! `fmt`: what it writes, what it leaves alone.

use crate::support::{CLEAN, Dir};

const UGLY: &str =
    "policy   tiny {\n}\n\n\n\n// kept\nsystem crm{connector csv option path=\"x\"}\n";

/// The one layout of a text.
fn laid(text: &str) -> String {
    let ran = Dir::new().run_with(&["fmt", "-"], text);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    ran.stdout
}

#[test]
fn standard_input_is_filtered_and_a_second_time_changes_nothing() {
    let once = laid(UGLY);
    assert_ne!(once, UGLY);
    assert!(once.contains("// kept\n"), "{once}");
    assert_eq!(laid(&once), once);
}

#[test]
fn files_are_rewritten_in_place_and_named() {
    let good = laid(CLEAN);
    let dir = Dir::with(&[("ugly.sync", UGLY), ("good.sync", &good)]);
    let ran = dir.run(&["fmt", "ugly.sync", "good.sync"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "ugly.sync\n"));
    assert_eq!(dir.read("ugly.sync"), laid(UGLY));
    assert_eq!(dir.read("good.sync"), good);
    let ran = dir.run(&["fmt", "ugly.sync", "good.sync"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""));
}

#[test]
fn a_directory_stands_for_every_file_of_its_policy() {
    let dir = Dir::with(&[
        ("policy.sync", "use \"teams/a.sync\"\npolicy   p { }\n"),
        ("teams/a.sync", "system   a { connector csv }\n"),
        ("other.sync", "system   b { connector csv }\n"),
    ]);
    let ran = dir.run(&["fmt"]);
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (0, "policy.sync\nteams/a.sync\n")
    );
    assert!(dir.read("other.sync").contains("system   b"));
    let ran = dir.run_in("teams", &["fmt", ".."], b"", &[]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""));
}

#[test]
fn check_and_diff_change_nothing() {
    let dir = Dir::with(&[("ugly.sync", UGLY), ("good.sync", &laid(CLEAN))]);
    let ran = dir.run(&["fmt", "--check", "good.sync", "ugly.sync"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, "ugly.sync\n"));
    let ran = dir.run(&["fmt", "--check", "good.sync"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""));
    let ran = dir.run(&["fmt", "--diff", "good.sync", "ugly.sync"]);
    assert_eq!(ran.status, 0);
    assert!(
        ran.stdout.starts_with("--- ugly.sync\n+++ ugly.sync\n@@ "),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("\n-policy   tiny {\n"),
        "{}",
        ran.stdout
    );
    let ran = dir.run(&["fmt", "--diff", "--check", "ugly.sync"]);
    assert_eq!(ran.status, 1);
    let ran = dir.run_with(&["fmt", "--check", "-"], UGLY);
    assert_eq!((ran.status, ran.stdout.as_str()), (1, "-\n"));
    assert_eq!(dir.read("ugly.sync"), UGLY);
}

#[test]
fn broken_text_changes_nothing_anywhere() {
    let broken = "policy   p {\n";
    let dir = Dir::with(&[("ugly.sync", UGLY), ("broken.sync", broken)]);
    let ran = dir.run(&["fmt", "ugly.sync", "broken.sync"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.contains("SL0001 syntax"), "{}", ran.stderr);
    assert_eq!(dir.read("ugly.sync"), UGLY);
    assert_eq!(dir.read("broken.sync"), broken);
    let ran = dir.run_with(&["fmt", "-"], broken);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert_eq!(dir.run(&["fmt", "missing.sync"]).status, 2);
    dir.write("latin.sync", b"// caf\xe9\n");
    assert_eq!(dir.run(&["fmt", "latin.sync"]).status, 2);
}

#[test]
fn line_ends_and_the_byte_order_mark_become_plain() {
    let good = laid(CLEAN);
    let dir = Dir::new();
    dir.write(
        "policy.sync",
        format!("\u{feff}{}", good.replace('\n', "\r\n")),
    );
    let ran = dir.run(&["fmt"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "policy.sync\n"));
    assert_eq!(dir.read("policy.sync"), good);
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_rights_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::with(&[("real/a.sync", UGLY)]);
    let rights = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(dir.file("real/a.sync"), rights).unwrap();
    std::os::unix::fs::symlink("real/a.sync", dir.file("link.sync")).unwrap();
    assert_eq!(dir.run(&["fmt", "link.sync"]).stdout, "link.sync\n");
    let link = std::fs::symlink_metadata(dir.file("link.sync")).unwrap();
    assert!(link.file_type().is_symlink());
    assert_eq!(dir.read("real/a.sync"), laid(UGLY));
    let mode = std::fs::metadata(dir.file("real/a.sync"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o640);
}
