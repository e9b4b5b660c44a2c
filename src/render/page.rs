//! Pages of checks: for a terminal, and as the documentation publishes them.

use std::fmt::Write;

use super::style::{Style, wrap};
use crate::checks::pages::{self, Page, PageFile};
use crate::finding::{Code, Level};

/// What a level is called in a sentence.
pub fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Off => "off unless asked for",
    }
}

/// A page for a terminal: headings in bold, paragraphs filled, code as it is.
pub fn terminal(code: Code, markdown: &str, style: Style) -> String {
    let mut out = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut in_code = false;
    for line in markdown.lines() {
        if let Some(info) = line.strip_prefix("```") {
            in_code = !in_code;
            // The name of a file stands above it.
            let name = info.split_whitespace().nth(1).filter(|_| in_code);
            if let Some(name) = name {
                let _ = writeln!(out, "{}", style.dim(&format!("  {name}")));
            }
            continue;
        }
        if in_code {
            let _ = writeln!(out, "{}", format!("    {line}").trim_end());
            continue;
        }
        let begins = line.starts_with("- ") || line.starts_with('#');
        if line.is_empty() || begins {
            flush(&mut out, &mut paragraph, style);
        }
        if let Some(title) = line.strip_prefix("# ") {
            let level = level(code.info().level);
            let _ = writeln!(out, "{} ({level})", style.bold(title));
        } else if let Some(heading) = line.strip_prefix("## ") {
            let _ = writeln!(out, "{}", style.bold(heading));
        } else if line.is_empty() {
            out.push('\n');
        } else {
            paragraph.push(line);
        }
    }
    flush(&mut out, &mut paragraph, style);
    out
}

/// Writes a paragraph or an item of a list in lines of the style's width.
fn flush(out: &mut String, paragraph: &mut Vec<&str>, style: Style) {
    let text: Vec<&str> = paragraph
        .iter()
        .flat_map(|l| l.split_whitespace())
        .collect();
    paragraph.clear();
    if text.is_empty() {
        return;
    }
    let text = without_links(&text.join(" "));
    let (mut lead, text) = match text.strip_prefix("- ") {
        Some(item) => ("  - ", item),
        None => ("", &*text),
    };
    for part in wrap(text, style.width.saturating_sub(lead.len())) {
        let _ = writeln!(out, "{lead}{part}");
        lead = if lead.is_empty() { "" } else { "    " };
    }
}

/// `[words](address)` as `words`.
fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let link = after
            .split_once("](")
            .and_then(|(words, more)| Some((words, more.split_once(')')?.1)));
        out.push_str(before);
        match link.filter(|(words, _)| !words.contains('[')) {
            Some((words, after)) => {
                out.push_str(words);
                rest = after;
            }
            None => {
                out.push('[');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// How far the program can mend what a check finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mends {
    /// No one edit mends it.
    Never,
    /// Findings carry an edit for a person to look at.
    Proposes,
    /// `check --fix` mends some of its findings.
    Safely,
}

impl Mends {
    fn sentence(self) -> &'static str {
        match self {
            Mends::Never => "No single edit mends it, so none is proposed.",
            Mends::Proposes => {
                "Findings may carry an edit that mends them; a person decides whether to take it."
            }
            Mends::Safely => "`syncline check --fix` mends it where what was meant is plain.",
        }
    }

    fn cell(self) -> &'static str {
        match self {
            Mends::Never => "",
            Mends::Proposes => "proposed",
            Mends::Safely => "yes",
        }
    }
}

/// A page as it is published: with its level, and with what `check` prints for the failing policy.
pub fn published(code: Code, page: &Page<'_>, mends: Mends, output: &str) -> String {
    let level = level(code.info().level);
    let mut out = format!("# {}\n\n", page.title);
    let _ = writeln!(
        out,
        "**{}{}.** {} [All checks](README.md).\n",
        level[..1].to_uppercase(),
        &level[1..],
        mends.sentence()
    );
    let prose = |text: &str| linked(code, text);
    let _ = writeln!(out, "{}\n\n## Why it matters\n", prose(page.meaning));
    let _ = writeln!(out, "{}\n\n## A policy that fails\n", prose(page.why));
    files(&mut out, &page.failing);
    let _ = writeln!(
        out,
        "`syncline check` says:\n\n```text\n{}\n```\n",
        output.trim_end()
    );
    out.push_str("## The same policy mended\n\n");
    files(&mut out, &page.mended);
    let _ = writeln!(out, "## What mends it\n\n{}", prose(page.ways));
    out
}

fn files(out: &mut String, files: &[PageFile<'_>]) {
    for file in files {
        if files.len() > 1 {
            let _ = writeln!(out, "`{}`:\n", file.name);
        }
        let _ = writeln!(out, "```sync\n{}```\n", file.text);
    }
}

/// Running text in which other checks' codes lead to their pages.
fn linked(own: Code, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("SL") {
        let digits = rest.get(at + 2..at + 6).unwrap_or_default();
        let code = digits.parse().ok().map(Code).filter(|_| digits.len() == 4);
        let quoted = text[..text.len() - rest.len() + at].matches('`').count() % 2 == 1;
        let bracketed = rest[..at].ends_with('[');
        let end = if code.is_some() { at + 6 } else { at + 2 };
        out.push_str(&rest[..at]);
        match code.filter(|c| *c != own && pages::source(*c).is_some()) {
            Some(code) if !quoted && !bracketed => {
                let _ = write!(out, "[{code}]({code}.md)");
            }
            _ => out.push_str(&rest[at..end]),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The list of all checks, by family.
pub fn index(checks: &[(Code, Page<'_>, Mends)]) -> String {
    let mut out = String::from(
        "# Checks\n\nEvery finding of `syncline check` bears the code of its check. \
         `syncline explain CODE` prints a check's page; an `allow` names the code or the name. \
         Under *fix*: *yes* where `syncline check --fix` mends what is plain, *proposed* where \
         findings carry an edit for a person to decide on.\n\nThese pages are made from the \
         program's own, and what they quote is what it prints; a test keeps them in step.\n",
    );
    let mut family = None;
    for (code, page, mends) in checks {
        if family != Some(code.0 / 100) {
            family = Some(code.0 / 100);
            let _ = writeln!(
                out,
                "\n## SL{:02} {}\n\n| code | name | level | fix | meaning |\n|---|---|---|---|---|",
                code.0 / 100,
                family_name(code.0 / 100)
            );
        }
        let info = code.info();
        let _ = writeln!(
            out,
            "| [{code}]({code}.md) | {} | {} | {} | {} |",
            info.name,
            level(info.level),
            mends.cell(),
            page.summary().trim_end_matches(':').replace('|', "\\|")
        );
    }
    out
}

fn family_name(family: u16) -> &'static str {
    match family {
        0 => "Reading",
        1 => "Ownership",
        2 => "Freshness",
        3 => "Quota and schedule",
        4 => "Mapping and expressions",
        5 => "Connectors",
        6 => "Protection",
        7 => "Tests",
        _ => "Tidiness",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_filled_paragraphs_and_code_as_it_is() {
        let markdown = "# SL0101 no-owner\n\nOne two\nthree [four](x.md) five.\n\n- six seven\n  \
                        eight nine\n- ten\n\n## Head\n\n```sync policy.sync\na {\n\n  b [c](d)\n```\n";
        let style = Style {
            color: false,
            width: 20,
        };
        let shown = terminal(Code(101), markdown, style);
        let expected = "SL0101 no-owner (error)\n\nOne two three four\nfive.\n\n  - six seven eight\
                        \n    nine\n  - ten\n\nHead\n\n  policy.sync\n    a {\n\n      b [c](d)\n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn codes_in_prose_lead_to_their_pages_and_to_no_other() {
        let text = "SL0101 and SL0102, `SL0103`, SL9999, SLA, [SL0104](x), SL01";
        let expected = "SL0101 and [SL0102](SL0102.md), `SL0103`, SL9999, SLA, [SL0104](x), SL01";
        assert_eq!(linked(Code(101), text), expected);
    }
}
