//! From trees and catalog to the resolved policy.
//!
//! Every item is lowered for itself: what cannot be read or resolved is reported where it stands
//! and left out, and nothing after it is held back.

mod allow;
mod checkpoint;
mod clauses;
mod entity;
mod expression;
mod field;
mod gaps;
mod hops;
mod items;
mod map;
mod misspelt;
mod mode;
mod names;
mod policy;
mod scenario;
mod sync;
mod system;
mod test;
mod values;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use self::items::Items;
use super::{Mode, ModeKind, Policy};
use crate::catalog::{Catalog, Entry};
use crate::finding::Finding;
use crate::syntax::{literal, tree};
use crate::terms::ModeClass;
use crate::text::{Sources, Span};
use crate::time::{Calendar, Zone};

/// Connectors of the author's own, by the place of the path in `connector "…"`. `Err` holds what
/// is wrong with the file.
pub type OwnConnectors = HashMap<Span, Result<Arc<Entry>, String>>;

/// What is lowered.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The texts in reading order, the root first.
    pub sources: &'a Sources,
    /// Their trees in the same order.
    pub files: &'a [tree::File],
    /// Whether a file that the policy uses could not be read (SL0004): it may have declared
    /// anything.
    pub unread: bool,
    /// The built-in connectors.
    pub catalog: &'a Catalog,
    /// Connectors of the author's own.
    pub own: &'a OwnConnectors,
    /// The day whose year is the calendar's.
    pub now: NaiveDate,
}

/// Every path in a `connector "…"`, with its place; relative to the file it stands in.
pub fn own_connector_paths(sources: &Sources, files: &[tree::File]) -> Vec<(Span, String)> {
    let mut paths = Vec::new();
    for item in files.iter().flat_map(|f| &f.items) {
        let tree::ItemKind::System(block) = &item.kind else {
            continue;
        };
        for clause in &block.clauses {
            if let Some(tree::SystemClause::Connector(tree::ConnectorRef::Path(path))) = clause.kind
                && let Ok(text) = literal::string(sources.slice(path.0))
            {
                paths.push((path.0, text.into_owned()));
            }
        }
    }
    paths
}

/// Resolves a policy. The findings are those of names and values alone, in no particular order;
/// see [`crate::finding::sort`].
pub fn lower(input: &Input<'_>) -> (Policy, Vec<Finding>) {
    let mut lowering = Lowering::new(input);
    lowering.run(input);
    let misspelt = lowering.misspelt(input.files);
    if !misspelt.is_empty() {
        lowering = Lowering::new(input);
        lowering.correct(&misspelt);
        lowering.run(input);
    }
    (lowering.policy, lowering.findings)
}

/// Work in progress.
struct Lowering<'a> {
    sources: &'a Sources,
    catalog: &'a Catalog,
    own: &'a OwnConnectors,
    now: NaiveDate,
    policy: Policy,
    findings: Vec<Finding>,
    texts: HashMap<&'a str, Arc<str>>,
    entries: HashMap<&'a str, Arc<Entry>>,
    expressions: HashMap<(&'a str, expression::Place), Arc<expression::Ready>>,
    names: names::Declared,
    meant: HashMap<(names::Kind, &'a str), Option<names::Place>>,
    missed: Vec<misspelt::Missed<'a>>,
    unnamed: gaps::Unnamed,
    /// Whether the policy's currency could not be read: amounts are then held to none.
    currency_lost: bool,
    /// Items that end too early.
    cut: HashSet<Span>,
    spellings: misspelt::Spellings<'a>,
    /// Classes that a `class` clause makes, in reading order.
    classes: Vec<super::Ident>,
    class_names: HashSet<Arc<str>>,
    /// `cleared` clauses, looked at once the classes are known.
    cleared: Vec<(super::SystemId, Span, &'a [tree::Name])>,
}

impl<'a> Lowering<'a> {
    fn new(input: &Input<'a>) -> Self {
        let hourly = crate::time::Schedule::Every(crate::time::Millis::HOUR);
        let policy = Policy {
            name: None,
            span: None,
            doc: None,
            zone: Zone::UTC,
            calendar: Arc::new(Calendar::of_year(Zone::UTC, input.now)),
            zone_span: None,
            currency: Arc::from("USD"),
            currency_span: None,
            unsure: Mode {
                kind: ModeKind::Scheduled(Some(hourly)),
                class: Some(ModeClass::Scheduled),
                span: None,
                written: false,
                chosen: None,
            },
            upkeep: None,
            alert: None,
            allows: Vec::new(),
            systems: Vec::new(),
            entities: Vec::new(),
            maps: Vec::new(),
            scenarios: Vec::new(),
            tests: Vec::new(),
            gaps: super::Gaps::unread(input.unread),
            index: super::policy::Index::default(),
        };
        Lowering {
            sources: input.sources,
            catalog: input.catalog,
            own: input.own,
            now: input.now,
            policy,
            findings: Vec::new(),
            texts: HashMap::new(),
            entries: HashMap::new(),
            expressions: HashMap::new(),
            names: names::Declared::default(),
            meant: HashMap::new(),
            missed: Vec::new(),
            unnamed: gaps::Unnamed::default(),
            currency_lost: false,
            cut: HashSet::new(),
            spellings: HashMap::new(),
            classes: Vec::new(),
            class_names: HashSet::new(),
            cleared: Vec::new(),
        }
    }

    fn run(&mut self, input: &Input<'a>) {
        let items = Items::gather(self, input.files);
        self.policy_item(&items);
        self.declare(&items);
        self.system_items(&items);
        self.entity_items(&items);
        self.cleared();
        self.map_items(&items);
        self.scenario_items(&items);
        self.test_items(&items);
        self.policy
            .allows
            .sort_by_key(|a| (a.span.file, a.span.start));
    }

    /// The text of a span.
    fn text(&self, span: Span) -> &'a str {
        self.sources.slice(span)
    }

    fn report(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}
