//! The connectors for people.

use super::plan::Table;
use super::style::Style;
use crate::catalog::{Entry, Tested};

/// One line for each connector: what it is, what it can do, how far it was tried.
pub fn list(entries: &[&Entry], style: Style) -> String {
    let mut table = Table::new(&["connector", "title", "can", "tiers", "tested"]);
    for entry in entries {
        let can = entry.capabilities;
        let abilities = [
            (can.read, "read"),
            (can.write, "write"),
            (can.upsert, "upsert"),
            (can.events, "events"),
            (can.bulk, "bulk"),
            (can.deletes, "deletes"),
            (can.sends_mail, "mails"),
        ];
        let abilities: Vec<&str> = abilities
            .iter()
            .filter_map(|(able, word)| able.then_some(*word))
            .collect();
        let tiers: Vec<&str> = entry.tiers.iter().map(|t| t.name.as_str()).collect();
        let tested = match entry.tested {
            Tested::None => "-",
            Tested::Contract => "contract",
            Tested::Live => "live",
        };
        table.row([
            entry.name.clone(),
            entry.title.clone(),
            abilities.join(" "),
            if tiers.is_empty() {
                "-".to_owned()
            } else {
                tiers.join(" ")
            },
            tested.to_owned(),
        ]);
    }
    let mut out = String::new();
    table.print(&mut out, style);
    out
}
