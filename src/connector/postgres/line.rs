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
        parted.take(line, &[]);
        parted
    }

    /// Takes the next line, with or without its end, and parts it in its fields. `times`: by field,
    /// whether it is a time in UTC, which is shown with `Z`.
    pub fn take(&mut self, line: &str, times: &[bool]) {
        self.fields.clear();
        self.spelt.clear();
        self.raw.clear();
        let line = line.strip_suffix('\n').unwrap_or(line);
        self.raw.push_str(line);
        let (mut begins, mut escaped) = (0, false);
        for at in memchr::memchr2_iter(b'\t', b'\\', line.as_bytes()) {
            if line.as_bytes().get(at) == Some(&b'\\') {
                escaped = true;
                continue;
            }
            self.add(begins..at, escaped, times);
            (begins, escaped) = (at + 1, false);
        }
        self.add(begins..line.len(), escaped, times);
    }

    /// Adds the next field, which stands in a part of the line.
    fn add(&mut self, part: Range<usize>, escaped: bool, times: &[bool]) {
        let text = self.raw.get(part.clone()).unwrap_or_default();
        let begins = self.spelt.len();
        let time = times.get(self.fields.len()).copied().unwrap_or(false);
        let field = if escaped && text == "\\N" {
            Field::Null
        } else if time && let Some((before, after)) = of_utc(text) {
            self.spelt.extend([before, "Z", after]);
            Field::Spelt(begins..self.spelt.len())
        } else if escaped {
            unescape(text, &mut self.spelt);
            Field::Spelt(begins..self.spelt.len())
        } else {
            Field::Raw(part)
        };
        self.fields.push(field);
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

/// What stands before and after the zone of a time in UTC: before the common era something follows.
fn of_utc(time: &str) -> Option<(&str, &str)> {
    match time.strip_suffix("+00") {
        Some(before) => Some((before, "")),
        None => time.split_once("+00"),
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
        let text =
            "1\t\\N\ta\\tb\\\\c\\v\t\t2025-01-02 03:04:05.006+00\t+00\t0044-03-15 00:00:00+00 BC\n";
        line.take(text, &[false, false, false, false, true, false, true]);
        let fields: Vec<Option<&str>> = (0..8).map(|at| line.field(at)).collect();
        let wanted = [
            Some("1"),
            None,
            Some("a\tb\\c\u{b}"),
            Some(""),
            Some("2025-01-02 03:04:05.006Z"),
            Some("+00"),
            Some("0044-03-15 00:00:00Z BC"),
            None,
        ];
        assert_eq!(fields, wanted);
        line.take("\\N\n", &[]);
        assert_eq!((line.field(0), line.field(1)), (None, None));
    }
}
