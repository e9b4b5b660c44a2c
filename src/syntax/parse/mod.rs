//! From text to tree, with every syntax error of a file found in one pass.
//!
//! A hand scanner finds where items begin; each item is read for itself, clause by clause, by the
//! pest grammar. Files are cut at items whatever their size, so that the answer does not depend on
//! how many threads there are.

mod block;
mod build;
mod clauses;
mod grammar;
mod hint;
mod items;
mod report;

pub(super) use clauses::is_keyword;

use super::scan::{Obstacle, Scan, Token, is_doc};
use super::tree::{Clause, EntityClause, File, Item, ItemKind};
use crate::finding::{Code, Finding};
use crate::text::{BOM, FileId, Sources};
use grammar::{Grammar, Rule};
use rayon::prelude::*;

/// Findings of one file beyond which the rest is left out, with a finding that says so.
pub const MAX_FINDINGS: usize = 1_000;

/// Files larger than this are read by several threads; below, starting them costs more.
const PARALLEL_BYTES: usize = 128 * 1024;

/// How much text pest is given at first, in bytes.
const WINDOW: usize = 2 * 1024;

/// Items read in one go.
const BATCH: usize = 4_096;

/// Reads a whole file. Every finding is SL0001; the tree holds all that could be read.
pub fn parse(sources: &Sources, file: FileId) -> (File, Vec<Finding>) {
    parse_range(sources, file, whole(&sources.file(file).text))
}

/// All of a text but a byte-order mark.
pub(super) fn whole(text: &str) -> std::ops::Range<usize> {
    let start = if text.starts_with(BOM) { BOM.len() } else { 0 };
    start..text.len()
}

/// The strings of the `use` items in a part of a file, without reading its other items.
pub(super) fn imports(
    sources: &Sources,
    file: FileId,
    range: std::ops::Range<usize>,
) -> Vec<crate::text::Span> {
    let text: &str = &sources.file(file).text;
    let scan = Scan::new(text, file, range.start, range.end);
    let begins = |at: usize| text.get(at..).is_some_and(|t| t.starts_with("use"));
    let mut cuts = scan.starts.clone();
    cuts.push(range.end);
    let mut found = Vec::new();
    for pair in cuts.windows(2) {
        if let [from, to] = *pair
            && begins(from)
        {
            let (items, ..) = Reader::new(&scan, to, 0).read(from);
            found.extend(items.iter().filter_map(|item| match item.kind {
                ItemKind::Use(path) => Some(path.0),
                _ => None,
            }));
        }
    }
    found
}

/// Reads a part of a file, such as one block of a Markdown text, as a policy of its own. Offsets
/// are the file's. A range that does not lie on character boundaries reads as empty.
pub fn parse_range(
    sources: &Sources,
    file: FileId,
    range: std::ops::Range<usize>,
) -> (File, Vec<Finding>) {
    let text: &str = &sources.file(file).text;
    let range = if text.get(range.clone()).is_some() {
        range
    } else {
        0..0
    };
    let scan = Scan::new(text, file, range.start, range.end);
    let mut cuts = vec![range.start];
    cuts.extend(scan.starts.iter().copied().filter(|s| *s > range.start));
    cuts.push(range.end);
    let mut items = Vec::with_capacity(cuts.len());
    let mut findings = Vec::new();
    let mut dropped = 0;
    // In batches, so that a file that is wrong everywhere cannot fill the memory with findings.
    for batch in 0..cuts.len().div_ceil(BATCH) {
        let last = cuts.len().min((batch + 1) * BATCH + 1);
        let cuts = cuts.get(batch * BATCH..last).unwrap_or_default();
        let room = MAX_FINDINGS.saturating_sub(findings.len()) + 1;
        let read = |pair: &[usize]| match *pair {
            [from, to] => Reader::new(&scan, to, room).read(from),
            _ => (Vec::new(), Vec::new(), 0),
        };
        let parts: Vec<_> = if range.len() > PARALLEL_BYTES {
            cuts.par_windows(2).map(read).collect()
        } else {
            cuts.windows(2).map(read).collect()
        };
        for (more, found, over) in parts {
            items.extend(more);
            findings.extend(found);
            dropped += over;
        }
    }
    misplaced_imports(&items, &scan, &mut findings);
    tidy(&mut findings, dropped);
    let mut comments = scan.comments;
    mark_docs(&items, text, &mut comments);
    let file = File {
        id: file,
        items,
        comments,
    };
    (file, findings)
}

/// `use` after another item.
fn misplaced_imports(items: &[Item], scan: &Scan<'_>, findings: &mut Vec<Finding>) {
    let mut others = items
        .iter()
        .skip_while(|item| matches!(item.kind, ItemKind::Use(_)));
    let Some(first) = others
        .next()
        .filter(|i| !matches!(i.kind, ItemKind::Error { .. }))
    else {
        return;
    };
    for item in others {
        let ItemKind::Use(path) = item.kind else {
            continue;
        };
        let keyword = scan.span(
            item.span.start as usize,
            item.span.start as usize + "use".len(),
        );
        let path = scan.text.get(path.0.range()).unwrap_or_default();
        findings.push(
            Finding::new(Code(1), keyword, "`use` stands after another item")
                .label(first.span_of_head(), "the first item is here")
                .help(format!("move `use {path}` above every other item")),
        );
    }
}

impl Item {
    /// The item's first word, for labels.
    fn span_of_head(&self) -> crate::text::Span {
        match &self.kind {
            ItemKind::Use(_) | ItemKind::Error { .. } => self.span,
            ItemKind::Policy(b) => b.keyword.to(b.name.0),
            ItemKind::System(b) => b.keyword.to(b.name.0),
            ItemKind::Entity(b) | ItemKind::Extend(b) => b.keyword.to(b.name.0),
            ItemKind::Map(map) => map.keyword.to(map.system.0),
            ItemKind::Scenario(s) => s.keyword.to(s.name.0),
            ItemKind::Test(test) => test.keyword.to(test.title.0),
        }
    }
}

/// One finding a place, in order, and no more than [`MAX_FINDINGS`].
///
/// `dropped` counts those that were not even kept so far.
fn tidy(findings: &mut Vec<Finding>, dropped: usize) {
    findings.sort_by_key(|f| f.primary.map(|s| (s.start, s.end)));
    findings.dedup_by_key(|f| f.primary.map(|s| s.start));
    if findings.len() > MAX_FINDINGS {
        let more = findings.len() - MAX_FINDINGS + dropped;
        findings.truncate(MAX_FINDINGS);
        if let Some(place) = findings.last().and_then(|f| f.primary) {
            let message = format!("{more} further syntax errors in this file are not shown");
            findings.push(Finding::new(Code(1), place, message));
        }
    }
}

/// Tells the comments that document an item or a field from the others.
fn mark_docs(items: &[Item], text: &str, comments: &mut [super::tree::Comment]) {
    let mut mark = |doc: Option<crate::text::Span>| {
        let Some(doc) = doc else { return };
        let first = comments.partition_point(|c| c.span.start < doc.start);
        for comment in comments.iter_mut().skip(first) {
            if comment.span.end > doc.end {
                break;
            }
            comment.doc = is_doc(text.get(comment.span.range()).unwrap_or_default());
        }
    };
    for item in items {
        mark(item.doc);
        if let ItemKind::Entity(block) | ItemKind::Extend(block) = &item.kind {
            for clause in &block.clauses {
                if let Clause {
                    kind: Some(EntityClause::Field(field)),
                    ..
                } = clause
                {
                    mark(field.doc);
                }
            }
        }
    }
}

/// Reads the items of one stretch of a file.
struct Reader<'a> {
    scan: &'a Scan<'a>,
    /// One past the last byte of the stretch.
    end: usize,
    findings: Vec<Finding>,
    /// How many findings are kept.
    room: usize,
    /// How many were not.
    dropped: usize,
    /// Bytes that may still be read again to place an error well.
    again: usize,
    /// Whether recovery in this item passed over a closing brace, so that a block may only seem
    /// to be unclosed.
    passed_brace: bool,
}

/// Where pest could go no further, and what would have fitted.
struct Failure {
    at: usize,
    expected: Vec<Rule>,
}

impl<'a> Reader<'a> {
    fn new(scan: &'a Scan<'a>, end: usize, room: usize) -> Self {
        Reader {
            scan,
            end,
            findings: Vec::new(),
            room,
            dropped: 0,
            again: 0,
            passed_brace: false,
        }
    }

    /// Items, findings, and how many findings there was no room for.
    fn read(mut self, from: usize) -> (Vec<Item>, Vec<Finding>, usize) {
        // Enough for any honest file; a hostile one gets plainer places instead of more time.
        self.again = 4 * (self.end - from) + 64 * 1024;
        let items = self.items(from);
        (items, self.findings, self.dropped)
    }

    /// The rough token at or after `at` in this stretch.
    fn token(&self, at: usize) -> Option<Token> {
        self.scan.token(at).filter(|t| t.start < self.end)
    }

    /// Whether `bytes` may be read once more; never for a finding that there is no room for.
    fn spend(&mut self, bytes: usize) -> bool {
        let enough = self.again >= bytes && self.findings.len() < self.room;
        self.again = self.again.saturating_sub(bytes);
        enough
    }

    /// Reads `rule` at `start`, looking at nothing from `end` on; gives what was read and its end.
    ///
    /// To make an error, pest walks the whole text it was given. It is therefore given a window
    /// first, and more only where the window's end may have had a part in the answer.
    fn pest(
        &self,
        rule: Rule,
        start: usize,
        end: usize,
    ) -> Result<(build::Part<'a>, usize), Failure> {
        let stop = self.scan.next_stop(start).filter(|stop| stop.start < end);
        let end = stop.map_or(end, |stop| stop.end.min(end));
        let mut answer = Err(Failure {
            at: start,
            expected: Vec::new(),
        });
        let mut size = WINDOW;
        loop {
            let mut window = end.min(start.saturating_add(size));
            while !self.scan.text.is_char_boundary(window) {
                window -= 1;
            }
            let last = window >= end;
            if last || answer.is_err() {
                answer = self.pest_window(rule, start, window);
            }
            match &answer {
                _ if last => break,
                Ok((_, at)) if self.settled(rule, *at, window) => break,
                // Only a longer reading is possible, and that costs no error.
                Ok(_) => size = usize::MAX,
                Err(failure) if self.token(failure.at).is_some_and(|t| t.end < window) => break,
                Err(_) => size = size.saturating_mul(8),
            }
        }
        // What lies behind brackets nested too deep was not looked at.
        let nested = stop.filter(|stop| stop.why == Obstacle::Nesting);
        answer.map_err(|failure| Failure {
            at: nested.map_or(failure.at, |stop| failure.at.min(stop.start)),
            ..failure
        })
    }

    fn pest_window(
        &self,
        rule: Rule,
        start: usize,
        end: usize,
    ) -> Result<(build::Part<'a>, usize), Failure> {
        let text = self.scan.text.get(start..end).unwrap_or_default();
        let failed = |(at, expected): (usize, Vec<Rule>)| Failure {
            at: start + at,
            expected,
        };
        let pairs = <Grammar as pest::Parser<Rule>>::parse(rule, text)
            .map_err(|error| failed(error_parts(error)))?;
        let part = build::Parts::new(pairs, start, self.scan.file).any();
        part.map(|part| {
            let end = part.span().end as usize;
            (part, end)
        })
        .ok_or_else(|| failed((0, Vec::new())))
    }

    /// Whether what was read up to `end` cannot be the beginning of something longer: after it,
    /// well inside the window, the block is closed or something else begins.
    fn settled(&self, rule: Rule, end: usize, window: usize) -> bool {
        let Some(next) = self.token(end).filter(|t| t.end < window) else {
            return false;
        };
        let word = self.scan.str(next);
        match rule {
            Rule::entity_field | Rule::field_head => word == "}" || word == "field",
            // The one clause keyword that also goes on a clause, of another block.
            _ => word == "}" || (word != "at" && is_keyword(word)),
        }
    }
}

/// The offset and the rules of a pest error.
fn error_parts(error: pest::error::Error<Rule>) -> (usize, Vec<Rule>) {
    let at = match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    };
    let expected = match error.variant {
        pest::error::ErrorVariant::ParsingError { positives, .. } => positives,
        pest::error::ErrorVariant::CustomError { .. } => Vec::new(),
    };
    (at, expected)
}

#[cfg(test)]
#[path = "../../../tests/support/mutate.rs"]
mod mutate;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::SourceFile;

    const GOOD: [&str; 3] = [
        include_str!("../../../examples/acme/policy.sync"),
        include_str!("../../../tests/fixtures/good/everything.sync"),
        include_str!("../../../tests/fixtures/good/shop.sync"),
    ];

    fn sound(text: &str) -> bool {
        let mut sources = Sources::default();
        let id = sources.add(SourceFile::new("t.sync", text));
        parse(&sources, id).1.is_empty()
    }

    /// The grammar in one piece and the reader that goes clause by clause know one language.
    #[test]
    fn reader_and_grammar_agree_on_what_is_sound() {
        let whole = |text: &str| <Grammar as pest::Parser<Rule>>::parse(Rule::file, text).is_ok();
        for text in GOOD {
            assert!(whole(text) && sound(text));
            // Every fifth: enough to meet each construct, and quick.
            for slip in mutate::mutations(text, 7).into_iter().step_by(5) {
                let (by_grammar, by_reader) = (whole(&slip.text), sound(&slip.text));
                let (kind, token, line) = (slip.kind, slip.token, slip.line);
                assert_eq!(by_grammar, by_reader, "{kind:?} `{token}` in line {line}");
            }
        }
    }
}
