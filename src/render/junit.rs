//! `check --format junit`: one test suite for each file, as build servers read it.
//!
//! A finding that is a reason to fail is a failed case, any other warning a passed case with its
//! text as output, an allowed finding a skipped case. A file without a finding is one passed case,
//! so that nothing found is not nothing tested.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::report::{Accepted, Diagnostic, Report, Severity};

/// The suites as XML text with a final newline.
pub fn check(report: &Report) -> String {
    // Writing to memory cannot fail.
    written(report).unwrap_or_default()
}

type Xml = Writer<Vec<u8>>;

fn written(report: &Report) -> io::Result<String> {
    let mut suites: BTreeMap<&str, Vec<&Diagnostic>> = BTreeMap::new();
    for file in &report.covered {
        suites.entry(file).or_default();
    }
    for diagnostic in &report.diagnostics {
        suites.entry(&diagnostic.file).or_default().push(diagnostic);
    }
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let failed = report.diagnostics.iter().filter(|d| d.fails()).count();
    let cases: usize = suites.values().map(|found| found.len().max(1)).sum();
    xml.create_element("testsuites")
        .with_attribute(("name", "syncline check"))
        .with_attribute(("tests", &*cases.to_string()))
        .with_attribute(("failures", &*failed.to_string()))
        .with_attribute(("errors", "0"))
        .write_inner_content(|xml| {
            suites
                .iter()
                .try_for_each(|(file, found)| suite(xml, file, found))
        })?;
    let mut text = String::from_utf8_lossy(&xml.into_inner()).into_owned();
    text.push('\n');
    Ok(text)
}

fn suite(xml: &mut Xml, file: &str, found: &[&Diagnostic]) -> io::Result<()> {
    let file = legal(file);
    let failed = found.iter().filter(|d| d.fails()).count();
    let skipped = found.iter().filter(|d| d.severity == Severity::Allowed);
    xml.create_element("testsuite")
        .with_attribute(("name", &*file))
        .with_attribute(("file", &*file))
        .with_attribute(("tests", &*found.len().max(1).to_string()))
        .with_attribute(("failures", &*failed.to_string()))
        .with_attribute(("errors", "0"))
        .with_attribute(("skipped", &*skipped.count().to_string()))
        .write_inner_content(|xml| {
            if found.is_empty() {
                let case = xml.create_element("testcase");
                let case = case.with_attribute(("classname", &*file));
                case.with_attribute(("name", "no findings")).write_empty()?;
            }
            let mut seen: BTreeMap<(&str, &str), usize> = BTreeMap::new();
            found.iter().try_for_each(|d| {
                let number = seen.entry((&d.code, &d.message)).or_default();
                *number += 1;
                case(xml, &file, d, *number)
            })
        })?;
    Ok(())
}

/// `number` tells cases of one name apart: build servers know a case by its name.
fn case(xml: &mut Xml, file: &str, diagnostic: &Diagnostic, number: usize) -> io::Result<()> {
    let kind = format!("{} {}", diagnostic.code, diagnostic.name);
    let message = legal(&diagnostic.message);
    let mut name = format!("{kind}: {message}");
    if number > 1 {
        let _ = write!(name, " ({number})");
    }
    let text = account(diagnostic);
    xml.create_element("testcase")
        .with_attribute(("classname", file))
        .with_attribute(("name", &*name))
        .write_inner_content(|xml| {
            if diagnostic.severity == Severity::Allowed {
                let why = legal(why(diagnostic));
                let skipped = xml.create_element("skipped");
                skipped.with_attribute(("message", &*why)).write_empty()?;
            } else if diagnostic.fails() {
                xml.create_element("failure")
                    .with_attribute(("type", &*kind))
                    .with_attribute(("message", &*message))
                    .write_text_content(BytesText::new(&text))?;
            } else {
                let output = xml.create_element("system-out");
                output.write_text_content(BytesText::new(&text))?;
            }
            Ok(())
        })?;
    Ok(())
}

fn why(diagnostic: &Diagnostic) -> &str {
    match diagnostic.accepted.first() {
        Some(Accepted::Allow { reason, .. }) => reason,
        Some(Accepted::Baseline) => "the baseline lists it",
        None => "allowed",
    }
}

/// What there is to say, in lines.
fn account(diagnostic: &Diagnostic) -> String {
    let start = diagnostic.range.start;
    let kind = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Allowed => "allowed",
    };
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}:{}:{}: {kind}: {}",
        diagnostic.file, start.line, start.column, diagnostic.message
    );
    for label in &diagnostic.labels {
        let at = label.range.start;
        let _ = writeln!(
            text,
            "{}:{}:{}: {}",
            label.file, at.line, at.column, label.message
        );
    }
    if let Some(help) = &diagnostic.help {
        let _ = writeln!(text, "help: {help}");
    }
    let _ = write!(text, "more: syncline explain {}", diagnostic.code);
    legal(&text)
}

/// A text without the characters that no XML 1.0 document may hold, escaped or not.
pub(super) fn legal(text: &str) -> String {
    let fits = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
            && !matches!(c, '\u{7f}'..='\u{9f}')
    };
    text.chars()
        .map(|c| if fits(c) { c } else { '\u{fffd}' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Code, Finding};
    use crate::text::{SourceFile, Sources, Span};

    #[test]
    fn no_text_breaks_the_document() {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("a&b.sync", "x\n"));
        let odd = "<\u{0}\u{1b}\u{ffff}\u{85}>&\"']]>\u{1f98c}";
        let finding = Finding::new(Code(101), Span::new(id, 0, 1), odd).help("a\nb");
        let mut report = Report::default();
        report.add(&[finding], &sources);
        let text = check(&report);
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "{text:?}"
        );
        assert!(text.contains("name=\"a&amp;b.sync\""), "{text}");
        assert!(
            text.contains("&lt;\u{fffd}\u{fffd}\u{fffd}\u{fffd}&gt;&amp;"),
            "{text}"
        );
        assert!(text.contains("]]&gt;\u{1f98c}"), "{text}");
    }

    #[test]
    fn cases_of_one_name_are_told_apart() {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("a.sync", "xy\n"));
        let findings = [0, 1].map(|at| Finding::new(Code(101), Span::point(id, at), "m"));
        let mut report = Report::default();
        report.add(&findings, &sources);
        let text = check(&report);
        assert!(text.contains("name=\"SL0101 no-owner: m\""), "{text}");
        assert!(text.contains("name=\"SL0101 no-owner: m (2)\""), "{text}");
    }

    #[test]
    fn a_clean_file_is_a_passed_case_and_one_outside_the_question_none() {
        let mut sources = Sources::default();
        sources.add(SourceFile::new("policy.sync", "x\n"));
        sources.add(SourceFile::new("part.sync", "y\n"));
        let only = std::iter::once("part.sync".to_owned()).collect();
        let mut report = Report::default();
        report.add_within(&[], &sources, Some(&only));
        let text = check(&report);
        assert!(
            text.contains("<testcase classname=\"part.sync\" name=\"no findings\"/>"),
            "{text}"
        );
        assert!(!text.contains("policy.sync"), "{text}");
        assert!(text.contains("tests=\"1\" failures=\"0\""), "{text}");
    }
}
