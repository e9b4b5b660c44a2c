//! Makes the example's data: the same bytes for the same number of contacts and the same seed.
//!
//! The data is as untidy as such data is: duplicates with other ids and times, addresses in other
//! case, with spaces and broken, empty fields, statuses that differ between systems, opt-outs that
//! arrive twice, late and out of order, half lines in feeds.

mod databases;
mod feeds;
mod names;
mod people;
mod random;

use std::fs;
use std::path::{Path, PathBuf};

use random::Random;

/// What to make.
pub struct Options {
    /// How many people there are in all systems together.
    pub contacts: usize,
    /// The same seed makes the same data.
    pub seed: u64,
    /// The folder, which is made.
    pub dir: PathBuf,
}

/// What hinders it.
pub type Failure = Box<dyn std::error::Error>;

/// Makes the data; files that are there already are replaced.
pub fn generate(options: &Options) -> Result<(), Failure> {
    let (feeds, warehouse) = (options.dir.join("feeds"), options.dir.join("warehouse"));
    for folder in [&feeds, &warehouse] {
        fs::create_dir_all(folder)?;
    }
    let mut random = Random::new(options.seed);
    let mut world = people::world(options.contacts, &mut random);
    databases::crm(
        &fresh(&options.dir.join("crm.db"))?,
        &mut world,
        &mut random,
    )?;
    databases::mailer(
        &fresh(&options.dir.join("mailer.db"))?,
        &mut world,
        &mut random,
    )?;
    databases::product(
        &fresh(&options.dir.join("product.db"))?,
        &mut world,
        &mut random,
    )?;
    fs::write(
        feeds.join("forms.jsonl"),
        feeds::forms(&mut world, &mut random),
    )?;
    fs::write(
        feeds.join("mail_events.jsonl"),
        feeds::mail_events(&mut world, &mut random),
    )?;
    fs::write(
        feeds.join("product_events.jsonl"),
        feeds::product_events(&mut world, &mut random),
    )?;
    fs::write(
        feeds.join("webinars.jsonl"),
        feeds::webinars(&mut world, &mut random),
    )?;
    fs::write(
        warehouse.join("lead_scores.csv"),
        feeds::lead_scores(&mut world, &mut random),
    )?;
    Ok(())
}

/// Nothing of an earlier database may stay beside the new one.
fn fresh(path: &Path) -> Result<PathBuf, Failure> {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(path.to_owned())
}
