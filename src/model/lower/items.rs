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
                ItemKind::Error { keyword, .. } => lowering.broken_item(item.span, *keyword),
            }
        }
        items
    }
}
