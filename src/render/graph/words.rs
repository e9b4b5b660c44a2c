//! What a picture says, whatever its form.

use std::borrow::Cow;

use crate::checks::figures;
use crate::overview::{Age, Arrow, Moves, Node, Picture, Role};
use crate::render::estimate::delay;
use crate::terms::ModeClass;

/// How many names are told before the rest is counted.
const NAMES_SHOWN: usize = 6;

/// A text that stays where it is put: without control characters, which XML has no place for, and
/// with what would turn the direction of the text around it made visible.
pub(in crate::render) fn plain(text: &str) -> Cow<'_, str> {
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_no_character(c);
    if !text.contains(|c| turns(c) || breaks(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if turns(c) => out.push_str(&format!("⟨U+{:04X}⟩", c as u32)),
            c if breaks(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

fn is_no_character(c: char) -> bool {
    matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// The class of a mode as a name of a style.
pub(in crate::render) fn class_name(class: Option<ModeClass>) -> &'static str {
    match class {
        Some(ModeClass::Realtime) => "realtime",
        Some(ModeClass::NearRealTime) => "near",
        Some(ModeClass::Scheduled) => "scheduled",
        Some(ModeClass::Hybrid) => "hybrid",
        None => "open",
    }
}

/// How an arrow's scenarios run, in few words.
pub(super) fn mode_words(arrow: &Arrow) -> String {
    let class = |c: ModeClass| c.word().to_owned();
    match (arrow.class, &arrow.mode) {
        (Some(c @ (ModeClass::Realtime | ModeClass::Hybrid)), _) => class(c),
        (_, Some(mode)) => mode.clone(),
        (Some(c), None) => class(c),
        (None, None) => "no mode".to_owned(),
    }
}

/// An age beside its bound: `≤ 5m2s of 10m`, `12m, over 10m`.
pub(in crate::render) fn of_bound(age: Age) -> String {
    let required = age.required.map(figures::duration);
    match (age.worst, required) {
        (None, None) => "no bound".to_owned(),
        (None, Some(most)) => format!("without end, over {most}"),
        (Some(worst), None) => format!("≤ {}", delay(Some(worst))),
        (Some(worst), Some(most)) if age.is_late() => {
            format!("{}, over {most}", delay(Some(worst)))
        }
        (Some(worst), Some(most)) => format!("≤ {} of {most}", delay(Some(worst))),
    }
}

fn counted(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        n => format!("{} {many}", figures::count(n as f64)),
    }
}

/// Some of a list's names, and how many more there are.
pub(super) fn some(names: &[String], all: usize) -> String {
    let shown: Vec<&str> = names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
    match all.saturating_sub(shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The lines beside an arrow, the first of them its name.
pub(super) fn arrow_lines(picture: &Picture, arrow: &Arrow) -> Vec<String> {
    let name = match arrow.scenarios.as_slice() {
        [one] => one.clone(),
        many => counted(many.len(), "scenario", "scenarios"),
    };
    let own = arrow.fields.iter().all(|f| *f == picture.title);
    let what = match arrow.moves {
        Moves::Cleans => Some("cleans".to_owned()),
        Moves::Fields if own => None,
        Moves::Fields if picture.nodes.iter().any(|n| n.role.is_some()) => {
            Some(some(&arrow.fields, arrow.field_count))
        }
        Moves::Fields => Some(counted(arrow.field_count, "field", "fields")),
    };
    let mut how = vec![mode_words(arrow)];
    how.extend(what);
    if arrow.moves == Moves::Fields {
        how.push(of_bound(arrow.age));
    }
    let mut lines = vec![name, how.join(" · ")];
    if let Some(tight) = arrow.tightest.as_ref().filter(|t| t.age.is_late()) {
        lines.push(format!("late: {} {}", tight.field, of_bound(tight.age)));
    } else if arrow.age.is_late() {
        lines.push("late".to_owned());
    }
    lines
}

/// The lines in a box, the first of them its name.
pub(super) fn node_lines(node: &Node) -> Vec<String> {
    let mut lines = vec![node.name.clone()];
    lines.extend(node.connector.clone());
    lines.extend(node.role.map(|r| role(r).to_owned()));
    lines.extend(node.age.map(of_bound));
    if node.role.is_none() && node.late > 0 {
        lines.push(format!("{} late", counted(node.late, "field", "fields")));
    }
    lines
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Accepted => "accepted",
        Role::Receiver => "receives",
        Role::Input => "knows inputs",
    }
}

/// All that there is to say of an arrow, in a sentence.
pub(super) fn details(picture: &Picture, arrow: &Arrow) -> String {
    let name = |at: usize| picture.nodes.get(at).map_or("", |n| n.name.as_str());
    let (from, to) = (name(arrow.from), name(arrow.to));
    let scenarios = some(&arrow.scenarios, arrow.scenarios.len());
    let mode = match &arrow.mode {
        Some(mode) => mode.clone(),
        None => mode_words(arrow),
    };
    let mut out = match arrow.moves {
        Moves::Cleans => return format!("{scenarios}: cleans records in {to}, {mode}."),
        Moves::Fields => format!("{scenarios}: {from} to {to}, {mode}"),
    };
    let fields = some(&arrow.fields, arrow.field_count);
    if !fields.is_empty() {
        out.push_str(&format!("; carries {fields}"));
    }
    out.push_str(&format!("; a change arrives {}", arrival(arrow.age)));
    if let Some(tight) = &arrow.tightest {
        let far = match tight.age.is_late() {
            true => "late there",
            false => "nearest to its bound there",
        };
        out.push_str(&format!("; {far}: {} {}", tight.field, of_bound(tight.age)));
    }
    out.push('.');
    out
}

fn arrival(age: Age) -> String {
    let late = match age.required {
        Some(most) if age.is_late() => format!(", over its {}", figures::duration(most)),
        Some(most) => format!(" of {} allowed", figures::duration(most)),
        None => String::new(),
    };
    match age.worst {
        Some(worst) => format!("within {}{late}", figures::duration(worst)),
        None => format!("without any bound{late}"),
    }
}

/// What a picture is of and shows, for those who do not see it.
pub(super) fn summary(picture: &Picture) -> String {
    let systems = counted(picture.nodes.len(), "system", "systems");
    let flows = counted(picture.arrows.len(), "flow", "flows");
    let late = picture.arrows.iter().filter(|a| a.is_late()).count();
    let late = match late {
        0 => String::new(),
        n => format!(", {n} of them late"),
    };
    let left = match left_out(picture) {
        Some(left) => format!(" {left}"),
        None => String::new(),
    };
    format!("{systems} and {flows} between them{late}.{left}")
}

/// What a large picture leaves out.
pub(super) fn left_out(picture: &Picture) -> Option<String> {
    if picture.nodes_left == 0 && picture.arrows_left == 0 {
        return None;
    }
    Some(format!(
        "Not drawn: {} and {} that carry least.",
        counted(picture.nodes_left, "system", "systems"),
        counted(picture.arrows_left, "flow", "flows"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_breaks_a_text_is_made_visible() {
        assert_eq!(plain("lead \u{5d0}\u{200f}"), "lead \u{5d0}\u{200f}");
        assert_eq!(plain("a\u{202e}b\u{2066}"), "a⟨U+202E⟩b⟨U+2066⟩");
        assert_eq!(
            plain("a\u{0}b\u{1b}[\u{ffff}\nc"),
            "a\u{fffd}b\u{fffd}[\u{fffd}\nc"
        );
    }

    #[test]
    fn an_age_stands_beside_its_bound() {
        let age = |worst, required| {
            of_bound(Age {
                worst,
                mean: None,
                required,
            })
        };
        assert_eq!(age(Some(302.0), Some(600.0)), "≤ 5m2s of 10m");
        assert_eq!(age(Some(720.0), Some(600.0)), "12m, over 10m");
        assert_eq!(age(Some(720.0), None), "≤ 12m");
        assert_eq!(age(None, Some(600.0)), "without end, over 10m");
        assert_eq!(age(None, None), "no bound");
    }
}
