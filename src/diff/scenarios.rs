//! Scenarios: which are there, what starts them and what is promised of them.

use super::checkpoint;
use super::delivery;
use super::fields::volume_text;
use super::kind::{Grade, Kind};
use super::list::{List, joined, names};
use super::timing::{self, Clocks};
use super::types::About;
use super::words::{self, Relation};
use crate::model;
use crate::plan::Scenario;
use crate::terms::Impact;
use crate::text::Span;
use crate::time::{Millis, Window};

/// A scenario in both versions.
pub(super) struct Both<'s> {
    pub old: &'s Scenario,
    pub new: &'s Scenario,
}

impl Both<'_> {
    pub fn name(&self) -> &str {
        &self.new.name
    }

    fn about(&self) -> About {
        About::Scenario(self.name().to_owned())
    }
}

/// Where a clause stands.
pub(super) type Clause = fn(&model::Scenario) -> Option<Span>;

/// Adds a change of a scenario with its words before and after.
pub(super) fn said(
    list: &mut List,
    s: &Both,
    (kind, grade): (Kind, Grade),
    (was, is): (String, String),
    at: Clause,
    means: impl Into<String>,
) {
    let (old, new) = (list.old, list.new);
    list.graded(kind, grade, s.name())
        .was(was, old.scenario(s.name(), at))
        .is(is, new.scenario(s.name(), at))
        .means(means)
        .about(s.about());
}

pub(super) fn compare(list: &mut List) {
    let (old, new) = (list.old, list.new);
    let clocks = Clocks::of(&old.plan, &new.plan);
    for (name, a, b) in joined(&old.plan.scenarios, &new.plan.scenarios, |s| &s.name) {
        match (a, b) {
            (Some(a), Some(b)) => scenario(list, &clocks, &Both { old: a, new: b }),
            (Some(a), None) => {
                let text = format!("scenario {name}, mode {}", a.mode.text);
                list.add(Kind::ScenarioRemoved, &name)
                    .was(text, old.scenario(&name, |_| None))
                    .means("what nobody else carries is told under `field-unsent`")
                    .about(About::Scenario(name.clone()));
            }
            (None, b) => {
                let mode = b.map_or("", |b| &b.mode.text);
                list.add(Kind::ScenarioAdded, &name)
                    .is(
                        format!("scenario {name}, mode {mode}"),
                        new.scenario(&name, |_| None),
                    )
                    .means("what nobody carried before is told under `field-sent`")
                    .about(About::Scenario(name.clone()));
            }
        }
    }
}

fn scenario(list: &mut List, clocks: &Clocks, s: &Both) {
    timing::mode(list, clocks, s);
    trigger(list, s);
    clean(list, s);
    window(list, s);
    after(list, s);
    fresh(list, s);
    checkpoint::compare(list, s.old, s.new);
    impact(list, s);
    volume(list, s);
    delivery::compare(list, s);
}

/// What another condition over the events of `when` comes to; none: it is the same.
fn events(old: Option<&str>, new: Option<&str>) -> Option<(Kind, Grade, &'static str)> {
    let relation = match (old, new) {
        (a, b) if a == b => return None,
        (Some(a), Some(b)) => words::relation(a, b),
        (Some(_), None) => Relation::Wider,
        (None, _) => Relation::Narrower,
    };
    Some(match relation {
        Relation::Same => (
            Kind::ExpressionRewritten,
            Grade::Safe,
            "it says the same in other words",
        ),
        Relation::Wider => (
            Kind::FilterWidened,
            Grade::Breaking,
            "events start it that did not",
        ),
        Relation::Narrower => (
            Kind::FilterNarrowed,
            Grade::Risky,
            "events no longer start it that did",
        ),
        Relation::Other => (Kind::FilterChanged, Grade::Risky, "other events start it"),
    })
}

fn trigger(list: &mut List, s: &Both) {
    let (a, b) = (&s.old.when, &s.new.when);
    let at: Clause = |s| s.when.as_ref().map(|w| w.clause);
    let text = |w: &Option<crate::plan::When>| match w {
        None => "every change".to_owned(),
        Some(w) => match &w.filter {
            None => format!("when {}.{}", w.system, w.event),
            Some(filter) => format!("when {}.{} if `{filter}`", w.system, w.event),
        },
    };
    let words = (text(a), text(b));
    match (a, b) {
        (Some(a), Some(b)) if a.system == b.system && a.event == b.event => {
            let Some((kind, grade, means)) = events(a.filter.as_deref(), b.filter.as_deref())
            else {
                return;
            };
            said(list, s, (kind, grade), words, at, means);
        }
        (Some(_), Some(b)) => {
            let means = format!("nothing but `{}.{}` starts it", b.system, b.event);
            said(
                list,
                s,
                (Kind::TriggerChanged, Grade::Breaking),
                words,
                at,
                means,
            );
        }
        (Some(_), None) => {
            let means = "every change of its sources starts it, not one event alone";
            said(
                list,
                s,
                (Kind::TriggerChanged, Grade::Risky),
                words,
                at,
                means,
            );
        }
        (None, Some(b)) => {
            let means = format!(
                "only `{}.{}` starts it, not every change of its sources",
                b.system, b.event
            );
            said(
                list,
                s,
                (Kind::TriggerChanged, Grade::Risky),
                words,
                at,
                means,
            );
        }
        (None, None) => {}
    }
}

fn clean(list: &mut List, s: &Both) {
    if s.old.clean == s.new.clean {
        return;
    }
    let text = |c: &Option<crate::plan::Clean>| {
        c.as_ref().map_or("no clean".to_owned(), |c| {
            format!("clean {} in {}", c.entity, c.system)
        })
    };
    let words = (text(&s.old.clean), text(&s.new.clean));
    let means = match &s.new.clean {
        Some(c) => format!(
            "records of `{}` are changed and deleted in `{}` itself",
            c.entity, c.system
        ),
        None => "the set is no longer cleaned".to_owned(),
    };
    let at: Clause = |s| s.clean.as_ref().map(|c| c.clause);
    said(
        list,
        s,
        (Kind::CleanChanged, Grade::Breaking),
        words,
        at,
        means,
    );
}

fn window(list: &mut List, s: &Both) {
    let text = |w: &Option<Window>| {
        w.as_ref()
            .map_or("no window".to_owned(), |w| format!("window {w}"))
    };
    if s.old.window != s.new.window {
        let words = (text(&s.old.window), text(&s.new.window));
        let means = match s.new.window {
            Some(_) => "scheduled work runs only inside",
            None => "scheduled work runs at any hour",
        };
        said(
            list,
            s,
            (Kind::WindowChanged, Grade::Risky),
            words,
            |s| s.window.as_ref().map(|w| w.clause),
            means,
        );
    }
}

fn after(list: &mut List, s: &Both) {
    let text = |all: &[String]| match all {
        [] => "after nothing".to_owned(),
        all => format!("after {}", all.join(", ")),
    };
    let words = || (text(&s.old.after), text(&s.new.after));
    let at: Clause = |s| s.after_clause;
    let gone = s.old.after.iter().filter(|a| !s.new.after.contains(a));
    let gone: Vec<&str> = gone.map(String::as_str).collect();
    let come = s.new.after.iter().filter(|a| !s.old.after.contains(a));
    let come: Vec<&str> = come.map(String::as_str).collect();
    if !gone.is_empty() {
        let means = format!("it may start before {} is done", names(gone));
        said(
            list,
            s,
            (Kind::AfterRemoved, Grade::Risky),
            words(),
            at,
            means,
        );
    }
    if !come.is_empty() {
        let means = format!("it does not start while {} is due or running", names(come));
        said(list, s, (Kind::AfterAdded, Grade::Safe), words(), at, means);
    }
}

fn fresh(list: &mut List, s: &Both) {
    let text = |f: Option<Millis>| f.map_or("no bound".to_owned(), |f| format!("fresh {f}"));
    let (kind, means) = match (s.old.fresh, s.new.fresh) {
        (Some(a), Some(b)) if a < b => (
            Kind::FreshLoosened,
            format!("its hops are no longer held to {a}"),
        ),
        (Some(a), Some(b)) if a > b => (Kind::FreshTightened, format!("its hops are held to {b}")),
        (Some(_), None) => (
            Kind::FreshRemoved,
            "nothing bounds how late its hops are".to_owned(),
        ),
        (None, Some(b)) => (Kind::FreshAdded, format!("its hops are held to {b}")),
        _ => return,
    };
    let grade = kind.grades().first().copied().unwrap_or(Grade::Breaking);
    let words = (text(s.old.fresh), text(s.new.fresh));
    said(
        list,
        s,
        (kind, grade),
        words,
        |s| s.fresh.as_ref().map(|f| f.clause),
        means,
    );
}

fn impact(list: &mut List, s: &Both) {
    if s.old.stale != s.new.stale {
        let text = |i: Option<Impact>| i.map_or("no stale".to_owned(), |i| format!("stale {i}"));
        let (grade, means) = match s.old.stale {
            Some(Impact::Compliance) => (Grade::Breaking, "real time is no longer asked of it"),
            _ => (Grade::Safe, "what a late arrival does is seen otherwise"),
        };
        let words = (text(s.old.stale), text(s.new.stale));
        said(
            list,
            s,
            (Kind::ImpactChanged, grade),
            words,
            |s| s.stale.as_ref().map(|c| c.clause),
            means,
        );
    }
}

fn volume(list: &mut List, s: &Both) {
    if s.old.volume != s.new.volume {
        let words = (
            volume_text(s.old.volume.as_ref()),
            volume_text(s.new.volume.as_ref()),
        );
        let means = "the figures are for other numbers";
        said(
            list,
            s,
            (Kind::VolumeChanged, Grade::Safe),
            words,
            |s| s.volume.as_ref().map(|v| v.clause),
            means,
        );
    }
}
