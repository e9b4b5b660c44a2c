//! The formatter's proof of its own result.

use super::{FormatFault, once, tokens};

/// Same tokens, same comments, same order: then the tree is the same too.
pub(super) fn same(path: &str, before: &str, after: &str) -> Result<(), FormatFault> {
    let fault = |what: String| FormatFault {
        path: path.to_owned(),
        what,
    };
    let (old, new) = (tokens::all(before), tokens::all(after));
    let differ = old
        .iter()
        .zip(&new)
        .find(|(a, b)| a.text(before) != b.text(after));
    if let Some((a, b)) = differ {
        let (a, b) = (a.text(before), b.text(after));
        return Err(fault(format!("`{a}` became `{b}`")));
    }
    if old.len() != new.len() {
        return Err(fault(format!("{} tokens became {}", old.len(), new.len())));
    }
    Ok(())
}

/// Formatting the result changes nothing.
pub(super) fn stable(path: &str, text: &str) -> Result<(), FormatFault> {
    match once(path, text) {
        Some(again) if again == text => Ok(()),
        Some(_) => Err(FormatFault {
            path: path.to_owned(),
            what: "a second pass would change the layout again".into(),
        }),
        None => Err(FormatFault {
            path: path.to_owned(),
            what: "the result has syntax errors".into(),
        }),
    }
}
