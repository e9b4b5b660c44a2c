//! The pest grammar and what its rules are called in the language's own words.

// The derive makes public items without docs.
#![allow(missing_docs)]

use crate::terms::{Impact, Priority, ResolveRule, Unit, Weekday};

/// The parser that pest makes of `grammar/syncline.pest`.
#[derive(pest_derive::Parser)]
#[grammar = "../grammar/syncline.pest"]
pub(super) struct Grammar;

/// What can stand at a place, as a person would say it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Expected {
    /// A sign, in its own spelling.
    Sign(&'static str),
    /// A keyword.
    Keyword(String),
    /// A word of a closed list: what one is called, and the words.
    Closed(&'static str, Vec<&'static str>),
    /// A token of a form: what it is called, with an example where that helps.
    Form(Form, &'static str),
}

/// Forms of tokens that messages treat each in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// A name.
    Name,
    /// A string.
    Str,
    /// An expression.
    Expr,
    /// A whole number.
    Integer,
    /// A number that may have a fraction.
    Number,
    /// A percentage.
    Percent,
    /// A duration.
    Duration,
    /// A rate.
    Rate,
    /// A multiple.
    Multiple,
    /// A time of day.
    Time,
    /// A minute of the hour.
    Minute,
    /// A date.
    Date,
    /// A currency.
    Currency,
    /// A value of several forms.
    Value,
}

impl Expected {
    /// How a message names it.
    pub fn say(&self) -> String {
        match self {
            Expected::Sign(sign) => format!("`{sign}`"),
            Expected::Keyword(word) => format!("`{word}`"),
            Expected::Closed(what, words) if words.len() <= 4 => {
                let words: Vec<_> = words.iter().map(|w| format!("`{w}`")).collect();
                let _ = what;
                super::report::or_list(&words)
            }
            Expected::Closed(what, _) | Expected::Form(_, what) => (*what).to_owned(),
        }
    }

    /// The words that would fit.
    pub fn words(&self) -> Vec<&str> {
        match self {
            Expected::Keyword(word) => vec![word],
            Expected::Closed(_, words) => words.clone(),
            Expected::Sign(_) | Expected::Form(..) => Vec::new(),
        }
    }
}

const TYPES: &[&str] = &[
    "bool", "int", "decimal", "text", "email", "phone", "url", "date", "datetime", "json", "enum",
    "set",
];
const MODES: &[&str] = &[
    "realtime", "every", "hourly", "daily", "weekly", "monthly", "cron", "auto",
];
const SCHEDULES: &[&str] = &["every", "hourly", "daily", "weekly", "monthly", "cron"];

/// What a rule stands for; none for what a message leaves out (the end of the input).
pub(super) fn expected(rule: Rule) -> Option<Expected> {
    use Expected::Sign;
    Some(match rule {
        Rule::EOI => return None,
        Rule::open_brace => Sign("{"),
        Rule::close_brace => Sign("}"),
        Rule::open_paren => Sign("("),
        Rule::close_paren => Sign(")"),
        Rule::open_bracket => Sign("["),
        Rule::close_bracket => Sign("]"),
        Rule::comma => Sign(","),
        Rule::colon => Sign(":"),
        Rule::equals => Sign("="),
        Rule::question => Sign("?"),
        Rule::star => Sign("*"),
        Rule::dot => Sign("."),
        Rule::dots => Sign(".."),
        Rule::slash => Sign("/"),
        Rule::at_most => Sign("<="),
        other => {
            return closed(other)
                .or_else(|| form(other))
                .or_else(|| keyword(other));
        }
    })
}

/// Rules for a word of a closed list.
fn closed(rule: Rule) -> Option<Expected> {
    let words = match rule {
        Rule::resolve_rule => ("a resolve rule", all(ResolveRule::ALL, ResolveRule::word)),
        Rule::impact => ("an impact", all(Impact::ALL, Impact::word)),
        Rule::weekday => ("a day such as `mon`", all(Weekday::ALL, Weekday::word)),
        Rule::unit => ("a unit such as `hour`", all(Unit::ALL, Unit::word)),
        Rule::priority_word => ("a priority", all(Priority::ALL, Priority::word)),
        Rule::scan_word => ("`changes` or `full`", vec!["changes", "full"]),
        Rule::deletes_word => ("`propagate` or `ignore`", vec!["propagate", "ignore"]),
        Rule::keep_word => ("what to keep", vec!["newest", "oldest", "owner"]),
        Rule::else_word => ("`quarantine` or `abort`", vec!["quarantine", "abort"]),
        Rule::type_ref => ("a type such as `text`", TYPES.to_vec()),
        Rule::mode | Rule::mode_realtime | Rule::mode_auto => {
            ("a mode such as `every 15m`", MODES.to_vec())
        }
        Rule::schedule => ("a schedule such as `daily at 02:00`", SCHEDULES.to_vec()),
        _ => return None,
    };
    Some(Expected::Closed(words.0, words.1))
}

fn all<T: Copy>(list: &[T], word: fn(T) -> &'static str) -> Vec<&'static str> {
    list.iter().map(|t| word(*t)).collect()
}

/// Rules for a token of some form.
fn form(rule: Rule) -> Option<Expected> {
    let (form, what) = match rule {
        Rule::policy_name => (Form::Name, "the policy's name"),
        Rule::system_name | Rule::systems => (Form::Name, "a system's name"),
        Rule::entity_name => (Form::Name, "an entity's name"),
        Rule::field_name | Rule::fields => (Form::Name, "a field's name"),
        Rule::scenario_name => (Form::Name, "a scenario's name"),
        Rule::class_name | Rule::classes => (Form::Name, "a class such as `pii`"),
        Rule::enum_value => (Form::Name, "a value's name"),
        Rule::event_name => (Form::Name, "an event's name"),
        Rule::option_name => (Form::Name, "an option's name"),
        Rule::secret_name => (Form::Name, "a secret's name"),
        Rule::connector_name => (Form::Name, "a connector's name"),
        Rule::tier_name => (Form::Name, "a tier's name"),
        Rule::value_name => (Form::Name, "a name"),
        Rule::check_name => (Form::Name, "a code such as `SL0104`"),
        Rule::string => (Form::Str, "a string in double quotes"),
        Rule::expression => (Form::Expr, "an expression in backticks"),
        Rule::integer | Rule::signed => (Form::Integer, "a whole number"),
        Rule::month_day => (Form::Integer, "a day of the month such as `1`"),
        Rule::number | Rule::money | Rule::money_rate => {
            (Form::Number, "an amount such as `40 USD`")
        }
        Rule::percent => (Form::Percent, "a percentage such as `40%`"),
        Rule::duration => (Form::Duration, "a duration such as `15m`"),
        Rule::rate => (Form::Rate, "a rate such as `300/day`"),
        Rule::multiple => (Form::Multiple, "a multiple such as `8x`"),
        Rule::time | Rule::times => (Form::Time, "a time such as `02:00`"),
        Rule::minute => (Form::Minute, "a minute such as `:15`"),
        Rule::date => (Form::Date, "a date such as `2027-01-31`"),
        Rule::currency => (Form::Currency, "a currency such as `USD`"),
        Rule::option_value => (
            Form::Value,
            "a string, a whole number, a duration, `true`, `false` or `env(…)`",
        ),
        Rule::test_value => (
            Form::Value,
            "a value: a string, a number, `true`, `false`, a name, `[…]` or `absent`",
        ),
        _ => return None,
    };
    Some(Expected::Form(form, what))
}

/// Keywords, and clauses by their keyword.
fn keyword(rule: Rule) -> Option<Expected> {
    let word = match rule {
        Rule::env => "env".to_owned(),
        Rule::record => return Some(Expected::Sign("{")),
        Rule::value_list => return Some(Expected::Sign("[")),
        Rule::days => return closed(Rule::weekday),
        Rule::filter => "if".to_owned(),
        _ => {
            let name = format!("{rule:?}");
            let tail = name.strip_prefix("kw_").or_else(|| {
                [
                    "policy_",
                    "system_",
                    "entity_",
                    "map_",
                    "scenario_",
                    "checkpoint_",
                    "test_",
                    "expect_",
                    "schedule_",
                    "type_",
                ]
                .iter()
                .find_map(|p| name.strip_prefix(p))
            });
            tail.unwrap_or(&name).to_owned()
        }
    };
    Some(Expected::Keyword(word))
}
