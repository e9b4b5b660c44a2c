//! What an estimate rests on that is only guessed, and between what ends its figures therefore lie.

use rayon::prelude::*;

use super::build::{self, Ground};
use super::named::Named;
use super::place;
use super::types::{Estimate, GuessEntry, Range, Ranges};
use crate::arithmetic::{Guess, Guessed, Timing, Turn};
use crate::checks::figures;
use crate::model::{Scenario, ScenarioId, SystemId};
use crate::text::Sources;

/// Adds the guesses and the ends of all figures to an estimate of that ground.
pub fn add_ranges(ground: Ground, sources: &Sources, estimate: &mut Estimate) {
    estimate.guesses = entries(ground, sources);
    if estimate.guesses.is_empty() {
        return;
    }
    let turned = |turn| {
        let arithmetic = ground.arithmetic.turned(ground.policy, ground.graph, turn);
        build::of(Ground {
            arithmetic: &arithmetic,
            ..ground
        })
    };
    let (well, badly) = rayon::join(|| turned(Turn::Well), || turned(Turn::Badly));
    spread(estimate, &well, &badly);
}

/// The three have the same shape: they are of one policy.
fn spread(taken: &mut Estimate, well: &Estimate, badly: &Estimate) {
    let ends = well.scenarios.iter().zip(&badly.scenarios);
    for (scenario, (w, b)) in taken.scenarios.iter_mut().zip(ends) {
        scenario.ranges = ranges(scenario.figures(), w.figures(), b.figures());
        let ends = w.hops.iter().zip(&b.hops);
        for (hop, (w, b)) in scenario.hops.iter_mut().zip(ends) {
            hop.ranges = ranges(hop.figures(), w.figures(), b.figures());
        }
    }
    let ends = well.systems.iter().zip(&badly.systems);
    for (system, (w, b)) in taken.systems.iter_mut().zip(ends) {
        system.ranges = ranges(system.figures(), w.figures(), b.figures());
    }
    let fields = taken.fields.par_iter_mut();
    let ends = well.fields.par_iter().zip(&badly.fields);
    fields.zip(ends).for_each(|(field, (w, b))| {
        field.ranges = ranges(field.figures(), w.figures(), b.figures());
    });
}

/// The ends of the figures that differ visibly from well to badly.
fn ranges(taken: Vec<Named>, well: Vec<Named>, badly: Vec<Named>) -> Ranges {
    let figures = taken.into_iter().zip(well.into_iter().zip(badly));
    figures
        .filter_map(|((name, taken), ((_, well), (_, badly)))| {
            // What is without a bound even where all turns out well has no ends to tell of.
            let known: Vec<f64> = [taken, well, badly].into_iter().flatten().collect();
            let low = known.iter().copied().reduce(f64::min)?;
            let high = known.iter().copied().reduce(f64::max)?;
            let open = badly.is_none() || taken.is_none();
            let differ = high - low > high.abs() * 1e-9;
            (well.is_some() && (open || differ)).then_some((
                name,
                Range {
                    low,
                    high: (!open).then_some(high),
                },
            ))
        })
        .collect()
}

/// Whose a guess is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    System(SystemId),
    Scenario(ScenarioId),
}

fn entries(ground: Ground, sources: &Sources) -> Vec<GuessEntry> {
    let mut found: Vec<(Of, Guessed)> = Vec::new();
    for system in &ground.policy.systems {
        let guesses = ground
            .arithmetic
            .guesses_of_system(ground.policy, system.id);
        found.extend(guesses.into_iter().map(|g| (Of::System(system.id), g)));
    }
    for scenario in &ground.policy.scenarios {
        let guesses = of_scenario(ground, scenario);
        found.extend(guesses.into_iter().map(|g| (Of::Scenario(scenario.id), g)));
    }
    found.sort_by(|(a, x), (b, y)| x.what.cmp(&y.what).then(x.name.cmp(&y.name)).then(a.cmp(b)));
    let mut entries: Vec<GuessEntry> = Vec::new();
    for (of, guess) in found {
        let name = match of {
            Of::System(system) => ground.name(system).to_owned(),
            Of::Scenario(scenario) => ground.policy.scenario(scenario).name.text.to_string(),
        };
        let mut entry = entry(&guess, sources);
        let like = |e: &&mut GuessEntry| {
            let same = (&e.what, &e.taken, &e.place, &e.mend);
            same == (&entry.what, &entry.taken, &entry.place, &entry.mend)
        };
        match entries.iter_mut().find(like) {
            Some(known) => known.of.push(name),
            None => {
                entry.of.push(name);
                entries.push(entry);
            }
        }
    }
    entries
}

fn of_scenario(ground: Ground, scenario: &Scenario) -> Vec<Guessed> {
    let Some(figures) = ground.arithmetic.scenario(scenario.id) else {
        return Vec::new();
    };
    let mut guesses: Vec<Guessed> = Vec::new();
    for guess in figures.hops.iter().flat_map(|h| h.demand.guesses()) {
        let counts = match guess.what {
            Guess::Peak => figures.timing.is_realtime(),
            Guess::Drift => matches!(figures.timing, Timing::Hybrid(_)),
            _ => true,
        };
        if counts && !guesses.contains(&guess) {
            guesses.push(guess);
        }
    }
    guesses
}

fn entry(guess: &Guessed, sources: &Sources) -> GuessEntry {
    let shape: fn(f64) -> String = match guess.what {
        Guess::Failure | Guess::Passes | Guess::Drift => figures::share,
        Guess::Latency | Guess::EventLatency | Guess::ReadLag => figures::duration,
        Guess::Price => price,
        _ => figures::count,
    };
    let (what, mend) = words(guess.what);
    GuessEntry {
        what: match &guess.name {
            Some(name) => format!("{what} `{name}`"),
            None => what.to_owned(),
        },
        of: Vec::new(),
        taken: shape(guess.taken),
        well: shape(guess.well),
        badly: shape(guess.badly),
        place: place::of(sources, &guess.origin),
        mend: mend.to_owned(),
    }
}

fn price(amount: f64) -> String {
    let text = format!("{amount:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What it is called, and what to write so that it is known.
fn words(what: Guess) -> (&'static str, &'static str) {
    const ENTRY: &str = "an entry of your own for `connector`";
    match what {
        Guess::Failure => ("calls that fail", "`failure` in the system"),
        Guess::Latency => ("a write takes", "`latency` in the system"),
        Guess::EventLatency => ("an event comes within", ENTRY),
        Guess::ReadLag => ("hidden from reads for", ENTRY),
        Guess::WriteBatch => ("records a write", "`batch` in the scenario"),
        Guess::ReadPage => ("records a page", ENTRY),
        Guess::Concurrency => ("calls at a time", ENTRY),
        Guess::Limit => ("limit", ENTRY),
        Guess::Price => ("a call costs", "`price` in the system"),
        Guess::Included => ("calls included", ENTRY),
        Guess::BulkRecords => ("records a bulk upload", ENTRY),
        Guess::BulkCalls => ("calls of a bulk job", ENTRY),
        Guess::Peak => ("busiest minute over the mean", "`peak` in a `volume`"),
        Guess::Passes => ("passes its `if`", "`passes` after the `if`"),
        Guess::Drift => (
            "events lost",
            "nothing says it but a run: see its drift report",
        ),
    }
}
