//! SL0505 bad-option: a setting that the connector lacks, of the wrong type, or missing.

use super::super::{Context, fix, words};
use super::sl0504_literal_secret::{is_secret, variable};
use crate::catalog::{self, Entry, SettingType};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Connector, Setting, SettingValue, System, SystemId};
use crate::text::{Span, nearest};

const CODE: Code = Code(505);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let roles = Roles::of(ctx);
    ctx.policy
        .systems
        .iter()
        .flat_map(|system| of_system(ctx, system, &roles))
        .collect()
}

/// Which systems are read and which are written.
struct Roles {
    source: Vec<bool>,
    destination: Vec<bool>,
}

impl Roles {
    fn of(ctx: &Context) -> Roles {
        let none = vec![false; ctx.policy.systems.len()];
        let mut roles = Roles {
            source: none.clone(),
            destination: none,
        };
        for scenario in &ctx.policy.scenarios {
            for hop in &scenario.hops {
                set(&mut roles.source, hop.from.value);
                set(&mut roles.destination, hop.to.value);
            }
            for system in scenario.clean.iter().filter_map(|c| c.system.id) {
                set(&mut roles.source, system);
                set(&mut roles.destination, system);
            }
        }
        roles
    }
}

fn set(list: &mut [bool], system: SystemId) {
    list.get_mut(system.index())
        .into_iter()
        .for_each(|b| *b = true);
}

fn is_set(list: &[bool], system: SystemId) -> bool {
    list.get(system.index()).copied().unwrap_or(false)
}

fn of_system(ctx: &Context, system: &System, roles: &Roles) -> Vec<Finding> {
    let Some(connector) = &system.connector else {
        return Vec::new();
    };
    let Some(entry) = &connector.entry else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut meant = Vec::new();
    for (settings, word) in [
        (&system.options, Word::Option),
        (&system.secrets, Word::Secret),
    ] {
        for setting in settings {
            let name = &*setting.name.text;
            if let Some(known) = word.of(entry, name) {
                found.extend(mistyped(ctx, system, connector, setting, known, word));
                continue;
            }
            let lacking = lacking(system, entry, word, roles, &meant);
            let unknown = unknown(ctx, system, connector, entry, setting, word, &lacking);
            meant.extend(unknown.1);
            found.push(unknown.0);
        }
    }
    if !system.broken {
        for word in [Word::Option, Word::Secret] {
            for setting in lacking(system, entry, word, roles, &meant) {
                found.push(missing(ctx, system, connector, setting, word));
            }
        }
    }
    found
}

/// The settings that the connector needs here and that are neither given nor meant by another name.
fn lacking<'e>(
    system: &System,
    entry: &'e Entry,
    word: Word,
    roles: &Roles,
    meant: &[String],
) -> Vec<&'e catalog::Setting> {
    let needed = |s: &&catalog::Setting| {
        s.required.holds(
            is_set(&roles.source, system.id),
            is_set(&roles.destination, system.id),
        )
    };
    let given = |s: &catalog::Setting| word.given(system, &s.name) || meant.contains(&s.name);
    let list = word.list(entry).iter().filter(needed);
    list.filter(|s| !given(s)).collect()
}

/// The clause that a setting stands in.
#[derive(Clone, Copy, PartialEq)]
enum Word {
    Option,
    Secret,
}

impl Word {
    fn text(self) -> &'static str {
        match self {
            Word::Option => "option",
            Word::Secret => "secret",
        }
    }

    fn other(self) -> Word {
        match self {
            Word::Option => Word::Secret,
            Word::Secret => Word::Option,
        }
    }

    fn list(self, entry: &Entry) -> &[catalog::Setting] {
        match self {
            Word::Option => &entry.options,
            Word::Secret => &entry.secrets,
        }
    }

    fn of<'e>(self, entry: &'e Entry, name: &str) -> Option<&'e catalog::Setting> {
        self.list(entry).iter().find(|s| s.name == name)
    }

    fn given(self, system: &System, name: &str) -> bool {
        let settings = match self {
            Word::Option => &system.options,
            Word::Secret => &system.secrets,
        };
        settings.iter().any(|s| &*s.name.text == name)
    }
}

/// A setting that the connector lacks, and the one that was meant where that is plain.
fn unknown(
    ctx: &Context,
    system: &System,
    connector: &Connector,
    entry: &Entry,
    setting: &Setting,
    word: Word,
    lacking: &[&catalog::Setting],
) -> (Finding, Option<String>) {
    let (name, kind, clause) = (&*setting.name.text, &connector.written, word.text());
    let message = format!("`{kind}` has no {clause} `{name}`");
    let found = Finding::new(CODE, setting.name.span, message)
        .mark(format!("no {clause} of `{kind}`"))
        .label(
            connector.clause,
            format!("the connector of `{}`", system.name),
        );
    let other = word.other().text();
    if word.other().of(entry, name).is_some() {
        let keyword = Span::new(
            setting.clause.file,
            setting.clause.start as usize,
            setting.clause.start as usize + clause.len(),
        );
        let edit = Edit {
            span: keyword,
            text: other.to_owned(),
        };
        let found = found
            .help(format!(
                "`{name}` is a {other} of `{kind}`: write `{other} {name} = …`"
            ))
            .fix(format!("make it a {other}"), Grade::Review, vec![edit]);
        return (found, Some(name.to_owned()));
    }
    let free = word.list(entry).iter().map(|s| &*s.name);
    let free: Vec<&str> = free.filter(|n| !word.given(system, n)).collect();
    let rename = |to: &str, help: String, grade: Grade| {
        let edit = Edit {
            span: setting.name.span,
            text: to.to_owned(),
        };
        let title = format!("write `{to}` for `{name}`");
        let found = found.clone().help(help).fix(title, grade, vec![edit]);
        (found, Some(to.to_owned()))
    };
    match (nearest(name, free.iter().copied()), lacking) {
        (Some(near), _) => rename(near, format!("write `{near}`"), Grade::Safe),
        // What is too much is most likely the one that is missing.
        (None, [only]) => {
            let wanted = &only.name;
            let help = format!("write `{wanted}`, which `{kind}` needs: {}", only.about);
            rename(wanted, help, Grade::Review)
        }
        (None, _) => {
            let help = match free.is_empty() {
                true => format!("remove this {clause}"),
                false => format!("write {}, or remove this {clause}", words::either(&free)),
            };
            let edit = fix::remove(setting.clause, ctx.sources);
            let title = format!("remove this {clause}");
            (found.help(help).fix(title, Grade::Review, vec![edit]), None)
        }
    }
}

/// A value that is not what the setting holds. What comes from the environment is only known when
/// the plan runs; a literal secret is SL0504.
fn mistyped(
    ctx: &Context,
    system: &System,
    connector: &Connector,
    setting: &Setting,
    known: &catalog::Setting,
    word: Word,
) -> Option<Finding> {
    let is = match setting.value.as_ref()? {
        SettingValue::Env(_) => return None,
        SettingValue::Text(_) => SettingType::String,
        SettingValue::Int(_) => SettingType::Int,
        SettingValue::Bool(_) => SettingType::Bool,
        SettingValue::Duration(_) => SettingType::Duration,
    };
    if is == known.kind || word == Word::Secret || is_secret(system, setting) {
        return None;
    }
    let wanted = article(known.kind);
    let name = &setting.name;
    let message = format!(
        "option `{name}` of `{}` is {}, but `{}` wants {wanted}",
        system.name,
        article(is),
        connector.written
    );
    let example = match known.kind {
        SettingType::String => "\"…\"",
        SettingType::Int => "100",
        SettingType::Bool => "true",
        SettingType::Duration => "30s",
    };
    let found = Finding::new(CODE, setting.span, message)
        .mark(format!("is not {wanted}"))
        .label(
            connector.clause,
            format!("the connector of `{}`", system.name),
        )
        .help(format!("write {wanted}, as `option {name} = {example}`"));
    if known.kind != SettingType::String {
        return Some(found);
    }
    let text = words::string(ctx.sources.slice(setting.span));
    let title = format!("write `{text}`");
    let edit = Edit {
        span: setting.span,
        text,
    };
    Some(found.fix(title, Grade::Review, vec![edit]))
}

fn missing(
    ctx: &Context,
    system: &System,
    connector: &Connector,
    setting: &catalog::Setting,
    word: Word,
) -> Finding {
    let (name, clause) = (&setting.name, word.text());
    let message = format!(
        "`{}` lacks the {clause} `{name}`, which `{}` needs: {}",
        system.name, connector.written, setting.about
    );
    let env = format!("{clause} {name} = env(\"{}\")", variable(system, name));
    let found = Finding::new(CODE, connector.written.span, message)
        .mark(format!("needs {clause} `{name}`"))
        .label(
            system.name.span,
            format!("`{}` does not say it", system.name),
        );
    let by_env = word == Word::Secret || setting.secret;
    let found = found.help(match by_env {
        true => format!("write `{env}`"),
        false => format!("write `option {name} = …`, or `{env}`"),
    });
    match fix::add_line(system.span, ctx.sources, &env) {
        Some(edit) => found.fix(format!("add `{env}`"), Grade::Review, vec![edit]),
        None => found,
    }
}

fn article(kind: SettingType) -> String {
    match kind {
        SettingType::Int => format!("an {}", kind.word()),
        SettingType::Bool => kind.word().to_owned(),
        SettingType::String | SettingType::Duration => format!("a {}", kind.word()),
    }
}
