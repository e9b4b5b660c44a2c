//! Entities and fields: owners, origins, rules, freshness, classes, types.

use super::kind::{Grade, Kind};
use super::list::{List, joined, names};
use super::reach::Reach;
use super::typed;
use super::types::{About, Where};
use super::words::{self, Relation};
use crate::plan::{Entity, Expression, Field, Volume};
use crate::terms::ResolveRule;

/// A field in both versions.
struct Both<'f> {
    entity: &'f str,
    old: &'f Field,
    new: &'f Field,
}

impl Both<'_> {
    fn name(&self) -> &str {
        &self.new.name
    }

    fn path(&self) -> String {
        format!("{}.{}", self.entity, self.name())
    }

    fn about(&self) -> About {
        self.about_in(Where::Everywhere)
    }

    fn about_in(&self, place: Where) -> About {
        About::Field(self.entity.to_owned(), self.name().to_owned(), place)
    }
}

pub(super) fn compare(list: &mut List, reach: &Reach) {
    let (old, new) = (list.old, list.new);
    for (name, a, b) in joined(&old.plan.entities, &new.plan.entities, |e| &e.name) {
        match (a, b) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => entity(list, reach, a, b),
            (Some(_), None) => {
                list.add(Kind::EntityRemoved, &name)
                    .was(format!("entity {name}"), old.entity(&name, |_| None))
                    .means("none of its records is moved or watched over any more")
                    .about(About::Entity(name.clone()));
            }
            (None, _) => {
                list.add(Kind::EntityAdded, &name)
                    .is(format!("entity {name}"), new.entity(&name, |_| None))
                    .means("its records are new to the policy")
                    .about(About::Entity(name.clone()));
            }
        }
    }
}

fn entity(list: &mut List, reach: &Reach, a: &Entity, b: &Entity) {
    let (old, new, name) = (list.old, list.new, &*b.name);
    if a.keys != b.keys {
        let key = |e: &crate::model::Entity| e.key.as_ref().map(|k| k.clause);
        list.add(Kind::KeyChanged, name)
            .was(format!("key {}", a.keys.join(", ")), old.entity(name, key))
            .is(format!("key {}", b.keys.join(", ")), new.entity(name, key))
            .means("a record of the one key is another record under the other: nothing that a store knows fits")
            .about(About::Entity(name.to_owned()));
    }
    if a.volume != b.volume {
        let volume = |e: &crate::model::Entity| e.volume.as_ref().map(|v| v.clause);
        list.add(Kind::VolumeChanged, name)
            .was(volume_text(a.volume.as_ref()), old.entity(name, volume))
            .is(volume_text(b.volume.as_ref()), new.entity(name, volume))
            .means("the figures are for other numbers");
    }
    for (field, before, after) in joined(&a.fields, &b.fields, |f| &f.name) {
        let about = About::Field(name.to_owned(), field.clone(), Where::Everywhere);
        let path = format!("{name}.{field}");
        match (before, after) {
            (Some(before), Some(after)) if before == after => {}
            (Some(before), Some(after)) => {
                let both = Both {
                    entity: name,
                    old: before,
                    new: after,
                };
                compared(list, reach, &both);
            }
            (Some(before), None) => {
                list.add(Kind::FieldRemoved, path)
                    .was(field_text(before), old.field(name, &field, |_| None))
                    .means("its values stay where they are and nobody keeps them in step")
                    .about(about);
            }
            (None, after) => {
                let text = after.map(field_text).unwrap_or_default();
                list.add(Kind::FieldAdded, path)
                    .is(text, new.field(name, &field, |_| None))
                    .means("where it goes is under flows")
                    .about(about);
            }
        }
    }
}

/// A field as a policy declares it, in short.
fn field_text(field: &Field) -> String {
    let mark = if field.optional { "?" } else { "" };
    format!("field {}: {}{mark}", field.name, field.ty.describe())
}

pub(super) fn volume_text(volume: Option<&Volume>) -> String {
    let Some(volume) = volume else {
        return "no volume".to_owned();
    };
    let mut text = String::from("volume ");
    if let Some(records) = volume.records {
        text.push_str(&format!("{records} records, "));
    }
    text.push_str(&format!("{}/day", round(volume.changes_per_day)));
    if let Some(peak) = volume.peak {
        text.push_str(&format!(" peak {}x", round(peak)));
    }
    text
}

fn round(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn compared(list: &mut List, reach: &Reach, f: &Both) {
    type_of(list, f);
    owner(list, f);
    origins(list, f);
    rule(list, f);
    fresh(list, reach, f);
    classes(list, f);
    derived(list, f);
    if f.old.changes_per_day != f.new.changes_per_day {
        let text = |c: Option<f64>| {
            c.map_or("no changes declared".into(), |c| {
                format!("changes {}/day", round(c))
            })
        };
        let at = |field: &crate::model::Field| field.changes.as_ref().map(|c| c.clause);
        let (old, new) = (list.old, list.new);
        list.add(Kind::VolumeChanged, f.path())
            .was(
                text(f.old.changes_per_day),
                old.field(f.entity, f.name(), at),
            )
            .is(
                text(f.new.changes_per_day),
                new.field(f.entity, f.name(), at),
            )
            .means("the figures are for other numbers");
    }
}

/// Adds a change of a field with its words before and after.
fn said(
    list: &mut List,
    f: &Both,
    (kind, grade): (Kind, Grade),
    (was, is): (String, String),
    at: fn(&crate::model::Field) -> Option<crate::text::Span>,
    means: String,
) {
    let (old, new) = (list.old, list.new);
    list.graded(kind, grade, f.path())
        .was(was, old.field(f.entity, f.name(), at))
        .is(is, new.field(f.entity, f.name(), at))
        .means(means)
        .about(f.about());
}

fn owner(list: &mut List, f: &Both) {
    let text = |o: &Option<String>| {
        o.as_ref()
            .map_or("no owner".into(), |o| format!("owner {o}"))
    };
    let (kind, means) = match (&f.old.owner, &f.new.owner) {
        (a, b) if a == b => return,
        // That it is computed now, or no longer, is told as such.
        _ if f.old.derived.is_some() != f.new.derived.is_some() => return,
        (Some(a), None) => (
            Kind::OwnerRemoved,
            format!("nobody's word on it holds any more, where `{a}`'s did"),
        ),
        (Some(a), Some(b)) => (
            Kind::OwnerChanged,
            format!("what `{b}` says holds, where `{a}`'s word did"),
        ),
        (None, b) => (
            Kind::OwnerAdded,
            format!("what {} says holds", names(b.as_deref())),
        ),
    };
    let grade = kind.grades().first().copied().unwrap_or(Grade::Breaking);
    let words = (text(&f.old.owner), text(&f.new.owner));
    said(
        list,
        f,
        (kind, grade),
        words,
        |f| f.owner.as_ref().map(|o| o.clause),
        means,
    );
}

fn accepts_text(field: &Field) -> String {
    match field.accepts.as_slice() {
        [] => "accepts none".to_owned(),
        systems => format!("accepts {}", systems.join(", ")),
    }
}

fn origins(list: &mut List, f: &Both) {
    let words = || (accepts_text(f.old), accepts_text(f.new));
    let at = |f: &crate::model::Field| f.accepts.as_ref().map(|a| a.clause);
    let more = f.new.accepts.iter();
    let more = more.filter(|s| !f.old.accepts.contains(s) && f.old.owner.as_ref() != Some(s));
    // A former owner that is still accepted could set the field before, too.
    let more: Vec<&str> = more.map(String::as_str).collect();
    let fewer = f.old.accepts.iter();
    let fewer = fewer.filter(|s| !f.new.accepts.contains(s) && f.new.owner.as_ref() != Some(s));
    let fewer: Vec<&str> = fewer.map(String::as_str).collect();
    if !more.is_empty() {
        let who = names(more.iter().copied());
        let (grade, means) = match effective(f.new.resolve) {
            ResolveRule::OwnerWins => (
                Grade::Risky,
                format!("what {who} says holds where the owner has never said anything"),
            ),
            ResolveRule::Manual => (
                Grade::Risky,
                format!("where {who} says something else, a person has to decide"),
            ),
            rule => (
                Grade::Breaking,
                format!("under `{rule}` {who} can overrule the owner"),
            ),
        };
        said(list, f, (Kind::OriginAdded, grade), words(), at, means);
    }
    if !fewer.is_empty() {
        let means = format!(
            "what is set in {} no longer counts and is put back",
            names(fewer.iter().copied())
        );
        said(
            list,
            f,
            (Kind::OriginRemoved, Grade::Risky),
            words(),
            at,
            means,
        );
    }
}

/// The rule that the runner follows where none is written.
fn effective(rule: Option<ResolveRule>) -> ResolveRule {
    rule.unwrap_or(ResolveRule::OwnerWins)
}

/// How well a rule keeps the owner's word: the less, the more others decide. None: it keeps a
/// value, whoever says it.
fn hold(rule: ResolveRule) -> Option<u8> {
    match rule {
        ResolveRule::Manual => Some(3),
        ResolveRule::OwnerWins => Some(2),
        ResolveRule::FirstWriteWins => Some(1),
        ResolveRule::LastWriteWins => Some(0),
        ResolveRule::AnyTrue
        | ResolveRule::AllTrue
        | ResolveRule::Max
        | ResolveRule::Min
        | ResolveRule::Union => None,
    }
}

/// Whether a rule protects less than another.
fn loosened(old: ResolveRule, new: ResolveRule) -> bool {
    match (hold(old), hold(new)) {
        _ if old == new => false,
        // A value that was kept is not, or another is.
        (None, _) => true,
        (Some(old), Some(new)) => new < old,
        // The owner's word, or a person's, gives way to whoever says the value.
        (Some(old), None) => old >= 2,
    }
}

/// What a rule keeps, in a sentence.
fn keeps(rule: ResolveRule) -> &'static str {
    match rule {
        ResolveRule::OwnerWins => "the owner's value holds wherever it has one",
        ResolveRule::LastWriteWins => "the latest change holds, whoever makes it",
        ResolveRule::FirstWriteWins => "the earliest change holds, whoever made it",
        ResolveRule::AnyTrue => "true holds as soon as one system says it",
        ResolveRule::AllTrue => "false holds as soon as one system says it",
        ResolveRule::Max => "the greatest value holds",
        ResolveRule::Min => "the least value holds",
        ResolveRule::Union => "what any system adds to the set holds",
        ResolveRule::Manual => "a person decides where systems differ",
    }
}

fn rule(list: &mut List, f: &Both) {
    if f.old.resolve == f.new.resolve {
        return;
    }
    let (a, b) = (effective(f.old.resolve), effective(f.new.resolve));
    let alone = |field: &Field| field.accepts.is_empty();
    let (kind, grade, means) = if a == b {
        let means = "written out or left out, it is the same rule".to_owned();
        (Kind::ResolveChanged, Grade::Safe, means)
    } else if alone(f.old) && alone(f.new) {
        let means = "it has one origin, so that there is nothing to resolve".to_owned();
        (Kind::ResolveChanged, Grade::Safe, means)
    } else if loosened(a, b) {
        let means = format!("{}; before, {}", keeps(b), keeps(a));
        (Kind::ResolveLoosened, Grade::Breaking, means)
    } else {
        let means = format!("{}; before, {}", keeps(b), keeps(a));
        (Kind::ResolveChanged, Grade::Risky, means)
    };
    let text = |r: Option<ResolveRule>| r.map_or("no resolve".into(), |r| format!("resolve {r}"));
    let words = (text(f.old.resolve), text(f.new.resolve));
    said(
        list,
        f,
        (kind, grade),
        words,
        |f| f.resolve.as_ref().map(|r| r.clause),
        means,
    );
}

fn fresh(list: &mut List, reach: &Reach, f: &Both) {
    let (old, new) = (list.old, list.new);
    let at = |f: &crate::model::Field| f.fresh.as_ref().map(|b| b.clause);
    for (system, a, b) in joined(&f.old.fresh, &f.new.fresh, |b| &b.system) {
        let (a, b) = (a.map(|b| b.within), b.map(|b| b.within));
        let gets = |after| reach.gets(after, f.entity, f.name(), &system);
        let means = format!("how old it may be in `{system}`");
        let (kind, means) = match (a, b) {
            (Some(a), Some(b)) if a < b => (
                Kind::FreshLoosened,
                format!("{means} is no longer held to {a}"),
            ),
            (Some(a), Some(b)) if a > b => {
                (Kind::FreshTightened, format!("{means} is held to {b}"))
            }
            // A bound without `in` comes and goes with the flows, which are told of.
            (Some(_), None) if gets(false) && !gets(true) => continue,
            (None, Some(_)) if gets(true) && !gets(false) => continue,
            (Some(_), None) => (
                Kind::FreshRemoved,
                format!("nothing bounds {means} any more"),
            ),
            (None, Some(b)) => (Kind::FreshAdded, format!("{means} is held to {b}")),
            _ => continue,
        };
        let text =
            |b: Option<crate::time::Millis>| b.map_or("no bound".into(), |b| format!("fresh {b}"));
        list.add(kind, format!("{} in {system}", f.path()))
            .was(text(a), old.field(f.entity, f.name(), at))
            .is(text(b), new.field(f.entity, f.name(), at))
            .means(means)
            .about(f.about_in(Where::At(system)));
    }
}

fn classes(list: &mut List, f: &Both) {
    let at = |f: &crate::model::Field| f.classes.as_ref().map(|c| c.clause);
    let text = |field: &Field| match field.classes.as_slice() {
        [] => "no class".to_owned(),
        classes => format!("class {}", classes.join(", ")),
    };
    let words = || (text(f.old), text(f.new));
    let lost = f.old.classes.iter().filter(|c| !f.new.classes.contains(c));
    let lost: Vec<&str> = lost.map(String::as_str).collect();
    let won = f.new.classes.iter().filter(|c| !f.old.classes.contains(c));
    let won: Vec<&str> = won.map(String::as_str).collect();
    if !lost.is_empty() {
        let means = format!(
            "it may go to systems that are not cleared for {}",
            names(lost)
        );
        said(
            list,
            f,
            (Kind::ClassRemoved, Grade::Breaking),
            words(),
            at,
            means,
        );
    }
    if !won.is_empty() {
        let means = format!(
            "only systems that are cleared for {} may get it",
            names(won)
        );
        said(list, f, (Kind::ClassAdded, Grade::Safe), words(), at, means);
    }
}

fn derived(list: &mut List, f: &Both) {
    let text = |d: &Option<Expression>| {
        d.as_ref()
            .map_or("not derived".into(), |d| format!("derived `{}`", d.cel))
    };
    let (kind, grade, means) = match (&f.old.derived, &f.new.derived) {
        (a, b) if a == b => return,
        (Some(a), Some(b)) => match words::relation(&a.cel, &b.cel) {
            Relation::Same => (
                Kind::ExpressionRewritten,
                Grade::Safe,
                "it says the same in other words".to_owned(),
            ),
            _ => (
                Kind::DerivedChanged,
                Grade::Risky,
                "every system that gets it gets another value".to_owned(),
            ),
        },
        (None, _) => (
            Kind::DerivedChanged,
            Grade::Breaking,
            match &f.old.owner {
                Some(owner) => {
                    format!("it is computed, and what `{owner}` says of it no longer counts")
                }
                None => "it is computed, and what systems say of it no longer counts".to_owned(),
            },
        ),
        (_, None) => (
            Kind::DerivedChanged,
            Grade::Breaking,
            match &f.new.owner {
                Some(owner) => format!("it is no longer computed: what `{owner}` says holds"),
                None => "it is no longer computed, and nobody owns it".to_owned(),
            },
        ),
    };
    let words = (text(&f.old.derived), text(&f.new.derived));
    said(
        list,
        f,
        (kind, grade),
        words,
        |f| f.derived.as_ref().map(|d| d.clause),
        means,
    );
}

fn type_of(list: &mut List, f: &Both) {
    let at = |f: &crate::model::Field| Some(f.type_span);
    let text = |field: &Field| {
        let mark = if field.optional { "?" } else { "" };
        format!("{}{mark}", field.ty.describe())
    };
    let words = || (text(f.old), text(f.new));
    for found in typed::compare(&f.old.ty, &f.new.ty) {
        let grade = found.kind.grades().first().copied().unwrap_or(Grade::Risky);
        said(list, f, (found.kind, grade), words(), at, found.means);
    }
    match (f.old.optional, f.new.optional) {
        (true, false) => {
            let means = "records without it are no longer valid".to_owned();
            said(
                list,
                f,
                (Kind::AbsenceForbidden, Grade::Breaking),
                words(),
                at,
                means,
            );
        }
        (false, true) => {
            let means = "receivers may get records without it".to_owned();
            said(
                list,
                f,
                (Kind::AbsenceAllowed, Grade::Risky),
                words(),
                at,
                means,
            );
        }
        _ => {}
    }
}
