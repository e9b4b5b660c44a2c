//! The digest: SHA-256 over the meaning of a plan, as canonical JSON without what only explains.

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::types::Plan;
use crate::value::canonical;

/// Members that say where something came from, how people call it or what an estimate needs.
const OUTSIDE: &[&str] = &["at", "passes", "reason", "title"];

/// The digest of a plan, `sha256:…`; the plan's own `digest` member takes no part.
pub fn digest(plan: &Plan) -> String {
    // Serialising plain data with text keys cannot fail.
    let mut json = serde_json::to_value(plan).unwrap_or(Json::Null);
    if let Some(top) = json.as_object_mut() {
        top.remove("digest");
    }
    if let Some(scenarios) = json.get_mut("scenarios").and_then(Json::as_array_mut) {
        for scenario in scenarios {
            strip(scenario);
            if let Some(routes) = scenario.get_mut("routes").and_then(Json::as_array_mut) {
                routes.iter_mut().for_each(strip);
            }
        }
    }
    let hash = Sha256::digest(canonical(&json).as_bytes());
    let digits: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    format!("sha256:{digits}")
}

fn strip(json: &mut Json) {
    if let Some(object) = json.as_object_mut() {
        object.retain(|name, _| !OUTSIDE.contains(&name.as_str()));
    }
}
