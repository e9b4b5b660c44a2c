//! `diff`: what is a change in meaning, how it is graded, what accepts it.

use serde_json::Value;

use crate::support::{CLEAN, Dir, Ran};

const DAY: &str = "2026-11-26";

/// Compares on a day that does not pass.
fn diff(dir: &Dir, args: &[&str]) -> Ran {
    dir.run(&[&["diff", "--now", DAY], args].concat())
}

/// The comparison as JSON, which is held to its published schema.
fn json(dir: &Dir, args: &[&str]) -> Value {
    let ran = diff(dir, &[args, &["--format", "json"]].concat());
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let schema = include_str!("../../docs/diff.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let json = ran.json();
    let errors: Vec<String> = validator
        .iter_errors(&json)
        .map(|e| e.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    json
}

/// `grade kind subject` of each change, in order.
fn changes(json: &Value) -> Vec<String> {
    let all = json["changes"].as_array().unwrap().iter();
    let word = |c: &Value, key: &str| c[key].as_str().unwrap().to_owned();
    all.map(|c| {
        let words = ["grade", "kind", "subject"].map(|key| word(c, key));
        words.join(" ")
    })
    .collect()
}

fn bounded(bound: &str) -> String {
    CLEAN.replace("every 15m", &format!("every 15m\n  fresh {bound}"))
}

/// A repository whose only commit holds these files.
fn repository(files: &[(&str, &str)]) -> Dir {
    let dir = Dir::with(files);
    assert!(dir.git(&["init", "-q"]), "git can be run");
    commit(&dir);
    dir
}

fn commit(dir: &Dir) {
    assert!(dir.git(&["add", "-A"]) && dir.git(&["commit", "-q", "-m", "a commit"]));
}

#[test]
fn layout_is_no_change_in_meaning() {
    let flat = CLEAN.replace("\n\n", "\n// a note\n");
    let dir = Dir::with(&[("a.sync", CLEAN), ("b.sync", &flat)]);
    let ran = diff(&dir, &["a.sync", "b.sync", "--exit-code"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    let said = "policy tiny: no change in meaning\na.sync → b.sync\n";
    assert_eq!(ran.stdout, said);
    let ran = diff(&dir, &["a.sync", "b.sync", "--format", "markdown"]);
    assert!(
        ran.stdout
            .starts_with("<!-- syncline diff -->\n## 🟢 Policy `tiny`: no change in meaning\n"),
        "{}",
        ran.stdout
    );
}

#[test]
fn the_status_says_what_was_asked_for() {
    let other = CLEAN.replace("path = \"crm\"", "path = \"crm2\"");
    let dir = Dir::with(&[
        ("a.sync", CLEAN),
        ("safe.sync", &bounded("1h")),
        ("risky.sync", &other),
        ("broken.sync", &CLEAN.replace("from crm to", "from crn to")),
    ]);
    for (old, new, args, status) in [
        ("a.sync", "safe.sync", &[][..], 0),
        ("a.sync", "safe.sync", &["--exit-code"], 1),
        ("a.sync", "safe.sync", &["--fail-on", "risky"], 0),
        ("a.sync", "safe.sync", &["--fail-on", "safe"], 1),
        ("a.sync", "risky.sync", &["--fail-on", "breaking"], 0),
        ("a.sync", "risky.sync", &["--fail-on", "risky"], 1),
        ("safe.sync", "a.sync", &["--fail-on", "breaking"], 1),
        // A new policy with errors always fails; an old one is compared as far as it goes.
        ("a.sync", "broken.sync", &[], 1),
        ("broken.sync", "a.sync", &[], 0),
        ("a.sync", "none.sync", &[], 2),
        ("a.sync", "none.json", &[], 2),
    ] {
        let ran = diff(&dir, &[&[old, new], args].concat());
        let said = format!("{old} {new} {args:?}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.status, status, "{said}");
    }
    for args in [&[][..], &["a.sync"], &["-", "-"]] {
        assert_eq!(diff(&dir, args).status, 2, "{args:?}");
    }
    let said = diff(&dir, &["a.sync", "broken.sync"]).stdout;
    assert!(said.contains("the new policy has an error"), "{said}");
    assert!(said.contains("error-added"), "{said}");
    assert!(said.contains("are not compared"), "{said}");
}

#[test]
fn what_people_see() {
    let new = bounded("30m")
        .replace("contact(name)", "contact(name, city)")
        .replace(
            "  field name:  text?\n",
            "  field name:  text?\n  field city: text?\n",
        )
        .replace("mode  every 15m", "mode  every 20m")
        .replace("policy tiny { }", "policy tiny { currency EUR }");
    let old = bounded("20m").replace("policy tiny { }", "policy tiny { currency EUR }");
    let dir = Dir::with(&[("a.sync", &old), ("new/policy.sync", &new)]);
    let human = diff(&dir, &["a.sync", "new"]);
    assert_eq!(human.status, 0, "{}", human.stderr);
    insta::assert_snapshot!("diff_human", human.stdout);
    let markdown = diff(&dir, &["a.sync", "new", "--format", "markdown"]);
    insta::assert_snapshot!("diff_markdown", markdown.stdout);
    json(&dir, &["a.sync", "new"]);
}

#[test]
fn plans_are_compared_with_plans_and_with_policies() {
    let dir = Dir::with(&[("a.sync", &bounded("1h")), ("b.sync", &bounded("2h"))]);
    for (policy, plan) in [("a.sync", "a.json"), ("b.sync", "b.json")] {
        let ran = dir.run(&["plan", policy, "--format", "json"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        dir.write(plan, &ran.stdout);
    }
    let yaml = dir.run(&["plan", "a.sync", "--format", "yaml"]).stdout;
    dir.write("a.yaml", yaml);
    for same in ["a.sync", "a.json", "a.yaml"] {
        let ran = diff(&dir, &["a.json", same, "--exit-code"]);
        assert_eq!(ran.status, 0, "{same}: {}", ran.stdout);
        assert!(ran.stdout.contains("no change in meaning"));
    }
    for (old, new) in [
        ("a.json", "b.json"),
        ("a.json", "b.sync"),
        ("a.sync", "b.json"),
    ] {
        let found = json(&dir, &[old, new]);
        assert_eq!(changes(&found), ["breaking fresh-loosened names"]);
        assert_eq!(found["figures"], Value::Null, "{old} {new}");
        for format in ["human", "markdown"] {
            let said = diff(&dir, &[old, new, "--format", format]).stdout;
            assert!(!said.contains('?'), "{said}");
            let notes = said.matches("which holds no clearances").count();
            let plans = [old, new].iter().filter(|n| n.ends_with("json")).count();
            assert_eq!(notes, plans, "{said}");
        }
    }
    dir.write("odd.json", "{\"syncline_plan\": 1}");
    let ran = diff(&dir, &["odd.json", "a.sync"]);
    assert_eq!(ran.status, 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("odd.json"), "{}", ran.stderr);
}

#[test]
fn the_base_is_what_stood_there_in_a_revision() {
    let dir = repository(&[
        (
            "policy.sync",
            &format!("use \"parts/rest.sync\"\n{}", bounded("1h")),
        ),
        (
            "parts/rest.sync",
            "system spare { connector csv  option path = \"x\" }\n",
        ),
    ]);
    assert!(dir.git(&["branch", "base"]));
    let ran = diff(&dir, &["--base", "base", "--exit-code"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    // The label of either side names the file, not the directory.
    let first = ran.stdout.lines().nth(1).unwrap();
    assert!(
        first.starts_with("policy.sync at ") && first.ends_with(" → policy.sync"),
        "{first}"
    );

    // Files that are used are read from the revision too, and the work tree is left alone.
    let part = dir.read("parts/rest.sync").replace("\"x\"", "\"y\"");
    dir.write("parts/rest.sync", &part);
    let found = json(&dir, &["--base", "base"]);
    assert_eq!(changes(&found), ["risky option-changed spare"]);
    assert_eq!(found["changes"][0]["old"]["at"]["file"], "parts/rest.sync");
    assert_eq!(dir.read("parts/rest.sync"), part);

    // What the other branch did since is none of this branch's doing.
    commit(&dir);
    assert!(dir.git(&["checkout", "-q", "base"]));
    dir.write(
        "policy.sync",
        dir.read("policy.sync").replace("fresh 1h", "fresh 9h"),
    );
    commit(&dir);
    assert!(dir.git(&["checkout", "-q", "-"]));
    let found = json(&dir, &["--base", "base"]);
    assert_eq!(changes(&found), ["risky option-changed spare"]);
    // From a directory below, and by path.
    let args = [
        "diff", "--base", "base", "..", "--now", DAY, "--format", "json",
    ];
    let below = dir.run_in("parts", &args, b"", &[]);
    assert_eq!(below.status, 0, "{}", below.stderr);
    assert_eq!(changes(&below.json()), ["risky option-changed spare"]);
}

#[test]
fn whatever_names_the_policy_its_root_file_is_shown_and_compared() {
    let root = |bound: &str| format!("use \"parts/rest.sync\"\n{}", bounded(bound));
    let page = |bound: &str| format!("# A page\n\n```sync\n{}```\n", bounded(bound));
    let dir = repository(&[
        ("team/policy.sync", &root("1h")),
        ("team/parts/rest.sync", "// nothing\n"),
        ("page.md", &page("1h")),
    ]);
    dir.write("team/policy.sync", root("2h"));
    dir.write("page.md", page("2h"));
    dir.write("old.sync", root("1h").replace("parts/", "team/parts/"));
    let approval = format!(
        "approvals:\n  - change: fresh-loosened\n    subject: names\n    date: {DAY}\n    \
         reason: agreed\n"
    );
    dir.write("team/approvals.yaml", approval);
    // The directory, the work tree it is, a part below, the file; its approvals are found by each.
    for (below, path, file) in [
        (".", "team", "team/policy.sync"),
        (".", "./team/.", "team/policy.sync"),
        (".", "team/policy.sync", "team/policy.sync"),
        (".", "team/parts/rest.sync", "team/policy.sync"),
        ("team", ".", "policy.sync"),
        ("team/parts", "..", "../policy.sync"),
        ("team/parts", "rest.sync", "../policy.sync"),
        (".", "page.md", "page.md"),
    ] {
        let args = ["diff", "--now", DAY, "--format", "json"];
        let ran = dir.run_in(
            below,
            &[&args[..], &["--base", "HEAD", path]].concat(),
            b"",
            &[],
        );
        assert_eq!(ran.status, 0, "{path}: {}", ran.stderr);
        let found = ran.json();
        assert_eq!(changes(&found), ["breaking fresh-loosened names"], "{path}");
        assert_eq!(found["new"]["label"], file, "{path}");
        assert_eq!(found["changes"][0]["new"]["at"]["file"], file, "{path}");
        assert_eq!(found["changes"][0]["old"]["at"]["file"], file, "{path}");
        let label = found["old"]["label"].as_str().unwrap();
        assert!(label.starts_with(&format!("{file} at ")), "{label}");
        let approved = usize::from(!file.ends_with("md"));
        assert_eq!(found["summary"]["approved"], approved, "{path}");
    }
    let found = json(&dir, &["old.sync", "team"]);
    assert_eq!(found["new"]["label"], "team/policy.sync");
    assert_eq!(found["summary"]["approved"], 1);
}

#[test]
fn a_plan_is_compared_with_the_one_of_the_base() {
    let dir = repository(&[("a.sync", &bounded("1h"))]);
    let plan = |file: &str| {
        let ran = dir.run(&["plan", "a.sync", "--format", "json"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        dir.write(file, ran.stdout);
    };
    plan("plan.json");
    commit(&dir);
    dir.write("a.sync", bounded("2h"));
    plan("plan.json");
    plan("new.json");
    let found = json(&dir, &["--base", "HEAD", "plan.json"]);
    assert_eq!(changes(&found), ["breaking fresh-loosened names"]);
    assert_eq!(found["old"]["holds"], "plan");
    let found = json(&dir, &["--base", "HEAD", "new.json"]);
    assert_eq!(found["old"]["holds"], "nothing");
    assert_eq!(found["summary"]["breaking"], 0);
}

#[test]
fn a_moved_file_is_found_and_a_new_policy_is_all_new() {
    let dir = repository(&[("policy.sync", CLEAN)]);
    std::fs::remove_file(dir.file("policy.sync")).unwrap();
    dir.write("teams/mail/policy.sync", CLEAN);
    let ran = diff(&dir, &["--base", "HEAD", "teams/mail", "--exit-code"]);
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains("no change in meaning"),
        "{}",
        ran.stdout
    );

    dir.write("other.sync", CLEAN.replace("policy tiny", "policy other"));
    let found = json(&dir, &["--base", "HEAD", "other.sync"]);
    assert_eq!(found["old"]["holds"], "nothing");
    assert_eq!(found["summary"]["breaking"], 0);
    let all = changes(&found);
    assert!(
        all.contains(&"safe scenario-added names".to_owned()),
        "{all:?}"
    );
    // Nothing calls nobody; that all of it is new is no growth.
    let mailer = &found["figures"]["systems"][1];
    assert_eq!(mailer["name"], "mailer");
    assert_eq!(mailer["calls_per_day"]["old"], 0.0);
    assert!(!all.iter().any(|c| c.contains("calls-up")), "{all:?}");
    let said = diff(&dir, &["--base", "HEAD", "other.sync"]).stdout;
    assert!(said.contains("there was no such policy at"), "{said}");
}

#[test]
fn a_revision_that_is_not_there_is_told() {
    let dir = repository(&[("policy.sync", CLEAN)]);
    let refused = |dir: &Dir, args: &[&str], words: &[&str]| {
        let ran = diff(dir, args);
        assert_eq!(ran.status, 2, "{}", ran.stdout);
        // Lines are broken where the page is narrow.
        let said = ran.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(said.contains(word), "{word}: {said}");
        }
    };
    refused(
        &dir,
        &["--base", "nowhere"],
        &["no revision `nowhere`", "git fetch"],
    );
    refused(&dir, &["--base", "--all"], &[]);
    refused(
        &dir,
        &["--base", "HEAD", "a", "b"],
        &["only the new policy"],
    );
    refused(&dir, &["--base", "HEAD", "-"], &["standard input"]);
    let lone = Dir::with(&[("policy.sync", CLEAN)]);
    refused(&lone, &["--base", "HEAD"], &["in no git repository"]);
    assert!(lone.git(&["init", "-q"]));
    refused(&lone, &["--base", "HEAD"], &["no revision `HEAD`"]);

    // Two histories, and a clone that holds the last commit of each alone.
    dir.write("policy.sync", bounded("1h"));
    commit(&dir);
    assert!(dir.git(&["checkout", "-q", "--orphan", "apart"]));
    commit(&dir);
    let first = ["branch", "-q", "first", "main"];
    assert!(dir.git(&first));
    refused(
        &dir,
        &["--base", "first"],
        &["no commit in common", "same history"],
    );
    assert!(dir.git(&["checkout", "-q", "-b", "side", "main"]));
    dir.write("policy.sync", bounded("2h"));
    commit(&dir);
    let clone = Dir::new();
    let from = format!("file://{}", dir.path().display());
    let depth = [
        "clone",
        "-q",
        "--depth",
        "1",
        "--no-single-branch",
        "-b",
        "side",
        &from,
        ".",
    ];
    assert!(clone.git(&depth));
    let told = ["no commit in common", "shallow", "--unshallow"];
    refused(&clone, &["--base", "origin/main"], &told);
    assert!(clone.git(&["fetch", "-q", "--unshallow"]));
    let found = json(&clone, &["--base", "origin/main"]);
    assert_eq!(changes(&found), ["breaking fresh-loosened names"]);
}

#[test]
fn names_that_changed_are_told_once() {
    let tested = format!(
        "{CLEAN}\ntest \"arrival\" {{\n  given  contact \"a\" {{ name = \"crm\" }} in crm\n  \
         expect at 1h contact \"a\" in mailer {{ name = \"crm\" }}\n}}\n"
    );
    let renamed = |from: &str, to: &str| {
        let words = regex::Regex::new(&format!(r#"([^"\w])({from})\b"#)).unwrap();
        words
            .replace_all(&tested, format!("${{1}}{to}"))
            .into_owned()
    };
    let dir = Dir::with(&[("a.sync", &tested)]);
    for (from, to, told) in [
        ("crm", "sales", "breaking system-renamed sales"),
        ("name", "title", "breaking field-renamed contact.title"),
        ("names", "titles", "risky scenario-renamed titles"),
    ] {
        dir.write("b.sync", renamed(from, to));
        assert_eq!(changes(&json(&dir, &["a.sync", "b.sync"])), [told]);
    }
    // A map without an object reads the one of its entity's name.
    dir.write("b.sync", renamed("contact", "person"));
    let found = changes(&json(&dir, &["a.sync", "b.sync"]));
    let three = [
        "breaking entity-renamed person",
        "breaking object-changed person in crm",
        "breaking object-changed person in mailer",
    ];
    assert_eq!(found, three);
    // A test that changes besides is told.
    let more = renamed("crm", "sales").replace("at 1h", "at 2h");
    dir.write("b.sync", more);
    let found = changes(&json(&dir, &["a.sync", "b.sync"]));
    let both = [
        "breaking system-renamed sales",
        "risky test-changed arrival",
    ];
    assert_eq!(found, both);
}

#[test]
fn a_breaking_change_can_be_approved() {
    let dir = Dir::with(&[
        ("a.sync", &bounded("1h")),
        ("new/policy.sync", &bounded("5h")),
    ]);
    let args = ["a.sync", "new", "--fail-on", "breaking"];
    let run = |approvals: &str| {
        dir.write("new/approvals.yaml", approvals);
        diff(&dir, &args)
    };
    let entry = |more: &str| {
        format!(
            "approvals:\n  - change: fresh-loosened\n    subject: names\n    date: {DAY}\n{more}"
        )
    };
    let reason = "    reason: agreed with sales\n";
    for (text, status, words) in [
        (String::new(), 1, "to accept what is breaking"),
        (
            entry(reason),
            0,
            "approved on 2026-11-26: agreed with sales",
        ),
        (
            entry(&format!("{reason}    to: fresh 5h\n")),
            0,
            "1 approved",
        ),
        (
            entry(&format!("{reason}    to: fresh 9h\n")),
            1,
            "something else than what was approved",
        ),
        (
            entry(&format!("{reason}    until: 2026-11-26\n")),
            0,
            "until 2026-11-26",
        ),
        (
            entry(&format!("{reason}    until: 2026-11-25\n")),
            1,
            "its last day is over",
        ),
        (
            entry(reason).replace("names", "[names, gone]"),
            0,
            "accepts nothing",
        ),
        (
            entry(reason).replace("names", "other"),
            1,
            "there is no such change here",
        ),
        (entry("    reason: ' '\n"), 2, "`reason` is empty"),
        (entry(""), 2, "reason"),
        (entry(&format!("{reason}    why: x\n")), 2, "why"),
        (
            entry(&format!("{reason}    until: soon\n")),
            2,
            "`until` is no day",
        ),
        (
            entry(reason).replace("loosened", "losened"),
            2,
            "did you mean `fresh-loosened`",
        ),
    ] {
        let ran = run(&text);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(ran.status, status, "{text}\n{said}");
        assert!(said.contains(words), "{words}\n{text}\n{said}");
    }
    // What is proposed is an approval, once it has a reason.
    let said = run("").stdout;
    let (_, entry) = said.split_once("approvals:\n").unwrap();
    let entry = entry.replace("\"\" # say why", "\"agreed\"");
    let ran = run(&format!("  approvals:\n{entry}"));
    assert_eq!(ran.status, 0, "{}{}", ran.stdout, ran.stderr);
    // Another file, which has to be there.
    dir.write("else.yaml", format!("  approvals:\n{entry}"));
    std::fs::remove_file(dir.file("new/approvals.yaml")).unwrap();
    let given = |file| diff(&dir, &[&args[..], &["--approvals", file]].concat()).status;
    assert_eq!((given("else.yaml"), given("none.yaml")), (0, 2));
}

#[test]
fn a_comment_fits_whatever_changes() {
    let with = |bound: &str| -> String {
        let fields: String = (0..1_000)
            .map(|i| {
                format!(
                    "  field a_field_whose_name_is_long_{i}: text?  fresh {bound}{i}m in mailer\n"
                )
            })
            .collect();
        let text = CLEAN.replace("contact(name)", "contact(*)");
        text.replace(
            "  field name:  text?\n",
            &format!("  field name:  text?\n{fields}"),
        )
    };
    let dir = Dir::with(&[("a.sync", &with("1")), ("b.sync", &with("2"))]);
    let found = json(&dir, &["a.sync", "b.sync"]);
    assert!(found["summary"]["breaking"].as_u64().unwrap() >= 1_000);
    let said = diff(&dir, &["a.sync", "b.sync", "--format", "markdown"]).stdout;
    assert!(said.chars().count() < 65_536, "{}", said.chars().count());
    assert!(said.contains("did not fit here"), "{said}");
    assert!(said.contains("To accept what is breaking"), "{said}");
    // There is no room left for what is folded either: it is counted.
    let other = with("2").replace("volume 1_000", "volume 2_000");
    dir.write("b.sync", other);
    let said = diff(&dir, &["a.sync", "b.sync", "--format", "markdown"]).stdout;
    assert!(!said.contains("1 safe</summary>"), "{said}");
    let opened = said.matches("<details>").count();
    assert_eq!(opened, said.matches("</details>").count());
    assert_eq!(said.matches("```").count() % 2, 0);
}

#[test]
fn what_authors_write_is_no_markup() {
    let odd = |mark: &str| {
        let text = CLEAN.replace("\"crm\"", &format!("\"a|b <i>{mark}</i> @ada `x`\""));
        format!(
            "{text}test \"@bob | <b>{mark}</b> `t` #1\" {{\n  given contact \"a\" {{}} in crm\n}}\n"
        )
    };
    let dir = Dir::with(&[("a|b.sync", &odd("old")), ("b.sync", &odd("new"))]);
    let said = diff(&dir, &["a|b.sync", "b.sync", "--format", "markdown"]).stdout;
    insta::assert_snapshot!("diff_markdown_escaped", said);
}
