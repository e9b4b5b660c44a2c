//! Fields with who owns them and how old they get where.

use std::collections::HashMap;

use super::doc;
use super::picture::Age;
use crate::estimate::FieldAge;
use crate::model::{Field, Policy};
use crate::text::Sources;

/// A field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRow {
    /// Entity and field, `contact.email`.
    pub path: String,
    /// Its doc comment.
    pub doc: Option<String>,
    /// Its type as the policy writes it.
    pub ty: String,
    /// Where its value comes from.
    pub kind: FieldKind,
    /// Its owner.
    pub owner: Option<String>,
    /// The further systems whose word it accepts.
    pub accepts: Vec<String>,
    /// How one value is chosen among several origins'; none: there is one origin, or no clause.
    pub rule: Option<String>,
    /// Its classes.
    pub classes: Vec<String>,
    /// Where it gets to.
    pub places: Vec<PlaceAge>,
}

/// Where a field's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldKind {
    /// It identifies the record.
    Key,
    /// Its origins say it.
    Data,
    /// This expression computes it.
    Derived(String),
}

/// A system that a field gets to.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceAge {
    /// The system.
    pub system: String,
    /// How old the field gets there.
    pub age: Age,
}

impl FieldRow {
    /// The nearest that it comes to a bound anywhere, as a share of the bound; none: it has none.
    pub fn share(&self) -> Option<f64> {
        let shares = self.places.iter().filter_map(|p| p.age.share());
        shares.reduce(f64::max)
    }

    /// The oldest that it gets anywhere, infinite without bound; none: it goes nowhere.
    pub fn worst(&self) -> Option<f64> {
        let ages = self
            .places
            .iter()
            .map(|p| p.age.worst.unwrap_or(f64::INFINITY));
        ages.reduce(f64::max)
    }
}

/// Ages by field, in the order of the estimate.
pub(super) type Ages<'e> = HashMap<&'e str, Vec<&'e FieldAge>>;

pub(super) fn ages(all: &[FieldAge]) -> Ages<'_> {
    let mut ages: Ages = HashMap::new();
    for age in all {
        ages.entry(age.field.as_str()).or_default().push(age);
    }
    ages
}

pub(super) fn row(policy: &Policy, sources: &Sources, ages: &Ages, field: &Field) -> FieldRow {
    let path = policy.field_path(field.id);
    let name = |id| policy.system(id).name.text.to_string();
    let accepts = field.accepts.iter().flat_map(|a| &a.value.systems);
    let accepts: Vec<String> = accepts.map(|s| name(s.value)).collect();
    let kind = match &field.derived {
        Some(derived) => {
            let text = sources.slice(derived.expr.span).trim_matches('`').trim();
            FieldKind::Derived(text.to_owned())
        }
        None if field.is_key => FieldKind::Key,
        None => FieldKind::Data,
    };
    let rule = field.resolve.as_ref().map(|r| r.value.word().to_owned());
    let places = ages.get(path.as_str()).into_iter().flatten();
    FieldRow {
        doc: doc(sources, field.doc),
        ty: sources.slice(field.type_span).to_owned(),
        owner: field.owner().filter(|_| kind == FieldKind::Data).map(name),
        rule: rule.filter(|_| kind == FieldKind::Data && field.origins().len() > 1),
        accepts: match kind {
            FieldKind::Data => accepts,
            _ => Vec::new(),
        },
        classes: field.classes().iter().map(|c| c.text.to_string()).collect(),
        places: places
            .map(|age| PlaceAge {
                system: age.system.clone(),
                age: Age::from(*age),
            })
            .collect(),
        kind,
        path,
    }
}
