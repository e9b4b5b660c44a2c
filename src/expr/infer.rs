//! Types from the bottom up over literals, fields, operators and standard functions; silent where
//! it cannot tell.

mod unquoted;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};

use super::locate::{Part, Trouble};
use super::signatures::{self, Found};
use super::{Instead, Kind, Scope};
use crate::text::nearest;

/// The kind of an expression's value, and what does not fit in it.
pub(super) fn infer(root: &IdedExpr, scope: Scope<'_>) -> (Kind, Vec<Trouble>) {
    let mut walk = Walk {
        scope,
        bound: Vec::new(),
        path: Vec::new(),
        troubles: Vec::new(),
    };
    let kind = walk.kind(root);
    (kind, walk.troubles)
}

struct Walk<'a> {
    scope: Scope<'a>,
    /// Names that macros bind, innermost last.
    bound: Vec<(String, Kind)>,
    path: Vec<u32>,
    troubles: Vec<Trouble>,
}

/// How many words of an enum a help names.
const SHOWN_WORDS: usize = 8;

/// Names of types, which `type(x) == int` compares with.
const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
    "timestamp",
    "duration",
    "google",
    "optional_type",
];

/// The words of an enum as an expression writes them, not too many.
fn shown(words: &[String]) -> String {
    let known: Vec<String> = words
        .iter()
        .take(SHOWN_WORDS)
        .map(|w| format!("`\"{w}\"`"))
        .collect();
    let more = match words.len() > SHOWN_WORDS {
        true => ", …",
        false => "",
    };
    format!("{}{more}", known.join(", "))
}

impl Walk<'_> {
    fn trouble(&mut self, part: Part, message: String, help: Option<String>) {
        self.troubles.push(Trouble {
            path: self.path.clone(),
            part,
            message,
            help,
            instead: None,
        });
    }

    /// The same, where another word in its place is plainly what was meant.
    fn misspelt(&mut self, part: Part, message: String, meant: &str) {
        self.troubles.push(Trouble {
            path: self.path.clone(),
            part,
            message,
            help: Some(format!("write `{meant}`")),
            instead: Some(Instead::plain(meant)),
        });
    }

    fn child(&mut self, index: usize, node: &IdedExpr) -> Kind {
        self.path.push(index as u32);
        let kind = self.kind(node);
        self.path.pop();
        kind
    }

    fn kind(&mut self, node: &IdedExpr) -> Kind {
        match &node.expr {
            Expr::Unspecified => Kind::Any,
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Kind::Bool,
                LiteralValue::Bytes(_) => Kind::Bytes,
                LiteralValue::Double(_) => Kind::Double,
                LiteralValue::Int(_) => Kind::Int,
                LiteralValue::Null => Kind::Null,
                LiteralValue::String(_) => Kind::Text,
                LiteralValue::UInt(_) => Kind::Uint,
            },
            Expr::Ident(name) => self.ident(name),
            Expr::Select(select) => {
                if let Some(kind) = self.field(&select.operand, &select.field) {
                    return if select.test { Kind::Bool } else { kind };
                }
                match self.child(0, &select.operand) {
                    Kind::Any | Kind::Map if select.test => Kind::Bool,
                    Kind::Any | Kind::Map => Kind::Any,
                    other => {
                        let message = format!("{} has no `.{}`", other.describe(), select.field);
                        self.trouble(Part::Whole, message, None);
                        Kind::Any
                    }
                }
            }
            Expr::List(list) => {
                let mut of: Option<Kind> = None;
                for (i, element) in list.elements.iter().enumerate() {
                    let kind = self.child(i, element);
                    of = Some(match of {
                        None => kind,
                        Some(k) if k == kind => k,
                        Some(_) => Kind::Any,
                    });
                }
                Kind::List(Box::new(of.unwrap_or(Kind::Any)))
            }
            Expr::Map(map) => {
                let parts = map.entries.iter().flat_map(|e| match &e.expr {
                    EntryExpr::MapEntry(e) => vec![&e.key, &e.value],
                    EntryExpr::StructField(f) => vec![&f.value],
                });
                for (i, part) in parts.enumerate() {
                    self.child(i, part);
                }
                Kind::Map
            }
            Expr::Struct(_) => {
                self.trouble(Part::Whole, "messages cannot be built here".into(), None);
                Kind::Any
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Call(call) => self.call(call),
        }
    }

    fn is_record(&self, name: &str) -> bool {
        matches!(self.scope, Scope::Record { name: record, .. } if record == name)
            && !self.bound.iter().any(|(n, _)| n == name)
    }

    /// The kind of a field of the record, where that is what is selected.
    fn field(&self, operand: &IdedExpr, field: &str) -> Option<Kind> {
        match (&operand.expr, self.scope) {
            (Expr::Ident(name), Scope::Record { field: kind_of, .. }) if self.is_record(name) => {
                Some(kind_of(field).unwrap_or(Kind::Any))
            }
            _ => None,
        }
    }

    /// The field of the record that a node is, and its words.
    fn words(&self, node: &IdedExpr) -> Option<(String, Vec<String>)> {
        let Scope::Record { words, .. } = self.scope else {
            return None;
        };
        let (operand, field) = match &node.expr {
            Expr::Select(select) if !select.test => (&*select.operand, select.field.as_str()),
            Expr::Call(call) => match (call.func_name.as_str(), &call.args[..]) {
                (operators::INDEX, [operand, index]) => match &index.expr {
                    Expr::Literal(LiteralValue::String(field)) => (operand, field.inner()),
                    _ => return None,
                },
                _ => return None,
            },
            _ => return None,
        };
        match &operand.expr {
            Expr::Ident(name) if self.is_record(name) => {
                Some((format!("{name}.{field}"), words(field)?.to_vec()))
            }
            _ => None,
        }
    }

    /// What a comparison with a text gets wrong.
    fn compared(&mut self, call: &CallExpr, kinds: &[Kind]) {
        if call.target.is_none() {
            self.compared_words(call);
            self.unquoted(call, kinds);
        }
    }

    /// A field of words that is compared with a text that is none of them: never equal.
    fn compared_words(&mut self, call: &CallExpr) {
        let (field, other) = match (call.func_name.as_str(), &call.args[..]) {
            (operators::EQUALS | operators::NOT_EQUALS, [a, b]) => {
                match (self.words(a), self.words(b)) {
                    (Some(field), None) => (field, (1, b)),
                    (None, Some(field)) => (field, (0, a)),
                    _ => return,
                }
            }
            (operators::IN, [a, b]) => match self.words(a) {
                Some(field) => (field, (1, b)),
                None => return,
            },
            _ => return,
        };
        let (index, node) = other;
        self.path.push(index);
        match &node.expr {
            Expr::List(list) if call.func_name == operators::IN => {
                for (i, element) in list.elements.iter().enumerate() {
                    self.path.push(i as u32);
                    self.is_word(&field, element);
                    self.path.pop();
                }
            }
            _ => self.is_word(&field, node),
        }
        self.path.pop();
    }

    fn is_word(&mut self, (field, words): &(String, Vec<String>), node: &IdedExpr) {
        let Expr::Literal(LiteralValue::String(text)) = &node.expr else {
            return;
        };
        let text = text.inner();
        if words.iter().any(|w| w == text) {
            return;
        }
        let message = format!("`{field}` is never `\"{text}\"`");
        match nearest(text, words.iter().map(String::as_str)) {
            Some(near) => self.misspelt(Part::Whole, message, &format!("\"{near}\"")),
            None => {
                let known = shown(words);
                let help =
                    format!("write a value of its enum, whatever a system calls it: {known}");
                self.trouble(Part::Whole, message, Some(help));
            }
        }
    }

    fn ident(&mut self, name: &str) -> Kind {
        if let Some((_, kind)) = self.bound.iter().rev().find(|(n, _)| n == name) {
            return kind.clone();
        }
        if self.is_record(name) {
            let message = format!("`{name}` is the whole record");
            let help = format!("name one of its fields, `{name}.FIELD`");
            self.trouble(Part::Whole, message, Some(help));
            return Kind::Any;
        }
        if let Some(kind) = self.lacks_record(name) {
            return kind;
        }
        match self.scope {
            Scope::Variable { name: known, kind } if known == name => kind.clone(),
            _ if name.starts_with('@') => Kind::Any,
            _ if TYPES.contains(&name) => {
                if name == "google" {
                    Kind::Any
                } else {
                    Kind::Type
                }
            }
            Scope::Variable { name: known, .. } if nearest(name, [known]).is_some() => {
                self.misspelt(Part::Whole, format!("`{name}` is not known here"), known);
                Kind::Any
            }
            scope => {
                let help = match scope {
                    Scope::Record { name, .. } => format!("fields are written `{name}.FIELD`"),
                    Scope::Variable { name: known, .. } => format!("only `{known}` is known here"),
                    Scope::Nothing => "only literals and functions can stand here".into(),
                };
                self.trouble(
                    Part::Whole,
                    format!("`{name}` is not known here"),
                    Some(help),
                );
                Kind::Any
            }
        }
    }

    /// The kind of a field that is named without its record, which is told.
    fn lacks_record(&mut self, name: &str) -> Option<Kind> {
        let Scope::Record {
            name: record,
            field,
            ..
        } = self.scope
        else {
            return None;
        };
        let kind = field(name).filter(|_| !TYPES.contains(&name))?;
        let meant = format!("{record}.{name}");
        self.misspelt(Part::Whole, format!("`{name}` is not known here"), &meant);
        Some(kind)
    }

    fn comprehension(&mut self, c: &ComprehensionExpr) -> Kind {
        let member = match self.child(0, &c.iter_range) {
            Kind::List(of) => *of,
            Kind::Any | Kind::Map => Kind::Any,
            other => {
                let message = format!("{} has no members to go through", other.describe());
                self.path.push(0);
                self.trouble(Part::Whole, message, None);
                self.path.pop();
                Kind::Any
            }
        };
        let start = self.child(1, &c.accu_init);
        let outer = self.bound.len();
        self.bound.push((c.iter_var.clone(), member));
        if let Some(second) = &c.iter_var2 {
            self.bound.push((second.clone(), Kind::Any));
        }
        self.bound.push((c.accu_var.clone(), start));
        self.child(2, &c.loop_cond);
        let step = self.child(3, &c.loop_step);
        // The accumulator is the last: inner macros have taken theirs off again.
        if let Some(accumulator) = self.bound.last_mut() {
            accumulator.1 = step;
        }
        let result = self.child(4, &c.result);
        self.bound.truncate(outer);
        result
    }

    fn call(&mut self, call: &CallExpr) -> Kind {
        // `record["field"]` reads a field, other ways to index a record cannot be followed.
        if let (operators::INDEX, [operand, index]) = (call.func_name.as_str(), &call.args[..])
            && let Expr::Literal(LiteralValue::String(field)) = &index.expr
            && let Some(kind) = self.field(operand, field.inner())
        {
            return kind;
        }
        if call.func_name == "quote"
            && call
                .target
                .as_ref()
                .is_some_and(|t| t.expr == Expr::Ident("strings".into()))
        {
            return Kind::Text;
        }
        let parts = call.target.as_deref().into_iter().chain(&call.args);
        let kinds: Vec<Kind> = parts
            .enumerate()
            .map(|(i, part)| self.child(i, part))
            .collect();
        self.compared(call, &kinds);
        if let Some(kind) = self.operator(&call.func_name, &kinds) {
            return kind;
        }
        let name = call.func_name.as_str();
        let member = call.target.is_some();
        match signatures::find(name, member, &kinds) {
            Found::Gives(kind) => kind,
            Found::NoFunction => {
                let message = format!("there is no function `{name}`");
                let near = nearest(name, signatures::names(member));
                match (signatures::exists(name, !member), near) {
                    (true, _) => {
                        let help = match member {
                            true => format!("write `{name}(…)`"),
                            false => format!("write `value.{name}(…)`"),
                        };
                        self.trouble(Part::Name, message, Some(help));
                    }
                    (false, Some(near)) => self.misspelt(Part::Name, message, near),
                    (false, None) => self.trouble(Part::Name, message, None),
                }
                Kind::Any
            }
            Found::NoOverload => {
                let (on, with) = match (member, kinds.split_first()) {
                    (true, Some((on, with))) => (format!(" on {}", on.describe()), with),
                    _ => (String::new(), &kinds[..]),
                };
                let message = match with {
                    [] if member => format!("`{name}` cannot be called{on}"),
                    [] => format!("`{name}` needs something to work on"),
                    with => format!("`{name}`{on} does not take {}", list(with)),
                };
                self.trouble(Part::Name, message, None);
                Kind::Any
            }
        }
    }

    /// The kind an operator gives; `None`: it is no operator.
    fn operator(&mut self, name: &str, kinds: &[Kind]) -> Option<Kind> {
        let (sign, kind) = match (name, kinds) {
            (operators::CONDITIONAL, [condition, a, b]) => {
                self.wants_bool(0, condition, "the condition before `?`");
                let kind = if a == b { a.clone() } else { Kind::Any };
                return Some(kind);
            }
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [a, b]) => {
                let sign = if name == operators::LOGICAL_AND {
                    "&&"
                } else {
                    "||"
                };
                self.wants_bool(0, a, &format!("`{sign}` takes bools, and this"));
                self.wants_bool(1, b, &format!("`{sign}` takes bools, and this"));
                return Some(Kind::Bool);
            }
            (operators::LOGICAL_NOT, [a]) => {
                self.wants_bool(0, a, "`!` takes a bool, and this");
                return Some(Kind::Bool);
            }
            (operators::NOT_STRICTLY_FALSE, [_]) => return Some(Kind::Bool),
            (operators::NEGATE, [a]) => match a {
                Kind::Any | Kind::Int | Kind::Double => return Some(a.clone()),
                _ => ("-", None),
            },
            (operators::EQUALS, [a, b]) => ("==", comparable(a, b)),
            (operators::NOT_EQUALS, [a, b]) => ("!=", comparable(a, b)),
            (operators::LESS, [a, b]) => ("<", ordered(a, b)),
            (operators::LESS_EQUALS, [a, b]) => ("<=", ordered(a, b)),
            (operators::GREATER, [a, b]) => (">", ordered(a, b)),
            (operators::GREATER_EQUALS, [a, b]) => (">=", ordered(a, b)),
            (operators::IN, [_, b]) => (
                "in",
                matches!(b, Kind::Any | Kind::List(_) | Kind::Map).then_some(Kind::Bool),
            ),
            (operators::INDEX, [a, _]) => (
                "[…]",
                match a {
                    Kind::List(of) => Some((**of).clone()),
                    Kind::Any | Kind::Map => Some(Kind::Any),
                    _ => None,
                },
            ),
            (operators::ADD, [a, b]) => ("+", sum(a, b)),
            (operators::SUBSTRACT, [a, b]) => ("-", difference(a, b)),
            (operators::MULTIPLY, [a, b]) => ("*", product(a, b)),
            (operators::DIVIDE, [a, b]) => ("/", product(a, b)),
            (operators::MODULO, [a, b]) => ("%", product(a, b).filter(|k| *k != Kind::Double)),
            (operators::OPT_SELECT | operators::OPT_INDEX, _) => return Some(Kind::Any),
            _ => return None,
        };
        if let Some(kind) = kind {
            return Some(kind);
        }
        let mut help = None;
        if let [a, b] = kinds {
            if a.is_number() && b.is_number() {
                help = Some("make both sides one kind, as in `double(x)` or `1.0`".to_owned());
            } else if *a == Kind::Text || *b == Kind::Text {
                help = Some("make both sides strings with `string(…)`".to_owned());
            }
        }
        let message = format!("`{sign}` does not take {}", list(kinds));
        self.trouble(Part::Whole, message, help);
        Some(Kind::Any)
    }

    fn wants_bool(&mut self, index: u32, kind: &Kind, what: &str) {
        if !matches!(kind, Kind::Bool | Kind::Any) {
            self.path.push(index);
            self.trouble(Part::Whole, format!("{what} is {}", kind.describe()), None);
            self.path.pop();
        }
    }
}

fn list(kinds: &[Kind]) -> String {
    let words: Vec<&str> = kinds.iter().map(Kind::describe).collect();
    words.join(" and ")
}

fn comparable(a: &Kind, b: &Kind) -> Option<Kind> {
    (a.agrees(b) || (a.is_number() && b.is_number())).then_some(Kind::Bool)
}

fn ordered(a: &Kind, b: &Kind) -> Option<Kind> {
    use Kind::{Any, Bool, Bytes, Double, Duration, Int, Text, Time, Uint};
    let has_order = |k: &Kind| {
        matches!(
            k,
            Any | Bool | Bytes | Double | Duration | Int | Text | Time | Uint
        )
    };
    (has_order(a) && has_order(b))
        .then(|| comparable(a, b))
        .flatten()
}

fn sum(a: &Kind, b: &Kind) -> Option<Kind> {
    use Kind::{Any, Bytes, Double, Duration, Int, List, Text, Time, Uint};
    match (a, b) {
        (Time, Duration) | (Duration, Time) => Some(Time),
        (Any, Any | Duration | Time) | (Duration | Time, Any) => Some(Any),
        (Any, Int | Uint | Double | Text | Bytes) => Some(b.clone()),
        (Int | Uint | Double | Text | Bytes, Any) => Some(a.clone()),
        (List(_), Any) | (Any, List(_)) => Some(List(Box::new(Any))),
        (List(x), List(y)) => Some(List(if x == y { x.clone() } else { Box::new(Any) })),
        (Int | Uint | Double | Text | Bytes | Duration, _) if a == b => Some(a.clone()),
        _ => None,
    }
}

fn difference(a: &Kind, b: &Kind) -> Option<Kind> {
    use Kind::{Any, Double, Duration, Int, Time, Uint};
    match (a, b) {
        (Time, Time) => Some(Duration),
        (Time, Duration) => Some(Time),
        (Any, Any | Duration | Time) | (Time | Duration, Any) => Some(Any),
        (Any, Int | Uint | Double) => Some(b.clone()),
        (Int | Uint | Double, Any) => Some(a.clone()),
        (Int | Uint | Double | Duration, _) if a == b => Some(a.clone()),
        _ => None,
    }
}

fn product(a: &Kind, b: &Kind) -> Option<Kind> {
    use Kind::{Any, Double, Int, Uint};
    match (a, b) {
        (Any, Any) => Some(Any),
        (Any, Int | Uint | Double) => Some(b.clone()),
        (Int | Uint | Double, Any) => Some(a.clone()),
        (Int | Uint | Double, _) if a == b => Some(a.clone()),
        _ => None,
    }
}
