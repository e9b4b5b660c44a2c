//! Every span of a tree, to be moved: two trees of one meaning are equal once the spans of one are
//! moved to the other's text. A span left out here makes them differ, so that the proof fails
//! rather than passes.

use crate::syntax::tree::*;
use crate::text::Span;

/// A node whose spans can be moved.
pub(super) trait Spans {
    /// Moves every span.
    fn shift(&mut self, to: &mut impl FnMut(&mut Span));
}

impl Spans for Span {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        to(self);
    }
}

impl<T: Spans> Spans for Vec<T> {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        self.iter_mut().for_each(|node| node.shift(to));
    }
}

impl<T: Spans> Spans for Option<T> {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        if let Some(node) = self {
            node.shift(to);
        }
    }
}

impl<T: Spans> Spans for Box<T> {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        (**self).shift(to);
    }
}

impl<A: Spans, B: Spans> Spans for (A, B) {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        self.0.shift(to);
        self.1.shift(to);
    }
}

impl<T> Spans for Word<T> {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        to(&mut self.span);
    }
}

impl<C: Spans> Spans for Clause<C> {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        self.span.shift(to);
        self.keyword.shift(to);
        self.kind.shift(to);
    }
}

impl<C: Spans> Spans for Block<C> {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        self.keyword.shift(to);
        self.name.shift(to);
        self.body.shift(to);
        self.clauses.shift(to);
    }
}

// Tokens: their span is all they are.
macro_rules! tokens {
    ($($name:ident)*) => {$(
        impl Spans for $name {
            fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
                to(&mut self.0);
            }
        }
    )*};
}

tokens! {
    Name Str Expr Int Number Percent DurationTok TimeOfDayTok MinuteTok DateTok Rate Multiple
    Currency CheckName
}

// Nodes with the fields that hold spans.
macro_rules! nodes {
    ($($name:ident { $($field:ident)* })*) => {$(
        impl Spans for $name {
            fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
                $(self.$field.shift(to);)*
            }
        }
    )*};
}

nodes! {
    File { items comments }
    Comment { span }
    Item { span doc kind }
    Money { amount currency }
    MoneyRate { money unit }
    Env { span var default }
    Allow { span check reason until }
    Fresh { within systems }
    EntityVolume { records changes peak }
    FieldDecl { doc name ty clauses }
    TypeRef { span kind }
    MapItem { keyword entity system object body clauses }
    MapField { field column parts }
    ScenarioItem { keyword name title body clauses }
    Filter { expr passes }
    Sync { entity carried ends filter }
    Checkpoint { body clauses }
    Mode { span kind }
    TestItem { keyword title body clauses }
    TestRecord { span fields }
}

// Choices with the parts of each that hold spans.
macro_rules! choices {
    ($($name:ident { $($variant:ident($($part:ident)*))* })*) => {$(
        impl Spans for $name {
            fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
                match self {
                    $(Self::$variant($($part),*) => { $($part.shift(to);)* })*
                }
            }
        }
    )*};
}

choices! {
    OptionValue { Str(a) Int(a) Bool(a) Duration(a) Env(a) }
    PolicyClause { Timezone(a) Currency(a) Unsure(a) Upkeep(a) Alert(a) Allow(a) }
    ConnectorRef { Name(a) Path(a) }
    SystemClause {
        Connector(a) Tier(a) Seats(a) Budget(a) Limit(a) Price(a b) Failure(a) Latency(a)
        Option(a b) Secret(a b) Cleared(a) Allow(a)
    }
    Accepts { None(a) Systems(a) }
    EntityClause {
        Key(a) Volume(a) Owner(a) Accepts(a) Resolve(a) Fresh(a) Class(a) Field(a) Allow(a)
    }
    FieldClause {
        Owner(a) Accepts(a) Resolve(a) Fresh(a) Class(a) Changes(a) Derived(a) Allow(a)
    }
    MapPart { Values(a b) Read(a b) Write(a b) }
    Carried { All(a) Fields(a) }
    Ends { FromTo(a b) Between(a) }
    ScenarioClause {
        When(a b c) Sync(a) Clean(a b) Mode(a) Fresh(a) Stale(a b) Volume(a b) After(a)
        Window(a b c) Batch(a) Scan(a) Deletes(a) Priority(a) Retry(a b c) Breaker(a b) Order(a)
        Checkpoint(a) Allow(a)
    }
    CheckpointClause { Dedupe(a b) Require(a b) Guard(a b) Abort(a) Allow(a) }
    Schedule { Every(a) Hourly(a) Daily(a) Weekly(a b) Monthly(a b) Cron(a) }
    TestValue { Str(a) Bool(a) Number(a) Name(a) List(a b) Absent(a) }
    TestClause {
        Start(a) Given(a b c d) Sets(a b c d e) Deletes(a b c d) Down(a b c) Event(a b c d)
        Expect(a b c d e) ExpectAbsent(a b c d) ExpectCalls(a b) ExpectDeadLetters(a) Allow(a)
    }
}

impl Spans for ItemKind {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        match self {
            ItemKind::Use(path) => path.shift(to),
            ItemKind::Policy(block) => block.shift(to),
            ItemKind::System(block) => block.shift(to),
            ItemKind::Entity(block) | ItemKind::Extend(block) => block.shift(to),
            ItemKind::Map(map) => map.shift(to),
            ItemKind::Scenario(scenario) => scenario.shift(to),
            ItemKind::Test(test) => test.shift(to),
            ItemKind::Error { keyword, name } => {
                keyword.shift(to);
                name.shift(to);
            }
        }
    }
}

impl Spans for TypeKind {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        match self {
            TypeKind::Int(bounds) => bounds.shift(to),
            TypeKind::Decimal(precision, scale) => {
                precision.shift(to);
                scale.shift(to);
            }
            TypeKind::Text(longest) => longest.shift(to),
            TypeKind::Enum(values) => values.shift(to),
            TypeKind::Set(element) => element.shift(to),
            TypeKind::Bool
            | TypeKind::Email
            | TypeKind::Phone
            | TypeKind::Url
            | TypeKind::Date
            | TypeKind::Datetime
            | TypeKind::Json => {}
        }
    }
}

impl Spans for MapClause {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        match self {
            MapClause::Key(field) | MapClause::Field(field) => field.shift(to),
            MapClause::SameNames => {}
            MapClause::Cursor(column, overlap) => {
                column.shift(to);
                overlap.shift(to);
            }
            MapClause::ChangedAt(column) | MapClause::Deleted(column) => column.shift(to),
            MapClause::Allow(allow) => allow.shift(to),
        }
    }
}

impl Spans for ModeKind {
    fn shift(&mut self, to: &mut impl FnMut(&mut Span)) {
        match self {
            ModeKind::Hybrid(schedule) | ModeKind::Scheduled(schedule) => schedule.shift(to),
            ModeKind::Realtime | ModeKind::Auto => {}
        }
    }
}
