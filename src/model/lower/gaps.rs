//! What could not be read, so that nothing is concluded from its absence.

use super::Lowering;
use crate::text::Span;

impl Lowering<'_> {
    /// An item that could not be read.
    pub(super) fn broken_item(&mut self, span: Span, keyword: Option<Span>) {
        let text = self.text(span);
        let gaps = &mut self.policy.gaps;
        gaps.add(text);
        match keyword.map(|k| self.sources.slice(k)) {
            Some("policy") => gaps.policy = true,
            Some("map") => gaps.maps = true,
            Some("scenario") => gaps.scenarios = true,
            Some("system" | "entity" | "extend" | "test" | "use") => {}
            Some(_) | None => {
                gaps.policy = true;
                gaps.maps = true;
                gaps.scenarios = true;
            }
        }
    }

    /// A clause that could not be read.
    pub(super) fn broken_clause(&mut self, span: Span) {
        let text = self.text(span);
        self.policy.gaps.add(text);
    }
}
