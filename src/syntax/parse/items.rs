//! Items: heads, blocks, and what stands between them.

use super::Reader;
use super::block::{Clauses, Read};
use super::build::Part;
use super::grammar::Rule;
use super::report::Trouble;
use crate::syntax::scan::{Kind, Token};
use crate::syntax::tree::*;

impl Reader<'_> {
    /// Reads every item that begins in this reader's range.
    pub fn items(&mut self, from: usize) -> Vec<Item> {
        let mut items = Vec::new();
        let mut at = from;
        while let Some(token) = self.token(at) {
            self.passed_brace = false;
            let (item, next) = self.item(token);
            items.extend(item);
            at = next.max(token.end);
        }
        items
    }

    fn item(&mut self, word: Token) -> (Option<Item>, usize) {
        let rule = match self.scan.str(word) {
            "use" => Rule::import,
            "policy" => Rule::policy_head,
            "system" => Rule::system_head,
            "entity" => Rule::entity_head,
            "extend" => Rule::extend_head,
            "map" => Rule::map_head,
            "scenario" => Rule::scenario_head,
            "test" => Rule::test_head,
            "}" => {
                self.report(Trouble::stray_brace(word));
                return (None, word.end);
            }
            _ => {
                self.report(Trouble::unknown_item(word));
                return self.skip_item(word, word.start);
            }
        };
        match self.pest(rule, word.start, self.end) {
            Ok((part, end)) => match self.read_item(word, rule, part, end) {
                Some((kind, end)) => {
                    let item = Item {
                        span: self.scan.span(word.start, end),
                        doc: self.scan.doc_before(word.start),
                        kind,
                    };
                    (Some(item), end)
                }
                None => (None, end),
            },
            Err(failure) => {
                let trouble = Trouble::expected(failure.at, failure.expected);
                self.report(trouble);
                self.skip_item(word, failure.at)
            }
        }
    }

    /// What a sound head begins; `end` is where the head ends, one past its brace.
    fn read_item(
        &mut self,
        word: Token,
        rule: Rule,
        part: Part<'_>,
        end: usize,
    ) -> Option<(ItemKind, usize)> {
        let keyword = self.scan.span(word.start, word.end);
        let open = end.saturating_sub(1);
        let mut parts = part.parts();
        Some(match rule {
            Rule::import => (ItemKind::Use(Str(parts.token(Rule::string)?)), end),
            Rule::policy_head => {
                let name = Name(parts.token(Rule::policy_name)?);
                let (block, end) = self.named(keyword, name, open);
                (ItemKind::Policy(block), end)
            }
            Rule::system_head => {
                let name = Name(parts.token(Rule::system_name)?);
                let (block, end) = self.named(keyword, name, open);
                (ItemKind::System(block), end)
            }
            Rule::entity_head => {
                let name = Name(parts.token(Rule::entity_name)?);
                let (block, end) = self.named(keyword, name, open);
                (ItemKind::Entity(block), end)
            }
            Rule::extend_head => {
                let name = Name(parts.token(Rule::entity_name)?);
                let (mut block, end) = self.named(keyword, name, open);
                self.fields_only(&mut block);
                (ItemKind::Extend(block), end)
            }
            Rule::map_head => {
                let entity = Name(parts.token(Rule::entity_name)?);
                let system = Name(parts.token(Rule::system_name)?);
                let object = parts.token(Rule::string).map(Str);
                let Read { clauses, end } = self.block(open, open + 1);
                let body = self.scan.span(open, end);
                let map = MapItem {
                    keyword,
                    entity,
                    system,
                    object,
                    body,
                    clauses,
                };
                (ItemKind::Map(map), end)
            }
            Rule::scenario_head => {
                let name = Name(parts.token(Rule::scenario_name)?);
                let title = parts.token(Rule::string).map(Str);
                let Read { clauses, end } = self.block(open, open + 1);
                let body = self.scan.span(open, end);
                let scenario = ScenarioItem {
                    keyword,
                    name,
                    title,
                    body,
                    clauses,
                };
                (ItemKind::Scenario(scenario), end)
            }
            Rule::test_head => {
                let title = Str(parts.token(Rule::string)?);
                let Read { clauses, end } = self.block(open, open + 1);
                let body = self.scan.span(open, end);
                (
                    ItemKind::Test(TestItem {
                        keyword,
                        title,
                        body,
                        clauses,
                    }),
                    end,
                )
            }
            _ => return None,
        })
    }

    /// `extend entity` has the clauses of an entity but for all that is no field.
    fn fields_only(&mut self, block: &mut Block<EntityClause>) {
        for clause in &mut block.clauses {
            if matches!(clause.kind, None | Some(EntityClause::Field(_))) {
                continue;
            }
            clause.kind = None;
            self.report(Trouble::field_wanted(clause.keyword.start as usize));
        }
    }

    fn named<C: Clauses>(
        &mut self,
        keyword: crate::text::Span,
        name: Name,
        open: usize,
    ) -> (Block<C>, usize) {
        let Read { clauses, end } = self.block(open, open + 1);
        let block = Block {
            keyword,
            name,
            body: self.scan.span(open, end),
            clauses,
        };
        (block, end)
    }

    /// An item that cannot be read, up to the next line that begins one; `from` is the token that
    /// did not fit.
    fn skip_item(&mut self, word: Token, from: usize) -> (Option<Item>, usize) {
        let name = self
            .token(word.end)
            .filter(|t| t.kind == Kind::Word && t.start <= from.max(word.end + 1))
            .map(|t| self.named_by(word, t));
        let (mut at, mut last) = (from.max(word.end), word.end);
        while let Some(token) = self.token(at) {
            if token.line_first && token.start > word.start && self.scan.item_start(token) {
                break;
            }
            (at, last) = (token.end, token.end);
        }
        let item = Item {
            span: self.scan.span(word.start, last),
            doc: self.scan.doc_before(word.start),
            kind: ItemKind::Error {
                keyword: (word.kind == Kind::Word).then(|| self.scan.span(word.start, word.end)),
                name: name.map(|t| Name(self.scan.span(t.start, t.end))),
            },
        };
        (Some(item), at)
    }

    /// The token that names a broken item: after `extend entity` the one after that.
    fn named_by(&self, word: Token, next: Token) -> Token {
        match (self.scan.str(word), self.scan.str(next)) {
            ("extend", "entity") => self.token(next.end).unwrap_or(next),
            _ => next,
        }
    }
}
