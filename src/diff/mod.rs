//! What changes in meaning between two versions of a policy, and how much each change asks for.
//!
//! Rank 9. May use `model`, `plan` and `estimate`. Pure: two [`Side`]s in, a [`Diff`] out; reads no
//! file, knows no revision and no output format.
//!
//! Versions are held against each other as plans, since a plan is what the runner does: what two
//! plans of one digest differ in is no change in meaning, and two of different digests never give an
//! empty [`Diff`]. What only policies hold (clearances, prices, tests, accepted findings, figures)
//! is compared where both sides are policies.
//!
//! * [`between`]: compares two sides.
//! * [`Kind`]: the table of what breaks what.
//! * [`Diff::approve`]: accepts what a file of approvals names.

mod approve;
mod checkpoint;
mod consent;
mod delivery;
mod fields;
mod figures;
mod flows;
mod kind;
mod list;
mod maps;
mod reach;
mod rename;
mod scenarios;
mod side;
mod systems;
mod timing;
mod typed;
mod types;
mod whole;
mod words;

pub use approve::{
    Approval, ApprovalsError, FILE as APPROVALS_FILE, read_approvals, schema as approvals_schema,
};
pub use kind::{Area, Grade, Kind, kind_named, table};
pub use side::{Side, Source};
pub use types::{
    AgeFigures, Approved, Change, Delta, Diff, Figures, Hits, Holds, Place, Said, ScenarioFigures,
    Summary, SystemFigures, Unused, VERSION, Version, WhyUnused, schema,
};

use list::List;
use reach::Reach;

/// What changes in meaning from the one side to the other, the gravest first.
pub fn between(mut old: Side, new: &Side) -> Diff {
    let version = old.version();
    let differ = old.nothing || old.plan.digest != new.plan.digest;
    if differ {
        old.renames = rename::align(old.plan.to_mut(), &new.plan);
    }
    let old = &old;
    let mut list = List::new(old, new);
    if differ {
        of_plans(&mut list);
    }
    systems::clearances(&mut list);
    whole::beyond_plans(&mut list);
    let figures = figures::compare(&mut list);
    let mut changes = list.changes;
    reach::fill_hits(&mut changes, [&old.plan, &new.plan]);
    changes.sort_by(|a, b| {
        let key = |c: &Change| (std::cmp::Reverse(c.grade), c.area, c.kind);
        key(a).cmp(&key(b)).then_with(|| a.subject.cmp(&b.subject))
    });
    let mut diff = Diff {
        version: VERSION,
        policy: new.plan.policy.clone(),
        notes: notes(&version, &new.version(), figures.is_some()),
        old: version,
        new: new.version(),
        verdict: None,
        summary: Summary::default(),
        changes,
        figures,
        approvals: Vec::new(),
    };
    diff.settle();
    diff
}

/// What plans hold.
fn of_plans(list: &mut List) {
    let (old, new) = (list.old, list.new);
    let reach = Reach::of(&old.plan, &new.plan);
    whole::renamed(list);
    whole::compare(list);
    fields::compare(list, &reach);
    flows::compare(list, &reach);
    consent::compare(list, &reach);
    scenarios::compare(list);
    maps::compare(list, &reach);
    systems::compare(list);
    if list.changes.is_empty() && !old.nothing {
        list.add(Kind::MeaningChanged, whole::POLICY)
            .was(&old.plan.digest, old.head(|_| None))
            .is(&new.plan.digest, new.head(|_| None))
            .means("the runner is told something else; compare the two plans as JSON");
    }
}

fn notes(old: &Version, new: &Version, figures: bool) -> Vec<String> {
    let mut notes = Vec::new();
    for (version, which) in [(old, "old"), (new, "new")] {
        match version.errors {
            0 => {}
            1 => notes.push(format!(
                "the {which} policy has an error: it is compared as far as it could be read"
            )),
            n => notes.push(format!(
                "the {which} policy has {n} errors: it is compared as far as it could be read"
            )),
        }
        if version.holds == Holds::Plan {
            notes.push(format!(
                "the {which} side is a plan, which holds no clearances, prices, tests, accepted findings or figures: these are not compared"
            ));
        }
    }
    if old.holds == Holds::Nothing {
        notes.push(format!(
            "there was no such policy at {}: all of it is new",
            old.label
        ));
    }
    if !figures && old.holds != Holds::Plan && new.holds != Holds::Plan {
        notes.push(
            "calls, ages and costs are not compared, since a policy could not be read whole"
                .to_owned(),
        );
    }
    notes
}
