//! What the rules of a SARIF file say of each check: what its page says.

use crate::checks::pages::{self, Page};
use crate::finding::CodeInfo;
use crate::render::sarif::About;

/// What a check is.
pub(super) fn about(info: CodeInfo) -> About {
    let more = format!("syncline explain {}", info.code);
    // A test holds that every code has a page, and that each can be read.
    let page = pages::source(info.code).and_then(|text| Page::parse(text).ok());
    let Some(page) = page else {
        return About {
            short: info.name.to_owned(),
            full: info.name.to_owned(),
            text: more.clone(),
            markdown: more,
        };
    };
    let parts = [
        page.meaning.to_owned(),
        format!("## Why it matters\n\n{}", page.why),
        format!("## What mends it\n\n{}", page.ways),
        format!("More: `{more}`"),
    ];
    let markdown = parts.join("\n\n");
    About {
        short: page.summary(),
        full: page.meaning.to_owned(),
        text: markdown.replace("## ", ""),
        markdown,
    }
}
