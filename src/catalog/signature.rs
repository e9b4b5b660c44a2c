//! How a sender signs what it posts: one verifier, a row of parameters for each vendor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::duration_text;
use crate::time::Millis;

/// A signature scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Its name: `standard_webhooks`, `stripe`, `hubspot_v3`.
    pub scheme: String,
    /// What is computed.
    pub algorithm: Algorithm,
    /// The header that carries the signature.
    pub header: String,
    /// How the header is written.
    #[serde(default)]
    pub form: HeaderForm,
    /// How the signature's bytes are written.
    pub encoding: Encoding,
    /// What is signed; `{id}`, `{timestamp}`, `{method}`, `{url}` and `{body}` stand for the
    /// request's.
    pub signed: String,
    /// The header of the request's time, where it is not in the signature's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp_header: Option<String>,
    /// The header of the request's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_header: Option<String>,
    /// How far the request's time may be from now; none where it carries no time.
    #[serde(
        default,
        with = "optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub tolerance: Option<Millis>,
    /// The secret that it is made with.
    pub secret: String,
    /// Whether the scheme was seen in the vendor's text or at work, not only remembered.
    #[serde(default)]
    pub verified: bool,
}

/// What a signature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-1.
    HmacSha1,
    /// ECDSA over P-256 with SHA-256; the secret is the public key.
    EcdsaP256,
    /// User and password of HTTP basic authentication in place of a signature.
    Basic,
}

/// How a signature header is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HeaderForm {
    /// The signature alone.
    #[default]
    Plain,
    /// `t=TIME,v1=SIGNATURE`, `v1` any number of times.
    Pairs,
    /// `v1,SIGNATURE`, several with spaces between.
    Versioned,
    /// `sha1=SIGNATURE`.
    Prefixed,
}

/// How bytes are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Hexadecimal, lower case.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// A duration that may be left out.
mod optional_duration {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Millis, duration_text};

    pub fn serialize<S: Serializer>(span: &Option<Millis>, out: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => duration_text::serialize(span, out),
            None => out.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Millis>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Millis::parse(&text).map_err(serde::de::Error::custom))
            .transpose()
    }
}
