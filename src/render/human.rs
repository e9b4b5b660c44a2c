//! `check` for people: each finding with the lines that it is about.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::mend;
use super::report::{Accepted, Diagnostic, Fix, Label, Range, Report, Severity};
use super::snippet::{Shown, harmless};
use super::style::{Style, count, wrap};

/// Room in front of what a finding is helped with.
const INDENT: &str = "        ";

/// The findings as text; those that are allowed only where `allowed` asks for them. Ends with a
/// line that counts them.
pub fn check(report: &Report, style: Style, allowed: bool) -> String {
    let printer = Printer::new(report, style);
    let mut out = String::new();
    for diagnostic in &report.diagnostics {
        if diagnostic.severity == Severity::Allowed && !allowed {
            continue;
        }
        printer.diagnostic(&mut out, diagnostic);
        out.push('\n');
    }
    out.push_str(&summary(report, style));
    out.push('\n');
    out
}

/// `2 errors, 1 warning, 3 allowed`.
pub fn summary(report: &Report, style: Style) -> String {
    let summary = report.summary();
    let mut parts = Vec::new();
    if summary.errors > 0 {
        parts.push(style.red(&count(summary.errors, "error")));
    }
    if summary.warnings > 0 {
        parts.push(style.yellow(&count(summary.warnings, "warning")));
    }
    if parts.is_empty() {
        parts.push(style.green("no errors, no warnings"));
    }
    if summary.allowed > 0 {
        parts.push(format!("{} allowed", summary.allowed));
    }
    parts.join(", ")
}

/// How many places of a finding are shown besides its own: checks name those first that matter most.
const PLACES_SHOWN: usize = 12;

struct Printer<'a> {
    style: Style,
    handler: GraphicalReportHandler,
    files: BTreeMap<&'a str, Shown<'a>>,
}

impl<'a> Printer<'a> {
    fn new(report: &'a Report, style: Style) -> Self {
        let theme = if style.color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(style.width)
            .with_links(false)
            .without_syntax_highlighting();
        let files = report.texts.iter();
        Printer {
            style,
            handler,
            files: files
                .map(|(name, file)| (name.as_str(), Shown::new(file)))
                .collect(),
        }
    }

    fn diagnostic(&self, out: &mut String, diagnostic: &Diagnostic) {
        let kind = match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Allowed => miette::Severity::Advice,
        };
        let mut code = format!("{} {}", diagnostic.code, diagnostic.name);
        if diagnostic.severity == Severity::Allowed {
            code.push_str(" (allowed)");
        }
        let mut spans = Vec::new();
        let home = self.file(&diagnostic.file, &diagnostic.range);
        if let (Some(file), true) = (home, diagnostic.placed) {
            let mark = Some(diagnostic.mark.as_str()).filter(|m| !m.is_empty());
            spans.push(LabeledSpan::new_primary_with_span(
                mark.map(|m| harmless(m).into_owned()),
                file.span(&diagnostic.range),
            ));
        }
        let mut elsewhere = Vec::new();
        let labels = diagnostic.labels.iter();
        let labels = || labels.clone().filter(|l| !is_within(l, diagnostic));
        for label in labels().take(PLACES_SHOWN) {
            match home.filter(|f| label.file == diagnostic.file && f.fits(&label.range)) {
                Some(file) => spans.push(LabeledSpan::new_with_span(
                    Some(harmless(&label.message).into_owned()),
                    file.span(&label.range),
                )),
                None => elsewhere.push(label),
            }
        }
        self.block(
            out,
            &Block {
                message: harmless(&diagnostic.message).into_owned(),
                code: Some(code),
                severity: kind,
                spans,
                file: home,
            },
        );
        if home.is_none() && diagnostic.placed {
            self.arrow(out, &diagnostic.file, &diagnostic.range);
        }
        for label in elsewhere {
            self.elsewhere(out, &label.file, &label.range, &label.message);
        }
        if let Some(more) = labels().count().checked_sub(PLACES_SHOWN + 1) {
            let more = count(more + 1, "more place");
            let text = format!("{more}, all of them in `--format json`");
            self.note(out, "  and:  ", &text);
        }
        if let Some(help) = &diagnostic.help {
            self.note(out, "  help: ", help);
        }
        for fix in &diagnostic.fixes {
            let how = if fix.safe {
                "safe: `check --fix` does it"
            } else {
                "to be reviewed"
            };
            self.note(out, "  fix:  ", &format!("{} ({how})", fix.title));
            if !fix.safe {
                self.changes(out, fix);
            }
        }
        for accepted in &diagnostic.accepted {
            let why = match accepted {
                Accepted::Allow {
                    reason,
                    file,
                    range,
                } => format!("{reason} ({file}:{})", range.start.line),
                Accepted::Baseline => "the baseline lists it".to_owned(),
            };
            self.note(out, "  allowed: ", &why);
        }
    }

    /// The lines that a mend would change, for people to judge and to type.
    fn changes(&self, out: &mut String, fix: &Fix) {
        let source = |name: &str| self.files.get(name).map(Shown::source);
        for change in mend::changes(fix, source) {
            let place = format!("at {}:{}", harmless(&change.file), change.line);
            let _ = writeln!(out, "{INDENT}{place}");
            for line in &change.before {
                let line = self.style.red(&format!("- {line}"));
                let _ = writeln!(out, "{INDENT}{line}");
            }
            for line in &change.after {
                let line = self.style.green(&format!("+ {line}"));
                let _ = writeln!(out, "{INDENT}{line}");
            }
        }
    }

    /// The file of a place, where its lines can be shown.
    fn file(&self, name: &str, range: &Range) -> Option<&Shown<'a>> {
        self.files.get(name).filter(|file| file.fits(range))
    }

    /// A label whose lines stand in another file, or are too long to show.
    fn elsewhere(&self, out: &mut String, name: &str, range: &Range, message: &str) {
        let file = self.file(name, range);
        let span = file.map(|f| LabeledSpan::new_primary_with_span(None, f.span(range)));
        self.block(
            out,
            &Block {
                message: harmless(message).into_owned(),
                code: None,
                severity: miette::Severity::Advice,
                spans: span.into_iter().collect(),
                file,
            },
        );
        if file.is_none() {
            self.arrow(out, name, range);
        }
    }

    fn block(&self, out: &mut String, block: &Block<'_, 'a>) {
        let before = out.len();
        if self.handler.render_report(out, block).is_err() {
            // No snippet can be made of it: the words alone.
            out.truncate(before);
            let code = block.code.as_deref().unwrap_or_default();
            let _ = writeln!(out, "{code}\n\n  {}", block.message);
        }
    }

    fn arrow(&self, out: &mut String, name: &str, range: &Range) {
        let place = format!(
            "{}:{}:{}",
            harmless(name),
            range.start.line,
            range.start.column
        );
        let _ = writeln!(out, "   ╭─[{}]", self.style.bold(&place));
    }

    /// Words behind a heading, broken into lines.
    fn note(&self, out: &mut String, heading: &str, text: &str) {
        let room = self.style.width.saturating_sub(INDENT.len()).max(20);
        let mut lead = self.style.bold(heading);
        for line in harmless(text).lines() {
            for part in wrap(line, room) {
                let _ = writeln!(out, "{lead}{part}");
                INDENT.clone_into(&mut lead);
            }
        }
    }
}

/// Whether a label lies inside the marked part of the primary place's line. Its marker would be
/// drawn behind that of the primary place, on what it does not mean.
fn is_within(label: &Label, diagnostic: &Diagnostic) -> bool {
    let (inner, outer) = (&label.range, &diagnostic.range);
    label.file == diagnostic.file
        && inner.start.line == outer.start.line
        && inner.start.offset >= outer.start.offset
        && inner.end.offset <= outer.end.offset
}

/// One heading with its snippets, as miette takes it.
struct Block<'b, 'a> {
    message: String,
    code: Option<String>,
    severity: miette::Severity,
    spans: Vec<LabeledSpan>,
    file: Option<&'b Shown<'a>>,
}

impl fmt::Debug for Block<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Block<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Block<'_, '_> {}

impl miette::Diagnostic for Block<'_, '_> {
    fn code<'s>(&'s self) -> Option<Box<dyn fmt::Display + 's>> {
        let code = self.code.as_ref()?;
        Some(Box::new(code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.file.map(|file| file as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        if self.spans.is_empty() {
            return None;
        }
        Some(Box::new(self.spans.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Code, Finding, Grade};
    use crate::text::{SourceFile, Sources, Span};

    fn sources() -> Sources {
        let mut sources = Sources::default();
        sources.add(SourceFile::new(
            "policy.sync",
            "entity contact {\n\tkey   email\r\n  owner crm\n  field naïve: text owner mailer\n}\n",
        ));
        sources.add(SourceFile::new(
            "team/more.sync",
            "// a\nextend entity contact { }\n",
        ));
        sources
    }

    fn find(sources: &Sources, file: u32, what: &str) -> Span {
        let id = crate::text::FileId(file);
        let at = sources.file(id).text.find(what).unwrap();
        Span::new(id, at, at + what.len())
    }

    fn shown(findings: &[Finding], sources: &Sources) -> String {
        let mut report = Report::default();
        report.add(findings, sources);
        report.sort();
        check(&report, Style::PLAIN, false)
    }

    #[test]
    fn a_finding_shows_its_places_in_both_files_and_how_to_mend_it() {
        let sources = sources();
        let owner = find(&sources, 0, "owner mailer");
        let finding = Finding::new(Code(102), owner, "`contact.naïve` has two owners")
            .mark("the second")
            .label(find(&sources, 0, "owner crm"), "the first")
            .label(find(&sources, 1, "contact"), "extended here")
            .help("keep one `owner`")
            .fix("remove `owner mailer`", Grade::Safe, vec![]);
        insta::assert_snapshot!(shown(&[finding], &sources));
    }

    #[test]
    fn a_label_inside_the_primary_place_is_left_to_the_message() {
        let sources = sources();
        let outer = find(&sources, 0, "text owner mailer");
        let finding = Finding::new(Code(102), outer, "m")
            .mark("the whole")
            .label(find(&sources, 0, "owner mailer"), "a part of it")
            .label(find(&sources, 0, "naïve"), "beside it");
        let text = shown(&[finding], &sources);
        assert!(text.contains("the whole") && text.contains("beside it"));
        assert!(!text.contains("a part of it"), "{text}");
    }

    #[test]
    fn long_lines_and_terminal_codes_are_kept_off_the_terminal() {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new(
            "a.sync",
            format!("x {}", "y".repeat(100_000)),
        ));
        let finding = Finding::new(Code(1), Span::new(id, 2, 3), "expected `\u{1b}[2J`");
        let text = shown(&[finding], &sources);
        assert!(text.len() < 500, "{} bytes", text.len());
        assert!(!text.contains('\u{1b}'));
        assert!(text.contains("a.sync:1:3"));
    }

    #[test]
    fn every_place_of_a_file_can_be_shown() {
        let sources = sources();
        let text = sources.file(crate::text::FileId(0)).text.clone();
        for start in 0..=text.len() {
            for end in start..=text.len() {
                if text.is_char_boundary(start) && text.is_char_boundary(end) {
                    let span = Span::new(crate::text::FileId(0), start, end);
                    let shown = shown(&[Finding::new(Code(1), span, "m").mark("k")], &sources);
                    assert!(shown.contains("╭─[policy.sync:"), "{start}..{end}: {shown}");
                    assert!(!shown.contains("Failed to read"), "{start}..{end}: {shown}");
                }
            }
        }
    }
}
