//! Requests and answers of an HTTP connector as templates. `{name}` in a template stands for an
//! option, for `{object}` (the map's string), `{key}`, `{cursor}`, `{page}` or `{since}`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a connector can ask of the API; what is left out it cannot do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operations {
    /// Records changed since a cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_changes: Option<Operation>,
    /// All records, page by page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_all: Option<Operation>,
    /// Records by their keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_keys: Option<Operation>,
    /// Many records written by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upsert: Option<Operation>,
    /// Records deleted by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<Operation>,
    /// A bulk job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<Operation>,
}

/// A request and where its answer keeps what matters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The method.
    pub method: Method,
    /// The path after the base URL.
    pub path: String,
    /// The query.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub query: IndexMap<String, String>,
    /// Further headers.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub headers: IndexMap<String, String>,
    /// The body; `$each` holds what one record becomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
    /// Where the answer keeps its records, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<String>,
    /// Where the answer keeps the next page's cursor, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Methods of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

/// What an answer that is no success means; what is not named follows HTTP: 408, 429 and 5xx are
/// tried again, 401 and 403 are about credentials, every other 4xx rejects the record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Status codes after which the call is tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry: Vec<u16>,
    /// Status codes that speak of credentials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auth: Vec<u16>,
    /// Status codes that reject the record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reject: Vec<u16>,
    /// Texts in a body that mean the call is to be tried again, whatever the status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_texts: Vec<String>,
    /// Where a batch answer keeps what became of each record, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<String>,
}
