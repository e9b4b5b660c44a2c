//! Systems: connectors, limits, options, secrets, and what they are cleared for.

use indexmap::IndexMap;

use super::kind::{Grade, Kind};
use super::list::{List, joined, names, percent};
use super::types::About;
use crate::model;
use crate::plan::{Capabilities, EnvRef, Limit, Setting, System, VendorLimit};
use crate::text::Span;

pub(super) fn compare(list: &mut List) {
    let (old, new) = (list.old, list.new);
    for (name, a, b) in joined(&old.plan.systems, &new.plan.systems, |s| &s.name) {
        match (a, b) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => system(list, a, b),
            (Some(a), None) => {
                list.add(Kind::SystemRemoved, &name)
                    .was(system_text(a), old.system(&name, |_| None))
                    .means("nothing goes there or comes from there any more")
                    .about(About::System(name.clone()));
            }
            (None, Some(b)) => {
                list.add(Kind::SystemAdded, &name)
                    .is(system_text(b), new.system(&name, |_| None))
                    .means("what goes there is under flows")
                    .about(About::System(name.clone()));
            }
            (None, None) => {}
        }
    }
}

fn system_text(s: &System) -> String {
    match &s.tier {
        Some(tier) => format!("system {}, connector {} ({tier})", s.name, s.connector),
        None => format!("system {}, connector {}", s.name, s.connector),
    }
}

/// Adds a change of a system with its words before and after.
fn said(
    list: &mut List,
    s: &System,
    (kind, grade): (Kind, Grade),
    (was, is): (String, String),
    at: impl Fn(&model::System) -> Option<Span>,
    means: impl Into<String>,
) {
    let (old, new) = (list.old, list.new);
    list.graded(kind, grade, &s.name)
        .was(was, old.system(&s.name, &at))
        .is(is, new.system(&s.name, &at))
        .means(means)
        .about(About::System(s.name.clone()));
}

fn system(list: &mut List, a: &System, b: &System) {
    let at = |s: &model::System| s.connector.as_ref().map(|c| c.clause);
    if a.connector != b.connector {
        let words = (
            format!("connector {}", a.connector),
            format!("connector {}", b.connector),
        );
        let means = "what a store knows of the old system is taken for the new one's";
        said(
            list,
            b,
            (Kind::ConnectorChanged, Grade::Breaking),
            words,
            at,
            means,
        );
    } else {
        capabilities(list, a, b);
        sizes(list, a, b);
        vendor_limits(list, a, b);
    }
    if a.tier != b.tier {
        let text = |t: &Option<String>| {
            t.as_ref()
                .map_or("no tier".to_owned(), |t| format!("tier {t}"))
        };
        let words = (text(&a.tier), text(&b.tier));
        said(
            list,
            b,
            (Kind::TierChanged, Grade::Risky),
            words,
            |s| s.tier.as_ref().map(|t| t.clause),
            "it has other limits and prices",
        );
    }
    if a.seats != b.seats {
        let text = |n: Option<u64>| n.map_or("no seats".to_owned(), |n| format!("seats {n}"));
        let words = (text(a.seats), text(b.seats));
        let (grade, means) = match b.seats < a.seats {
            true => (Grade::Risky, "the vendor's limits may be lower"),
            false => (Grade::Safe, "the vendor's limits may be higher"),
        };
        said(
            list,
            b,
            (Kind::SeatsChanged, grade),
            words,
            |s| s.seats.as_ref().map(|t| t.clause),
            means,
        );
    }
    options(list, a, b);
    limits(list, a, b);
    shares(list, a, b);
}

/// What a catalog entry says that a connector can do: it changes with the entry.
fn capabilities(list: &mut List, a: &System, b: &System) {
    let words = |c: Capabilities| {
        let all = [
            (c.read, "read"),
            (c.write, "write"),
            (c.upsert, "upsert"),
            (c.events, "events"),
            (c.deletes, "deletes"),
        ];
        let can = all
            .into_iter()
            .filter_map(|(can, word)| can.then_some(word));
        can.collect::<Vec<_>>()
    };
    let (old, new) = (words(a.capabilities), words(b.capabilities));
    let text = |all: &[&str]| format!("can {}", all.join(", "));
    let at = |s: &model::System| s.connector.as_ref().map(|c| c.clause);
    let lost: Vec<&str> = old.iter().filter(|c| !new.contains(c)).copied().collect();
    let won: Vec<&str> = new.iter().filter(|c| !old.contains(c)).copied().collect();
    if !lost.is_empty() {
        let means = format!("`{}` no longer offers {}", b.connector, names(lost));
        said(
            list,
            b,
            (Kind::CapabilityLost, Grade::Breaking),
            (text(&old), text(&new)),
            at,
            means,
        );
    }
    if !won.is_empty() {
        let means = format!("`{}` now offers {}", b.connector, names(won));
        said(
            list,
            b,
            (Kind::CapabilityGained, Grade::Safe),
            (text(&old), text(&new)),
            at,
            means,
        );
    }
}

fn sizes(list: &mut List, a: &System, b: &System) {
    let of = |s: &System| (s.write_batch, s.read_page, s.bulk, s.visibility_lag);
    if of(a) == of(b) {
        return;
    }
    let number = |n: Option<u32>| n.map_or("all".to_owned(), |n| n.to_string());
    let jobs = |s: &System| match &s.bulk {
        Some(b) => format!(
            ", {} in a job from {} on ({} calls beside)",
            b.records, b.from_records, b.fixed_calls
        ),
        None => String::new(),
    };
    let text = |s: &System| {
        format!(
            "{} records a write{}, {} a page, visible after {}",
            number(s.write_batch),
            jobs(s),
            number(s.read_page),
            s.visibility_lag
        )
    };
    let at = |s: &model::System| s.connector.as_ref().map(|c| c.clause);
    let means = format!("the entry of `{}` says other sizes", b.connector);
    said(
        list,
        b,
        (Kind::ConnectorFiguresChanged, Grade::Risky),
        (text(a), text(b)),
        at,
        means,
    );
}

/// The vendor's limits: they also follow from the tier and the seats, which are told by themselves.
fn vendor_limits(list: &mut List, a: &System, b: &System) {
    let of = |s: &System| (s.vendor_limits.clone(), s.concurrency);
    if of(a) == of(b) || a.tier != b.tier || a.seats != b.seats {
        return;
    }
    let text = |s: &System| {
        let limits = s.vendor_limits.iter();
        let mut all: Vec<String> = limits
            .map(|l| format!("{} {} in {}", l.name, l.calls, l.per))
            .collect();
        all.push(format!("{} at a time", s.concurrency));
        all.join(", ")
    };
    let fewer = |l: &VendorLimit| {
        let now = b.vendor_limits.iter().find(|o| o.name == l.name);
        now.is_some_and(|o| o.calls < l.calls || o.per > l.per)
    };
    let new = |l: &VendorLimit| !a.vendor_limits.iter().any(|o| o.name == l.name);
    let less = a.vendor_limits.iter().any(fewer)
        || b.vendor_limits.iter().any(new)
        || b.concurrency < a.concurrency;
    let (grade, means) = match less {
        true => (Grade::Risky, "the vendor allows less, by its entry"),
        false => (Grade::Safe, "the vendor's limits are others, by its entry"),
    };
    let at = |s: &model::System| s.connector.as_ref().map(|c| c.clause);
    let kind = (Kind::VendorLimitsChanged, grade);
    said(list, b, kind, (text(a), text(b)), at, means);
}

fn env_text(e: &EnvRef) -> String {
    match &e.default {
        Some(default) => format!("env(\"{}\", \"{default}\")", e.env),
        None => format!("env(\"{}\")", e.env),
    }
}

fn setting_text(s: &Setting) -> String {
    match s {
        Setting::Value(value) => value.to_string(),
        Setting::Env(env) => env_text(env),
    }
}

/// The values of one name, before and after.
type Pair<'v, V> = (&'v str, Option<&'v V>, Option<&'v V>);

fn pairs<'v, V: PartialEq>(
    a: &'v IndexMap<String, V>,
    b: &'v IndexMap<String, V>,
) -> Vec<Pair<'v, V>> {
    let mut names: Vec<&str> = a.keys().chain(b.keys()).map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let both = names.into_iter().map(|n| (n, a.get(n), b.get(n)));
    both.filter(|(_, a, b)| a != b).collect()
}

fn options(list: &mut List, a: &System, b: &System) {
    for (name, x, y) in pairs(&a.options, &b.options) {
        let text = |s: Option<&Setting>| {
            s.map_or(format!("no option {name}"), |s| {
                format!("option {name} = {}", setting_text(s))
            })
        };
        let at = |s: &model::System| {
            let mut options = s.options.iter();
            options.find(|o| &*o.name.text == name).map(|o| o.clause)
        };
        let means = match (x, y) {
            (_, Some(Setting::Env(_))) => "the runner needs the variable, or its default",
            (_, None) => "the connector's own default holds",
            _ => "the connector works by another setting",
        };
        said(
            list,
            b,
            (Kind::OptionChanged, Grade::Risky),
            (text(x), text(y)),
            at,
            means,
        );
    }
    for (name, x, y) in pairs(&a.secrets, &b.secrets) {
        let text = |e: Option<&EnvRef>| {
            e.map_or(format!("no secret {name}"), |e| {
                format!("secret {name} = {}", env_text(e))
            })
        };
        let at = |s: &model::System| {
            let mut secrets = s.secrets.iter();
            secrets.find(|o| &*o.name.text == name).map(|o| o.clause)
        };
        let means = match y {
            Some(env) => format!("`{}` has to be set where the runner runs", env.env),
            None => "the connector goes without it".to_owned(),
        };
        said(
            list,
            b,
            (Kind::SecretChanged, Grade::Risky),
            (text(x), text(y)),
            at,
            means,
        );
    }
}

fn limits(list: &mut List, a: &System, b: &System) {
    let mut windows: Vec<_> = a.limits.iter().chain(&b.limits).map(|l| l.per).collect();
    windows.sort_unstable();
    windows.dedup();
    for per in windows {
        // Of several of one window the tightest holds.
        let tightest = |s: &System| {
            let of_window = s.limits.iter().filter(|l| l.per == per);
            of_window.map(|l| l.calls).min()
        };
        let text = |calls: Option<u64>| {
            let limit = calls.map(|calls| Limit { calls, per });
            limit.map_or(format!("no limit per {per}"), |l| {
                format!("limit {}/{}", l.calls, l.per)
            })
        };
        let (x, y) = (tightest(a), tightest(b));
        let most = u64::MAX;
        let (kind, means) = match x.unwrap_or(most).cmp(&y.unwrap_or(most)) {
            std::cmp::Ordering::Less => (Kind::LimitLoosened, "it may be called more often"),
            std::cmp::Ordering::Greater => (Kind::LimitTightened, "calls to it may have to wait"),
            std::cmp::Ordering::Equal => continue,
        };
        let at = |s: &model::System| s.limits.first().map(|l| l.clause);
        said(list, b, (kind, Grade::Risky), (text(x), text(y)), at, means);
    }
    let all = |s: &System| {
        let mut all = s.limits.clone();
        all.sort_unstable_by_key(|l| (l.per, l.calls));
        all
    };
    let told = list.changes.last().is_some_and(|c| {
        c.subject == b.name && matches!(c.kind, Kind::LimitLoosened | Kind::LimitTightened)
    });
    if all(a) != all(b) && !told {
        let text = |s: &System| {
            let all: Vec<String> = s
                .limits
                .iter()
                .map(|l| format!("limit {}/{}", l.calls, l.per))
                .collect();
            all.join(", ")
        };
        let at = |s: &model::System| s.limits.first().map(|l| l.clause);
        let means = "the tighter one of the window holds as before";
        said(
            list,
            b,
            (Kind::ExpectationsChanged, Grade::Safe),
            (text(a), text(b)),
            at,
            means,
        );
    }
}

fn shares(list: &mut List, a: &System, b: &System) {
    if a.budget != b.budget {
        let words = (
            format!("budget {}", percent(a.budget)),
            format!("budget {}", percent(b.budget)),
        );
        let at = |s: &model::System| s.budget.as_ref().map(|c| c.clause);
        match b.budget > a.budget {
            true => {
                let means = "less of the vendor's quota is left to others";
                said(
                    list,
                    b,
                    (Kind::BudgetRaised, Grade::Risky),
                    words,
                    at,
                    means,
                );
            }
            false => {
                let means = "more of the vendor's quota is left to others";
                said(
                    list,
                    b,
                    (Kind::BudgetLowered, Grade::Safe),
                    words,
                    at,
                    means,
                );
            }
        }
    }
    // Another connector brings a latency of its own.
    if a.failure != b.failure || a.latency != b.latency {
        let text = |s: &System| format!("failure {}, latency {}", percent(s.failure), s.latency);
        let at = |s: &model::System| {
            let failure = s.failure.as_ref().map(|c| c.clause);
            failure.or(s.latency.as_ref().map(|c| c.clause))
        };
        let means = "the figures are for other expectations";
        said(
            list,
            b,
            (Kind::ExpectationsChanged, Grade::Safe),
            (text(a), text(b)),
            at,
            means,
        );
    }
}

/// What systems are cleared for, where both sides say.
pub(super) fn clearances(list: &mut List) {
    let (old, new) = (list.old, list.new);
    let (Some(before), Some(after)) = (&old.policy, &new.policy) else {
        return;
    };
    for b in &after.policy.systems {
        let name = &*b.name.text;
        let own = old.renames.system(name);
        let Some(a) = before.policy.system_named(own) else {
            continue;
        };
        let classes = |s: &model::System| -> Vec<String> {
            let cleared = s.cleared.iter().flat_map(|c| &c.value);
            cleared.map(|c| c.text.to_string()).collect()
        };
        let (was, is) = (classes(before.policy.system(a)), classes(b));
        let text = |all: &[String]| match all {
            [] => "cleared for nothing".to_owned(),
            all => format!("cleared {}", all.join(", ")),
        };
        let gone: Vec<&str> = was
            .iter()
            .filter(|c| !is.contains(c))
            .map(String::as_str)
            .collect();
        let come: Vec<&str> = is
            .iter()
            .filter(|c| !was.contains(c))
            .map(String::as_str)
            .collect();
        let at = |s: &model::System| s.cleared.as_ref().map(|c| c.clause);
        let pairs = [
            (Kind::ClearanceAdded, come, "it may get fields of class"),
            (
                Kind::ClearanceRemoved,
                gone,
                "it may no longer get fields of class",
            ),
        ];
        for (kind, classes, means) in pairs.into_iter().filter(|(_, c, _)| !c.is_empty()) {
            list.add(kind, name)
                .was(text(&was), old.system(name, at))
                .is(text(&is), new.system(name, at))
                .means(format!("{means} {}", names(classes)))
                .about(About::System(name.to_owned()));
        }
    }
}
