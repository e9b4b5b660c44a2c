//! Signed POSTs of Standard Webhooks: what a `webhook` destination and the alerts are told by.
//!
//! Any 2xx is taken as durable there. Addresses are HTTPS, or on this machine; neither they nor
//! what is behind their `?` is ever shown.

use std::time::Duration;

use chrono::DateTime;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{Instant as Deadline, timeout_at};
use url::Url;

use super::failure::{retry, setup};
use super::http::{Below, Http, Unusable};
use super::signature::Signer;
use super::tls;
use crate::engine::cause::with_words;
use crate::engine::ports::{Failure, FailureClass};
use crate::time::Instant;

/// How long one call may take in all.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait that a receiver may ask for, in milliseconds: a day.
const AFTER_MS_MAX: u64 = 86_400_000;
/// How much of an answer is read for its words, in bytes.
const WORDS_BYTES_MAX: usize = 4_096;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// Whose address it is, in the author's words.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// Who is told, as in "see that … is up": "`crm`".
    pub who: &'a str,
    /// What holds the address: "the option `url` of `crm`".
    pub address: &'a str,
    /// What holds the secret: "the secret `signing` of `crm`".
    pub secret: &'a str,
}

/// Names and values of headers that travel along with a message.
pub type Headers = Vec<(String, String)>;

/// What became of one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It is durable there.
    Taken,
    /// Refused for good: its status, and on a further line the receiver's words.
    Refused(String),
}

/// Where signed messages are posted to.
pub struct Post {
    who: String,
    secret_of: String,
    address_of: String,
    /// The URL without what may be secret in it.
    shown: String,
    signer: Signer,
    http: Http,
    /// Where all calls run: connections are kept, and belong to it.
    runtime: Runtime,
}

impl std::fmt::Debug for Post {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Post")
            .field("url", &self.shown)
            .finish_non_exhaustive()
    }
}

impl Post {
    /// An address with its secret, both checked.
    ///
    /// Must not be dropped within an async runtime: it has one of its own.
    pub fn to(whose: Whose<'_>, url: &str, secret: &str) -> Result<Post, Failure> {
        let url = target(whose.address, url)?;
        let signer = Signer::new(secret).ok_or_else(|| {
            setup(
                format!("{} is no key", whose.secret),
                "set it to `whsec_` and at least 24 random bytes in base64",
            )
        })?;
        Ok(Post {
            shown: shown(&url),
            http: Http::to(&url, is_loopback(&url)).map_err(|why| {
                let remedy = match why {
                    Unusable::Address => ADDRESS,
                    Unusable::Tls(_) => tls::REMEDY,
                };
                setup(format!("{} cannot be called: {why}", whose.address), remedy)
            })?,
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|e| {
                    setup(
                        format!("cannot make HTTP calls: {e}"),
                        "see how many files and threads this user may have",
                    )
                })?,
            who: whose.who.to_owned(),
            secret_of: whose.secret.to_owned(),
            address_of: whose.address.to_owned(),
            signer,
        })
    }

    /// Where calls have to run.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Posts a JSON body as the message of that id, and waits for the answer.
    ///
    /// Must not be called from within an async runtime.
    pub fn send(&self, id: &str, now: Instant, body: String) -> Result<Told, Failure> {
        self.runtime
            .block_on(self.deliver(id, now, body, &Headers::new()))
    }

    /// The same on [`Post::runtime`], many at a time.
    pub(super) async fn deliver(
        &self,
        id: &str,
        now: Instant,
        body: String,
        headers: &Headers,
    ) -> Result<Told, Failure> {
        let seconds = now.0.div_euclid(1000);
        let signature = self.signer.sign(id, seconds, body.as_bytes());
        let mut request = self.http.post(body);
        let sent = request.headers_mut();
        for (name, text) in headers {
            // A trace is no reason not to send.
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), text.parse()) {
                sent.insert(name, value);
            }
        }
        for (name, text) in [(ID, id), (SIGNATURE, &*signature)] {
            let Ok(value) = text.parse::<HeaderValue>() else {
                let why = format!("the header `{name}` cannot hold what it has to");
                return Ok(Told::Refused(with_words(&why, text)));
            };
            sent.insert(name, value);
        }
        sent.insert(CONTENT_TYPE, JSON);
        sent.insert(TIMESTAMP, HeaderValue::from(seconds));
        let until = Deadline::now() + CALL_TIMEOUT;
        let answered = timeout_at(until, self.http.send(request)).await;
        match answered.unwrap_or_else(|_| Err(Below::late())) {
            Ok(response) => self.told(response, (now, until)).await,
            Err(why) => Err(retry(
                format!("POST to {} failed: {}", self.shown, why.words),
                match why.remedy {
                    Some(remedy) => remedy.to_owned(),
                    None => format!("see that {} is up and reachable from here", self.who),
                },
            )),
        }
    }

    /// What an answer says; `until`: how long it may take to say it.
    async fn told(
        &self,
        response: Response<Incoming>,
        (now, until): (Instant, Deadline),
    ) -> Result<Told, Failure> {
        let status = response.status();
        let after_ms = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| retry_after(v, now));
        // To its end, where that is near: so its connection serves the next call too.
        let said = said(response.into_body(), until).await;
        if status.is_success() {
            return Ok(Told::Taken);
        }
        let message = format!("{} answered {}", self.shown, status.as_u16());
        let message = match words(&said) {
            // It may well repeat what it was sent.
            Some(words) => with_words(&message, &words),
            None => message,
        };
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure {
                class: FailureClass::Auth,
                message,
                remedy: Some(format!("give the receiver {}", self.secret_of)),
            }),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(Failure {
                class: FailureClass::Retry { after_ms },
                message,
                remedy: Some(format!(
                    "declare a `limit` for {} if this goes on",
                    self.who
                )),
            }),
            s if s.is_server_error() => Err(Failure {
                class: FailureClass::Retry { after_ms },
                message,
                remedy: Some(format!("see what is wrong at {}", self.who)),
            }),
            s if s.is_client_error() => Ok(Told::Refused(message)),
            _ => Err(setup(
                message,
                format!(
                    "give {} the address that takes the calls itself; redirects are not followed",
                    self.address_of
                ),
            )),
        }
    }
}

/// How an address is written.
const ADDRESS: &str = "write it as `https://host/path`";

/// Checks the address: HTTPS, or HTTP on this machine.
fn target(address: &str, url: &str) -> Result<Url, Failure> {
    let parsed =
        Url::parse(url).map_err(|e| setup(format!("{address} is no URL: {e}"), ADDRESS))?;
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if is_loopback(&parsed) => Ok(parsed),
        "http" => Err(setup(
            format!("{address} is not encrypted"),
            format!("{ADDRESS}; plain `http` is for this machine alone"),
        )),
        other => Err(setup(
            format!("{address} has the scheme `{other}`"),
            ADDRESS,
        )),
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(tls::is_this_machine)
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

/// The first bytes of an answer, as far as they come in time.
async fn said(mut body: Incoming, until: Deadline) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !body.is_end_stream()
        && bytes.len() < WORDS_BYTES_MAX
        && let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await
    {
        if let Ok(part) = frame.into_data() {
            bytes.extend_from_slice(&part);
        }
    }
    bytes.truncate(WORDS_BYTES_MAX);
    bytes
}

/// The first words of an answer, on one line.
fn words(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let plain: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
        .collect();
    let line = plain.join(" ");
    let short: String = line.chars().take(200).collect();
    (!short.is_empty()).then_some(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_767_571_200_000;

    #[test]
    fn only_encrypted_or_local_addresses_are_posted_to() {
        for url in [
            "https://x.example/h",
            "http://localhost:1/h",
            "http://[::1]:1/h",
        ] {
            assert!(target("s", url).is_ok(), "{url}");
        }
        for url in [
            "http://x.example/h",
            "ftp://x.example",
            "x.example",
            "http://127.0.0.1.evil.example",
        ] {
            assert!(target("s", url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_wish_to_be_left_alone_has_its_bounds() {
        let now = Instant(NOW);
        assert_eq!(retry_after(" 3 ", now), Some(3_000));
        assert_eq!(retry_after("99999999999999999999", now), None);
        assert_eq!(retry_after("9999999999", now), Some(AFTER_MS_MAX));
        assert_eq!(retry_after("Sun, 04 Jan 2026 00:00:00 GMT", now), Some(0));
        assert_eq!(retry_after("soon", now), None);
    }
}
