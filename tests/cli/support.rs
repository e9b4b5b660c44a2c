//! A directory and the program run in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run of the program came to.
#[derive(Debug)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Standard output as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e} in\n{}\n{}", self.stdout, self.stderr))
    }

    /// `CODE file:line:column` of each finding, in order.
    pub fn found(&self) -> Vec<String> {
        let json = self.json();
        let findings = json["diagnostics"].as_array().unwrap();
        findings.iter().map(brief).collect()
    }
}

fn brief(finding: &serde_json::Value) -> String {
    let start = &finding["range"]["start"];
    format!(
        "{} {}:{}:{}",
        finding["code"].as_str().unwrap(),
        finding["file"].as_str().unwrap(),
        start["line"],
        start["column"]
    )
}

/// A directory that is removed with the value.
pub struct Dir(tempfile::TempDir);

impl Dir {
    pub fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    /// A directory with these files.
    pub fn with(files: &[(&str, &str)]) -> Dir {
        let dir = Dir::new();
        for (name, text) in files {
            dir.write(name, text);
        }
        dir
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.file(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    /// Runs the program here.
    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_in(".", args, b"", &[])
    }

    /// Runs it with something on standard input.
    pub fn run_with(&self, args: &[&str], stdin: &str) -> Ran {
        self.run_in(".", args, stdin.as_bytes(), &[])
    }

    /// Runs it in a directory below, with standard input and variables.
    pub fn run_in(&self, below: &str, args: &[&str], stdin: &[u8], vars: &[(&str, &str)]) -> Ran {
        let mut command = self.command(args);
        let mut child = command
            .current_dir(self.file(below))
            .envs(vars.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read its input closes it early, which is its right.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        let output = child.wait_with_output().unwrap();
        Ran {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs git here, without the configuration of whoever runs the tests; whether it went well.
    pub fn git(&self, args: &[&str]) -> bool {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=A", "-c", "user.email=a@example.com"])
            .args([
                "-c",
                "commit.gpgsign=false",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(args)
            .env("GIT_AUTHOR_DATE", "2030-01-02T12:00:00Z")
            .env("GIT_COMMITTER_DATE", "2030-01-02T12:00:00Z")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .current_dir(self.path());
        git.output().is_ok_and(|o| o.status.success())
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
        command.args(args).current_dir(self.path());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"] {
            command.env_remove(name);
        }
        command
    }
}

/// A policy without a finding.
pub const CLEAN: &str = r#"policy tiny { }

system crm { connector csv  option path = "crm" }
system mailer { connector csv  option path = "mailer" }

entity contact {
  key   email
  volume 1_000 records, 100/day changes
  owner crm

  field email: email
  field name:  text?
}

map contact in crm { same_names  cursor "modified"  changed_at "modified" }
map contact in mailer { same_names  cursor "modified" }

scenario names {
  sync  contact(name) from crm to mailer
  mode  every 15m
  stale reporting
}
"#;

/// A policy whose field `name` has no owner (SL0101) and whose item `Spare` is ill named.
pub fn with_error() -> String {
    CLEAN.replace("  owner crm\n", "")
}
