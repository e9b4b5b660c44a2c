//! Makes a parsed expression fast: fields become slots, literal patterns ready regexes.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};

use super::Scope;
use super::eval::Pattern;
use super::locate::{Part, Trouble};

/// Prefix of the name that stands for a field's value; the slot's number follows. `@` and what
/// follows it can be no name of the author's.
pub(super) const FIELD: &str = "@f";
/// Prefix of the name that stands for whether a field is there.
pub(super) const PRESENT: &str = "@h";
/// Prefix of the name that stands for a pattern.
pub(super) const PATTERN: &str = "@p";
/// The function that matches with a ready pattern.
pub(super) const MATCHES: &str = "@matches";

#[derive(Default)]
pub(super) struct Rewritten {
    pub(super) fields: Vec<String>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) troubles: Vec<Trouble>,
}

pub(super) fn rewrite(root: &mut IdedExpr, scope: Scope<'_>) -> Rewritten {
    let mut work = Work {
        record: match scope {
            Scope::Record { name, .. } => Some(name),
            Scope::Variable { .. } | Scope::Nothing => None,
        },
        shadowed: 0,
        path: Vec::new(),
        done: Rewritten::default(),
    };
    work.visit(root);
    work.done
}

struct Work<'a> {
    record: Option<&'a str>,
    /// How many macros around bind the record's name.
    shadowed: usize,
    path: Vec<u32>,
    done: Rewritten,
}

impl Work<'_> {
    fn child(&mut self, index: usize, node: &mut IdedExpr) {
        self.path.push(index as u32);
        self.visit(node);
        self.path.pop();
    }

    fn is_record(&self, node: &IdedExpr) -> bool {
        self.shadowed == 0
            && matches!((&node.expr, self.record), (Expr::Ident(n), Some(r)) if n == r)
    }

    fn slot(&mut self, field: &str) -> usize {
        match self.done.fields.iter().position(|f| f == field) {
            Some(slot) => slot,
            None => {
                self.done.fields.push(field.to_owned());
                self.done.fields.len() - 1
            }
        }
    }

    fn visit(&mut self, node: &mut IdedExpr) {
        if let Expr::Select(select) = &node.expr
            && self.is_record(&select.operand)
        {
            let (field, test) = (select.field.clone(), select.test);
            let slot = self.slot(&field);
            let prefix = if test { PRESENT } else { FIELD };
            node.expr = Expr::Ident(format!("{prefix}{slot}"));
            return;
        }
        match &mut node.expr {
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(c) => {
                self.child(0, &mut c.iter_range);
                self.child(1, &mut c.accu_init);
                let binds = self
                    .record
                    .is_some_and(|r| c.iter_var == r || c.iter_var2.as_deref() == Some(r));
                self.shadowed += usize::from(binds);
                self.child(2, &mut c.loop_cond);
                self.child(3, &mut c.loop_step);
                self.child(4, &mut c.result);
                self.shadowed -= usize::from(binds);
            }
            Expr::List(list) => {
                for (i, element) in list.elements.iter_mut().enumerate() {
                    self.child(i, element);
                }
            }
            Expr::Map(map) => {
                let mut at = 0;
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        self.child(at, &mut entry.key);
                        self.child(at + 1, &mut entry.value);
                        at += 2;
                    }
                }
            }
            Expr::Select(select) => self.child(0, &mut select.operand),
            Expr::Struct(_) | Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
        self.index(node);
    }

    /// `record["field"]`, which the walk over the call has left as it was.
    fn index(&mut self, node: &mut IdedExpr) {
        let Expr::Call(call) = &node.expr else { return };
        let [operand, index] = &call.args[..] else {
            return;
        };
        if call.func_name != operators::INDEX || !self.is_record(operand) {
            return;
        }
        if let Expr::Literal(LiteralValue::String(field)) = &index.expr {
            let field = field.inner().to_owned();
            let slot = self.slot(&field);
            node.expr = Expr::Ident(format!("{FIELD}{slot}"));
        }
    }

    fn call(&mut self, call: &mut CallExpr) {
        let offset = usize::from(call.target.is_some());
        if let Some(target) = call.target.as_deref_mut() {
            self.child(0, target);
        }
        for (i, arg) in call.args.iter_mut().enumerate() {
            self.child(i + offset, arg);
        }
        let parts = offset + call.args.len();
        if call.func_name != "matches" || parts != 2 {
            return;
        }
        let Some(Expr::Literal(LiteralValue::String(pattern))) = call.args.last().map(|a| &a.expr)
        else {
            return;
        };
        match regex::Regex::new(pattern.inner()) {
            Ok(regex) => {
                self.done.patterns.push(Pattern(regex));
                let number = self.done.patterns.len() - 1;
                call.func_name = MATCHES.to_owned();
                if let Some(last) = call.args.last_mut() {
                    last.expr = Expr::Ident(format!("{PATTERN}{number}"));
                }
                if let Some(target) = call.target.take() {
                    call.args.insert(0, *target);
                }
            }
            Err(error) => {
                let mut path = self.path.clone();
                path.push(1);
                self.done.troubles.push(Trouble {
                    path,
                    part: Part::Whole,
                    message: format!("the pattern is no regular expression: {}", why(&error)),
                    help: None,
                    instead: None,
                });
            }
        }
    }
}

/// The last line of a regex error says what is wrong; those before draw it.
fn why(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default().trim();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
