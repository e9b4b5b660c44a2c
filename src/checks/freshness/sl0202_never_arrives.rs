//! SL0202 never-arrives: a field must be fresh in a system to which nothing brings it from its
//! owner.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Context, words};
use super::bring::{Want, bring};
use super::{by_count, paths};
use crate::finding::{Code, Finding, Grade};
use crate::model::{EntityId, Field, FieldId, Fresh, SystemId};
use crate::text::Span;

const CODE: Code = Code(202);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let arrivals = Arrivals::of(ctx);
    // One clause of an entity speaks for many fields: what they lack alike makes one finding.
    let mut lacks: BTreeMap<(Span, SystemId, Lack), Vec<&Field>> = BTreeMap::new();
    for field in ctx.policy.fields() {
        let Some(fresh) = &field.fresh else { continue };
        for system in arrivals.bound(field, &fresh.value) {
            if let Some(lack) = arrivals.lack(field, system) {
                lacks
                    .entry((fresh.clause, system, lack))
                    .or_default()
                    .push(field);
            }
        }
    }
    lacks
        .iter()
        .filter_map(|((clause, system, lack), fields)| finding(ctx, *clause, *system, lack, fields))
        .collect()
}

/// Why a field does not arrive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lack {
    /// Nothing carries it there at all.
    NotCarried(Option<SystemId>),
    /// Others bring it there, its owner does not.
    OnlyFromOthers(SystemId),
    /// It is derived, and an input does not get from its owner to where it is computed.
    Input {
        input: FieldId,
        owner: SystemId,
        computed_in: SystemId,
    },
}

/// What has to arrive where, asked for many fields.
pub(super) struct Arrivals<'c, 'a> {
    ctx: &'c Context<'a>,
    entities: Vec<Ends>,
}

/// The systems that map an entity, and those that its hops leave and reach.
#[derive(Default)]
struct Ends {
    mapped: Vec<SystemId>,
    sources: BTreeSet<SystemId>,
    targets: BTreeSet<SystemId>,
    /// Whether a map could not be read: then `*` may carry more than is known.
    maps_unknown: bool,
}

impl<'c, 'a> Arrivals<'c, 'a> {
    /// Looks at every map and hop once.
    pub(super) fn of(ctx: &'c Context<'a>) -> Arrivals<'c, 'a> {
        let unread = ctx.policy.gaps.maps || ctx.policy.gaps.anything;
        let mut entities: Vec<Ends> = Vec::new();
        entities.resize_with(ctx.policy.entities.len(), || Ends {
            maps_unknown: unread,
            ..Ends::default()
        });
        for map in &ctx.policy.maps {
            if let Some(ends) = entities.get_mut(map.entity.value.index()) {
                ends.mapped.push(map.system.value);
                ends.maps_unknown |= map.broken;
            }
        }
        for hop in ctx.policy.scenarios.iter().flat_map(|s| &s.hops) {
            if let Some(ends) = entities.get_mut(hop.entity.index()) {
                ends.sources.insert(hop.from.value);
                ends.targets.insert(hop.to.value);
            }
        }
        Arrivals { ctx, entities }
    }

    /// Whether SL0202 says of a field that it never arrives in a system.
    pub(super) fn concerns(&self, field: &Field, system: SystemId) -> bool {
        let fresh = field.fresh.as_ref().map(|f| &f.value);
        fresh.is_some_and(|fresh| self.bound(field, fresh).contains(&system))
            && self.lack(field, system).is_some()
    }

    fn ends(&self, entity: EntityId) -> Option<&Ends> {
        self.entities.get(entity.index())
    }

    /// The systems in which a `fresh` holds and that map the field. One that is only ever a source
    /// is meant by its name alone.
    fn bound(&self, field: &Field, fresh: &Fresh) -> Vec<SystemId> {
        let mapped = |s: &SystemId| self.ctx.policy.maps_field(field.id, *s);
        if let Some(named) = &fresh.systems {
            return named.iter().filter_map(|s| s.id).filter(mapped).collect();
        }
        let Some(ends) = self.ends(field.id.entity) else {
            return Vec::new();
        };
        let flow = self.ctx.graph.flows.of(field.id);
        let targets: BTreeSet<SystemId> = flow
            .into_iter()
            .flat_map(|f| f.edges())
            .map(|e| e.to)
            .collect();
        let only_a_source = |s: &SystemId| {
            let of_field = flow.is_some_and(|f| f.is_source(*s)) && !targets.contains(s);
            of_field || (ends.sources.contains(s) && !ends.targets.contains(s))
        };
        let mapped = ends.mapped.iter().copied().filter(mapped);
        mapped.filter(|s| !only_a_source(s)).collect()
    }

    /// What a field lacks to arrive in a system that maps it.
    fn lack(&self, field: &Field, system: SystemId) -> Option<Lack> {
        let unknown =
            self.ctx.flows_incomplete || self.ends(field.id.entity).is_none_or(|e| e.maps_unknown);
        // What could not be read may bring it.
        if unknown || field.is_key || field.broken {
            return None;
        }
        match field.derived {
            Some(_) => self.derived_lack(field, system),
            None => self.data_lack(field, system),
        }
    }

    fn data_lack(&self, field: &Field, system: SystemId) -> Option<Lack> {
        if field.origins_unknown() || field.owner() == Some(system) {
            return None;
        }
        let Some(flow) = self.ctx.graph.flows.of(field.id) else {
            return Some(Lack::NotCarried(field.owner()));
        };
        // A field that is carried and has no owner is SL0101.
        let owner = field.owner()?;
        let reached = flow.reached_from(&[owner]);
        if reached.binary_search(&system).is_ok() {
            return None;
        }
        let mut into = flow.edges().filter(|e| e.to == system).peekable();
        if into.peek().is_none() {
            return Some(Lack::NotCarried(Some(owner)));
        }
        // An edge from where the field cannot be known is SL0104, and its mend brings the field.
        let known = into.all(|e| self.is_known_in(field, e.from));
        known.then_some(Lack::OnlyFromOthers(owner))
    }

    /// Whether a system is an origin of a field or gets it from one.
    fn is_known_in(&self, field: &Field, system: SystemId) -> bool {
        let flow = self.ctx.graph.flows.of(field.id);
        let reached = || flow.map_or_else(Vec::new, |f| f.reached_from(&field.origins()));
        field.is_origin(system) || reached().binary_search(&system).is_ok()
    }

    /// A derived field comes from where it is computed: all its inputs have to get there.
    fn derived_lack(&self, field: &Field, system: SystemId) -> Option<Lack> {
        let derived = field.derived.as_ref()?;
        derived.expr.program.as_ref()?;
        let flow = self.ctx.graph.flows.of(field.id);
        let mut first = None;
        for edge in flow
            .into_iter()
            .flat_map(|f| f.edges())
            .filter(|e| e.to == system)
        {
            match self.missing_input(field, edge.from) {
                None => return None,
                lack => first = first.or(lack),
            }
        }
        Some(first.unwrap_or(Lack::NotCarried(None)))
    }

    fn missing_input(&self, field: &Field, system: SystemId) -> Option<Lack> {
        let (policy, graph) = (self.ctx.policy, self.ctx.graph);
        let inputs = graph.derivations.inputs(policy, field.id);
        inputs.into_iter().find_map(|id| {
            let input = policy.field(id);
            let owner = input.owner().filter(|o| *o != system && input.is_data())?;
            let flow = graph.flows.of(id);
            let arrives = flow.is_some_and(|f| {
                let reached = f.reached_from(&[owner]);
                reached.binary_search(&system).is_ok()
            });
            // Where no origin is heard at all it is SL0104.
            (!arrives && self.is_known_in(input, system)).then_some(Lack::Input {
                input: id,
                owner,
                computed_in: system,
            })
        })
    }
}

fn finding(
    ctx: &Context,
    clause: Span,
    system: SystemId,
    lack: &Lack,
    fields: &[&Field],
) -> Option<Finding> {
    let first = fields.first()?;
    let ids: Vec<FieldId> = fields.iter().map(|f| f.id).collect();
    let (what, to) = (paths(ctx, &ids), ctx.system(system));
    let be = by_count(fields.len(), "has", "have");
    let it = by_count(fields.len(), "it", "them");
    let why = match lack {
        Lack::NotCarried(None) => format!("no scenario brings {it} there"),
        Lack::NotCarried(Some(owner)) => {
            format!(
                "no scenario brings {it} there from `{}`",
                ctx.system(*owner)
            )
        }
        Lack::OnlyFromOthers(owner) => {
            format!(
                "what `{}`, the owner, says never gets there",
                ctx.system(*owner)
            )
        }
        Lack::Input {
            input,
            owner,
            computed_in,
        } => format!(
            "`{}`, from which it is computed in `{}`, never gets there from `{}`",
            ctx.path(*input),
            ctx.system(*computed_in),
            ctx.system(*owner)
        ),
    };
    let message = format!("{what} {be} to be fresh in `{to}`, but {why}");
    let mut found = Finding::new(CODE, clause, message).mark(format!("holds in `{to}`"));
    for field in fields.iter().take(SHOWN_FIELDS) {
        found = words::label(
            found,
            field.name.span,
            format!("`{}` is declared here", field.name),
        );
    }
    let of_owner = match lack {
        Lack::Input { input, .. } => ctx.policy.field(*input),
        _ => first,
    };
    if of_owner.id != first.id {
        let text = format!("`{}` is computed from this", first.name);
        found = words::label(found, of_owner.name.span, text);
    }
    found = words::label_origins(ctx, found, of_owner);
    found = label_flows(ctx, found, first, system, lack);
    if let Some(map) = ctx.policy.map_for(first.id.entity, system) {
        let text = format!("`{to}` has a place for {it}");
        found = words::label(found, map.system.span, text);
    }
    Some(mends(ctx, found, system, lack, fields))
}

/// How many of many fields are labelled.
const SHOWN_FIELDS: usize = 6;

/// Labels what does end in the system, or carries the field elsewhere.
fn label_flows(
    ctx: &Context,
    found: Finding,
    field: &Field,
    system: SystemId,
    lack: &Lack,
) -> Finding {
    let flow = ctx.graph.flows.of(field.id);
    let edges = flow.into_iter().flat_map(|f| f.edges());
    let edges: Vec<_> = match lack {
        Lack::NotCarried(_) => edges.collect(),
        _ => edges.filter(|e| e.to == system).collect(),
    };
    words::label_edges(ctx, found, &edges)
}

fn mends(
    ctx: &Context,
    found: Finding,
    system: SystemId,
    lack: &Lack,
    fields: &[&Field],
) -> Finding {
    let Some(first) = fields.first() else {
        return found;
    };
    let to = ctx.system(system);
    let entity = &ctx.policy.entity(first.id.entity).name;
    let list: Vec<&str> = fields.iter().map(|f| &*f.name.text).collect();
    let list = list.join(", ");
    let otherwise = "name in `fresh … in` only the systems in which it has to hold";
    let (from, what, goal) = match lack {
        Lack::NotCarried(None) => {
            return found.help(format!(
                "carry it there with `sync {entity}({list}) from … to {to}`, or {otherwise}"
            ));
        }
        Lack::NotCarried(Some(owner)) | Lack::OnlyFromOthers(owner) => (*owner, list, system),
        Lack::Input {
            input,
            owner,
            computed_in,
        } => {
            let name = ctx.policy.field(*input).name.text.to_string();
            (*owner, name, *computed_in)
        }
    };
    let found = found.help(format!(
        "carry it there with `sync {entity}({what}) from {} to {}`, or {otherwise}",
        ctx.system(from),
        ctx.system(goal)
    ));
    if matches!(lack, Lack::Input { .. }) {
        return found;
    }
    let flow = ctx.graph.flows.of(first.id);
    let mut known_in = flow.map_or_else(Vec::new, |f| f.reached_from(&[from]));
    known_in.push(from);
    let edit = bring(
        ctx,
        &Want {
            fields,
            known_in: &known_in,
            to: system,
            within: first.fresh.as_ref().and_then(|f| f.value.within),
        },
    );
    match edit {
        Some((title, edit)) => found.fix(title, Grade::Review, vec![edit]),
        None => found,
    }
}
