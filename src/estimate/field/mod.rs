//! Where a field comes from and goes, and how old it can get.

mod types;

pub use types::{
    Blame, Conflict, Derived, FieldAgeIn, FieldExplained, FieldHop, Mapped, Said, Step, Unheard,
    Way, schema,
};

use super::build::{Ground, class};
use super::{fields, place};
use crate::arithmetic::Path;
use crate::choice;
use crate::graph::{HopId, Reader};
use crate::model::{Expression, Field, FieldId, Policy, SystemId};
use crate::terms::ResolveRule;
use crate::text::{Sources, Span};

/// Seconds by which a bound may be missed: less than any duration can say.
const SECONDS_TOLERANCE: f64 = 0.0005;

/// Explains a field of a policy that has so many errors.
pub fn explain_field(
    ground: Ground,
    sources: &Sources,
    field: FieldId,
    errors: u64,
) -> FieldExplained {
    let asked = Asked {
        ground,
        sources,
        field: ground.policy.field(field),
    };
    let field = asked.field;
    FieldExplained {
        version: super::VERSION,
        field: ground.policy.field_path(field.id),
        place: asked.line(field.name.span),
        type_text: sources.slice(field.type_span).to_owned(),
        key: field.is_key,
        classes: field.classes().iter().map(|c| c.text.to_string()).collect(),
        errors,
        owner: asked.owner(),
        accepts: asked.accepts(),
        conflict: asked.conflict(),
        derived: asked.derived(),
        feeds: asked.feeds(),
        read_by: asked.read_by(),
        mapped: asked.mapped(),
        hops: asked.hops(),
        ages: asked.ages(),
        unheard: asked.unheard(),
    }
}

/// What is asked about.
#[derive(Clone, Copy)]
struct Asked<'a> {
    ground: Ground<'a>,
    sources: &'a Sources,
    field: &'a Field,
}

impl Asked<'_> {
    fn policy(&self) -> &Policy {
        self.ground.policy
    }

    fn line(&self, span: Span) -> super::Place {
        place::line(self.sources, span)
    }

    fn name(&self, system: SystemId) -> String {
        self.ground.name(system).to_owned()
    }

    /// An expression without its backticks.
    fn written(&self, expression: &Expression) -> String {
        let text = self.sources.slice(expression.span);
        text.trim_matches('`').to_owned()
    }

    fn owner(&self) -> Option<Said> {
        let said = self.field.owner.as_ref().filter(|_| self.field.is_data())?;
        Some(Said {
            system: self.name(said.value?),
            inherited: said.inherited,
            place: self.line(said.clause),
        })
    }

    fn accepts(&self) -> Vec<Said> {
        let Some(said) = self.field.accepts.as_ref().filter(|_| self.field.is_data()) else {
            return Vec::new();
        };
        let systems = said.value.systems.iter();
        let all = systems.map(|system| Said {
            system: self.name(system.value),
            inherited: said.inherited,
            place: self.line(said.clause),
        });
        all.collect()
    }

    fn conflict(&self) -> Conflict {
        let said = self.field.resolve.as_ref();
        let said = said.filter(|_| self.field.is_data());
        let rule = said.map(|r| r.value);
        Conflict {
            rule,
            meaning: meaning(self, rule),
            place: said.map(|r| self.line(r.clause)),
        }
    }

    fn derived(&self) -> Option<Derived> {
        let derived = self.field.derived.as_ref()?;
        let inputs = &self.ground.graph.derivations;
        let inputs = inputs_of(inputs, self.policy(), self.field.id);
        Some(Derived {
            expression: self.written(&derived.expr),
            inputs,
            place: self.line(derived.clause),
        })
    }

    fn feeds(&self) -> Vec<String> {
        let entity = self.policy().entity(self.field.id.entity);
        let derived = entity.fields.iter().filter(|f| f.derived.is_some());
        let reads = |f: &&Field| {
            let derivations = &self.ground.graph.derivations;
            let direct = f.derived.as_ref().map(|d| d.expr.fields());
            direct.is_some_and(|d| d.contains(&self.field.id))
                || derivations
                    .inputs(self.policy(), f.id)
                    .contains(&self.field.id)
        };
        let those = derived.filter(|f| f.id != self.field.id).filter(reads);
        those.map(|f| self.policy().field_path(f.id)).collect()
    }

    fn read_by(&self) -> Vec<String> {
        let policy = self.policy();
        let flows = &self.ground.graph.flows;
        let mut names: Vec<String> = Vec::new();
        for (reader, read) in self.ground.graph.reads.of_field(self.field.id) {
            if matches!(read.by, crate::graph::ReadBy::Derived(_)) {
                continue;
            }
            let scenario = match reader {
                Reader::Hop(hop) => flows.scenario(policy, *hop),
                Reader::Clean(id) => policy.scenario(*id),
            };
            let name = scenario.name.text.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    fn mapped(&self) -> Vec<Mapped> {
        let policy = self.policy();
        let systems = policy.systems.iter();
        let found = systems.filter_map(|system| {
            let map = policy.map_for(self.field.id.entity, system.id)?;
            let mapped = map.field(self.field.id.index)?;
            let cleared = |class: &str| {
                let names = system.cleared.iter().flat_map(|c| &c.value);
                names.into_iter().any(|n| &*n.text == class)
            };
            let classes = self.field.classes().iter();
            let values = mapped.values().into_iter().flat_map(|v| &v.pairs);
            Some(Mapped {
                system: system.name.text.to_string(),
                object: map.object.to_string(),
                column: mapped.column.to_string(),
                read: mapped.read().map(|e| self.written(e)),
                write: mapped.write().map(|e| self.written(e)),
                values: values
                    .map(|(ours, theirs)| (ours.text.to_string(), theirs.text.to_string()))
                    .collect(),
                not_cleared: classes
                    .filter(|c| !cleared(&c.text))
                    .map(|c| c.text.to_string())
                    .collect(),
                place: self.line(mapped.column_span),
            })
        });
        found.collect()
    }

    fn hops(&self) -> Vec<FieldHop> {
        let Some(flow) = self.ground.graph.flows.of(self.field.id) else {
            return Vec::new();
        };
        let mut edges: Vec<_> = flow.edges().collect();
        edges.sort_unstable_by_key(|e| e.hop);
        let hops = edges.into_iter().map(|edge| {
            let flows = &self.ground.graph.flows;
            let scenario = flows.scenario(self.policy(), edge.hop);
            let sync = flows.sync(self.policy(), edge.hop);
            let figures = self.ground.arithmetic.scenario(scenario.id);
            let age = self.ground.arithmetic.age(edge.hop);
            FieldHop {
                scenario: scenario.name.text.to_string(),
                mode: choice::text(&scenario.mode.kind),
                class: figures.and_then(|f| class(&f.timing)),
                from: self.name(edge.from),
                to: self.name(edge.to),
                worst_seconds: age.and_then(|a| a.worst.total()),
                mean_seconds: age.and_then(|a| a.mean.total()),
                filter: sync.filter.as_ref().map(|f| self.written(&f.expr)),
                place: self.line(sync.clause),
            }
        });
        hops.collect()
    }

    fn ages(&self) -> Vec<FieldAgeIn> {
        let systems = choice::reached(self.ground, self.field.id).into_iter();
        systems.filter_map(|system| self.age_in(system)).collect()
    }

    fn paths(&self, system: SystemId) -> Vec<Path> {
        let ground = self.ground;
        ground
            .arithmetic
            .paths(ground.policy, ground.graph, self.field.id, system)
    }

    fn age_in(&self, system: SystemId) -> Option<FieldAgeIn> {
        let paths = self.paths(system);
        if paths.is_empty() {
            return None;
        }
        let worst = fields::worst(&paths);
        let required = choice::bound(self.field, system);
        let holds = required.map(|r| worst.is_some_and(|w| w <= r + SECONDS_TOLERANCE));
        Some(FieldAgeIn {
            system: self.name(system),
            required_seconds: required,
            worst_seconds: worst,
            mean_seconds: fields::mean(self.ground, &paths),
            unbounded: worst.is_none(),
            holds,
            blame: self.blame(&paths),
            ways: paths.iter().map(|p| self.way(p)).collect(),
        })
    }

    fn worst_of(&self, hop: HopId) -> Option<f64> {
        self.ground.arithmetic.age(hop)?.worst.total()
    }

    fn scenario_of(&self, hop: HopId) -> String {
        let scenario = self.ground.graph.flows.scenario(self.policy(), hop);
        scenario.name.text.to_string()
    }

    fn way(&self, path: &Path) -> Way {
        let steps = path.edges.iter().map(|edge| Step {
            scenario: self.scenario_of(edge.hop),
            to: self.name(edge.to),
            worst_seconds: self.worst_of(edge.hop),
        });
        Way {
            field: self.policy().field_path(path.field),
            origin: self.name(path.origin),
            hops: steps.collect(),
            worst_seconds: path.worst,
            mean_seconds: path.mean,
        }
    }

    /// The scenario with the slowest hop of the slowest way; one without bound before all others.
    fn blame(&self, paths: &[Path]) -> Option<Blame> {
        let age = |w: Option<f64>| w.unwrap_or(f64::INFINITY);
        let slowest = paths
            .iter()
            .max_by(|a, b| age(a.worst).total_cmp(&age(b.worst)))?;
        let edge = slowest.edges.iter().max_by(|a, b| {
            let worst = |hop| age(self.worst_of(hop));
            worst(a.hop).total_cmp(&worst(b.hop))
        })?;
        let share = match (slowest.worst, self.worst_of(edge.hop)) {
            (Some(all), Some(part)) if all > 0.0 => part / all,
            _ => 1.0,
        };
        Some(Blame {
            scenario: self.scenario_of(edge.hop),
            share,
        })
    }

    fn unheard(&self) -> Vec<Unheard> {
        let flow = self.ground.graph.flows.of(self.field.id);
        if self.field.is_key {
            return Vec::new();
        }
        let reached: Vec<SystemId> = choice::reached(self.ground, self.field.id)
            .into_iter()
            .filter(|s| !self.paths(*s).is_empty())
            .collect();
        let mut out = Vec::new();
        for system in self.policy().systems.iter().map(|s| s.id) {
            let mapped = self.policy().maps_field(self.field.id, system);
            let origin = self.field.is_origin(system);
            let arrives = flow.is_some_and(|f| f.edges().any(|e| e.to == system));
            let leaves = flow.is_some_and(|f| f.is_source(system));
            let why = match (origin, mapped) {
                (true, _) if !leaves => "is an origin of it, and no scenario takes it from there",
                (false, true) if !arrives => "maps it, and no scenario brings it there",
                (false, true) if !reached.contains(&system) => {
                    "gets it from a scenario to which no origin's word finds a way"
                }
                _ => continue,
            };
            out.push(Unheard {
                system: self.name(system),
                why: why.to_owned(),
            });
        }
        out
    }
}

fn inputs_of(
    derivations: &crate::graph::Derivations,
    policy: &Policy,
    field: FieldId,
) -> Vec<String> {
    let inputs = derivations.inputs(policy, field).into_iter();
    inputs.map(|f| policy.field_path(f)).collect()
}

/// What a rule means for a field, in words.
fn meaning(asked: &Asked, rule: Option<ResolveRule>) -> String {
    let field = asked.field;
    if field.is_key {
        return "a key identifies its record and does not change".to_owned();
    }
    if field.derived.is_some() {
        return "it is computed anew from its inputs: their rules decide".to_owned();
    }
    let owner = field.owner().map_or_else(
        || "its owner".to_owned(),
        |o| format!("`{}`", asked.name(o)),
    );
    let origins = field.origins();
    if origins.len() < 2 {
        return format!("none can arise: only {owner} may say it");
    }
    let Some(rule) = rule else {
        return format!(
            "{} systems may say it and no `resolve` says who wins: that is an error",
            origins.len()
        );
    };
    match rule {
        ResolveRule::OwnerWins => format!(
            "what {owner} says holds; another origin's word only where {owner} never said any"
        ),
        ResolveRule::LastWriteWins => "the value with the latest change time holds".to_owned(),
        ResolveRule::FirstWriteWins => "the value with the earliest change time holds".to_owned(),
        ResolveRule::AnyTrue => {
            format!("true holds where any origin said true since {owner} last said false")
        }
        ResolveRule::AllTrue => {
            format!("false holds where any origin said false since {owner} last said true")
        }
        ResolveRule::Max => "the greatest value holds".to_owned(),
        ResolveRule::Min => "the least value holds".to_owned(),
        ResolveRule::Union => "what any origin has in its set is in it".to_owned(),
        ResolveRule::Manual => {
            "values that differ are held until a person chooses; nobody is written to before"
                .to_owned()
        }
    }
}
