//! What the rules of a SARIF file say of each check: the same as `syncline explain`.

use super::explain;
use crate::finding::CodeInfo;
use crate::render::sarif::About;

/// What a check is.
pub(super) fn about(info: CodeInfo) -> About {
    let full = explain::meaning(info.code);
    let short = full.split_once(". ").map_or(full, |(first, _)| first);
    let short = short.trim_end_matches('.');
    let more = format!("syncline explain {}", info.code);
    About {
        short: format!("{short}."),
        full: full.to_owned(),
        text: format!("{full}\n\nMore: {more}"),
        markdown: format!("{full}\n\nMore: `{more}`"),
    }
}
