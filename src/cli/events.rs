//! `syncline events`: what Syncline sets up in databases to hear of their changes.

use std::path::{Path, PathBuf};

use super::failure::{Exit, Failure};
use super::shell::Shell;
use super::store::store_path;
use crate::connector::postgres::Postgres;
use crate::connector::postgres::follow::{Feed, Removed, Standing};
use crate::connector::registry;
use crate::engine::{decide, ports};
use crate::host::{HostError, now};
use crate::plan::Plan;
use crate::render::outcome::grouped;
use crate::store::{OpenMode, SqliteStore};

/// Log that a slot may hold back before it is worth a word: a gigabyte.
const HELD_BYTES_MAX: i64 = 1 << 30;

/// Show, install or remove what databases need to tell of their changes
///
/// A trigger, or a slot of logical replication where the system has `option events =
/// "replication"`. `run` installs what it needs by itself; whoever may not, installs it by hand.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// What is installed, what waits there, and the log that a slot holds back
    List(Which),
    /// Install it
    Install {
        #[command(flatten)]
        which: Which,
        /// Only print the statements that install the trigger
        #[arg(long)]
        sql: bool,
    },
    /// Remove it, with what waits there, and forget up to where it was taken
    Remove {
        #[command(flatten)]
        which: Which,
        /// The store; default: .syncline.db beside the policy
        #[arg(long, value_name = "URL")]
        store: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// A policy file, a directory with `policy.sync`, or a plan (`.json`, `.yaml`)
    #[arg(value_name = "PATH|PLAN", default_value = ".")]
    path: PathBuf,
    /// Only this system
    #[arg(long, value_name = "SYSTEM")]
    system: Option<String>,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let which = match &args.what {
        What::List(which) | What::Remove { which, .. } | What::Install { which, .. } => which,
    };
    let (plan, base) = match super::plan::plan_or_policy(&which.path, shell) {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    for (name, mut database) in databases(&plan, which.system.as_deref())? {
        let said = match &args.what {
            What::List(_) => standing(&name, &database.standing().map_err(told)?),
            What::Install { sql: true, .. } => database.installation().map_err(told)?,
            What::Install { .. } => match database.install().map_err(told)? {
                Feed::Trigger => format!("{name}: a trigger notes changes in `syncline.changes`\n"),
                Feed::Replication => {
                    format!("{name}: a slot of logical replication tells of changes\n")
                }
            },
            What::Remove { store, .. } => {
                let removed = removed(&name, database.remove().map_err(told)?);
                removed + &forgotten(&name, store.as_deref(), &base)?
            }
        };
        shell.print(&said);
    }
    Ok(Exit::Clean)
}

/// The PostgreSQL systems of a plan that are followed, or the one that was asked for.
fn databases(plan: &Plan, only: Option<&str>) -> Result<Vec<(String, Postgres)>, Failure> {
    let env = |name: &str| std::env::var(name).ok();
    let mut found = Vec::new();
    for (at, system) in plan.systems.iter().enumerate() {
        let wanted = only.is_none_or(|only| only == system.name);
        if system.connector == "postgres" && wanted {
            let opened = registry::postgres(plan, at as ports::SystemIx, &env).map_err(told)?;
            found.push((system.name.clone(), opened));
        }
    }
    match (found.is_empty(), only) {
        (false, _) => Ok(found),
        (true, Some(only)) => Err(Failure::input(format!(
            "`{only}` is no system of the plan with the connector `postgres`"
        ))),
        (true, None) => Err(Failure::input(
            "the plan has no system with the connector `postgres`",
        )),
    }
}

fn removed(name: &str, removed: Removed) -> String {
    match (removed.triggers, removed.slot) {
        (0, false) => format!("{name}: nothing was installed\n"),
        (triggers, slot) => {
            let slot = if slot {
                ", the slot and its publication"
            } else {
                ""
            };
            format!("{name}: removed {triggers} triggers{slot}\n")
        }
    }
}

/// Has the runner's store forget up to where a feed was taken: what is installed next begins anew,
/// and a runner that went by the old place would say that changes are missing, or take some for
/// taken.
fn forgotten(name: &str, store: Option<&str>, base: &Path) -> Result<String, Failure> {
    let path = store_path(store, base).map_err(unusable)?;
    // Before the first run there is nothing to forget.
    if store.is_none() && !path.exists() {
        return Ok(String::new());
    }
    let used = SqliteStore::open(&path, OpenMode::Operate).and_then(|mut store| {
        let known = decide::forget_position(&mut store, name)?;
        // A system that was paused for it is tried at once.
        decide::resume(&mut store, name, now())?;
        Ok(known)
    });
    Ok(
        match used.map_err(|e| unusable(HostError::from_store(e)))? {
            true => format!(
                "{name}: what was taken is forgotten; changes from now until it is installed again are \
             not told: `syncline backfill` finds them\n"
            ),
            false => String::new(),
        },
    )
}

fn unusable(error: HostError) -> Failure {
    let told = Failure::own(error.message);
    match error.remedy {
        Some(remedy) => told.help(remedy),
        None => told,
    }
}

fn standing(name: &str, standing: &Standing) -> String {
    let mut text = format!("{name} ({})\n", standing.follower);
    match standing.tables.as_slice() {
        [] => text.push_str("  trigger: not installed\n"),
        tables => text.push_str(&format!(
            "  trigger: on {}; {} changes wait\n",
            tables.join(", "),
            grouped(standing.waiting.unsigned_abs())
        )),
    }
    match &standing.slot {
        None => text.push_str("  slot: none\n"),
        Some(slot) => {
            let status = slot.status.as_deref().unwrap_or("unknown");
            let held = grouped(slot.held_bytes.unsigned_abs() / 1024);
            text.push_str(&format!(
                "  slot: {status}; holds back {held} KiB of the server's log\n"
            ));
            if slot.held_bytes > HELD_BYTES_MAX || !matches!(status, "reserved" | "extended") {
                text.push_str(
                    "  warning: nobody takes what this slot tells, and the server's disk fills: \
                     start the runner, or remove the slot with `syncline events remove`\n",
                );
            }
        }
    }
    text
}

fn told(failure: ports::Failure) -> Failure {
    let told = Failure::own(failure.message);
    match failure.remedy {
        Some(remedy) => told.help(remedy),
        None => told,
    }
}
