//! CEL expressions: compiling, what they read, their types, evaluation.
//!
//! Rank 1. May use `text`, `terms`, `value`. The rest of the house knows expressions only through
//! [`compile`], [`Program`] and [`Kind`]; the `cel` crate is named nowhere else. Knows nothing of
//! entities, scenarios or spans: places are byte offsets inside the expression's own text, without
//! its backticks.
//!
//! A program is compiled once and evaluated from any number of threads: what it reads of a record
//! is turned into numbered slots, and literal patterns into ready regular expressions, so that a
//! row costs neither a look-up by name nor a pattern's compilation.

mod convert;
mod eval;
mod infer;
mod kind;
mod locate;
mod rewrite;
mod signatures;
mod syntax;
mod tokens;

use std::ops::Range;

pub use convert::read_result;
pub use eval::{EvalError, Event, Input, Row};
pub use kind::Kind;

/// What an expression may name.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    /// The fields of a record, as `name.field`.
    Record {
        /// The record's name.
        name: &'a str,
        /// The kind of a field; `None`: not known (an unknown field too; the caller finds those
        /// in [`Compiled::reads`]).
        field: &'a dyn Fn(&str) -> Option<Kind>,
        /// The words that a field of words holds; `None`: it may hold any text.
        words: &'a dyn Fn(&str) -> Option<&'a [String]>,
    },
    /// One variable of one kind: `event`, `value`.
    Variable {
        /// Its name.
        name: &'a str,
        /// Its kind.
        kind: &'a Kind,
    },
    /// Nothing: literals and functions alone.
    Nothing,
}

/// Something wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: bytes of the expression's text.
    pub range: Range<usize>,
    /// What, in lower case without a full stop.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// What to put in its place, where what was meant can be told.
    pub instead: Option<Instead>,
}

/// What to put in the place of a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// The text.
    pub text: String,
    /// Whether nothing else can have been meant.
    pub plain: bool,
}

impl Instead {
    /// What was plainly meant.
    fn plain(text: impl Into<String>) -> Instead {
        Instead {
            text: text.into(),
            plain: true,
        }
    }
}

/// A field of the record that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// The field's name.
    pub field: String,
    /// The place of the field's name: bytes of the expression's text.
    pub range: Range<usize>,
}

/// What became of an expression.
#[derive(Debug)]
pub struct Compiled {
    /// The program; `None` where there is a fault.
    pub program: Option<Program>,
    /// What is wrong, in the order of the text.
    pub faults: Vec<Fault>,
    /// Every place where a field of the record is read, in the order of the text. Known even
    /// where a type does not fit.
    pub reads: Vec<Read>,
    /// The kind of its value, as far as it can be told.
    pub kind: Kind,
}

/// A compiled expression.
pub struct Program {
    root: cel::IdedExpr,
    fields: Vec<String>,
    patterns: Vec<eval::Pattern>,
    variable: Option<String>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program")
            .field("fields", &self.fields)
            .finish_non_exhaustive()
    }
}

impl Program {
    /// The fields it reads, each once; a [`Row`] answers by position in this list.
    pub fn fields(&self) -> &[String] {
        &self.fields
    }
}

/// The longest expression, in bytes; a longer one is a fault.
pub const MAX_BYTES: usize = 16 * 1024;

/// How deep an expression may nest; a deeper one is a fault. The evaluator is recursive and takes
/// some 25 KB of stack for a level in a build without optimisation; a thread may have only 2 MB.
pub const MAX_DEPTH: usize = 48;

/// Compiles an expression (the text between its backticks).
pub fn compile(text: &str, scope: Scope<'_>) -> Compiled {
    let mut compiled = Compiled {
        program: None,
        faults: Vec::new(),
        reads: Vec::new(),
        kind: Kind::Any,
    };
    let tokens = tokens::Tokens::new(text);
    let mut root = match syntax::parse(text, &tokens) {
        Ok(root) => root,
        Err(fault) => {
            compiled.faults.push(fault);
            return compiled;
        }
    };
    let name = match scope {
        Scope::Record { name, .. } => {
            compiled.reads = tokens.reads(name);
            Some(name)
        }
        Scope::Variable { name, .. } => Some(name),
        Scope::Nothing => None,
    };
    let (kind, troubles) = infer::infer(&root, scope);
    compiled.kind = kind;
    compiled.faults = locate::locate(text, &tokens, troubles);
    let rewritten = rewrite::rewrite(&mut root, scope);
    compiled
        .faults
        .extend(locate::locate(text, &tokens, rewritten.troubles));
    if compiled.faults.is_empty() {
        compiled.program = Some(Program {
            root,
            fields: rewritten.fields,
            patterns: rewritten.patterns,
            variable: name.map(str::to_owned),
        });
    }
    compiled.faults.sort_by_key(|f| f.range.start);
    compiled
}

#[cfg(test)]
mod tests;
