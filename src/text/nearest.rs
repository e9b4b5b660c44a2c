//! The nearest of a list of names, for "did you mean".

/// The candidate nearest to `word`: at most a third of its letters away (at least one), and
/// nearer than any other; ties have no answer, so a suggestion is never a guess between two.
///
/// Distance is Damerau-Levenshtein without regard to case. The order of `candidates` does not
/// matter.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_lowercase();
    let limit = (wanted.chars().count() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    let mut tied = false;
    for candidate in candidates {
        if candidate.chars().count().abs_diff(wanted.chars().count()) > limit {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&wanted, &candidate.to_lowercase());
        if distance > limit {
            continue;
        }
        match best {
            Some((d, name)) if distance == d && name != candidate => tied = true,
            Some((d, _)) if distance >= d => {}
            _ => {
                best = Some((distance, candidate));
                tied = false;
            }
        }
    }
    best.filter(|_| !tied).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_only_a_clear_winner() {
        assert_eq!(nearest("mailr", ["crm", "mailer"]), Some("mailer"));
        assert_eq!(nearest("Feild", ["field", "fresh"]), Some("field"));
        assert_eq!(nearest("zzzzzz", ["field"]), None);
        assert_eq!(nearest("veiw", ["edit", "view"]), Some("view"));
        assert_eq!(nearest("ab", ["aa", "bb"]), None, "a tie is no answer");
    }
}
