//! The items of all files by kind, in reading order.

use super::Lowering;
use crate::syntax::tree::{
    Block, EntityClause, File, Item, ItemKind, MapItem, PolicyClause, ScenarioItem, SystemClause,
    TestItem,
};

/// An item with its block.
pub(super) type Of<'a, T> = (&'a Item, &'a T);

#[derive(Default)]
pub(super) struct Items<'a> {
    pub(super) policies: Vec<Of<'a, Block<PolicyClause>>>,
    pub(super) systems: Vec<Of<'a, Block<SystemClause>>>,
    pub(super) entities: Vec<Of<'a, Block<EntityClause>>>,
    pub(super) extends: Vec<Of<'a, Block<EntityClause>>>,
    pub(super) maps: Vec<Of<'a, MapItem>>,
    pub(super) scenarios: Vec<Of<'a, ScenarioItem>>,
    pub(super) tests: Vec<Of<'a, TestItem>>,
}

impl<'a> Items<'a> {
    pub(super) fn gather(lowering: &mut Lowering<'a>, files: &'a [File]) -> Self {
        let mut items = Items::default();
        for file in files {
            lowering.items_cut_short(file);
        }
        for item in files.iter().flat_map(|f| &f.items) {
            match &item.kind {
                ItemKind::Use(_) => {}
                ItemKind::Policy(block) => items.policies.push((item, block)),
                ItemKind::System(block) => items.systems.push((item, block)),
                ItemKind::Entity(block) => items.entities.push((item, block)),
                ItemKind::Extend(block) => items.extends.push((item, block)),
                ItemKind::Map(map) => items.maps.push((item, map)),
                ItemKind::Scenario(scenario) => items.scenarios.push((item, scenario)),
                ItemKind::Test(test) => items.tests.push((item, test)),
                ItemKind::Error { keyword, name } => {
                    lowering.broken_item(item.span, *keyword, name.is_some());
                }
            }
        }
        items
    }
}

/// Keywords that begin an item; a broken item with any other is a clause that stands in no block.
const ITEM_WORDS: [&str; 8] = [
    "use", "policy", "system", "entity", "extend", "map", "scenario", "test",
];

impl Lowering<'_> {
    /// Notes the items after which clauses follow that stand in no block: a brace too many closed
    /// them too early.
    fn items_cut_short(&mut self, file: &File) {
        let mut last = None;
        for item in &file.items {
            match item.kind {
                ItemKind::Error {
                    keyword: Some(keyword),
                    ..
                } if !ITEM_WORDS.contains(&self.text(keyword)) => self.cut.extend(last),
                ItemKind::Error { .. } => {}
                _ => last = Some(item.span),
            }
        }
    }
}
