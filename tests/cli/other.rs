//! Usage, help, small commands, pipes that close.

use std::process::Stdio;

use crate::support::{CLEAN, Dir};

#[test]
fn wrong_usage_is_status_2_and_help_is_0() {
    let dir = Dir::new();
    for args in [
        &["nonsense"][..],
        &["check", "--nonsense"],
        &["-q", "-v", "check"],
        &[],
        &["plan", "a", "b"],
    ] {
        let ran = dir.run(args);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "{args:?}");
        assert!(!ran.stderr.is_empty());
    }
    for args in [
        &["--help"][..],
        &["check", "--help"],
        &["help", "plan"],
        &["--version"],
    ] {
        let ran = dir.run(args);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
        assert!(!ran.stdout.is_empty());
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut text = String::from(CLEAN);
    for i in 0..2_000 {
        text.push_str(&format!("system s{i} {{ connector nope }}\n"));
    }
    let dir = Dir::with(&[("policy.sync", &text)]);
    for format in ["json", "human"] {
        let mut child = dir
            .command(&["check", "-q", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(1));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_told() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = dir.command(&["plan"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.starts_with("error: standard output cannot be written"),
        "{said}"
    );
}

#[test]
fn a_new_policy_is_sound_and_laid_out_and_overwrites_nothing() {
    let dir = Dir::new();
    let ran = dir.run(&["init", "new/place"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(
        ran.stdout,
        "new/place/policy.sync\nnew/place/data/crm/contacts.csv\nnew/place/data/mailer/contacts.csv\n"
    );
    let ran = dir.run(&["check", "new/place", "--deny", "warnings"]);
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (0, "no errors, no warnings\n")
    );
    assert_eq!(dir.run(&["plan", "new/place"]).status, 0);
    dir.write("new/place/policy.sync", "mine");
    let ran = dir.run(&["init", "new/place"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert_eq!(dir.read("new/place/policy.sync"), "mine");
    // One file in the way is enough.
    let dir = Dir::with(&[("data/crm/contacts.csv", "mine")]);
    assert_eq!(dir.run(&["init"]).status, 2);
    assert!(!dir.file("policy.sync").exists());
}

#[test]
fn a_new_policy_is_laid_out() {
    let dir = Dir::new();
    assert_eq!(dir.run(&["init"]).status, 0);
    let ran = dir.run(&["fmt", "--diff"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""));
}

#[test]
fn checks_are_explained_by_code_and_by_name() {
    let dir = Dir::new();
    let by_code = dir.run(&["explain", "SL0103"]);
    assert_eq!(by_code.status, 0);
    assert!(
        by_code
            .stdout
            .starts_with("SL0103 write-to-owner (error)\n\n")
    );
    for other in ["write-to-owner", "sl0103"] {
        assert_eq!(dir.run(&["explain", other]).stdout, by_code.stdout);
    }
    assert_eq!(dir.run(&["explain", "SL9999"]).status, 2);
    let misspelt = dir.run(&["explain", "write-to-owners"]);
    assert_eq!(misspelt.status, 2);
    assert!(misspelt.stderr.contains("did you mean write-to-owner?"));
}

#[test]
fn a_page_is_laid_out_for_a_terminal_or_given_as_markdown() {
    let dir = Dir::new();
    let markdown = dir.run(&["explain", "SL0405", "--format", "markdown"]);
    assert!(markdown.stdout.starts_with("# SL0405 bad-expression\n\n"));
    assert!(
        markdown
            .stdout
            .contains("\n```sync policy.sync\npolicy acme {}\n")
    );
    let plain = dir.run(&["explain", "SL0405"]).stdout;
    let headings = [
        "Why it matters",
        "A policy that fails",
        "The same policy mended",
    ];
    for heading in headings.iter().chain(&["What mends it"]) {
        assert!(plain.contains(&format!("\n\n{heading}\n\n")), "{heading}");
    }
    assert!(plain.contains("\n    system crm {\n      connector postgres\n"));
    assert!(!plain.contains("```") && !plain.contains("\n#") && !plain.contains('\u{1b}'));
    let prose = plain.lines().filter(|l| !l.starts_with("    "));
    assert!(prose.map(|l| l.chars().count()).max().unwrap() <= 100);
    let bold = dir.run(&["--color", "always", "explain", "SL0405"]).stdout;
    assert!(bold.contains("\u{1b}[1mWhy it matters\u{1b}[0m\n"));
}

#[test]
fn the_catalog_is_listed_shown_and_checked() {
    let dir = Dir::new();
    let ran = dir.run(&["catalog", "list"]);
    assert_eq!(ran.status, 0);
    assert!(ran.stdout.contains("salesforce") && ran.stdout.contains("postgres"));
    let ran = dir.run(&["catalog", "show", "hubspot"]);
    assert_eq!(ran.status, 0);
    assert!(ran.stdout.contains("https://developers.hubspot.com/"));
    dir.write("own.yaml", &ran.stdout);
    assert_eq!(dir.run(&["catalog", "check", "own.yaml"]).status, 0);
    dir.write("own.yaml", "name: x\n");
    assert_eq!(dir.run(&["catalog", "check", "own.yaml"]).status, 1);
    assert_eq!(dir.run(&["catalog", "check", "none.yaml"]).status, 2);
    let ran = dir.run(&["catalog", "show", "hubsot"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("did you mean `hubspot`?"),
        "{}",
        ran.stderr
    );
}

#[test]
fn an_entry_of_ones_own_is_read_beside_its_policy() {
    let dir = Dir::new();
    let entry = dir
        .run(&["catalog", "show", "csv"])
        .stdout
        .replace("name: csv", "name: mine");
    dir.write("p/connectors/mine.yaml", entry);
    let with = |path: &str| CLEAN.replacen("connector csv", &format!("connector \"{path}\""), 1);
    dir.write("p/policy.sync", with("connectors/mine.yaml"));
    let ran = dir.run(&["check", "p", "--format", "json"]);
    assert_eq!((ran.status, ran.found()), (0, vec![]), "{}", ran.stdout);
    for bad in ["connectors/none.yaml", "../../etc/passwd", "policy.sync"] {
        dir.write("p/policy.sync", with(bad));
        let ran = dir.run(&["check", "p", "--format", "json"]);
        assert_eq!(ran.status, 1, "{bad}");
        let found = ran.found();
        assert!(
            found.iter().any(|f| f.contains(" p/policy.sync:3:24")),
            "{bad}: {found:?}"
        );
    }
}

#[test]
fn completions_and_manual_pages_are_printed() {
    let dir = Dir::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = dir.run(&["completions", shell]);
        assert_eq!(ran.status, 0);
        assert!(ran.stdout.contains("syncline"));
    }
    let ran = dir.run(&["man"]);
    assert_eq!(ran.status, 0);
    assert!(ran.stdout.contains(".TH syncline 1"), "{}", ran.stdout);
    assert!(
        dir.run(&["man", "check"])
            .stdout
            .contains(".TH syncline-check 1")
    );
    assert_eq!(dir.run(&["man", "nonsense"]).status, 2);
}
