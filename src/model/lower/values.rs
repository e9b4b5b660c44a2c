//! Values of tokens, with the bounds that hold wherever they stand.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::Lowering;
use crate::finding::{Edit, Grade};
use crate::model::report::{Bad, bad_value};
use crate::model::{EnvVar, Ident, MoneyPer, Percent, Rate, Spanned};
use crate::syntax::literal::{self, BadValue};
use crate::syntax::tree::{self, DurationTok, Env, Int, Money, MoneyRate, Multiple, Number, Str};
use crate::text::Span;
use crate::time::Millis;

/// The longest duration, so that sums stay in range: a hundred thousand years.
const LONGEST: u64 = 100_000 * 366 * 86_400_000;

impl<'a> Lowering<'a> {
    pub(super) fn bad(&mut self, at: Span, message: impl Into<String>, help: &str) {
        self.report(bad_value(Bad {
            at,
            message: message.into(),
            help,
            because: None,
            mend: None,
        }));
    }

    pub(super) fn bad_because(
        &mut self,
        at: Span,
        message: impl Into<String>,
        help: &str,
        because: (Span, String),
    ) {
        self.report(bad_value(Bad {
            at,
            message: message.into(),
            help,
            because: Some(because),
            mend: None,
        }));
    }

    /// The same with a mend for a person to look at.
    pub(super) fn bad_but(
        &mut self,
        at: Span,
        message: impl Into<String>,
        help: &str,
        because: Option<(Span, String)>,
        mend: (impl Into<String>, Vec<Edit>),
    ) {
        self.report(bad_value(Bad {
            at,
            message: message.into(),
            help,
            because,
            mend: Some((mend.0.into(), Grade::Review, mend.1)),
        }));
    }

    /// A token's value; a bad one is reported.
    pub(super) fn value<T>(&mut self, at: Span, value: Result<T, BadValue>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(BadValue::EndOfDay) => {
                let bad = BadValue::EndOfDay;
                let edit = Edit {
                    span: at,
                    text: "00:00".to_owned(),
                };
                let mend = ("write `00:00`, when the next day begins", vec![edit]);
                self.bad_but(at, bad.to_string(), help(&bad), None, mend);
                None
            }
            Err(bad) => {
                let help = help(&bad);
                self.bad(at, bad.to_string(), help);
                None
            }
        }
    }

    pub(super) fn string(&mut self, token: Str) -> Option<Ident> {
        let written = self.text(token.0);
        let text = match self.value(token.0, literal::string(written))? {
            std::borrow::Cow::Borrowed(text) => self.shared(text),
            std::borrow::Cow::Owned(text) => Arc::from(text),
        };
        Some(Ident {
            span: token.0,
            text,
        })
    }

    /// A string that may not be empty; `what` says what it names.
    pub(super) fn filled(&mut self, token: Str, what: &str) -> Option<Ident> {
        let string = self.string(token)?;
        if string.text.trim().is_empty() {
            self.bad(
                token.0,
                format!("{what} is empty"),
                "write its name between the quotes",
            );
            return None;
        }
        Some(string)
    }

    pub(super) fn int(&mut self, token: Int) -> Option<u64> {
        let text = self.text(token.0);
        self.value(token.0, literal::unsigned(text))
    }

    /// A whole number from 1 on.
    pub(super) fn positive(&mut self, token: Int, what: &str) -> Option<u64> {
        match self.int(token)? {
            0 => {
                self.bad(
                    token.0,
                    format!("{what} cannot be 0"),
                    "write a number from 1 on",
                );
                None
            }
            n => Some(n),
        }
    }

    pub(super) fn duration(&mut self, token: DurationTok) -> Option<Spanned<Millis>> {
        let text = self.text(token.0);
        let ms = self.value(token.0, literal::duration_ms(text))?;
        if ms > LONGEST {
            self.bad(
                token.0,
                format!("`{text}` is too long a time"),
                "write a shorter time",
            );
            return None;
        }
        Some(Spanned {
            span: token.0,
            value: Millis(ms),
        })
    }

    /// A duration that is not zero.
    pub(super) fn lasting(&mut self, token: DurationTok, what: &str) -> Option<Spanned<Millis>> {
        let duration = self.duration(token)?;
        if duration.value == Millis::ZERO {
            self.bad(
                token.0,
                format!("{what} cannot be of no length"),
                "write a time above 0",
            );
            return None;
        }
        Some(duration)
    }

    /// A percentage of at most 100.
    pub(super) fn percent(&mut self, token: tree::Percent) -> Option<Percent> {
        let text = self.text(token.0);
        let share = self.value(token.0, literal::percent(text))?;
        if share > Decimal::ONE {
            self.bad(
                token.0,
                format!("`{text}` is over 100 %"),
                "write a percentage up to `100%`",
            );
            return None;
        }
        share
            .checked_mul(Decimal::ONE_HUNDRED)
            .map(|p| Percent(p.normalize()))
    }

    pub(super) fn rate(&mut self, token: tree::Rate) -> Option<Rate> {
        let text = self.text(token.0);
        let rate = self.value(token.0, literal::rate(text))?;
        if rate.per_ms > LONGEST {
            self.bad(token.0, format!("`{text}` counts over too long a time"), "");
            return None;
        }
        Some(Rate {
            count: rate.count,
            per: Millis(rate.per_ms),
        })
    }

    pub(super) fn multiple(&mut self, token: Multiple) -> Option<u64> {
        let text = self.text(token.0);
        self.value(token.0, literal::multiple(text))
    }

    pub(super) fn number(&mut self, token: Number) -> Option<Decimal> {
        let text = self.text(token.0);
        self.value(token.0, literal::decimal(text))
    }

    /// An amount in the policy's currency.
    pub(super) fn money(&mut self, money: Money) -> Option<Decimal> {
        let amount = self.number(money.amount);
        let written = self.text(money.currency.0);
        self.value(money.currency.0, literal::currency(written))?;
        if *written != *self.policy.currency && !self.currency_lost {
            let currency = self.policy.currency.clone();
            let message = format!("the policy counts money in {currency}, not in {written}");
            let help = format!("write the amount in `{currency}`");
            match self
                .policy
                .currency_span
                .or(self.policy.name.as_ref().map(|n| n.span))
            {
                Some(place) => {
                    let why = match self.policy.currency_span {
                        Some(_) => "its currency is set here".to_owned(),
                        None => format!("it sets no `currency`, so {currency} holds"),
                    };
                    self.bad_because(money.currency.0, message, &help, (place, why));
                }
                None => self.bad(money.currency.0, message, &help),
            }
            return None;
        }
        amount
    }

    pub(super) fn money_per(&mut self, money: MoneyRate) -> Option<Spanned<MoneyPer>> {
        let amount = self.money(money.money)?;
        Some(Spanned {
            span: money.money.amount.0.to(money.unit.span),
            value: MoneyPer {
                amount,
                unit: money.unit.value,
            },
        })
    }

    pub(super) fn env(&mut self, env: Env) -> Option<EnvVar> {
        let var = self.filled(env.var, "the variable's name")?;
        if var.text.contains(['=', '\0']) {
            let message = format!("no environment variable can be called `{}`", var.text);
            self.bad(var.span, message, "write its name without `=`");
            return None;
        }
        let default = match env.default {
            Some(default) => Some(self.string(default)?),
            None => None,
        };
        Some(EnvVar { var, default })
    }
}

/// What to write in place of a value that cannot be.
fn help(bad: &BadValue) -> &'static str {
    match bad {
        BadValue::TooLarge(..) => "write a smaller number",
        BadValue::Zero(..) => "write a number from 1 on",
        BadValue::TooPrecise(_) => "write at most 28 digits",
        BadValue::NoTime(_) => "write a time as in `02:00` or `23:30`",
        BadValue::EndOfDay => "write `00:00`",
        BadValue::NoMinute(_) => "write a minute as in `:15`",
        BadValue::NoDate(_) => "write a day that exists, as in `2027-01-31`",
        BadValue::UnitOrder(_) => "write the longest unit first, as in `1h30m`",
        BadValue::NoCharacter(_) => "write the number of a Unicode character, as in `\\u{e9}`",
        BadValue::NoCurrency(_) => "write an ISO 4217 code, as in `USD` or `EUR`",
        BadValue::ShortTime(..) => "write two digits on each side of the colon",
        BadValue::Malformed(_) => "",
    }
}
