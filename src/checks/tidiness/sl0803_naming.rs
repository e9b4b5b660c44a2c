//! SL0803 naming: a name that is not snake_case.
//!
//! The names of a policy, a system and a scenario can be changed in one go, since the policy says
//! itself where they are used. A field's name may be a column's and is read in expressions, an enum
//! value's is in the data: those are for a person to change.

use std::collections::HashMap;

use super::super::Context;
use super::rename::{self, Rename, words};
use crate::finding::{Code, Finding};
use crate::model::{Field, Ident};
use crate::text::Span;
use crate::value::Type;

const CODE: Code = Code(803);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let p = ctx.policy;
    let bad = |name: &Ident| !is_snake_case(&name.text);
    let mut found = Vec::new();
    let mut rename = Rename::default();
    for name in p.name.iter().filter(|n| bad(n)) {
        found.push(finding("policy", name));
        rename.add(name, Vec::new(), |_| false);
    }
    let systems = p.systems.iter().filter(|s| bad(&s.name));
    let mut uses = match systems.clone().next() {
        Some(_) => rename::uses_of_systems(p),
        None => HashMap::new(),
    };
    for system in systems {
        found.push(finding("system", &system.name));
        let uses = uses.remove(&system.id).unwrap_or_default();
        rename.add(&system.name, uses, |new| {
            new == "none" || p.system_named(new).is_some()
        });
    }
    let scenarios = p.scenarios.iter().filter(|s| bad(&s.name));
    let mut uses = match scenarios.clone().next() {
        Some(_) => rename::uses_of_scenarios(p),
        None => HashMap::new(),
    };
    for scenario in scenarios {
        found.push(finding("scenario", &scenario.name));
        let uses = uses.remove(&scenario.id).unwrap_or_default();
        rename.add(&scenario.name, uses, |new| p.scenario_named(new).is_some());
    }
    found = rename.mend(ctx, found);
    let entities = p.entities.iter().filter(|e| bad(&e.name));
    found.extend(entities.map(|e| finding("entity", &e.name)));
    found.extend(ctx.each_field(|field| of_field(ctx, field)));
    found
}

fn of_field(ctx: &Context, field: &Field) -> Vec<Finding> {
    let mut found = Vec::new();
    if !is_snake_case(&field.name.text) {
        let column = ", and in each map give its column by name where `same_names` did";
        found.push(with_help("field", &field.name, column));
    }
    for value in field.ty.iter().flat_map(enum_values) {
        if is_snake_case(value) {
            continue;
        }
        let Some(span) = word_in(ctx, field.type_span, value) else {
            continue;
        };
        let name = Ident {
            span,
            text: value.as_str().into(),
        };
        let spelled = match to_snake_case(value) {
            Some(new) => format!(", and say `values {{ {new} = \"{value}\" }}` in the maps"),
            None => String::new(),
        };
        found.push(with_help("enum value", &name, &spelled));
    }
    found
}

/// Lower-case letters and digits, in words with one `_` between them.
fn is_snake_case(name: &str) -> bool {
    name.split('_').all(|word| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        !word.is_empty() && word.chars().all(plain)
    })
}

/// `LeadStatus`, `leadStatus` and `Lead__Status` as `lead_status`; `None`: nothing would be left,
/// or a digit would come first.
pub(super) fn to_snake_case(name: &str) -> Option<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::with_capacity(name.len() + 4);
    for (at, c) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|i| letters.get(i));
        let after = letters.get(at + 1);
        let begins = c.is_ascii_uppercase()
            && before.is_some_and(|b| {
                let ends_word = b.is_ascii_lowercase() || b.is_ascii_digit();
                // `HTTPServer`: the last capital of a run begins the next word.
                ends_word || b.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase)
            });
        if (begins || *c == '_') && !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        if *c != '_' {
            out.push(c.to_ascii_lowercase());
        }
    }
    let new = out.trim_end_matches('_');
    let first = new.chars().next()?;
    first.is_ascii_lowercase().then(|| new.to_owned())
}

fn finding(kind: &str, name: &Ident) -> Finding {
    with_help(kind, name, "")
}

/// `more`: what else there is to do.
fn with_help(kind: &str, name: &Ident, more: &str) -> Finding {
    let help = match to_snake_case(&name.text) {
        Some(new) => format!("call it `{new}` wherever it is named{more}"),
        None => "give it a name of lower-case words with `_` between them".to_owned(),
    };
    Finding::new(
        CODE,
        name.span,
        format!("the name of {kind} `{name}` is not in lower case with `_` between its words"),
    )
    .mark("not snake_case")
    .help(help)
}

fn enum_values(ty: &Type) -> &[String] {
    match ty {
        Type::Enum { values } => values,
        Type::Set { of } => enum_values(of),
        _ => &[],
    }
}

/// The place of a word in a piece of text.
fn word_in(ctx: &Context, within: Span, word: &str) -> Option<Span> {
    let text = ctx.sources.slice(within);
    let at = words(text).find(|(_, w)| *w == word)?.0;
    let start = within.start as usize + at;
    Some(Span::new(within.file, start, start + word.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_snake_case() {
        for (name, new) in [
            ("LeadStatus", "lead_status"),
            ("leadStatus", "lead_status"),
            ("Lead__Status_", "lead_status"),
            ("HTTPServer2Go", "http_server2_go"),
            ("CRM", "crm"),
            ("_private", "private"),
        ] {
            assert!(!is_snake_case(name), "{name}");
            assert_eq!(to_snake_case(name).as_deref(), Some(new));
            assert!(is_snake_case(new), "{new}");
        }
        assert!(is_snake_case("a1_b2"));
        assert_eq!(to_snake_case("__"), None);
        assert_eq!(to_snake_case("_1"), None);
    }
}
