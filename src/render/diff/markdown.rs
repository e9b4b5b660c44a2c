//! A comparison as a comment on a pull request: GitHub's and GitLab's Markdown, short enough for
//! both, and with nothing in it that an author's text could turn into markup or a mention.

use std::fmt::Write;

use super::words::{self, Group};
use crate::diff::{APPROVALS_FILE, Diff, Grade};
use crate::render::style::count;

/// GitHub takes 65,536 characters; bytes are never fewer.
const MOST: usize = 65_536;

/// What is kept free for what has to be said at the end.
const SPARE: usize = 3_000;

/// A line by which a script finds the comment that it wrote before.
const MARK: &str = "<!-- syncline diff -->";

/// For a comment on a pull request. `today` dates the approvals that are proposed.
pub fn markdown(diff: &Diff, today: &str) -> String {
    let mut page = Page::default();
    page.always(&format!(
        "{MARK}\n## {} Policy {}: {}\n",
        sign(diff),
        code(&diff.policy),
        words::verdict(diff)
    ));
    page.always(&format!("\n{}\n", words::compared(diff, code)));
    if !diff.is_empty() {
        page.always(&format!("\n**{}**\n", words::summary(diff)));
    }
    for note in &diff.notes {
        page.always(&format!("\n> {}\n", prose(note)));
    }
    figures(&mut page, diff);
    for grade in [Grade::Breaking, Grade::Risky] {
        let groups = words::groups(diff, grade, false);
        if !groups.is_empty() {
            page.always(&format!("\n### {}\n\n", capital(grade.word())));
            for group in &groups {
                page.item(group);
            }
        }
    }
    let safe = words::groups(diff, Grade::Safe, false);
    folded(&mut page, &safe, &format!("{} safe", diff.summary.safe));
    let approved = Grade::ALL
        .iter()
        .flat_map(|g| words::groups(diff, *g, true));
    let approved: Vec<Group> = approved.collect();
    folded(
        &mut page,
        &approved,
        &format!("{} approved", diff.summary.approved),
    );
    if page.left_out > 0 {
        let left = count(page.left_out, "change");
        page.end(&format!(
            "\n**{left} more did not fit here**: `syncline diff` lists them all.\n"
        ));
    }
    ending(&mut page, diff, today);
    page.text
}

fn sign(diff: &Diff) -> &'static str {
    match diff.verdict {
        Some(Grade::Breaking) => "🔴",
        Some(Grade::Risky) => "🟡",
        Some(Grade::Safe) | None => "🟢",
    }
}

/// What is written so far.
#[derive(Default)]
struct Page {
    text: String,
    /// Changes for which there was no room.
    left_out: usize,
}

impl Page {
    /// Writes what is short, where there is room; whether there was.
    fn always(&mut self, text: &str) -> bool {
        let fits = self.text.len() + text.len() + SPARE <= MOST;
        fits && self.end(text)
    }

    /// Writes what has to be said at the end, in the room that was kept; whether there was any.
    fn end(&mut self, text: &str) -> bool {
        let fits = self.text.len() + text.len() <= MOST;
        if fits {
            self.text.push_str(text);
        }
        fits
    }

    /// Writes a group of changes, or counts it.
    fn item(&mut self, group: &Group) {
        let text = item(group);
        // Once one is left out all that follow are, so that what is there is the gravest.
        if self.left_out == 0 && self.text.len() + text.len() + SPARE <= MOST {
            self.text.push_str(&text);
        } else {
            self.left_out += group.all.len();
        }
    }
}

fn item(group: &Group) -> String {
    let change = group.change;
    let mut out = format!("- **{}** {}", change.kind, group.subjects(code));
    let text = |said: &Option<crate::diff::Said>| said.as_ref().map(|s| code(&s.text));
    let _ = match (text(&change.old), text(&change.new)) {
        (Some(old), Some(new)) => write!(out, ": {old} → {new}"),
        (Some(old), None) => write!(out, ": was {old}"),
        (None, Some(new)) => write!(out, ": {new}"),
        (None, None) => Ok(()),
    };
    let _ = write!(out, "<br>{}", prose(&change.means));
    if let Some(hits) = group.hits() {
        let _ = write!(out, "; hits {}", prose(&hits));
    }
    let places = group.places();
    if !places.is_empty() {
        let _ = write!(out, " ({})", code(&places));
    }
    if let Some(approved) = &change.approved {
        let until = approved.until.as_ref().map(|u| format!(" until {u}"));
        let until = until.unwrap_or_default();
        let _ = write!(
            out,
            "<br>approved on {}{}: {}",
            prose(&approved.date),
            prose(&until),
            prose(&approved.reason)
        );
    }
    out.push('\n');
    out
}

fn folded(page: &mut Page, groups: &[Group], title: &str) {
    if groups.is_empty() {
        return;
    }
    let opened =
        page.left_out == 0 && page.always(&format!("\n<details><summary>{title}</summary>\n\n"));
    for group in groups {
        page.item(group);
    }
    if opened {
        page.end("\n</details>\n");
    }
}

fn figures(page: &mut Page, diff: &Diff) {
    let Some(figures) = &diff.figures else {
        return;
    };
    if words::unmoved(figures) {
        if !diff.is_empty() {
            page.always("\nCalls, ages and costs stay as they are.\n");
        }
        return;
    }
    for table in words::tables(figures) {
        let mut text = format!(
            "\n### {}\n\n| {} |\n|---|---|---|---|---|\n",
            capital(&table.title),
            table.head.join(" | ")
        );
        for row in &table.rows {
            let cells: Vec<String> = row.iter().map(|c| prose(c)).collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
        if table.more > 0 {
            let _ = writeln!(text, "\nand {} more", count(table.more, "row"));
        }
        page.always(&text);
    }
    if let Some(cost) = words::cost(figures) {
        page.always(&format!("\n{}.\n", capital(&cost)));
    }
}

fn ending(page: &mut Page, diff: &Diff, today: &str) {
    for unused in &diff.approvals {
        page.end(&format!("\n> {}\n", prose(&words::unused(unused))));
    }
    // As many entries as there is room for: one may name a thousand fields.
    for most in [words::APPROVALS, 10, 4, 1] {
        let Some((entries, more)) = words::approvals(diff, today, most) else {
            return;
        };
        let more = match more {
            0 => String::new(),
            more => format!("# and {more} more: `syncline diff` shows them\n"),
        };
        // No fence inside the entries can close this one: they hold no line of backticks.
        let text = format!(
            "\n<details><summary>To accept what is breaking</summary>\n\nWrite into `{APPROVALS_FILE}` beside the policy:\n\n```yaml\n{entries}{more}```\n\n</details>\n"
        );
        if page.end(&text) {
            return;
        }
    }
    page.end("\nTo accept what is breaking: `syncline diff` shows what to write.\n");
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// A text as code: in as many backticks as it takes, in one line.
fn code(text: &str) -> String {
    let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest + 1);
    match longest {
        // Two backticks with nothing between would be the beginning of other code.
        0 if text.is_empty() => "(nothing)".to_owned(),
        0 => format!("{fence}{text}{fence}"),
        _ => format!("{fence} {text} {fence}"),
    }
}

/// A sentence: what it puts in backticks is code, all else is nothing but text.
fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    // An odd backtick begins no code.
    let paired = parts.len() % 2 == 1;
    let mut out = String::new();
    for (number, part) in parts.iter().enumerate() {
        if number % 2 == 1 && paired && !part.trim().is_empty() {
            out.push_str(&code(part));
        } else {
            if number > 0 && !(paired) {
                out.push_str("\\`");
            }
            escape(part, &mut out);
        }
    }
    out
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '*' | '_' | '[' | ']' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            // A mention or a reference to an issue is found after escapes are gone.
            '@' | '#' => {
                out.push(c);
                out.push('\u{200b}');
            }
            // Between two of them both servers read a formula, even behind a backslash.
            '$' => out.push_str("<span>$</span>"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_authors_write_stays_text() {
        assert_eq!(code("a | b"), "`a | b`");
        assert_eq!(code("if `x`"), "`` if `x` ``");
        assert_eq!(code("a\n  && b"), "`a && b`");
        assert_eq!(prose("see `a_b` and a_b"), "see `a_b` and a\\_b");
        assert_eq!(
            prose("@ada <b> #1 *x*"),
            "@\u{200b}ada &lt;b&gt; #\u{200b}1 \\*x\\*"
        );
        assert_eq!(prose("one ` tick"), "one \\` tick");
        assert_eq!(prose("$5"), "<span>$</span>5");
        assert_eq!(code(" "), "(nothing)");
    }
}
