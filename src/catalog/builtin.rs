//! The entries that are compiled in, parsed when first asked for.

use std::sync::OnceLock;

use super::{Entry, parse_entry};

/// Declares the table of built-in entries by their names.
macro_rules! entries {
    ($($name:literal)*) => {
        /// The names of the built-in entries, in the order in which they are shown.
        pub const NAMES: &[&str] = &[$($name),*];

        static CATALOG: Catalog = Catalog {
            slots: [$(Slot {
                name: $name,
                yaml: include_str!(concat!("entries/", $name, ".yaml")),
                entry: OnceLock::new(),
            }),*],
        };
    };
}

/// A set of entries by name.
pub struct Catalog {
    slots: [Slot; NAMES.len()],
}

/// An entry that may not have been parsed yet.
struct Slot {
    name: &'static str,
    yaml: &'static str,
    entry: OnceLock<Option<Entry>>,
}

entries! {
    "csv" "jsonl" "sqlite" "postgres" "http" "webhook" "nats"
    "salesforce" "hubspot" "mailchimp" "stripe" "customerio" "klaviyo" "intercom" "zendesk"
    "pipedrive" "sendgrid" "marketo" "braze" "segment"
}

impl Catalog {
    /// The built-in entries.
    pub fn builtin() -> &'static Catalog {
        &CATALOG
    }

    /// The entry of that name. Parses this one only, once.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        let slot = self.slots.iter().find(|slot| slot.name == name)?;
        // A test holds that every built-in entry parses.
        slot.entry
            .get_or_init(|| parse_entry(slot.yaml).ok())
            .as_ref()
    }

    /// The names of its entries.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.slots.iter().map(|slot| slot.name)
    }

    /// The text of an entry, as a start for one's own.
    pub fn yaml(&self, name: &str) -> Option<&'static str> {
        self.slots
            .iter()
            .find(|slot| slot.name == name)
            .map(|slot| slot.yaml)
    }
}
