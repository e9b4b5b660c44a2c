//! The text of a layout.

use super::lexeme::Lexemes;
use super::space::Gap;

/// Comments at the end of a line stand in one column where the lines end before this.
const FURTHEST_TRAIL: usize = 80;

/// A comment at the end of a line.
struct Trail {
    /// Where it begins in the text.
    at: usize,
    /// The line.
    line: usize,
    /// The column.
    col: usize,
}

/// Writes every lexeme with its gap; one line end at the end.
pub(super) fn write(lexemes: &Lexemes<'_>, gaps: &[Gap]) -> String {
    let mut out = String::with_capacity(lexemes.text.len() + lexemes.text.len() / 4);
    let mut trails = Vec::new();
    let (mut line, mut line_start, mut before) = (0, 0, 0);
    for (i, (lexeme, gap)) in lexemes.all.iter().zip(gaps).enumerate() {
        match *gap {
            Gap::Space(blanks) => blank(&mut out, blanks),
            Gap::Trail => {
                blank(&mut out, 2);
                let col = out.get(line_start..).unwrap_or_default().chars().count();
                let at = out.len();
                trails.push(Trail { at, line, col });
            }
            Gap::Line {
                blank: empty,
                indent,
            } => {
                out.push_str(if empty { "\n\n" } else { "\n" });
                (line, line_start) = (line + if empty { 2 } else { 1 }, out.len());
                blank(&mut out, indent);
            }
            Gap::Keep => {
                let kept = before..lexeme.start as usize;
                let kept = lexemes.text.get(kept).unwrap_or_default();
                out.push_str(kept);
                if let Some(at) = kept.rfind('\n') {
                    line += kept.matches('\n').count();
                    line_start = out.len() - (kept.len() - at - 1);
                }
            }
        }
        let word = lexemes.str(i);
        out.push_str(word);
        if let Some(at) = word.rfind('\n') {
            line += word.matches('\n').count();
            line_start = out.len() - (word.len() - at - 1);
        }
        before = lexeme.end as usize;
    }
    if !out.is_empty() {
        out.push('\n');
    }
    align(out, &trails)
}

/// Moves the comments of adjacent lines into one column.
fn align(out: String, trails: &[Trail]) -> String {
    let mut text = String::with_capacity(out.len());
    let mut done = 0;
    for run in trails.chunk_by(|a, b| a.line + 1 == b.line) {
        let col = run.iter().map(|trail| trail.col).max().unwrap_or(0);
        if run.len() < 2 || col > FURTHEST_TRAIL {
            continue;
        }
        for trail in run {
            text.push_str(out.get(done..trail.at).unwrap_or_default());
            blank(&mut text, (col - trail.col) as u32);
            done = trail.at;
        }
    }
    text.push_str(out.get(done..).unwrap_or_default());
    text
}

fn blank(out: &mut String, blanks: u32) {
    out.extend(std::iter::repeat_n(' ', blanks as usize));
}
