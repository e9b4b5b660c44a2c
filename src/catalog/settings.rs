//! Options, secrets and how a connector proves who it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An option or a secret that a system may set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Its name in a policy.
    pub name: String,
    /// What it holds.
    #[serde(rename = "type", default)]
    pub kind: SettingType,
    /// When it has to be there.
    #[serde(default)]
    pub required: Required,
    /// Whether an option's value must not be written in a policy.
    #[serde(default)]
    pub secret: bool,
    /// What holds where it is left out, as a policy would write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// What it is for.
    pub about: String,
}

/// What a setting holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SettingType {
    /// A text.
    #[default]
    String,
    /// An integer.
    Int,
    /// True or false.
    Bool,
    /// A duration.
    Duration,
}

impl SettingType {
    /// What it is called in a message.
    pub fn word(self) -> &'static str {
        match self {
            SettingType::String => "string",
            SettingType::Int => "integer",
            SettingType::Bool => "`true` or `false`",
            SettingType::Duration => "duration",
        }
    }
}

/// When a setting has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Required {
    /// Never.
    #[default]
    Never,
    /// Always.
    Always,
    /// Where records or events come from the system.
    WhenSource,
    /// Where records go to the system.
    WhenDestination,
}

impl Required {
    /// Whether it has to be there for a system in these roles.
    pub fn holds(self, is_source: bool, is_destination: bool) -> bool {
        match self {
            Required::Never => false,
            Required::Always => true,
            Required::WhenSource => is_source,
            Required::WhenDestination => is_destination,
        }
    }
}

/// How calls prove who makes them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The scheme.
    pub scheme: AuthScheme,
    /// The secret that carries the key or token, or the client's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The option that carries the user or client name (basic, client credentials).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What is added to the user name (`/token` at Zendesk).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_suffix: Option<String>,
    /// The header of the key (header scheme).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What stands before the key in the header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Where a token is fetched (client credentials); `{option}` stands for an option's value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_url: Option<String>,
}

/// Ways to prove who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthScheme {
    /// Nothing, or the transport's own (a database URL).
    None,
    /// `Authorization: Bearer …`.
    Bearer,
    /// User and password.
    Basic,
    /// A key in a header of its own.
    Header,
    /// OAuth 2 client credentials: a token fetched and renewed.
    ClientCredentials,
}
