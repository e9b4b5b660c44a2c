//! The reference page of the command line, made from its own definition.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

use super::args;

/// The page as Markdown.
pub fn markdown() -> String {
    let mut root = args::command();
    root.build();
    let mut out = String::from("# Command line\n\n");
    out.push_str(
        "This page is made from the program's own definition; a test keeps it in step.\n\n",
    );
    out.push_str(INTRODUCTION);
    out.push_str("\n## Options of every command\n\n");
    arguments(&mut out, root.get_arguments().filter(|a| !is_help(a)));
    for command in root.get_subcommands().filter(|c| c.get_name() != "help") {
        section(&mut out, command, "##");
    }
    out
}

const INTRODUCTION: &str = "\
```text
syncline [OPTIONS] COMMAND
```

Results go to standard output, everything else to standard error. Colours follow `--color`, then
`NO_COLOR`, then `CLICOLOR_FORCE`, then whether the stream is a terminal.

| exit status | meaning |
|---|---|
| 0 | done and clean |
| 1 | findings at error level (or any that `--deny` names), text that `fmt --check` would change, a policy that `plan`, `estimate` or `optimize` refuses, bounds and limits that no modes hold, more use than `--fail-over` allows, a difference under `diff --exit-code` or one that `--fail-on` names and nobody approved, a run that ended with dead letters or an aborted checkpoint |
| 2 | wrong usage, or input that cannot be read: no policy found, `fmt` on broken text, a file to write that has no place |
| 3 | a system or store that cannot be reached, standard output that cannot be written, or a fault of Syncline's own |
";

fn section(out: &mut String, command: &Command, level: &str) {
    let name = command.get_bin_name().unwrap_or(command.get_name());
    let _ = writeln!(out, "\n{level} {name}\n");
    let about = command.get_long_about().or(command.get_about());
    if let Some(about) = about {
        let _ = writeln!(out, "{}\n", finished(&about.to_string()));
    }
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let _ = writeln!(out, "```text\n{usage}\n```");
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|a| !is_help(a) && !a.is_global_set())
        .collect();
    if !own.is_empty() {
        out.push('\n');
        arguments(out, own.into_iter());
    }
    for inner in command.get_subcommands().filter(|c| c.get_name() != "help") {
        section(out, inner, &format!("{level}#"));
    }
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version") || arg.is_hide_set()
}

fn arguments<'a>(out: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    out.push_str("| argument | meaning |\n|---|---|\n");
    for arg in arguments {
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let mut help = finished(&help);
        let values: Vec<String> = arg
            .get_possible_values()
            .iter()
            .filter(|_| arg.get_action().takes_values() && !arg.is_hide_possible_values_set())
            .map(|v| format!("`{}`", v.get_name()))
            .collect();
        if !values.is_empty() {
            let _ = write!(help, " One of {}.", values.join(", "));
        }
        let default = arg.get_default_values();
        if arg.get_action().takes_values() && !default.is_empty() {
            let default: Vec<_> = default.iter().map(|d| d.to_string_lossy()).collect();
            let _ = write!(help, " Default: `{}`.", default.join(","));
        }
        let _ = writeln!(out, "| `{}` | {} |", written(arg), cell(&help));
    }
}

/// An argument as it is typed.
fn written(arg: &Arg) -> String {
    let value = arg
        .get_value_names()
        .filter(|_| arg.get_action().takes_values())
        .map(|names| {
            names
                .iter()
                .map(|n| n.to_string())
                .collect::<Vec<_>>()
                .join(" ")
        });
    let flag = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => {
            let value = value.unwrap_or_else(|| arg.get_id().to_string());
            let more = matches!(arg.get_action(), ArgAction::Append);
            return if more { format!("{value}…") } else { value };
        }
    };
    match value {
        Some(value) => cell(&format!("{flag} {value}")),
        None => flag,
    }
}

/// A text that ends as a sentence does.
fn finished(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '?', '!']) || text.is_empty() {
        text.to_owned()
    } else {
        format!("{text}.")
    }
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
