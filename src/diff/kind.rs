//! The kinds of changes: each with its stable name, where it belongs, how it may be graded and when.
//!
//! The one table of what breaks what; `docs/diff.md` is held to it by a test.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much a change asks of whoever looks at it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Nothing that somebody relies on is taken away.
    Safe,
    /// Something behaves otherwise, or asks for more; worth a look.
    Risky,
    /// A rule, a bound or a flow that somebody relies on no longer holds.
    Breaking,
}

impl Grade {
    /// From the gravest to the lightest.
    pub const ALL: [Grade; 3] = [Grade::Breaking, Grade::Risky, Grade::Safe];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Grade::Safe => "safe",
            Grade::Risky => "risky",
            Grade::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What part of a policy a change is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Entities and fields: owners, origins, rules, freshness, classes, types.
    Fields,
    /// What goes where, when and how.
    Flows,
    /// How systems hold the fields.
    Maps,
    /// Systems, their limits and what they are cleared for.
    Systems,
    /// Calls, budgets, ages and money.
    Figures,
    /// The policy as a whole, its tests, what it accepts, and errors.
    Policy,
}

impl Area {
    /// Every area in the order in which changes are listed.
    pub const ALL: [Area; 6] = [
        Area::Fields,
        Area::Flows,
        Area::Maps,
        Area::Systems,
        Area::Figures,
        Area::Policy,
    ];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Area::Fields => "fields",
            Area::Flows => "flows",
            Area::Maps => "maps",
            Area::Systems => "systems",
            Area::Figures => "figures",
            Area::Policy => "policy",
        }
    }
}

/// Declares the kinds in the order in which changes of one grade are listed.
macro_rules! kinds {
    ($($area:ident { $($variant:ident $name:literal [$($grade:ident),+] $when:literal;)* })*) => {
        /// What kind of change it is, in the words that an approval uses.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            JsonSchema)]
        pub enum Kind { $($(#[doc = $when] #[serde(rename = $name)] $variant,)*)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$($(Kind::$variant,)*)*];

            /// Its stable name.
            pub fn name(self) -> &'static str {
                match self { $($(Kind::$variant => $name,)*)* }
            }

            /// What part of a policy it is about.
            pub fn area(self) -> Area {
                match self { $($(Kind::$variant => Area::$area,)*)* }
            }

            /// How it may be graded.
            pub fn grades(self) -> &'static [Grade] {
                match self { $($(Kind::$variant => &[$(Grade::$grade),+],)*)* }
            }

            /// When a change is of this kind, and what decides its grade where there are several.
            pub fn when(self) -> &'static str {
                match self { $($(Kind::$variant => $when,)*)* }
            }
        }
    };
}

kinds! {
    Fields {
        OwnerRemoved "owner-removed" [Breaking] "a field loses its system of record";
        OwnerChanged "owner-changed" [Breaking] "another system becomes a field's system of record";
        OwnerAdded "owner-added" [Risky] "a field gets a system of record";
        OriginAdded "origin-added" [Breaking, Risky] "one more system may set a field; breaking where the field's rule lets it overrule the owner, risky under `owner_wins` and `manual`";
        OriginRemoved "origin-removed" [Risky] "a system may no longer set a field: what is set there is put back";
        ResolveLoosened "resolve-loosened" [Breaking] "the rule protects less: a rule that keeps a value (`any_true`, `all_true`, `max`, `min`, `union`) gives way, or it goes down from `manual` to `owner_wins` to `first_write_wins` to `last_write_wins`, or `manual` or `owner_wins` gives way to one that keeps a value";
        ResolveChanged "resolve-changed" [Risky, Safe] "another rule that protects no less; safe where the field has at most one origin before and after";
        FreshRemoved "fresh-removed" [Breaking] "a `fresh` bound is gone, of a field in a system or of a scenario";
        FreshLoosened "fresh-loosened" [Breaking] "a `fresh` bound allows more";
        FreshTightened "fresh-tightened" [Safe] "a `fresh` bound allows less";
        FreshAdded "fresh-added" [Safe] "a new `fresh` bound";
        ClassRemoved "class-removed" [Breaking] "a field is no longer of a class, so that nothing guards where it goes";
        ClassAdded "class-added" [Safe] "a field is of one more class";
        EntityRemoved "entity-removed" [Breaking] "an entity is gone";
        EntityRenamed "entity-renamed" [Breaking] "an entity has another name, everything else being equal; stores know its records by the old one";
        EntityAdded "entity-added" [Safe] "a new entity";
        KeyChanged "key-changed" [Breaking] "records are told apart by other fields";
        FieldRemoved "field-removed" [Breaking] "a field is gone";
        FieldRenamed "field-renamed" [Breaking] "a field has another name, everything else being equal; stores know its history by the old one";
        FieldAdded "field-added" [Safe] "a new field";
        TypeChanged "type-changed" [Breaking] "values of the old type are none of the new one";
        TypeNarrowed "type-narrowed" [Breaking] "some values that were valid no longer are";
        TypeWidened "type-widened" [Risky] "receivers may get values that were not valid before";
        EnumValueRemoved "enum-value-removed" [Breaking] "a value is no longer one of the list";
        EnumValueAdded "enum-value-added" [Risky] "receivers may get a value that they do not know";
        EnumReordered "enum-reordered" [Safe] "the same values in another order";
        AbsenceForbidden "absence-forbidden" [Breaking] "`?` is gone: records without the field are no longer valid";
        AbsenceAllowed "absence-allowed" [Risky] "`?` is new: receivers may get records without the field";
        DerivedChanged "derived-changed" [Breaking, Risky] "a derived field is computed otherwise; breaking where a field becomes derived or ceases to be";
        ExpressionRewritten "expression-rewritten" [Safe] "an expression says the same in other words: spaces, order of `&&` and `||`";
        VolumeChanged "volume-changed" [Safe] "other expected records, changes or peaks; what that does to calls is under figures";
    }
    Flows {
        FieldSent "field-sent" [Breaking, Risky, Safe] "a field goes to a system that did not get it; breaking where it is of a class that the system is not cleared for, risky where it is of a class, else safe";
        FieldUnsent "field-unsent" [Breaking] "a system no longer gets a field: it keeps what it has, which grows old";
        ConsentNotRealtime "consent-not-realtime" [Breaking] "a field of class `consent` no longer gets to a system in real time";
        FlowMoved "flow-moved" [Risky] "fields go the same way by another scenario";
        FlowRemoved "flow-removed" [Risky] "fields no longer go this way; they still get there by another";
        FlowAdded "flow-added" [Safe] "fields also go this way; they got there before";
        FilterWidened "filter-widened" [Breaking] "records that were held back are sent: a condition is gone or asks for less";
        FilterChanged "filter-changed" [Breaking, Risky] "a condition that neither plainly widens nor plainly narrows; breaking where it no longer reads a field that has a class";
        FilterNarrowed "filter-narrowed" [Risky] "records that were sent are held back: a condition is new or asks for more";
        PassesChanged "passes-changed" [Safe] "another share of records is expected to pass a condition; what that does to calls is under figures";
        ClausesRegrouped "clauses-regrouped" [Safe] "the same fields go the same way under the same conditions, in other clauses";
        ScenarioRemoved "scenario-removed" [Breaking] "a scenario is gone";
        ScenarioRenamed "scenario-renamed" [Risky] "a scenario has another name, everything else being equal; its cursors and pauses in a store are under the old one, so that it reads everything once";
        ScenarioAdded "scenario-added" [Safe] "a new scenario";
        ModeSlower "mode-slower" [Breaking, Risky] "changes move later, by the longest gap between two starts; breaking where that gap is longer than a `fresh` bound which the scenario serves";
        ModeFaster "mode-faster" [Safe] "changes move earlier; what that does to calls is under figures";
        ScheduleMoved "schedule-moved" [Safe] "other starts with the same longest gap";
        ReconcileRemoved "reconcile-removed" [Breaking] "what real time misses is no longer found";
        ReconcileAdded "reconcile-added" [Safe] "what real time misses is found";
        ReconcileSlower "reconcile-slower" [Risky] "what real time misses is found later";
        ReconcileFaster "reconcile-faster" [Safe] "what real time misses is found earlier";
        TriggerChanged "trigger-changed" [Breaking, Risky] "the event of `when`; breaking where another takes its place, risky where it is new or gone";
        CleanChanged "clean-changed" [Breaking] "another set is cleaned in place, or a scenario turns to `clean` or from it";
        DeletesPropagated "deletes-propagated" [Breaking] "deletions travel: records disappear where they used to stay";
        DeletesIgnored "deletes-ignored" [Risky] "deletions no longer travel";
        DedupeRemoved "dedupe-removed" [Breaking] "duplicates get through";
        DedupeChanged "dedupe-changed" [Risky] "other records count as the same, or another of them stays";
        DedupeAdded "dedupe-added" [Risky] "duplicates are dropped";
        RequireRemoved "require-removed" [Breaking] "records get through that were stopped";
        RequireLoosened "require-loosened" [Breaking] "a record that fails is set aside where it aborted the run";
        RequireChanged "require-changed" [Breaking] "a condition that does not plainly ask for more than before";
        RequireTightened "require-tightened" [Risky] "a condition asks for more, or aborts the run";
        RequireAdded "require-added" [Risky] "records are stopped that got through";
        GuardRemoved "guard-removed" [Breaking] "mass changes of a field get through";
        GuardLoosened "guard-loosened" [Breaking] "a run may change a field on more records";
        GuardTightened "guard-tightened" [Safe] "a run may change a field on fewer records";
        GuardAdded "guard-added" [Safe] "mass changes of a field abort the run";
        AbortLoosened "abort-loosened" [Breaking] "more quarantined records are borne, or any number";
        AbortTightened "abort-tightened" [Safe] "fewer quarantined records are borne";
        CheckpointReordered "checkpoint-reordered" [Safe] "the same clauses in another order, or an empty checkpoint";
        OrderLoosened "order-loosened" [Breaking] "writes of one record may overtake each other";
        OrderKept "order-kept" [Safe] "writes of one record keep their order";
        ImpactChanged "impact-changed" [Breaking, Safe] "`stale` names another impact; breaking where `compliance` is dropped";
        PriorityLowered "priority-lowered" [Risky] "its calls go later when a system is short of quota";
        PriorityRaised "priority-raised" [Safe] "its calls go earlier";
        AfterRemoved "after-removed" [Risky] "it no longer waits for another scenario";
        AfterAdded "after-added" [Safe] "it waits for another scenario";
        WindowChanged "window-changed" [Risky] "scheduled work runs at other hours";
        ScanReduced "scan-reduced" [Risky] "a read takes what changed where it took all, and so no longer sees what is gone";
        ScanExtended "scan-extended" [Safe] "a read takes all where it took what changed";
        RetryReduced "retry-reduced" [Risky] "a failed write is given up earlier";
        RetryExtended "retry-extended" [Safe] "a failed write is tried for as long or longer";
        BreakerChanged "breaker-changed" [Safe] "a system counts as down earlier or later, or is left alone for another time";
        BatchChanged "batch-changed" [Safe] "another number of records in one write call";
    }
    Maps {
        MapRemoved "map-removed" [Breaking, Safe] "an entity is no longer mapped in a system; safe where nothing used the map";
        MapAdded "map-added" [Safe] "an entity is mapped in one more system";
        ObjectChanged "object-changed" [Breaking] "records are read from and written to another object, table or file";
        ColumnChanged "column-changed" [Breaking] "a field is read from and written to another column";
        FieldUnmapped "field-unmapped" [Breaking, Safe] "a system no longer has a place for a field; safe where no flow carried it to or from there";
        FieldMapped "field-mapped" [Safe] "a system has a place for one more field";
        ValuesChanged "values-changed" [Breaking, Risky] "enum values are written otherwise; risky where values are only added";
        ConversionChanged "conversion-changed" [Risky] "`read` or `write` turns values into others";
        CursorChanged "cursor-changed" [Breaking] "changes are found by another column, to which a kept position means nothing";
        CursorRemoved "cursor-removed" [Risky] "each read takes everything";
        CursorAdded "cursor-added" [Safe] "reads take only what changed";
        OverlapShortened "overlap-shortened" [Risky] "reads go back less far, so that changes which show late may be missed";
        OverlapLengthened "overlap-lengthened" [Safe] "reads go back further";
        ChangeTimeChanged "change-time-changed" [Risky] "another column, or none, says when a record changed, by which rules tell earlier from later";
        DeletedColumnChanged "deleted-column-changed" [Risky] "another column, or none, says that a record was deleted";
    }
    Systems {
        SystemRemoved "system-removed" [Breaking] "a system is gone";
        SystemRenamed "system-renamed" [Breaking] "a system has another name, everything else being equal; stores know what it said and holds by the old one";
        SystemAdded "system-added" [Safe] "a new system";
        ConnectorChanged "connector-changed" [Breaking] "another kind of system stands behind the name";
        CapabilityLost "capability-lost" [Breaking] "the connector can no longer do something, by its catalog entry";
        CapabilityGained "capability-gained" [Safe] "the connector can do more, by its catalog entry";
        ConnectorFiguresChanged "connector-figures-changed" [Risky] "other batch or page sizes or another visibility lag, by the catalog entry";
        VendorLimitsChanged "vendor-limits-changed" [Risky, Safe] "other limits of the vendor's, by its catalog entry";
        TierChanged "tier-changed" [Risky] "another tier, with limits and prices of its own";
        SeatsChanged "seats-changed" [Risky, Safe] "other seats; risky where they get fewer, which may lower the vendor's limits";
        OptionChanged "option-changed" [Risky] "an option has another value, is new or is gone";
        SecretChanged "secret-changed" [Risky] "a secret is found elsewhere, is new or is gone";
        LimitLoosened "limit-loosened" [Risky] "a limit allows more calls, or is gone";
        LimitTightened "limit-tightened" [Risky] "a limit allows fewer calls, or is new";
        BudgetRaised "budget-raised" [Risky] "the policy may use more of the vendor's quota";
        BudgetLowered "budget-lowered" [Safe] "the policy may use less of it";
        ExpectationsChanged "expectations-changed" [Safe] "another share of failed calls or write latency is expected";
        ClearanceAdded "clearance-added" [Risky] "a system may get fields of one more class";
        ClearanceRemoved "clearance-removed" [Safe] "a system may no longer get fields of a class";
    }
    Figures {
        SlowerThanBound "slower-than-bound" [Breaking] "a field can get older than its `fresh` bound, which held before";
        OverBudget "over-budget" [Breaking] "a system needs more than its daily budget on the busiest day, which sufficed before";
        CallsUp "calls-up" [Risky] "a system gets more than a tenth more calls a day";
        CostUp "cost-up" [Risky] "the policy costs more than a tenth more a month";
    }
    Policy {
        ErrorAdded "error-added" [Breaking] "the new policy has an error that the old one lacks";
        AllowAdded "allow-added" [Breaking, Risky] "a finding is accepted that was not, or for longer; breaking where the check is an error";
        AllowRemoved "allow-removed" [Safe] "a finding is no longer accepted, or for less long";
        AllowReasonChanged "allow-reason-changed" [Safe] "a finding is accepted for another reason";
        TestRemoved "test-removed" [Risky] "a test is gone";
        TestChanged "test-changed" [Risky] "a test does or expects something else";
        TestAdded "test-added" [Safe] "a new test";
        TimezoneChanged "timezone-changed" [Risky, Safe] "schedules and windows are read in another zone; safe where none goes by the clock on the wall";
        AlertRemoved "alert-removed" [Risky] "nobody hears of breaches, dead letters and aborted runs";
        AlertChanged "alert-changed" [Risky] "somebody else hears of them";
        AlertAdded "alert-added" [Safe] "somebody hears of them";
        PolicyRenamed "policy-renamed" [Safe] "the policy has another name";
        PricesChanged "prices-changed" [Safe] "other prices, upkeep, costs of delay or another currency";
        MeaningChanged "meaning-changed" [Risky] "the digests differ in a way for which there is no other kind";
    }
}

/// A kind of a stable name.
pub fn kind_named(name: &str) -> Option<Kind> {
    Kind::ALL.iter().copied().find(|k| k.name() == name)
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The table of all kinds as Markdown, as `docs/diff.md` holds it.
pub fn table() -> String {
    let mut out = String::new();
    for area in Area::ALL {
        out.push_str(&format!(
            "### {}\n\n| change | grade | when |\n|---|---|---|\n",
            area.word()
        ));
        for kind in Kind::ALL.iter().filter(|k| k.area() == area) {
            let grades: Vec<&str> = kind.grades().iter().map(|g| g.word()).collect();
            let grades = grades.join(", ");
            out.push_str(&format!("| `{kind}` | {grades} | {} |\n", kind.when()));
        }
        out.push('\n');
    }
    out
}
