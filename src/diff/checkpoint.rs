//! Checkpoints: what stands between reading and writing.

use super::kind::{Grade, Kind};
use super::list::{List, percent};
use super::types::About;
use super::words::{self, Relation};
use crate::model;
use crate::plan::{Checkpoint, Dedupe, Guard, Keep, Require, Scenario};
use crate::text::Span;

/// The scenario whose checkpoint is compared.
struct Of<'s>(&'s str);

impl Of<'_> {
    fn said(
        &self,
        list: &mut List,
        (kind, grade): (Kind, Grade),
        was: Option<String>,
        is: Option<String>,
        means: impl Into<String>,
    ) {
        let (old, new) = (list.old, list.new);
        let at: fn(&model::Scenario) -> Option<Span> = |s| s.checkpoint.as_ref().map(|c| c.clause);
        let mut adding = list.graded(kind, grade, self.0);
        if let Some(was) = was {
            adding = adding.was(was, old.scenario(self.0, at));
        }
        if let Some(is) = is {
            adding = adding.is(is, new.scenario(self.0, at));
        }
        adding
            .means(means)
            .about(About::Scenario(self.0.to_owned()));
    }
}

pub(super) fn compare(list: &mut List, a: &Scenario, b: &Scenario) {
    if a.checkpoint == b.checkpoint {
        return;
    }
    let empty = Checkpoint {
        dedupe: None,
        require: Vec::new(),
        guard: Vec::new(),
        abort_over: None,
    };
    let before = list.changes.len();
    let of = Of(&b.name);
    let (old, new) = (
        a.checkpoint.as_ref().unwrap_or(&empty),
        b.checkpoint.as_ref().unwrap_or(&empty),
    );
    dedupe(list, &of, old.dedupe.as_ref(), new.dedupe.as_ref());
    require(list, &of, &old.require, &new.require);
    guard(list, &of, &old.guard, &new.guard);
    abort(list, &of, old.abort_over, new.abort_over);
    if list.changes.len() == before {
        let text = |c: &Option<Checkpoint>| match c {
            None => "no checkpoint".to_owned(),
            Some(c) if *c == empty => "checkpoint {}".to_owned(),
            Some(_) => "checkpoint".to_owned(),
        };
        let (was, is) = (Some(text(&a.checkpoint)), Some(text(&b.checkpoint)));
        let means = "it asks the same of every record";
        of.said(
            list,
            (Kind::CheckpointReordered, Grade::Safe),
            was,
            is,
            means,
        );
    }
}

fn dedupe_text(d: &Dedupe) -> String {
    let keep = match d.keep {
        Keep::Newest => "newest",
        Keep::Oldest => "oldest",
        Keep::Owner => "owner",
    };
    format!("dedupe by {} keep {keep}", d.by.join(", "))
}

fn dedupe(list: &mut List, of: &Of, a: Option<&Dedupe>, b: Option<&Dedupe>) {
    let (was, is) = (a.map(dedupe_text), b.map(dedupe_text));
    match (a, b) {
        (a, b) if a == b => {}
        (Some(_), None) => of.said(
            list,
            (Kind::DedupeRemoved, Grade::Breaking),
            was,
            is,
            "duplicates get through",
        ),
        (None, _) => of.said(
            list,
            (Kind::DedupeAdded, Grade::Risky),
            was,
            is,
            "of records that count as the same one stays",
        ),
        (Some(_), Some(_)) => of.said(
            list,
            (Kind::DedupeChanged, Grade::Risky),
            was,
            is,
            "other records count as the same, or another of them stays",
        ),
    }
}

fn require_text(r: &Require) -> String {
    let other = if r.abort { "abort" } else { "quarantine" };
    format!("require `{}` else {other}", r.expression.cel)
}

fn require(list: &mut List, of: &Of, a: &[Require], b: &[Require]) {
    // Conditions that stayed word for word come first, then what is left in the order written.
    let mut gone: Vec<&Require> = a.iter().collect();
    let mut come: Vec<&Require> = Vec::new();
    for new in b {
        let same = |o: &&Require| {
            words::relation(&o.expression.cel, &new.expression.cel) == Relation::Same
        };
        let Some(at) = gone.iter().position(same) else {
            come.push(new);
            continue;
        };
        let old = gone.remove(at);
        let (was, is) = (Some(require_text(old)), Some(require_text(new)));
        match (old.abort, new.abort) {
            (true, false) => {
                let means = "a record that fails is set aside, and the others go on";
                of.said(
                    list,
                    (Kind::RequireLoosened, Grade::Breaking),
                    was,
                    is,
                    means,
                );
            }
            (false, true) => {
                let means = "one record that fails aborts the run";
                of.said(list, (Kind::RequireTightened, Grade::Risky), was, is, means);
            }
            _ if old.expression.cel != new.expression.cel => {
                let means = "it says the same in other words";
                of.said(
                    list,
                    (Kind::ExpressionRewritten, Grade::Safe),
                    was,
                    is,
                    means,
                );
            }
            _ => {}
        }
    }
    changed(list, of, gone, come);
}

fn changed(list: &mut List, of: &Of, gone: Vec<&Require>, come: Vec<&Require>) {
    for at in 0..gone.len().max(come.len()) {
        let (old, new) = (gone.get(at), come.get(at));
        let (was, is) = (old.map(|r| require_text(r)), new.map(|r| require_text(r)));
        match (old, new) {
            (Some(_), None) => {
                let means = "records that did not hold it get through";
                of.said(
                    list,
                    (Kind::RequireRemoved, Grade::Breaking),
                    was,
                    is,
                    means,
                );
            }
            (None, Some(_)) => {
                let means = "records that do not hold it are stopped";
                of.said(list, (Kind::RequireAdded, Grade::Risky), was, is, means);
            }
            (Some(old), Some(new)) => {
                let tighter = words::relation(&old.expression.cel, &new.expression.cel)
                    == Relation::Narrower
                    && (new.abort || !old.abort);
                let (kind, grade, means) = match tighter {
                    true => (
                        Kind::RequireTightened,
                        Grade::Risky,
                        "it asks for more: records are stopped that got through",
                    ),
                    false => (
                        Kind::RequireChanged,
                        Grade::Breaking,
                        "records may get through that were stopped",
                    ),
                };
                of.said(list, (kind, grade), was, is, means);
            }
            (None, None) => {}
        }
    }
}

fn guard(list: &mut List, of: &Of, a: &[Guard], b: &[Guard]) {
    let text = |g: &Guard| format!("guard {} over {}", g.field, percent(g.over));
    // A field that is guarded twice is guarded by the tighter one.
    let tightest = |all: &[Guard], field: &str| -> Option<Guard> {
        let of_field = all.iter().filter(|g| g.field == field);
        of_field.min_by(|x, y| x.over.total_cmp(&y.over)).cloned()
    };
    let mut fields: Vec<&str> = a.iter().chain(b).map(|g| g.field.as_str()).collect();
    fields.sort_unstable();
    fields.dedup();
    for field in fields {
        let (old, new) = (tightest(a, field), tightest(b, field));
        let (kind, means) = match (&old, &new) {
            (Some(_), None) => (
                Kind::GuardRemoved,
                format!("a run may change `{field}` on all records"),
            ),
            (None, Some(new)) => (
                Kind::GuardAdded,
                format!(
                    "a run that would change `{field}` on more than {} is aborted",
                    percent(new.over)
                ),
            ),
            (Some(old), Some(new)) if new.over > old.over => (
                Kind::GuardLoosened,
                format!("a run may change `{field}` on up to {}", percent(new.over)),
            ),
            (Some(old), Some(new)) if new.over < old.over => (
                Kind::GuardTightened,
                format!(
                    "a run may change `{field}` on no more than {}",
                    percent(new.over)
                ),
            ),
            _ => continue,
        };
        let grade = kind.grades().first().copied().unwrap_or(Grade::Breaking);
        of.said(
            list,
            (kind, grade),
            old.as_ref().map(text),
            new.as_ref().map(text),
            means,
        );
    }
}

fn abort(list: &mut List, of: &Of, a: Option<f64>, b: Option<f64>) {
    let text = |share: f64| format!("abort over {}", percent(share));
    let (was, is) = (a.map(text), b.map(text));
    // Without the clause any number is borne.
    match (a.unwrap_or(1.0), b.unwrap_or(1.0)) {
        (old, new) if new > old || (a.is_some() && b.is_none()) => {
            let means = match b {
                Some(b) => format!(
                    "a run goes on with up to {} of its records quarantined",
                    percent(b)
                ),
                None => "a run goes on however many of its records are quarantined".to_owned(),
            };
            of.said(list, (Kind::AbortLoosened, Grade::Breaking), was, is, means);
        }
        (old, new) if new < old || a.is_some() != b.is_some() => {
            let means = "a run is aborted earlier".to_owned();
            of.said(list, (Kind::AbortTightened, Grade::Safe), was, is, means);
        }
        _ => {}
    }
}
