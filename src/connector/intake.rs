//! The intake of webhooks, whatever server hears them: which system it is from, whether that
//! system signed it, and what event it is.

use serde_json::Value as Json;

use super::event::{hashed_id, own_id};
use super::registry::{Env, option, secret};
use super::signature::{STANDARD_WEBHOOKS, Scheme, Signed, keys, scheme, verify};
use crate::connector::failure::setup;
use crate::engine::ports::{Failure, RawEvent, SystemIx};
use crate::plan::{Plan, System};
use crate::time::Instant;

/// The longest body that is taken, in bytes.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A request as a server heard it.
#[derive(Debug, Clone)]
pub struct IntakeRequest<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// The path with its query, as sent.
    pub path: &'a str,
    /// Header names in any case, and values.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

/// Why a request is not taken. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Refusal {
    /// The HTTP status to answer with.
    pub status: u16,
    /// The reason, for the sender.
    pub reason: String,
}

/// A system that is heard.
struct Heard {
    system: SystemIx,
    name: String,
    path: String,
    scheme: &'static Scheme,
    keys: Vec<Vec<u8>>,
    /// Whether a map of the system reads a column `id`, which then is the record's.
    id_is_column: bool,
}

/// The systems that are heard.
pub struct Intake {
    heard: Vec<Heard>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.paths()).finish()
    }
}

impl Intake {
    /// The intake of all systems of a plan that have an option `path` and a signature scheme.
    pub fn new(plan: &Plan, env: Env<'_>) -> Result<Intake, Failure> {
        let mut heard: Vec<Heard> = Vec::new();
        for (at, system) in plan.systems.iter().enumerate() {
            let Some(scheme) = scheme_of(system) else {
                continue;
            };
            if !system.options.contains_key("path") {
                continue;
            }
            let path = normal(&option(system, "path", env)?).to_owned();
            if let Some(other) = heard.iter().find(|h| h.path == path) {
                return Err(setup(
                    format!(
                        "`{}` and `{}` are heard at one path, `{path}`",
                        other.name, system.name
                    ),
                    "give each system a `path` of its own",
                ));
            }
            let keys = keys(scheme.key, &secret(system, "signing", env)?);
            if keys.is_empty() {
                return Err(setup(
                    format!("the secret `signing` of `{}` is no key", system.name),
                    "set it to the secret that its sender signs with",
                ));
            }
            let maps = plan.maps.iter().filter(|m| m.system == system.name);
            heard.push(Heard {
                system: SystemIx::try_from(at).unwrap_or(SystemIx::MAX),
                name: system.name.clone(),
                path,
                scheme,
                keys,
                id_is_column: maps.flat_map(|m| &m.fields).any(|f| f.column == "id"),
            });
        }
        Ok(Intake { heard })
    }

    /// The paths that are heard, with their systems' names.
    pub fn paths(&self) -> impl Iterator<Item = (&str, &str)> {
        self.heard
            .iter()
            .map(|h| (h.path.as_str(), h.name.as_str()))
    }

    /// Takes a request in, or says why not. What is taken has to be stored before it is
    /// acknowledged.
    pub fn accept(
        &self,
        request: &IntakeRequest<'_>,
        now: Instant,
    ) -> Result<(SystemIx, RawEvent), Refusal> {
        let path = request.path.split(['?', '#']).next().unwrap_or_default();
        let heard = self
            .heard
            .iter()
            .find(|h| h.path == normal(path))
            .ok_or_else(|| refusal(404, "nothing is heard at this path"))?;
        if request.method != "POST" {
            return Err(refusal(405, "events are sent with POST"));
        }
        if request.body.len() > BODY_BYTES_MAX {
            return Err(refusal(413, "the body is longer than 1 MiB"));
        }
        let id = heard.verified(request, now)?;
        let body =
            std::str::from_utf8(request.body).map_err(|_| refusal(400, "the body is not UTF-8"))?;
        let json: Json = serde_json::from_str(body)
            .map_err(|e| refusal(400, format!("the body is no JSON: {e}")))?;
        if !json.is_object() {
            return Err(refusal(400, "the body is no JSON object"));
        }
        let id = id
            .or_else(|| own_id(&json, heard.id_is_column))
            .unwrap_or_else(|| hashed_id(&heard.name, request.body));
        let body = body.to_owned();
        Ok((heard.system, RawEvent { id, body }))
    }
}

impl Heard {
    fn verified(
        &self,
        request: &IntakeRequest<'_>,
        now: Instant,
    ) -> Result<Option<String>, Refusal> {
        let mut signed = Signed {
            method: request.method,
            url: "",
            headers: request.headers,
            body: request.body,
        };
        let url;
        if self.scheme.signs_url() {
            // Senders that sign the address sign the public one, which is behind TLS.
            let host = signed
                .header("x-forwarded-host")
                .or_else(|| signed.header("host"));
            url = format!("https://{}{}", host.unwrap_or_default(), request.path);
            signed.url = &url;
        }
        verify(self.scheme, &self.keys, &signed, now.0.div_euclid(1000))
            .map_err(|why| refusal(401, why.to_string()))
    }
}

fn scheme_of(system: &System) -> Option<&'static Scheme> {
    match system.connector.as_str() {
        "webhook" => Some(&STANDARD_WEBHOOKS),
        connector => scheme(connector).filter(|_| system.secrets.contains_key("signing")),
    }
}

/// A path without a slash at its end.
fn normal(path: &str) -> &str {
    path.trim_end_matches('/')
}

fn refusal(status: u16, reason: impl Into<String>) -> Refusal {
    Refusal {
        status,
        reason: reason.into(),
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
