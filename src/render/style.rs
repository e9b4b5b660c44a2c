//! What a text for people may look like.

/// How a text for people is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether colours may be used.
    pub color: bool,
    /// Characters in a line.
    pub width: usize,
}

impl Style {
    /// Without colour, and as wide as a page: for files and pipes.
    pub const PLAIN: Style = Style {
        color: false,
        width: 100,
    };

    /// `text` in bold, where colours may be used.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// `text` dimmed, where colours may be used.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// `text` in red, where colours may be used.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// `text` in yellow, where colours may be used.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// `text` in green, where colours may be used.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// `1 file`, `2 files`.
pub(crate) fn count(number: usize, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// A line broken at spaces into parts of at most `room` characters, where words allow.
pub(crate) fn wrap(line: &str, room: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut used = 0;
    for word in line.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            parts.push(String::new());
            used = 0;
        }
        if let Some(part) = parts.last_mut() {
            if used > 0 {
                part.push(' ');
                used += 1;
            }
            part.push_str(word);
            used += length;
        }
    }
    parts
}

/// Running text in lines of at most `width` characters, with a final newline.
pub fn fill(text: &str, width: usize) -> String {
    let mut out = wrap(text, width).join("\n");
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn words_are_wrapped_at_spaces_alone() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("aaaaaaaa bb", 5), ["aaaaaaaa", "bb"]);
        assert_eq!(wrap("", 5), [""]);
    }
}
