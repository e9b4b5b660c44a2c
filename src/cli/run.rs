//! `syncline run`: runs a plan, or compiles a policy first.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Exit;
use super::log::{Log, LogFormat};
use super::shell::Shell;
use super::store::{scenario, store_path};
use crate::engine::cause::cause;
use crate::engine::ports::{RunRecord, RunStatus};
use crate::engine::runner::{Alert, Observer, Progress};
use crate::host::{self, HostError, Outcome, Settings};
use crate::plan::Plan;
use crate::render::outcome;
use crate::store::Held;

/// Runs a plan, or compiles a policy first
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy file, a directory with `policy.sync`, or a plan (`.json`, `.yaml`)
    #[arg(value_name = "PATH|PLAN", default_value = ".")]
    path: PathBuf,
    /// The store: a file that is made where there is none [default: `.syncline.db` beside the policy]
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Hear webhooks on this address, such as `127.0.0.1:8787`
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Run every scheduled scenario once, drain, print a summary and end
    #[arg(long)]
    until_idle: bool,
    /// Write a line on standard error for everything that happens, in place of a progress bar
    #[arg(long, value_enum, value_name = "FORMAT")]
    log: Option<LogFormat>,
    /// Run only this scenario (may be repeated)
    #[arg(long, value_name = "SCENARIO")]
    only: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    let (plan, base_dir) = match super::plan::plan_or_policy(&args.path, shell) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let store = match store_path(args.store.as_deref(), &base_dir) {
        Ok(store) => store,
        Err(error) => return shell.failure(&error),
    };
    for name in &args.only {
        if let Err((error, exit)) = scenario(&plan, name) {
            shell.failure(&error);
            return exit;
        }
    }
    if args.listen.is_none() && !args.until_idle {
        deaf(&plan, &args.only, shell);
    }
    let settings = Settings {
        store: store.clone(),
        base_dir,
        listen: args.listen.clone(),
        until_idle: args.until_idle,
        only: args.only.iter().cloned().collect(),
        env: Arc::new(|name| std::env::var(name).ok()),
        held: told_of_holders(args.log),
    };
    match drive(&plan, &settings, args.log, shell) {
        Ok(result) => {
            shell.print(&outcome::human(&plan, &result, &store));
            exit_of(&result)
        }
        Err(error) => shell.failure(&error),
    }
}

/// Tells of a store that somebody else holds, in the log or on standard error.
fn told_of_holders(log: Option<LogFormat>) -> host::Heard {
    Arc::new(move |held| {
        let (level, event, waited) = match held {
            Held::Since(waited) => ("warn", "store.held", waited),
            Held::Over(waited) => ("info", "store.free", waited),
        };
        let seconds = waited.as_secs();
        match (log, held) {
            (Some(format), _) => {
                let fields = serde_json::json!({ "seconds": seconds });
                Log(format).line(level, event, fields);
            }
            (None, Held::Since(_)) => eprintln!(
                "another program has held the store for {seconds} s: nothing moves until it lets \
                 go, and webhooks are answered 503; close what has it open (for example a \
                 `sqlite3` shell inside a transaction)"
            ),
            (None, Held::Over(_)) => {
                eprintln!("the store is free again after {seconds} s; everything goes on");
            }
        }
    })
}

/// Warns of systems that are heard over HTTP while nobody listens.
fn deaf(plan: &Plan, only: &[String], shell: &mut Shell) {
    let scenarios = plan.scenarios.iter();
    let live = scenarios.filter(|s| s.mode.realtime && (only.is_empty() || only.contains(&s.name)));
    let from: BTreeSet<&str> = live
        .flat_map(|s| s.routes.iter().map(|r| r.from.as_str()))
        .collect();
    for system in &plan.systems {
        if system.connector == "webhook" && from.contains(system.name.as_str()) {
            shell.warn(&format!(
                "`{}` is heard only with `--listen`, as in `--listen 127.0.0.1:8787`",
                system.name
            ));
        }
    }
}

/// Runs a plan, with a log or a progress bar (on a terminal), until it is idle or told to stop.
fn drive(
    plan: &Plan,
    settings: &Settings,
    log: Option<LogFormat>,
    shell: &mut Shell,
) -> Result<Outcome, HostError> {
    let mut ready = |address: Option<std::net::SocketAddr>, waker: host::Waker| {
        match (address, log.map(Log)) {
            (Some(address), Some(log)) => {
                let url = format!("http://{address}");
                log.line("info", "listening", serde_json::json!({ "url": url }));
            }
            (Some(address), None) => eprintln!("listening on http://{address}"),
            (None, _) => {}
        }
        host::stop_on_signal(waker);
    };
    if let Some(format) = log {
        return host::run(plan, settings, &mut Log(format), &mut ready);
    }
    let mut bar = Bar::new(shell.quiet());
    bar.ends = settings.until_idle;
    let result = host::run(plan, settings, &mut bar, &mut ready);
    bar.finish();
    result
}

/// 1: dead letters, or a checkpoint that stopped a run; 3: a system out of reach.
pub(super) fn exit_of(outcome: &Outcome) -> Exit {
    let unreachable = !outcome.troubles.is_empty() || outcome.waiting.iter().any(|(_, n)| *n > 0);
    if unreachable {
        Exit::Unreachable
    } else if !outcome.dead_letters.is_empty() || outcome.has_notes() {
        Exit::Findings
    } else {
        Exit::Clean
    }
}

/// Progress on a terminal; there and elsewhere, in words, what needs somebody.
pub struct Bar {
    bar: Option<ProgressBar>,
    /// Whether the runner ends by itself, with a summary of what is wrong.
    ends: bool,
    /// Systems that were told of as paused.
    paused: BTreeSet<String>,
    /// What was told of writes given up and events kept back, each once until a system answers
    /// again: there may be thousands.
    told: BTreeSet<String>,
}

/// Different things told at most of writes given up and events kept back.
const TOLD_MOST: usize = 1_000;

impl Bar {
    /// A bar where standard error is a terminal.
    pub fn new(quiet: bool) -> Self {
        let mut shown = Bar {
            bar: None,
            ends: false,
            paused: BTreeSet::new(),
            told: BTreeSet::new(),
        };
        if quiet || !std::io::stderr().is_terminal() {
            return shown;
        }
        let bar = ProgressBar::new_spinner();
        // The template is fixed text, known to be well-formed.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        shown.bar = Some(bar);
        shown
    }

    /// Says something above the bar.
    fn say(&self, said: &str) {
        match &self.bar {
            Some(bar) => bar.println(said),
            None => eprintln!("{said}"),
        }
    }

    /// Says what a runner that goes on cannot leave to a summary, once.
    fn say_once(&mut self, said: String) {
        if self.ends || self.told.len() >= TOLD_MOST || self.told.contains(&said) {
            return;
        }
        self.say(&said);
        self.told.insert(said);
        if self.told.len() == TOLD_MOST {
            self.say("there is more of that kind, which is not told here any more");
        }
    }

    /// Clears it.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Bar {
    fn alert(&mut self, alert: &Alert<'_>) {
        let said = match alert {
            // Where a summary follows, that says so.
            Alert::Paused { .. } if self.ends => return,
            Alert::Paused { system, error } => {
                self.paused.insert((*system).to_owned());
                format!("`{system}` is paused: {}", cause(error))
            }
            Alert::Awaited {
                system,
                error,
                until,
            } => {
                let again = "this run waits until then";
                let error = cause(error);
                match self.paused.insert((*system).to_owned()) {
                    true => format!(
                        "`{system}` is paused: {error}; it is tried again at {until}, {again}"
                    ),
                    false => format!("`{system}` is tried again at {until}: {again}"),
                }
            }
            Alert::Resumed { system } => {
                self.told.clear();
                match self.paused.remove(*system) {
                    true => format!("`{system}` answers again"),
                    false => return,
                }
            }
            Alert::Down {
                system,
                error,
                until,
            } => format!(
                "`{system}` is taken to be down: {}; it is tried again now and then, first at {until}",
                cause(error)
            ),
            Alert::Up { system } => {
                self.told.clear();
                format!("`{system}` answers again")
            }
            Alert::Full { error } => {
                let remedy = error.remedy.as_deref().unwrap_or("see to the disk");
                format!("{error}: nothing moves until there is; {remedy}")
            }
            Alert::Room => "there is room for the store again".to_owned(),
            Alert::DeadLetter(letter) => {
                return self.say_once(format!(
                    "a write of `{}` to `{}` was given up: {}; `syncline dead-letters` lists it, and \
                     whatever else is given up for the same",
                    letter.scenario,
                    letter.system,
                    cause(&letter.error)
                ));
            }
            Alert::KeptBack { system, reason, .. } => {
                return self.say_once(format!(
                    "an event of `{system}` was kept back: {reason}; `syncline runs 0` lists it, and \
                     whatever else is kept back for the same"
                ));
            }
            // The end of the run says so.
            Alert::Aborted { .. } => return,
        };
        self.say(&said);
    }

    fn run_ended(&mut self, run: &RunRecord) {
        if self.ends || !matches!(run.status, RunStatus::Aborted | RunStatus::Failed) {
            return;
        }
        let (status, id) = (run.status.word(), run.id);
        let why = cause(run.note.as_deref().unwrap_or("nobody says why"));
        self.say(&format!(
            "run {id} of `{}` {status}: {why}; see `syncline runs {id}`",
            run.scenario
        ));
    }

    fn progress(&mut self, at: &Progress<'_>) {
        let Some(bar) = &self.bar else { return };
        let c = &at.counts;
        bar.set_message(match at.scenario {
            Some(name) => format!(
                "{name}: {}, {} read, {} written",
                at.doing,
                outcome::grouped(c.read),
                outcome::grouped(c.written)
            ),
            None => at.doing.to_owned(),
        });
    }
}
