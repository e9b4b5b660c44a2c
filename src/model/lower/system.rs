//! `system` items.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::Lowering;
use super::items::Items;
use crate::catalog::Entry;
use crate::model::report::{Known, Missing, Twice, Unknown, duplicate, missing, unknown};
use crate::model::{
    Connector, Ident, Percent, Price, Rate, Said, Setting, SettingValue, System, SystemId,
};
use crate::syntax::literal;
use crate::syntax::tree::{
    self, Block, Clause, ConnectorRef, Item, Name, OptionValue, SystemClause,
};
use crate::text::Span;

/// Clauses that may stand more than once.
const MANY: &[&str] = &["limit", "option", "secret", "allow"];

impl<'a> Lowering<'a> {
    pub(super) fn system_items(&mut self, items: &Items<'a>) {
        for (item, block) in &items.systems {
            let id = SystemId(self.policy.systems.len() as u32);
            let named = self
                .policy
                .index
                .systems
                .get(self.spelt(block.name.0))
                .copied();
            // The second item of a name was reported and is passed over.
            if named == Some(id) {
                let system = self.system_item(id, item, block);
                self.policy.systems.push(system);
            }
        }
    }

    fn system_item(&mut self, id: SystemId, item: &Item, block: &'a Block<SystemClause>) -> System {
        let mut read = self.read_clauses(&block.clauses, MANY, |_| None);
        self.note_cut(item, &mut read);
        let mut system = System {
            id,
            name: self.ident(block.name),
            doc: item.doc,
            span: item.span,
            connector: None,
            tier: None,
            seats: None,
            budget: None,
            limits: Vec::new(),
            price: None,
            failure: None,
            latency: None,
            options: Vec::new(),
            secrets: Vec::new(),
            cleared: None,
            broken: read.is_broken(),
        };
        let mut tier = None;
        let mut has_connector = read.is_broken();
        for (clause, kind) in read.clauses {
            match kind {
                SystemClause::Connector(connector) => {
                    has_connector = true;
                    system.connector = self.connector(clause.span, *connector);
                }
                SystemClause::Tier(name) => tier = Some((clause.span, *name)),
                other => self.system_clause(&mut system, clause, other),
            }
        }
        if !has_connector {
            self.report(missing(
                Missing::Connector,
                &system.name.text,
                system.name.span,
            ));
        }
        if let Some((clause, name)) = tier {
            system.tier = self.tier(clause, name, system.connector.as_ref());
        }
        system
    }

    fn system_clause(
        &mut self,
        system: &mut System,
        clause: &Clause<SystemClause>,
        kind: &'a SystemClause,
    ) {
        let said = |span: Span| (clause.span, span);
        match kind {
            SystemClause::Connector(_) | SystemClause::Tier(_) => {}
            SystemClause::Seats(seats) => {
                let value = self.positive(*seats, "the number of seats");
                system.seats = value.map(|v| of(said(seats.0), v));
            }
            SystemClause::Budget(percent) => {
                system.budget = self.budget(*percent).map(|v| of(said(percent.0), v));
            }
            SystemClause::Limit(rate) => {
                system
                    .limits
                    .extend(self.limit(*rate).map(|v| of(said(rate.0), v)));
            }
            SystemClause::Price(money, calls) => {
                let amount = self.money(*money);
                let count = match calls {
                    Some(calls) => self.positive(*calls, "the number of calls"),
                    None => Some(1),
                };
                let span = money.amount.0.to(money.currency.0);
                system.price = amount
                    .zip(count)
                    .map(|(amount, calls)| of(said(span), Price { amount, calls }));
            }
            SystemClause::Failure(percent) => {
                system.failure = self.failure(*percent).map(|v| of(said(percent.0), v));
            }
            SystemClause::Latency(duration) => {
                system.latency = self.duration(*duration).map(|d| of(said(d.span), d.value));
            }
            SystemClause::Option(name, value) => {
                let setting = self.setting("option", clause.span, *name, *value, &system.options);
                system.options.extend(setting);
            }
            SystemClause::Secret(name, value) => {
                let setting = self.setting("secret", clause.span, *name, *value, &system.secrets);
                system.secrets.extend(setting);
            }
            SystemClause::Cleared(classes) => {
                self.cleared.push((system.id, clause.span, classes));
            }
            SystemClause::Allow(allow) => self.allow(allow, Some(system.span)),
        }
    }

    fn budget(&mut self, token: tree::Percent) -> Option<Percent> {
        let percent = self.percent(token)?;
        if percent.0 == Decimal::ZERO {
            let help = "write the share of the quota that this policy may use";
            self.bad(token.0, "a budget of nothing allows no call", help);
            return None;
        }
        Some(percent)
    }

    fn failure(&mut self, token: tree::Percent) -> Option<Percent> {
        let percent = self.percent(token)?;
        if percent.0 >= Decimal::ONE_HUNDRED {
            let help = "write the expected share of failures, as in `0.5%`";
            self.bad(token.0, "where every call fails nothing ever arrives", help);
            return None;
        }
        Some(percent)
    }

    fn limit(&mut self, token: tree::Rate) -> Option<Rate> {
        let rate = self.rate(token)?;
        if rate.count == 0 {
            let help = "write how many calls are allowed, as in `100/10s`";
            self.bad(token.0, "a limit of 0 allows no call", help);
            return None;
        }
        Some(rate)
    }

    fn connector(&mut self, clause: Span, connector: ConnectorRef) -> Option<Connector> {
        let (written, entry) = match connector {
            ConnectorRef::Name(name) => {
                let text = self.text(name.0);
                let entry = self.builtin(text);
                if entry.is_none() {
                    let known = self.catalog.names().map(|name| Known { name, at: None });
                    let help = "write the name of a built-in connector, or the path of an entry of \
                                your own in quotes";
                    let finding = unknown(
                        Unknown {
                            what: "connector",
                            name: text,
                            at: name.0,
                            otherwise: help,
                            quoted: false,
                        },
                        known,
                    );
                    self.report(finding);
                }
                (self.ident(name), entry)
            }
            ConnectorRef::Path(path) => {
                let written = self.filled(path, "the path of the connector")?;
                let entry = match self.own.get(&path.0) {
                    Some(Ok(entry)) => Some(entry.clone()),
                    Some(Err(why)) => {
                        let why = why.clone();
                        let help = "mend the entry; `syncline catalog check` says where";
                        self.bad(path.0, format!("the connector is no entry: {why}"), help);
                        None
                    }
                    None => {
                        let help = "write a path relative to this file, inside the repository";
                        let finding = unknown(
                            Unknown {
                                what: "connector file",
                                name: &written.text,
                                at: path.0,
                                otherwise: help,
                                quoted: true,
                            },
                            [],
                        );
                        self.report(finding);
                        None
                    }
                };
                (written, entry)
            }
        };
        Some(Connector {
            clause,
            written,
            entry,
        })
    }

    /// A built-in entry, copied out of the catalog once.
    fn builtin(&mut self, name: &'a str) -> Option<Arc<Entry>> {
        if let Some(entry) = self.entries.get(name) {
            return Some(entry.clone());
        }
        let entry = Arc::new(self.catalog.get(name)?.clone());
        self.entries.insert(name, entry.clone());
        Some(entry)
    }

    fn tier(
        &mut self,
        clause: Span,
        name: Name,
        connector: Option<&Connector>,
    ) -> Option<Said<Arc<str>>> {
        let entry = connector?.entry.as_ref()?;
        let text = self.text(name.0);
        if entry.tier(text).is_some() {
            return Some(of((clause, name.0), self.shared(text)));
        }
        let known = entry.tiers.iter().map(|t| Known {
            name: &t.name,
            at: None,
        });
        let names: Vec<String> = entry
            .tiers
            .iter()
            .map(|t| format!("`{}`", t.name))
            .collect();
        let help = match names.is_empty() {
            true => format!("remove the clause: `{}` has no tiers", entry.name),
            false => format!("the tiers of `{}` are {}", entry.name, names.join(", ")),
        };
        let finding = unknown(
            Unknown {
                what: "tier",
                name: text,
                at: name.0,
                otherwise: &help,
                quoted: false,
            },
            known,
        );
        let finding = match connector {
            Some(c) => finding.label(c.clause, format!("the connector is `{}`", c.written)),
            None => finding,
        };
        self.report(finding);
        None
    }

    fn setting(
        &mut self,
        what: &str,
        clause: Span,
        name: Name,
        value: OptionValue,
        others: &[Setting],
    ) -> Option<Setting> {
        let name = self.ident(name);
        if let Some(first) = others.iter().find(|s| s.name.text == name.text) {
            self.report(duplicate(Twice {
                what,
                name: &name.text,
                first: first.name.span,
                later: name.span,
                help: None,
                same: self.repetition(first.clause, clause),
            }));
            return None;
        }
        let (span, value) = match value {
            OptionValue::Str(s) => (s.0, self.string(s).map(|i| SettingValue::Text(i.text))),
            OptionValue::Int(i) => {
                let text = self.text(i.0);
                (
                    i.0,
                    self.value(i.0, literal::integer(text))
                        .map(SettingValue::Int),
                )
            }
            OptionValue::Bool(b) => (b.span, Some(SettingValue::Bool(b.value))),
            OptionValue::Duration(d) => (
                d.0,
                self.duration(d).map(|d| SettingValue::Duration(d.value)),
            ),
            OptionValue::Env(env) => (env.span, self.env(env).map(SettingValue::Env)),
        };
        Some(Setting {
            clause,
            name,
            span,
            value,
        })
    }

    /// `cleared` clauses, once every class is known.
    pub(super) fn cleared(&mut self) {
        for (id, clause, names) in std::mem::take(&mut self.cleared) {
            let mut classes: Vec<Ident> = Vec::new();
            for name in self.each_once(names) {
                let text = self.text(name.0);
                let known = matches!(text, "pii" | "consent") || self.class_names.contains(text);
                if known || self.policy.gaps.may_declare(text) {
                    classes.push(self.ident(name));
                    continue;
                }
                let built_in = ["consent", "pii"].map(|name| Known { name, at: None });
                let own = self.classes.iter().map(|c| Known {
                    name: &c.text,
                    at: Some(c.span),
                });
                let help =
                    format!("no field has `class {text}`: give one that class, or remove it");
                let finding = unknown(
                    Unknown {
                        what: "class",
                        name: text,
                        at: name.0,
                        otherwise: &help,
                        quoted: false,
                    },
                    built_in.into_iter().chain(own),
                );
                self.report(finding);
            }
            let span = match (names.first(), names.last()) {
                (Some(first), Some(last)) => first.0.to(last.0),
                _ => clause,
            };
            if let Some(system) = self.policy.systems.get_mut(id.index()) {
                system.cleared = Some(of((clause, span), classes));
            }
        }
    }
}

fn of<T>((clause, span): (Span, Span), value: T) -> Said<T> {
    Said {
        clause,
        span,
        value,
    }
}
