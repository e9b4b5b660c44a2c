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
    let (mut depth, mut quote) = (0_i32, None);
    let mut found = BTreeSet::new();
    // The part that is being read, and what is left of the text behind the letter.
    let (mut part, mut letters) = (text, text.chars());
    loop {
        let rest = letters.as_str();
        let Some(c) = letters.next() else {
            break;
        };
        if let Some(q) = quote {
            if c == '\\' {
                letters.next();
            } else if c == q {
                quote = None;
            }
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '?' if depth == 0 => return None,
            '|' if depth == 0 && mark == "&&" && rest.starts_with("||") => return None,
            _ if depth == 0 => {
                if let Some(behind) = rest.strip_prefix(mark) {
                    found.insert(whole(part.strip_suffix(rest).unwrap_or(part)));
                    (part, letters) = (behind, behind.chars());
                }
            }
            _ => {}
        }
    }
    found.insert(whole(part));
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

/// A word, a string with its quotes, or one other letter, at the start of a text, and what is left.
///
/// Strings are whole where `quotes` begin and end them.
fn token<'t>(text: &'t str, quotes: &[char]) -> Option<(&'t str, &'t str)> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut letters = text.chars();
    let first = letters.next()?;
    if quotes.contains(&first) {
        while let Some(c) = letters.next() {
            match c {
                '\\' => _ = letters.next(),
                c if c == first => break,
                _ => {}
            }
        }
    } else if word(first) {
        let rest = letters.as_str();
        letters = rest.trim_start_matches(word).chars();
    }
    let rest = letters.as_str();
    Some((text.strip_suffix(rest).unwrap_or(text), rest))
}

/// An expression with a name replaced wherever it stands as a word outside of strings.
pub(super) fn rename(text: &str, from: &str, to: &str, after: Option<&str>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((own, behind)) = token(rest, &['"', '\'']) {
        let fits = own == from
            && match after {
                None => !out.ends_with('.'),
                Some(entity) => out
                    .strip_suffix('.')
                    .is_some_and(|before| before.ends_with(entity)),
            };
        out.push_str(if fits { to } else { own });
        rest = behind;
    }
    out
}

/// Whether two flat texts differ in nothing but names that are each an old and a new one.
pub(super) fn same_but_names(old: &str, new: &str, names: &[(&str, &str)]) -> bool {
    let (mut old, mut new) = (old, new);
    loop {
        match (token(old, &['"']), token(new, &['"'])) {
            (Some((a, old_rest)), Some((b, new_rest))) => {
                if a != b && !names.contains(&(a, b)) {
                    return false;
                }
                (old, new) = (old_rest, new_rest);
            }
            (a, b) => return a.is_none() && b.is_none(),
        }
    }
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
            ("s == \"\\\"é && \" && b", "b", Relation::Wider),
            ("ü && é", "é && ü", Relation::Same),
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

    #[test]
    fn texts_are_the_same_but_for_names_that_were_given_anew() {
        let names = [("crm", "sales"), ("name", "title")];
        let old = "given x in crm { name = \"crm\" } `x.name == 'é'`";
        let new = "given x in sales { title = \"crm\" } `x.title == 'é'`";
        assert!(same_but_names(old, new, &names));
        assert!(!same_but_names(new, old, &names));
        assert!(!same_but_names(
            old,
            &new.replace("\"crm", "\"sales"),
            &names
        ));
        assert!(!same_but_names(old, &format!("{new} x"), &names));
        assert!(!same_but_names("crmx", "salesx", &names));
    }
}
