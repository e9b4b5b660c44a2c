//! `check`: what it reads, what it finds, how it says so.

use crate::support::{CLEAN, Dir, Ran, with_error};

fn only(ran: &Ran) -> serde_json::Value {
    let json = ran.json();
    let findings = json["diagnostics"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{json:#}");
    findings[0].clone()
}

#[test]
fn a_sound_policy_is_clean_and_the_count_goes_to_standard_error() {
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    for path in [&[][..], &["."], &["policy.sync"], &["./policy.sync"]] {
        let ran = dir.run(&[&["check", "--format", "json"], path].concat());
        assert_eq!(ran.status, 0, "{}", ran.stdout);
        assert_eq!(ran.found(), [] as [&str; 0]);
        assert_eq!(ran.stderr, "read 1 file\n");
    }
    let ran = dir.run(&["check", "-q"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert_eq!(ran.stdout, "no errors, no warnings\n");
}

#[test]
fn the_example_has_no_error() {
    let dir = Dir::with(&[(
        "policy.sync",
        include_str!("../../examples/acme/policy.sync"),
    )]);
    let ran = dir.run(&["check", "--format", "json"]);
    assert_eq!(ran.json()["summary"]["errors"], 0, "{}", ran.stdout);
    assert_eq!(ran.status, 0);
}

#[test]
fn an_error_is_status_1_and_stands_on_standard_output() {
    let dir = Dir::with(&[("policy.sync", &with_error())]);
    let ran = dir.run(&["check", "--format", "json"]);
    assert_eq!(ran.status, 1);
    let found = only(&ran);
    assert_eq!(found["code"], "SL0101");
    assert_eq!(found["name"], "no-owner");
    assert_eq!(found["severity"], "error");
    assert_eq!(found["docs"], "SL0101");
    assert_eq!(found["file"], "policy.sync");
    let ran = dir.run(&["check"]);
    assert_eq!(ran.status, 1);
    assert!(ran.stdout.contains("SL0101 no-owner"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("\n1 error\n"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "read 1 file\n");
}

#[test]
fn every_answer_fits_the_published_schema() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../docs/check.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let broken = "policy p {\nsystem a { conector csv }\nentity { }\n";
    for text in [CLEAN, &with_error(), broken, ""] {
        let dir = Dir::with(&[("policy.sync", text)]);
        let json = dir.run(&["check", "--format", "json"]).json();
        let errors: Vec<String> = validator
            .iter_errors(&json)
            .map(|e| e.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?} in {json:#}");
    }
    let odd = serde_json::json!({"version": 1, "summary": {"errors": 0, "warnings": 0, "allowed": 0},
        "diagnostics": [{"code": "SL0001"}]});
    assert!(!validator.is_valid(&odd), "the schema asks for something");
}

#[test]
fn what_cannot_be_read_is_status_2_with_nothing_on_standard_output() {
    let dir = Dir::with(&[("empty/readme.txt", ""), ("plain.md", "# no policy\n")]);
    for path in ["missing.sync", "empty", ".", "plain.md"] {
        for format in ["human", "json"] {
            let ran = dir.run(&["check", path, "--format", format]);
            assert_eq!(
                (ran.status, ran.stdout.as_str()),
                (2, ""),
                "{path}: {}",
                ran.stderr
            );
            assert!(ran.stderr.starts_with("error: `"), "{}", ran.stderr);
        }
    }
    let ran = dir.run(&["check", "policies/*.sync"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(
        ran.stderr.contains("no file fits this pattern"),
        "{}",
        ran.stderr
    );
    dir.write("policy.sync", CLEAN);
    let ran = dir.run(&["check", "policy.sync", "missing.sync"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
}

#[test]
fn a_root_that_exists_and_is_no_utf8_is_a_finding() {
    let dir = Dir::new();
    dir.write("policy.sync", b"policy p { }\n// caf\xe9\n");
    let ran = dir.run(&["check", "--format", "json"]);
    assert_eq!(ran.status, 1);
    assert_eq!(ran.found(), ["SL0004 policy.sync:1:1"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read_is_a_finding() {
    use std::os::unix::fs::PermissionsExt;
    let dir = Dir::with(&[("policy.sync", CLEAN)]);
    let closed = std::fs::Permissions::from_mode(0o000);
    std::fs::set_permissions(dir.file("policy.sync"), closed).unwrap();
    if std::fs::read(dir.file("policy.sync")).is_ok() {
        return; // The superuser reads everything.
    }
    let ran = dir.run(&["check", "--format", "json"]);
    assert_eq!(
        (ran.status, ran.found()),
        (1, vec!["SL0004 policy.sync:1:1".to_owned()])
    );
}

#[test]
fn a_file_without_a_policy_item_is_a_finding() {
    let dir = Dir::with(&[(
        "alone.sync",
        "system crm { connector csv  option path = \"x\" }\n",
    )]);
    let ran = dir.run(&["check", "alone.sync", "--format", "json"]);
    assert_eq!(ran.status, 1);
    assert!(
        ran.found().contains(&"SL0008 alone.sync:1:1".to_owned()),
        "{:?}",
        ran.found()
    );
    let dir = Dir::with(&[("policy.sync", "")]);
    let ran = dir.run(&["check", "--format", "json"]);
    assert_eq!(
        (ran.status, ran.found()),
        (1, vec!["SL0008 policy.sync:1:1".to_owned()])
    );
    let place = &only(&ran)["range"];
    assert_eq!(place["start"], place["end"]);
}

#[test]
fn standard_input_is_a_policy_too() {
    let dir = Dir::new();
    let ran = dir.run_with(&["check", "-", "--format", "json"], &with_error());
    assert_eq!(ran.status, 1);
    assert_eq!(only(&ran)["file"], "-");
    let name = [
        "check",
        "-",
        "--stdin-filename",
        "p/policy.sync",
        "--format",
        "json",
    ];
    let ran = dir.run_with(&name, &with_error());
    assert_eq!(only(&ran)["file"], "p/policy.sync");
    // What it uses is found beside that name.
    dir.write("p/more.sync", "system spare { connector nope }\n");
    let ran = dir.run_with(&name, &format!("use \"more.sync\"\n{CLEAN}"));
    assert_eq!(ran.found(), ["SL0003 p/more.sync:1:26"]);
    assert_eq!(ran.stderr, "read 2 files\n");
    let ran = dir.run(&["check", "--stdin-filename", "x.sync"]);
    assert_eq!(ran.status, 2);
}

#[test]
fn files_are_named_from_the_current_directory_wherever_they_lie() {
    let dir = Dir::with(&[
        ("repo/.git/HEAD", ""),
        (
            "repo/policies/policy.sync",
            &format!("use \"../shared/systems.sync\"\n{CLEAN}"),
        ),
        (
            "repo/shared/systems.sync",
            "system spare { connector nope }\n",
        ),
    ]);
    let json = ["--format", "json"];
    let at = |below: &str, path: &str| {
        dir.run_in(below, &[&["check", path][..], &json].concat(), b"", &[])
    };
    let ran = at(".", "repo/policies");
    assert_eq!(ran.found(), ["SL0003 repo/shared/systems.sync:1:26"]);
    assert_eq!(ran.stderr, "read 2 files\n");
    let ran = at("repo/policies", "policy.sync");
    assert_eq!(ran.found(), ["SL0003 ../shared/systems.sync:1:26"]);
    let ran = at("repo/policies", ".");
    assert_eq!(ran.found(), ["SL0003 ../shared/systems.sync:1:26"]);
}

#[test]
fn a_part_of_a_policy_is_checked_with_the_whole_and_only_its_findings_show() {
    let part = "map contact in mailr { same_names }\n";
    let root = format!("use \"teams/mail.sync\"\n{}", with_error());
    let dir = Dir::with(&[("policy.sync", &root), ("teams/mail.sync", part)]);
    let ran = dir.run(&["check", "--format", "json"]);
    assert_eq!(
        ran.found(),
        ["SL0101 policy.sync:12:9", "SL0003 teams/mail.sync:1:16"]
    );
    for below in [".", "teams"] {
        let path = if below == "." {
            "teams/mail.sync"
        } else {
            "mail.sync"
        };
        let args = ["check", path, "--format", "json"];
        let ran = dir.run_in(below, &args, b"", &[]);
        assert_eq!(ran.status, 1);
        assert_eq!(ran.found(), [format!("SL0003 {path}:1:16")], "in {below}");
    }
    // Labels in the root are named from here as well.
    dir.write("teams/mail.sync", "map contact in crm { same_names }\n");
    let args = ["check", "mail.sync", "--format", "json"];
    let ran = dir.run_in("teams", &args, b"", &[]);
    let found = &ran.json()["diagnostics"][0];
    assert_eq!(found["code"], "SL0002");
    assert_eq!(found["labels"][0]["file"], "../policy.sync", "{found:#}");
    // As an editor holds it, mended and not yet saved.
    let args = [
        "check",
        "-",
        "--stdin-filename",
        "teams/mail.sync",
        "--format",
        "json",
    ];
    let ran = dir.run_with(&args, "// nothing\n");
    assert_eq!((ran.status, ran.found()), (0, vec![]));
    // A `policy.sync` above that does not reach the file is not its policy.
    dir.write("policy.sync", with_error());
    let ran = dir.run(&["check", "teams/mail.sync", "--format", "json"]);
    assert!(
        ran.found()
            .contains(&"SL0008 teams/mail.sync:1:1".to_owned()),
        "{:?}",
        ran.found()
    );
}

#[test]
fn several_policies_give_one_answer_and_a_shared_file_is_told_once() {
    let root = |name: &str| format!("use \"common.sync\"\n{}", CLEAN.replace("tiny", name));
    let dir = Dir::with(&[
        ("b.sync", &root("b")),
        ("a.sync", &root("a")),
        ("common.sync", "system spare { connector nope }\n"),
    ]);
    let ran = dir.run(&["check", "b.sync", "a.sync", "--format", "json"]);
    assert_eq!(ran.found(), ["SL0003 common.sync:1:26"]);
    assert_eq!(ran.stderr, "read 3 files\n");
}

#[test]
fn positions_count_characters_in_lines_of_every_ending() {
    let system = "system spare { connector nope }";
    let crlf = format!("{}\r\n", CLEAN.replace('\n', "\r\n"));
    let lines = crlf.matches('\n').count();
    let text = format!("\u{feff}{crlf}/* é */");
    let text = text.replace("/* é */", &format!("// é\r\n\t{system}\r\n"));
    let dir = Dir::with(&[("policy.sync", &text)]);
    let ran = dir.run(&["check", "--format", "json"]);
    let found = only(&ran);
    let range = &found["range"];
    assert_eq!(range["start"]["line"], lines + 2);
    assert_eq!(
        range["start"]["column"],
        2 + "system spare { connector ".len()
    );
    let offset = range["start"]["offset"].as_u64().unwrap() as usize;
    let end = range["end"]["offset"].as_u64().unwrap() as usize;
    assert_eq!(&text[offset..end], "nope");
    // A byte-order mark has no column.
    let dir = Dir::with(&[("policy.sync", "\u{feff}polcy p { }\n")]);
    let ran = dir.run(&["check", "--format", "json"]);
    assert_eq!(ran.found()[0], "SL0001 policy.sync:1:1");
    assert_eq!(ran.json()["diagnostics"][0]["range"]["start"]["offset"], 3);
    // Characters, not bytes.
    let dir = Dir::with(&[("policy.sync", "policy p { } /* */\n")]);
    dir.write(
        "policy.sync",
        format!("{CLEAN}scenario x \"ñandú 🦜\" {{ mde every 1h }}\n"),
    );
    let ran = dir.run(&["check", "--format", "json", "--only", "SL0001"]);
    let column = "scenario x \"ñandú 🦜\" { ".chars().count() + 1;
    assert_eq!(only(&ran)["range"]["start"]["column"], column);
}

#[test]
fn three_broken_clauses_are_three_findings_and_hide_nothing_else() {
    let text = with_error()
        .replace(
            "connector csv  option path = \"crm\"",
            "connector csv  option path = \"crm\"\n  budgt 40%\n",
        )
        .replace(
            "map contact in mailer { same_names",
            "map contact in mailer { same_names\n  fild x = \"y\"\n",
        )
        .replace("  stale reporting", "  stale reporting\n  bacth 5");
    let dir = Dir::with(&[("policy.sync", &text)]);
    let ran = dir.run(&["check", "--format", "json"]);
    let found = ran.found();
    let count = |code: &str| found.iter().filter(|f| f.starts_with(code)).count();
    assert_eq!(count("SL0001"), 3, "{found:?}");
    assert_eq!(count("SL0101"), 1, "{found:?}");
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn one_check_can_be_asked_for_alone() {
    let text = format!("{}system Spare {{ connector nope }}\n", with_error());
    let dir = Dir::with(&[("policy.sync", &text)]);
    let ran = dir.run(&["check", "--format", "json", "--only", "SL0101"]);
    assert_eq!((ran.status, ran.found().len()), (1, 1));
    let ran = dir.run(&[
        "check", "--format", "json", "--only", "no-owner", "--only", "SL0003",
    ]);
    assert_eq!((ran.status, ran.found().len()), (1, 2));
    // What is not asked for decides nothing.
    let ran = dir.run(&["check", "--format", "json", "--only", "two-owners"]);
    assert_eq!((ran.status, ran.found().len()), (0, 0));
    let ran = dir.run(&["check", "--only", "no-ownr"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.contains("did you mean no-owner?"),
        "{}",
        ran.stderr
    );
}

/// A policy with one warning (SL0110, a source that is accepted and never used).
fn with_warning() -> String {
    CLEAN.replace("field name:  text?", "field name:  text?  accepts mailer")
}

#[test]
fn warnings_fail_only_where_they_are_denied() {
    let dir = Dir::with(&[("policy.sync", &with_warning())]);
    let ran = dir.run(&["check", "--format", "json"]);
    assert_eq!(ran.found(), ["SL0110 policy.sync:12:23"]);
    assert_eq!(ran.status, 0);
    assert_eq!(ran.json()["summary"]["warnings"], 1);
    for (deny, status) in [
        ("warnings", 1),
        ("SL0110", 1),
        ("accepts-unused", 1),
        ("SL0101", 0),
    ] {
        let ran = dir.run(&["check", "--deny", deny]);
        assert_eq!(ran.status, status, "--deny {deny}");
    }
    let ran = dir.run(&["check", "--deny", "SL0101", "--deny", "warnings"]);
    assert_eq!(ran.status, 1);
    let ran = dir.run(&["check", "--deny", "everything"]);
    assert_eq!(ran.status, 2);
}

#[test]
fn an_allowed_finding_is_listed_and_counts_apart() {
    let allowed = with_warning().replace(
        "accepts mailer",
        "accepts mailer  allow SL0110 \"until the second phase\" until 2030-01-31",
    );
    let dir = Dir::with(&[("policy.sync", &allowed)]);
    let args = ["check", "--format", "json", "--deny", "warnings"];
    let ran = dir.run(&[&args[..], &["--now", "2030-01-31"]].concat());
    assert_eq!(ran.status, 0, "{}", ran.stdout);
    assert_eq!(only(&ran)["severity"], "allowed");
    assert_eq!(ran.json()["summary"]["allowed"], 1);
    assert_eq!(ran.json()["summary"]["warnings"], 0);
    // The day after, it no longer holds and says so.
    let ran = dir.run(&[&args[..], &["--now", "2030-02-01"]].concat());
    assert_eq!(ran.status, 1);
    assert_eq!(ran.json()["summary"]["warnings"], 2, "{}", ran.stdout);
    let ran = dir.run(&["check", "--now", "2030-2-1"]);
    assert_eq!(ran.status, 2);
}

#[test]
fn a_baseline_accepts_what_was_there_wherever_it_moved() {
    let dir = Dir::with(&[("policy.sync", &with_error())]);
    let ran = dir.run(&["check", "--write-baseline", "base.json"]);
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (0, "no errors, no warnings, 1 allowed\n")
    );
    dir.write("policy.sync", format!("// moved\n\n{}", with_error()));
    let ran = dir.run(&["check", "--baseline", "base.json", "--format", "json"]);
    assert_eq!(ran.status, 0);
    assert_eq!(only(&ran)["severity"], "allowed");
    // Another finding is news, and so is the same once more.
    let more = format!("{}system spare {{ connector nope }}\n", with_error());
    dir.write("policy.sync", more);
    let ran = dir.run(&["check", "--baseline", "base.json", "--format", "json"]);
    assert_eq!(ran.status, 1);
    assert_eq!(
        ran.json()["summary"],
        serde_json::json!({"errors": 1, "warnings": 0, "allowed": 1})
    );
    // The output of an earlier check does as well.
    let earlier = dir.run(&["check", "--format", "json"]).stdout;
    dir.write("earlier.json", earlier);
    assert_eq!(dir.run(&["check", "--baseline", "earlier.json"]).status, 0);
    let ran = dir.run(&["check", "--baseline", "missing.json"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    dir.write("odd.json", "[]");
    assert_eq!(dir.run(&["check", "--baseline", "odd.json"]).status, 2);
}

#[test]
fn fixes_are_applied_and_checked_again() {
    let laid = Dir::new().run_with(&["fmt", "-"], CLEAN).stdout;
    let text = laid.replace("  stale   reporting", "  stael   reporting");
    let dir = Dir::with(&[("policy.sync", &text)]);
    let ran = dir.run(&["check", "--format", "json"]);
    assert_eq!(ran.status, 1);
    let fix = &only(&ran)["fixes"][0]["edits"][0];
    assert_eq!(fix["file"], "policy.sync");
    assert_eq!(fix["text"], "stale");
    let ran = dir.run(&["check", "--fix", "--diff"]);
    assert!(
        ran.stdout
            .contains("\n-  stael   reporting\n+  stale   reporting\n"),
        "{}",
        ran.stdout
    );
    assert_eq!(dir.read("policy.sync"), text, "a diff changes nothing");
    let ran = dir.run(&["check", "--fix"]);
    assert_eq!(
        (ran.status, ran.stdout.as_str()),
        (0, "no errors, no warnings\n")
    );
    assert!(ran.stderr.contains("fixed policy.sync\n"), "{}", ran.stderr);
    assert_eq!(dir.read("policy.sync"), laid);
    assert_eq!(dir.run_with(&["check", "-", "--fix"], &text).status, 2);
    assert_eq!(dir.run(&["check", "--diff"]).status, 2);
}

#[test]
fn markdown_blocks_are_policies_with_lines_of_their_own() {
    let text = format!(
        "# Guide\n\n```sync\n{CLEAN}```\n\ntext\n\n```sync\n{}```\n\n```sync fragment\nsystem x {{ conector csv }}\n```\n\n```yaml\nnot: ours\n```\n",
        with_error()
    );
    let dir = Dir::with(&[("guide.md", &text)]);
    let ran = dir.run(&["check", "guide.md", "--format", "json"]);
    assert_eq!(ran.status, 1);
    let line = |needle: &str| {
        let at = text.rfind(needle).unwrap();
        text[..at].matches('\n').count() + 1
    };
    assert_eq!(
        ran.found(),
        [
            format!("SL0101 guide.md:{}:9", line("  field name:  text?")),
            format!("SL0001 guide.md:{}:12", line("conector")),
        ]
    );
    assert_eq!(ran.stderr, "read 1 file\n");
}

#[test]
fn a_markdown_block_without_a_policy_item_is_found_where_it_begins() {
    let block = "```sync\n// nothing\n```\n";
    let dir = Dir::with(&[("guide.md", &format!("# Guide\n\n{block}\n{block}"))]);
    let ran = dir.run(&["check", "guide.md", "--format", "json"]);
    assert_eq!(ran.found(), ["SL0008 guide.md:4:1", "SL0008 guide.md:8:1"]);
}

#[test]
fn further_formats_go_to_files_in_the_same_run() {
    let dir = Dir::with(&[("policy.sync", &with_error())]);
    let ran = dir.run(&[
        "check",
        "--output",
        "json=a.json",
        "--output",
        "human=a.txt",
    ]);
    assert_eq!(ran.status, 1);
    let json: serde_json::Value = serde_json::from_str(&dir.read("a.json")).unwrap();
    assert_eq!(json["summary"]["errors"], 1);
    assert_eq!(dir.read("a.txt"), ran.stdout);
    for bad in ["json", "json=", "pdf=x", "=x", "json=-"] {
        let ran = dir.run(&["check", "--output", bad]);
        assert_eq!((ran.status, ran.stdout.as_str()), (2, ""), "--output {bad}");
    }
    let ran = dir.run(&["check", "--output", "json=no/such/place.json"]);
    assert_eq!(ran.status, 2);
}

#[test]
fn colour_follows_the_argument_and_the_environment() {
    let dir = Dir::with(&[("policy.sync", &with_error())]);
    let colored = |args: &[&str], vars: &[(&str, &str)]| {
        let ran = dir.run_in(".", &[&["check"], args].concat(), b"", vars);
        ran.stdout.contains('\u{1b}')
    };
    assert!(!colored(&[], &[]), "a pipe is no terminal");
    assert!(colored(&["--color", "always"], &[]));
    assert!(colored(&["--color=always"], &[("NO_COLOR", "1")]));
    assert!(colored(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&[], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!colored(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    let ran = dir.run(&["--color", "sometimes", "check"]);
    assert_eq!(ran.status, 2);
}

#[test]
fn thousands_of_findings_are_shown() {
    let mut text = String::from(CLEAN);
    for i in 0..2_000 {
        text.push_str(&format!("system s{i} {{ connector nope }}\n"));
    }
    let dir = Dir::with(&[("policy.sync", &text)]);
    let ran = dir.run(&["check"]);
    assert_eq!(ran.stdout.matches("SL0003 unknown-name").count(), 2_000);
    assert!(ran.stdout.ends_with("2000 errors\n"));
}

#[test]
fn people_see_every_place_of_a_finding() {
    let more = "extend entity contact {\n  field name: text  owner mailer\n}\n";
    let dir = Dir::with(&[
        ("policy.sync", &format!("use \"teams/mail.sync\"\n{CLEAN}")),
        ("teams/mail.sync", more),
    ]);
    let ran = dir.run(&["check"]);
    assert_eq!(ran.status, 1);
    for shown in [
        "SL0102 two-owners\n",
        "[teams/mail.sync:2:9]",
        "2 │   field name: text  owner mailer\n",
        "[policy.sync:13:9]",
        "13 │   field name:  text?\n",
        "  help: ",
        "\n\n1 error\n",
    ] {
        assert!(
            ran.stdout.contains(shown),
            "no {shown:?} in\n{}",
            ran.stdout
        );
    }
}

#[test]
fn broken_clauses_do_not_hide_what_the_others_say() {
    let dir = Dir::new();
    dir.write(
        "policy.sync",
        "policy p { timezone \"UTC\" }\nsystem a {\n  connector csv\n  option path \"x\"\n}\nsystem b {\n  connector sqlite\n  option path = \"b.db\"\n}\nentity e {\n  key id\n  field id: text\n  field n: txt\n  field m: int  owner b  accepts none\n}\nmap e in a { same_names }\nmap e in b { same_names }\nscenario s {\n  sync e(m) from a to b\n  mode evry 5m\n}\n",
    );
    let answer = dir.run(&["check", "--format", "json"]);
    let codes: Vec<String> = answer.json()["diagnostics"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["code"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(codes, ["SL0001", "SL0001", "SL0103", "SL0001"]);
}

#[test]
fn people_are_shown_a_dozen_places_and_told_of_the_others() {
    let mut policy = String::from(
        "policy shop {}\nsystem crm { connector postgres secret url = env(\"A\") limit 100/day }\n\
         system billing { connector postgres secret url = env(\"B\") }\n",
    );
    for n in 0..20 {
        policy.push_str(&format!(
            "entity e{n} {{ key id volume 10_000 records, 900/day changes owner billing \
             field id: text field plan: text? }}\n\
             map e{n} in crm {{ same_names }}\nmap e{n} in billing {{ same_names cursor \"seq\" }}\n\
             scenario s{n} {{ sync e{n}(plan) from billing to crm mode hourly batch 1 }}\n"
        ));
    }
    let dir = Dir::with(&[("policy.sync", &policy)]);
    let ran = dir.run(&["check", "--only", "SL0301"]);
    let told = ran.stdout.matches(" calls a day, 5 %").count();
    let all = dir
        .run(&["check", "--only", "SL0301", "--format", "json"])
        .json();
    let labels = all["diagnostics"][0]["labels"].as_array().unwrap().len();
    assert_eq!((told, labels), (11, 21), "{}", ran.stdout);
    let rest = "and:  9 more places, all of them in `--format json`";
    assert!(ran.stdout.contains(rest), "{}", ran.stdout);
}
