//! Reads the values of tokens. The grammar has settled their form; what it cannot see, a number
//! out of range, is a [`BadValue`] here and an SL0007 wherever the value is used.

use crate::terms::Unit;
use rust_decimal::Decimal;
use std::borrow::Cow;

/// A token whose form is right and whose value is not. Its text is the message of an SL0007.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// Larger than any value of its kind.
    #[error("`{0}` is too large: at most {1}")]
    TooLarge(String, &'static str),
    /// Zero where that means nothing.
    #[error("`{0}` is zero, which {1}")]
    Zero(String, &'static str),
    /// More digits than are kept.
    #[error("`{0}` has more digits than the 28 that are kept")]
    TooPrecise(String),
    /// Hours or minutes that no clock shows.
    #[error("`{0}` is no time of day: they run from `00:00` to `23:59`")]
    NoTime(String),
    /// `24:00` where a day cannot end.
    #[error("`24:00` is only the end of a window; write `00:00`")]
    EndOfDay,
    /// A time or minute with too few digits.
    #[error("`{0}` lacks a digit; write `{1}`")]
    ShortTime(String, String),
    /// A minute that no hour has.
    #[error("`{0}` is no minute of an hour: they run from `:00` to `:59`")]
    NoMinute(String),
    /// A day that no calendar has.
    #[error("`{0}` is no day of the calendar")]
    NoDate(String),
    /// Units out of order or twice.
    #[error("the units of `{0}` do not go from the longest to the shortest, each once")]
    UnitOrder(String),
    /// An escape of no character.
    #[error("`{0}` is no character of Unicode")]
    NoCharacter(String),
    /// Three capitals that are no currency.
    #[error("`{0}` is no ISO 4217 currency")]
    NoCurrency(String),
    /// The token is not of the form that was read for it.
    #[error("`{0}` cannot be read here")]
    Malformed(String),
}

/// A number of things in a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateValue {
    /// How many.
    pub count: u64,
    /// In how long, in milliseconds; at least 1.
    pub per_ms: u64,
}

fn malformed(token: &str) -> BadValue {
    BadValue::Malformed(token.to_owned())
}

/// The text of a string token (its quotes included in `token`), escapes resolved; borrowed where
/// there are none.
pub fn string(token: &str) -> Result<Cow<'_, str>, BadValue> {
    let inner = token
        .strip_prefix('"')
        .and_then(|t| t.strip_suffix('"'))
        .ok_or_else(|| malformed(token))?;
    if !inner.contains('\\') {
        return Ok(Cow::Borrowed(inner));
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let mut chars = after.chars();
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some(c @ ('"' | '\\')) => out.push(c),
            Some('u') => {
                let (digits, tail) = chars
                    .as_str()
                    .strip_prefix('{')
                    .and_then(|t| t.split_once('}'))
                    .ok_or_else(|| malformed(token))?;
                let escape = || format!("\\u{{{digits}}}");
                let code = u32::from_str_radix(digits, 16).map_err(|_| malformed(&escape()))?;
                out.push(char::from_u32(code).ok_or_else(|| BadValue::NoCharacter(escape()))?);
                rest = tail;
                continue;
            }
            _ => return Err(malformed(token)),
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// The CEL text between the backticks of an expression token. It begins one byte after the token.
pub fn expression(token: &str) -> &str {
    let inner = token.strip_prefix('`').unwrap_or(token);
    inner.strip_suffix('`').unwrap_or(inner)
}

/// A whole number from 0 on.
pub fn unsigned(token: &str) -> Result<u64, BadValue> {
    let mut value = 0_u64;
    for digit in token.bytes().filter(|b| *b != b'_') {
        if !digit.is_ascii_digit() {
            return Err(malformed(token));
        }
        value = value
            .checked_mul(10)
            .and_then(|v| v.checked_add(u64::from(digit - b'0')))
            .ok_or_else(|| BadValue::TooLarge(token.to_owned(), "18_446_744_073_709_551_615"))?;
    }
    Ok(value)
}

/// A whole number that may be negative.
pub fn integer(token: &str) -> Result<i64, BadValue> {
    let large = || BadValue::TooLarge(token.to_owned(), "9_223_372_036_854_775_807");
    match token.strip_prefix('-') {
        Some(digits) => 0_i64
            .checked_sub_unsigned(unsigned(digits)?)
            .ok_or_else(large),
        None => i64::try_from(unsigned(token)?).map_err(|_| large()),
    }
}

/// A number with or without a fraction, kept exactly.
pub fn decimal(token: &str) -> Result<Decimal, BadValue> {
    let digits: Cow<'_, str> = match token.contains('_') {
        true => token.replace('_', "").into(),
        false => token.into(),
    };
    let plain = digits.strip_prefix('-').unwrap_or(&digits);
    if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(malformed(token));
    }
    Decimal::from_str_exact(&digits).map_err(|_| {
        if plain.split('.').next().unwrap_or_default().len() > 28 {
            BadValue::TooLarge(token.to_owned(), "28 digits")
        } else {
            BadValue::TooPrecise(token.to_owned())
        }
    })
}

/// A percentage as a fraction of one: `40%` is 0.4. Values over 100 % are for the caller to judge.
pub fn percent(token: &str) -> Result<Decimal, BadValue> {
    let number = token.strip_suffix('%').ok_or_else(|| malformed(token))?;
    decimal(number)?
        .checked_div(Decimal::ONE_HUNDRED)
        .map(|share| share.normalize())
        .ok_or_else(|| BadValue::TooPrecise(token.to_owned()))
}

/// The units of a duration from the longest to the shortest, in milliseconds.
const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A duration in milliseconds: `1h30m` is 5,400,000.
pub fn duration_ms(token: &str) -> Result<u64, BadValue> {
    let large = || BadValue::TooLarge(token.to_owned(), "18_446_744_073_709_551_615ms");
    let mut rest = token;
    let mut total = 0_u64;
    let mut allowed = DURATION_UNITS.as_slice();
    while !rest.is_empty() {
        let (digits, tail) = split_while(rest, |b| b.is_ascii_digit() || b == b'_');
        let (unit, tail) = split_while(tail, |b| b.is_ascii_alphabetic());
        let known = |list: &[(&str, u64)]| list.iter().position(|(name, _)| *name == unit);
        let Some(at) = known(allowed) else {
            return Err(match known(&DURATION_UNITS) {
                Some(_) => BadValue::UnitOrder(token.to_owned()),
                None => malformed(token),
            });
        };
        let length = allowed.get(at).map_or(0, |(_, ms)| *ms);
        allowed = allowed.get(at + 1..).unwrap_or_default();
        let count = unsigned(digits).map_err(|_| large())?;
        total = count
            .checked_mul(length)
            .and_then(|ms| total.checked_add(ms))
            .ok_or_else(large)?;
        rest = tail;
    }
    Ok(total)
}

fn split_while(text: &str, fits: impl Fn(u8) -> bool) -> (&str, &str) {
    let len = text.bytes().take_while(|b| fits(*b)).count();
    text.split_at_checked(len).unwrap_or((text, ""))
}

/// A time of day in minutes after midnight, 0 to 1439.
pub fn time_of_day(token: &str) -> Result<u16, BadValue> {
    match end_of_window(token)? {
        1_440 => Err(BadValue::EndOfDay),
        minutes => Ok(minutes),
    }
}

/// The end of a window in minutes after midnight, 0 to 1440: `24:00` is legal here.
pub fn end_of_window(token: &str) -> Result<u16, BadValue> {
    let (hours, minutes) = token.split_once(':').ok_or_else(|| malformed(token))?;
    if hours.len() == 1 {
        return Err(BadValue::ShortTime(token.to_owned(), format!("0{token}")));
    }
    let read = |digits: &str| digits.parse::<u16>().map_err(|_| malformed(token));
    match (read(hours)?, read(minutes)?) {
        (hours @ 0..=23, minutes @ 0..=59) => Ok(hours * 60 + minutes),
        (24, 0) => Ok(1_440),
        _ => Err(BadValue::NoTime(token.to_owned())),
    }
}

/// A minute of the hour, 0 to 59.
pub fn minute(token: &str) -> Result<u8, BadValue> {
    let digits = token.strip_prefix(':').ok_or_else(|| malformed(token))?;
    if digits.len() == 1 {
        return Err(BadValue::ShortTime(token.to_owned(), format!(":0{digits}")));
    }
    match digits.parse() {
        Ok(minute @ 0..=59) => Ok(minute),
        _ => Err(BadValue::NoMinute(token.to_owned())),
    }
}

/// A day of the calendar.
pub fn date(token: &str) -> Result<chrono::NaiveDate, BadValue> {
    let mut parts = token.split('-').map(|p| p.parse::<u32>().ok());
    let mut next = || parts.next().flatten().ok_or_else(|| malformed(token));
    let (year, month, day) = (next()?, next()?, next()?);
    i32::try_from(year)
        .ok()
        .and_then(|year| chrono::NaiveDate::from_ymd_opt(year, month, day))
        .ok_or_else(|| BadValue::NoDate(token.to_owned()))
}

/// A rate: `300/day`, `100/10s`.
pub fn rate(token: &str) -> Result<RateValue, BadValue> {
    let (count, per) = token.split_once('/').ok_or_else(|| malformed(token))?;
    let per_ms = match Unit::from_word(per) {
        Some(unit) => unit.seconds().saturating_mul(1_000),
        None => duration_ms(per)?,
    };
    if per_ms == 0 {
        return Err(BadValue::Zero(
            per.to_owned(),
            "is no length of time to count in",
        ));
    }
    Ok(RateValue {
        count: unsigned(count)?,
        per_ms,
    })
}

/// A multiple: `8x` is 8; at least 1.
pub fn multiple(token: &str) -> Result<u64, BadValue> {
    let digits = token.strip_suffix('x').ok_or_else(|| malformed(token))?;
    match unsigned(digits)? {
        0 => Err(BadValue::Zero(token.to_owned(), "no peak can be")),
        n => Ok(n),
    }
}

/// A currency of ISO 4217.
pub fn currency(token: &str) -> Result<iso_currency::Currency, BadValue> {
    iso_currency::Currency::from_code(token).ok_or_else(|| BadValue::NoCurrency(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_resolve_their_escapes() {
        assert!(matches!(string("\"plain\""), Ok(Cow::Borrowed("plain"))));
        assert_eq!(
            string(r#""a\"b\\n\n\t\u{1F600}""#).unwrap(),
            "a\"b\\n\n\t😀"
        );
        let surrogate = string(r#""\u{d800}""#).unwrap_err().to_string();
        assert_eq!(surrogate, "`\\u{d800}` is no character of Unicode");
    }

    #[test]
    fn whole_numbers_have_ends() {
        assert_eq!(unsigned("250_000"), Ok(250_000));
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        assert!(matches!(
            integer("9223372036854775808"),
            Err(BadValue::TooLarge(..))
        ));
        assert!(matches!(
            unsigned("18446744073709551616"),
            Err(BadValue::TooLarge(..))
        ));
    }

    #[test]
    fn decimals_and_percentages_are_exact() {
        assert_eq!(decimal("1_000.25").unwrap().to_string(), "1000.25");
        assert_eq!(percent("0.5%").unwrap().to_string(), "0.005");
        assert_eq!(percent("250%").unwrap().to_string(), "2.5");
        assert!(decimal(&"9".repeat(40)).is_err());
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(duration_ms("1h30m"), Ok(5_400_000));
        assert_eq!(duration_ms("500ms"), Ok(500));
        assert_eq!(duration_ms("1d1h1m1s1ms"), Ok(90_061_001));
        assert!(matches!(duration_ms("30m1h"), Err(BadValue::UnitOrder(_))));
        assert!(matches!(duration_ms("1h1h"), Err(BadValue::UnitOrder(_))));
        assert!(matches!(
            duration_ms("99999999999999999d"),
            Err(BadValue::TooLarge(..))
        ));
    }

    #[test]
    fn clock_and_calendar() {
        assert_eq!(time_of_day("23:30"), Ok(1_410));
        assert_eq!(time_of_day("24:00"), Err(BadValue::EndOfDay));
        assert_eq!(end_of_window("24:00"), Ok(1_440));
        assert!(matches!(end_of_window("24:01"), Err(BadValue::NoTime(_))));
        assert!(matches!(time_of_day("99:99"), Err(BadValue::NoTime(_))));
        assert!(matches!(time_of_day("2:00"), Err(BadValue::ShortTime(..))));
        assert_eq!(minute(":15"), Ok(15));
        assert!(minute(":60").is_err());
        assert_eq!(date("2028-02-29").unwrap().to_string(), "2028-02-29");
        assert!(matches!(date("2027-02-29"), Err(BadValue::NoDate(_))));
        assert!(matches!(date("2027-13-01"), Err(BadValue::NoDate(_))));
    }

    #[test]
    fn rates_multiples_currencies() {
        let day = RateValue {
            count: 300,
            per_ms: 86_400_000,
        };
        assert_eq!(rate("300/day"), Ok(day));
        assert_eq!(
            rate("100/10s"),
            Ok(RateValue {
                count: 100,
                per_ms: 10_000
            })
        );
        assert_eq!(rate("1/month").unwrap().per_ms, 2_592_000_000);
        assert!(matches!(rate("1/0s"), Err(BadValue::Zero(..))));
        assert_eq!(multiple("8x"), Ok(8));
        assert!(multiple("0x").is_err());
        assert_eq!(currency("EUR"), Ok(iso_currency::Currency::EUR));
        assert!(currency("XQZ").is_err());
    }

    #[test]
    fn nothing_panics_on_tokens_of_another_kind() {
        for token in [
            "", "\"", "`", "_", "é", "-", "1/", "/", "%", "x", ":", "1e9", "\"\\", "--1",
        ] {
            let _ = (
                string(token),
                expression(token),
                unsigned(token),
                integer(token),
            );
            let _ = (
                decimal(token),
                percent(token),
                duration_ms(token),
                time_of_day(token),
            );
            let _ = (
                minute(token),
                date(token),
                rate(token),
                multiple(token),
                currency(token),
            );
        }
    }
}
