//! `test --format junit`: one suite for each file that holds tests, as build servers read it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::{Results, lines, story};
use crate::render::junit::legal;
use crate::sim::trial::{Difference, Trial, Unmet};

type Xml = Writer<Vec<u8>>;

/// The suites as XML text with a final newline.
pub fn junit(results: &Results<'_>) -> String {
    // Writing to memory cannot fail.
    written(results).unwrap_or_default()
}

fn written(results: &Results<'_>) -> io::Result<String> {
    let mut suites: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
    for trial in results.trials {
        let (file, _) = results.place(trial.span);
        suites.entry(file).or_default().push(trial);
    }
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.create_element("testsuites")
        .with_attribute(("name", "syncline test"))
        .with_attribute(("tests", &*results.trials.len().to_string()))
        .with_attribute(("failures", &*results.failed().to_string()))
        .with_attribute(("errors", "0"))
        .write_inner_content(|xml| {
            suites
                .iter()
                .try_for_each(|(file, trials)| suite(xml, results, file, trials))
        })?;
    let mut text = String::from_utf8_lossy(&xml.into_inner()).into_owned();
    text.push('\n');
    Ok(text)
}

fn suite(xml: &mut Xml, results: &Results<'_>, file: &str, trials: &[&Trial]) -> io::Result<()> {
    let file = legal(file);
    let failed = trials.iter().filter(|t| !t.passed()).count();
    xml.create_element("testsuite")
        .with_attribute(("name", &*file))
        .with_attribute(("file", &*file))
        .with_attribute(("tests", &*trials.len().to_string()))
        .with_attribute(("failures", &*failed.to_string()))
        .with_attribute(("errors", "0"))
        .with_attribute(("skipped", "0"))
        .write_inner_content(|xml| {
            trials
                .iter()
                .try_for_each(|trial| case(xml, results, &file, trial))
        })?;
    Ok(())
}

fn case(xml: &mut Xml, results: &Results<'_>, file: &str, trial: &Trial) -> io::Result<()> {
    let name = legal(&trial.title);
    let case = xml
        .create_element("testcase")
        .with_attribute(("classname", file))
        .with_attribute(("name", &*name));
    if trial.passed() {
        case.write_empty()?;
        return Ok(());
    }
    case.write_inner_content(|xml| {
        trial.unmet.iter().try_for_each(|unmet| {
            let message = legal(&lines(unmet).join("; "));
            let text = legal(&account(results, unmet));
            xml.create_element("failure")
                .with_attribute(("type", "expectation"))
                .with_attribute(("message", &*message))
                .write_text_content(BytesText::new(&text))?;
            Ok(())
        })
    })?;
    Ok(())
}

/// Where, what was expected, what was found and why, in lines.
fn account(results: &Results<'_>, unmet: &Unmet) -> String {
    let (file, at) = results.place(unmet.clause);
    let clause = results.first_line(unmet.clause);
    let mut text = format!("{file}:{}:{}: {clause}", at.line, at.column);
    for line in lines(unmet) {
        // Writing into a String cannot fail.
        let _ = write!(text, "\n{line}");
    }
    let (stories, system): (Vec<_>, _) = match &unmet.what {
        Difference::Values { fields, system, .. } => {
            let told = fields.iter().filter_map(|f| f.why.as_ref());
            (told.collect(), system.as_str())
        }
        Difference::Missing { why, system, .. } => (why.iter().collect(), system.as_str()),
        _ => (Vec::new(), ""),
    };
    for told in stories {
        let _ = write!(text, "\n{}", story(told, system).trim_end());
    }
    text
}
