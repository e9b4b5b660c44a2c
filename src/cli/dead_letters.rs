//! `syncline dead-letters`: writes that were given up.

use super::failure::Exit;
use super::shell::Shell;
use super::store::{HEEDED, StoreArgs, fault, told, wrong};
use crate::engine::cause::{cause, on_one_line};
use crate::engine::decide::{self, Replayed};
use crate::engine::ports::{DeadLetter, Store};
use crate::engine::program::Program;
use crate::host::{HostError, now};
use crate::render::outcome::{grouped, table};

/// Show writes that were given up, send them again, or forget them
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List them, grouped by cause
    List(ListArgs),
    /// Show one with what should have been written
    Show(ShowArgs),
    /// Send the present state of their records: never an old payload over newer data
    Replay(PickArgs),
    /// Forget them: what they hold is not sent, unless its record changes
    Discard(PickArgs),
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// The letter's number
    #[arg(value_name = "LETTER")]
    letter: i64,
    #[command(flatten)]
    store: StoreArgs,
    /// How to print
    #[arg(long, default_value = "human", value_parser = ["human", "json"])]
    format: String,
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("which").required(true).multiple(true).args(["letters", "system", "all"])))]
struct PickArgs {
    /// Numbers of letters
    #[arg(value_name = "LETTER")]
    letters: Vec<i64>,
    /// All of this system
    #[arg(long, value_name = "SYSTEM", conflicts_with_all = ["letters", "all"])]
    system: Option<String>,
    /// All there are
    #[arg(long, conflicts_with = "letters")]
    all: bool,
    #[command(flatten)]
    store: StoreArgs,
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
    let done = match &args.action {
        Action::List(args) => return list(args, shell),
        Action::Show(args) => show(args),
        Action::Replay(args) => replay(args),
        Action::Discard(args) => discard(args),
    };
    told(done, shell)
}

fn show(args: &ShowArgs) -> Result<String, (HostError, Exit)> {
    let mut store = args.store.open().map_err(fault)?;
    let letters = store
        .dead_letters()
        .map_err(|e| fault(HostError::from_store(e)))?;
    let letter = letters.into_iter().find(|l| l.id == args.letter);
    let letter = letter.ok_or_else(|| no_letter(args.letter))?;
    if args.format == "json" {
        let shown = serde_json::json!({ "version": 1, "dead_letter": letter });
        return Ok(format!("{shown:#}\n"));
    }
    let rows = [
        ("letter", letter.id.to_string()),
        ("record", format!("{}:{}", letter.entity, letter.key)),
        ("into", letter.system),
        ("scenario", letter.scenario),
        (
            "error",
            letter.error.replace('\n', &format!("\n{:13} ", "")),
        ),
        ("attempts", letter.attempts.to_string()),
        ("waited since", letter.first_at.to_string()),
        ("given up", letter.last_at.to_string()),
        ("payload", letter.payload),
    ];
    Ok(rows
        .map(|(name, value)| format!("{name:<13} {value}\n"))
        .concat())
}

fn no_letter(id: i64) -> (HostError, Exit) {
    wrong(
        format!("there is no dead letter {id}"),
        Some("see `syncline dead-letters list`".into()),
    )
}

/// The letters that are meant; an error, and nothing is done, where one of them is not there.
fn picked(
    args: &PickArgs,
    store: &mut dyn Store,
    program: &Program,
) -> Result<Vec<DeadLetter>, (HostError, Exit)> {
    let all = store
        .dead_letters()
        .map_err(|e| fault(HostError::from_store(e)))?;
    if let Some(system) = &args.system {
        if program.system(system).is_none() && !all.iter().any(|l| l.system == *system) {
            return Err(wrong(format!("the plan has no system `{system}`"), None));
        }
        return Ok(all.into_iter().filter(|l| l.system == *system).collect());
    }
    if args.all {
        return Ok(all);
    }
    let mut found = Vec::new();
    for id in &args.letters {
        let letter = all.iter().find(|l| l.id == *id);
        found.push(letter.cloned().ok_or_else(|| no_letter(*id))?);
    }
    Ok(found)
}

fn replay(args: &PickArgs) -> Result<String, (HostError, Exit)> {
    let (mut store, program) = args.store.operate().map_err(fault)?;
    let (mut sent, mut over, mut stay) = (0_u64, 0_u64, 0_u64);
    for letter in picked(args, &mut store, &program)? {
        let sends = decide::replay(&program, &mut store, now(), &letter);
        match sends.map_err(|e| fault(HostError::from_store(e)))? {
            Replayed::Waits => sent += 1,
            Replayed::Over => over += 1,
            Replayed::Stays => stay += 1,
        }
    }
    let mut text = format!("{} to be sent again: {HEEDED}\n", count(sent, "record"));
    if over > 0 {
        let over = count(over, "letter");
        text.push_str(&format!("{over} cleared: nothing of it is owed any more\n"));
    }
    if stay > 0 {
        let stay = count(stay, "letter");
        text.push_str(&format!(
            "{stay} left as it was: the plan has no such scenario, entity or system any more; run one \
             that has it first, or let go of it with `syncline dead-letters discard`\n"
        ));
    }
    Ok(text)
}

fn discard(args: &PickArgs) -> Result<String, (HostError, Exit)> {
    let (mut store, program) = args.store.operate().map_err(fault)?;
    let letters = picked(args, &mut store, &program)?;
    for letter in &letters {
        decide::discard(&mut store, letter).map_err(|e| fault(HostError::from_store(e)))?;
    }
    Ok(format!(
        "{} discarded\n",
        count(letters.len() as u64, "letter")
    ))
}

fn list(args: &ListArgs, shell: &mut Shell) -> Exit {
    let letters = args
        .store
        .open()
        .and_then(|mut store| store.dead_letters().map_err(HostError::from_store));
    let letters = match letters {
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
    shell.print(&by_cause(letters));
    Exit::Clean
}

fn by_cause(mut letters: Vec<DeadLetter>) -> String {
    fn group(letter: &DeadLetter) -> (&str, &str) {
        (&letter.system, cause(&letter.error))
    }
    letters.sort_by(|a, b| (group(a), a.id).cmp(&(group(b), b.id)));
    let mut out = String::new();
    for group in letters.chunk_by(|a, b| group(a) == group(b)) {
        // What differs from letter to letter is for `show` to tell.
        let error = match group.iter().all(|l| l.error == group[0].error) {
            true => on_one_line(&group[0].error),
            false => cause(&group[0].error).into(),
        };
        let (count, system) = (group.len(), &group[0].system);
        out.push_str(&format!("{count} into `{system}`: {error}\n"));
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
    out
}

/// "1 letter", "3 letters".
fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}
