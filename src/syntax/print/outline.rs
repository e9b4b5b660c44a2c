//! What the layout has to know of a tree: which lexemes make up which item, block and clause, and
//! which columns a clause takes part in.

use super::lexeme::Lexemes;
use crate::syntax::tree::*;
use crate::text::Span;

/// An item.
#[derive(Debug)]
pub(super) struct Item {
    /// Its first lexeme.
    pub first: usize,
    /// One past its last lexeme.
    pub end: usize,
    /// Its block; a `use` has none.
    pub body: Option<Body>,
    /// It could not be read: its white space stays.
    pub kept: bool,
}

/// Which kind of block, as far as the layout treats them differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    /// `map`.
    Map,
    /// `scenario`.
    Scenario,
    /// Any other.
    Other,
}

/// A block.
#[derive(Debug)]
pub(super) struct Body {
    /// Which kind.
    pub kind: BlockKind,
    /// The lexeme `{`.
    pub open: usize,
    /// The lexeme `}`.
    pub close: usize,
    /// Its clauses.
    pub parts: Vec<Part>,
}

/// A clause.
#[derive(Debug)]
pub(super) struct Part {
    /// Its keyword.
    pub first: usize,
    /// One past its last lexeme.
    pub end: usize,
    /// How it is laid out.
    pub shape: Shape,
}

/// How a clause is laid out.
#[derive(Debug)]
pub(super) enum Shape {
    /// A keyword and its arguments.
    Plain,
    /// A keyword alone.
    Bare,
    /// `key` and `field` of a map.
    Mapped,
    /// `field` of an entity: one past the last lexeme of its type, and where its clauses begin.
    Field {
        /// One past the type's last lexeme.
        type_end: usize,
        /// The keywords of its clauses.
        clauses: Vec<usize>,
    },
    /// `at` of a test, and whether a system stands after the time.
    Timed {
        /// Whether a system stands after the time.
        system: bool,
    },
    /// In no column.
    Free,
    /// A block.
    Block(Body),
    /// It could not be read, or the formatter is off: its white space stays.
    Kept,
}

/// The outline of a file; none where a span of the tree is no whole row of lexemes, which a sound
/// file never shows.
pub(super) fn outline(file: &File, lexemes: &Lexemes<'_>) -> Option<Vec<Item>> {
    file.items.iter().map(|i| item(i, lexemes)).collect()
}

fn item(item: &crate::syntax::tree::Item, lexemes: &Lexemes<'_>) -> Option<Item> {
    use BlockKind::{Map, Other, Scenario};
    let (first, end) = lexemes.of(item.span)?;
    let body = match &item.kind {
        ItemKind::Use(_) | ItemKind::Error { .. } => None,
        ItemKind::Policy(b) => body(Other, b.body, &b.clauses, lexemes),
        ItemKind::System(b) => body(Other, b.body, &b.clauses, lexemes),
        ItemKind::Entity(b) | ItemKind::Extend(b) => body(Other, b.body, &b.clauses, lexemes),
        ItemKind::Map(map) => body(Map, map.body, &map.clauses, lexemes),
        ItemKind::Scenario(s) => body(Scenario, s.body, &s.clauses, lexemes),
        ItemKind::Test(test) => body(Other, test.body, &test.clauses, lexemes),
    };
    let kept = body.is_none() && !matches!(item.kind, ItemKind::Use(_));
    Some(Item {
        first,
        end,
        body,
        kept,
    })
}

/// A block; none where its closing brace is missing.
fn body<C: Shaped>(
    kind: BlockKind,
    span: Span,
    clauses: &[Clause<C>],
    lexemes: &Lexemes<'_>,
) -> Option<Body> {
    let (open, end) = lexemes.of(span)?;
    let close = end - 1;
    let parts: Vec<Part> = clauses
        .iter()
        .map(|c| part(c, lexemes))
        .collect::<Option<_>>()?;
    let mine = parts.last().is_none_or(|last| last.end <= close);
    let whole = open < close && lexemes.str(open) == "{" && lexemes.str(close) == "}" && mine;
    whole.then_some(Body {
        kind,
        open,
        close,
        parts,
    })
}

fn part<C: Shaped>(clause: &Clause<C>, lexemes: &Lexemes<'_>) -> Option<Part> {
    let (first, end) = lexemes.of(clause.span)?;
    let shape = match &clause.kind {
        // A block looks after its own clauses; its comments may switch the formatter off.
        Some(kind) => kind.shape(lexemes).filter(|shape| {
            matches!(shape, Shape::Block(body) if !lexemes.is_off(first, body.open + 1))
                || !lexemes.is_off(first, end)
        }),
        None => None,
    };
    Some(Part {
        first,
        end,
        shape: shape.unwrap_or(Shape::Kept),
    })
}

/// A kind of clause that says how it is laid out.
trait Shaped {
    /// None: as it stands.
    fn shape(&self, _: &Lexemes<'_>) -> Option<Shape> {
        Some(Shape::Plain)
    }
}

impl Shaped for PolicyClause {}
impl Shaped for SystemClause {}
impl Shaped for CheckpointClause {}

impl Shaped for EntityClause {
    fn shape(&self, lexemes: &Lexemes<'_>) -> Option<Shape> {
        let EntityClause::Field(field) = self else {
            return Some(Shape::Plain);
        };
        if field.clauses.iter().any(|clause| clause.kind.is_none()) {
            return None;
        }
        let clauses = field
            .clauses
            .iter()
            .map(|clause| lexemes.starting(clause.span.start));
        Some(Shape::Field {
            type_end: lexemes.of(field.ty.span)?.1,
            clauses: clauses.collect::<Option<_>>()?,
        })
    }
}

impl Shaped for MapClause {
    fn shape(&self, _: &Lexemes<'_>) -> Option<Shape> {
        Some(match self {
            MapClause::Key(_) | MapClause::Field(_) => Shape::Mapped,
            MapClause::SameNames => Shape::Bare,
            _ => Shape::Plain,
        })
    }
}

impl Shaped for ScenarioClause {
    fn shape(&self, lexemes: &Lexemes<'_>) -> Option<Shape> {
        match self {
            ScenarioClause::Checkpoint(c) => {
                body(BlockKind::Other, c.body, &c.clauses, lexemes).map(Shape::Block)
            }
            _ => Some(Shape::Plain),
        }
    }
}

impl Shaped for TestClause {
    fn shape(&self, _: &Lexemes<'_>) -> Option<Shape> {
        Some(match self {
            TestClause::Sets(..) | TestClause::Deletes(..) | TestClause::Down(..) => {
                Shape::Timed { system: true }
            }
            TestClause::Event(..) => Shape::Timed { system: false },
            _ => Shape::Free,
        })
    }
}
