//! What `run --log` writes: a line on standard error for everything that happens.
//!
//! Keys and values of records never stand in it: a dead letter is told by its number, an error by
//! its cause alone (see [`crate::engine::cause`]).

use clap::ValueEnum;
use serde_json::{Map, Value as Json, json};

use crate::engine::cause::cause;
use crate::engine::ports::{RunRecord, RunStatus};
use crate::engine::runner::{Alert, Observer, Progress};
use crate::host::now;

/// How the lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// `time level event name=value …`
    Text,
    /// One JSON object a line
    Json,
}

/// Writes the lines.
pub(super) struct Log(pub LogFormat);

impl Log {
    /// One line. `fields` is an object.
    pub fn line(&self, level: &str, event: &str, fields: Json) {
        eprintln!("{}", self.text(level, event, fields));
    }

    fn text(&self, level: &str, event: &str, fields: Json) -> String {
        let Json::Object(fields) = fields else {
            return String::new();
        };
        let time = now().to_string();
        match self.0 {
            LogFormat::Json => {
                let mut line = Map::new();
                line.insert("time".into(), time.into());
                line.insert("level".into(), level.into());
                line.insert("event".into(), event.into());
                line.extend(fields);
                Json::Object(line).to_string()
            }
            LogFormat::Text => {
                let fields = fields.iter().filter(|(_, value)| !value.is_null());
                let fields: String = fields
                    .map(|(name, value)| format!(" {name}={value}"))
                    .collect();
                format!("{time} {level} {event}{fields}")
            }
        }
    }
}

impl Observer for Log {
    fn progress(&mut self, _: &Progress<'_>) {}

    fn alert(&mut self, alert: &Alert<'_>) {
        match alert {
            Alert::Paused { system, error } => self.line(
                "error",
                "system.paused",
                json!({ "system": system, "error": cause(error) }),
            ),
            Alert::Resumed { system } => {
                self.line("info", "system.resumed", json!({ "system": system }));
            }
            Alert::Down {
                system,
                error,
                until,
            } => self.line(
                "error",
                "system.down",
                json!({ "system": system, "error": cause(error), "until": until.to_string() }),
            ),
            Alert::Up { system } => {
                self.line("info", "system.up", json!({ "system": system }));
            }
            Alert::DeadLetter(letter) => self.line(
                "error",
                "dead_letter",
                json!({
                    "letter": letter.id, "system": letter.system, "scenario": letter.scenario,
                    "error": cause(&letter.error), "attempts": letter.attempts,
                }),
            ),
            Alert::Awaited { system, until, .. } => self.line(
                "warn",
                "system.awaited",
                json!({ "system": system, "until": until.to_string() }),
            ),
            Alert::KeptBack {
                system,
                event,
                scenario,
                reason,
            } => {
                let scenario = (!scenario.is_empty()).then_some(scenario);
                self.line(
                    "warn",
                    "event.kept_back",
                    json!({
                        "system": system, "id": event, "scenario": scenario, "reason": reason,
                    }),
                );
            }
            Alert::Full { error } => self.line(
                "error",
                "store.full",
                json!({ "error": error.message, "remedy": error.remedy }),
            ),
            Alert::Room => self.line("info", "store.room", json!({})),
            // The end of the run says so.
            Alert::Aborted { .. } => {}
        }
    }

    fn run_started(&mut self, run: &RunRecord) {
        self.line(
            "info",
            "run.started",
            json!({ "scenario": run.scenario, "run": run.id, "why": run.why }),
        );
    }

    fn run_ended(&mut self, run: &RunRecord) {
        let level = match run.status {
            RunStatus::Aborted | RunStatus::Failed => "error",
            RunStatus::Partial => "warn",
            _ => "info",
        };
        let c = &run.counts;
        self.line(
            level,
            "run.ended",
            json!({
                "scenario": run.scenario, "run": run.id, "status": run.status.word(),
                "seconds": run.ended.map(|end| end.since(run.started).as_secs_f64()),
                "read": c.read, "changed": c.changed, "deduplicated": c.deduplicated,
                "quarantined": c.quarantined, "written": c.written, "failed": c.failed,
                "postponed": c.postponed, "conflicts": c.conflicts, "drift": c.drift,
                "calls": run.calls, "note": run.note.as_deref().map(cause),
            }),
        );
    }
}
