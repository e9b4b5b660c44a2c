//! A case: a policy, what people do, what goes wrong. Plain data, so that it can be shrunk and
//! printed.

use proptest::prelude::*;

/// The systems of every case; `a` owns.
pub const SYSTEMS: [&str; 4] = ["a", "b", "c", "d"];
/// Records that people change.
pub const KEYS: usize = 4;

/// How a field's value is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// `a` alone is its origin.
    Owned,
    OwnerWins,
    LastWriteWins,
    FirstWriteWins,
    AnyTrue,
    AllTrue,
    Max,
    Min,
    Union,
}

/// When a field moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Realtime,
    Hybrid,
    Every5m,
    Hourly,
}

/// A field with the scenario that carries it.
#[derive(Debug, Clone)]
pub struct Flow {
    pub rule: Rule,
    pub mode: Mode,
    /// Whether `b` accepts it too (where the rule has several origins).
    pub to_c: bool,
    pub to_d: bool,
    pub batch: Option<u8>,
    /// Whether it is consent: `stale compliance`.
    pub consent: bool,
    /// Whether the way back (where the rule has several origins) is a scenario of its own.
    pub apart: bool,
}

impl Flow {
    /// The mode it really has. Where a system both tells and is told, a change that falls between
    /// a read and the write that follows it is overwritten unseen: only events tell of it.
    pub fn mode(&self) -> Mode {
        match self.rule {
            Rule::Owned => self.mode,
            _ => Mode::Realtime,
        }
    }
}

/// How a system behaves.
#[derive(Debug, Clone)]
pub struct Trouble {
    /// Percent of calls that fail.
    pub fails: u8,
    /// Percent of failed writes that took effect.
    pub unheard: u8,
    /// Percent of events sent twice.
    pub repeats: u8,
    /// Seconds by which events are late, at most.
    pub late: u16,
    /// Seconds by which its clock is off, up to four minutes either way.
    pub skew: i16,
    /// Whether it tells times to the second only.
    pub coarse: bool,
    /// Seconds that a change stays hidden from reads by cursor.
    pub hidden: u8,
    /// Milliseconds of a call.
    pub slow: u16,
    /// Calls a minute that it allows.
    pub per_minute: Option<u8>,
    /// Calls a day that it allows.
    pub per_day: Option<u16>,
    /// Records of a page and of a batch.
    pub page: u8,
    /// Whether its events are posted rather than followed.
    pub posts: bool,
    /// Whether its events show whole records rather than what changed.
    pub whole: bool,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Step {
    /// A person sets a field of a record in a system that is one of its origins.
    Set {
        /// The second origin rather than `a`, where there is one.
        second: bool,
        flow: u8,
        key: u8,
        value: u16,
    },
    /// A system is away for so many seconds.
    Down { system: u8, secs: u16 },
    /// The runner dies at the store's so many next call, and starts again after so many seconds.
    Crash {
        after: u16,
        power_lost: bool,
        secs: u16,
    },
}

/// A case.
#[derive(Debug, Clone)]
pub struct Case {
    pub flows: Vec<Flow>,
    pub troubles: Vec<Trouble>,
    /// Each with the seconds since the one before.
    pub steps: Vec<(u16, Step)>,
    /// Percent of answers that come twice.
    pub answers_again: u8,
    pub seed: u64,
}

/// Rules of several origins.
const SHARED: [Rule; 8] = [
    Rule::OwnerWins,
    Rule::LastWriteWins,
    Rule::FirstWriteWins,
    Rule::AnyTrue,
    Rule::AllTrue,
    Rule::Max,
    Rule::Min,
    Rule::Union,
];

/// What is searched beside fields of one origin, by `SYNCLINE_RULES`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Fields of several origins too, each of which says whose change it tells of.
    Told,
    /// Fields of several origins that do not say so, with clocks that are right and events that show
    /// what changed: faults are known there (see `docs/reliability.md`).
    Exact,
    /// The same with clocks that are off and events that show whole records.
    Untold,
    /// None.
    Owned,
}

impl Search {
    pub fn asked() -> Self {
        match std::env::var("SYNCLINE_RULES").as_deref() {
            Ok("exact") => Search::Exact,
            Ok("untold") => Search::Untold,
            Ok("owned") => Search::Owned,
            _ => Search::Told,
        }
    }
}

fn rule() -> impl Strategy<Value = Rule> {
    let shared = SHARED
        .into_iter()
        .filter(|_| Search::asked() != Search::Owned);
    // Half of the fields have one origin.
    let rules: Vec<Rule> = shared.collect();
    let several = match rules.is_empty() {
        true => Just(Rule::Owned).boxed(),
        false => proptest::sample::select(rules).boxed(),
    };
    prop_oneof![Just(Rule::Owned), several]
}

fn flow() -> impl Strategy<Value = Flow> {
    let mode = prop_oneof![
        3 => Just(Mode::Realtime),
        2 => Just(Mode::Hybrid),
        1 => Just(Mode::Every5m),
        1 => Just(Mode::Hourly),
    ];
    let batch = prop_oneof![2 => Just(None), 1 => (1u8..5).prop_map(Some)];
    (
        rule(),
        mode,
        any::<bool>(),
        any::<bool>(),
        batch,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(rule, mode, to_c, to_d, batch, consent, apart)| Flow {
            rule,
            mode,
            to_c,
            to_d,
            batch,
            consent,
            apart,
        })
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let rarely = |most: u8| prop_oneof![2 => Just(0u8), 1 => 0..=most];
    let first = (
        rarely(30),
        rarely(80),
        rarely(50),
        prop_oneof![2 => Just(0u16), 1 => 0u16..600],
        prop_oneof![2 => Just(0i16), 1 => -230i16..230],
        any::<bool>(),
    );
    let second = (
        prop_oneof![2 => Just(0u8), 1 => 0u8..120],
        prop_oneof![Just(0u16), Just(100), 0u16..5_000],
        prop_oneof![2 => Just(None), 1 => (2u8..20).prop_map(Some)],
        prop_oneof![4 => Just(None), 1 => (200u16..400).prop_map(Some)],
        1u8..8,
        any::<bool>(),
        any::<bool>(),
    );
    (first, second).prop_map(
        |(
            (fails, unheard, repeats, late, skew, coarse),
            (hidden, slow, per_minute, per_day, page, posts, whole),
        )| Trouble {
            fails,
            unheard,
            repeats,
            late,
            skew,
            coarse,
            hidden,
            slow,
            per_minute,
            per_day,
            page,
            posts,
            whole,
        },
    )
}

fn step() -> impl Strategy<Value = (u16, Step)> {
    let what = prop_oneof![
        8 => (any::<bool>(), any::<u8>(), any::<u8>(), any::<u16>()).prop_map(
            |(second, flow, key, value)| Step::Set { second, flow, key, value }
        ),
        1 => (any::<u8>(), 1u16..7_200).prop_map(|(system, secs)| Step::Down { system, secs }),
        1 => (0u16..400, any::<bool>(), 0u16..600).prop_map(
            |(after, power_lost, secs)| Step::Crash { after, power_lost, secs }
        ),
    ];
    let gap = prop_oneof![3 => 0u16..3, 2 => 0u16..60, 1 => 0u16..1_200];
    (gap, what)
}

/// Any case.
pub fn any_case() -> impl Strategy<Value = Case> {
    let flows = proptest::collection::vec(flow(), 1..4);
    let troubles = proptest::collection::vec(trouble(), SYSTEMS.len());
    let steps = proptest::collection::vec(step(), 0..40);
    let again = prop_oneof![2 => Just(0u8), 1 => 0u8..50];
    (flows, troubles, steps, again, any::<u64>()).prop_map(
        |(flows, troubles, steps, answers_again, seed)| Case {
            flows,
            troubles,
            steps,
            answers_again,
            seed,
        },
    )
}

impl Case {
    /// The policy's text.
    pub fn policy(&self) -> String {
        let mut out = String::from("policy search { }\n");
        for system in SYSTEMS {
            out += &format!(
                "system {system} {{ connector postgres secret url = env(\"U\") cleared consent }}\n"
            );
        }
        out += "entity contact {\n  key id\n  owner a\n  accepts none\n  field id: text\n";
        for (i, flow) in self.flows.iter().enumerate() {
            let (ty, rule) = match flow.rule {
                Rule::Owned => ("int", ""),
                Rule::OwnerWins => ("int", "owner_wins"),
                Rule::LastWriteWins => ("int", "last_write_wins"),
                Rule::FirstWriteWins => ("int", "first_write_wins"),
                Rule::AnyTrue => ("bool", "any_true"),
                Rule::AllTrue => ("bool", "all_true"),
                Rule::Max => ("int", "max"),
                Rule::Min => ("int", "min"),
                Rule::Union => ("set(text)", "union"),
            };
            let clauses = match rule {
                "" => String::new(),
                rule => format!(" accepts b resolve {rule}"),
            };
            out += &format!("  field f{i}: {ty}?{clauses}\n");
        }
        out += "}\n";
        for system in SYSTEMS {
            out += &format!(
                "map contact in {system} {{ same_names cursor \"at\" changed_at \"at\" }}\n"
            );
        }
        for (i, flow) in self.flows.iter().enumerate() {
            let mode = match flow.mode() {
                Mode::Realtime => "realtime",
                Mode::Hybrid => "realtime with reconcile hourly",
                Mode::Every5m => "every 5m",
                Mode::Hourly => "every 1h",
            };
            let shared = flow.rule != Rule::Owned;
            let mut sync = match shared && !flow.apart {
                true => format!("  sync contact(f{i}) between a, b\n"),
                false => format!("  sync contact(f{i}) from a to b\n"),
            };
            let mut back = format!("  sync contact(f{i}) from b to a\n");
            for (to, wanted) in [("c", flow.to_c), ("d", flow.to_d)] {
                if wanted {
                    sync += &format!("  sync contact(f{i}) from a to {to}\n");
                    let way = match flow.apart {
                        true => &mut back,
                        false => &mut sync,
                    };
                    if shared {
                        *way += &format!("  sync contact(f{i}) from b to {to}\n");
                    }
                }
            }
            let batch = flow
                .batch
                .map_or(String::new(), |n| format!("  batch {n}\n"));
            let stale = match flow.consent {
                true => "compliance",
                false => "none",
            };
            let more = format!("  mode {mode}\n{batch}  stale {stale}\n");
            out += &format!("scenario s{i} {{\n{sync}{more}}}\n");
            if shared && flow.apart {
                out += &format!("scenario t{i} {{\n{back}{more}}}\n");
            }
        }
        out
    }

    /// The systems that hold a flow's field in the end.
    pub fn receivers(&self, flow: usize) -> Vec<usize> {
        let flow = &self.flows[flow];
        let mut out = vec![1];
        if flow.rule != Rule::Owned {
            out.insert(0, 0);
        }
        out.extend(
            [(2, flow.to_c), (3, flow.to_d)]
                .iter()
                .filter(|t| t.1)
                .map(|t| t.0),
        );
        out
    }
}
