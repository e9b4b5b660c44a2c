//! Small valid policies of varied shape, each from a number.

#![allow(dead_code)]

use std::fmt::Write;

/// What is told apart about a generated policy.
pub struct Made {
    /// The text.
    pub text: String,
    /// Whether some calls fail by chance: then no age is promised.
    pub fails: bool,
}

/// Connectors with what they need, whether they have events, and whether they can be read.
const CONNECTORS: &[(&str, &str, bool)] = &[
    ("postgres", "  secret url = env(\"URL\")\n", true),
    ("sqlite", "  option path = \"data.db\"\n", false),
    (
        "hubspot",
        "  tier professional\n  secret token = env(\"TOKEN\")\n  secret signing = env(\"SIGNING\")\n  option path = \"/hooks/PATH\"\n",
        true,
    ),
    ("jsonl", "  option path = \"data\"\n", true),
    (
        "klaviyo",
        "  secret token = env(\"TOKEN\")\n  secret signing = env(\"SIGNING\")\n  option path = \"/hooks/PATH\"\n",
        true,
    ),
    ("csv", "  option path = \"data\"\n", false),
];

struct Maker {
    rng: fastrand::Rng,
    out: String,
    /// By system: its connector.
    systems: Vec<usize>,
}

/// The policy of a number. `busy`: how many times as many changes as in a quick test.
pub fn policy(number: u64, busy: u64) -> Made {
    let mut maker = Maker {
        rng: fastrand::Rng::with_seed(number),
        out: format!("policy made_{number} {{\n  timezone \"UTC\"\n  currency EUR\n}}\n\n"),
        systems: Vec::new(),
    };
    let fails = number % 2 == 1;
    let systems = maker.rng.usize(2..=6);
    for system in 0..systems {
        maker.system(system, fails);
    }
    let entities = maker.rng.usize(1..=2);
    for entity in 0..entities {
        maker.entity(entity, busy);
    }
    Made {
        text: maker.out,
        fails,
    }
}

impl Maker {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.rng.usize(0..list.len())]
    }

    fn system(&mut self, system: usize, fails: bool) {
        // The first has events and can be read, so that something can move by event.
        let connector = match system {
            0 => 0,
            _ => self.rng.usize(0..CONNECTORS.len()),
        };
        self.systems.push(connector);
        let (name, settings, _) = CONNECTORS[connector];
        let settings = settings.replace("PATH", &format!("s{system}"));
        let settings = settings.replace("\"data", &format!("\"s{system}"));
        let failure = match fails {
            true => self.pick(&["0%", "0.5%", "2%"]),
            false => "0%",
        };
        let latency = self.pick(&["50ms", "100ms", "200ms", "400ms"]);
        let _ = write!(
            self.out,
            "system s{system} {{\n  connector {name}\n{settings}  failure {failure}\n  latency {latency}\n"
        );
        let vendor = matches!(name, "hubspot" | "klaviyo");
        if !vendor && self.rng.u8(0..4) == 0 {
            let limit = self.pick(&["20/second", "50/second", "300/10s"]);
            let _ = writeln!(self.out, "  limit {limit}");
        }
        self.line("  cleared pii, consent\n}\n");
    }

    fn entity(&mut self, entity: usize, busy: u64) {
        let systems = self.systems.len();
        let owner = match entity {
            0 => 0,
            _ => self.rng.usize(0..systems),
        };
        let records = self.pick(&[500, 1_000, 5_000]).min(1_000 * busy);
        let changes = self.pick(&[100, 250, 500]) * busy;
        let peak = self.pick(&[1, 2, 3, 5]);
        let own_rates = self.rng.u8(0..3) == 0;
        let name = format!("thing_{entity}");
        // Files cannot be read by what changed, so nothing runs by the clock from one.
        let owner = match CONNECTORS[self.systems[owner]].0 {
            "csv" | "jsonl" => 0,
            _ => owner,
        };
        let _ = writeln!(
            self.out,
            "entity {name} {{\n  key id\n  volume {records} records, {changes}/day changes, peak {peak}x\n  owner s{owner}\n  accepts none\n\n  field id: text(36)\n  field kind: enum(red, green, blue)"
        );
        let fields = self.rng.usize(2..=6);
        for field in 0..fields {
            let ty = self.pick(&[
                "text(80)?",
                "int(0..100000)?",
                "decimal(12, 2)?",
                "datetime?",
            ]);
            let rate = match own_rates {
                true => format!("  changes {}/day", changes / (fields as u64 + 1)),
                false => String::new(),
            };
            let _ = writeln!(self.out, "  field f{field}: {ty}{rate}");
        }
        self.line("}\n");
        for system in 0..systems {
            let (connector, _, _) = CONNECTORS[self.systems[system]];
            let cursor = match connector {
                // A file is read whole.
                "csv" | "jsonl" => "",
                _ => "  cursor \"updated\"\n",
            };
            let _ = writeln!(
                self.out,
                "map {name} in s{system} \"{name}\" {{\n  same_names\n{cursor}  changed_at \"updated\"\n}}"
            );
        }
        self.line("");
        self.scenarios(&name, owner, fields);
    }

    /// One scenario, sometimes two, into each of some systems, so that no field goes one way twice.
    fn scenarios(&mut self, name: &str, owner: usize, fields: usize) {
        let systems = self.systems.len();
        let mut from = owner;
        for to in (0..systems).filter(|to| *to != owner) {
            if to > 2 && self.rng.bool() {
                continue;
            }
            // Now and then what has arrived is passed on.
            if self.rng.u8(0..4) > 0 {
                from = owner;
            }
            let split = self.rng.u8(0..3) == 0 && fields > 2;
            let half = fields / 2;
            let parts = match split {
                true => vec![(0, half), (half, fields)],
                false => vec![(0, fields)],
            };
            for (at, (first, end)) in parts.into_iter().enumerate() {
                let list: Vec<String> = (first..end).map(|f| format!("f{f}")).collect();
                let filter = match self.rng.u8(0..4) {
                    _ if from != owner => String::new(),
                    0 => format!(" if `{name}.kind == \"red\"` passes 30%"),
                    _ => String::new(),
                };
                // Of two flows of one change into one system by event the runner makes one write, which
                // the estimate counts twice; see `docs/honesty.md`.
                let mode = self.mode(from, at == 0);
                let _ = write!(
                    self.out,
                    "scenario {name}_{to}_{at} {{\n  sync {name}({}) from s{from} to s{to}{filter}\n  mode {mode}\n  stale none\n",
                    list.join(", ")
                );
                let database = matches!(CONNECTORS[self.systems[to]].0, "postgres" | "sqlite");
                if database && !mode.starts_with("realtime") && self.rng.u8(0..4) == 0 {
                    let batch = self.pick(&[1, 10, 50]);
                    let _ = writeln!(self.out, "  batch {batch}");
                }
                self.line("}\n");
            }
            let file = matches!(CONNECTORS[self.systems[to]].0, "csv" | "jsonl");
            from = if file { owner } else { to };
        }
    }

    fn mode(&mut self, from: usize, by_event: bool) -> &'static str {
        let (_, _, events) = CONNECTORS[self.systems[from]];
        if events && by_event && self.rng.u8(0..5) < 2 {
            return self.pick(&["realtime", "realtime with reconcile daily at 03:00"]);
        }
        self.pick(&[
            "every 1m",
            "every 5m",
            "every 15m",
            "every 1h",
            "hourly at :20",
            "every 4h",
            "daily at 02:00",
        ])
    }
}
