//! SL0401 not-mapped: a flow carries or reads a field in a system that does not map it.

use std::collections::HashMap;

use super::super::ownership::sl0112_derived_owned;
use super::super::{Context, fix, words};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::graph::{HopId, Read, ReadBy};
use crate::model::{Carried, Entity, EntityId, Field, FieldId, Hop, Scenario, Sync, SystemId};
use crate::text::Span;

const CODE: Code = Code(401);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let mut lacks = Lacks::default();
    for scenario in &ctx.policy.scenarios {
        for (position, hop) in scenario.hops.iter().enumerate() {
            if let Some(sync) = scenario.syncs.get(hop.sync as usize) {
                let id = ctx.graph.flows.hop_id(scenario.id, position);
                of_hop(ctx, sync, hop, id, &mut lacks);
            }
        }
        of_clean(ctx, scenario, &mut lacks);
    }
    for entity in &ctx.policy.entities {
        of_fresh(ctx, entity, &mut lacks);
    }
    lacks.list.iter().map(|lack| finding(ctx, lack)).collect()
}

/// What is not mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    /// The pair has no map.
    Pair(EntityId, SystemId),
    /// The pair's map lacks a field.
    Field(FieldId, SystemId),
}

/// A place that needs it.
struct Place {
    span: Span,
    why: Why,
}

enum Why {
    /// It goes from one system to another.
    Travels(SystemId, SystemId),
    Reads(ReadBy),
    Cleans,
    Fresh,
}

struct Lack {
    what: What,
    places: Vec<Place>,
}

/// What is not mapped, in reading order of the first place that needs it: one mend in the map
/// serves all of them, so they make one finding.
#[derive(Default)]
struct Lacks {
    list: Vec<Lack>,
    index: HashMap<What, usize>,
}

impl Lacks {
    fn add(&mut self, what: What, place: Place) {
        let position = *self.index.entry(what).or_insert_with(|| {
            self.list.push(Lack {
                what,
                places: Vec::new(),
            });
            self.list.len() - 1
        });
        if let Some(lack) = self.list.get_mut(position)
            && !lack.places.iter().any(|p| p.span == place.span)
        {
            lack.places.push(place);
        }
    }
}

/// What a system lacks of a field; `None`: it maps it, or its map could not be read.
fn lacking(ctx: &Context, field: FieldId, system: SystemId) -> Option<What> {
    match ctx.policy.map_for(field.entity, system) {
        Some(map) if map.has(field.index) || map.broken => None,
        Some(_) => Some(What::Field(field, system)),
        None => lacking_pair(ctx, field.entity, system),
    }
}

fn lacking_pair(ctx: &Context, entity: EntityId, system: SystemId) -> Option<What> {
    let gaps = &ctx.policy.gaps;
    let unread = gaps.maps || gaps.anything;
    let mapped = ctx.policy.map_of(entity, system).is_some();
    (!mapped && !unread).then_some(What::Pair(entity, system))
}

fn of_hop(ctx: &Context, sync: &Sync, hop: &Hop, id: HopId, lacks: &mut Lacks) {
    let (from, to) = (hop.from.value, hop.to.value);
    let travels = |span| Place {
        span,
        why: Why::Travels(from, to),
    };
    for system in [from, to] {
        if let Some(pair) = lacking_pair(ctx, hop.entity, system) {
            lacks.add(pair, travels(sync.clause));
        }
    }
    // What `*` stands for is mapped at both ends.
    if let Carried::Fields(named) = &sync.carried {
        for name in named {
            let Some(field) = name.id else { continue };
            let data = ctx.policy.field(field).is_data();
            let derived = ctx.policy.field(field).derived.is_some();
            if data && let Some(what @ What::Field(..)) = lacking(ctx, field, from) {
                lacks.add(what, travels(name.span));
            }
            if (data || derived)
                && let Some(what @ What::Field(..)) = lacking(ctx, field, to)
            {
                lacks.add(what, travels(name.span));
            }
        }
    }
    for read in ctx.graph.reads.by_hop(id) {
        of_read(ctx, sync, read, from, lacks);
    }
}

/// What an expression reads has to be mapped at the sending end. A derived field that the sending
/// system holds as data is SL0112.
fn of_read(ctx: &Context, sync: &Sync, read: &Read, from: SystemId, lacks: &mut Lacks) {
    if ctx.policy.field(read.field).is_key {
        return;
    }
    let Some(what @ What::Field(..)) = lacking(ctx, read.field, from) else {
        return;
    };
    let span = match read.by {
        ReadBy::Derived(field) if sl0112_derived_owned::sends_as_data(ctx, field, from) => return,
        ReadBy::Derived(field) => named_at(sync, field),
        ReadBy::Filter | ReadBy::Require => read.span,
    };
    lacks.add(
        what,
        Place {
            span,
            why: Why::Reads(read.by),
        },
    );
}

/// The field's name in a `sync`, else the clause.
fn named_at(sync: &Sync, field: FieldId) -> Span {
    match &sync.carried {
        Carried::Fields(named) => named.iter().find(|n| n.id == Some(field)).map(|n| n.span),
        Carried::All(_) => None,
    }
    .unwrap_or(sync.clause)
}

fn of_clean(ctx: &Context, scenario: &Scenario, lacks: &mut Lacks) {
    let Some(clean) = &scenario.clean else { return };
    let (Some(entity), Some(system)) = (clean.entity.id, clean.system.id) else {
        return;
    };
    if let Some(pair) = lacking_pair(ctx, entity, system) {
        lacks.add(
            pair,
            Place {
                span: clean.clause,
                why: Why::Cleans,
            },
        );
    }
    for read in ctx.graph.reads.by_clean(scenario.id) {
        if read.field.entity == entity
            && !ctx.policy.field(read.field).is_key
            && let Some(what @ What::Field(..)) = lacking(ctx, read.field, system)
        {
            lacks.add(
                what,
                Place {
                    span: read.span,
                    why: Why::Reads(read.by),
                },
            );
        }
    }
}

/// `fresh in` a system has to speak of what the system maps. A default of the entity speaks of
/// those of its fields that the system does map, so it is at fault only where there is none.
fn of_fresh(ctx: &Context, entity: &Entity, lacks: &mut Lacks) {
    let place = |span| Place {
        span,
        why: Why::Fresh,
    };
    let inherited = entity
        .fresh
        .iter()
        .flat_map(|f| f.value.systems.iter().flatten());
    for system in inherited {
        if let Some(id) = system.id
            && let Some(pair) = lacking_pair(ctx, entity.id, id)
        {
            lacks.add(pair, place(system.span));
        }
    }
    for field in &entity.fields {
        let own = field.fresh.iter().filter(|f| !f.inherited);
        for system in own.flat_map(|f| f.value.systems.iter().flatten()) {
            if let Some(id) = system.id
                && let Some(what) = lacking(ctx, field.id, id)
            {
                lacks.add(what, place(system.span));
            }
        }
    }
}

fn finding(ctx: &Context, lack: &Lack) -> Finding {
    let (entity, system, field) = match lack.what {
        What::Pair(entity, system) => (ctx.policy.entity(entity), system, None),
        What::Field(field, system) => {
            let entity = ctx.policy.entity(field.entity);
            (entity, system, Some(ctx.policy.field(field)))
        }
    };
    let name = ctx.system(system);
    let what = match field {
        Some(field) => format!("`{}`", ctx.path(field.id)),
        None => format!("`{}`", entity.name),
    };
    let lacks = match field {
        Some(_) => format!("`{name}` does not map it"),
        None => format!("there is no map of `{}` in `{name}`", entity.name),
    };
    let (first, rest) = match lack.places.split_first() {
        Some(split) => split,
        // Never: a lack is made with its first place.
        None => return Finding::new(CODE, entity.name.span, lacks),
    };
    let message = format!("{}, but {lacks}", needs(ctx, first, &what, name));
    let mut found = Finding::new(CODE, first.span, message).mark(format!("not mapped in `{name}`"));
    for place in rest {
        found = words::label(
            found,
            place.span,
            format!("{} too", needs(ctx, place, &what, name)),
        );
    }
    match field {
        Some(field) => in_map(ctx, found, entity, field, system),
        None => found
            .label(
                entity.name.span,
                format!("`{}` is declared here", entity.name),
            )
            .help(new_map(entity, name))
            .fix(
                format!("add `map {} in {name} {{ same_names }}`", entity.name),
                Grade::Review,
                vec![add_map(ctx, entity, name)],
            ),
    }
}

fn needs(ctx: &Context, place: &Place, what: &str, system: &str) -> String {
    match place.why {
        Why::Travels(from, to) => {
            format!(
                "{what} goes from `{}` to `{}`",
                ctx.system(from),
                ctx.system(to)
            )
        }
        Why::Reads(by) => format!("{} reads {what} in `{system}`", words::reader(ctx, by)),
        Why::Cleans => format!("this scenario cleans {what}"),
        Why::Fresh => format!("{what} is to be fresh in `{system}`"),
    }
}

/// Says what to write in a map that lacks a field.
fn in_map(
    ctx: &Context,
    found: Finding,
    entity: &Entity,
    field: &Field,
    system: SystemId,
) -> Finding {
    let name = ctx.system(system);
    let Some(map) = ctx.policy.map_for(entity.id, system) else {
        return found;
    };
    let word = if field.is_key { "key" } else { "field" };
    let line = format!("{word} {} = \"{}\"", field.name, field.name);
    let found = words::label(found, map.system.span, "this map does not name it");
    let found = words::label(
        found,
        field.name.span,
        format!("`{}` is declared here", field.name),
    );
    let found = found.help(format!(
        "write `{word} {} = \"…\"` in `map {} in {name}` with what `{name}` itself calls it, or \
         do not use `{}` here",
        field.name, entity.name, field.name
    ));
    match fix::add_line(map.span, ctx.sources, &line) {
        Some(edit) => found.fix(
            format!("map `{}` by the same name", field.name),
            Grade::Review,
            vec![edit],
        ),
        None => found,
    }
}

/// Adds a map after the entity's last one, else after the entity.
fn add_map(ctx: &Context, entity: &Entity, system: &str) -> Edit {
    let mut maps = ctx.policy.maps.iter();
    let last = maps.rfind(|m| m.entity.value == entity.id);
    let (span, gap) = last.map_or((entity.span, "\n\n"), |m| (m.span, "\n"));
    Edit {
        span: Span::point(span.file, span.end as usize),
        text: format!("{gap}map {} in {system} {{ same_names }}", entity.name),
    }
}

fn new_map(entity: &Entity, system: &str) -> String {
    let keys: Vec<String> = entity
        .key_fields()
        .map(|f| format!("key {} = \"…\"", f.name))
        .collect();
    format!(
        "write `map {} in {system} \"…\" {{ {} … }}` with the names that `{system}` uses, or \
         `{{ same_names }}` where they are the same",
        entity.name,
        keys.join(" ")
    )
}
