//! `webhook`, outgoing: each write a POST signed by Standard Webhooks.
//!
//! Option `url`, secret `signing`. The body is
//! `{"type": "<entity>.upserted", "timestamp": …, "data": {columns}}` (or `….deleted`, with the
//! key alone), the message's id is the write's idempotency key, so that a receiver can drop
//! repeats. Any 2xx is taken as durable there.

use std::collections::BTreeMap;
use std::sync::Once;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::blocking::{Client, Response};
use reqwest::{StatusCode, Url, redirect};
use serde_json::{Map as Object, Value as Json, json};

use super::codec::Binding;
use super::failure::{reject, setup};
use super::file::{bindings, no_such_map};
use super::signature::sign;
use crate::engine::ports::{
    Connector, EventPage, Failure, FailureClass, MapIx, Page, ReadRequest, SystemIx, Write,
    WriteReport, WriteRequest,
};
use crate::plan::Plan;
use crate::time::Instant;

/// How long one call may take in all.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long it may take to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait that a receiver may ask for, in milliseconds: a day.
const AFTER_MS_MAX: u64 = 86_400_000;
/// How much of an answer is read for its words, in bytes.
const WORDS_BYTES_MAX: u64 = 4_096;

/// Where the time comes from.
pub type Clock = Box<dyn Fn() -> Instant + Send>;

/// A system that hears of changes.
pub struct Webhook {
    system: String,
    url: Url,
    /// The URL without what may be secret in it.
    shown: String,
    secret: String,
    client: Client,
    maps: BTreeMap<MapIx, Binding>,
    now: Clock,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("system", &self.system)
            .field("url", &self.shown)
            .finish_non_exhaustive()
    }
}

/// What became of one call.
enum Answer {
    Taken,
    /// Refused for good, in the receiver's words.
    Refused(String),
}

impl Webhook {
    /// A system whose option `url` is `url` and whose secret `signing` is `secret`.
    ///
    /// Must not be called from within an async runtime: the client is a blocking one.
    pub fn open(
        plan: &Plan,
        system: SystemIx,
        url: &str,
        secret: String,
        now: Clock,
    ) -> Result<Webhook, Failure> {
        let name = plan
            .systems
            .get(usize::from(system))
            .map(|s| s.name.clone())
            .unwrap_or_default();
        let url = target(&name, url)?;
        if sign(&secret, "", 0, b"").is_none() {
            return Err(setup(
                format!("the secret `signing` of `{name}` is no key"),
                "set it to `whsec_` and at least 24 random bytes in base64",
            ));
        }
        let loopback = is_loopback(&url);
        Ok(Webhook {
            shown: shown(&url),
            client: client(loopback).map_err(|e| {
                setup(
                    format!("cannot make HTTPS calls: {}", e.without_url()),
                    "see that this machine has its root certificates",
                )
            })?,
            system: name,
            url,
            secret,
            maps: bindings(plan, system)?.into_iter().collect(),
            now,
        })
    }

    fn send(&self, binding: &Binding, write: &Write) -> Result<Answer, Failure> {
        let now = (self.now)();
        let body = match body(binding, write, now) {
            Ok(body) => body.to_string(),
            Err(why) => return Ok(Answer::Refused(why)),
        };
        let seconds = now.0.div_euclid(1000);
        let id = &write.idempotency_key;
        let signature = sign(&self.secret, id, seconds, body.as_bytes()).unwrap_or_default();
        let sent = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(body)
            .send();
        match sent {
            Ok(response) => self.answer(response, now),
            Err(error) => Err(Failure {
                class: FailureClass::Retry { after_ms: None },
                message: format!("POST to {} failed: {}", self.shown, cause(&error)),
                remedy: Some(format!(
                    "see that `{}` is up and reachable from here",
                    self.system
                )),
            }),
        }
    }

    fn answer(&self, response: Response, now: Instant) -> Result<Answer, Failure> {
        let status = response.status();
        if status.is_success() {
            return Ok(Answer::Taken);
        }
        let after_ms = response
            .headers()
            .get("retry-after")
            .and_then(|v| v.to_str().ok())
            .and_then(|v| retry_after(v, now));
        let message = format!("{} answered {}", self.shown, status.as_u16());
        let message = match words(response) {
            Some(words) => format!("{message}: {words}"),
            None => message,
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure {
                class: FailureClass::Auth,
                message,
                remedy: Some(format!(
                    "give `{}` and its receiver the same `signing` secret",
                    self.system
                )),
            }),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(Failure {
                class: FailureClass::Retry { after_ms },
                message,
                remedy: Some(format!(
                    "declare a `limit` on `{}` if this goes on",
                    self.system
                )),
            }),
            s if s.is_server_error() => Err(Failure {
                class: FailureClass::Retry { after_ms },
                message,
                remedy: Some(format!("see what is wrong at `{}`", self.system)),
            }),
            s if s.is_client_error() => Ok(Answer::Refused(message)),
            _ => Err(setup(
                message,
                "give the option `url` the address that takes the calls itself; redirects are not followed",
            )),
        }
    }
}

impl Connector for Webhook {
    fn read(&mut self, _: &ReadRequest) -> Result<Page, Failure> {
        Err(reject(
            format!("`{}` is a webhook: it cannot be read", self.system),
            "read a system that holds the records",
        ))
    }

    fn write(&mut self, request: &WriteRequest) -> Result<WriteReport, Failure> {
        let binding = self
            .maps
            .get(&request.map)
            .ok_or_else(|| no_such_map(request.map))?;
        let mut report = WriteReport::default();
        for (at, write) in request.writes.iter().enumerate() {
            report.calls += 1;
            if let Answer::Refused(why) = self.send(binding, write)? {
                report.rejected.push((at, why));
            }
        }
        Ok(report)
    }

    fn events(&mut self, _: Option<&str>, _: usize) -> Result<EventPage, Failure> {
        Err(reject(
            format!("the events of `{}` are heard, not read", self.system),
            "have its sender post to the option `path`",
        ))
    }
}

/// The body of a write.
fn body(binding: &Binding, write: &Write, now: Instant) -> Result<Json, String> {
    let key = binding.encode_key(write)?;
    let mut data: Object<String, Json> = binding
        .key_columns()
        .zip(&key)
        .map(|(wanted, raw)| (binding.name_of(wanted).to_owned(), raw.json()))
        .collect();
    if !write.delete {
        let cells = binding.encode(write)?;
        data.extend(
            cells
                .iter()
                .map(|(wanted, raw)| (binding.name_of(*wanted).to_owned(), raw.json())),
        );
    }
    let what = if write.delete { "deleted" } else { "upserted" };
    let at = DateTime::<Utc>::from_timestamp_millis(now.0)
        .map(|t| t.to_rfc3339_opts(SecondsFormat::AutoSi, true));
    Ok(json!({
        "type": format!("{}.{what}", binding.entity()),
        "timestamp": at,
        "data": data,
    }))
}

/// Checks the address: HTTPS, or HTTP on this machine.
fn target(system: &str, url: &str) -> Result<Url, Failure> {
    let example = "write it as `https://host/path`";
    let parsed = Url::parse(url).map_err(|e| {
        setup(
            format!("the option `url` of `{system}` is no URL: {e}"),
            example,
        )
    })?;
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if is_loopback(&parsed) => Ok(parsed),
        "http" => Err(setup(
            format!("the option `url` of `{system}` is not encrypted"),
            format!("{example}; plain `http` is for this machine alone"),
        )),
        other => Err(setup(
            format!("the option `url` of `{system}` has the scheme `{other}`"),
            example,
        )),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

/// The URL without user, password, query and fragment, any of which may be a secret.
fn shown(url: &Url) -> String {
    let mut plain = url.clone();
    let _ = plain.set_username("");
    let _ = plain.set_password(None);
    plain.set_query(None);
    plain.set_fragment(None);
    plain.to_string()
}

fn client(loopback: bool) -> reqwest::Result<Client> {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Somebody else may have installed one already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let mut builder = Client::builder()
        .user_agent(concat!("syncline/", env!("CARGO_PKG_VERSION")))
        .timeout(CALL_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(redirect::Policy::none());
    if loopback {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// How long a receiver wants to be left alone, in milliseconds: seconds or an HTTP date.
fn retry_after(value: &str, now: Instant) -> Option<u64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(seconds.saturating_mul(1000).min(AFTER_MS_MAX));
    }
    let date = DateTime::parse_from_rfc2822(value).ok()?;
    let wait = date.timestamp_millis().saturating_sub(now.0);
    Some(u64::try_from(wait).unwrap_or(0).min(AFTER_MS_MAX))
}

/// The first words of an answer, on one line.
fn words(response: Response) -> Option<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    response
        .take(WORDS_BYTES_MAX)
        .read_to_end(&mut bytes)
        .ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let plain: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    let line = plain.join(" ");
    let short: String = line.chars().take(200).collect();
    (!short.is_empty()).then_some(short)
}

/// What went wrong below HTTP, without the URL, which may hold a secret.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let text = deepest.to_string();
    match text.find(" (os error") {
        Some(at) => text.get(..at).unwrap_or(&text).to_lowercase(),
        None => text,
    }
}

#[cfg(test)]
#[path = "webhook_tests.rs"]
mod tests;
