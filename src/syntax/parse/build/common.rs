//! Parts that several blocks share: values, money, modes, words of closed lists.

use super::{Part, Parts};
use crate::syntax::parse::grammar::Rule;
use crate::syntax::tree::*;
use crate::terms::{Unit, Weekday};

/// A word of a closed list.
pub fn word<T>(part: &Part<'_>, read: fn(&str) -> Option<T>) -> Option<Word<T>> {
    Some(Word {
        span: part.span(),
        value: read(part.text())?,
    })
}

/// `true` or `false`, or any pair of words by the name of the second.
pub fn either(part: &Part<'_>, second: &str) -> Word<bool> {
    Word {
        span: part.span(),
        value: part.text() == second,
    }
}

pub fn env(part: Part<'_>) -> Option<Env> {
    let span = part.span();
    let mut parts = part.parts();
    Some(Env {
        span,
        var: Str(parts.token(Rule::string)?),
        default: parts.token(Rule::string).map(Str),
    })
}

pub fn option_value(part: Part<'_>) -> Option<OptionValue> {
    let part = part.parts().any()?;
    let span = part.span();
    Some(match part.rule() {
        Rule::env => OptionValue::Env(env(part)?),
        Rule::boolean => OptionValue::Bool(either(&part, "true")),
        Rule::string => OptionValue::Str(Str(span)),
        Rule::duration => OptionValue::Duration(DurationTok(span)),
        Rule::integer => OptionValue::Int(Int(span)),
        _ => return None,
    })
}

pub fn money(part: Part<'_>) -> Option<Money> {
    let mut parts = part.parts();
    Some(Money {
        amount: Number(parts.token(Rule::number)?),
        currency: Currency(parts.token(Rule::currency)?),
    })
}

pub fn money_rate(part: Part<'_>) -> Option<MoneyRate> {
    let mut parts = part.parts();
    Some(MoneyRate {
        money: money(parts.maybe(Rule::money)?)?,
        unit: word(&parts.maybe(Rule::unit)?, Unit::from_word)?,
    })
}

pub fn systems(parts: &mut Parts<'_>) -> Option<Vec<Name>> {
    Some(parts.maybe(Rule::systems)?.names(Rule::system_name))
}

pub fn days(part: Part<'_>) -> Option<Vec<Word<Weekday>>> {
    let mut parts = part.parts();
    let mut all = Vec::new();
    while let Some(day) = parts.maybe(Rule::weekday) {
        all.push(word(&day, Weekday::from_word)?);
    }
    Some(all)
}

pub fn mode(part: Part<'_>) -> Option<Mode> {
    let span = part.span();
    let part = part.parts().any()?;
    let kind = match part.rule() {
        Rule::mode_realtime => match part.parts().maybe(Rule::schedule) {
            Some(reconcile) => ModeKind::Hybrid(schedule(reconcile)?),
            None => ModeKind::Realtime,
        },
        Rule::mode_auto => ModeKind::Auto,
        _ => ModeKind::Scheduled(schedule(part)?),
    };
    Some(Mode { span, kind })
}

fn schedule(part: Part<'_>) -> Option<Schedule> {
    let part = part.parts().any()?;
    let rule = part.rule();
    let mut parts = part.parts();
    Some(match rule {
        Rule::schedule_every => Schedule::Every(DurationTok(parts.token(Rule::duration)?)),
        Rule::schedule_hourly => Schedule::Hourly(parts.token(Rule::minute).map(MinuteTok)),
        Rule::schedule_daily => Schedule::Daily(times(parts)?),
        Rule::schedule_weekly => {
            let days = days(parts.maybe(Rule::days)?)?;
            Schedule::Weekly(days, times(parts)?)
        }
        Rule::schedule_monthly => {
            let mut days = Vec::new();
            while let Some(day) = parts.token(Rule::month_day) {
                days.push(Int(day));
            }
            Schedule::Monthly(days, times(parts)?)
        }
        Rule::schedule_cron => Schedule::Cron(Str(parts.token(Rule::string)?)),
        _ => return None,
    })
}

fn times(mut parts: Parts<'_>) -> Option<Vec<TimeOfDayTok>> {
    let times = parts.maybe(Rule::times)?.parts().rest(Rule::time);
    Some(times.into_iter().map(TimeOfDayTok).collect())
}
