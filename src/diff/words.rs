//! What texts of expressions and tests tell without being run.

use std::collections::BTreeSet;

/// How an expression relates to the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// It says the same in other words.
    Same,
    /// It holds for fewer.
    Narrower,
    /// It holds for more.
    Wider,
    /// That cannot be told from its parts.
    Other,
}

/// How a condition relates to the one before it, by the parts that `&&` or `||` join.
pub(super) fn relation(old: &str, new: &str) -> Relation {
    let (old, new) = (bare(old), bare(new));
    if old == new {
        return Relation::Same;
    }
    let relate = |mark: &str, fewer: Relation, more: Relation| {
        let (old, new) = (parts(&old, mark)?, parts(&new, mark)?);
        match (new.is_superset(&old), old.is_superset(&new)) {
            (true, true) => Some(Relation::Same),
            (true, false) => Some(more),
            (false, true) => Some(fewer),
            (false, false) => None,
        }
    };
    relate("&&", Relation::Wider, Relation::Narrower)
        .or_else(|| relate("||", Relation::Narrower, Relation::Wider))
        .unwrap_or(Relation::Other)
}

/// Whether two expressions differ in nothing but spaces.
pub(super) fn same_but_spaces(old: &str, new: &str) -> bool {
    bare(old) == bare(new)
}

/// An expression with its spaces cut down to those that part words.
fn bare(text: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match quote {
            Some(q) => {
                out.push(c);
                if c == '\\' {
                    out.extend(letters.next());
                } else if c == q {
                    quote = None;
                }
            }
            None if c.is_whitespace() => {
                while letters.next_if(|c| c.is_whitespace()).is_some() {}
                let word = |c: char| c.is_alphanumeric() || c == '_';
                // `a in b` needs its spaces, `a && b` does not; signs keep theirs apart too.
                let parts = out.chars().last().zip(letters.peek().copied());
                let glued =
                    |a: char, b: char| (word(a) && word(b)) || (a == b && !"()[]{}".contains(a));
                if parts.is_some_and(|(a, b)| glued(a, b)) {
                    out.push(' ');
                }
            }
            None => {
                if c == '"' || c == '\'' {
                    quote = Some(c);
                }
                out.push(c);
            }
        }
    }
    out
}

/// The parts that a mark joins outside of any brackets; none where another mark of less strength
/// stands there, so that the parts would not be what the mark joins.
fn parts<'t>(text: &'t str, mark: &str) -> Option<BTreeSet<&'t str>> {
    let (mut depth, mut start, mut quote) = (0_i32, 0, None);
    let mut found = BTreeSet::new();
    let mut skip_to = 0;
    for (at, c) in text.char_indices() {
        if at < skip_to {
            continue;
        }
        if let Some(q) = quote {
            if c == '\\' {
                skip_to = at + 1 + text[at + 1..].chars().next().map_or(0, char::len_utf8);
            } else if c == q {
                quote = None;
            }
            continue;
        }
        let rest = &text[at..];
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '?' if depth == 0 => return None,
            '|' if depth == 0 && mark == "&&" && rest.starts_with("||") => return None,
            _ if depth == 0 && rest.starts_with(mark) => {
                found.insert(whole(&text[start..at]));
                start = at + mark.len();
                skip_to = start;
            }
            _ => {}
        }
    }
    found.insert(whole(&text[start..]));
    Some(found)
}

/// A part without the brackets around all of it.
fn whole(part: &str) -> &str {
    let Some(inner) = part.strip_prefix('(').and_then(|p| p.strip_suffix(')')) else {
        return part;
    };
    // `(a)==(b)` begins and ends with brackets that do not belong together.
    let mut depth = 0_i32;
    for c in inner.chars() {
        match c {
            '"' | '\'' => return part,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            return part;
        }
    }
    inner
}

/// A text of the policy language without comments, in one line with single spaces.
pub(super) fn flat(text: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match (quote, c) {
            (Some('"'), '\\') => {
                out.push(c);
                out.extend(letters.next());
            }
            (Some(q), c) => {
                out.push(c);
                if c == q {
                    quote = None;
                }
            }
            (None, '/') if letters.peek() == Some(&'/') => {
                while letters.next_if(|c| *c != '\n').is_some() {}
            }
            (None, c) if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            (None, c) => {
                if c == '"' || c == '`' {
                    quote = Some(c);
                }
                out.push(c);
            }
        }
    }
    out.trim_end().to_owned()
}

/// An expression with a name replaced wherever it stands as a word outside of strings.
pub(super) fn rename(text: &str, from: &str, to: &str, after: Option<&str>) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        if let Some(q) = quote {
            let taken = if c == '\\' {
                1 + rest[1..].chars().next().map_or(0, char::len_utf8)
            } else {
                c.len_utf8()
            };
            if c == q {
                quote = None;
            }
            out.push_str(&rest[..taken]);
            rest = &rest[taken..];
        } else if word(c) {
            let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
            let own = &rest[..end];
            let fits = match after {
                None => !out.ends_with('.'),
                Some(entity) => out
                    .strip_suffix('.')
                    .is_some_and(|before| before.ends_with(entity)),
            };
            out.push_str(if own == from && fits { to } else { own });
            rest = &rest[end..];
        } else {
            if c == '"' || c == '\'' {
                quote = Some(c);
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_told_wider_or_narrower_by_its_parts() {
        let cases = [
            ("a && b", "a&&b", Relation::Same),
            ("a && b", "b && a", Relation::Same),
            ("a", "a && b", Relation::Narrower),
            ("a && b", "b", Relation::Wider),
            ("a", "a || b", Relation::Wider),
            ("a || b", "a", Relation::Narrower),
            ("a", "(a) && (b)", Relation::Narrower),
            ("a", "b", Relation::Other),
            // `&&` binds more tightly: these are not what they look like.
            ("a || b", "a || b && c", Relation::Other),
            ("x ? a : b", "x ? a : b && c", Relation::Other),
            ("s == \"a && b\"", "s == \"a  && b\"", Relation::Other),
            ("x in y", "xiny", Relation::Other),
            ("a - -1", "a--1", Relation::Other),
        ];
        for (old, new, expected) in cases {
            assert_eq!(relation(old, new), expected, "{old} → {new}");
        }
    }

    #[test]
    fn comments_and_layout_of_a_test_do_not_count() {
        let old = "test \"a // b\" { // c\n  at 0s  x\n}";
        assert_eq!(flat(old), "test \"a // b\" { at 0s x }");
    }

    #[test]
    fn names_are_replaced_as_words_outside_of_strings() {
        let text = "contact.a == \"contact.a\" && xcontact.a && b.contact";
        assert_eq!(
            rename(text, "contact", "person", None),
            "person.a == \"contact.a\" && xcontact.a && b.contact"
        );
        assert_eq!(
            rename("contact.a + deal.a", "a", "z", Some("contact")),
            "contact.z + deal.a"
        );
    }
}
