//! The tree of one file: every item and clause with its exact span, comments beside it.
//!
//! Plain data. Nodes hold spans, never text: the text stands once, in [`crate::text::Sources`].
//! Values inside tokens (durations, rates, …) are read by [`crate::syntax::literal`], so that a
//! value out of range is a finding of its own and no syntax error. What the grammar could not read
//! is an `Error` node, which every later phase passes over in silence.

use crate::terms::{Impact, OrderBy, Priority, ResolveRule, Unit, Weekday};
use crate::text::{FileId, Span};

/// One file.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    /// Which file.
    pub id: FileId,
    /// Its items in the order written, broken ones included.
    pub items: Vec<Item>,
    /// Every comment, doc comments included, in order; spans without the line end.
    pub comments: Vec<Comment>,
}

/// A comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment {
    /// From the first slash to before the line end.
    pub span: Span,
    /// Whether it documents the item or field after it.
    pub doc: bool,
}

// A token whose text is all there is to say: names, literals.
macro_rules! tokens {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name(pub Span);
    )*};
}

tokens! {
    /// A name.
    Name
    /// A string with its quotes; decode with [`crate::syntax::literal::string`].
    Str
    /// A CEL expression with its backticks.
    Expr
    /// An integer, `250_000`, with `-` where the place allows one.
    Int
    /// A decimal number, `0.25`.
    Number
    /// A percentage, `40%`.
    Percent
    /// A duration, `1h30m`.
    DurationTok
    /// A time of day, `02:00`.
    TimeOfDayTok
    /// A minute of the hour, `:15`.
    MinuteTok
    /// A date, `2027-01-31`.
    DateTok
    /// A rate, `300/day` or `100/10s`.
    Rate
    /// A multiple, `8x`.
    Multiple
    /// An ISO 4217 code.
    Currency
    /// A check's code or kebab-case name.
    CheckName
}

/// A word of a closed list with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<T> {
    /// Where it stands.
    pub span: Span,
    /// Which word it is.
    pub value: T,
}

/// `40 USD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    /// The amount, an integer or a decimal.
    pub amount: Number,
    /// The currency.
    pub currency: Currency,
}

/// `40 USD/hour`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoneyRate {
    /// How much.
    pub money: Money,
    /// Per what.
    pub unit: Word<Unit>,
}

/// `env("VAR")` or `env("VAR", "default")`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Env {
    /// The whole call.
    pub span: Span,
    /// The variable.
    pub var: Str,
    /// Its default.
    pub default: Option<Str>,
}

/// The value of an option or a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionValue {
    /// A string.
    Str(Str),
    /// An integer.
    Int(Int),
    /// `true` or `false`.
    Bool(Word<bool>),
    /// A duration.
    Duration(DurationTok),
    /// A variable, read when the plan runs.
    Env(Env),
}

/// An item.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// From its keyword to its closing brace (or the end of a `use` string).
    pub span: Span,
    /// Its doc comment: from the first `///` to the end of the last, where there is one.
    pub doc: Option<Span>,
    /// What it is.
    pub kind: ItemKind,
}

/// The items of the language.
#[derive(Debug, Clone, PartialEq)]
pub enum ItemKind {
    /// `use "path"`.
    Use(Str),
    /// `policy NAME { }`.
    Policy(Block<PolicyClause>),
    /// `system NAME { }`.
    System(Block<SystemClause>),
    /// `entity NAME { }`.
    Entity(Block<EntityClause>),
    /// `extend entity NAME { }`.
    Extend(Block<EntityClause>),
    /// `map ENTITY in SYSTEM [STRING] { }`.
    Map(MapItem),
    /// `scenario NAME [STRING] { }`.
    Scenario(ScenarioItem),
    /// `test STRING { }`.
    Test(TestItem),
    /// Could not be read; its words may still have declared something. Holds the keyword and the
    /// name, where they could be read, so that names declared here are not reported as unknown.
    Error {
        /// The keyword's text span.
        keyword: Option<Span>,
        /// The name.
        name: Option<Name>,
    },
}

/// A named block of clauses.
#[derive(Debug, Clone, PartialEq)]
pub struct Block<C> {
    /// The item's keyword (`extend` for `extend entity`).
    pub keyword: Span,
    /// The item's name.
    pub name: Name,
    /// From `{` to `}`.
    pub body: Span,
    /// The clauses in the order written.
    pub clauses: Vec<Clause<C>>,
}

/// A clause.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause<C> {
    /// From its keyword to its last token.
    pub span: Span,
    /// Its keyword (first word).
    pub keyword: Span,
    /// What it says; `None`: it could not be read and was reported.
    pub kind: Option<C>,
}

/// `allow CODE STRING [until DATE]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allow {
    /// The whole clause.
    pub span: Span,
    /// A code or a check's name.
    pub check: CheckName,
    /// Why.
    pub reason: Str,
    /// Until when.
    pub until: Option<DateTok>,
}

/// Clauses of `policy`.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicyClause {
    /// `timezone STRING`.
    Timezone(Str),
    /// `currency CODE`.
    Currency(Currency),
    /// `unsure MODE`.
    Unsure(Mode),
    /// `upkeep MONEY/UNIT`.
    Upkeep(MoneyRate),
    /// `alert env("VAR")`.
    Alert(Env),
    /// `allow …`.
    Allow(Allow),
}

/// The connector of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectorRef {
    /// An entry of the built-in catalog.
    Name(Name),
    /// A user's own entry, relative to the file.
    Path(Str),
}

/// Clauses of `system`.
#[derive(Debug, Clone, PartialEq)]
pub enum SystemClause {
    /// `connector NAME | STRING`.
    Connector(ConnectorRef),
    /// `tier NAME`.
    Tier(Name),
    /// `seats INT`.
    Seats(Int),
    /// `budget PERCENT`.
    Budget(Percent),
    /// `limit RATE`.
    Limit(Rate),
    /// `price MONEY per [INT] calls`.
    Price(Money, Option<Int>),
    /// `failure PERCENT`.
    Failure(Percent),
    /// `latency DURATION`.
    Latency(DurationTok),
    /// `option NAME = value`.
    Option(Name, OptionValue),
    /// `secret NAME = env("VAR")`; any value is read, what is no `env` is SL0504.
    Secret(Name, OptionValue),
    /// `cleared CLASS, …`.
    Cleared(Vec<Name>),
    /// `allow …`.
    Allow(Allow),
}

/// `accepts SYSTEM, … | none`.
#[derive(Debug, Clone, PartialEq)]
pub enum Accepts {
    /// `none`, with its place.
    None(Span),
    /// The systems.
    Systems(Vec<Name>),
}

/// `fresh DURATION [in SYSTEM, …]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fresh {
    /// How old at most.
    pub within: DurationTok,
    /// Where; empty: in every system that maps the field.
    pub systems: Vec<Name>,
}

/// `volume INT records, RATE changes[, peak INTx]`.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityVolume {
    /// How many records.
    pub records: Int,
    /// How many changes.
    pub changes: Rate,
    /// Peak over mean.
    pub peak: Option<Multiple>,
}

/// Clauses of `entity` and `extend entity`.
#[derive(Debug, Clone, PartialEq)]
pub enum EntityClause {
    /// `key FIELD, …`.
    Key(Vec<Name>),
    /// `volume …`.
    Volume(EntityVolume),
    /// `owner SYSTEM`.
    Owner(Name),
    /// `accepts …`.
    Accepts(Accepts),
    /// `resolve RULE`.
    Resolve(Word<ResolveRule>),
    /// `fresh …`.
    Fresh(Fresh),
    /// `class NAME, …`.
    Class(Vec<Name>),
    /// `field NAME: TYPE …`.
    Field(Box<FieldDecl>),
    /// `allow …`.
    Allow(Allow),
}

/// `field NAME: TYPE clause…`.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDecl {
    /// Its doc comment.
    pub doc: Option<Span>,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeRef,
    /// Its clauses in the order written.
    pub clauses: Vec<Clause<FieldClause>>,
}

/// A type as written.
#[derive(Debug, Clone, PartialEq)]
pub struct TypeRef {
    /// The whole type, `?` included.
    pub span: Span,
    /// Which.
    pub kind: TypeKind,
    /// Whether `?` follows.
    pub optional: bool,
}

/// The types.
#[derive(Debug, Clone, PartialEq)]
pub enum TypeKind {
    /// `bool`.
    Bool,
    /// `int` or `int(a..b)`.
    Int(Option<(Int, Int)>),
    /// `decimal(precision, scale)`.
    Decimal(Int, Int),
    /// `text` or `text(max)`.
    Text(Option<Int>),
    /// `email`.
    Email,
    /// `phone`.
    Phone,
    /// `url`.
    Url,
    /// `date`.
    Date,
    /// `datetime`.
    Datetime,
    /// `json`.
    Json,
    /// `enum(a, b, …)`.
    Enum(Vec<Name>),
    /// `set(TYPE)`.
    Set(Box<TypeRef>),
}

/// Clauses of a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldClause {
    /// `owner SYSTEM`.
    Owner(Name),
    /// `accepts …`.
    Accepts(Accepts),
    /// `resolve RULE`.
    Resolve(Word<ResolveRule>),
    /// `fresh …`.
    Fresh(Fresh),
    /// `class NAME, …`.
    Class(Vec<Name>),
    /// `changes RATE`.
    Changes(Rate),
    /// ``derived `CEL` ``.
    Derived(Expr),
    /// `allow …`.
    Allow(Allow),
}

/// `map ENTITY in SYSTEM [STRING] { }`.
#[derive(Debug, Clone, PartialEq)]
pub struct MapItem {
    /// The keyword.
    pub keyword: Span,
    /// The entity.
    pub entity: Name,
    /// The system.
    pub system: Name,
    /// The system's own object, table or file.
    pub object: Option<Str>,
    /// From `{` to `}`.
    pub body: Span,
    /// The clauses.
    pub clauses: Vec<Clause<MapClause>>,
}

/// Clauses of `map`.
#[derive(Debug, Clone, PartialEq)]
pub enum MapClause {
    /// `key FIELD = STRING …`.
    Key(MapField),
    /// `field FIELD = STRING …`.
    Field(MapField),
    /// `same_names`.
    SameNames,
    /// `cursor STRING [overlap DURATION]`.
    Cursor(Str, Option<DurationTok>),
    /// `changed_at STRING`.
    ChangedAt(Str),
    /// `deleted STRING`.
    Deleted(Str),
    /// `allow …`.
    Allow(Allow),
}

/// ``FIELD = STRING [values { … }] [read `CEL`] [write `CEL`]`` in any order of the last three.
#[derive(Debug, Clone, PartialEq)]
pub struct MapField {
    /// The policy's field.
    pub field: Name,
    /// The system's column or property.
    pub column: Str,
    /// `values`, `read`, `write` in the order written (repeats are SL0002).
    pub parts: Vec<MapPart>,
}

/// A part of a mapped field.
#[derive(Debug, Clone, PartialEq)]
pub enum MapPart {
    /// `values { NAME = STRING, … }`; the span runs from the keyword to the closing brace.
    Values(Span, Vec<(Name, Str)>),
    /// ``read `CEL` ``; the span is the keyword's.
    Read(Span, Expr),
    /// ``write `CEL` ``; the span is the keyword's.
    Write(Span, Expr),
}

/// `scenario NAME [STRING] { }`.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioItem {
    /// The keyword.
    pub keyword: Span,
    /// The name.
    pub name: Name,
    /// The title.
    pub title: Option<Str>,
    /// From `{` to `}`.
    pub body: Span,
    /// The clauses.
    pub clauses: Vec<Clause<ScenarioClause>>,
}

/// A filter: ``if `CEL` [passes PERCENT]``.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    /// The condition.
    pub expr: Expr,
    /// The share of records that passes, for estimates.
    pub passes: Option<Percent>,
}

/// What a `sync` carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Carried {
    /// `*`, with its place.
    All(Span),
    /// The fields named.
    Fields(Vec<Name>),
}

/// The ends of a `sync`.
#[derive(Debug, Clone, PartialEq)]
pub enum Ends {
    /// `from A, … to B, …`.
    FromTo(Vec<Name>, Vec<Name>),
    /// `between A, B, …`.
    Between(Vec<Name>),
}

/// A `sync` clause.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// The entity.
    pub entity: Name,
    /// The fields.
    pub carried: Carried,
    /// From where to where.
    pub ends: Ends,
    /// The filter.
    pub filter: Option<Filter>,
}

/// Clauses of `scenario`.
#[derive(Debug, Clone, PartialEq)]
pub enum ScenarioClause {
    /// ``when SYSTEM.EVENT [if `CEL`]``.
    When(Name, Name, Option<Filter>),
    /// `sync …`.
    Sync(Sync),
    /// `clean ENTITY in SYSTEM`.
    Clean(Name, Name),
    /// `mode …`.
    Mode(Mode),
    /// `fresh DURATION`.
    Fresh(DurationTok),
    /// `stale IMPACT [costs MONEY/UNIT]`.
    Stale(Word<Impact>, Option<MoneyRate>),
    /// `volume RATE [peak INTx]`.
    Volume(Rate, Option<Multiple>),
    /// `after SCENARIO, …`.
    After(Vec<Name>),
    /// `window HH:MM..HH:MM [on DAY, …]`.
    Window(TimeOfDayTok, TimeOfDayTok, Vec<Word<Weekday>>),
    /// `batch INT`.
    Batch(Int),
    /// `scan changes | full`; true is full.
    Scan(Word<bool>),
    /// `deletes propagate | ignore`; true is propagate.
    Deletes(Word<bool>),
    /// `priority …`.
    Priority(Word<Priority>),
    /// `retry exponential from D to D, INT attempts`.
    Retry(DurationTok, DurationTok, Int),
    /// `breaker INT failures, DURATION pause`.
    Breaker(Int, DurationTok),
    /// `order by key | none`.
    Order(Word<OrderBy>),
    /// `checkpoint { }`.
    Checkpoint(Checkpoint),
    /// `allow …`.
    Allow(Allow),
}

/// `checkpoint { }`.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// From `{` to `}`.
    pub body: Span,
    /// The clauses.
    pub clauses: Vec<Clause<CheckpointClause>>,
}

/// Which of several records a dedupe keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepWord {
    /// The latest change time.
    Newest,
    /// The earliest change time.
    Oldest,
    /// The owner's.
    Owner,
}

/// Clauses of `checkpoint`.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckpointClause {
    /// `dedupe by FIELD, … keep …`.
    Dedupe(Vec<Name>, Word<KeepWord>),
    /// ``require `CEL` else quarantine | abort``; true is abort.
    Require(Expr, Word<bool>),
    /// `guard FIELD over PERCENT`.
    Guard(Name, Percent),
    /// `abort over PERCENT`.
    Abort(Percent),
    /// `allow …`.
    Allow(Allow),
}

/// A mode, with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Mode {
    /// The words after `mode` (or `unsure`).
    pub span: Span,
    /// Which.
    pub kind: ModeKind,
}

/// The modes.
#[derive(Debug, Clone, PartialEq)]
pub enum ModeKind {
    /// `realtime`.
    Realtime,
    /// `realtime with reconcile MODE`.
    Hybrid(Schedule),
    /// A schedule.
    Scheduled(Schedule),
    /// `auto`.
    Auto,
}

/// The scheduled modes.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// `every D`.
    Every(DurationTok),
    /// `hourly [at :MM]`.
    Hourly(Option<MinuteTok>),
    /// `daily at HH:MM, …`.
    Daily(Vec<TimeOfDayTok>),
    /// `weekly on DAY, … at HH:MM, …`.
    Weekly(Vec<Word<Weekday>>, Vec<TimeOfDayTok>),
    /// `monthly on N, … at HH:MM, …`.
    Monthly(Vec<Int>, Vec<TimeOfDayTok>),
    /// `cron "…"`.
    Cron(Str),
}

/// `test STRING { }`.
#[derive(Debug, Clone, PartialEq)]
pub struct TestItem {
    /// The keyword.
    pub keyword: Span,
    /// The title.
    pub title: Str,
    /// From `{` to `}`.
    pub body: Span,
    /// The clauses.
    pub clauses: Vec<Clause<TestClause>>,
}

/// A record form in a test: `{ FIELD = value, … }`.
#[derive(Debug, Clone, PartialEq)]
pub struct TestRecord {
    /// From `{` to `}`.
    pub span: Span,
    /// The fields.
    pub fields: Vec<(Name, TestValue)>,
}

/// A value in a test.
#[derive(Debug, Clone, PartialEq)]
pub enum TestValue {
    /// A string.
    Str(Str),
    /// `true` or `false`.
    Bool(Word<bool>),
    /// An integer or a decimal, `-` included.
    Number(Number),
    /// An enum value.
    Name(Name),
    /// `[value, …]` with its place.
    List(Span, Vec<TestValue>),
    /// `absent`, with its place.
    Absent(Span),
}

/// Clauses of `test`.
#[derive(Debug, Clone, PartialEq)]
pub enum TestClause {
    /// `start STRING`.
    Start(Str),
    /// `given ENTITY STRING { … } in SYSTEM, …`.
    Given(Name, Str, TestRecord, Vec<Name>),
    /// `at D SYSTEM sets ENTITY STRING { … }`.
    Sets(DurationTok, Name, Name, Str, TestRecord),
    /// `at D SYSTEM deletes ENTITY STRING`.
    Deletes(DurationTok, Name, Name, Str),
    /// `at D SYSTEM down for D`.
    Down(DurationTok, Name, DurationTok),
    /// ``at D event SYSTEM.EVENT `CEL map` ``.
    Event(DurationTok, Name, Name, Expr),
    /// `expect at D ENTITY STRING in SYSTEM { … }`.
    Expect(DurationTok, Name, Str, Name, TestRecord),
    /// `expect at D ENTITY STRING in SYSTEM absent`.
    ExpectAbsent(DurationTok, Name, Str, Name),
    /// `expect calls SYSTEM <= INT`.
    ExpectCalls(Name, Int),
    /// `expect dead_letters <= INT`.
    ExpectDeadLetters(Int),
    /// `allow …`.
    Allow(Allow),
}
