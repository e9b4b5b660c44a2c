//! `syncline why`: who won and why, from the store.

use super::failure::Exit;
use super::shell::Shell;
use super::store::StoreArgs;
use crate::engine::ports::Store;
use crate::engine::program::Program;
use crate::engine::register_json;
use crate::engine::why::{RecordStory, note_waiting, tell};
use crate::host::{HostError, remembered_plan};
use crate::render;

/// Tells who won a record's fields, why, what lost, and what each system holds
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The record by its key, and perhaps one field: `contact:ada@example.com.opted_out`
    #[arg(value_name = "ENTITY:KEY[.FIELD]")]
    record: String,
    /// Only what this system holds
    #[arg(long = "in", value_name = "SYSTEM")]
    system: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
    /// How to print
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    match story(args) {
        Ok(story) if args.format == "json" => {
            shell.print_json(&serde_json::json!({ "version": 1, "story": story }));
            Exit::Clean
        }
        Ok(story) => {
            shell.print(&render::why::record(&story));
            Exit::Clean
        }
        Err((error, exit)) => {
            shell.failure(&error);
            exit
        }
    }
}

/// The name that was meant, or else all that there are.
fn hint(name: &str, names: Vec<&str>) -> Option<String> {
    match crate::text::nearest(name, names.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if names.is_empty() => None,
        None => Some(format!("the plan has `{}`", names.join("`, `"))),
    }
}

fn story(args: &Args) -> Result<RecordStory, (HostError, Exit)> {
    let usage =
        |message: String, remedy: Option<String>| (HostError { message, remedy }, Exit::Usage);
    let fault = |e: HostError| (e, Exit::Unreachable);
    let stored = |e| fault(HostError::from_store(e));
    let mut store = args.store.open().map_err(fault)?;
    let plan = remembered_plan(&mut store).map_err(fault)?;
    let program = Program::new(plan).map_err(|e| usage(e.to_string(), None))?;
    let (entity, rest) = args.record.split_once(':').ok_or_else(|| {
        let first = program.plan.entities.first();
        let entity = first.map_or("contact", |entity| &*entity.name);
        usage(
            format!("`{}` names no record", args.record),
            Some(format!("write it as `{entity}:{}`", args.record)),
        )
    })?;
    let ix = program.entity(entity).ok_or_else(|| {
        let names = program.plan.entities.iter().map(|e| e.name.as_str());
        let hint = hint(entity, names.collect());
        usage(format!("the plan has no entity `{entity}`"), hint)
    })?;
    let names = &program.entities[ix as usize];
    let system = args
        .system
        .as_deref()
        .map(|name| {
            let names = program.plan.systems.iter().map(|s| s.name.as_str());
            program.system(name).ok_or_else(|| {
                let hint = hint(name, names.collect());
                usage(format!("the plan has no system `{name}`"), hint)
            })
        })
        .transpose()?;
    // A key may hold dots itself: the whole text is a key first, a key and a field second.
    let mut key = rest;
    let mut field = None;
    let mut doc = store.record(entity, key).map_err(stored)?;
    if doc.is_none()
        && let Some((before, name)) = rest.rsplit_once('.')
        && let Some(ix) = names.field(name)
    {
        key = before;
        field = Some(ix);
        doc = store.record(entity, key).map_err(stored)?;
    }
    if doc.is_none()
        && let Some((before, name)) = rest.rsplit_once('.')
        && names.field(name).is_none()
        && store.record(entity, before).map_err(stored)?.is_some()
    {
        let all = names.fields.iter().map(|f| f.name.as_str());
        let near = crate::text::nearest(name, all).map(|n| format!("did you mean `{n}`?"));
        return Err(usage(format!("{entity} has no field `{name}`"), near));
    }
    let doc = doc.ok_or_else(|| {
        usage(
            format!("nothing is known of {entity} `{rest}`"),
            Some("keys are told exactly as the policy's `key` reads them; list some with `sqlite3 STORE \"select key from records limit 10\"`".into()),
        )
    })?;
    let register = register_json::parse(names, &doc).map_err(|e| {
        (
            HostError {
                message: e.to_string(),
                remedy: None,
            },
            Exit::Unreachable,
        )
    })?;
    let mut story = tell(&program, names, key, &register, field, system);
    for system in &program.plan.systems {
        let waiting = store.waiting(&system.name, entity, key).map_err(stored)?;
        if let Some(waiting) = waiting {
            note_waiting(&mut story, &waiting);
        }
    }
    Ok(story)
}
