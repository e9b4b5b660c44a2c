//! The table of codes. A code never changes meaning and is never reused.

/// A check's code, `SL0101` as `Code(101)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(pub u16);

/// The level a code has by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Stops a plan.
    Error,
    /// Worth mending.
    Warning,
    /// Not reported unless asked for.
    Off,
}

/// What is fixed about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeInfo {
    /// The code.
    pub code: Code,
    /// Its kebab-case name.
    pub name: &'static str,
    /// Its default level.
    pub level: Level,
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SL{:04}", self.0)
    }
}

impl Code {
    /// The family that its hundreds stand for, in one word.
    pub fn family(self) -> &'static str {
        match self.0 / 100 {
            0 => "reading",
            1 => "ownership",
            2 => "freshness",
            3 => "quota",
            4 => "mapping",
            5 => "connectors",
            6 => "protection",
            7 => "tests",
            _ => "tidiness",
        }
    }

    /// Name and level. A code that is not in the table (which the tests rule out for every code
    /// the checks use) reads as an error named `unknown`.
    pub fn info(self) -> CodeInfo {
        match CODES.binary_search_by_key(&self, |c| c.code) {
            Ok(i) => CODES[i],
            Err(_) => CodeInfo {
                code: self,
                name: "unknown",
                level: Level::Error,
            },
        }
    }
}

/// Finds a code by `SL0101` or by its name.
pub fn code_by_name(text: &str) -> Option<Code> {
    CODES
        .iter()
        .find(|c| c.name == text || c.code.to_string() == text)
        .map(|c| c.code)
}

const fn row(code: u16, name: &'static str, level: Level) -> CodeInfo {
    CodeInfo {
        code: Code(code),
        name,
        level,
    }
}

/// Every code in order.
pub const CODES: &[CodeInfo] = &[
    row(1, "syntax", Level::Error),
    row(2, "duplicate-name", Level::Error),
    row(3, "unknown-name", Level::Error),
    row(4, "unreadable-file", Level::Error),
    row(5, "import-circle", Level::Error),
    row(6, "missing-clause", Level::Error),
    row(7, "bad-value", Level::Error),
    row(8, "policy-count", Level::Error),
    row(101, "no-owner", Level::Error),
    row(102, "two-owners", Level::Error),
    row(103, "write-to-owner", Level::Error),
    row(104, "unauthorised-source", Level::Error),
    row(105, "competing-writers", Level::Error),
    row(106, "sync-loop", Level::Error),
    row(107, "redundant-path", Level::Warning),
    row(108, "no-change-time", Level::Error),
    row(109, "resolve-type", Level::Error),
    row(110, "accepts-unused", Level::Warning),
    row(111, "derivation-circle", Level::Error),
    row(112, "derived-owned", Level::Error),
    row(113, "order-circle", Level::Error),
    row(114, "clean-not-owner", Level::Error),
    row(115, "unstable-round-trip", Level::Error),
    row(116, "coarse-change-time", Level::Warning),
    row(201, "freshness-unattainable", Level::Error),
    row(202, "never-arrives", Level::Error),
    row(203, "consent-not-realtime", Level::Error),
    row(204, "urgent-on-schedule", Level::Warning),
    row(205, "idle-realtime", Level::Warning),
    row(206, "stale-relay", Level::Warning),
    row(207, "stale-copy", Level::Warning),
    row(208, "no-reconcile", Level::Warning),
    row(301, "over-daily-quota", Level::Error),
    row(302, "over-burst-limit", Level::Error),
    row(303, "window-too-short", Level::Error),
    row(304, "overlapping-runs", Level::Warning),
    row(305, "batch-too-large", Level::Error),
    row(306, "slow-recovery", Level::Warning),
    row(307, "never-runs", Level::Error),
    row(308, "clock-change", Level::Warning),
    row(309, "loosened-limit", Level::Error),
    row(310, "unknown-volume", Level::Warning),
    row(401, "not-mapped", Level::Error),
    row(402, "key-not-mapped", Level::Error),
    row(403, "values-incomplete", Level::Error),
    row(404, "may-truncate", Level::Warning),
    row(405, "bad-expression", Level::Error),
    row(406, "no-cursor", Level::Error),
    row(407, "absent-into-required", Level::Warning),
    row(408, "narrow-lookback", Level::Warning),
    row(501, "no-events", Level::Error),
    row(502, "no-upsert", Level::Warning),
    row(503, "cannot-write", Level::Error),
    row(504, "literal-secret", Level::Error),
    row(505, "bad-option", Level::Error),
    row(601, "not-cleared", Level::Error),
    row(602, "unfiltered-send", Level::Warning),
    row(603, "no-dead-letter-watch", Level::Warning),
    row(701, "bad-test", Level::Error),
    row(801, "unused-allow", Level::Warning),
    row(802, "unused-item", Level::Warning),
    row(803, "naming", Level::Warning),
    row(804, "no-doc", Level::Off),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_unique_and_sorted() {
        assert!(CODES.windows(2).all(|w| w[0].code < w[1].code));
        let names: std::collections::BTreeSet<_> = CODES.iter().map(|c| c.name).collect();
        assert_eq!(names.len(), CODES.len());
        assert_eq!(code_by_name("two-owners"), Some(Code(102)));
        assert_eq!(code_by_name("SL0102"), Some(Code(102)));
    }
}
