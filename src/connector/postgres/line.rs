//! A line of `COPY` in its text format: fields apart by tabs, control characters and backslashes
//! escaped. [`super::stage`] spells them.

use std::ops::Range;

/// The fields of one line after another, in memory that is used again.
#[derive(Debug, Default)]
pub(super) struct CopyLine {
    /// The line as it came.
    raw: String,
    /// Fields that are not spelt as they are meant.
    spelt: String,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
enum Field {
    Null,
    Raw(Range<usize>),
    Spelt(Range<usize>),
}

impl CopyLine {
    /// A line that is at hand, parted.
    pub fn of(line: &str) -> CopyLine {
        let mut parted = CopyLine::default();
        parted.room().push_str(line);
        parted.part(&[]);
        parted
    }

    /// Room for the next line; [`CopyLine::part`] comes after it is filled.
    pub fn room(&mut self) -> &mut String {
        self.raw.clear();
        &mut self.raw
    }

    /// Parts the line in its fields. `times`: by field, whether it is a time in UTC, which is shown
    /// with `Z`.
    pub fn part(&mut self, times: &[bool]) {
        self.fields.clear();
        self.spelt.clear();
        let line = self.raw.strip_suffix('\n').unwrap_or(&self.raw);
        let mut at = 0;
        for (number, text) in line.split('\t').enumerate() {
            let begins = self.spelt.len();
            let time = times.get(number).copied().unwrap_or(false);
            let field = if text == "\\N" {
                Field::Null
            } else if time && let Some((before, after)) = text.split_once("+00") {
                self.spelt.extend([before, "Z", after]);
                Field::Spelt(begins..self.spelt.len())
            } else if text.contains('\\') {
                unescape(text, &mut self.spelt);
                Field::Spelt(begins..self.spelt.len())
            } else {
                Field::Raw(at..at + text.len())
            };
            self.fields.push(field);
            at += text.len() + 1;
        }
    }

    /// A field; none where it is null, or there is no such field.
    pub fn field(&self, at: usize) -> Option<&str> {
        self.meant(self.fields.get(at)?)
    }

    /// All fields; none: null.
    pub fn fields(&self) -> impl Iterator<Item = Option<&str>> {
        self.fields.iter().map(|field| self.meant(field))
    }

    fn meant(&self, field: &Field) -> Option<&str> {
        match field {
            Field::Null => None,
            Field::Raw(range) => self.raw.get(range.clone()),
            Field::Spelt(range) => self.spelt.get(range.clone()),
        }
    }
}

/// Appends what an escaped text means.
fn unescape(text: &str, out: &mut String) {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.extend(chars.next().map(|escaped| match escaped {
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'v' => '\u{b}',
            'f' => '\u{c}',
            'r' => '\r',
            other => other,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_as_they_are_meant() {
        let mut line = CopyLine::default();
        *line.room() = "1\t\\N\ta\\tb\\\\c\\v\t\t2025-01-02 03:04:05.006+00\t+00\n".to_owned();
        line.part(&[false, false, false, false, true, false]);
        let fields: Vec<Option<&str>> = (0..7).map(|at| line.field(at)).collect();
        let wanted = [
            Some("1"),
            None,
            Some("a\tb\\c\u{b}"),
            Some(""),
            Some("2025-01-02 03:04:05.006Z"),
            Some("+00"),
            None,
        ];
        assert_eq!(fields, wanted);
        *line.room() = "\\N\n".to_owned();
        line.part(&[]);
        assert_eq!((line.field(0), line.field(1)), (None, None));
    }
}
