//! Temporary.
use crate::engine::ports::{Connector, Failure, FailureClass, SystemIx};
use crate::plan::{Plan, Setting};
use std::path::Path;
/// Opens.
pub fn open(
    plan: &Plan,
    system: SystemIx,
    base_dir: &Path,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Box<dyn Connector>, Failure> {
    let s = &plan.systems[system as usize];
    let path = match s.options.get("path") {
        Some(Setting::Value(v)) => v.as_str().unwrap_or("").to_owned(),
        Some(Setting::Env(e)) => env(&e.env).or(e.default.clone()).unwrap_or_default(),
        None => String::new(),
    };
    let path = base_dir.join(path);
    Ok(match s.connector.as_str() {
        "csv" => Box::new(super::csv::Csv::open(plan, system, path)?),
        "jsonl" => Box::new(super::jsonl::Jsonl::open(plan, system, path)?),
        "sqlite" => Box::new(super::sqlite::Sqlite::open(plan, system, path)?),
        other => {
            return Err(Failure {
                class: FailureClass::Setup,
                message: format!("no connector {other}"),
                remedy: None,
            });
        }
    })
}
