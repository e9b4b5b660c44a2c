//! `syncline graph`: what flows where, as a picture.

use std::path::PathBuf;

use clap::ValueEnum;

use super::check::date;
use super::failure::{Exit, Failure};
use super::plan::refuse_unread;
use super::policy;
use super::shell::Shell;
use crate::arithmetic::Arithmetic;
use crate::estimate::{self, Ground};
use crate::graph::Graph;
use crate::model::{FieldId, Policy};
use crate::overview;
use crate::render::graph as shape;
use crate::text::nearest;
use crate::time::Date;

/// More systems or arrows than this are no picture any more.
const DRAWN_NODES_MAX: usize = 80;
const DRAWN_ARROWS_MAX: usize = 160;

/// Draw what flows where, by which scenario, how fast.
///
/// Each system is a box, each scenario between two of them an arrow in the colour and line of its
/// mode's class, with how many fields it carries and how old a change gets on it. Where more than
/// four scenarios lead from one system to another, those of a class share an arrow. A policy with
/// errors is drawn too, as long as all of it can be read.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy file, a directory with policy.sync, or `-` for standard input; default: the
    /// current directory
    #[arg(value_name = "PATH")]
    path: Option<PathBuf>,
    /// Only the way of this field: where it starts, each hop, how old it gets where
    #[arg(long, value_name = "ENTITY.FIELD")]
    field: Option<String>,
    /// The form
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Svg)]
    format: Format,
    /// A day of the year that the ages are for; default: today in UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    now: Option<Date>,
}

/// The forms of a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A picture that follows the reader's light or dark theme.
    Svg,
    /// For GraphViz.
    Dot,
    /// For Markdown on GitHub, GitLab and others.
    Mermaid,
}

pub(super) fn run(args: &Args, shell: &mut Shell) -> Result<Exit, Failure> {
    let today = args.now.unwrap_or_else(policy::today);
    let checked = policy::check_one_on(args.path.as_deref(), today)?;
    if !checked.is_whole() {
        refuse_unread(&checked, shell);
        return Ok(Exit::Findings);
    }
    let policy = &checked.policy;
    let field = args.field.as_deref().map(|f| field_of(policy, f));
    let field = field.transpose()?;
    let graph = Graph::build(policy);
    let arithmetic = Arithmetic::of(policy, &graph);
    let ground = Ground {
        policy,
        graph: &graph,
        arithmetic: &arithmetic,
    };
    let estimate = estimate::of(ground);
    let picture = match field {
        Some(field) => overview::way(ground, &estimate, field),
        None => overview::picture(ground, &estimate),
    };
    let text = match args.format {
        Format::Svg => {
            let drawn = picture.at_most(DRAWN_NODES_MAX, DRAWN_ARROWS_MAX);
            if drawn.nodes_left + drawn.arrows_left > 0 {
                shell.note(&format!(
                    "left out of the picture: {} systems and {} flows; `--format dot` has all, \
                     `--field` follows one field",
                    drawn.nodes_left, drawn.arrows_left
                ));
            }
            shape::svg(&drawn)
        }
        Format::Dot => shape::dot(&picture),
        Format::Mermaid => shape::mermaid(&picture),
    };
    shell.print(&text);
    if checked.has_errors() {
        shell.note("the policy has errors: see `syncline check`");
    }
    Ok(Exit::Clean)
}

/// The field of a path `entity.field`.
fn field_of(policy: &Policy, path: &str) -> Result<FieldId, Failure> {
    let found = path.split_once('.').and_then(|(entity, field)| {
        let entity = policy.entity_named(entity)?;
        policy.field_named(entity, field)
    });
    found.ok_or_else(|| {
        let failure = Failure::input(format!("the policy has no field `{path}`"));
        let paths: Vec<String> = policy.fields().map(|f| policy.field_path(f.id)).collect();
        match nearest(path, paths.iter().map(String::as_str)) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("write it as ENTITY.FIELD"),
        }
    })
}
