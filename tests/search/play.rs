//! A case as it happens: the world of its policy, the runner in it, killed and started again.

use std::num::NonZeroUsize;

use syncline::catalog::{ChangeTime, Payload};
use syncline::connector::decode::Events;
use syncline::engine::ports::{FieldIx, MapIx, SystemIx};
use syncline::engine::program::Program;
use syncline::engine::runner::Options;
use syncline::plan::{Limit, Plan};
use syncline::sim::{Applied, Asked, Driver, Manner, Maps, Outcome, Silent, Systems, World};
use syncline::time::{Instant, Millis};
use syncline::value::Value;

use crate::case::{Case, KEYS, Mode, Rule, Search, Step, Trouble};
use crate::fixtures;
use crate::laws;
use crate::truth::{self, Said, of_number};

/// Monday 2026-01-05 00:00 UTC.
const START: i64 = 1_767_571_200_000;
/// How long everything may take to settle once nothing goes wrong any more.
const SETTLES: i64 = 4 * 3_600_000;
/// How much longer where a day's calls may be spent.
const NEXT_DAY: i64 = 26 * 3_600_000;

/// What came of a case.
#[derive(Debug, Default, PartialEq)]
pub struct Played {
    /// Laws that it broke; empty: none.
    pub broken: Vec<String>,
    pub virtual_ms: u64,
    pub crashes: u64,
    pub changes: u64,
    pub writes: u64,
    pub calls: u64,
    pub lost_replies: u64,
    pub failed_calls: u64,
}

/// What people do, and a record of what the runner does.
pub struct Script {
    /// With the time of each, earliest last.
    steps: Vec<(i64, Step)>,
    end: i64,
    rules: Vec<Rule>,
    /// By flow and key.
    pub said: Vec<Vec<Vec<Said>>>,
    /// By flow and key, what was said since nothing was on its way any more.
    in_play: Vec<Vec<Vec<Value>>>,
    /// Whether power was lost with the crash under way, and for how long the runner is away.
    dies: Option<(bool, u16)>,
    changes: usize,
    pub broken: Vec<String>,
    order: laws::Order,
    writes: u64,
    lost_replies: u64,
    failed_calls: u64,
}

pub fn key(ix: usize) -> String {
    format!("k{ix}")
}

fn plan(case: &Case) -> Plan {
    let text = case.policy();
    let (mut plan, found) = fixtures::planned(&text);
    assert!(found.is_empty(), "{found:?}\n{text}");
    let by_events = case.flows.iter().all(|f| f.mode() == Mode::Realtime);
    for (system, trouble) in plan.systems.iter_mut().zip(&case.troubles) {
        let limit = |calls: u64, per| Limit { calls, per };
        let minute = trouble.per_minute.map(|n| limit(n.into(), Millis(60_000)));
        let day = trouble.per_day.map(|n| {
            let calls = u64::from(n) * if by_events { 1 } else { 40 };
            limit(calls, Millis::DAY)
        });
        system.limits = minute.into_iter().chain(day).collect();
        system.read_page = Some(trouble.page.into());
        system.write_batch = Some(trouble.page.into());
        system.visibility_lag = Millis(u64::from(trouble.hidden) * 1_000);
        system.concurrency = 1 + u32::from(trouble.page % 3);
        if trouble.posts {
            system.connector = "webhook".into();
        }
    }
    plan
}

fn manner(case: &Case, trouble: &Trouble, mut manner: Manner) -> Manner {
    let share = |percent: u8| f64::from(percent) / 100.0;
    manner.failure = share(trouble.fails);
    manner.loses_replies = share(trouble.unheard);
    manner.repeats = share(trouble.repeats);
    manner.event = Millis(500);
    manner.event_spread = Millis(u64::from(trouble.late) * 1_000);
    let several = case.flows.iter().any(|f| f.rule != Rule::Owned);
    let search = Search::asked();
    manner.says_whose = search == Search::Told && (several || trouble.posts);
    let alone = !several || search != Search::Exact;
    manner.skew = i64::from(trouble.skew) * if alone { 1_000 } else { 0 };
    manner.payload = match trouble.whole && alone {
        true => Payload::Full,
        false => Payload::Changed,
    };
    manner.change_time = match trouble.coarse && alone {
        true => ChangeTime::Seconds,
        false => ChangeTime::Milliseconds,
    };
    manner.read = Millis(trouble.slow.into());
    manner.write = Millis(trouble.slow.into());
    manner.spread = 0.9;
    manner
}

/// Plays a case from its start until everything has had time to settle.
pub fn play(case: &Case) -> Played {
    let program = Program::new(plan(case)).unwrap();
    let maps = Maps::of(&program.plan).unwrap();
    let decoder = Events::new(&program.plan).unwrap();
    let systems = Systems::new(
        &program,
        &maps,
        Instant(START),
        case.seed,
        |_| None,
        |name, usual| {
            let at = crate::case::SYSTEMS
                .iter()
                .position(|s| *s == name)
                .unwrap();
            manner(case, &case.troubles[at], usual)
        },
    );
    let mut world = World::new(systems, Script::of(case));
    world.repeats = f64::from(case.answers_again) / 100.0;
    world.in_hand = (case.seed % 2) as u32;
    let store = world.systems.store.clone();
    let mut played = Played::default();
    // So few records fit one chunk: often they are several.
    let options = Options {
        chunk: NonZeroUsize::new((case.seed % 4) as usize),
        // Crowds are rare among so few.
        crowd: NonZeroUsize::new((case.seed % 3) as usize),
        ..Options::default()
    };
    loop {
        let ran = world.run(&program, &decoder, &mut Silent, options.clone());
        if ran.is_ok() || world.fault.is_some() {
            break;
        }
        played.crashes += 1;
        let (power_lost, secs) = world.driver.dies.take().unwrap_or_default();
        let mut cut = store.cut();
        cut.left = None;
        cut.store.crash(power_lost);
        drop(cut);
        world.runner_died();
        world.systems.now = Instant(world.systems.now.0 + i64::from(secs) * 1_000);
    }
    if let Some(fault) = world.fault.take() {
        world.driver.broken.push(fault);
    }
    let mut script = world.driver;
    laws::at_the_end(case, &mut script, &mut world.systems, &mut *store.inner());
    played.broken = script.broken;
    played.virtual_ms = world.systems.now.0.abs_diff(START);
    played.changes = script.changes as u64;
    played.writes = script.writes;
    played.calls = world.systems.all.iter().map(|s| s.calls).sum();
    played.lost_replies = script.lost_replies;
    played.failed_calls = script.failed_calls;
    played
}

impl Script {
    fn of(case: &Case) -> Self {
        let mut at = START + 5_000;
        let mut quiet = at;
        let mut steps = Vec::with_capacity(case.steps.len());
        for (gap, step) in &case.steps {
            at += i64::from(*gap) * 1_000 + 17;
            let lasts = match step {
                Step::Set { .. } => 0,
                Step::Down { secs, .. } | Step::Crash { secs, .. } => *secs,
            };
            quiet = quiet.max(at + i64::from(lasts) * 1_000);
            steps.push((at, step.clone()));
        }
        steps.reverse();
        let spent = case.troubles.iter().any(|t| t.per_day.is_some());
        Script {
            steps,
            end: quiet + SETTLES + if spent { NEXT_DAY } else { 0 },
            rules: case.flows.iter().map(|f| f.rule).collect(),
            said: vec![vec![Vec::new(); KEYS]; case.flows.len()],
            in_play: vec![vec![Vec::new(); KEYS]; case.flows.len()],
            dies: None,
            changes: 0,
            broken: Vec::new(),
            order: laws::Order::default(),
            writes: 0,
            lost_replies: 0,
            failed_calls: 0,
        }
    }

    fn set(&mut self, second: bool, flow: u8, ix: u8, value: u16, systems: &mut Systems) {
        let flow = usize::from(flow) % self.rules.len();
        let ix = usize::from(ix) % KEYS;
        let rule = self.rules[flow];
        let origin = usize::from(second && rule != Rule::Owned);
        let value = match of_number(rule, value) {
            // No two alike, so that what the runner wrote is never what a person sets.
            Value::Int(i) => Value::Int(i * 64 + self.changes as i64),
            other => other,
        };
        // Systems and maps stand in the order of their names, one map each.
        let (system, map) = (origin as SystemIx, origin as MapIx);
        let field = flow as FieldIx;
        let there = systems.get(system);
        // To set what is there already is no change.
        let row = there.row(map, &key(ix));
        if row.is_some_and(|row| row.fields.contains(&(field, value.clone()))) {
            return;
        }
        let there_manner = there.manner.clone();
        let cells = there.cells(map, &key(ix), &[(field, value.clone())]);
        let changed = systems.sets(system, map, &key(ix), cells.unwrap(), None);
        let changed = changed.unwrap();
        let at = systems.get(system).tells(changed).unwrap();
        let in_play = &mut self.in_play[flow][ix];
        // A system that says what changed, and that a person changed it, leaves no doubt.
        let manner = &there_manner;
        let sure = manner.says_whose;
        let doubtful = !sure && in_play.contains(&value);
        let said = &mut self.said[flow][ix];
        said.push(Said {
            origin,
            at,
            seq: self.changes,
            value: value.clone(),
            doubtful,
        });
        in_play.push(value);
        in_play.extend(truth::value(rule, said));
        self.changes += 1;
    }

    /// Once nothing is on its way any more, nothing is in play.
    fn rest(&mut self, systems: &mut Systems) {
        if systems.at_rest() {
            self.in_play.iter_mut().flatten().for_each(Vec::clear);
        }
    }
}

impl Driver for Script {
    fn next(&self) -> Option<Instant> {
        let next = self.steps.last().map_or(self.end, |(at, _)| *at);
        Some(Instant(next))
    }

    fn act(&mut self, systems: &mut Systems) {
        let Some((_, step)) = self.steps.pop() else {
            systems.store.cut().left = None;
            systems.stopping = true;
            self.end = i64::MAX;
            return;
        };
        self.rest(systems);
        match step {
            Step::Set {
                second,
                flow,
                key,
                value,
            } => self.set(second, flow, key, value, systems),
            Step::Down { system, secs } => {
                let until = Instant(systems.now.0 + i64::from(secs) * 1_000);
                let system = SystemIx::from(system) % systems.all.len() as SystemIx;
                let there = systems.get(system);
                there.down_until = there.down_until.max(Some(until));
            }
            Step::Crash {
                after,
                power_lost,
                secs,
            } => {
                systems.store.cut().left = Some(after.into());
                self.dies = Some((power_lost, secs));
            }
        }
    }

    fn answered(&mut self, asked: &Asked) {
        match asked.outcome {
            Outcome::Unheard => self.lost_replies += 1,
            Outcome::Failed => self.failed_calls += 1,
            Outcome::Limited => self
                .broken
                .push(format!("a call at {} met a limit", asked.at.0 - START)),
            Outcome::Done | Outcome::Refused => {}
        }
    }

    fn applied(&mut self, applied: &Applied<'_>, _: &mut Systems) {
        self.writes += 1;
        let broken = self.order.hold(&self.rules, &self.said, applied);
        self.broken.extend(broken);
    }
}
