//! `syncline catalog`: the connectors and what is known of them.

use std::path::PathBuf;

use super::failure::{Exit, Failure};
use super::shell::Shell;
use crate::catalog::{self, Catalog, Entry, Tested};
use crate::render::catalog as render;
use crate::text::nearest;

/// Show the connectors with their limits, prices and sources.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// List the connectors
    List,
    /// Print a connector's entry, every figure with its source
    Show {
        /// Its name
        #[arg(value_name = "CONNECTOR")]
        connector: String,
    },
    /// Check an entry of one's own
    Check {
        /// The entry, a YAML file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    match &args.what {
        What::List => list(shell),
        What::Show { connector } => show(connector, shell),
        What::Check { file } => check(file, shell),
    }
}

fn list(shell: &mut Shell) -> Result<Exit, Failure> {
    let catalog = Catalog::builtin();
    let entries: Vec<&Entry> = catalog.names().filter_map(|n| catalog.get(n)).collect();
    let text = render::list(&entries, shell.style);
    shell.print(&text);
    Ok(Exit::Clean)
}

fn show(name: &str, shell: &mut Shell) -> Result<Exit, Failure> {
    let catalog = Catalog::builtin();
    let Some(text) = catalog.yaml(name) else {
        let failure = Failure::input(format!("there is no connector `{name}`"));
        return Err(match nearest(name, catalog.names()) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("`syncline catalog list` names them all"),
        });
    };
    shell.print(text);
    Ok(Exit::Clean)
}

fn check(file: &PathBuf, shell: &mut Shell) -> Result<Exit, Failure> {
    let name = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::input(format!("`{name}` cannot be read: {e}")))?;
    match catalog::parse_entry(&text) {
        Ok(entry) => {
            let tested = match entry.tested {
                Tested::None => "not tested against anything",
                Tested::Contract => "tested against the vendor's contract",
                Tested::Live => "tested against the real system",
            };
            shell.print(&format!("{name}: `{}` is sound, {tested}\n", entry.name));
            Ok(Exit::Clean)
        }
        Err(error) => {
            shell.print(&format!("{name}: {error}\n"));
            Ok(Exit::Findings)
        }
    }
}
