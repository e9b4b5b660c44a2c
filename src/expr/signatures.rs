//! The standard functions (and the crate's string extension) with what they take and give.

use super::Kind;

/// A shape of argument.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arg {
    Any,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Time,
    Duration,
    List,
    Map,
}

impl Arg {
    fn takes(self, kind: &Kind) -> bool {
        matches!(
            (self, kind),
            (Arg::Any, _)
                | (_, Kind::Any)
                | (Arg::Bool, Kind::Bool)
                | (Arg::Int, Kind::Int)
                | (Arg::Uint, Kind::Uint)
                | (Arg::Double, Kind::Double)
                | (Arg::Text, Kind::Text)
                | (Arg::Bytes, Kind::Bytes)
                | (Arg::Time, Kind::Time)
                | (Arg::Duration, Kind::Duration)
                | (Arg::List, Kind::List(_))
                | (Arg::Map, Kind::Map)
        )
    }
}

/// One overload: name, whether it is called on a value, arguments (that value first), result.
struct Overload(&'static str, bool, &'static [Arg], Kind);

use Arg::{Any, Bool, Bytes, Double, Duration, Int, List, Map, Text, Time, Uint};

const GLOBAL: bool = false;
const MEMBER: bool = true;

#[rustfmt::skip]
const OVERLOADS: &[Overload] = &[
    Overload("size", GLOBAL, &[Text], Kind::Int), Overload("size", MEMBER, &[Text], Kind::Int),
    Overload("size", GLOBAL, &[Bytes], Kind::Int), Overload("size", MEMBER, &[Bytes], Kind::Int),
    Overload("size", GLOBAL, &[List], Kind::Int), Overload("size", MEMBER, &[List], Kind::Int),
    Overload("size", GLOBAL, &[Map], Kind::Int), Overload("size", MEMBER, &[Map], Kind::Int),
    Overload("string", GLOBAL, &[Text], Kind::Text), Overload("string", GLOBAL, &[Bool], Kind::Text),
    Overload("string", GLOBAL, &[Int], Kind::Text), Overload("string", GLOBAL, &[Uint], Kind::Text),
    Overload("string", GLOBAL, &[Double], Kind::Text), Overload("string", GLOBAL, &[Bytes], Kind::Text),
    Overload("string", GLOBAL, &[Time], Kind::Text), Overload("string", GLOBAL, &[Duration], Kind::Text),
    Overload("int", GLOBAL, &[Int], Kind::Int), Overload("int", GLOBAL, &[Uint], Kind::Int),
    Overload("int", GLOBAL, &[Double], Kind::Int), Overload("int", GLOBAL, &[Text], Kind::Int),
    Overload("int", GLOBAL, &[Time], Kind::Int),
    Overload("uint", GLOBAL, &[Int], Kind::Uint), Overload("uint", GLOBAL, &[Uint], Kind::Uint),
    Overload("uint", GLOBAL, &[Double], Kind::Uint), Overload("uint", GLOBAL, &[Text], Kind::Uint),
    Overload("double", GLOBAL, &[Int], Kind::Double), Overload("double", GLOBAL, &[Uint], Kind::Double),
    Overload("double", GLOBAL, &[Double], Kind::Double), Overload("double", GLOBAL, &[Text], Kind::Double),
    Overload("bytes", GLOBAL, &[Text], Kind::Bytes), Overload("bytes", GLOBAL, &[Bytes], Kind::Bytes),
    Overload("bool", GLOBAL, &[Bool], Kind::Bool), Overload("bool", GLOBAL, &[Text], Kind::Bool),
    Overload("timestamp", GLOBAL, &[Text], Kind::Time), Overload("timestamp", GLOBAL, &[Time], Kind::Time),
    Overload("timestamp", GLOBAL, &[Int], Kind::Time),
    Overload("duration", GLOBAL, &[Text], Kind::Duration),
    Overload("duration", GLOBAL, &[Duration], Kind::Duration),
    Overload("type", GLOBAL, &[Any], Kind::Type), Overload("dyn", GLOBAL, &[Any], Kind::Any),
    Overload("matches", GLOBAL, &[Text, Text], Kind::Bool), Overload("matches", MEMBER, &[Text, Text], Kind::Bool),
    Overload("contains", MEMBER, &[Text, Text], Kind::Bool),
    Overload("startsWith", MEMBER, &[Text, Text], Kind::Bool),
    Overload("endsWith", MEMBER, &[Text, Text], Kind::Bool),
    Overload("getFullYear", MEMBER, &[Time], Kind::Int), Overload("getFullYear", MEMBER, &[Time, Text], Kind::Int),
    Overload("getMonth", MEMBER, &[Time], Kind::Int), Overload("getMonth", MEMBER, &[Time, Text], Kind::Int),
    Overload("getDate", MEMBER, &[Time], Kind::Int), Overload("getDate", MEMBER, &[Time, Text], Kind::Int),
    Overload("getDayOfMonth", MEMBER, &[Time], Kind::Int), Overload("getDayOfMonth", MEMBER, &[Time, Text], Kind::Int),
    Overload("getDayOfWeek", MEMBER, &[Time], Kind::Int), Overload("getDayOfWeek", MEMBER, &[Time, Text], Kind::Int),
    Overload("getDayOfYear", MEMBER, &[Time], Kind::Int), Overload("getDayOfYear", MEMBER, &[Time, Text], Kind::Int),
    Overload("getHours", MEMBER, &[Time], Kind::Int), Overload("getHours", MEMBER, &[Time, Text], Kind::Int),
    Overload("getMinutes", MEMBER, &[Time], Kind::Int), Overload("getMinutes", MEMBER, &[Time, Text], Kind::Int),
    Overload("getSeconds", MEMBER, &[Time], Kind::Int), Overload("getSeconds", MEMBER, &[Time, Text], Kind::Int),
    Overload("getMilliseconds", MEMBER, &[Time], Kind::Int),
    Overload("getMilliseconds", MEMBER, &[Time, Text], Kind::Int),
    Overload("getHours", MEMBER, &[Duration], Kind::Int), Overload("getMinutes", MEMBER, &[Duration], Kind::Int),
    Overload("getSeconds", MEMBER, &[Duration], Kind::Int), Overload("getMilliseconds", MEMBER, &[Duration], Kind::Int),
    Overload("charAt", MEMBER, &[Text, Int], Kind::Text),
    Overload("indexOf", MEMBER, &[Text, Text], Kind::Int), Overload("indexOf", MEMBER, &[Text, Text, Int], Kind::Int),
    Overload("lastIndexOf", MEMBER, &[Text, Text], Kind::Int),
    Overload("lastIndexOf", MEMBER, &[Text, Text, Int], Kind::Int),
    Overload("join", MEMBER, &[List], Kind::Text), Overload("join", MEMBER, &[List, Text], Kind::Text),
    Overload("lowerAscii", MEMBER, &[Text], Kind::Text), Overload("upperAscii", MEMBER, &[Text], Kind::Text),
    Overload("trim", MEMBER, &[Text], Kind::Text), Overload("reverse", MEMBER, &[Text], Kind::Text),
    Overload("replace", MEMBER, &[Text, Text, Text], Kind::Text),
    Overload("replace", MEMBER, &[Text, Text, Text, Int], Kind::Text),
    // `split` gives a list of strings; see `result`.
    Overload("split", MEMBER, &[Text, Text], Kind::Null), Overload("split", MEMBER, &[Text, Text, Int], Kind::Null),
    Overload("substring", MEMBER, &[Text, Int], Kind::Text), Overload("substring", MEMBER, &[Text, Int, Int], Kind::Text),
    Overload("format", MEMBER, &[Text, List], Kind::Text),
    Overload("strings.quote", GLOBAL, &[Text], Kind::Text),
];

/// What came of looking for an overload.
pub(super) enum Found {
    /// It gives this.
    Gives(Kind),
    /// There is no function of that name, called that way.
    NoFunction,
    /// There is one, but none for these arguments.
    NoOverload,
}

/// Looks a call up; `args` holds the value it is called on first, where it is called on one.
pub(super) fn find(name: &str, member: bool, args: &[Kind]) -> Found {
    let mut known = false;
    let mut gives: Option<Kind> = None;
    for Overload(n, m, takes, result) in OVERLOADS {
        if *n != name || *m != member {
            continue;
        }
        known = true;
        let fits = takes.len() == args.len() && takes.iter().zip(args).all(|(t, a)| t.takes(a));
        if !fits {
            continue;
        }
        let result = match (name, result) {
            ("split", _) => Kind::List(Box::new(Kind::Text)),
            (_, result) => result.clone(),
        };
        // Where what goes in is not known, several overloads fit and may disagree.
        match &gives {
            Some(other) if *other != result => return Found::Gives(Kind::Any),
            _ => gives = Some(result),
        }
    }
    match gives {
        Some(kind) => Found::Gives(kind),
        None if known => Found::NoOverload,
        None => Found::NoFunction,
    }
}

/// Every function's name that can be called that way.
pub(super) fn names(member: bool) -> impl Iterator<Item = &'static str> {
    OVERLOADS.iter().filter(move |o| o.1 == member).map(|o| o.0)
}

/// Whether a function of that name can be called the other way.
pub(super) fn exists(name: &str, member: bool) -> bool {
    names(member).any(|n| n == name)
}
