//! The `policy` item.

use std::sync::Arc;

use super::Lowering;
use super::items::Items;
use crate::model::Said;
use crate::model::report::{Known, Unknown, no_policy, second_policy, unknown};
use crate::syntax::literal;
use crate::syntax::tree::{Currency, PolicyClause, Str};
use crate::time::{Calendar, Zone};

impl<'a> Lowering<'a> {
    pub(super) fn policy_item(&mut self, items: &Items<'a>) {
        let Some(((item, block), later)) = items.policies.split_first() else {
            self.currency_lost = true;
            if !self.policy.gaps.policy && !self.policy.gaps.anything {
                let finding = no_policy(!self.sources.is_empty());
                self.report(finding);
            }
            return;
        };
        for (_, other) in later {
            let name = self.text(other.name.0);
            self.report(second_policy(name, other.name.0, block.name.0));
        }
        self.policy.name = Some(self.ident(block.name));
        self.policy.span = Some(item.span);
        self.policy.doc = item.doc;
        let read = self.read_clauses(&block.clauses, &["allow"], |_| None);
        self.currency_lost = read.lost("currency");
        // The currency first, since amounts are held to it; the zone before modes.
        for (_, kind) in &read.clauses {
            match kind {
                PolicyClause::Currency(currency) => self.currency(*currency),
                PolicyClause::Timezone(zone) => self.zone(*zone),
                _ => {}
            }
        }
        self.policy.calendar = Arc::new(Calendar::of_year(self.policy.zone, self.now));
        for (clause, kind) in read.clauses {
            match kind {
                PolicyClause::Currency(_) | PolicyClause::Timezone(_) => {}
                PolicyClause::Unsure(mode) => self.policy.unsure = self.mode(mode, false, None),
                PolicyClause::Upkeep(money) => {
                    self.policy.upkeep = self.money_per(*money).map(|m| Said {
                        clause: clause.span,
                        span: m.span,
                        value: m.value,
                    });
                }
                PolicyClause::Alert(env) => {
                    self.policy.alert = self.env(*env).map(|value| Said {
                        clause: clause.span,
                        span: env.span,
                        value,
                    });
                    if self.policy.alert.is_none() {
                        // It was meant to be there.
                        self.broken_clause(clause.span);
                    }
                }
                PolicyClause::Allow(allow) => self.allow(allow, None),
            }
        }
    }

    fn currency(&mut self, currency: Currency) {
        let text = self.text(currency.0);
        if self.value(currency.0, literal::currency(text)).is_some() {
            self.policy.currency = self.shared(text);
            self.policy.currency_span = Some(currency.0);
        } else {
            self.currency_lost = true;
        }
    }

    fn zone(&mut self, token: Str) {
        let Some(name) = self.string(token) else {
            return;
        };
        match Zone::parse(&name.text) {
            Ok(zone) => {
                self.policy.zone = zone;
                self.policy.zone_span = Some(token.0);
            }
            Err(_) => {
                let known = Zone::names().map(|name| Known { name, at: None });
                let help = "write a name of the IANA database, as in `\"Europe/Berlin\"`";
                let finding = unknown(
                    Unknown {
                        what: "time zone",
                        name: &name.text,
                        at: token.0,
                        otherwise: help,
                        quoted: true,
                    },
                    known,
                );
                self.report(finding);
            }
        }
    }
}
