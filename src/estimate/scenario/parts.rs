//! What has to be in place to run a scenario: the moving parts of real time, those of a schedule.

use super::super::feeds;
use super::{Asked, Part};
use crate::arithmetic::Timing;
use crate::catalog::{ChangeTime, Delivery, Entry, Payload};
use crate::checks::figures;
use crate::model::{FieldId, SystemId};
use crate::terms::{OrderBy, ResolveRule};

/// The parts in the order in which a change meets them.
pub(super) fn of(asked: Asked) -> Vec<Part> {
    let timing = &asked.figures.timing;
    let mut parts = Vec::new();
    if timing.is_realtime() {
        parts.extend(asked.sources().into_iter().filter_map(|s| asked.events(s)));
        parts.extend(asked.reconcile());
        parts.push(asked.order());
    }
    if timing.gaps().is_some() {
        parts.push(asked.window());
        parts.extend(asked.sources().into_iter().map(|s| asked.reads(s)));
        parts.extend(asked.after());
        parts.push(asked.checkpoint());
    }
    let targets = asked.targets().into_iter();
    parts.extend(targets.filter_map(|s| asked.repeats(s)));
    parts.push(asked.conflicts());
    parts.push(asked.dead_letters());
    parts
}

fn part(part: impl Into<String>, how: impl Into<String>, settled: bool) -> Part {
    Part {
        part: part.into(),
        how: how.into(),
        settled,
    }
}

/// Several names in a sentence.
fn names<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|n| format!("`{n}`")).collect();
    quoted.join(", ")
}

impl<'a> Asked<'a> {
    fn sources(&self) -> Vec<SystemId> {
        once(self.figures.hops.iter().map(|h| h.from))
    }

    fn targets(&self) -> Vec<SystemId> {
        once(self.figures.hops.iter().map(|h| h.to))
    }

    fn entry(&self, system: SystemId) -> Option<&'a Entry> {
        self.ground.policy.system(system).entry()
    }

    /// How the events of a source come, and how long an outage they survive.
    fn events(&self, system: SystemId) -> Option<Part> {
        let events = self.entry(system)?.events.as_ref()?;
        let name = self.ground.name(system);
        let come = match events.delivery {
            Delivery::Webhook => "posted by the sender to an address that has to be up",
            Delivery::Stream => "read from a stream that keeps its place",
            Delivery::File => "read from a file that is watched",
        };
        let carry = match events.payload {
            Payload::Reference => "; each only names its record, which costs a read",
            Payload::Full | Payload::Changed => "",
        };
        let feed = feeds::of_system(self.ground, system);
        let kept = feed.and_then(|f| f.survives_seconds);
        let outage = match (events.lost_for_good(), kept) {
            (true, Some(kept)) => format!(
                "; after an outage of more than {} they are lost for good",
                figures::duration(kept)
            ),
            (true, None) => "; what an outage misses is lost for good".to_owned(),
            (false, Some(kept)) => {
                format!("; they can be had again for {}", figures::duration(kept))
            }
            (false, None) => "; they can be had again".to_owned(),
        };
        let mended = matches!(self.figures.timing, Timing::Hybrid(_));
        let settled = !events.lost_for_good() || mended;
        let how = format!("{come}{carry}{outage}");
        Some(part(format!("events of `{name}`"), how, settled))
    }

    /// Whether anything finds what events missed.
    fn reconcile(&self) -> Option<Part> {
        let sources = self.sources();
        let reads = |s: &SystemId| self.entry(*s).is_none_or(|e| e.capabilities.read);
        if let (Timing::Hybrid(_), Some(schedule)) =
            (&self.figures.timing, self.scenario.mode.schedule())
        {
            let blind: Vec<&str> = sources
                .iter()
                .filter(|s| !reads(s))
                .map(|s| self.ground.name(*s))
                .collect();
            let how = match blind.is_empty() {
                true => format!("{schedule}: finds what events missed"),
                false => format!(
                    "{schedule}: finds what events missed, but not at {}, which cannot be read",
                    names(blind)
                ),
            };
            return Some(part("reconcile", how, true));
        }
        let lossy = |s: &SystemId| {
            let events = self.entry(*s).and_then(|e| e.events.as_ref());
            events.is_some_and(|e| e.lost_for_good())
        };
        let blind: Vec<SystemId> = sources.into_iter().filter(lossy).collect();
        if blind.is_empty() {
            return None;
        }
        let how = match blind.iter().any(reads) {
            true => {
                "none: write `mode realtime with reconcile daily at 03:00` to find what events \
                     missed"
                    .to_owned()
            }
            false => format!(
                "none, and none could be: {} cannot be read",
                names(blind.iter().map(|s| self.ground.name(*s)))
            ),
        };
        Some(part("reconcile", how, false))
    }

    /// Whether events that overtake each other do harm.
    fn order(&self) -> Part {
        let sources = self.sources();
        let coarse: Vec<&str> = sources
            .iter()
            .filter(|s| {
                self.entry(**s)
                    .is_some_and(|e| e.change_time == ChangeTime::Arrival)
            })
            .map(|s| self.ground.name(*s))
            .collect();
        if self.scenario.order() == OrderBy::None {
            let how = "`order none`: writes of one record may overtake each other";
            return part("order", how, false);
        }
        match coarse.is_empty() {
            true => part(
                "order",
                "writes of one record go out by their change time",
                true,
            ),
            false => part(
                "order",
                format!(
                    "events of {} tell no change time: the order of arrival counts",
                    names(coarse)
                ),
                false,
            ),
        }
    }

    fn window(&self) -> Part {
        let gaps = self.figures.timing.gaps();
        let starts = match gaps.map_or((0.0, 0), |g| (g.starts_per_day(), g.starts)) {
            (a_day, _) if a_day >= 1.95 => format!("{} starts a day", figures::count(a_day)),
            (a_day, _) if a_day >= 0.95 => "one start a day".to_owned(),
            (_, a_year) => format!("{a_year} starts a year"),
        };
        let how = match &self.scenario.window {
            Some(window) => format!("{starts}, within {}", window.value),
            None => format!("{starts}; no `window`: a run may start at any hour"),
        };
        part("schedule", how, true)
    }

    /// How a run finds what changed at a source.
    fn reads(&self, system: SystemId) -> Part {
        let name = self.ground.name(system);
        let what = format!("reads of `{name}`");
        if self.entry(system).is_some_and(|e| !e.capabilities.read) {
            let settled = self.figures.timing.is_realtime();
            return part(what, "none: it only sends events", settled);
        }
        if self.scenario.scans_full() || self.figures.timing.is_realtime() {
            return part(
                what,
                "all records, so that what was deleted is noticed",
                true,
            );
        }
        let hops = self.figures.hops.iter().filter(|h| h.from == system);
        let entities = once(hops.map(|h| h.entity));
        let policy = self.ground.policy;
        let mut columns = Vec::new();
        for entity in entities {
            let cursor = policy
                .map_for(entity, system)
                .and_then(|m| m.cursor.as_ref());
            match cursor {
                Some(cursor) => columns.push(&*cursor.value.column),
                None => {
                    let entity = &policy.entity(entity).name;
                    let how = format!("the map of `{entity}` there has no `cursor`");
                    return part(what, how, false);
                }
            }
        }
        columns.sort_unstable();
        columns.dedup();
        let how = format!(
            "what changed by {}; records that are deleted for good are not seen",
            names(columns)
        );
        part(what, how, true)
    }

    fn after(&self) -> Option<Part> {
        let ids = self.scenario.after.iter().filter_map(|r| r.id);
        let policy = self.ground.policy;
        let before: Vec<&str> = ids.map(|id| &*policy.scenario(id).name.text).collect();
        (!before.is_empty()).then(|| part("turn", format!("after {}", names(before)), true))
    }

    fn checkpoint(&self) -> Part {
        let what = "between reading and writing";
        let Some(checkpoint) = &self.scenario.checkpoint else {
            let how = "nothing: a bad batch is written as it is; `checkpoint` could hold it";
            return part(what, how, false);
        };
        let mut holds = Vec::new();
        if checkpoint.dedupe.is_some() {
            holds.push("duplicates dropped".to_owned());
        }
        let count = |n: usize, one: &str| match n {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {one}s")),
        };
        holds.extend(count(checkpoint.requires.len(), "`require`"));
        holds.extend(count(checkpoint.guards.len(), "`guard`"));
        if let Some(abort) = &checkpoint.abort {
            holds.push(format!("aborts over {} %", abort.value.0.normalize()));
        }
        part(what, holds.join(", "), true)
    }

    /// What becomes of a write that is made twice.
    fn repeats(&self, system: SystemId) -> Option<Part> {
        let entry = self.entry(system)?;
        let name = self.ground.name(system);
        let (how, settled) = match (&entry.idempotency_header, entry.capabilities.upsert) {
            _ if !entry.capabilities.write => return None,
            (Some(header), _) => (
                format!("the header `{header}` makes a repeat harmless"),
                true,
            ),
            (None, true) => (
                "a write finds its record by key: a repeat changes nothing".to_owned(),
                true,
            ),
            (None, false) if entry.batch.whole_file => (
                "the file is written whole: a repeat changes nothing".to_owned(),
                true,
            ),
            (None, false) if entry.capabilities.read => (
                "no write by key: a look-up comes first, and two writers at once may make a \
                 record twice"
                    .to_owned(),
                false,
            ),
            (None, false) => (
                "a repeat is sent again: the receiver has to know it by its id".to_owned(),
                false,
            ),
        };
        Some(part(format!("repeated writes to `{name}`"), how, settled))
    }

    /// Which rules decide where two systems say different things.
    fn conflicts(&self) -> Part {
        let policy = self.ground.policy;
        let hops = self.scenario.hops.iter();
        let fields: Vec<FieldId> = once(hops.flat_map(|h| h.fields.iter().copied()));
        let shared = || {
            let all = fields.iter().map(|f| policy.field(*f));
            all.filter(|f| f.is_data() && f.origins().len() > 1)
        };
        let mut rules: Vec<ResolveRule> = shared()
            .filter_map(|f| f.resolve.as_ref().map(|r| r.value))
            .collect();
        rules.sort_unstable();
        rules.dedup();
        let open: Vec<String> = shared()
            .filter(|f| f.resolve.is_none())
            .map(|f| policy.field_path(f.id))
            .collect();
        if let Some(first) = open.first() {
            let how = format!("no `resolve` says which value of `{first}` wins");
            return part("conflicts", how, false);
        }
        let how = match rules.is_empty() {
            true => "none can arise: each field has one origin".to_owned(),
            false => format!("settled by {}", names(rules.iter().map(|r| r.word()))),
        };
        part("conflicts", how, true)
    }

    fn dead_letters(&self) -> Part {
        let tries = self.scenario.retry().attempts;
        let (heard, settled) = match &self.ground.policy.alert {
            Some(alert) => (format!("`{}` hears of it", alert.value.var), true),
            None => (
                "nobody hears of it: the policy has no `alert`".to_owned(),
                false,
            ),
        };
        let how = format!("a write is given up after {tries} attempts; {heard}");
        part("dead letters", how, settled)
    }
}

/// Each once, in the order in which they first come.
fn once<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut list = Vec::new();
    for one in all {
        if !list.contains(&one) {
            list.push(one);
        }
    }
    list
}
