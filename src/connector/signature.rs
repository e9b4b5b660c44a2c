//! Signed requests: one verifier, and a table of who signs how.
//!
//! A [`Scheme`] is four parameters: what is signed (a template), where the signature stands (a
//! header and its grammar), how it is encoded, and for how long it holds. All sign with
//! HMAC-SHA256. A header that does not keep to its grammar is a refusal like any other; several
//! secrets and several signatures are for secrets that are being changed.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurpose as Base64};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::value::parse_instant;

/// How long a signature holds, in seconds, before and after its time.
pub const WINDOW_S: u64 = 300;

/// Base64 as secrets come: with or without padding.
const LENIENT: Base64 = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// How a sender signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheme {
    /// Its name: that of the catalog entry it belongs to, or its own.
    pub name: &'static str,
    /// What is signed: text with `{id}`, `{timestamp}`, `{body}`, `{method}`, `{url}`.
    pub template: &'static str,
    /// The header with the signature.
    pub header: &'static str,
    /// How signatures stand in it.
    pub grammar: Grammar,
    /// How each is encoded.
    pub encoding: Encoding,
    /// How long it holds; none: the sender signs no time.
    pub window_s: Option<u64>,
    /// The header with the time, where it has one of its own.
    pub timestamp: Option<&'static str>,
    /// How the time is written.
    pub clock: Clock,
    /// The header with the event's id.
    pub id: Option<&'static str>,
    /// How the secret becomes a key.
    pub key: Key,
}

/// How signatures stand in their header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// The signature alone.
    Bare,
    /// One signature after a prefix, `sha256=…`.
    Prefixed(&'static str),
    /// Several between spaces, each after its version and a comma, `v1,… v1,…`.
    Versioned(&'static str),
    /// Pairs between commas, the time as `t`, signatures under a name, `t=…,v1=…,v1=…`.
    Pairs(&'static str),
}

/// How a signature is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits.
    Hex,
    /// Base64 with padding.
    Base64,
}

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Unix seconds.
    Seconds,
    /// Unix milliseconds.
    Millis,
    /// RFC 3339.
    Rfc3339,
}

/// How a secret becomes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Its bytes.
    Raw,
    /// Base64 after `whsec_`; without that prefix base64 where it is some, else its bytes.
    Whsec,
}

/// Standard Webhooks.
pub const STANDARD_WEBHOOKS: Scheme = Scheme {
    name: "webhook",
    template: "{id}.{timestamp}.{body}",
    header: "webhook-signature",
    grammar: Grammar::Versioned("v1"),
    encoding: Encoding::Base64,
    window_s: Some(WINDOW_S),
    timestamp: Some("webhook-timestamp"),
    clock: Clock::Seconds,
    id: Some("webhook-id"),
    key: Key::Whsec,
};

/// The common shape of vendors' own schemes; each row names what differs.
const VENDOR: Scheme = Scheme {
    name: "",
    template: "{body}",
    header: "",
    grammar: Grammar::Bare,
    encoding: Encoding::Hex,
    window_s: None,
    timestamp: None,
    clock: Clock::Seconds,
    id: None,
    key: Key::Raw,
};

/// All schemes.
pub const SCHEMES: &[Scheme] = &[
    STANDARD_WEBHOOKS,
    Scheme {
        name: "stripe",
        template: "{timestamp}.{body}",
        header: "stripe-signature",
        grammar: Grammar::Pairs("v1"),
        window_s: Some(WINDOW_S),
        ..VENDOR
    },
    Scheme {
        name: "mailchimp",
        template: "{timestamp}.{body}",
        header: "x-mailchimp-signature",
        grammar: Grammar::Pairs("v1"),
        window_s: Some(WINDOW_S),
        ..VENDOR
    },
    Scheme {
        name: "hubspot",
        template: "{method}{url}{body}{timestamp}",
        header: "x-hubspot-signature-v3",
        encoding: Encoding::Base64,
        window_s: Some(WINDOW_S),
        timestamp: Some("x-hubspot-request-timestamp"),
        clock: Clock::Millis,
        ..VENDOR
    },
    Scheme {
        name: "zendesk",
        template: "{timestamp}{body}",
        header: "x-zendesk-webhook-signature",
        encoding: Encoding::Base64,
        window_s: Some(WINDOW_S),
        timestamp: Some("x-zendesk-webhook-signature-timestamp"),
        clock: Clock::Rfc3339,
        ..VENDOR
    },
    Scheme {
        name: "customerio",
        template: "v0:{timestamp}:{body}",
        header: "x-cio-signature",
        window_s: Some(WINDOW_S),
        timestamp: Some("x-cio-timestamp"),
        ..VENDOR
    },
    Scheme {
        name: "slack",
        template: "v0:{timestamp}:{body}",
        header: "x-slack-signature",
        grammar: Grammar::Prefixed("v0="),
        window_s: Some(WINDOW_S),
        timestamp: Some("x-slack-request-timestamp"),
        ..VENDOR
    },
    Scheme {
        name: "github",
        header: "x-hub-signature-256",
        grammar: Grammar::Prefixed("sha256="),
        id: Some("x-github-delivery"),
        ..VENDOR
    },
    Scheme {
        name: "shopify",
        header: "x-shopify-hmac-sha256",
        encoding: Encoding::Base64,
        id: Some("x-shopify-webhook-id"),
        ..VENDOR
    },
];

/// The scheme of that name.
pub fn scheme(name: &str) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|s| s.name == name)
}

/// A request as far as its signature goes.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The whole URL as the sender knows it.
    pub url: &'a str,
    /// Header names (in any case) and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body as it came.
    pub body: &'a [u8],
}

impl Scheme {
    /// Whether it signs the address too.
    pub fn signs_url(&self) -> bool {
        self.template.contains("{url}")
    }
}

impl<'a> Signed<'a> {
    /// The only header of that name; one that stands twice is none.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut found = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let first = found.next();
        first.filter(|_| found.next().is_none()).map(|(_, v)| *v)
    }
}

/// Why a request is refused. Says what is missing, never what would have been right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// A header is missing, repeated or not as its scheme writes it.
    #[error("the header `{0}` is missing or malformed")]
    Header(&'static str),
    /// The time is too far from now.
    #[error("the signature's time is more than {WINDOW_S} s away from now")]
    Time,
    /// No signature is one of the secrets'.
    #[error("the signature does not match")]
    Signature,
}

/// The keys of a secret, several secrets separated by white space.
///
/// A secret without `whsec_` may be base64 or not, and senders differ in what they make of it:
/// both are keys then, base64 first. Nothing comes of an empty secret.
pub fn keys(kind: Key, secret: &str) -> Vec<Vec<u8>> {
    let mut keys = Vec::new();
    for one in secret.split_whitespace() {
        match (kind, one.strip_prefix("whsec_")) {
            (Key::Whsec, Some(coded)) => keys.extend(LENIENT.decode(coded).ok()),
            (Key::Whsec, None) => {
                // Shorter ones are words that happen to be base64 as well.
                let decoded = STANDARD.decode(one).ok().filter(|k| k.len() >= 24);
                keys.extend(decoded);
                keys.push(one.as_bytes().to_vec());
            }
            (Key::Raw, _) => keys.push(one.as_bytes().to_vec()),
        }
    }
    keys.retain(|k| !k.is_empty());
    keys
}

/// The HMAC-SHA256 of a text in parts.
pub fn hmac<'a>(key: &[u8], parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            parts.into_iter().for_each(|part| mac.update(part));
            mac.finalize().into_bytes().to_vec()
        }
        // HMAC takes keys of any length, so this does not happen; nothing equals an empty code.
        Err(_) => Vec::new(),
    }
}

/// Verifies a request; `now_s` is Unix time in seconds. Gives the event's id where the scheme's
/// header has it.
pub fn verify(
    scheme: &Scheme,
    keys: &[Vec<u8>],
    request: &Signed<'_>,
    now_s: i64,
) -> Result<Option<String>, Unsigned> {
    let header = request
        .header(scheme.header)
        .ok_or(Unsigned::Header(scheme.header))?;
    let (given, pair_time) = signatures(scheme.grammar, header);
    let timestamp = match scheme.timestamp {
        Some(name) => Some(request.header(name).ok_or(Unsigned::Header(name))?),
        None => pair_time,
    };
    let time_header = scheme.timestamp.unwrap_or(scheme.header);
    if let Some(window) = scheme.window_s {
        let text = timestamp.ok_or(Unsigned::Header(time_header))?;
        let at = seconds(scheme.clock, text).ok_or(Unsigned::Header(time_header))?;
        if now_s.abs_diff(at) > window {
            return Err(Unsigned::Time);
        }
    }
    let id = scheme.id.map(|name| (name, request.header(name)));
    if let Some((name, None)) = id
        && scheme.template.contains("{id}")
    {
        return Err(Unsigned::Header(name));
    }
    let id = id.and_then(|(_, value)| value).filter(|v| !v.is_empty());
    let parts = fill(scheme.template, |part| match part {
        "id" => id.unwrap_or_default().as_bytes(),
        "timestamp" => timestamp.unwrap_or_default().as_bytes(),
        "body" => request.body,
        "method" => request.method.as_bytes(),
        "url" => request.url.as_bytes(),
        _ => b"",
    });
    let given: Vec<Vec<u8>> = given
        .into_iter()
        .filter_map(|text| decode(scheme.encoding, text))
        .collect();
    let mut matched = subtle::Choice::from(0);
    for key in keys {
        let right = hmac(key, parts.iter().copied());
        for signature in &given {
            matched |= right.ct_eq(signature);
        }
    }
    if !bool::from(matched) {
        return Err(Unsigned::Signature);
    }
    Ok(id.map(str::to_owned))
}

/// Who signs for Standard Webhooks.
pub struct Signer(Vec<Vec<u8>>);

impl Signer {
    /// Signs with each of these secrets, separated by white space; none where one is no key.
    pub fn new(secrets: &str) -> Option<Signer> {
        let first = |one| keys(Key::Whsec, one).into_iter().next();
        let keys: Option<Vec<_>> = secrets.split_whitespace().map(first).collect();
        keys.filter(|keys| !keys.is_empty()).map(Signer)
    }

    /// The value of `webhook-signature`: one signature a secret.
    pub fn sign(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let head = format!("{id}.{timestamp_s}.");
        let mut all = String::new();
        for key in &self.0 {
            if !all.is_empty() {
                all.push(' ');
            }
            all.push_str("v1,");
            STANDARD.encode_string(hmac(key, [head.as_bytes(), body]), &mut all);
        }
        all
    }
}

/// Signs for Standard Webhooks (see [`Signer`]).
pub fn sign(secret: &str, id: &str, timestamp_s: i64, body: &[u8]) -> Option<String> {
    Some(Signer::new(secret)?.sign(id, timestamp_s, body))
}

/// The signatures of a header, and the time where it stands among them.
fn signatures(grammar: Grammar, header: &str) -> (Vec<&str>, Option<&str>) {
    match grammar {
        Grammar::Bare => (vec![header.trim()], None),
        Grammar::Prefixed(prefix) => (
            header.trim().strip_prefix(prefix).into_iter().collect(),
            None,
        ),
        Grammar::Versioned(version) => {
            let one =
                |part: &'_ str| -> bool { part.split_once(',').is_some_and(|(v, _)| v == version) };
            let parts = header.split(' ').filter(|p| one(p));
            (
                parts
                    .filter_map(|p| p.split_once(',').map(|(_, s)| s))
                    .collect(),
                None,
            )
        }
        Grammar::Pairs(name) => {
            let pairs = || header.split(',').filter_map(|p| p.trim().split_once('='));
            let mut times = pairs().filter(|(n, _)| *n == "t").map(|(_, v)| v);
            let time = times.next().filter(|_| times.next().is_none());
            (
                pairs()
                    .filter(|(n, _)| *n == name)
                    .map(|(_, v)| v)
                    .collect(),
                time,
            )
        }
    }
}

fn seconds(clock: Clock, text: &str) -> Option<i64> {
    let digits = || {
        let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        all.then(|| text.parse::<i64>().ok()).flatten()
    };
    match clock {
        Clock::Seconds => digits(),
        Clock::Millis => digits().map(|ms| ms.div_euclid(1000)),
        Clock::Rfc3339 => parse_instant(text).map(|us| us.div_euclid(1_000_000)),
    }
}

fn decode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Base64 => STANDARD.decode(text).ok(),
        Encoding::Hex => {
            let digits = text.as_bytes();
            if !digits.len().is_multiple_of(2) {
                return None;
            }
            let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
            digits
                .chunks_exact(2)
                .map(|pair| match pair {
                    [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                    _ => None,
                })
                .collect()
        }
    }
}

/// The parts of a filled-in template, in order.
fn fill<'a>(template: &'a str, value: impl Fn(&str) -> &'a [u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        parts.push(text.as_bytes());
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        parts.push(value(name));
        rest = after;
    }
    parts.push(rest.as_bytes());
    parts
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
