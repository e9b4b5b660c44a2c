//! What a simulation measured, beside the estimate.

use maud::{Markup, html};

use super::bits::{counted, prose, scroll};
use super::chart::{self, AgeRow, COLORS, Line};
use super::{Content, Section};
use crate::checks::figures;
use crate::render::estimate::{delay, known, rate};
use crate::render::simulation::off_by;
use crate::sim::simulation::{FieldSimulated, Simulated, SystemSimulated};

/// Fields that the chart of ages shows, those nearest to what they are held to.
const CHARTED: usize = 20;
/// Fields that the table lists.
const LISTED: usize = 200;

pub(super) fn section(content: Content) -> Option<Section> {
    let simulated = content.simulated?;
    let lines = lines(simulated);
    let ages = age_rows(simulated);
    let body = html! {
        p class="about" { (about(simulated)) }
        @for note in &simulated.notes { p class="about" { (prose(note)) } }
        @for note in &simulated.estimate_notes {
            p class="about" { "Of the estimate: " (prose(note)) }
        }
        @if !ages.is_empty() {
            h3 { "How old changes were" }
            (age_legend(ages.iter().any(|a| a.required.is_some())))
            div class="chart wide" aria-hidden="true" { (chart::ages(&ages, 900)) }
            div class="chart narrow" aria-hidden="true" { (chart::ages(&ages, 350)) }
        }
        (scroll("Ages measured", fields(simulated)))
        @if !lines.is_empty() {
            h3 { "What waited" }
            ul class="legend" aria-hidden="true" {
                @for (name, line) in &lines {
                    li { i class=(format!("swatch s{}", line.color)) {} (name) }
                }
            }
            @let drawn: Vec<Line> = lines.iter().map(|(_, line)| line.clone()).collect();
            div class="chart wide" aria-hidden="true" { (chart::backlog(&drawn, 900)) }
            div class="chart narrow" aria-hidden="true" { (chart::backlog(&drawn, 350)) }
        }
        h3 { "Calls" }
        (scroll("Calls measured", systems(simulated)))
        @if !simulated.dead_letters.is_empty() {
            h3 { "Given up" }
            ul {
                @for letters in &simulated.dead_letters {
                    li {
                        (counted(letters.count as usize, "write", "writes")) " to "
                        (letters.system) ": " (prose(&letters.cause))
                    }
                }
            }
        }
    };
    let late = simulated.fields.iter().filter(|f| is_late(f)).count();
    Some(Section {
        id: "simulated",
        title: "Simulated",
        count: (late > 0).then(|| format!("{late} late")),
        body,
    })
}

fn about(simulated: &Simulated) -> String {
    let outages: Vec<String> = simulated
        .outages
        .iter()
        .map(|o| {
            let lasts = figures::duration(o.seconds);
            let at = figures::duration(o.at_seconds);
            format!("{} down for {lasts} from {at} on", o.system)
        })
        .collect();
    let outages = match outages.is_empty() {
        true => String::new(),
        false => format!(", with {}", outages.join(" and ")),
    };
    format!(
        "The real engine over {} of virtual time with made-up load (seed {}){outages}: {}. Systems \
         were emulated with their limits, latencies and failures.",
        figures::duration(simulated.seconds),
        simulated.seed,
        counted(simulated.changes as usize, "change", "changes"),
    )
}

/// Whether a change got older than its bound allows.
fn is_late(field: &FieldSimulated) -> bool {
    let worst = field.age_seconds.worst.simulated;
    worst
        .zip(field.required_seconds)
        .is_some_and(|(w, r)| w > r)
}

/// How near a field came to its bound, or else to what the estimate promises.
fn nearness(field: &FieldSimulated) -> (bool, f64) {
    let worst = field.age_seconds.worst;
    let held = field.required_seconds.or(worst.estimated);
    let share = worst.simulated.zip(held).map_or(0.0, |(w, h)| w / h);
    (field.required_seconds.is_some(), share)
}

fn by_nearness(simulated: &Simulated) -> Vec<&FieldSimulated> {
    let mut fields: Vec<&FieldSimulated> = simulated
        .fields
        .iter()
        .filter(|f| f.age_seconds.changes > 0)
        .collect();
    fields.sort_by(|a, b| {
        let (a, b) = (nearness(a), nearness(b));
        b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    fields
}

fn age_rows(simulated: &Simulated) -> Vec<AgeRow> {
    let row = |field: &FieldSimulated| {
        let ages = field.age_seconds;
        Some(AgeRow {
            name: format!("{} in {}", field.field, field.system),
            p50: ages.p50?,
            p99: ages.p99?,
            worst: ages.worst.simulated?,
            promised: ages.worst.estimated,
            required: field.required_seconds,
        })
    };
    let fields = by_nearness(simulated).into_iter();
    fields.filter_map(row).take(CHARTED).collect()
}

fn age_legend(bounds: bool) -> Markup {
    html! {
        ul class="legend" {
            li { i class="swatch s0" {} "from the middle to 99 of 100, and on to the oldest" }
            li { i class="stroke ink" {} "promised by the estimate" }
            @if bounds { li { i class="stroke late" {} "required" } }
        }
    }
}

/// The systems for which something waited, those with most first.
fn lines(simulated: &Simulated) -> Vec<(&str, Line<'_>)> {
    let mut systems: Vec<&SystemSimulated> = simulated
        .systems
        .iter()
        .filter(|s| s.backlog_most > 0 && s.backlog.len() > 1)
        .collect();
    systems.sort_by_key(|s| std::cmp::Reverse(s.backlog_most));
    let systems = systems.into_iter().take(COLORS).enumerate();
    systems
        .map(|(color, s)| {
            let hours = &s.backlog;
            (s.name.as_str(), Line { color, hours })
        })
        .collect()
}

fn fields(simulated: &Simulated) -> Markup {
    let fields = by_nearness(simulated);
    let left = fields.len().saturating_sub(LISTED);
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Field" }
                    th scope="col" { "Arrives in" }
                    th scope="col" class="n" { "Changes" }
                    th scope="col" class="n" { "Mean" }
                    th scope="col" class="n" { "Off by" }
                    th scope="col" class="n" { "99 of 100" }
                    th scope="col" class="n" { "Oldest" }
                    th scope="col" class="n" { "Promised" }
                    th scope="col" class="n" { "Required" }
                }
            }
            tbody {
                @for field in fields.iter().take(LISTED) {
                    @let ages = field.age_seconds;
                    tr class=[is_late(field).then_some("bad-row")] {
                        th scope="row" { code { (field.field) } }
                        td { (field.system) }
                        td class="n" { (figures::count(ages.changes as f64)) }
                        td class="n" { (delay(ages.mean.simulated)) }
                        td class="n" { (off_by(ages.mean)) }
                        td class="n" { (delay(ages.p99)) }
                        td class="n" { (delay(ages.worst.simulated)) }
                        td class="n" { (delay(ages.worst.estimated)) }
                        td class="n" { (delay(field.required_seconds)) }
                    }
                }
            }
        }
        @if left > 0 {
            p class="left" {
                "And " (counted(left, "field", "fields")) " further from what they are held to: see "
                code { "syncline simulate --format json" } "."
            }
        }
    }
}

fn systems(simulated: &Simulated) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "System" }
                    th scope="col" class="n" { "Calls a day" }
                    th scope="col" class="n" { "Estimate" }
                    th scope="col" class="n" { "Off by" }
                    th scope="col" class="n" { "Busiest minute, a second" }
                    th scope="col" class="n" { "429s" }
                    th scope="col" class="n" { "Failed" }
                    th scope="col" class="n" { "Most waiting" }
                }
            }
            tbody {
                @for system in &simulated.systems {
                    tr class=[(system.too_many > 0).then_some("bad-row")] {
                        th scope="row" { (system.name) }
                        td class="n" { (known(system.calls_per_day.simulated, figures::count)) }
                        td class="n" { (known(system.calls_per_day.estimated, figures::count)) }
                        td class="n" { (off_by(system.calls_per_day)) }
                        td class="n" { (known(system.peak_calls_per_second.simulated, rate)) }
                        td class="n" { (figures::count(system.too_many as f64)) }
                        td class="n" { (figures::count(system.failed as f64)) }
                        td class="n" { (figures::count(system.backlog_most as f64)) }
                    }
                }
            }
        }
    }
}
