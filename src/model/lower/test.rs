//! `test` items.

use std::collections::HashMap;
use std::sync::Arc;

use super::Lowering;
use super::expression::{Names, Want};
use super::items::Items;
use crate::model::report::{Twice, duplicate};
use crate::model::{
    EntityId, Ident, RecordRef, Said, Spanned, Step, StepKind, Test, TestId, TestRecord, TestValue,
    Uses,
};
use crate::syntax::tree::{self, Item, Name, Str, TestClause, TestItem};
use crate::text::Span;

/// Clauses that may stand more than once.
const MANY: &[&str] = &["given", "at", "expect", "allow"];

impl<'a> Lowering<'a> {
    pub(super) fn test_items(&mut self, items: &Items<'a>) {
        let mut titles: HashMap<Arc<str>, Span> = HashMap::new();
        for (item, test) in &items.tests {
            let title = self.string(test.title).unwrap_or_else(|| Ident {
                span: test.title.0,
                text: "".into(),
            });
            if let Some(first) = titles.get(&title.text) {
                self.report(duplicate(Twice {
                    what: "test",
                    name: &title.text,
                    first: *first,
                    later: title.span,
                    help: Some("give each test a title of its own".to_owned()),
                    same: None,
                }));
                continue;
            }
            titles.insert(title.text.clone(), title.span);
            let id = TestId(self.policy.tests.len() as u32);
            let test = self.test_item(id, title, item, test);
            self.policy.tests.push(test);
        }
    }

    fn test_item(&mut self, id: TestId, title: Ident, item: &Item, written: &'a TestItem) -> Test {
        let mut read = self.read_clauses(&written.clauses, MANY, |_| None);
        self.note_cut(item, &mut read);
        let mut test = Test {
            id,
            title,
            doc: item.doc,
            span: item.span,
            start: None,
            steps: Vec::new(),
            uses: Uses::default(),
            broken: read.is_broken(),
        };
        for (clause, kind) in read.clauses {
            match kind {
                TestClause::Start(token) => {
                    test.start = self.start(*token).map(|value| Said {
                        clause: clause.span,
                        span: token.0,
                        value,
                    });
                }
                TestClause::Allow(allow) => self.allow(allow, Some(item.span)),
                step => {
                    let (at, what) = self.step(step, &mut test.uses);
                    test.steps.extend(what.map(|what| Step {
                        clause: clause.span,
                        at: at.and_then(|at| self.duration(at)),
                        what,
                    }));
                }
            }
        }
        test.uses.tidy();
        test
    }

    fn start(&mut self, token: Str) -> Option<i64> {
        let text = self.string(token)?;
        match chrono::DateTime::parse_from_rfc3339(&text.text) {
            Ok(at) => Some(at.timestamp_micros()),
            Err(_) => {
                let message = format!("`{}` is no instant", text.text);
                self.bad(
                    token.0,
                    message,
                    "write RFC 3339, as in `2026-03-29T00:00:00+01:00`",
                );
                None
            }
        }
    }

    fn step(
        &mut self,
        clause: &'a TestClause,
        uses: &mut Uses,
    ) -> (Option<tree::DurationTok>, Option<StepKind>) {
        match clause {
            TestClause::Given(entity, key, values, systems) => {
                let record = self.record(*entity, *key, uses);
                let values = self.record_values(record.entity.id, values, uses);
                let systems = self.system_refs(systems);
                uses.systems.extend(systems.iter().filter_map(|s| s.id));
                let step = StepKind::Given {
                    record,
                    values,
                    systems,
                };
                (None, Some(step))
            }
            TestClause::Sets(at, system, entity, key, values) => {
                let system = self.used_system(*system, uses);
                let record = self.record(*entity, *key, uses);
                let values = self.record_values(record.entity.id, values, uses);
                let step = StepKind::Sets {
                    system,
                    record,
                    values,
                };
                (Some(*at), Some(step))
            }
            TestClause::Deletes(at, system, entity, key) => {
                let system = self.used_system(*system, uses);
                let record = self.record(*entity, *key, uses);
                (Some(*at), Some(StepKind::Deletes { system, record }))
            }
            TestClause::Down(at, system, lasts) => {
                let system = self.used_system(*system, uses);
                let lasts = self.duration(*lasts);
                (Some(*at), Some(StepKind::Down { system, lasts }))
            }
            TestClause::Event(at, system, event, payload) => {
                let system = self.used_system(*system, uses);
                let event = self.ident(*event);
                self.known_event(system.id, &event);
                let step = StepKind::Event {
                    system,
                    event,
                    payload: self.expression(*payload, Names::Nothing, "the event", Want::Map),
                };
                (Some(*at), Some(step))
            }
            expect => self.expectation(expect, uses),
        }
    }

    fn expectation(
        &mut self,
        clause: &'a TestClause,
        uses: &mut Uses,
    ) -> (Option<tree::DurationTok>, Option<StepKind>) {
        match clause {
            TestClause::Expect(at, entity, key, system, values) => {
                let record = self.record(*entity, *key, uses);
                let system = self.used_system(*system, uses);
                let values = self.record_values(record.entity.id, values, uses);
                let step = StepKind::Expect {
                    record,
                    system,
                    values,
                };
                (Some(*at), Some(step))
            }
            TestClause::ExpectAbsent(at, entity, key, system) => {
                let record = self.record(*entity, *key, uses);
                let system = self.used_system(*system, uses);
                (Some(*at), Some(StepKind::ExpectAbsent { record, system }))
            }
            TestClause::ExpectCalls(system, most) => {
                let system = self.used_system(*system, uses);
                let at_most = self.count(*most);
                (None, Some(StepKind::ExpectCalls { system, at_most }))
            }
            TestClause::ExpectDeadLetters(most) => {
                let at_most = self.count(*most);
                (None, Some(StepKind::ExpectDeadLetters { at_most }))
            }
            _ => (None, None),
        }
    }

    fn count(&mut self, token: tree::Int) -> Option<Spanned<u64>> {
        self.int(token).map(|value| Spanned {
            span: token.0,
            value,
        })
    }

    fn used_system(
        &mut self,
        name: Name,
        uses: &mut Uses,
    ) -> crate::model::Ref<crate::model::SystemId> {
        let system = self.system_ref(name);
        uses.systems.extend(system.id);
        system
    }

    fn record(&mut self, entity: Name, key: Str, uses: &mut Uses) -> RecordRef {
        let entity = self.entity_ref(entity);
        uses.entities.extend(entity.id);
        let key = self.string(key).unwrap_or_else(|| Ident {
            span: key.0,
            text: "".into(),
        });
        RecordRef { entity, key }
    }

    fn record_values(
        &mut self,
        entity: Option<EntityId>,
        record: &tree::TestRecord,
        uses: &mut Uses,
    ) -> TestRecord {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        let mut fields = Vec::with_capacity(record.fields.len());
        for (name, value) in &record.fields {
            let text = self.text(name.0);
            if let Some(first) = seen.get(text) {
                self.report(duplicate(Twice {
                    what: "entry",
                    name: text,
                    first: *first,
                    later: name.0,
                    help: Some(format!("give `{text}` one value")),
                    same: None,
                }));
                continue;
            }
            seen.insert(text, name.0);
            let field = self.field_ref(entity, *name);
            uses.fields.extend(field.id);
            let value = self.test_value(value);
            fields.push((field, value));
        }
        TestRecord {
            span: record.span,
            fields,
        }
    }

    fn test_value(&mut self, value: &tree::TestValue) -> Spanned<TestValue> {
        let (span, value) = match value {
            tree::TestValue::Str(token) => (
                token.0,
                self.string(*token).map(|s| TestValue::Text(s.text)),
            ),
            tree::TestValue::Bool(word) => (word.span, Some(TestValue::Bool(word.value))),
            tree::TestValue::Number(token) => (token.0, self.number(*token).map(TestValue::Number)),
            tree::TestValue::Name(name) => {
                let text = self.shared(self.text(name.0));
                (name.0, Some(TestValue::Name(text)))
            }
            tree::TestValue::List(span, items) => {
                let items = items.iter().map(|i| self.test_value(i)).collect();
                (*span, Some(TestValue::List(items)))
            }
            tree::TestValue::Absent(span) => (*span, Some(TestValue::Absent)),
        };
        Spanned {
            span,
            value: value.unwrap_or(TestValue::Unknown),
        }
    }
}

impl Uses {
    fn tidy(&mut self) {
        self.systems.sort_unstable();
        self.systems.dedup();
        self.entities.sort_unstable();
        self.entities.dedup();
        self.fields.sort_unstable();
        self.fields.dedup();
    }
}
