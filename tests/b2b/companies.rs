//! What is expected of accounts and subscriptions.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::inputs::{Inputs, Row, time};
use crate::oracle::{Voices, put};

pub fn accounts(inputs: &Inputs) -> (Vec<Row>, Vec<Row>) {
    let columns = ["domain", "name", "industry", "employees"];
    let reported = inputs.accounts.iter().map(|row| {
        let cells = row
            .iter()
            .filter(|(name, _)| columns.contains(&name.as_str()));
        cells.map(|(k, v)| (k.clone(), v.clone())).collect()
    });
    (inputs.accounts.clone(), reported.collect())
}

/// The fields of each workspace: the latest word of the product's database or of its events.
pub fn subscriptions(inputs: &Inputs) -> BTreeMap<String, Row> {
    let mut all: BTreeMap<String, BTreeMap<&'static str, Voices>> = BTreeMap::new();
    let fields = [
        ("plan", "plan"),
        ("standing", "status"),
        ("seats", "seats"),
        ("mrr", "mrr"),
    ];
    for row in inputs
        .workspaces
        .iter()
        .filter(|r| !r.contains_key("deleted_at"))
    {
        let at = time(&row["updated_at"]).expect("a time");
        for (field, column) in fields {
            let voices = all
                .entry(row["id"].clone())
                .or_default()
                .entry(field)
                .or_default();
            voices.say("product", at, "", Some(&row[column]));
        }
    }
    for event in &inputs.product.events {
        let workspace = event.data["workspace"].as_str().expect("a workspace");
        for (field, member) in fields {
            let value = match &event.data[member] {
                Json::String(text) => text.clone(),
                Json::Number(number) => number.to_string(),
                _ => continue,
            };
            let voices = all
                .entry(workspace.to_owned())
                .or_default()
                .entry(field)
                .or_default();
            voices.say("product_events", event.at, &event.id, Some(&value));
        }
    }
    let shown = all.into_iter().map(|(workspace, fields)| {
        let mut row = Row::new();
        for (field, voices) in fields {
            let value = voices.last("product").flatten();
            // Money is written without zeros that say nothing.
            put(
                &mut row,
                field,
                value.map(|v| if field == "mrr" { money(&v) } else { v }),
            );
        }
        (workspace, row)
    });
    shown.collect()
}

fn money(text: &str) -> String {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    }
}

pub fn crm_subscriptions(inputs: &Inputs, shown: &BTreeMap<String, Row>) -> Vec<Row> {
    let mut rows: BTreeMap<String, Row> = inputs
        .crm_subscriptions
        .iter()
        .map(|row| (row["workspace_id"].clone(), row.clone()))
        .collect();
    for (workspace, fields) in shown {
        let row = rows.entry(workspace.clone()).or_default();
        put(row, "workspace_id", Some(workspace.clone()));
        for (field, value) in fields {
            put(row, field, Some(value.clone()));
        }
    }
    rows.into_values().collect()
}

/// The reports have what the product's database still has.
pub fn warehouse_subscriptions(inputs: &Inputs, shown: &BTreeMap<String, Row>) -> Vec<Row> {
    let there = inputs
        .workspaces
        .iter()
        .filter(|r| !r.contains_key("deleted_at"));
    let rows = there.map(|workspace| {
        let mut row = shown[&workspace["id"]].clone();
        put(&mut row, "workspace", Some(workspace["id"].clone()));
        row
    });
    rows.collect()
}
