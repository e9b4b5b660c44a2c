//! Policies in Markdown: the fenced blocks marked `sync`.

use std::ops::Range;

/// One fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The bytes between the fences, whole lines.
    pub range: Range<usize>,
    /// Marked `sync fragment`: only parsed.
    pub fragment: bool,
}

/// The ```` ```sync ```` and ```` ```sync fragment ```` blocks of a Markdown text in order. A block
/// that nothing closes reaches to the end of the text, as in CommonMark.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(char, usize, Option<Block>)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        match (&mut open, fence(line)) {
            (None, Some((sign, len, info))) => {
                // Backticks in the info string make it no fence.
                if sign == '`' && info.contains('`') {
                    continue;
                }
                open = Some((sign, len, block(info, at)));
            }
            (Some((sign, len, block)), Some((close, close_len, info)))
                if close == *sign && close_len >= *len && info.is_empty() =>
            {
                if let Some(mut block) = block.take() {
                    block.range.end = start;
                    found.push(block);
                }
                open = None;
            }
            _ => {}
        }
    }
    if let Some((_, _, Some(mut block))) = open {
        block.range.end = text.len();
        found.push(block);
    }
    found
}

/// The block that an info string opens, its text beginning at `at`.
fn block(info: &str, at: usize) -> Option<Block> {
    let mut words = info.split_whitespace();
    if words.next() != Some("sync") {
        return None;
    }
    Some(Block {
        range: at..at,
        fragment: words.next() == Some("fragment"),
    })
}

/// The sign, length and info string of a fence line: at most three blanks, then three or more
/// backticks or tildes.
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let body = line.trim_start_matches(' ');
    if line.len() - body.len() > 3 {
        return None;
    }
    let sign = body.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = body.trim_start_matches(sign);
    let len = body.len() - info.len();
    (len >= 3).then_some((sign, len, info.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_blocks_with_their_places() {
        let text = "# T\n\n```sync\npolicy a {}\n```\n````md\n```sync\nno\n```\n````\n\
                    ~~~sync fragment\nmode\n~~~\n```rust\nx\n```\n```sync\nopen\n";
        let found = blocks(text);
        let texts: Vec<_> = found
            .iter()
            .map(|b| (&text[b.range.clone()], b.fragment))
            .collect();
        let expected = [
            ("policy a {}\n", false),
            ("mode\n", true),
            ("open\n", false),
        ];
        assert_eq!(texts, expected);
    }
}
