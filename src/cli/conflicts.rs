//! `syncline conflicts`: fields with `resolve manual` on which systems differ.

use serde_json::{Map, Value as Json, json};

use super::failure::Exit;
use super::shell::Shell;
use super::store::{HEEDED, StoreArgs, fault, told, wrong};
use crate::engine::decide;
use crate::engine::ports::{Conflict, Store};
use crate::host::{HostError, now};
use crate::plan::Scenario;
use crate::render::outcome::table;
use crate::text::nearest;

/// Show and settle conflicts of fields with `resolve manual`
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List them, with what each system says
    List(ListArgs),
    /// Settle one: the value chosen holds until a system changes its own again
    Resolve(ResolveArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// How to print
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("choice").required(true).args(["take", "value"])))]
struct ResolveArgs {
    /// The conflict as `list` shows it: `contact:ada@example.com.notes`
    #[arg(value_name = "ENTITY:KEY.FIELD")]
    conflict: String,
    /// Take what this system says
    #[arg(long, value_name = "SYSTEM")]
    take: Option<String>,
    /// Take this value, as JSON; a plain word is text
    #[arg(long, value_name = "VALUE", allow_hyphen_values = true)]
    value: Option<String>,
    /// Who chose, for `why`; default: the user of this session
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    store: StoreArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    let done = match &args.action {
        Action::List(args) => list(args),
        Action::Resolve(args) => resolve(args),
    };
    told(done, shell)
}

fn name_of(conflict: &Conflict) -> String {
    format!("{}:{}.{}", conflict.entity, conflict.key, conflict.field)
}

fn said(conflict: &Conflict) -> Map<String, Json> {
    serde_json::from_str(&conflict.values).unwrap_or_default()
}

fn list(args: &ListArgs) -> Result<String, (HostError, Exit)> {
    let mut store = args.store.open().map_err(fault)?;
    let conflicts = store
        .conflicts()
        .map_err(|e| fault(HostError::from_store(e)))?;
    if args.format == "json" {
        let all: Vec<Json> = conflicts
            .iter()
            .map(|c| {
                json!({
                    "conflict": name_of(c), "entity": c.entity, "key": c.key, "field": c.field,
                    "values": said(c), "since": c.since.to_string(),
                })
            })
            .collect();
        let shown = json!({ "version": 1, "conflicts": all });
        return Ok(format!("{shown:#}\n"));
    }
    if conflicts.is_empty() {
        return Ok("no conflicts\n".to_owned());
    }
    let mut rows = vec![["conflict", "since", "says"].map(String::from).to_vec()];
    for conflict in &conflicts {
        let said: Vec<String> = said(conflict)
            .iter()
            .map(|(system, value)| format!("{system}: {value}"))
            .collect();
        rows.push(vec![
            name_of(conflict),
            conflict.since.to_string(),
            said.join(", "),
        ]);
    }
    Ok(table(&rows, 99))
}

fn resolve(args: &ResolveArgs) -> Result<String, (HostError, Exit)> {
    let (mut store, program) = args.store.operate().map_err(fault)?;
    let stored = |e| fault(HostError::from_store(e));
    let conflicts = store.conflicts().map_err(stored)?;
    let conflict = conflicts.iter().find(|c| name_of(c) == args.conflict);
    let conflict = conflict.ok_or_else(|| {
        let names: Vec<String> = conflicts.iter().map(name_of).collect();
        let near = nearest(&args.conflict, names.iter().map(String::as_str));
        wrong(
            format!("no conflict `{}` waits", args.conflict),
            Some(match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "see `syncline conflicts list`".to_owned(),
            }),
        )
    })?;
    let entity = program.entity(&conflict.entity);
    let place = entity.and_then(|e| {
        let names = &program.entities[usize::from(e)];
        let field = names.field(&conflict.field)?;
        Some((e, field, &names.fields[usize::from(field)].ty))
    });
    let (entity, field, ty) = place.ok_or_else(|| {
        let message = format!(
            "the plan has no `{}.{}` any more",
            conflict.entity, conflict.field
        );
        wrong(
            message,
            Some("run the present plan on this store first".into()),
        )
    })?;
    let chosen = chosen(args, conflict)?;
    let value = ty.read_json(&chosen).map_err(|e| {
        wrong(
            format!(
                "{chosen} is no value of `{}.{}`: {e}",
                conflict.entity, conflict.field
            ),
            Some("write it as JSON: text in quotes, sets as lists".into()),
        )
    })?;
    let by = args.by.clone().or_else(|| std::env::var("USER").ok());
    let by = by.unwrap_or_else(|| "a person".to_owned());
    let place = (entity, conflict.key.as_str(), field);
    decide::choose(&program, &mut store, now(), place, value, &by).map_err(stored)?;
    let name = &program.entities[usize::from(entity)].name;
    let carries = |s: &&Scenario| {
        let mut routes = s.routes.iter();
        routes.any(|r| r.entity == *name && r.fields.contains(&conflict.field))
    };
    let carrying = || program.plan.scenarios.iter().filter(carries);
    let by_clock: Vec<String> = carrying()
        .filter(|s| !s.mode.realtime)
        .map(|s| format!("`{}`", s.name))
        .collect();
    let mut text = format!("`{}` is {chosen}\n", args.conflict);
    if carrying().any(|s| s.mode.realtime) {
        text.push_str(&format!("it goes out at once: {HEEDED}\n"));
    }
    if !by_clock.is_empty() {
        text.push_str(&format!(
            "it goes out with the next run of {}\n",
            by_clock.join(", ")
        ));
    }
    Ok(text)
}

fn chosen(args: &ResolveArgs, conflict: &Conflict) -> Result<Json, (HostError, Exit)> {
    let said = said(conflict);
    match (&args.take, &args.value) {
        (Some(system), _) => said.get(system).cloned().ok_or_else(|| {
            let systems: Vec<String> = said.keys().map(|s| format!("`{s}`")).collect();
            wrong(
                format!("`{system}` says nothing of `{}`", args.conflict),
                Some(format!("take one of {}", systems.join(", "))),
            )
        }),
        (None, Some(value)) => {
            Ok(serde_json::from_str(value).unwrap_or_else(|_| Json::String(value.clone())))
        }
        // The parser wants one of both.
        (None, None) => Ok(Json::Null),
    }
}
