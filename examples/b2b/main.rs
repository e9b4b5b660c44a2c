//! The business example: makes its data, runs its policy to idle and says where to look next.
//!
//! `cargo run --release --example b2b` does all of it; `-- generate` only makes the data.
#![forbid(unsafe_code)]

mod generate;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use rusqlite::{Connection, OpenFlags};

use generate::Options;

/// The business example.
#[derive(Parser)]
struct Arguments {
    /// Only make the data.
    #[arg(value_parser = ["generate"])]
    command: Option<String>,
    /// How many people there are in all systems together.
    #[arg(long, default_value_t = 24_000)]
    contacts: usize,
    /// The same seed makes the same data.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// The folder with the policy; the data is made in `data` below it.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Make the data anew and forget what was run.
    #[arg(long)]
    fresh: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(3)
        }
    }
}

/// Makes the data where there is none, runs the policy to idle, and shows where to look; gives the
/// run's exit status.
fn run(arguments: &Arguments) -> Result<u8, generate::Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/b2b");
    let dir = short(arguments.dir.clone().unwrap_or(here));
    let data = dir.join("data");
    if arguments.fresh && data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    let only_make = arguments.command.is_some();
    // What is there is used as it is: running again at once changes nothing.
    if only_make || !data.join("crm.db").exists() {
        let (contacts, seed) = (arguments.contacts, arguments.seed);
        eprintln!("making {contacts} contacts in {}", data.display());
        generate::generate(&Options {
            contacts,
            seed,
            dir: data.clone(),
        })?;
    }
    if only_make {
        return Ok(0);
    }
    let store = data.join("b2b.syncline.db");
    let words = ["syncline", "run", "--until-idle", "--store"].map(OsString::from);
    let places = [store.clone().into(), dir.join("policy.sync").into()];
    let status = syncline::cli::main(words.into_iter().chain(places));
    if status < 2 {
        tour(&data, &store)?;
    }
    Ok(status)
}

/// Paths as somebody in the current directory would type them.
fn short(path: PathBuf) -> PathBuf {
    let current = std::env::current_dir().ok();
    let inside = current.and_then(|c| path.strip_prefix(c).ok().map(Path::to_owned));
    match inside {
        Some(inside) if inside.as_os_str().is_empty() => PathBuf::from("."),
        Some(inside) => inside,
        None => path,
    }
}

/// A few questions with the commands that answer them, about people who are in this very data.
fn tour(data: &Path, store: &Path) -> Result<(), generate::Failure> {
    let crm = Connection::open_with_flags(data.join("crm.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let out: String = crm.query_row(
        "SELECT lower(trim(email)) FROM contacts WHERE has_opted_out = 1 ORDER BY id LIMIT 1",
        [],
        |row| row.get(0),
    )?;
    let (data, store) = (data.display(), store.display());
    println!(
        "
Some questions about this data
  why did mail to one of them stop, and who heard of it?
    syncline why contact:{out}.opted_out --store {store}
  whom does the mail platform have under the same address?
    sqlite3 {data}/mailer.db \"select * from subscribers where address like '{out}'\"
  what was kept back, and why?
    sqlite3 {store} \"select scenario, system, reason, record from quarantine limit 20\"
  what went where, run by run?
    syncline runs --store {store}
  what do the reports say?
    head {data}/warehouse/contacts.csv
  and once more: nothing is left to write
    cargo run --release --example b2b"
    );
    Ok(())
}
