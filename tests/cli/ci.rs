//! `docs/ci.md` and `.pre-commit-hooks.yaml`, tried as written.

use std::path::Path;
use std::process::Command;

use serde_yaml::Value;

use crate::support::{CLEAN, Dir, Ran, with_error};

/// The only commands that are not run: the program under test is the one that was built.
const INSTALL: &str = "cargo install --locked --git https://git.example.com/syncline.git syncline";

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The YAML block of a section of `docs/ci.md`.
fn block(section: &str) -> Value {
    let page = read("docs/ci.md");
    let (_, section) = page.split_once(&format!("# {section}\n")).unwrap();
    let (_, yaml) = section.split_once("\n```yaml\n").unwrap();
    let (yaml, _) = yaml.split_once("\n```").unwrap();
    serde_yaml::from_str(yaml).unwrap()
}

/// A repository whose policy is laid out, with the built program as `syncline` on its PATH.
struct Repository {
    dir: Dir,
    bin: Dir,
}

impl Repository {
    fn new(policy: &str) -> Self {
        let policy = Dir::new().run_with(&["fmt", "-"], policy).stdout;
        let dir = Dir::with(&[("policy.sync", &policy)]);
        Self::at(dir)
    }

    fn at(dir: Dir) -> Self {
        let bin = Dir::new();
        let program = env!("CARGO_BIN_EXE_syncline");
        std::os::unix::fs::symlink(program, bin.file("syncline")).unwrap();
        Repository { dir, bin }
    }

    /// Runs a script as the server does.
    fn run(&self, script: &str) -> Ran {
        assert_ne!(script, INSTALL);
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.bin.path().display());
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .env("PATH", path)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        Ran {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn text<'v>(value: &'v Value, key: &str) -> Option<&'v str> {
    value.get(key).and_then(Value::as_str)
}

/// Runs the steps of the GitHub job; gives the status of each that is a command.
fn github(repository: &Repository) -> Vec<(String, Ran)> {
    let job = block("GitHub Actions")["jobs"]["check"].clone();
    let steps = job["steps"].as_sequence().unwrap().clone();
    let mut ran: Vec<(String, Ran)> = Vec::new();
    let mut installs = 0;
    for step in &steps {
        let Some(script) = text(step, "run") else {
            assert!(text(step, "uses").is_some(), "{step:?}");
            continue;
        };
        if script == INSTALL {
            println!("left out: {script}");
            installs += 1;
            continue;
        }
        let failed = ran.iter().any(|(_, r)| r.status != 0);
        let always = text(step, "if").is_some_and(|c| c.contains("!cancelled()"));
        if !failed || always {
            let name = text(step, "name").unwrap().to_owned();
            ran.push((name, repository.run(script)));
        }
    }
    assert_eq!(installs, 1);
    let upload = steps.last().unwrap();
    assert_eq!(upload["with"]["sarif_file"], "syncline.sarif");
    ran
}

fn statuses(ran: &[(String, Ran)]) -> Vec<(&str, i32)> {
    ran.iter()
        .map(|(name, ran)| (name.as_str(), ran.status))
        .collect()
}

#[test]
fn the_github_job_passes_a_clean_policy_and_annotates_a_broken_one() {
    let clean = Repository::new(CLEAN);
    let ran = github(&clean);
    assert_eq!(
        statuses(&ran),
        [("Check", 0), ("Layout", 0), ("Expired suppressions", 0)]
    );
    let log: serde_json::Value = serde_json::from_str(&clean.dir.read("syncline.sarif")).unwrap();
    assert_eq!(log["runs"][0]["results"], serde_json::json!([]));

    let broken = Repository::new(&with_error());
    let ran = github(&broken);
    assert_eq!(
        statuses(&ran),
        [("Check", 1), ("Layout", 0), ("Expired suppressions", 0)]
    );
    let said = &ran[0].1.stdout;
    assert!(said.starts_with("::error file=policy.sync,line="), "{said}");
    let log: serde_json::Value = serde_json::from_str(&broken.dir.read("syncline.sarif")).unwrap();
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "SL0101");
}

#[test]
fn the_gitlab_job_leaves_its_reports_for_a_clean_policy_and_a_broken_one() {
    let job = block("GitLab CI")["syncline"].clone();
    let lines = |key: &str| -> Vec<String> {
        let list = job[key].as_sequence().unwrap().iter();
        list.map(|l| l.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(lines("before_script"), [INSTALL]);
    println!("left out: {INSTALL}");
    let reports = &job["artifacts"]["reports"];
    let quality = reports["codequality"].as_str().unwrap();
    let junit = reports["junit"].as_str().unwrap();
    for (policy, status) in [(CLEAN.to_owned(), 0), (with_error(), 1)] {
        let repository = Repository::new(&policy);
        let ran = repository.run(&lines("script").join("\n"));
        assert_eq!(ran.status, status, "{}{}", ran.stdout, ran.stderr);
        let issues: serde_json::Value =
            serde_json::from_str(&repository.dir.read(quality)).unwrap();
        assert_eq!(issues.as_array().unwrap().len(), status as usize);
        let suites = repository.dir.read(junit);
        assert!(
            suites.contains(&format!("tests=\"1\" failures=\"{status}\"")),
            "{suites}"
        );
    }
}

/// Puts a program on the PATH that writes down what it is asked, and answers.
fn stand_in(repository: &Repository, name: &str, answer: &str) {
    use std::os::unix::fs::PermissionsExt;
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >> asked.txt\n{answer}\n");
    repository.bin.write(name, script);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(repository.bin.file(name), mode).unwrap();
}

/// A repository with a commit, and a work tree in which a bound is loosened.
fn changed() -> Repository {
    let old = CLEAN.replace("every 15m", "every 15m\n  fresh 1h");
    let dir = Dir::with(&[("policy.sync", &old)]);
    assert!(dir.git(&["init", "-q"]), "git can be run");
    assert!(dir.git(&["add", "."]) && dir.git(&["commit", "-q", "-m", "one"]));
    assert!(dir.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]));
    dir.write("policy.sync", old.replace("fresh 1h", "fresh 2h"));
    Repository::at(dir)
}

const APPROVED: &str = "approvals:
  - change: fresh-loosened
    subject: names
    reason: agreed
    date: 2026-11-26
";

/// Answers with the comments of a pull request, of which the job wrote one: chosen by what the job
/// asks for where there is a `jq`, as `gh` does.
const COMMENTS: &str = r#"
case "$*" in *--jq*) ;; *) exit 0 ;; esac
command -v jq > /dev/null || { echo 99; exit 0; }
jq "$5" <<'END'
[
  { "id": 97, "user": { "login": "ada" }, "body": "<!-- syncline diff -->\nnot the job's" },
  { "id": 98, "user": { "login": "github-actions[bot]" }, "body": "of another job" },
  { "id": 99, "user": { "login": "github-actions[bot]" }, "body": "<!-- syncline diff -->\nold" }
]
END
"#;

#[test]
fn the_github_job_comments_on_what_a_pull_request_changes() {
    let job = block("On GitHub")["jobs"]["diff"].clone();
    let base = text(&job["env"], "BASE").unwrap();
    let steps = job["steps"].as_sequence().unwrap();
    assert_eq!(steps[0]["with"]["fetch-depth"], 0);
    assert_eq!(text(&steps[1], "run"), Some(INSTALL));
    println!("left out: {INSTALL}");
    let (compare, comment) = (
        text(&steps[2], "run").unwrap(),
        text(&steps[3], "run").unwrap(),
    );
    assert!(text(&steps[3], "if").unwrap().contains("!cancelled()"));
    // What the server fills in.
    assert_eq!(base, "origin/${{ github.base_ref }}");
    let given = "export BASE=origin/main NUMBER=7 GITHUB_REPOSITORY=acme/policies\n";

    let repository = changed();
    stand_in(&repository, "gh", "");
    let ran = repository.run(&format!("{given}{compare}"));
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let said = repository.dir.read("diff.md");
    assert!(said.starts_with("<!-- syncline diff -->\n"), "{said}");
    assert!(said.contains("**fresh-loosened** `names`"), "{said}");
    let ran = repository.run(&format!("{given}{comment}"));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let asked = repository.dir.read("asked.txt");
    let post = "api --method POST repos/acme/policies/issues/7/comments -F body=@diff.md\n";
    assert!(asked.ends_with(post), "{asked}");

    // Its own comment is written anew where there is one.
    stand_in(&repository, "gh", COMMENTS);
    repository.dir.write("approvals.yaml", APPROVED);
    let ran = repository.run(&format!("{given}{compare}\n{comment}"));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let asked = repository.dir.read("asked.txt");
    let patch = "api --method PATCH repos/acme/policies/issues/comments/99 -F body=@diff.md\n";
    assert!(asked.ends_with(patch), "{asked}");
}

#[test]
fn the_gitlab_job_comments_on_what_a_merge_request_changes() {
    let job = block("On GitLab")["syncline-diff"].clone();
    let lines = |key: &str| -> String {
        let list = job[key].as_sequence().unwrap().iter();
        let lines: Vec<&str> = list.map(|l| l.as_str().unwrap()).collect();
        lines.join("\n")
    };
    assert_eq!(lines("before_script"), INSTALL);
    println!("left out: {INSTALL}");
    assert_eq!(job["variables"]["GIT_DEPTH"], "0");
    let given = "export CI_MERGE_REQUEST_DIFF_BASE_SHA=origin/main CI_API_V4_URL=https://gitlab.example.com/api/v4 CI_PROJECT_ID=3 CI_MERGE_REQUEST_IID=8 NOTES_TOKEN=t\n";
    let repository = changed();
    stand_in(&repository, "curl", "");
    let ran = repository.run(&format!("{given}{}", lines("script")));
    assert_eq!(ran.status, 1, "{}", ran.stderr);
    let ran = repository.run(&format!("{given}{}", lines("after_script")));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let asked = repository.dir.read("asked.txt");
    let notes = "--form body=<diff.md https://gitlab.example.com/api/v4/projects/3/merge_requests/8/notes\n";
    assert!(asked.ends_with(notes), "{asked}");
    repository.dir.write("approvals.yaml", APPROVED);
    let ran = repository.run(&format!("{given}{}", lines("script")));
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

/// A hook as pre-commit runs it: its entry, its arguments, and the files that match.
fn hook(repository: &Repository, id: &str, files: &[&str]) -> Ran {
    let hooks: Value = serde_yaml::from_str(&read(".pre-commit-hooks.yaml")).unwrap();
    let mut hooks = hooks.as_sequence().unwrap().iter();
    let hook = hooks.find(|h| text(h, "id") == Some(id)).unwrap();
    let pattern = regex::Regex::new(text(hook, "files").unwrap()).unwrap();
    let files: Vec<&str> = files
        .iter()
        .copied()
        .filter(|f| pattern.is_match(f))
        .collect();
    assert!(!files.is_empty(), "pre-commit skips a hook without files");
    let passed = hook.get("pass_filenames").and_then(Value::as_bool) != Some(false);
    let names = if passed {
        files.join(" ")
    } else {
        String::new()
    };
    repository.run(&format!("{} {names}", text(hook, "entry").unwrap()))
}

#[test]
fn the_hooks_check_what_changed() {
    let repository = Repository::new(&format!("use \"part.sync\"\n\n{CLEAN}"));
    repository
        .dir
        .write("part.sync", "system spare { connector nope }\n");
    let files = ["README.md", "part.sync"];
    // A part is checked with its policy, and nothing else of it is told.
    let ran = hook(&repository, "syncline-check", &files);
    assert_eq!(ran.status, 1);
    assert!(
        ran.stdout.contains("SL0003") && ran.stdout.ends_with("1 error\n"),
        "{}",
        ran.stdout
    );
    repository.dir.write("part.sync", "// nothing\n");
    assert_eq!(hook(&repository, "syncline-check", &files).status, 0);
    assert_eq!(hook(&repository, "syncline-check-all", &files).status, 0);
    // A change that breaks another file is seen by the whole check alone.
    let used = CLEAN.replace("system mailer", "//");
    repository
        .dir
        .write("policy.sync", format!("use \"part.sync\"\n{used}"));
    assert_eq!(hook(&repository, "syncline-check", &files).status, 0);
    assert_eq!(hook(&repository, "syncline-check-all", &files).status, 1);
    // A layout hook changes the files and names them; pre-commit sees the change.
    repository
        .dir
        .write("part.sync", "system   spare { connector csv }\n");
    let ran = hook(&repository, "syncline-fmt", &files);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, "part.sync\n"));
}

#[test]
fn the_page_uses_hooks_that_exist() {
    let config = block("pre-commit");
    let hooks: Value = serde_yaml::from_str(&read(".pre-commit-hooks.yaml")).unwrap();
    let known: Vec<&str> = hooks
        .as_sequence()
        .unwrap()
        .iter()
        .map(|h| text(h, "id").unwrap())
        .collect();
    let repository = &config["repos"][0];
    let version = format!("v{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(text(repository, "rev"), Some(version.as_str()));
    for hook in repository["hooks"].as_sequence().unwrap() {
        assert!(known.contains(&text(hook, "id").unwrap()), "{hook:?}");
    }
    let page = read("docs/ci.md");
    assert!(
        known.iter().all(|id| page.contains(&format!("`{id}`"))),
        "{known:?}"
    );
}
