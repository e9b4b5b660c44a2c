//! `syncline explain`: what a check is about, why a scenario has its mode, where a field comes from.

use std::path::PathBuf;

use clap::ValueEnum;

use super::check::{check_code, date};
use super::estimate::no_such;
use super::failure::{Exit, Failure};
use super::policy::{self, Checked};
use super::shell::Shell;
use crate::arithmetic::Arithmetic;
use crate::checks::pages;
use crate::estimate::{self, Ground};
use crate::finding::{Code, Severity};
use crate::graph::Graph;
use crate::model::{FieldId, Policy, Scenario};
use crate::render::{explain as shape, page};
use crate::text::nearest;
use crate::time::Date;

/// Explain a check, why a scenario has its mode, or where a field comes from and goes.
///
/// `explain CODE` is the page of a check: what it means, why it matters, a policy that fails and
/// the same mended.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true)]
pub(super) struct Args {
    /// A check's code or name, SL0103 or write-to-owner
    #[arg(value_name = "CODE", value_parser = code, required = true)]
    code: Option<Code>,
    /// How to print the page
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = PageFormat::Human)]
    format: PageFormat,
    #[command(subcommand)]
    of: Option<Of>,
}

#[derive(Debug, clap::Subcommand)]
enum Of {
    /// Explain why a scenario has its mode: the four questions with the figures that answer them,
    /// every mode that it could have, and from which figure on the answer would be another one
    Scenario {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        where_from: WhereFrom,
    },
    /// Explain where a field comes from and goes: owner, origins, rule, columns, every hop, and
    /// how old it gets in each system
    Field {
        /// Entity and field, as in contact.email
        #[arg(value_name = "ENTITY.FIELD")]
        name: String,
        #[command(flatten)]
        where_from: WhereFrom,
    },
}

/// Which policy, on which day, in which form.
#[derive(Debug, clap::Args)]
struct WhereFrom {
    /// A policy file, a directory with policy.sync, or `-` for standard input; default: the
    /// current directory
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// The form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
    /// A day of the year that the figures are for; default: today in UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    now: Option<Date>,
}

/// The forms of a check's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PageFormat {
    /// For a terminal.
    Human,
    /// The Markdown.
    Markdown,
}

/// The forms of what is said of a scenario or a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Human,
    /// One JSON object.
    Json,
}

/// Reads a check's code, and says how to ask for something else.
fn code(text: &str) -> Result<Code, String> {
    check_code(text).map_err(|error| match nearest(text, ["scenario", "field"]) {
        Some(near) => format!("{error}; did you mean `explain {near} …`?"),
        None if text.contains('.') => {
            format!("{error}; a field is explained by `explain field {text}`")
        }
        None if text.contains('-') || text.starts_with(|c: char| c.is_ascii_uppercase()) => error,
        None => format!("{error}; a scenario is explained by `explain scenario {text}`"),
    })
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    match (&args.of, args.code) {
        (Some(Of::Scenario { name, where_from }), _) => scenario(name, where_from, shell),
        (Some(Of::Field { name, where_from }), _) => field(name, where_from, shell),
        (None, Some(code)) => Ok(check(code, args.format, shell)),
        (None, None) => Err(Failure::input("name a check, a scenario or a field")),
    }
}

fn check(code: Code, format: PageFormat, shell: &mut Shell) -> Exit {
    // A test holds that every code has its page.
    let markdown = pages::source(code).unwrap_or_default();
    let text = match format {
        PageFormat::Human => page::terminal(code, markdown, shell.style),
        PageFormat::Markdown => markdown.to_owned(),
    };
    shell.print(&text);
    Exit::Clean
}

/// The policy that is asked about, and how many errors it has.
fn read(where_from: &WhereFrom) -> Result<(Checked, u64), Failure> {
    let today = where_from.now.unwrap_or_else(policy::today);
    let checked = policy::check_one_on(where_from.path.as_deref(), today)?;
    let errors = checked.all().filter(|f| f.severity == Severity::Error);
    let errors = errors.count() as u64;
    Ok((checked, errors))
}

fn scenario(name: &str, where_from: &WhereFrom, shell: &mut Shell) -> Result<Exit, Failure> {
    let (checked, errors) = read(where_from)?;
    let policy = &checked.policy;
    let scenario = find_scenario(policy, name)?;
    let graph = Graph::build(policy);
    let arithmetic = Arithmetic::of(policy, &graph);
    let ground = Ground {
        policy,
        graph: &graph,
        arithmetic: &arithmetic,
    };
    let explained = estimate::explain_scenario(ground, &checked.sources, scenario, errors);
    let Some(explained) = explained else {
        let message = format!("nothing is known of the scenario `{name}`");
        return Err(Failure::input(message));
    };
    match where_from.format {
        Format::Human => shell.print(&shape::scenario(&explained, shell.style)),
        Format::Json => shell.print(&json(&explained)),
    }
    Ok(Exit::Clean)
}

fn find_scenario<'p>(policy: &'p Policy, name: &str) -> Result<&'p Scenario, Failure> {
    let found = policy.scenario_named(name).map(|id| policy.scenario(id));
    let names = policy.scenarios.iter().map(|s| &*s.name.text);
    found.ok_or_else(|| no_such("scenario", name, names))
}

fn field(name: &str, where_from: &WhereFrom, shell: &mut Shell) -> Result<Exit, Failure> {
    let (checked, errors) = read(where_from)?;
    let policy = &checked.policy;
    let field = find_field(policy, name)?;
    let graph = Graph::build(policy);
    let arithmetic = Arithmetic::of(policy, &graph);
    let ground = Ground {
        policy,
        graph: &graph,
        arithmetic: &arithmetic,
    };
    let explained = estimate::explain_field(ground, &checked.sources, field, errors);
    match where_from.format {
        Format::Human => shell.print(&shape::field(&explained, shell.style)),
        Format::Json => shell.print(&json(&explained)),
    }
    Ok(Exit::Clean)
}

fn find_field(policy: &Policy, name: &str) -> Result<FieldId, Failure> {
    let Some((entity, field)) = name.split_once('.') else {
        let paths: Vec<String> = policy
            .fields()
            .filter(|f| *f.name.text == *name)
            .map(|f| policy.field_path(f.id))
            .collect();
        let failure = Failure::input(format!("`{name}` names no entity: write ENTITY.FIELD"));
        return Err(match paths.first() {
            Some(path) => failure.help(format!("did you mean `{path}`?")),
            None => failure,
        });
    };
    let entities = policy.entities.iter().map(|e| &*e.name.text);
    let id = policy
        .entity_named(entity)
        .ok_or_else(|| no_such("entity", entity, entities))?;
    policy.field_named(id, field).ok_or_else(|| {
        let names = policy.entity(id).fields.iter().map(|f| &*f.name.text);
        let failure = Failure::input(format!("the policy has no field `{name}`"));
        match nearest(field, names) {
            Some(near) => failure.help(format!("did you mean `{entity}.{near}`?")),
            None => failure,
        }
    })
}

/// One JSON object.
fn json(value: &impl serde::Serialize) -> String {
    // Serialising plain data with text keys cannot fail.
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
