//! The page of each check: what it means, why it matters, a policy that fails, the same mended.
//!
//! A page is one Markdown file in a fixed form, compiled in. `syncline explain` prints it, the
//! documentation publishes it, and tests hold its policies to what it says of them.

use crate::finding::Code;

/// The Markdown of each page by code.
const PAGES: &[(u16, &str)] = &[
    (1, include_str!("pages/SL0001.md")),
    (2, include_str!("pages/SL0002.md")),
    (3, include_str!("pages/SL0003.md")),
    (4, include_str!("pages/SL0004.md")),
    (5, include_str!("pages/SL0005.md")),
    (6, include_str!("pages/SL0006.md")),
    (7, include_str!("pages/SL0007.md")),
    (8, include_str!("pages/SL0008.md")),
    (101, include_str!("pages/SL0101.md")),
    (102, include_str!("pages/SL0102.md")),
    (103, include_str!("pages/SL0103.md")),
    (104, include_str!("pages/SL0104.md")),
    (105, include_str!("pages/SL0105.md")),
    (106, include_str!("pages/SL0106.md")),
    (107, include_str!("pages/SL0107.md")),
    (108, include_str!("pages/SL0108.md")),
    (109, include_str!("pages/SL0109.md")),
    (110, include_str!("pages/SL0110.md")),
    (111, include_str!("pages/SL0111.md")),
    (112, include_str!("pages/SL0112.md")),
    (113, include_str!("pages/SL0113.md")),
    (114, include_str!("pages/SL0114.md")),
    (115, include_str!("pages/SL0115.md")),
    (116, include_str!("pages/SL0116.md")),
    (201, include_str!("pages/SL0201.md")),
    (202, include_str!("pages/SL0202.md")),
    (203, include_str!("pages/SL0203.md")),
    (204, include_str!("pages/SL0204.md")),
    (205, include_str!("pages/SL0205.md")),
    (206, include_str!("pages/SL0206.md")),
    (207, include_str!("pages/SL0207.md")),
    (208, include_str!("pages/SL0208.md")),
    (301, include_str!("pages/SL0301.md")),
    (302, include_str!("pages/SL0302.md")),
    (303, include_str!("pages/SL0303.md")),
    (304, include_str!("pages/SL0304.md")),
    (305, include_str!("pages/SL0305.md")),
    (306, include_str!("pages/SL0306.md")),
    (307, include_str!("pages/SL0307.md")),
    (308, include_str!("pages/SL0308.md")),
    (309, include_str!("pages/SL0309.md")),
    (310, include_str!("pages/SL0310.md")),
    (401, include_str!("pages/SL0401.md")),
    (402, include_str!("pages/SL0402.md")),
    (403, include_str!("pages/SL0403.md")),
    (404, include_str!("pages/SL0404.md")),
    (405, include_str!("pages/SL0405.md")),
    (406, include_str!("pages/SL0406.md")),
    (407, include_str!("pages/SL0407.md")),
    (408, include_str!("pages/SL0408.md")),
    (501, include_str!("pages/SL0501.md")),
    (502, include_str!("pages/SL0502.md")),
    (503, include_str!("pages/SL0503.md")),
    (504, include_str!("pages/SL0504.md")),
    (505, include_str!("pages/SL0505.md")),
    (601, include_str!("pages/SL0601.md")),
    (602, include_str!("pages/SL0602.md")),
    (603, include_str!("pages/SL0603.md")),
    (701, include_str!("pages/SL0701.md")),
    (801, include_str!("pages/SL0801.md")),
    (802, include_str!("pages/SL0802.md")),
    (803, include_str!("pages/SL0803.md")),
    (804, include_str!("pages/SL0804.md")),
];

/// The Markdown of a check's page; `None`: it has none.
pub fn source(code: Code) -> Option<&'static str> {
    let at = PAGES.binary_search_by_key(&code.0, |p| p.0).ok()?;
    PAGES.get(at).map(|p| p.1)
}

/// The codes that have a page, in order.
pub fn codes() -> impl Iterator<Item = Code> {
    PAGES.iter().map(|p| Code(p.0))
}

/// A page in its parts. Texts are Markdown without white space around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<'a> {
    /// The title, `SL0101 no-owner`.
    pub title: &'a str,
    /// What the check means.
    pub meaning: &'a str,
    /// What goes wrong where it is ignored.
    pub why: &'a str,
    /// The files of a policy that has a finding of the code.
    pub failing: Vec<PageFile<'a>>,
    /// The same policy without one.
    pub mended: Vec<PageFile<'a>>,
    /// Other ways to mend it, as a list.
    pub ways: &'a str,
}

/// A file of a page's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageFile<'a> {
    /// Its path, relative to the policy's folder.
    pub name: &'a str,
    /// Its text, with a final line end.
    pub text: &'a str,
}

/// A page that does not keep to the form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct PageError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

const WHY: &str = "Why it matters";
const FAILING: &str = "A policy that fails";
const MENDED: &str = "The same policy mended";
const WAYS: &str = "What mends it";

impl<'a> Page<'a> {
    /// Takes a page apart.
    pub fn parse(text: &'a str) -> Result<Page<'a>, PageError> {
        let mut parts = sections(text)?.into_iter();
        let mut next = |wanted: Option<&str>| match parts.next() {
            Some(part) if wanted.is_none_or(|w| w == part.heading) => Ok(part),
            Some(part) => Err(part.error(format!("expected `## {}`", wanted.unwrap_or("")))),
            None => Err(PageError {
                line: text.lines().count(),
                message: format!("expected `## {}`", wanted.unwrap_or("")),
            }),
        };
        let first = next(None)?;
        let page = Page {
            title: first.heading,
            meaning: first.prose()?,
            why: next(Some(WHY))?.prose()?,
            failing: next(Some(FAILING))?.files()?,
            mended: next(Some(MENDED))?.files()?,
            ways: next(Some(WAYS))?.prose()?,
        };
        match parts.next() {
            Some(more) => Err(more.error("expected the end of the page")),
            None => Ok(page),
        }
    }

    /// The first sentence of what the check means, on one line.
    pub fn summary(&self) -> String {
        let paragraph = self.meaning.split("\n\n").next().unwrap_or_default();
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut quoted = false;
        let mut end = line.len();
        for (at, c) in line.char_indices() {
            quoted ^= c == '`';
            if !quoted && c == '.' && line[at + 1..].starts_with(' ') {
                end = at + 1;
                break;
            }
        }
        line[..end].to_owned()
    }
}

/// What stands under one heading.
struct Section<'a> {
    heading: &'a str,
    body: &'a str,
    /// The heading's line.
    line: usize,
}

/// Splits a page at its headings; a `#` in a code block is none.
fn sections(text: &str) -> Result<Vec<Section<'_>>, PageError> {
    let mut found: Vec<Section<'_>> = Vec::new();
    let mut body_start = 0;
    let mut in_code = false;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        in_code ^= line.starts_with("```");
        let mark = if found.is_empty() { "# " } else { "## " };
        let heading = line.strip_prefix(mark).filter(|_| !in_code);
        match (heading, found.last_mut()) {
            (Some(heading), last) => {
                if let Some(last) = last {
                    last.body = &text[body_start..start];
                }
                body_start = at;
                found.push(Section {
                    heading: heading.trim(),
                    body: "",
                    line: number + 1,
                });
            }
            (None, Some(_)) => {}
            (None, None) => {
                return Err(PageError {
                    line: number + 1,
                    message: "a page begins with `# SLNNNN name`".into(),
                });
            }
        }
    }
    if let Some(last) = found.last_mut() {
        last.body = &text[body_start..];
    }
    Ok(found)
}

impl<'a> Section<'a> {
    fn error(&self, message: impl Into<String>) -> PageError {
        PageError {
            line: self.line,
            message: format!("`{}`: {}", self.heading, message.into()),
        }
    }

    /// Running text without code blocks.
    fn prose(&self) -> Result<&'a str, PageError> {
        let text = self.body.trim();
        if text.is_empty() {
            return Err(self.error("nothing stands here"));
        }
        match text.contains("```") {
            true => Err(self.error("no code block stands here")),
            false => Ok(text),
        }
    }

    /// The files of ```` ```sync NAME ```` blocks and nothing else; the first is the root.
    fn files(&self) -> Result<Vec<PageFile<'a>>, PageError> {
        let mut files: Vec<PageFile<'a>> = Vec::new();
        let mut rest = self.body.trim_start();
        while !rest.is_empty() {
            let block = rest
                .strip_prefix("```sync ")
                .and_then(|r| r.split_once('\n'))
                .and_then(|(name, r)| Some((name.trim(), r.split_once("\n```\n")?)));
            let Some((name, (_, after))) = block else {
                return Err(self.error("only blocks as ```sync policy.sync stand here"));
            };
            let start = self.body.len() - rest.len() + "```sync ".len();
            let text = &self.body[start..self.body.len() - after.len() - "```\n".len()];
            let text = text.split_once('\n').map_or("", |(_, text)| text);
            files.push(PageFile { name, text });
            rest = after.trim_start();
        }
        match files.first() {
            Some(root) if root.name == "policy.sync" => Ok(files),
            _ => Err(self.error("the first file is `policy.sync`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_page_keeps_to_the_form_and_bears_its_own_title() {
        assert!(PAGES.windows(2).all(|w| w[0].0 < w[1].0));
        for code in codes() {
            let page = Page::parse(source(code).unwrap()).unwrap_or_else(|e| panic!("{code}: {e}"));
            assert_eq!(page.title, format!("{code} {}", code.info().name));
            let names = |files: &[PageFile<'_>]| -> Vec<String> {
                files.iter().map(|f| f.name.to_owned()).collect()
            };
            assert_eq!(names(&page.failing), names(&page.mended), "{code}");
            assert_ne!(page.failing, page.mended, "{code}");
            assert!(page.ways.starts_with("- "), "{code}");
            assert!(
                page.summary().ends_with(['.', ':']),
                "{code}: {}",
                page.summary()
            );
        }
    }

    #[test]
    fn every_page_that_is_written_is_in_the_table() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks/pages");
        let written: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let listed: BTreeSet<String> = codes().map(|c| format!("{c}.md")).collect();
        assert_eq!(written, listed);
    }

    #[test]
    fn no_sentence_stands_on_two_pages() {
        let mut seen = std::collections::BTreeMap::new();
        for code in codes() {
            let page = Page::parse(source(code).unwrap()).unwrap();
            let prose = [page.meaning, page.why, page.ways].join(" ");
            for sentence in prose.split_inclusive(['.', '\n']) {
                let sentence = sentence.trim().trim_start_matches("- ").to_owned();
                if sentence.len() < 50 {
                    continue;
                }
                let before = seen.insert(sentence.clone(), code);
                assert_eq!(before, None, "{code}: {sentence}");
            }
        }
    }

    const SMALL: &str = "# SL0001 syntax\n\nMeans `a.b c` it. And more.\n\n## Why it matters\n\nSo.\n\n\
        ## A policy that fails\n\n```sync policy.sync\n## x\n```\n\n```sync more.sync\ny\n```\n\n\
        ## The same policy mended\n\n```sync policy.sync\nz\n```\n\n## What mends it\n\n- This.\n";

    #[test]
    fn a_page_is_taken_apart() {
        let page = Page::parse(SMALL).unwrap();
        assert_eq!(page.summary(), "Means `a.b c` it.");
        let files: Vec<_> = page.failing.iter().map(|f| (f.name, f.text)).collect();
        assert_eq!(files, [("policy.sync", "## x\n"), ("more.sync", "y\n")]);
        assert_eq!((page.why, page.ways), ("So.", "- This."));
    }

    #[test]
    fn a_page_in_another_form_is_refused() {
        let broken = [
            SMALL.replace("# SL0001 syntax", "SL0001"),
            SMALL.replace("## Why it matters", "## Why"),
            SMALL.replace("## What mends it", "### What mends it"),
            SMALL.replace("\n\nSo.\n", "\n"),
            SMALL.replace("```sync policy.sync\nz", "words\n\n```sync policy.sync\nz"),
            SMALL.replace("```sync policy.sync\nz", "```sync other.sync\nz"),
            SMALL.replace("- This.", "## More\n\n- This."),
        ];
        for text in broken {
            assert!(Page::parse(&text).is_err(), "{text}");
        }
        assert_eq!(
            Page::parse("").unwrap_err().to_string(),
            "line 0: expected `## `"
        );
    }
}
