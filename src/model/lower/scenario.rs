//! `scenario` items.

use super::Lowering;
use super::expression::{Names, Want};
use super::items::Items;
use crate::finding::Edit;
use crate::model::report::{Known, Missing, Unknown, missing, unknown};
use crate::model::{
    Breaker, Clean, EventVolume, Filter, Ident, Mode, ModeKind, Retry, Said, Scenario, ScenarioId,
    Spanned, Stale, SystemId, When,
};
use crate::syntax::tree::{self, Clause, Item, Name, ScenarioClause, ScenarioItem};
use crate::terms::{Impact, Priority};
use crate::text::Span;
use crate::time::Window;

const MANY: &[&str] = &["sync", "allow"];

impl<'a> Lowering<'a> {
    pub(super) fn scenario_items(&mut self, items: &Items<'a>) {
        for (item, scenario) in &items.scenarios {
            let id = ScenarioId(self.policy.scenarios.len() as u32);
            let named = self
                .policy
                .index
                .scenarios
                .get(self.spelt(scenario.name.0))
                .copied();
            if named == Some(id) {
                let scenario = self.scenario_item(id, item, scenario);
                self.policy.scenarios.push(scenario);
            } else {
                // A second of one name (SL0002) is not read, and what it carries is not known.
                self.policy.gaps.scenarios = true;
            }
        }
    }

    fn scenario_item(
        &mut self,
        id: ScenarioId,
        item: &Item,
        written: &'a ScenarioItem,
    ) -> Scenario {
        let mut read = self.read_clauses(&written.clauses, MANY, |_| None);
        self.note_cut(item, &mut read);
        let name = self.ident(written.name);
        let title = written.title.and_then(|t| self.string(t));
        let mut scenario = blank(id, name, title, item, read.is_broken());
        // The window first, since a mode's class depends on it.
        for (clause, kind) in &read.clauses {
            if let ScenarioClause::Window(from, to, days) = kind {
                scenario.window = self.window(*from, *to, days).map(|value| Said {
                    clause: clause.span,
                    span: from.0.to(to.0),
                    value,
                });
            }
        }
        let window = scenario.window.as_ref().map(|w| w.value.clone());
        scenario.mode = self.mode_of(&read.clauses, read.lost("mode"), window.as_ref());
        let mut checkpoint = None;
        for (clause, kind) in &read.clauses {
            match kind {
                ScenarioClause::When(..)
                | ScenarioClause::Sync(_)
                | ScenarioClause::Clean(..)
                | ScenarioClause::After(_) => {
                    self.flow_clause(&mut scenario, clause, kind);
                }
                ScenarioClause::Checkpoint(block) => checkpoint = Some((clause.span, block)),
                other => self.run_clause(&mut scenario, clause, other),
            }
        }
        if let Some((clause, block)) = checkpoint {
            scenario.checkpoint = Some(self.checkpoint(clause, block, &scenario));
        }
        self.work(&scenario, read.is_broken());
        self.hops(&mut scenario);
        self.needs(&scenario);
        if scenario.priority_clause.is_none() {
            scenario.priority = self.policy.default_priority(&scenario, &scenario.mode.kind);
        }
        scenario
    }

    /// The scenario's own mode, else the policy's `unsure`.
    fn mode_of(
        &mut self,
        clauses: &[(&'a Clause<ScenarioClause>, &'a ScenarioClause)],
        lost: bool,
        window: Option<&Window>,
    ) -> Mode {
        let own = clauses.iter().find_map(|(_, kind)| match kind {
            ScenarioClause::Mode(mode) => Some(mode),
            _ => None,
        });
        match own {
            Some(mode) => self.mode(mode, true, window),
            None if lost => Mode {
                kind: ModeKind::Unknown,
                class: None,
                span: None,
                written: true,
                chosen: None,
            },
            None => {
                let unsure = &self.policy.unsure;
                Mode {
                    kind: unsure.kind.clone(),
                    class: self.class(&unsure.kind, window),
                    span: unsure.span,
                    written: false,
                    chosen: None,
                }
            }
        }
    }

    /// Clauses that say what travels and after what.
    fn flow_clause(
        &mut self,
        scenario: &mut Scenario,
        clause: &Clause<ScenarioClause>,
        kind: &'a ScenarioClause,
    ) {
        match kind {
            ScenarioClause::When(system, event, filter) => {
                scenario.when = Some(self.when(clause.span, *system, *event, filter.as_ref()));
            }
            ScenarioClause::Sync(sync) => {
                let sync = self.sync(clause.span, sync);
                scenario.syncs.push(sync);
            }
            ScenarioClause::Clean(entity, system) => {
                scenario.clean = Some(Clean {
                    clause: clause.span,
                    entity: self.entity_ref(*entity),
                    system: self.system_ref(*system),
                });
            }
            ScenarioClause::After(names) => {
                scenario.after_clause = Some(clause.span);
                let names = self.each_once(names);
                scenario.after = names.into_iter().map(|n| self.scenario_ref(n)).collect();
            }
            _ => {}
        }
    }

    /// Clauses that say how it runs.
    fn run_clause(
        &mut self,
        scenario: &mut Scenario,
        clause: &Clause<ScenarioClause>,
        kind: &'a ScenarioClause,
    ) {
        let at = clause.span;
        match kind {
            ScenarioClause::Fresh(duration) => {
                scenario.fresh = self.lasting(*duration, "a freshness bound").map(|d| Said {
                    clause: at,
                    span: d.span,
                    value: d.value,
                });
            }
            ScenarioClause::Stale(impact, costs) => {
                scenario.stale = Some(self.stale(at, *impact, *costs));
            }
            ScenarioClause::Volume(rate, peak) => {
                let span = rate.0.to(peak.map_or(rate.0, |p| p.0));
                let peak = peak.and_then(|p| self.multiple(p));
                scenario.volume = self
                    .rate(*rate)
                    .map(|rate| said(at, span, EventVolume { rate, peak }));
            }
            ScenarioClause::Batch(int) => {
                let batch = self.positive(*int, "a batch");
                scenario.batch = batch.map(|b| said(at, int.0, b));
            }
            ScenarioClause::Scan(word) => {
                scenario.scan_full = Some(said(at, word.span, word.value));
            }
            ScenarioClause::Deletes(word) => {
                scenario.deletes = Some(said(at, word.span, word.value));
            }
            ScenarioClause::Priority(word) => {
                scenario.priority = word.value;
                scenario.priority_clause = Some(at);
            }
            ScenarioClause::Retry(from, to, attempts) => {
                scenario.retry = self
                    .retry(*from, *to, *attempts)
                    .map(|retry| said(at, from.0.to(attempts.0), retry));
            }
            ScenarioClause::Breaker(failures, pause) => {
                let count = self.positive(*failures, "the number of failures");
                let lasts = self.lasting(*pause, "the pause");
                scenario.breaker = count.zip(lasts).map(|(failures_, lasts)| {
                    said(
                        at,
                        failures.0.to(pause.0),
                        Breaker {
                            failures: failures_,
                            pause: lasts.value,
                        },
                    )
                });
            }
            ScenarioClause::Order(word) => scenario.order = Some(said(at, word.span, word.value)),
            ScenarioClause::Allow(allow) => self.allow(allow, Some(scenario.span)),
            ScenarioClause::When(..)
            | ScenarioClause::Sync(_)
            | ScenarioClause::Clean(..)
            | ScenarioClause::After(_)
            | ScenarioClause::Mode(_)
            | ScenarioClause::Window(..)
            | ScenarioClause::Checkpoint(_) => {}
        }
    }

    fn stale(
        &mut self,
        clause: Span,
        impact: tree::Word<Impact>,
        costs: Option<tree::MoneyRate>,
    ) -> Stale {
        if let (Impact::None, Some(costs)) = (impact.value, costs) {
            let at = costs.money.amount.0.to(costs.unit.span);
            let message = "a late arrival that does nothing cannot cost anything";
            let help = "remove `costs`, or say what a late arrival does";
            self.bad_because(at, message, help, (impact.span, "it does nothing".into()));
        }
        Stale {
            clause,
            impact: Spanned {
                span: impact.span,
                value: impact.value,
            },
            costs: costs.and_then(|c| self.money_per(c)),
        }
    }

    fn retry(
        &mut self,
        from: tree::DurationTok,
        to: tree::DurationTok,
        attempts: tree::Int,
    ) -> Option<Retry> {
        let first = self.lasting(from, "the first wait");
        let last = self.lasting(to, "the longest wait");
        let attempts = self.positive(attempts, "the number of attempts");
        let (first, last) = (first?, last?);
        if last.value < first.value {
            let message = "the longest wait is shorter than the first";
            let help = "write the shorter time first";
            let swap = |span: Span, by: Span| Edit {
                span,
                text: self.text(by).to_owned(),
            };
            let edits = vec![swap(first.span, last.span), swap(last.span, first.span)];
            let why = Some((first.span, "the first wait".into()));
            self.bad_but(last.span, message, help, why, ("swap the two", edits));
            return None;
        }
        Some(Retry {
            from: first.value,
            to: last.value,
            attempts: attempts?,
        })
    }

    fn when(
        &mut self,
        clause: Span,
        system: Name,
        event: Name,
        filter: Option<&'a tree::Filter>,
    ) -> When {
        let system = self.system_ref(system);
        let event = self.ident(event);
        self.known_event(system.id, &event);
        When {
            clause,
            system,
            event,
            filter: filter.map(|f| self.filter(f, Names::Event)),
        }
    }

    /// Reports an event that the system's connector does not send. Of one that sends none at all
    /// nothing is said here.
    pub(super) fn known_event(&mut self, system: Option<SystemId>, event: &Ident) {
        let Some(entry) = system
            .and_then(|id| self.policy.system(id).connector.as_ref())
            .and_then(|c| c.entry.clone())
        else {
            return;
        };
        let Some(events) = entry.events.as_ref().filter(|e| !e.knows(&event.text)) else {
            return;
        };
        let known = events.names.iter().map(|e| Known {
            name: &e.name,
            at: None,
        });
        let names: Vec<String> = events
            .names
            .iter()
            .take(8)
            .map(|e| format!("`{}`", e.name))
            .collect();
        let help = match events.names.len().saturating_sub(names.len()) {
            0 => format!("the events of `{}` are {}", entry.name, names.join(", ")),
            more => format!(
                "the events of `{0}` are {1} and {more} more, which `syncline catalog show {0}` \
                 lists",
                entry.name,
                names.join(", ")
            ),
        };
        let finding = unknown(
            Unknown {
                what: "event",
                name: &event.text,
                at: event.span,
                otherwise: &help,
                quoted: false,
            },
            known,
        );
        self.report(finding);
    }

    pub(super) fn filter(&mut self, filter: &tree::Filter, names: Names<'_>) -> Filter {
        Filter {
            expr: self.expression(filter.expr, names, "`if`", Want::Bool),
            passes: filter
                .passes
                .and_then(|p| self.percent(p).map(|value| Spanned { span: p.0, value })),
        }
    }

    /// Either one `clean`, or at least one `sync`.
    fn work(&mut self, scenario: &Scenario, broken: bool) {
        let (name, at) = (&scenario.name.text, scenario.name.span);
        match (scenario.syncs.first(), &scenario.clean) {
            (None, None) if !broken => self.report(missing(Missing::Work, name, at)),
            (Some(sync), Some(clean)) => {
                self.report(missing(
                    Missing::Choice(sync.clause, clean.clause),
                    name,
                    at,
                ));
            }
            _ => {}
        }
    }

    /// Clauses that need another kind of mode, and a `when` that starts nothing.
    fn needs(&mut self, scenario: &Scenario) {
        let mode = &scenario.mode;
        let because = |why: &str| {
            let place = mode.span.unwrap_or(scenario.name.span);
            let said = match (mode.span, mode.written) {
                (Some(_), true) => format!("this mode {why}"),
                (Some(_), false) => format!("the scenario names no mode, and this one {why}"),
                (None, _) => format!("the scenario names no mode, and `every 1h` {why}"),
            };
            (place, said)
        };
        match mode.kind {
            ModeKind::Scheduled(_) => {
                if let Some(when) = &scenario.when {
                    let at = when.system.span.to(when.event.span);
                    let message = "an event starts nothing in a scenario that runs by the clock";
                    let help = "write `mode realtime`, or remove `when`";
                    let edit = Edit::removal(when.clause, self.sources);
                    let why = Some(because("runs by the clock"));
                    self.bad_but(at, message, help, why, ("remove `when`", vec![edit]));
                }
            }
            ModeKind::Realtime => {
                let clauses = [
                    (
                        "after",
                        scenario.after.first().map(|a| a.span),
                        scenario.after_clause,
                    ),
                    (
                        "window",
                        scenario.window.as_ref().map(|w| w.span),
                        scenario.window.as_ref().map(|w| w.clause),
                    ),
                    (
                        "scan",
                        scenario.scan_full.map(|s| s.span),
                        scenario.scan_full.map(|s| s.clause),
                    ),
                    (
                        "clean",
                        scenario.clean.as_ref().map(|c| c.entity.span),
                        None,
                    ),
                ];
                for (word, at, clause) in clauses {
                    let Some(at) = at else { continue };
                    let message = format!("`{word}` has no use in a scenario that runs by events");
                    let help = format!("name a schedule in `mode`, or remove `{word}`");
                    let why = because("runs by events");
                    match clause {
                        Some(clause) => {
                            let edit = Edit::removal(clause, self.sources);
                            let mend = (format!("remove `{word}`"), vec![edit]);
                            self.bad_but(at, message, &help, Some(why), mend);
                        }
                        None => self.bad_because(at, message, &help, why),
                    }
                }
            }
            ModeKind::Hybrid(_) | ModeKind::Auto | ModeKind::Unknown => {}
        }
        let Some((when, system)) = scenario.when.as_ref().and_then(|w| Some((w, w.system.id?)))
        else {
            return;
        };
        for source in scenario.syncs.iter().flat_map(|s| &s.sources) {
            if let Some(id) = source.id.filter(|id| *id != system) {
                let from = self.policy.system(id).name.text.clone();
                let starts = self.policy.system(system).name.text.clone();
                let message = format!("an event of `{starts}` brings nothing from `{from}`");
                let help = format!("write `from {starts}`, or move this into another scenario");
                let why = format!("the scenario starts with an event of `{starts}`");
                self.bad_because(source.span, message, &help, (when.system.span, why));
            }
        }
    }
}

fn said<T>(clause: Span, span: Span, value: T) -> Said<T> {
    Said {
        clause,
        span,
        value,
    }
}

fn blank(
    id: ScenarioId,
    name: crate::model::Ident,
    title: Option<crate::model::Ident>,
    item: &Item,
    broken: bool,
) -> Scenario {
    Scenario {
        id,
        name,
        title,
        doc: item.doc,
        span: item.span,
        when: None,
        syncs: Vec::new(),
        hops: Vec::new(),
        clean: None,
        mode: Mode {
            kind: ModeKind::Unknown,
            class: None,
            span: None,
            written: false,
            chosen: None,
        },
        fresh: None,
        stale: None,
        volume: None,
        after: Vec::new(),
        after_clause: None,
        window: None,
        batch: None,
        scan_full: None,
        deletes: None,
        priority: Priority::Normal,
        priority_clause: None,
        retry: None,
        breaker: None,
        order: None,
        checkpoint: None,
        broken,
    }
}
