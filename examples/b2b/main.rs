//! The business example: makes its data, runs its policy to idle and says where to look next.
//!
//! `cargo run --release --example b2b` does all of it; `-- generate` only makes the data.
#![forbid(unsafe_code)]

mod generate;

use std::path::{Path, PathBuf};

use clap::Parser;

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

fn main() {
    let arguments = Arguments::parse();
    if let Err(failure) = run(&arguments) {
        eprintln!("error: {failure}");
        std::process::exit(3);
    }
}

fn run(arguments: &Arguments) -> Result<(), generate::Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/b2b");
    let dir = arguments.dir.clone().unwrap_or(here);
    let data = dir.join("data");
    if arguments.fresh && data.exists() {
        std::fs::remove_dir_all(&data)?;
    }
    if arguments.command.is_some() || !data.join("crm.db").exists() {
        let options = Options {
            contacts: arguments.contacts,
            seed: arguments.seed,
            dir: data,
        };
        eprintln!(
            "making {} contacts in {}",
            options.contacts,
            options.dir.display()
        );
        generate::generate(&options)?;
    }
    Ok(())
}
