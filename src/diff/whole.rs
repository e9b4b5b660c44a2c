//! The policy as a whole: its name, zone and alert, its prices, tests and accepted findings, errors.

use std::collections::{BTreeMap, BTreeSet};

use super::kind::{Grade, Kind};
use super::list::{List, joined};
use super::side::{Side, Source};
use super::types::{About, Place, Where};
use super::words;
use crate::finding::Level;
use crate::model::{self, MoneyPer, Percent, Policy, Price};
use crate::plan::{EnvRef, Plan};
use crate::text::{Sources, Span};
use crate::time::Schedule;

/// What subjects call the policy as a whole.
pub(super) const POLICY: &str = "policy";

/// What a plan holds of the policy as a whole.
pub(super) fn compare(list: &mut List) {
    let (old, new) = (list.old, list.new);
    if old.plan.policy != new.plan.policy {
        list.add(Kind::PolicyRenamed, POLICY)
            .was(format!("policy {}", old.plan.policy), old.head(|_| None))
            .is(format!("policy {}", new.plan.policy), new.head(|_| None))
            .means("nothing else depends on it");
    }
    if old.plan.timezone != new.plan.timezone {
        let grade = match on_the_wall(&old.plan) || on_the_wall(&new.plan) {
            true => Grade::Risky,
            false => Grade::Safe,
        };
        let means = match grade {
            Grade::Safe => "no schedule goes by the clock on the wall",
            _ => "times of day and windows mean other hours",
        };
        list.graded(Kind::TimezoneChanged, grade, POLICY)
            .was(
                format!("timezone \"{}\"", old.plan.timezone),
                old.head(|p| p.zone_span),
            )
            .is(
                format!("timezone \"{}\"", new.plan.timezone),
                new.head(|p| p.zone_span),
            )
            .means(means);
    }
    let at = |p: &Policy| p.alert.as_ref().map(|a| a.clause);
    let text = |e: &Option<EnvRef>| {
        e.as_ref()
            .map_or("no alert".to_owned(), |e| match &e.default {
                Some(default) => format!("alert env(\"{}\", \"{default}\")", e.env),
                None => format!("alert env(\"{}\")", e.env),
            })
    };
    let (kind, means) = match (&old.plan.alert, &new.plan.alert) {
        (a, b) if a == b => return,
        (_, None) => (
            Kind::AlertRemoved,
            "nobody hears of breaches, dead letters and aborted runs",
        ),
        (None, _) => (
            Kind::AlertAdded,
            "somebody hears of breaches, dead letters and aborted runs",
        ),
        _ => (
            Kind::AlertChanged,
            "somebody else hears of breaches, dead letters and aborted runs",
        ),
    };
    list.add(kind, POLICY)
        .was(text(&old.plan.alert), old.head(at))
        .is(text(&new.plan.alert), new.head(at))
        .means(means);
}

/// Whether anything goes by times of day.
fn on_the_wall(plan: &Plan) -> bool {
    plan.scenarios.iter().any(|s| {
        let schedule = s.mode.schedule.as_ref();
        s.window.is_some() || schedule.is_some_and(|s| !matches!(s, Schedule::Every(_)))
    })
}

/// What only policies hold.
pub(super) fn beyond_plans(list: &mut List) {
    let (old, new) = (list.old, list.new);
    if let (Some(before), Some(after)) = (&old.policy, &new.policy) {
        prices(list, before, after);
        passes(list, before, after);
        tests(list, before, after);
        allows(list, before, after);
    }
    errors(list);
}

fn money(m: &MoneyPer, currency: &str) -> String {
    format!("{} {currency}/{}", m.amount, m.unit)
}

fn price_text(p: Option<&Price>, currency: &str) -> String {
    p.map_or("no price".to_owned(), |p| {
        format!("price {} {currency} per {} calls", p.amount, p.calls)
    })
}

/// What a change of prices comes to.
const OTHER_PRICES: &str = "the figures are for other prices";

fn prices(list: &mut List, before: &Source, after: &Source) {
    let (old, new) = (list.old, list.new);
    let (a, b) = (before.policy, after.policy);
    if a.currency != b.currency {
        list.add(Kind::PricesChanged, POLICY)
            .was(
                format!("currency {}", a.currency),
                old.head(|p| p.currency_span),
            )
            .is(
                format!("currency {}", b.currency),
                new.head(|p| p.currency_span),
            )
            .means("costs before and after are not compared");
    }
    let upkeep = |p: &Policy| p.upkeep.as_ref().map(|u| money(&u.value, &p.currency));
    if upkeep(a) != upkeep(b) {
        let text = |u: Option<String>| u.map_or("no upkeep".to_owned(), |u| format!("upkeep {u}"));
        let at = |p: &Policy| p.upkeep.as_ref().map(|u| u.clause);
        list.add(Kind::PricesChanged, POLICY)
            .was(text(upkeep(a)), old.head(at))
            .is(text(upkeep(b)), new.head(at))
            .means(OTHER_PRICES);
    }
    prices_of_systems(list, a, b);
    if a.currency == b.currency {
        costs_of_delay(list, a, b);
    }
}

fn prices_of_systems(list: &mut List, a: &Policy, b: &Policy) {
    let (old, new) = (list.old, list.new);
    for system in &b.systems {
        let name = &*system.name.text;
        let Some(own) = a.system_named(old.renames.system(name)) else {
            continue;
        };
        let price = |s: &model::System| s.price.as_ref().map(|p| p.value);
        let (x, y) = (price(a.system(own)), price(system));
        if x != y {
            let at = |s: &model::System| s.price.as_ref().map(|p| p.clause);
            list.add(Kind::PricesChanged, name)
                .was(price_text(x.as_ref(), &a.currency), old.system(name, at))
                .is(price_text(y.as_ref(), &b.currency), new.system(name, at))
                .means(OTHER_PRICES)
                .about(About::System(name.to_owned()));
        }
    }
}

fn costs_of_delay(list: &mut List, a: &Policy, b: &Policy) {
    let (old, new) = (list.old, list.new);
    for scenario in &b.scenarios {
        let name = &*scenario.name.text;
        let Some(own) = a.scenario_named(old.renames.scenario(name)) else {
            continue;
        };
        let costs = |s: &model::Scenario, currency: &str| {
            let costs = s.stale.as_ref().and_then(|s| s.costs);
            costs.map_or("no costs".to_owned(), |c| {
                format!("costs {}", money(&c.value, currency))
            })
        };
        let (x, y) = (
            costs(a.scenario(own), &a.currency),
            costs(scenario, &b.currency),
        );
        if x != y {
            let at = |s: &model::Scenario| s.stale.as_ref().map(|c| c.clause);
            list.add(Kind::PricesChanged, name)
                .was(x, old.scenario(name, at))
                .is(y, new.scenario(name, at))
                .means(OTHER_PRICES)
                .about(About::Scenario(name.to_owned()));
        }
    }
}

/// The shares that conditions of a scenario are expected to let through, each condition once.
fn shares(
    scenario: &model::Scenario,
    sources: &Sources,
) -> BTreeMap<String, (Option<Percent>, Span)> {
    let when = scenario.when.iter().filter_map(|w| w.filter.as_ref());
    let filters = when.chain(scenario.syncs.iter().filter_map(|s| s.filter.as_ref()));
    let shares = filters.map(|f| {
        let condition = words::flat(sources.slice(f.expr.span));
        let share = f.passes.as_ref().map(|p| p.value);
        let at = f.passes.as_ref().map_or(f.expr.span, |p| p.span);
        (condition, (share, at))
    });
    shares.collect()
}

/// Other shares that the same conditions are expected to let through.
fn passes(list: &mut List, before: &Source, after: &Source) {
    let (old, new) = (list.old, list.new);
    for scenario in &after.policy.scenarios {
        let name = &*scenario.name.text;
        let Some(own) = before.policy.scenario_named(old.renames.scenario(name)) else {
            continue;
        };
        let earlier = shares(before.policy.scenario(own), before.sources);
        for (condition, (now, at)) in shares(scenario, after.sources) {
            let Some((was, was_at)) = earlier.get(&condition).filter(|(was, _)| *was != now) else {
                continue;
            };
            let text = |share: Option<Percent>| match share {
                Some(Percent(share)) => format!("if {condition} passes {}%", share.normalize()),
                None => format!("if {condition}"),
            };
            list.add(Kind::PassesChanged, name)
                .was(text(*was), old.place(*was_at))
                .is(text(now), new.place(at))
                .means("another share of the records is expected; the same ones are sent")
                .about(About::Scenario(name.to_owned()));
        }
    }
}

/// A test: its title, its words, where it stands.
type Test = (String, String, Option<Place>);

fn tests_of(side: &Side, source: &Source) -> Vec<Test> {
    let tests = source.policy.tests.iter();
    tests
        .map(|t| {
            let text = words::flat(source.sources.slice(t.span));
            (t.title.text.to_string(), text, side.place(t.title.span))
        })
        .collect()
}

fn tests(list: &mut List, before: &Source, after: &Source) {
    let (x, y) = (tests_of(list.old, before), tests_of(list.new, after));
    let renames = list.old.renames.names();
    for (title, a, b) in joined(&x, &y, |t| &t.0) {
        let text = format!("test \"{title}\"");
        match (a, b) {
            // That items have other names is told already.
            (Some(a), Some(b)) if !words::same_but_names(&a.1, &b.1, &renames) => {
                list.add(Kind::TestChanged, &title)
                    .was(&text, a.2.clone())
                    .is(&text, b.2.clone())
                    .means("it does or expects something else");
            }
            (Some(a), None) => {
                list.add(Kind::TestRemoved, &title)
                    .was(text, a.2.clone())
                    .means("nothing holds the policy to it any more");
            }
            (None, Some(b)) => {
                list.add(Kind::TestAdded, &title)
                    .is(text, b.2.clone())
                    .means("the policy is held to it");
            }
            _ => {}
        }
    }
}

/// What an `allow` covers, as subjects name it, by the span of its block.
fn blocks(policy: &Policy) -> BTreeMap<(u32, u32, u32), String> {
    let key = |s: Span| (s.file.0, s.start, s.end);
    let mut all = BTreeMap::new();
    for system in &policy.systems {
        all.insert(key(system.span), system.name.text.to_string());
    }
    for entity in &policy.entities {
        all.insert(key(entity.span), entity.name.text.to_string());
        for field in &entity.fields {
            for place in &field.declared {
                all.insert(key(place.span), policy.field_path(field.id));
            }
        }
    }
    for map in &policy.maps {
        let system = &policy.system(map.system.value).name;
        let entity = &policy.entity(map.entity.value).name;
        all.insert(key(map.span), format!("{entity} in {system}"));
    }
    for scenario in &policy.scenarios {
        all.insert(key(scenario.span), scenario.name.text.to_string());
        if let Some(checkpoint) = &scenario.checkpoint {
            all.insert(key(checkpoint.clause), scenario.name.text.to_string());
        }
    }
    for test in &policy.tests {
        all.insert(key(test.span), test.title.text.to_string());
    }
    all
}

/// What accepts a finding.
struct Allowed {
    /// The last day; none: for ever.
    until: Option<String>,
    reason: String,
    text: String,
    at: Option<Place>,
}

/// Each accepted check with the block it covers, and what accepts it for the longest.
type Allows = BTreeMap<(String, String), Allowed>;

fn allows_of(side: &Side, source: &Source) -> Allows {
    let mut all = Allows::new();
    if source.policy.allows.is_empty() {
        return all;
    }
    let blocks = blocks(source.policy);
    for allow in &source.policy.allows {
        let Some(code) = allow.check else {
            continue;
        };
        let block = match allow.covers {
            None => POLICY.to_owned(),
            Some(s) => {
                let found = blocks.get(&(s.file.0, s.start, s.end));
                found.cloned().unwrap_or_else(|| POLICY.to_owned())
            }
        };
        let until = allow.until.as_ref().map(|u| u.value.to_string());
        let end = until
            .as_ref()
            .map_or(String::new(), |u| format!(" until {u}"));
        let text = format!("allow {} \"{}\"{end}", code.info().name, allow.reason.text);
        let found = Allowed {
            until,
            reason: allow.reason.text.to_string(),
            text,
            at: side.place(allow.span),
        };
        let key = (code.info().name.to_owned(), block);
        // Of several the one that lasts longest counts; a day sorts as its text does.
        let longer = |a: &Option<String>, b: &Option<String>| b.is_none() || (a.is_some() && b > a);
        match all.get(&key) {
            Some(kept) if !longer(&kept.until, &found.until) => {}
            _ => _ = all.insert(key, found),
        }
    }
    all
}

fn allows(list: &mut List, before: &Source, after: &Source) {
    let (x, y) = (allows_of(list.old, before), allows_of(list.new, after));
    let keys: BTreeSet<_> = x.keys().chain(y.keys()).cloned().collect();
    for key in keys {
        let (name, block) = &key;
        let subject = format!("{name} in {block}");
        let grade = match crate::finding::code_by_name(name).map(|c| c.info().level) {
            Some(Level::Error) => Grade::Breaking,
            _ => Grade::Risky,
        };
        match (x.get(&key), y.get(&key)) {
            (Some(a), Some(b)) if a.until == b.until && a.reason == b.reason => {}
            (Some(a), Some(b)) if a.until == b.until => {
                list.add(Kind::AllowReasonChanged, subject)
                    .was(&a.text, a.at.clone())
                    .is(&b.text, b.at.clone())
                    .means("the finding is accepted as before, for another reason");
            }
            (Some(a), Some(b)) => {
                let longer = b.until.is_none() || (a.until.is_some() && b.until > a.until);
                let (kind, grade, means) = match longer {
                    true => (
                        Kind::AllowAdded,
                        grade,
                        "the finding is accepted for longer",
                    ),
                    false => (
                        Kind::AllowRemoved,
                        Grade::Safe,
                        "the finding is accepted for less long",
                    ),
                };
                list.graded(kind, grade, subject)
                    .was(&a.text, a.at.clone())
                    .is(&b.text, b.at.clone())
                    .means(means);
            }
            (Some(a), None) => {
                list.add(Kind::AllowRemoved, subject)
                    .was(&a.text, a.at.clone())
                    .means("the finding counts");
            }
            (None, Some(b)) => {
                let means = match grade {
                    Grade::Breaking => "an error no longer stops the policy",
                    _ => "a warning is no longer shown",
                };
                list.graded(Kind::AllowAdded, grade, subject)
                    .is(&b.text, b.at.clone())
                    .means(means);
            }
            (None, None) => {}
        }
    }
}

fn errors(list: &mut List) {
    let (old, new) = (list.old, list.new);
    let known: BTreeSet<_> = old.errors().map(|f| (f.code, &f.message)).collect();
    for finding in new
        .errors()
        .filter(|f| !known.contains(&(f.code, &f.message)))
    {
        let at = finding.primary.and_then(|p| new.place(p));
        let info = finding.code.info();
        list.add(Kind::ErrorAdded, format!("{} {}", finding.code, info.name))
            .is(&finding.message, at)
            .means("the policy can be neither planned nor run");
    }
}

/// What only got another name.
pub(super) fn renamed(list: &mut List) {
    let (old, new) = (list.old, list.new);
    let renames = &old.renames;
    for (from, to) in &renames.systems {
        list.add(Kind::SystemRenamed, to)
            .was(format!("system {from}"), old.system(to, |_| None))
            .is(format!("system {to}"), new.system(to, |_| None))
            .means(format!("a store forgets what `{from}` said and holds: what it alone knew, as an opt-out, no longer counts until `{to}` says it again"))
            .about(About::System(to.clone()));
    }
    for (from, to) in &renames.entities {
        list.add(Kind::EntityRenamed, to)
            .was(format!("entity {from}"), old.entity(to, |_| None))
            .is(format!("entity {to}"), new.entity(to, |_| None))
            .means(format!(
                "a store knows its records as `{from}` and begins anew"
            ))
            .about(About::Entity(to.clone()));
    }
    for (entity, from, to) in &renames.fields {
        list.add(Kind::FieldRenamed, format!("{entity}.{to}"))
            .was(format!("field {from}"), old.field(entity, to, |_| None))
            .is(format!("field {to}"), new.field(entity, to, |_| None))
            .means(format!("a store forgets who said what of `{from}`; where `same_names` maps it, its columns are others too"))
            .about(About::Field(entity.clone(), to.clone(), Where::Everywhere));
    }
    for (from, to) in &renames.scenarios {
        list.add(Kind::ScenarioRenamed, to)
            .was(format!("scenario {from}"), old.scenario(to, |_| None))
            .is(format!("scenario {to}"), new.scenario(to, |_| None))
            .means(format!("its cursors and pauses are under `{from}`: its first run reads everything, and it is not paused"))
            .about(About::Scenario(to.clone()));
    }
}
