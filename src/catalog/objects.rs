//! What is known of a vendor's own objects: how long their texts may be, what a record must have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::Figure;

/// An object of the vendor's: what a map names behind the system. An object, or a field, that is
/// not listed is not known, which says nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Object {
    /// Its name as a map writes it; capitals make no difference.
    pub name: String,
    /// Its fields of which something is known.
    pub fields: Vec<ObjectField>,
}

/// A field of a vendor's object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectField {
    /// Its name as a map writes it; capitals make no difference.
    pub name: String,
    /// The characters of the longest text that it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<Figure<u32>>,
    /// Whether a record cannot be made without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<Figure<bool>>,
}

impl Object {
    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&ObjectField> {
        self.fields
            .iter()
            .find(|f| f.name.eq_ignore_ascii_case(name))
    }

    /// Holds that each field stands once and says something.
    pub(super) fn check(&self) -> Result<(), String> {
        for (position, field) in self.fields.iter().enumerate() {
            let place = format!("`{}` of `{}`", field.name, self.name);
            if field.max_length.is_none() && field.required.is_none() {
                return Err(format!("{place} says neither `max_length` nor `required`"));
            }
            if field.max_length.as_ref().is_some_and(|f| f.value == 0) {
                return Err(format!("{place} takes no text at all: `max_length` is 0"));
            }
            let earlier = self.fields.iter().take(position);
            if earlier
                .into_iter()
                .any(|f| f.name.eq_ignore_ascii_case(&field.name))
            {
                return Err(format!("{place} stands twice"));
            }
        }
        Ok(())
    }
}

impl ObjectField {
    /// The characters of the longest text that it takes, where that is known.
    pub fn max_length(&self) -> Option<u32> {
        self.max_length.as_ref().map(|f| f.value)
    }

    /// Whether a record is known not to be made without it.
    pub fn is_required(&self) -> bool {
        self.required.as_ref().is_some_and(|f| f.value)
    }
}
