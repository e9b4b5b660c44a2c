//! `syncline dead-letters`: writes that were given up.

use super::failure::Exit;
use super::shell::Shell;
use super::store::StoreArgs;
use crate::engine::ports::Store;
use crate::host::HostError;
use crate::render::outcome::table;

/// Shows writes that were given up
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Lists them, grouped by cause
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// How to print
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
}

/// Runs the command.
pub(super) fn run(args: &Args, shell: &mut Shell) -> Exit {
    let Action::List(args) = &args.action;
    let letters = args.store.open().and_then(|mut store| {
        store.dead_letters().map_err(|e| HostError {
            message: e.message,
            remedy: e.remedy,
        })
    });
    let mut letters = match letters {
        Ok(letters) => letters,
        Err(error) => return shell.failure(&error),
    };
    if args.format == "json" {
        shell.print_json(&serde_json::json!({ "version": 1, "dead_letters": letters }));
        return Exit::Clean;
    }
    if letters.is_empty() {
        shell.print("no dead letters\n");
        return Exit::Clean;
    }
    letters.sort_by(|a, b| (&a.system, &a.error, a.id).cmp(&(&b.system, &b.error, b.id)));
    let mut out = String::new();
    for group in letters.chunk_by(|a, b| a.system == b.system && a.error == b.error) {
        out.push_str(&format!(
            "{} into `{}`: {}\n",
            group.len(),
            group[0].system,
            group[0].error
        ));
        let mut rows = vec![
            ["letter", "record", "scenario", "attempts", "given up"]
                .map(String::from)
                .to_vec(),
        ];
        for letter in group {
            rows.push(vec![
                letter.id.to_string(),
                format!("{}:{}", letter.entity, letter.key),
                letter.scenario.clone(),
                letter.attempts.to_string(),
                letter.last_at.to_string(),
            ]);
        }
        out.push_str(&table(&rows, 99));
    }
    shell.print(&out);
    Exit::Clean
}
