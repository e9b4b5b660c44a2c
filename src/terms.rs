//! The closed lists of the language: resolve rules, impacts, priorities, days, units, mode classes.
//!
//! Rank 0. Plain enums with their words; used by every layer so that each word is spelled once.

use serde::{Deserialize, Serialize};

/// Declares an enum whose variants are words of the language.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            schemars::JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// Every word of the list in its order.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];

            /// The word as written in a policy.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word),* }
            }

            /// Reads a word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some($name::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// How one value is chosen among several origins' values.
    ResolveRule {
        /// The owner's unless it never reported one.
        OwnerWins = "owner_wins",
        /// The latest change time.
        LastWriteWins = "last_write_wins",
        /// The earliest change time.
        FirstWriteWins = "first_write_wins",
        /// True where any origin set true since the owner last set false.
        AnyTrue = "any_true",
        /// The mirror of `any_true`.
        AllTrue = "all_true",
        /// The greatest value.
        Max = "max",
        /// The least value.
        Min = "min",
        /// The union of the sets.
        Union = "union",
        /// A person decides.
        Manual = "manual",
    }
}

words! {
    /// What a late arrival does.
    Impact {
        /// A lead is lost.
        LostLead = "lost_lead",
        /// A follow-up comes late.
        LateFollowup = "late_followup",
        /// A rule or a law is broken.
        Compliance = "compliance",
        /// Somebody reads the wrong content.
        WrongContent = "wrong_content",
        /// A report is old.
        Reporting = "reporting",
        /// Nothing.
        None = "none",
    }
}

words! {
    /// Whose calls go first when systems are short of quota, first to last.
    Priority {
        /// Consent.
        Consent = "consent",
        /// Intent.
        Intent = "intent",
        /// Neither.
        Normal = "normal",
        /// Scheduled bulk work.
        Bulk = "bulk",
    }
}

words! {
    /// A day of the week.
    Weekday {
        /// Monday.
        Mon = "mon",
        /// Tuesday.
        Tue = "tue",
        /// Wednesday.
        Wed = "wed",
        /// Thursday.
        Thu = "thu",
        /// Friday.
        Fri = "fri",
        /// Saturday.
        Sat = "sat",
        /// Sunday.
        Sun = "sun",
    }
}

words! {
    /// A unit of a rate.
    Unit {
        /// A second.
        Second = "second",
        /// A minute.
        Minute = "minute",
        /// An hour.
        Hour = "hour",
        /// A day of 24 hours.
        Day = "day",
        /// A week.
        Week = "week",
        /// A month of 30 days.
        Month = "month",
    }
}

impl Unit {
    /// Its length in seconds.
    pub fn seconds(self) -> u64 {
        match self {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3_600,
            Unit::Day => 86_400,
            Unit::Week => 604_800,
            Unit::Month => 2_592_000,
        }
    }
}

words! {
    /// Whether writes of one record keep their order.
    OrderBy {
        /// Writes of one record go out in version order.
        Key = "key",
        /// No order is kept.
        None = "none",
    }
}

words! {
    /// The class of a mode, for display and checks.
    ModeClass {
        /// Each change moves by itself.
        Realtime = "realtime",
        /// Starts at most 15 minutes apart.
        NearRealTime = "near-real-time",
        /// Starts further apart.
        Scheduled = "scheduled",
        /// Real time with a scheduled reconcile.
        Hybrid = "hybrid",
    }
}
