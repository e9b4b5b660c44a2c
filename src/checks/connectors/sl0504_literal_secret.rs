//! SL0504 literal-secret: a secret stands in the policy instead of coming from the environment.

use super::super::Context;
use crate::finding::{Code, Edit, Finding, Grade};
use crate::model::{Setting, SettingValue, System};

const CODE: Code = Code(504);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    ctx.policy
        .systems
        .iter()
        .flat_map(|system| {
            let kept = |o: &&Setting| is_secret(system, o) || has_password(o);
            let options = system.options.iter().filter(kept);
            let kept = options
                .map(|o| (o, "option"))
                .chain(system.secrets.iter().map(|s| (s, "secret")));
            kept.filter_map(|(setting, word)| finding(system, setting, word))
        })
        .collect()
}

/// Whether the catalog calls an option secret.
pub(super) fn is_secret(system: &System, option: &Setting) -> bool {
    let entry = system.entry();
    let known = entry.and_then(|e| e.option(&option.name.text));
    known.is_some_and(|o| o.secret)
}

/// Whether what stands in the policy is an address with a password in it.
fn has_password(option: &Setting) -> bool {
    let text = match &option.value {
        Some(SettingValue::Text(text)) => Some(&**text),
        Some(SettingValue::Env(env)) => env.default.as_ref().map(|d| &*d.text),
        _ => None,
    };
    let address = text.and_then(|text| url::Url::parse(text).ok());
    address.is_some_and(|address| address.password().is_some())
}

/// The environment variable that a setting would naturally come from.
pub(super) fn variable(system: &System, setting: &str) -> String {
    format!("{}_{}", system.name, setting).to_uppercase()
}

/// The variable that a text names in the way of a shell or in words of this language:
/// `"$TOKEN"`, `"${TOKEN}"`, `"env(TOKEN)"`.
fn named_variable(text: &str) -> Option<&str> {
    let wrapped = |open: &str, close: &str| text.strip_prefix(open)?.strip_suffix(close);
    let name = wrapped("${", "}")
        .or_else(|| wrapped("env(", ")"))
        .or_else(|| text.strip_prefix('$'))?;
    let name = name.trim_matches('\'');
    let fits = |c: char| c == '_' || c.is_ascii_uppercase() || c.is_ascii_digit();
    (!name.is_empty() && name.chars().all(fits)).then_some(name)
}

/// A secret that names its variable where only text stands.
fn quoted_variable(system: &System, setting: &Setting, word: &str, var: &str) -> Finding {
    let name = &setting.name;
    let message = format!(
        "{word} `{name}` of `{}` is the text in quotes, not the variable `{var}`",
        system.name
    );
    let text = format!("env(\"{var}\")");
    let edit = Edit {
        span: setting.span,
        text: text.clone(),
    };
    Finding::new(CODE, setting.span, message)
        .mark("taken as it stands")
        .label(system.name.span, format!("a setting of `{}`", system.name))
        .help(format!("write `{word} {name} = {text}`"))
        .fix(format!("take it from `{var}`"), Grade::Safe, vec![edit])
}

/// The literal is never shown: a report travels further than a policy.
fn finding(system: &System, setting: &Setting, word: &str) -> Option<Finding> {
    if let Some(SettingValue::Text(text)) = &setting.value
        && let Some(var) = named_variable(text)
    {
        return Some(quoted_variable(system, setting, word, var));
    }
    let (place, var, what) = match setting.value.as_ref()? {
        SettingValue::Env(env) => {
            let default = env.default.as_ref()?;
            (
                default.span,
                env.var.text.to_string(),
                "has a default in the policy",
            )
        }
        _ => {
            let var = variable(system, &setting.name.text);
            (setting.span, var, "is written in the policy")
        }
    };
    let name = &setting.name;
    // Of an option that may stand there otherwise it is the password alone that may not.
    let (whose, new) = match word == "option" && !is_secret(system, setting) {
        true => ("with the password in it ", "change that password"),
        false => ("", "give the system a new secret"),
    };
    let message = format!(
        "{word} `{name}` of `{}` {whose}{what}, where everybody can read it",
        system.name
    );
    let text = format!("env(\"{var}\")");
    Some(
        Finding::new(CODE, place, message)
            .mark("a secret in the open")
            .label(system.name.span, format!("a setting of `{}`", system.name))
            .help(format!(
                "write `{word} {name} = {text}`, set `{var}` where the plan runs, and {new}: \
                 this one is known"
            ))
            .fix(
                format!("take it from `{var}`"),
                Grade::Review,
                vec![Edit {
                    span: setting.span,
                    text,
                }],
            ),
    )
}
