//! A text that is compared with, written without its quotes: it reads as a name that is not known.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr, operators};

use super::{Walk, shown};
use crate::expr::{Instead, Kind, Scope};
use crate::text::nearest;

impl Walk<'_> {
    /// Offers quotes for each unknown name that a comparison with a text holds.
    pub(super) fn unquoted(&mut self, call: &CallExpr, kinds: &[Kind]) {
        let ([a, b], [of_a, of_b]) = (&call.args[..], kinds) else {
            return;
        };
        match call.func_name.as_str() {
            operators::EQUALS | operators::NOT_EQUALS => {
                self.offer_quotes(a, of_a, (&[1], b));
                self.offer_quotes(b, of_b, (&[0], a));
            }
            operators::IN => {
                let Expr::List(list) = &b.expr else {
                    return;
                };
                for (at, element) in list.elements.iter().enumerate() {
                    self.offer_quotes(a, of_a, (&[1, at as u32], element));
                }
            }
            _ => {}
        }
    }

    /// `text` is what a name is compared with, of a kind; the name stands on a way from here.
    fn offer_quotes(&mut self, text: &IdedExpr, kind: &Kind, (way, node): (&[u32], &IdedExpr)) {
        let Expr::Ident(name) = &node.expr else {
            return;
        };
        if *kind != Kind::Text || self.is_record(name) {
            return;
        }
        let words = self.words_of(text);
        let path = [&self.path[..], way].concat();
        let mut troubles = self.troubles.iter_mut().rev();
        let Some(trouble) = troubles.find(|t| t.path == path) else {
            return;
        };
        let quoted = |text: &str| format!("\"{text}\"");
        let has = |words: &Vec<String>| words.iter().any(|w| w == name);
        let (text, plain) = match &words {
            // A name of a field as well, which is what it was taken for.
            Some(words) if has(words) => (quoted(name), trouble.instead.is_none()),
            _ if trouble.instead.is_some() => return,
            Some(words) => match nearest(name, words.iter().map(String::as_str)) {
                Some(near) => (quoted(near), true),
                None => {
                    let known = shown(words);
                    trouble.help = Some(format!("write a value of its enum, in quotes: {known}"));
                    return;
                }
            },
            // It may also be a field whose record was forgotten, and whose name is misspelt.
            None => (quoted(name), false),
        };
        trouble.help = Some(format!("a text stands in quotes: write `{text}`"));
        trouble.instead = Some(Instead { text, plain });
    }

    /// The words of a field, also where its record was forgotten.
    fn words_of(&self, node: &IdedExpr) -> Option<Vec<String>> {
        match (&node.expr, self.scope) {
            (Expr::Ident(name), Scope::Record { words, .. }) => Some(words(name)?.to_vec()),
            _ => self.words(node).map(|(_, words)| words),
        }
    }
}
