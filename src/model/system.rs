//! Systems.

use crate::time::Millis;
use std::sync::Arc;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::{Ident, Said, SystemId};
use crate::catalog::Entry;
use crate::terms::Unit;
use crate::text::Span;

/// A system.
#[derive(Debug, Clone)]
pub struct System {
    /// Its id.
    pub id: SystemId,
    /// Its name.
    pub name: Ident,
    /// Its doc comment.
    pub doc: Option<Span>,
    /// The whole item.
    pub span: Span,
    /// Its connector; `None`: no clause, or one that could not be read (both reported).
    pub connector: Option<Connector>,
    /// The vendor's tier, where it is one of the entry's.
    pub tier: Option<Said<Arc<str>>>,
    /// Seats.
    pub seats: Option<Said<u64>>,
    /// The share of the daily quota that this policy may use (absent: all of it).
    pub budget: Option<Said<Percent>>,
    /// Limits of its own.
    pub limits: Vec<Said<Rate>>,
    /// What calls cost.
    pub price: Option<Said<Price>>,
    /// The share of calls that fail and are tried again (absent: 0.5 %).
    pub failure: Option<Said<Percent>>,
    /// Time of one write, p99 (absent: the entry's).
    pub latency: Option<Said<Millis>>,
    /// Options as written, the first of each name.
    pub options: Vec<Setting>,
    /// Secrets as written, the first of each name.
    pub secrets: Vec<Setting>,
    /// The `cleared` clause: the classes that exist.
    pub cleared: Option<Said<Vec<Ident>>>,
    /// Whether a clause of it could not be read.
    pub broken: bool,
}

impl System {
    /// What the catalog has of its connector; `None`: it names none that there is.
    pub fn entry(&self) -> Option<&Entry> {
        self.connector.as_ref()?.entry.as_deref()
    }
}

/// The connector of a system.
#[derive(Debug, Clone)]
pub struct Connector {
    /// The whole clause.
    pub clause: Span,
    /// The name or the path as written.
    pub written: Ident,
    /// The catalog's entry; `None`: there is none of that name (reported).
    pub entry: Option<Arc<Entry>>,
}

/// An option or a secret.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The whole clause.
    pub clause: Span,
    /// Its name.
    pub name: Ident,
    /// The value's place.
    pub span: Span,
    /// The value; `None`: it could not be read (reported).
    pub value: Option<SettingValue>,
}

/// The value of an option or a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SettingValue {
    /// A string.
    Text(Arc<str>),
    /// An integer.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// A duration.
    Duration(Millis),
    /// A variable, read when the plan runs.
    Env(EnvVar),
}

/// `env("VAR"[, "default"])`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// The variable.
    pub var: Ident,
    /// Its default.
    pub default: Option<Ident>,
}

/// A percentage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(
    /// The number before the sign, 0 to 100.
    pub Decimal,
);

impl Percent {
    /// As a share, 0.0 to 1.0.
    pub fn share(self) -> f64 {
        (self.0 / Decimal::ONE_HUNDRED).to_f64().unwrap_or(0.0)
    }
}

/// A number of things per time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: u64,
    /// In how long; never zero.
    pub per: Millis,
}

impl Rate {
    /// How many in a second.
    pub fn per_second(self) -> f64 {
        self.count as f64 / self.per.as_secs_f64()
    }

    /// How many in a day.
    pub fn per_day(self) -> f64 {
        self.per_second() * 86_400.0
    }
}

/// An amount of money in the policy's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoneyPer {
    /// The amount.
    pub amount: Decimal,
    /// Per what.
    pub unit: Unit,
}

/// `price MONEY per [INT] calls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// The amount in the policy's currency.
    pub amount: Decimal,
    /// For how many calls.
    pub calls: u64,
}
