//! SL0804 no-doc: an item without a doc comment. Only where it is asked for.

use super::super::Context;
use crate::finding::{Code, Finding};
use crate::model::Ident;
use crate::text::Span;

const CODE: Code = Code(804);

pub(in super::super) fn check(ctx: &Context) -> Vec<Finding> {
    let p = ctx.policy;
    let mut found = Found(Vec::new());
    if let Some(name) = &p.name {
        found.item(p.doc, name.span, format!("policy `{name}`"));
    }
    for system in &p.systems {
        found.named(system.doc, "system", &system.name);
    }
    for entity in &p.entities {
        found.named(entity.doc, "entity", &entity.name);
    }
    for map in &p.maps {
        let entity = &p.entity(map.entity.value).name;
        let what = format!(
            "the map of `{entity}` in `{}`",
            ctx.system(map.system.value)
        );
        found.item(map.doc, map.entity.span.to(map.system.span), what);
    }
    for scenario in &p.scenarios {
        found.named(scenario.doc, "scenario", &scenario.name);
    }
    for test in &p.tests {
        found.named(test.doc, "test", &test.title);
    }
    found.0
}

struct Found(Vec<Finding>);

impl Found {
    fn named(&mut self, doc: Option<Span>, kind: &str, name: &Ident) {
        self.item(doc, name.span, format!("{kind} `{name}`"));
    }

    fn item(&mut self, doc: Option<Span>, at: Span, what: String) {
        if doc.is_none() {
            self.0.push(
                Finding::new(CODE, at, format!("{what} has no doc comment"))
                    .mark("says nothing of what it is for")
                    .help("write `/// …` on the line above it: what it is for, and whom to ask"),
            );
        }
    }
}
