//! `allow`: which finding it accepts, and where.

use super::Lowering;
use crate::finding::{CODES, code_by_name};
use crate::model::report::{Known, Unknown, unknown};
use crate::model::{Allow, Ident, Spanned};
use crate::syntax::{literal, tree};
use crate::text::Span;

impl Lowering<'_> {
    /// `covers`: the block or field; `None`: the whole policy.
    pub(super) fn allow(&mut self, allow: &tree::Allow, covers: Option<Span>) {
        let at = allow.check.0;
        let name = self.text(at);
        let check = code_by_name(name);
        if check.is_none() {
            let codes: Vec<String> = CODES.iter().map(|c| c.code.to_string()).collect();
            let names = CODES.iter().map(|c| c.name);
            let known = names
                .chain(codes.iter().map(String::as_str))
                .map(|name| Known { name, at: None });
            let help = "write a check's code or name, as in `SL0204` or `urgent-on-schedule`";
            let finding = unknown(
                Unknown {
                    what: "check",
                    name,
                    at,
                    otherwise: help,
                    quoted: false,
                },
                known,
            );
            self.report(finding);
        }
        let reason = self.string(allow.reason).unwrap_or_else(|| Ident {
            span: allow.reason.0,
            text: "".into(),
        });
        if reason.text.trim().is_empty() {
            let message = format!("this `allow {name}` gives no reason");
            self.bad(
                reason.span,
                message,
                "say between the quotes why it is accepted",
            );
        }
        let until = allow.until.and_then(|date| {
            let text = self.text(date.0);
            let value = self.value(date.0, literal::date(text))?;
            Some(Spanned {
                span: date.0,
                value,
            })
        });
        let written = Ident {
            span: at,
            text: name.into(),
        };
        self.policy.allows.push(Allow {
            span: allow.span,
            written,
            check,
            reason,
            until,
            covers,
        });
    }
}
