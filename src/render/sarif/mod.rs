//! `check --format sarif`: SARIF 2.1.0, as code scanning services and editors read it.
//!
//! Columns and offsets count Unicode scalar values, as everywhere in Syncline; a byte-order mark
//! counts for neither. Files are named relative to `SRCROOT`, the directory in which the check
//! ran. All checks are listed as rules, whatever was found.

mod model;

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::fingerprint::Fingerprints;
use super::report::{Accepted, Diagnostic, Edit, Fix, Label, Range, Report, Severity};
use crate::finding::{CODES, CodeInfo, Level};
use crate::text::{BOM, SourceFile};
use model::{
    Artifact, Base, Change, CodeFlow, Configuration, Driver, FilePlace, Grade, Help, Id,
    Invocation, Location, Log, Mend, Outcome, Place, Region, Replacement, Rule, RuleProperties,
    Run, Step, Suppression, Text, ThreadFlow, Tool,
};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const ROOT: &str = "SRCROOT";
/// Under which results of this tool are kept apart from those of others.
const CATEGORY: &str = "syncline/check/";
/// Where the project lives; empty while that is not known.
const HOME: &str = env!("CARGO_PKG_REPOSITORY");

/// What a check's rule says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// One sentence.
    pub short: String,
    /// A paragraph.
    pub full: String,
    /// All that there is, as plain text.
    pub text: String,
    /// The same as Markdown.
    pub markdown: String,
}

/// The report as SARIF with a final newline; `about` tells what each check is.
pub fn check(report: &Report, about: &dyn Fn(CodeInfo) -> About) -> String {
    let writer = Writer::new(report);
    let mut fingerprints = Fingerprints::default();
    let results = report.diagnostics.iter();
    let results = results.map(|d| writer.outcome(d, fingerprints.next(d)));
    let root = Base {
        description: Text {
            text: "the directory in which the check ran",
        },
    };
    let log = Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool {
                driver: driver(about),
            },
            automation_details: Id { id: CATEGORY },
            invocations: [Invocation {
                execution_successful: true,
            }],
            original_uri_base_ids: BTreeMap::from([(ROOT, root)]),
            column_kind: "unicodeCodePoints",
            results: results.collect(),
            artifacts: writer.artifacts(),
        }],
    };
    // Serialising plain data with text keys cannot fail.
    let mut text = serde_json::to_string_pretty(&log).unwrap_or_default();
    text.push('\n');
    text
}

fn driver(about: &dyn Fn(CodeInfo) -> About) -> Driver {
    Driver {
        name: "Syncline",
        version: env!("CARGO_PKG_VERSION"),
        semantic_version: env!("CARGO_PKG_VERSION"),
        information_uri: (!HOME.is_empty()).then(|| HOME.to_owned()),
        rules: CODES.iter().map(|info| rule(*info, about(*info))).collect(),
    }
}

fn rule(info: CodeInfo, about: About) -> Rule {
    let level = match info.level {
        Level::Error => "error",
        Level::Warning | Level::Off => "warning",
    };
    let page = format!("{HOME}/blob/main/docs/checks/{}.md", info.code);
    Rule {
        id: info.code.to_string(),
        name: info.name,
        short_description: Text { text: about.short },
        full_description: Text { text: about.full },
        help: Help {
            text: about.text,
            markdown: about.markdown,
        },
        help_uri: (!HOME.is_empty()).then_some(page),
        default_configuration: Configuration {
            enabled: info.level != Level::Off,
            level,
        },
        properties: RuleProperties {
            tags: [info.code.family()],
            severity: level,
            precision: "very-high",
        },
    }
}

/// What places are made from.
struct Writer<'a> {
    files: BTreeMap<&'a str, Characters<'a>>,
    /// The files that were asked about, which are listed as artifacts.
    listed: BTreeMap<&'a str, usize>,
}

impl<'a> Writer<'a> {
    fn new(report: &'a Report) -> Self {
        let files = report.texts.iter();
        let listed = report.covered.iter().enumerate();
        Writer {
            files: files
                .map(|(name, file)| (name.as_str(), Characters::new(file)))
                .collect(),
            listed: listed.map(|(index, name)| (name.as_str(), index)).collect(),
        }
    }

    fn artifacts(&self) -> Vec<Artifact> {
        let names = self.listed.keys();
        let artifact = |name: &&str| Artifact {
            location: self.file(name),
            roles: ["analysisTarget"],
        };
        names.map(artifact).collect()
    }

    fn outcome(&self, diagnostic: &'a Diagnostic, fingerprint: String) -> Outcome<'a> {
        let index = CODES.binary_search_by(|c| c.code.to_string().cmp(&diagnostic.code));
        let mut text = diagnostic.message.clone();
        if let Some(help) = &diagnostic.help {
            text.push_str("\n\nhelp: ");
            text.push_str(help);
        }
        let mark = Some(diagnostic.mark.as_str()).filter(|m| !m.is_empty());
        let labels = diagnostic.labels.iter().enumerate();
        let labels = labels.map(|(id, label)| self.label(label, Some(id)));
        let mut fixes: Vec<Mend> = Vec::new();
        for fix in &diagnostic.fixes {
            fixes.extend(self.mend(fix).filter(|mend| !fixes.contains(mend)));
        }
        Outcome {
            rule_id: &diagnostic.code,
            rule_index: index.ok(),
            level: match diagnostic.level() {
                Severity::Warning => "warning",
                _ => "error",
            },
            message: Text { text },
            locations: [self.location(&diagnostic.file, diagnostic.range, mark)],
            related_locations: labels.collect(),
            code_flows: self.flow(&diagnostic.path).into_iter().collect(),
            partial_fingerprints: BTreeMap::from([
                // The name under which GitHub looks for one.
                ("primaryLocationLineHash", fingerprint.clone()),
                ("syncline/v1", fingerprint),
            ]),
            fixes,
            suppressions: self.suppressions(diagnostic),
        }
    }

    fn location(&self, file: &'a str, range: Range, message: Option<&'a str>) -> Location<'a> {
        Location {
            id: None,
            physical_location: Place {
                artifact_location: self.file(file),
                region: self.region(file, range),
            },
            message: message.map(|text| Text { text }),
        }
    }

    fn label(&self, label: &'a Label, id: Option<usize>) -> Location<'a> {
        let location = self.location(&label.file, label.range, Some(&label.message));
        Location { id, ..location }
    }

    fn flow(&self, path: &'a [Label]) -> Option<CodeFlow<'a>> {
        let steps = path.iter().map(|step| Step {
            location: self.label(step, None),
        });
        (!path.is_empty()).then(|| CodeFlow {
            thread_flows: [ThreadFlow {
                locations: steps.collect(),
            }],
        })
    }

    /// A mend by files; one without edits is none.
    fn mend(&self, fix: &'a Fix) -> Option<Mend<'a>> {
        let mut by_file: BTreeMap<&str, Vec<&Edit>> = BTreeMap::new();
        for edit in &fix.edits {
            by_file.entry(&edit.file).or_default().push(edit);
        }
        let changes: Vec<Change> = by_file
            .into_iter()
            .map(|(file, edits)| Change {
                artifact_location: self.file(file),
                replacements: edits
                    .into_iter()
                    .map(|edit| Replacement {
                        deleted_region: self.region(file, edit.range),
                        inserted_content: Text { text: &edit.text },
                    })
                    .collect(),
            })
            .collect();
        (!changes.is_empty()).then(|| Mend {
            description: Text { text: &fix.title },
            artifact_changes: changes,
            properties: Grade {
                grade: if fix.safe { "safe" } else { "review" },
            },
        })
    }

    fn suppressions(&self, diagnostic: &'a Diagnostic) -> Vec<Suppression<'a>> {
        let accepted = diagnostic.accepted.iter().map(|accepted| match accepted {
            Accepted::Allow {
                reason,
                file,
                range,
            } => Suppression {
                kind: "inSource",
                status: "accepted",
                justification: reason,
                location: Some(self.location(file, *range, None)),
            },
            Accepted::Baseline => Suppression {
                kind: "external",
                status: "accepted",
                justification: "the baseline lists it",
                location: None,
            },
        });
        accepted.collect()
    }

    fn file(&self, name: &str) -> FilePlace {
        FilePlace {
            uri: uri(name),
            // An absolute address has no base.
            uri_base_id: (!name.starts_with('/')).then_some(ROOT),
            index: self.listed.get(name).copied(),
        }
    }

    fn region(&self, file: &str, range: Range) -> Region {
        let offsets = self.files.get(file).map(|file| {
            let (start, end) = (file.offset(range.start), file.offset(range.end));
            (start, end.saturating_sub(start))
        });
        Region {
            start_line: range.start.line,
            start_column: range.start.column,
            end_line: range.end.line,
            end_column: range.end.column,
            char_offset: offsets.map(|o| o.0),
            char_length: offsets.map(|o| o.1),
        }
    }
}

/// How many characters stand before each line of a file.
struct Characters<'a> {
    file: &'a SourceFile,
    before: std::cell::OnceCell<Vec<u32>>,
}

impl<'a> Characters<'a> {
    fn new(file: &'a SourceFile) -> Self {
        Characters {
            file,
            before: std::cell::OnceCell::new(),
        }
    }

    /// A place as characters from the start, a byte-order mark left out.
    fn offset(&self, at: super::report::Position) -> u32 {
        let before = self.before.get_or_init(|| {
            let mut count = 0;
            let text = self.file.text.strip_prefix(BOM);
            let text = text.unwrap_or(&self.file.text);
            let lines = text.split_inclusive('\n');
            let counts = lines.map(|line| {
                count += line.chars().count() as u32;
                count
            });
            std::iter::once(0).chain(counts).collect()
        });
        let line = at.line.saturating_sub(1) as usize;
        let line = before.get(line).or(before.last()).copied();
        line.unwrap_or_default() + at.column.saturating_sub(1)
    }
}

/// What need not be encoded in a path: the unreserved characters of RFC 3986, and `/` between its
/// parts.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

fn uri(name: &str) -> String {
    let absolute = if name.starts_with('/') { "file://" } else { "" };
    format!("{absolute}{}", utf8_percent_encode(name, IN_PATH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Code, Finding};
    use crate::text::{Sources, Span};

    fn about(info: CodeInfo) -> About {
        About {
            short: info.name.into(),
            full: info.name.into(),
            text: info.name.into(),
            markdown: info.name.into(),
        }
    }

    fn json(name: &str, text: &str, what: &str) -> serde_json::Value {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new(name, text));
        let at = text.find(what).unwrap();
        let finding = Finding::new(Code(101), Span::new(id, at, at + what.len()), "m");
        let mut report = Report::default();
        report.add(&[finding], &sources);
        serde_json::from_str(&check(&report, &about)).unwrap()
    }

    #[test]
    fn places_count_characters_and_no_byte_order_mark() {
        let text = "\u{feff}né\u{1f98c}\r\n\tx\u{1f98c}y\n";
        let log = json("a.sync", text, "\u{1f98c}y");
        let result = &log["runs"][0]["results"][0];
        let region = &result["locations"][0]["physicalLocation"]["region"];
        let expected = serde_json::json!({"startLine": 2, "startColumn": 3, "endLine": 2,
            "endColumn": 5, "charOffset": 7, "charLength": 2});
        assert_eq!(*region, expected);
    }

    #[test]
    fn file_names_are_uris() {
        let log = json("my team/ä#1:%.sync", "x", "x");
        let run = &log["runs"][0];
        let file = &run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(file["uri"], "my%20team/%C3%A4%231%3A%25.sync");
        assert_eq!(file["uriBaseId"], "SRCROOT");
        assert_eq!(run["artifacts"][0]["location"], *file);
    }

    #[test]
    fn a_result_points_at_its_rule() {
        let log = json("a.sync", "x", "x");
        let run = &log["runs"][0];
        let index = run["results"][0]["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "SL0101");
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        assert_eq!(rules.len(), CODES.len());
        let off = rules.last().unwrap();
        assert_eq!(off["defaultConfiguration"]["enabled"], false);
    }

    #[test]
    fn a_path_is_a_code_flow_and_an_allow_a_suppression_in_source() {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("a.sync", "ab\ncd\n"));
        let at = |start, end| Span::new(id, start, end);
        let mut finding = Finding::new(Code(106), at(0, 1), "a loop")
            .label(at(3, 4), "back")
            .step(at(0, 1), "out")
            .step(at(3, 4), "back");
        finding.accept(at(4, 5), "for now");
        finding.accept(at(3, 5), "for longer");
        let mut report = Report::default();
        report.add(&[finding], &sources);
        let log: serde_json::Value = serde_json::from_str(&check(&report, &about)).unwrap();
        let result = &log["runs"][0]["results"][0];
        let steps = result["codeFlows"][0]["threadFlows"][0]["locations"].as_array();
        let steps: Vec<_> = steps
            .unwrap()
            .iter()
            .map(|step| {
                let place = &step["location"]["physicalLocation"]["region"];
                (&step["location"]["message"]["text"], &place["startLine"])
            })
            .collect();
        assert_eq!(
            steps,
            [(&"out".into(), &1.into()), (&"back".into(), &2.into())]
        );
        assert_eq!(result["level"], "error", "as it would count");
        let reasons: Vec<_> = result["suppressions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| {
                (
                    s["kind"].as_str().unwrap(),
                    s["justification"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            reasons,
            [("inSource", "for now"), ("inSource", "for longer")]
        );
    }
}
