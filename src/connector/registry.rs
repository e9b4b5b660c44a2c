//! From a system of the plan to its connector: options and secrets are read here, and only here.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::csv::Csv;
use super::failure::setup;
use super::jsonl::Jsonl;
use super::postgres::Postgres;
use super::sqlite::Sqlite;
use super::webhook::{Clock, Webhook};
use crate::engine::ports::{Connector, Failure, SystemIx};
use crate::plan::{EnvRef, Plan, Setting, System};

/// The environment's variables, handed in.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Opens the connector of a system. Relative paths are below `base`; secrets and options that name
/// a variable are looked up in `env` and never shown; `now` tells the time that calls are signed
/// with.
pub fn open(
    plan: &Plan,
    system: SystemIx,
    base: &Path,
    env: Env<'_>,
    now: Clock,
) -> Result<Box<dyn Connector>, Failure> {
    let found = plan.systems.get(usize::from(system)).ok_or_else(|| {
        setup(
            format!("the plan has no system {system}"),
            "compile the plan again with `syncline plan`",
        )
    })?;
    let path = || -> Result<PathBuf, Failure> { Ok(base.join(option(found, "path", env)?)) };
    Ok(match found.connector.as_str() {
        "csv" => Box::new(Csv::open(plan, system, path()?)?),
        "jsonl" => Box::new(Jsonl::open(plan, system, path()?)?),
        "sqlite" => Box::new(Sqlite::open(plan, system, path()?)?),
        "postgres" => Box::new(postgres(plan, system, env)?),
        "webhook" => Box::new(webhook(plan, system, env, now)?),
        other => {
            return Err(setup(
                format!(
                    "`{}` uses the connector `{other}`, which cannot be run yet",
                    found.name
                ),
                "`csv`, `jsonl`, `postgres`, `sqlite` and `webhook` can; simulate the others",
            ));
        }
    })
}

/// The connector of a system that is a PostgreSQL database, for what only it can do.
pub fn postgres(plan: &Plan, system: SystemIx, env: Env<'_>) -> Result<Postgres, Failure> {
    let found = plan.systems.get(usize::from(system));
    let found = found.filter(|s| s.connector == "postgres").ok_or_else(|| {
        setup(
            format!("system {system} of the plan is no PostgreSQL database"),
            "compile the plan again with `syncline plan`",
        )
    })?;
    Postgres::open(plan, system, &secret(found, "url", env)?)
}

/// Whether the connector of a system carries out many calls at a time by itself (see
/// [`Webhook::carry_out`]); else it takes one connector for each.
pub fn many_at_a_time(system: &System) -> bool {
    system.connector == "webhook"
}

/// The connector of a system that is told by webhooks, for what only it can do.
pub fn webhook(
    plan: &Plan,
    system: SystemIx,
    env: Env<'_>,
    now: Clock,
) -> Result<Webhook, Failure> {
    let found = plan.systems.get(usize::from(system));
    let found = found.filter(|s| s.connector == "webhook").ok_or_else(|| {
        setup(
            format!("system {system} of the plan is no webhook"),
            "compile the plan again with `syncline plan`",
        )
    })?;
    if !found.options.contains_key("url") {
        return Err(setup(
            format!(
                "`{}` has no option `url`, so nothing can be sent to it",
                found.name
            ),
            "add `option url = \"https://…\"` to the system, or only receive from it",
        ));
    }
    let url = option(found, "url", env)?;
    Webhook::open(plan, system, &url, secret(found, "signing", env)?, now)
}

/// The value of a required option as text.
pub(super) fn option(system: &System, name: &str, env: Env<'_>) -> Result<String, Failure> {
    match system.options.get(name) {
        Some(Setting::Value(Json::String(text))) => Ok(text.clone()),
        Some(Setting::Value(other)) => Ok(other.to_string()),
        Some(Setting::Env(variable)) => lookup(system, "option", name, variable, env),
        None => Err(setup(
            format!("`{}` lacks the option `{name}`", system.name),
            format!("add `option {name} = \"…\"` to the system"),
        )),
    }
}

/// The value of a required secret.
pub(super) fn secret(system: &System, name: &str, env: Env<'_>) -> Result<String, Failure> {
    match system.secrets.get(name) {
        Some(variable) => lookup(system, "secret", name, variable, env),
        None => Err(setup(
            format!("`{}` lacks the secret `{name}`", system.name),
            format!("add `secret {name} = env(\"…\")` to the system"),
        )),
    }
}

fn lookup(
    system: &System,
    kind: &str,
    name: &str,
    variable: &EnvRef,
    env: Env<'_>,
) -> Result<String, Failure> {
    let set = env(&variable.env).filter(|value| !value.is_empty());
    set.or_else(|| variable.default.clone()).ok_or_else(|| {
        setup(
            format!(
                "the variable `{}` is not set: it holds the {kind} `{name}` of `{}`",
                variable.env, system.name
            ),
            format!("export {}=…, and start again", variable.env),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connector::testing::{plan, same_names};
    use crate::engine::ports::FailureClass;
    use serde_json::json;

    fn opened(system: Json, env: Env<'_>) -> Result<(), Failure> {
        let plan = plan(system, same_names(&[]), true);
        let now = Box::new(|| crate::time::Instant(0));
        open(&plan, 0, Path::new("/base"), env, now).map(|_| ())
    }

    #[test]
    fn an_unset_variable_is_named_with_its_system() {
        let system = json!({"connector": "csv", "options": {"path": {"env": {"env": "DATA"}}}});
        let failure = opened(system.clone(), &|_| None).expect_err("unset");
        assert_eq!(failure.class, FailureClass::Setup);
        assert_eq!(
            failure.message,
            "the variable `DATA` is not set: it holds the option `path` of `desk`"
        );
        assert_eq!(
            failure.remedy.as_deref(),
            Some("export DATA=…, and start again")
        );
        assert!(opened(system, &|_| Some("x".into())).is_ok());
        let defaulted = json!({"connector": "csv", "options": {"path": {"env": {"env": "DATA", "default": "d"}}}});
        assert!(opened(defaulted, &|_| None).is_ok());
    }

    #[test]
    fn no_secret_is_ever_shown() {
        let system = json!({"connector": "webhook",
            "options": {"url": {"value": "http://user:hunter2@example.org/?token=hunter2"}},
            "secrets": {"signing": {"env": "KEY"}}});
        let failure = opened(system, &|_| Some("hunter2".into())).expect_err("plain http");
        assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
        let unset = json!({"connector": "webhook", "options": {"url": {"value": "https://x.example"}},
            "secrets": {"signing": {"env": "KEY"}}});
        let failure = opened(unset, &|_| None).expect_err("unset");
        assert!(failure.message.contains("`KEY`") && failure.message.contains("`desk`"));
    }

    #[test]
    fn what_cannot_be_run_says_so() {
        for connector in ["salesforce", "webhook", "nats"] {
            let failure = opened(json!({"connector": connector}), &|_| None).expect_err(connector);
            assert_eq!(failure.class, FailureClass::Setup);
            assert!(failure.message.contains("`desk`"));
        }
        assert!(opened(json!({"connector": "csv"}), &|_| None).is_err());
    }
}
