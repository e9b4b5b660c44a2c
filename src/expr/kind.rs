//! What an expression's value is, as far as it can be told before it runs.

use crate::value::Type;

/// The kind of a CEL value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It cannot be told.
    Any,
    /// The literal `null`.
    Null,
    /// True or false.
    Bool,
    /// A whole number.
    Int,
    /// A whole number without sign.
    Uint,
    /// A floating-point number; what a decimal field is in an expression.
    Double,
    /// Text; what text, e-mail, phone, URL and enum fields are in an expression.
    Text,
    /// Bytes.
    Bytes,
    /// An instant; what date and datetime fields are in an expression.
    Time,
    /// A length of time.
    Duration,
    /// A list; what a set field is in an expression.
    List(Box<Kind>),
    /// A map.
    Map,
    /// A type, as `type(x)` gives.
    Type,
}

impl Kind {
    /// What a field of a type is in an expression.
    pub fn of(ty: &Type) -> Kind {
        match ty {
            Type::Bool => Kind::Bool,
            Type::Int { .. } => Kind::Int,
            Type::Decimal { .. } => Kind::Double,
            Type::Text { .. } | Type::Email | Type::Phone | Type::Url | Type::Enum { .. } => {
                Kind::Text
            }
            Type::Date | Type::Datetime => Kind::Time,
            Type::Json => Kind::Any,
            Type::Set { of } => Kind::List(Box::new(Kind::of(of))),
        }
    }

    /// Whether a value of this kind can become a field of a type. Whole numbers fit a decimal,
    /// and null fits everything.
    pub fn fits(&self, ty: &Type) -> bool {
        let wanted = Kind::of(ty);
        match (self, &wanted) {
            (Kind::Int | Kind::Uint, Kind::Int | Kind::Double) => true,
            (Kind::List(a), Kind::List(b)) => a.agrees(b),
            _ => self.agrees(&wanted),
        }
    }

    /// Whether the two may be one kind.
    pub fn agrees(&self, other: &Kind) -> bool {
        match (self, other) {
            (Kind::Any | Kind::Null, _) | (_, Kind::Any | Kind::Null) => true,
            (Kind::List(a), Kind::List(b)) => a.agrees(b),
            (a, b) => a == b,
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Kind::Int | Kind::Uint | Kind::Double)
    }

    /// With an article, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            Kind::Any => "a value",
            Kind::Null => "null",
            Kind::Bool => "a bool",
            Kind::Int => "an int",
            Kind::Uint => "a uint",
            Kind::Double => "a double",
            Kind::Text => "a string",
            Kind::Bytes => "bytes",
            Kind::Time => "a timestamp",
            Kind::Duration => "a duration",
            Kind::List(_) => "a list",
            Kind::Map => "a map",
            Kind::Type => "a type",
        }
    }
}
