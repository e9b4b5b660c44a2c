//! Help for typical slips: what to write instead, with a fix where that is plain.

use super::grammar::{Expected, Form};
use crate::finding::{Code, Edit, Finding, Grade};
use crate::syntax::scan::{Kind, Scan, Token};
use crate::terms::Unit;
use crate::text::nearest;

/// A sign that the language does not have.
pub(super) fn odd_sign(scan: &Scan<'_>, token: Token) -> Option<Finding> {
    let text = scan.str(token);
    let mut chars = text.chars();
    let (Some(sign), None) = (chars.next(), chars.next()) else {
        return None;
    };
    let span = scan.span(token.start, token.end);
    let replace = |message: String, help: &str, with: &str| {
        let edit = Edit {
            span,
            text: with.to_owned(),
        };
        let title = if with.trim().is_empty() {
            "remove it".to_owned()
        } else {
            format!("write `{with}`")
        };
        Finding::new(Code(1), span, message)
            .help(help)
            .fix(title, Grade::Safe, vec![edit])
    };
    Some(match sign {
        ';' => replace(
            "`;` has no meaning here".into(),
            "remove it: a clause ends where the next begins",
            "",
        ),
        '#' => replace("`#` begins no comment".into(), "write `//`", "//"),
        '-' => return dashed(scan, token),
        '\'' | '‘' | '’' | '“' | '”' => Finding::new(
            Code(1),
            span,
            format!("`{sign}` is no quotation mark of this language"),
        )
        .help("put strings into straight double quotes: `\"…\"`"),
        c if c.is_whitespace() || c.is_control() || is_invisible(c) => replace(
            format!("the character U+{:04X} separates nothing", c as u32),
            "put a plain space here: only space, tab and line end separate",
            " ",
        ),
        _ => return None,
    })
}

/// A name with a dash in it: `demo-requests`.
fn dashed(scan: &Scan<'_>, token: Token) -> Option<Finding> {
    let inside = |c: char| c == '_' || c == '-' || c.is_ascii_alphanumeric();
    let before = scan.text.get(scan.start..token.start)?;
    let after = scan.text.get(token.end..scan.end)?;
    let start = scan.start + before.trim_end_matches(inside).len();
    let end = token.end + (after.len() - after.trim_start_matches(inside).len());
    let name = scan.text.get(start..end)?;
    let is_name = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.ends_with(|c: char| c != '-')
        && start < token.start;
    if !is_name {
        return None;
    }
    let text = name.replace('-', "_");
    let message = format!("`{}` is no name: it holds `-`", super::report::short(name));
    let help = format!("write `{text}`, here and wherever it is named");
    let title = format!("write `{text}`");
    let edit = Edit {
        span: scan.span(start, end),
        text,
    };
    Some(
        Finding::new(Code(1), scan.span(token.start, token.end), message)
            .help(help)
            .fix(title, Grade::Safe, vec![edit]),
    )
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}'
    )
}

/// Where in a string (quotes included) its first bad escape lies.
pub(super) fn bad_escape(text: &str) -> Option<(usize, usize)> {
    let mut chars = text.char_indices().peekable();
    while let Some((start, c)) = chars.next() {
        if c != '\\' {
            continue;
        }
        let (at, escaped) = chars.next()?;
        let end = at + escaped.len_utf8();
        match escaped {
            '"' | '\\' | 'n' | 't' => {}
            'u' => {
                let rest = text.get(end..).unwrap_or_default();
                let digits = rest
                    .strip_prefix('{')
                    .and_then(|r| r.split_once('}'))
                    .map(|d| d.0);
                let good = digits.is_some_and(|d| {
                    (1..=6).contains(&d.len()) && d.bytes().all(|b| b.is_ascii_hexdigit())
                });
                if !good {
                    let len = digits.filter(|d| d.len() < 12).map_or(0, |d| d.len() + 2);
                    return Some((start, end + len));
                }
            }
            _ => return Some((start, end)),
        }
    }
    None
}

/// A better finding for a token that did not fit, where the slip is a known one.
pub(super) fn for_misfit(
    scan: &Scan<'_>,
    token: Token,
    expected: &[Expected],
    finding: &Finding,
) -> Option<Finding> {
    second_owner(scan, token, finding)
        .or_else(|| quoted_word(scan, token, expected, finding))
        .or_else(|| after_keyword(scan, token, expected, finding))
        .or_else(|| arrow(scan, token, expected, finding))
        .or_else(|| sign(scan, token, expected, finding))
        .or_else(|| expected.iter().find_map(|e| form(scan, token, e, finding)))
}

/// `owner crm, mailer`.
fn second_owner(scan: &Scan<'_>, token: Token, finding: &Finding) -> Option<Finding> {
    let before = scan.text.get(scan.start..token.start)?;
    let mut words = before.split_whitespace().rev().skip(1);
    (scan.str(token) == "," && words.next() == Some("owner")).then(|| {
        finding
            .clone()
            .help("a field has one `owner`; name the systems that may change it too in `accepts`")
    })
}

/// `mode "every 15m"`: words of the language in quotes.
fn quoted_word(
    scan: &Scan<'_>,
    token: Token,
    expected: &[Expected],
    finding: &Finding,
) -> Option<Finding> {
    if token.kind != Kind::Str {
        return None;
    }
    let text = scan.str(token).strip_prefix('"')?.strip_suffix('"')?;
    let first = text.split_whitespace().next()?;
    let fits = |e: &Expected| matches!(e, Expected::Closed(_, words) if words.contains(&first));
    let edit = Edit {
        span: scan.span(token.start, token.end),
        text: text.to_owned(),
    };
    expected.iter().any(fits).then(|| {
        finding
            .clone()
            .help(format!("write it without quotes: `{text}`"))
            .fix("remove the quotes", Grade::Safe, vec![edit])
    })
}

/// The word with what hangs on it by dashes: `real-time`.
pub(super) fn dashed_word(scan: &Scan<'_>, token: Token) -> usize {
    let inside = |c: char| c == '_' || c == '-' || c.is_ascii_alphanumeric();
    let after = scan.text.get(token.end..scan.end).unwrap_or_default();
    token.end + (after.len() - after.trim_start_matches(inside).len())
}

/// `connector: stripe`, as other languages write it.
fn after_keyword(
    scan: &Scan<'_>,
    token: Token,
    expected: &[Expected],
    finding: &Finding,
) -> Option<Finding> {
    let found = scan.str(token);
    let takes_sign = expected.iter().any(|e| matches!(e, Expected::Sign(_)));
    let line = scan.text.get(scan.start..token.start)?.lines().last()?;
    let keyword = line.trim();
    let alone = !keyword.is_empty()
        && keyword
            .bytes()
            .all(|b| b.is_ascii_alphabetic() || b == b'_');
    if !matches!(found, ":" | "=") || takes_sign || !alone {
        return None;
    }
    let edit = Edit {
        span: scan.span(token.start, token.end),
        text: String::new(),
    };
    let title = format!("remove the `{found}`");
    let help = format!("remove the `{found}`: what `{keyword}` says follows it after a blank");
    Some(
        finding
            .clone()
            .help(help)
            .fix(title, Grade::Safe, vec![edit]),
    )
}

/// `sync contact(name) crm -> mailer`, or without `from`.
fn arrow(
    scan: &Scan<'_>,
    token: Token,
    expected: &[Expected],
    finding: &Finding,
) -> Option<Finding> {
    let is_from = |e: &Expected| matches!(e, Expected::Keyword(word) if word == "from");
    if token.kind != Kind::Word || token.line_first || !expected.iter().any(is_from) {
        return None;
    }
    let source = scan.str(token);
    let after = scan.text.get(token.end..scan.end)?;
    let rest = after.trim_start_matches(' ');
    let sign = ["->", "=>", "→"].into_iter().find(|s| rest.starts_with(s));
    let (end, text) = match sign {
        Some(sign) => {
            let rest = rest.get(sign.len()..)?;
            let target = rest.trim_start_matches(' ');
            let end = scan.end - target.len();
            (end, format!("from {source} to "))
        }
        None if rest.starts_with("to ") => (token.end, format!("from {source}")),
        None => return None,
    };
    let help = "say where it starts and where it goes: `from … to …`";
    let title = format!("write `{}`", text.trim_end());
    let edit = Edit {
        span: scan.span(token.start, end),
        text,
    };
    Some(
        finding
            .clone()
            .help(help)
            .fix(title, Grade::Safe, vec![edit]),
    )
}

/// The one of `words` that a longer or shorter word stands for: `sunday`, `hr`.
pub(super) fn meant<'w>(text: &str, words: &[&'w str]) -> Option<&'w str> {
    let text = text.to_lowercase();
    let short = match text.as_str() {
        "sec" | "secs" | "s" => "second",
        "min" | "mins" => "minute",
        "hr" | "hrs" | "h" => "hour",
        "d" => "day",
        "string" | "str" | "varchar" | "char" => "text",
        "timestamp" => "datetime",
        "latest" | "last" => "newest",
        "first" => "oldest",
        _ => "",
    };
    let mut fits = words
        .iter()
        .filter(|w| **w == short || (w.len() >= 3 && text.starts_with(**w)));
    let first = fits.next()?;
    fits.next().is_none().then_some(*first)
}

/// A list that ends with a comma.
pub(super) fn trailing_comma(
    scan: &Scan<'_>,
    token: Token,
    expected: &[Expected],
    finding: &Finding,
) -> Option<Finding> {
    let listed = |e: &Expected| matches!(e, Expected::Form(..) | Expected::Closed(..));
    let before = scan.text.get(scan.start..token.start)?.trim_end();
    // What stands on behind the comma is a member, if one in the wrong form: `enum(a, "b")`.
    let ends = match token.kind {
        Kind::Sign => true,
        Kind::Word => token.line_first,
        _ => false,
    };
    if !ends || !expected.iter().all(listed) || !before.ends_with(',') {
        return None;
    }
    let comma = scan.start + before.len() - 1;
    let edit = Edit {
        span: scan.span(comma, comma + 1),
        text: String::new(),
    };
    Some(
        finding
            .clone()
            .help("a list ends without a comma: remove the `,` before this")
            .fix("remove the `,`", Grade::Safe, vec![edit]),
    )
}

/// One sign that is missing, or another in its place.
fn sign(
    scan: &Scan<'_>,
    token: Token,
    expected: &[Expected],
    finding: &Finding,
) -> Option<Finding> {
    let found = scan.str(token);
    if found == ","
        && let Some((start, end)) = grouped(scan, token)
    {
        let number = scan.text.get(start..end).unwrap_or_default();
        let text = number.replace(',', "_");
        let help = format!("group digits with `_`: write `{text}`");
        let span = scan.span(start, end);
        let edit = Edit { span, text };
        let title = "group digits with `_`";
        return Some(
            finding
                .clone()
                .help(help)
                .fix(title, Grade::Safe, vec![edit]),
        );
    }
    let sign = match expected {
        [Expected::Sign(sign)] => sign,
        [Expected::Keyword(word)] if word == "env" && token.kind == Kind::Str => {
            let name = found.trim_matches('"');
            let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            let var = if is_name && !name.is_empty() {
                name
            } else {
                "NAME"
            };
            let help = format!("say which variable of the environment holds it: `env(\"{var}\")`");
            return Some(finding.clone().help(help));
        }
        [Expected::Keyword(word)]
            if matches!(word.as_str(), "at" | "over") && token.kind == Kind::Number =>
        {
            let edit = Edit {
                span: scan.span(token.start, token.start),
                text: format!("{word} "),
            };
            let help = format!("write `{word}` before it: `{word} {found}`");
            let title = format!("write `{word}`");
            return Some(
                finding
                    .clone()
                    .help(help)
                    .fix(title, Grade::Safe, vec![edit]),
            );
        }
        [Expected::Keyword(word)] if word == "else" => {
            let help = "say what becomes of a record that fails: `else quarantine` keeps it back, \
                        `else abort` ends the run";
            return Some(finding.clone().help(help));
        }
        _ => return None,
    };
    let before = scan.text.get(..token.start).unwrap_or_default().trim_end();
    if *sign == ")" && found == "," && before.ends_with('*') {
        let help = "`*` stands alone: it already means every field";
        return Some(finding.clone().help(help));
    }
    if *sign == "{" && token.line_first {
        let help = "open the block with `{` at the end of the line above";
        return Some(finding.clone().help(help));
    }
    let in_sync = || {
        let line = before.lines().last().unwrap_or_default();
        line.trim_start().starts_with("sync ")
    };
    if *sign == "(" && (matches!(found, "from" | "between") || in_sync()) {
        let help = "say which fields travel: `(first_name, last_name)`, or `(*)` for all";
        return Some(finding.clone().help(help));
    }
    if *sign == "/" && (token.line_first || found == "}") {
        let help = "say per what, as in `2 USD/hour`";
        return Some(finding.clone().help(help));
    }
    if let ("..", "to" | "until") = (*sign, found) {
        let next = scan.token(token.end).map_or(token.end, |t| t.start);
        let edit = Edit {
            span: scan.span(before.len(), next),
            text: "..".to_owned(),
        };
        let help = "write `..` between the two, without blanks";
        return Some(
            finding
                .clone()
                .help(help)
                .fix("write `..`", Grade::Safe, vec![edit]),
        );
    }
    let (span, text) = match (*sign, found) {
        ("=", ":" | "==") | (":", "=") | ("..", "-") | ("<=", "<") => {
            (scan.span(token.start, token.end), (*sign).to_owned())
        }
        ("/", "per") => {
            let next = scan.token(token.end).map_or(token.end, |t| t.start);
            (scan.span(token.start, next), "/".to_owned())
        }
        ("=" | ":", _) if matches!(token.kind, Kind::Word | Kind::Str) && !token.line_first => {
            (scan.span(token.start, token.start), format!("{sign} "))
        }
        _ => return None,
    };
    let help = format!("write `{sign}` here");
    let edit = Edit { span, text };
    Some(
        finding
            .clone()
            .help(help)
            .fix(format!("write `{sign}`"), Grade::Safe, vec![edit]),
    )
}

/// The number whose digits commas group, where this one stands between two groups: `250,000`.
fn grouped(scan: &Scan<'_>, comma: Token) -> Option<(usize, usize)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let before = scan.text.get(..comma.start)?;
    let lead = before.bytes().rev().take_while(u8::is_ascii_digit).count();
    let mut end = comma.start;
    while scan.text.get(end..end + 1) == Some(",") && digits(scan.text.get(end + 1..)?) == 3 {
        end += 4;
    }
    (lead > 0 && lead <= 3 && end > comma.start).then(|| (comma.start - lead, end))
}

/// A token of another form than the one that had to come.
fn form(scan: &Scan<'_>, token: Token, expected: &Expected, finding: &Finding) -> Option<Finding> {
    let Expected::Form(form, _) = expected else {
        return None;
    };
    let text = scan.str(token);
    let digits: String = text
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '_')
        .collect();
    let rest = text.get(digits.len()..).unwrap_or_default();
    let write = |new: String, end: usize, grade: Grade| {
        let edit = Edit {
            span: scan.span(token.start, end),
            text: new.clone(),
        };
        let help = format!("write `{new}`");
        Some(
            finding
                .clone()
                .help(help.clone())
                .fix(help, grade, vec![edit]),
        )
    };
    let help = |text: &str| Some(finding.clone().help(text));
    let next = scan.token(token.end).filter(|t| !t.line_first);
    let follower = next.map(|t| scan.str(t)).unwrap_or_default();
    let numeric = token.kind == Kind::Number;
    match form {
        Form::Duration if numeric && rest.starts_with('.') => match whole_duration(text) {
            Some(new) => write(new, token.end, Grade::Safe),
            None => help("write a whole number and a unit, as in `90s`, `15m` or `1h30m`"),
        },
        Form::Duration if duration_unit(text).is_some() => {
            let unit = duration_unit(text).unwrap_or_default();
            write(format!("1{unit}"), token.end, Grade::Safe)
        }
        Form::Duration if numeric => {
            let (unit, end) = match (rest.is_empty(), next) {
                (true, Some(next)) => (follower, next.end),
                _ => (rest, token.end),
            };
            match duration_unit(unit) {
                Some(unit) => write(format!("{digits}{unit}"), end, Grade::Safe),
                None => help(&format!(
                    "give it a unit: `{digits}s`, `{digits}m`, `{digits}h` or `{digits}d`"
                )),
            }
        }
        Form::Percent if numeric && follower == "%" => write(
            format!("{text}%"),
            next.map_or(token.end, |t| t.end),
            Grade::Safe,
        ),
        Form::Percent if numeric => write(format!("{text}%"), token.end, Grade::Review),
        Form::Rate if numeric => rate(scan, token, finding, &digits, rest),
        Form::Multiple if numeric && rest.is_empty() => {
            write(format!("{digits}x"), token.end, Grade::Safe)
        }
        Form::Minute if numeric && rest.is_empty() && digits.len() <= 2 => {
            write(format!(":{digits:0>2}"), token.end, Grade::Safe)
        }
        Form::Time if numeric && twelve_hours(text, follower).is_some() => {
            let (time, joined) = twelve_hours(text, follower)?;
            let end = next.filter(|_| !joined).map_or(token.end, |t| t.end);
            write(time, end, Grade::Safe)
        }
        Form::Time if numeric && rest.is_empty() && digits.len() <= 2 => {
            write(format!("{digits:0>2}:00"), token.end, Grade::Review)
        }
        Form::Time if numeric && text.matches('-').count() == 1 && text.contains(':') => {
            write(text.replace('-', ".."), token.end, Grade::Safe)
        }
        Form::Integer if numeric && rest.eq_ignore_ascii_case("k") => {
            write(format!("{digits}_000"), token.end, Grade::Safe)
        }
        Form::Integer if numeric && text.matches('-').count() == 1 => {
            write(text.replace('-', ".."), token.end, Grade::Safe)
        }
        Form::Number if numeric && rest.get(..3).is_some_and(is_currency) => {
            write(format!("{digits} {rest}"), token.end, Grade::Safe)
        }
        Form::Number if text == "$" || text == "€" => {
            help("write the amount, then the currency: `40 USD`")
        }
        Form::Currency if text.len() == 3 && text.bytes().all(|b| b.is_ascii_lowercase()) => {
            write(text.to_uppercase(), token.end, Grade::Safe)
        }
        Form::Currency if token.kind == Kind::Word => {
            help("write the three capitals of ISO 4217, as in `USD` or `EUR`")
        }
        Form::Str if numeric => help("put it into double quotes: `\"…\"`"),
        Form::Str if token.kind == Kind::Word => {
            let end = run_end(scan, token);
            let all = scan.text.get(token.start..end).unwrap_or(text);
            write(format!("\"{all}\""), end, Grade::Safe)
        }
        Form::Name if token.kind == Kind::Str => {
            let name = text.trim_matches('"');
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            match plain && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                true => write(name.to_owned(), token.end, Grade::Safe),
                false => help("names stand without quotes and are made of letters, digits and `_`"),
            }
        }
        Form::Expr if matches!(token.kind, Kind::Word | Kind::Str) => {
            help("put the expression into backticks: `` `…` ``")
        }
        _ => None,
    }
}

fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// `0.5h` as `30m`: in the next smaller unit, where it is a whole number of that.
fn whole_duration(text: &str) -> Option<String> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (smaller, times) = match duration_unit(text.get(number.len()..)?)? {
        "d" => ("h", 24),
        "h" => ("m", 60),
        "m" => ("s", 60),
        "s" => ("ms", 1_000),
        _ => return None,
    };
    let (whole, part) = number.split_once('.')?;
    let tenths = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    let all = whole
        .parse::<u64>()
        .ok()?
        .checked_mul(tenths)?
        .checked_add(part.parse().ok()?)?
        .checked_mul(times)?;
    (all > 0 && all % tenths == 0).then(|| format!("{}{smaller}", all / tenths))
}

/// `1:30am` or `2 pm` by the clock of 24 hours, and whether `am` or `pm` stood in the same word.
fn twelve_hours(text: &str, follower: &str) -> Option<(String, bool)> {
    let text = text.to_ascii_lowercase();
    let own = ["am", "pm"].into_iter().find(|h| text.ends_with(h));
    let joined = own.is_some();
    let half = match own {
        Some(half) => half.to_owned(),
        None => follower.to_ascii_lowercase(),
    };
    let time = text.strip_suffix(&half).unwrap_or(&text);
    let (hour, minute) = time.split_once(':').unwrap_or((time, "00"));
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    if !(1..=12).contains(&hour) || minute > 59 {
        return None;
    }
    let hour = match half.as_str() {
        "am" => hour % 12,
        "pm" => hour % 12 + 12,
        _ => return None,
    };
    Some((format!("{hour:02}:{minute:02}"), joined))
}

/// The end of all that hangs on a token: `America/New_York`.
fn run_end(scan: &Scan<'_>, token: Token) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '"' | '`' | ',' | ';' | ')');
    let rest = scan.text.get(token.end..scan.end).unwrap_or_default();
    token.end + rest.find(ends).unwrap_or(rest.len())
}

/// A rate with a wrong unit or in several words.
fn rate(
    scan: &Scan<'_>,
    token: Token,
    finding: &Finding,
    digits: &str,
    rest: &str,
) -> Option<Finding> {
    if let Some(unit) = rest.strip_prefix('/') {
        let start = token.end - unit.len();
        let span = scan.span(start, token.end);
        let words = Unit::ALL.iter().map(|u| u.word());
        let found = Finding::new(Code(1), span, format!("`{unit}` is no unit of a rate"));
        return Some(match nearest(unit, words) {
            Some(near) => found.help(format!("did you mean `{digits}/{near}`?")).fix(
                format!("write `{near}`"),
                Grade::Safe,
                vec![Edit {
                    span,
                    text: near.to_owned(),
                }],
            ),
            None => {
                found.help("write second, minute, hour, day, week, month or a duration: `100/10s`")
            }
        });
    }
    let slash = scan
        .token(token.end)
        .filter(|t| matches!(scan.str(*t), "/" | "per"));
    let unit = slash
        .and_then(|s| scan.token(s.end))
        .filter(|t| t.kind != Kind::Sign);
    if let (true, Some(unit)) = (rest.is_empty(), unit) {
        let new = format!("{digits}/{}", scan.str(unit));
        let edit = Edit {
            span: scan.span(token.start, unit.end),
            text: new.clone(),
        };
        let help = format!("write it without spaces: `{new}`");
        return Some(finding.clone().help(help).fix(
            format!("write `{new}`"),
            Grade::Safe,
            vec![edit],
        ));
    }
    Some(
        finding
            .clone()
            .help(format!("say per what: `{digits}/day`")),
    )
}

/// The unit of a duration that a longer word means.
fn duration_unit(word: &str) -> Option<&'static str> {
    Some(match word.to_lowercase().as_str() {
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => "ms",
        "s" | "sec" | "secs" | "second" | "seconds" => "s",
        "m" | "min" | "mins" | "minute" | "minutes" => "m",
        "h" | "hr" | "hrs" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        _ => return None,
    })
}
