//! Systems and what moves between them: which arrows there are, and which share one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::arithmetic::HopAge;
use crate::estimate::{Estimate, FieldAge, Ground};
use crate::model::{FieldId, Scenario, SystemId};
use crate::terms::ModeClass;

/// More arrows than this from one system to another are told apart by the class of their mode
/// only: a reader cannot follow more lines between two boxes.
const PAIR_MAX: usize = 4;

/// With more arrows than this in all, those of every pair are.
const ARROWS_MAX: usize = 60;

/// So many names of fields ride along with an arrow.
const NAMES_MAX: usize = 12;

/// A picture of systems and what moves between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// What it is a picture of, `policy acme`.
    pub title: String,
    /// The systems in the order of the policy.
    pub nodes: Vec<Node>,
    /// What moves between them, in the order of the policy.
    pub arrows: Vec<Arrow>,
    /// Systems that were left out to keep it readable.
    pub nodes_left: usize,
    /// Arrows that were left out.
    pub arrows_left: usize,
}

/// A system.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its connector as the policy writes it.
    pub connector: Option<String>,
    /// What it is to the field, in a picture of one.
    pub role: Option<Role>,
    /// How old the field gets there, in a picture of one.
    pub age: Option<Age>,
    /// How many fields get older there than their `fresh` allows.
    pub late: usize,
}

/// What a system is to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It owns the field.
    Owner,
    /// The field accepts its word.
    Accepted,
    /// It is told.
    Receiver,
    /// It knows what the field is derived from.
    Input,
}

/// How old something is, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Age {
    /// The worst; none: without bound.
    pub worst: Option<f64>,
    /// The mean; none: without bound.
    pub mean: Option<f64>,
    /// What is allowed; none: nothing asks.
    pub required: Option<f64>,
}

/// Seconds by which a bound may be missed: less than any duration can say.
const TOLERANCE: f64 = 0.0005;

impl Age {
    /// Whether it is older than is allowed.
    pub fn is_late(&self) -> bool {
        self.required
            .is_some_and(|most| self.worst.is_none_or(|worst| worst > most + TOLERANCE))
    }

    /// The worst as a share of what is allowed, infinite without bound; none: nothing asks.
    pub fn share(&self) -> Option<f64> {
        let most = self.required?;
        Some(match self.worst {
            Some(worst) if most > 0.0 => worst / most,
            _ => f64::INFINITY,
        })
    }
}

impl From<&FieldAge> for Age {
    fn from(age: &FieldAge) -> Age {
        Age {
            worst: age.worst_seconds,
            mean: age.mean_seconds,
            required: age.required_seconds,
        }
    }
}

/// What an arrow stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    /// Fields from one system to another.
    Fields,
    /// Nothing: records of one system are cleaned there.
    Cleans,
}

/// What moves from one system to another by one scenario, or by all scenarios of a mode class.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrow {
    /// From where: a position in [`Picture::nodes`].
    pub from: usize,
    /// To where.
    pub to: usize,
    /// What it stands for.
    pub moves: Moves,
    /// The scenarios, at least one.
    pub scenarios: Vec<String>,
    /// The mode as the policy writes it; none: several scenarios, or it could not be read.
    pub mode: Option<String>,
    /// The class of the mode.
    pub class: Option<ModeClass>,
    /// The first names of the fields that it carries.
    pub fields: Vec<String>,
    /// How many fields that are.
    pub field_count: usize,
    /// The oldest that a change is when it is written, with the scenario's own `fresh`.
    pub age: Age,
    /// The carried field that comes nearest to its bound where the arrow ends.
    pub tightest: Option<Tightest>,
}

impl Arrow {
    /// Whether something that it carries gets older than is allowed.
    pub fn is_late(&self) -> bool {
        self.age.is_late() || self.tightest.as_ref().is_some_and(|t| t.age.is_late())
    }
}

/// A field with a bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Tightest {
    /// Its path, `contact.score`.
    pub field: String,
    /// Its age and its bound.
    pub age: Age,
}

/// Arrows while they are put together: fields by id.
pub(super) struct Draft {
    pub arrow: Arrow,
    pub carried: BTreeSet<FieldId>,
}

/// The picture of a whole policy.
pub fn picture(ground: Ground, estimate: &Estimate) -> Picture {
    let ages = by_place(estimate);
    let mut late: HashMap<&str, usize> = HashMap::new();
    for field in &estimate.fields {
        if Age::from(field).is_late() {
            *late.entry(&field.system).or_default() += 1;
        }
    }
    let nodes = ground.policy.systems.iter().map(|system| Node {
        late: late.get(&*system.name.text).copied().unwrap_or(0),
        ..node(ground, system.id)
    });
    let mut drafts = Vec::new();
    for scenario in &ground.policy.scenarios {
        drafts.extend(of_scenario(ground, estimate, scenario, &ages));
    }
    let arrows = merged(drafts);
    let name = ground.policy.name.as_ref();
    Picture {
        title: format!("policy {}", name.map_or("", |n| &n.text)),
        nodes: nodes.collect(),
        arrows: arrows.into_iter().map(|d| named(ground, d)).collect(),
        nodes_left: 0,
        arrows_left: 0,
    }
}

pub(super) fn node(ground: Ground, system: SystemId) -> Node {
    let system = ground.policy.system(system);
    let connector = system.connector.as_ref();
    Node {
        name: system.name.text.to_string(),
        connector: connector.map(|c| c.written.text.to_string()),
        role: None,
        age: None,
        late: 0,
    }
}

/// Ages by field and system; only ever looked up.
type Places<'e> = HashMap<(&'e str, &'e str), &'e FieldAge>;

fn by_place(estimate: &Estimate) -> Places<'_> {
    let bounded = estimate
        .fields
        .iter()
        .filter(|f| f.required_seconds.is_some());
    bounded
        .map(|f| ((f.field.as_str(), f.system.as_str()), f))
        .collect()
}

/// The arrows of one scenario: one for each pair of systems, and its `clean`.
fn of_scenario(
    ground: Ground,
    estimate: &Estimate,
    scenario: &Scenario,
    ages: &Places,
) -> Vec<Draft> {
    let Some(figures) = ground.arithmetic.scenario(scenario.id) else {
        return Vec::new();
    };
    let shown = estimate
        .scenarios
        .get(scenario.id.index())
        .filter(|s| s.name == *scenario.name.text);
    let required = scenario.fresh.map(|f| f.value.as_secs_f64());
    let mut drafts: Vec<Draft> = Vec::new();
    for (load, age) in figures.hops.iter().zip(&figures.ages) {
        let at = load
            .hop
            .map(|hop| ground.graph.flows.hop(ground.policy, hop));
        let arrow = Arrow {
            from: load.from.index(),
            to: load.to.index(),
            moves: match at {
                Some(_) => Moves::Fields,
                None => Moves::Cleans,
            },
            scenarios: vec![scenario.name.text.to_string()],
            mode: shown.map(|s| s.mode.clone()).filter(|m| !m.is_empty()),
            class: shown.and_then(|s| s.class),
            fields: Vec::new(),
            field_count: 0,
            age: of_hop(age, required.filter(|_| at.is_some())),
            tightest: None,
        };
        let carried: BTreeSet<FieldId> = at.into_iter().flat_map(|h| h.fields.to_vec()).collect();
        let mut draft = Draft { arrow, carried };
        draft.arrow.tightest = tightest(ground, &draft.carried, load.to, ages);
        match drafts.iter_mut().find(|d| same_way(&d.arrow, &draft.arrow)) {
            Some(known) => join(known, draft),
            None => drafts.push(draft),
        }
    }
    drafts
}

pub(super) fn same_way(a: &Arrow, b: &Arrow) -> bool {
    (a.from, a.to, a.moves) == (b.from, b.to, b.moves)
}

pub(super) fn of_hop(age: &HopAge, required: Option<f64>) -> Age {
    Age {
        worst: age.worst.total(),
        mean: age.mean.total(),
        required,
    }
}

fn tightest(
    ground: Ground,
    carried: &BTreeSet<FieldId>,
    to: SystemId,
    ages: &Places,
) -> Option<Tightest> {
    let system = &*ground.policy.system(to).name.text;
    let bounded = carried
        .iter()
        .filter(|f| ground.policy.field(**f).fresh.is_some());
    let found = bounded.filter_map(|id| {
        let field = ground.policy.field_path(*id);
        let age = Age::from(*ages.get(&(field.as_str(), system))?);
        Some(Tightest { field, age })
    });
    found.reduce(tighter)
}

fn tighter(a: Tightest, b: Tightest) -> Tightest {
    match b.age.share() > a.age.share() {
        true => b,
        false => a,
    }
}

/// Lets an arrow stand for another too.
pub(super) fn join(known: &mut Draft, more: Draft) {
    known.carried.extend(more.carried);
    let (arrow, other) = (&mut known.arrow, more.arrow);
    for name in other.scenarios {
        if !arrow.scenarios.contains(&name) {
            arrow.scenarios.push(name);
        }
    }
    if arrow.mode != other.mode {
        arrow.mode = None;
    }
    let most = |a: Option<f64>, b: Option<f64>| Some(a?.max(b?));
    // What is late stays so, whatever it is joined with; bounds that differ are not mixed.
    let late = arrow.age.is_late() || other.age.is_late();
    arrow.age = match late {
        true if other.age.share() > arrow.age.share() => other.age,
        true => arrow.age,
        false => Age {
            worst: most(arrow.age.worst, other.age.worst),
            mean: most(arrow.age.mean, other.age.mean),
            required: arrow
                .age
                .required
                .filter(|r| other.age.required == Some(*r)),
        },
    };
    arrow.tightest = match (arrow.tightest.take(), other.tightest) {
        (Some(a), Some(b)) => Some(tighter(a, b)),
        (a, b) => a.or(b),
    };
}

/// Arrows of one pair and class as one, where there are too many to be told apart.
fn merged(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut pairs: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for draft in &drafts {
        *pairs.entry((draft.arrow.from, draft.arrow.to)).or_default() += 1;
    }
    let all = drafts.len() > ARROWS_MAX;
    let crowded = |arrow: &Arrow| {
        let count = pairs.get(&(arrow.from, arrow.to)).copied().unwrap_or(0);
        count > PAIR_MAX || (all && count > 1)
    };
    let mut out: Vec<Draft> = Vec::new();
    let mut known: HashMap<(usize, usize, bool, Option<ModeClass>), usize> = HashMap::new();
    for draft in drafts {
        let arrow = &draft.arrow;
        if !crowded(arrow) {
            out.push(draft);
            continue;
        }
        let cleans = arrow.moves == Moves::Cleans;
        let key = (arrow.from, arrow.to, cleans, arrow.class);
        match known.get(&key).and_then(|at| out.get_mut(*at)) {
            Some(first) => join_many(first, draft),
            None => {
                known.insert(key, out.len());
                out.push(draft);
            }
        }
    }
    out
}

/// As [`join`], for arrows of different scenarios.
fn join_many(known: &mut Draft, more: Draft) {
    // Looking through thousands of names for each would take their square.
    let (scenarios, others) = (
        std::mem::take(&mut known.arrow.scenarios),
        more.arrow.scenarios.clone(),
    );
    let more = Draft {
        arrow: Arrow {
            scenarios: Vec::new(),
            ..more.arrow
        },
        ..more
    };
    join(known, more);
    known.arrow.scenarios = scenarios;
    known.arrow.scenarios.extend(others);
}

/// The finished arrow, with the names of its fields.
pub(super) fn named(ground: Ground, draft: Draft) -> Arrow {
    let names = draft.carried.iter().take(NAMES_MAX);
    Arrow {
        fields: names.map(|f| ground.policy.field_path(*f)).collect(),
        field_count: draft.carried.len(),
        ..draft.arrow
    }
}

impl Picture {
    /// The same with at most so many systems and arrows, those that carry most; what is left out
    /// is counted.
    pub fn at_most(self, nodes_max: usize, arrows_max: usize) -> Picture {
        if self.nodes.len() <= nodes_max && self.arrows.len() <= arrows_max {
            return self;
        }
        let mut by_weight: Vec<usize> = (0..self.arrows.len()).collect();
        let weight = |at: &usize| {
            let arrow = self.arrows.get(*at);
            arrow.map_or((false, 0), |a| (a.is_late(), a.field_count))
        };
        // Stable, so that equals stay in the order of the policy.
        by_weight.sort_by_key(|at| std::cmp::Reverse(weight(at)));
        let mut drawn: BTreeSet<usize> = BTreeSet::new();
        let mut kept: BTreeSet<usize> = BTreeSet::new();
        for at in by_weight {
            let Some(arrow) = self.arrows.get(at) else {
                continue;
            };
            let mut with = drawn.clone();
            with.extend([arrow.from, arrow.to]);
            if kept.len() < arrows_max && with.len() <= nodes_max {
                drawn = with;
                kept.insert(at);
            }
        }
        let place: BTreeMap<usize, usize> =
            drawn.iter().enumerate().map(|(at, n)| (*n, at)).collect();
        let (nodes_before, arrows_before) = (self.nodes.len(), self.arrows.len());
        let nodes = self.nodes.into_iter().enumerate();
        let nodes: Vec<Node> = nodes
            .filter(|(at, _)| drawn.contains(at))
            .map(|(_, n)| n)
            .collect();
        let arrows = self.arrows.into_iter().enumerate();
        let arrows: Vec<Arrow> = arrows
            .filter(|(at, _)| kept.contains(at))
            .filter_map(|(_, arrow)| {
                Some(Arrow {
                    from: *place.get(&arrow.from)?,
                    to: *place.get(&arrow.to)?,
                    ..arrow
                })
            })
            .collect();
        Picture {
            title: self.title,
            nodes_left: nodes_before - nodes.len(),
            arrows_left: arrows_before - arrows.len(),
            nodes,
            arrows,
        }
    }
}
