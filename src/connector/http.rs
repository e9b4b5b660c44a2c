//! Calls over HTTP to one address: how it is reached, how its connections are kept, and what went
//! wrong below HTTP.
//!
//! A machine's proxies are found where other programs find them (`HTTPS_PROXY`, `ALL_PROXY`,
//! `NO_PROXY`). Must not know what is sent, or what an answer means.

use std::error::Error;
use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::percent_decode_str;
use rustls::{CertificateError, ClientConfig};
use tower::timeout::Timeout;
use tower::timeout::error::Elapsed;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service};
use url::Url;

use super::tls;

/// How long it may take until a connection stands: its host found and reached, a proxy asked, TLS
/// agreed on.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept that nobody uses.
const IDLE_MAX: Duration = Duration::from_secs(90);
/// After how much silence, and how often, it is asked whether the host is still there, and how many
/// times before it counts as gone.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent bytes may stay unacknowledged before the host counts as gone.
#[cfg(target_os = "linux")]
const SILENCE_MAX: Duration = Duration::from_secs(30);

const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("syncline/", env!("CARGO_PKG_VERSION")));

type Direct = HttpsConnector<HttpConnector>;
/// Calls over connections that come about in time.
type Calls<S> = Client<BoxCloneSyncService<Uri, S, BoxError>, Full<Bytes>>;
type Stream = <Direct as Service<Uri>>::Response;

/// The way to an address.
enum Way {
    Direct(Calls<Stream>),
    /// Through the proxy of that host and port, which sees nothing of what is said.
    Tunnelled(Calls<MaybeHttpsStream<Stream>>, String),
}

/// Why there is no client for an address.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// It cannot be asked for over HTTP.
    #[error("it cannot be asked for over HTTP")]
    Address,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// A client of one address. Its calls run within the runtime of whoever asks for them, and leave
/// connections there for the next ones.
pub(super) struct Http {
    uri: Uri,
    /// What the address says about who asks.
    authorization: Option<HeaderValue>,
    way: Way,
}

impl Http {
    /// A client of `url`, by whatever proxy the environment names for it. What is on this machine is
    /// reached without one.
    pub fn to(url: &Url, on_this_machine: bool) -> Result<Http, Unusable> {
        let proxies = match on_this_machine {
            true => None,
            false => Some(Matcher::from_env()),
        };
        let tls = match url.scheme() {
            "https" => tls::config()?,
            _ => tls::unused()?,
        };
        Http::by(url, proxies.as_ref(), tls)
    }

    fn by(url: &Url, proxies: Option<&Matcher>, tls: ClientConfig) -> Result<Http, Unusable> {
        let uri = plain(url).ok_or(Unusable::Address)?;
        let proxy = proxies.and_then(|proxies| proxies.intercept(&uri));
        let mut says_http = tls.clone();
        says_http.alpn_protocols = vec![b"http/1.1".to_vec()];
        let way = match proxy {
            None => {
                let direct = HttpsConnector::from((reaching(), says_http));
                Way::Direct(keeping().build(in_time(direct)))
            }
            Some(proxy) => {
                let tunnel = tunnel(&proxy, HttpsConnector::from((reaching(), tls)));
                let tunnelled = HttpsConnector::from((tunnel, says_http));
                let asked = proxy.uri().authority().map(ToString::to_string);
                let calls = keeping().build(in_time(tunnelled));
                Way::Tunnelled(calls, asked.unwrap_or_default())
            }
        };
        Ok(Http {
            authorization: authorization(url),
            uri,
            way,
        })
    }

    /// A POST of a body to the address; headers may be added.
    pub fn post(&self, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(USER_AGENT, AGENT);
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        request
    }

    /// Sends a request. Redirects are not followed.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Below> {
        let (sent, proxy) = match &self.way {
            Way::Direct(calls) => (calls.request(request), None),
            Way::Tunnelled(calls, proxy) => (calls.request(request), Some(&**proxy)),
        };
        sent.await.map_err(|error| below(&error, proxy))
    }
}

/// The address without who asks, which goes into a header, and what is behind its `#`.
fn plain(url: &Url) -> Option<Uri> {
    let mut url = url.clone();
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    url.set_fragment(None);
    url.as_str().parse().ok()
}

fn authorization(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let mut who: Vec<u8> = percent_decode_str(url.username()).collect();
    who.push(b':');
    who.extend(percent_decode_str(url.password().unwrap_or_default()));
    let text = format!("Basic {}", STANDARD.encode(who));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// How a host is reached.
fn reaching() -> HttpConnector {
    let mut reaching = HttpConnector::new();
    reaching.enforce_http(false);
    reaching.set_nodelay(true);
    // Of several addresses each has its part of that.
    reaching.set_connect_timeout(Some(CONNECT_TIMEOUT));
    reaching.set_keepalive(Some(KEEPALIVE));
    reaching.set_keepalive_interval(Some(KEEPALIVE));
    reaching.set_keepalive_retries(Some(KEEPALIVE_RETRIES));
    #[cfg(target_os = "linux")]
    reaching.set_tcp_user_timeout(Some(SILENCE_MAX));
    reaching
}

/// A way on which a connection comes about in time or not at all.
fn in_time<C>(way: C) -> BoxCloneSyncService<Uri, C::Response, BoxError>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send> + Clone + Send + Sync + 'static,
{
    BoxCloneSyncService::new(Timeout::new(way, CONNECT_TIMEOUT))
}

fn tunnel(proxy: &Intercept, direct: Direct) -> Tunnel<Direct> {
    let agent = HeaderMap::from_iter([(USER_AGENT, AGENT)]);
    let tunnel = Tunnel::new(proxy.uri().clone(), direct).with_headers(agent);
    match proxy.basic_auth() {
        Some(auth) => tunnel.with_auth(auth.clone()),
        None => tunnel,
    }
}

/// How connections are kept.
fn keeping() -> Builder {
    let mut keeping = Client::builder(TokioExecutor::new());
    keeping.pool_timer(TokioTimer::new());
    keeping.pool_idle_timeout(IDLE_MAX);
    keeping
}

/// What went wrong below HTTP, without the address, which may hold a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Below {
    /// In words.
    pub words: String,
    /// What to do, where it is not the host that is away.
    pub remedy: Option<&'static str>,
}

impl Below {
    fn by(words: String) -> Below {
        Below {
            words,
            remedy: None,
        }
    }

    /// Nobody answers in time.
    pub fn late() -> Below {
        Below::by("no answer in time".to_owned())
    }
}

const OF_CERTIFICATE: &str = "see that it shows a certificate for that name, by an authority that this \
                              machine trusts (on Linux `SSL_CERT_FILE` can name others)";
const OF_PROXY: &str = "see `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, and that the proxy is up";

/// `proxy`: the one that is asked for a tunnel.
fn below(error: &(dyn Error + 'static), proxy: Option<&str>) -> Below {
    let mut next = Some(error);
    let chain = std::iter::from_fn(|| {
        let error = next?;
        let io = error.downcast_ref::<io::Error>();
        // What an `io::Error` was made of is none of its sources.
        next = match io.and_then(io::Error::get_ref) {
            Some(within) => Some(within),
            None => error.source(),
        };
        Some(error)
    });
    let chain: Vec<&(dyn Error + 'static)> = chain.collect();
    let mut of_tls = chain
        .iter()
        .filter_map(|e| e.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::InvalidCertificate(why)) = of_tls.next() {
        return Below {
            words: refused(why),
            remedy: Some(OF_CERTIFICATE),
        };
    }
    let late = chain.iter().any(|e| {
        let io = e.downcast_ref::<io::Error>();
        e.is::<Elapsed>() || io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut)
    });
    let reason = match late {
        true => Below::late(),
        false => Below::by(deepest(&chain)),
    };
    // The error of a tunnel is not to be had but by its words.
    let of_tunnel = chain
        .iter()
        .any(|e| e.to_string().starts_with("tunnel error"));
    match proxy.filter(|_| of_tunnel) {
        Some(proxy) => Below {
            words: format!("the proxy {proxy}: {}", reason.words),
            remedy: Some(OF_PROXY),
        },
        None => reason,
    }
}

/// The last of a chain of errors, without its number.
fn deepest(chain: &[&(dyn Error + 'static)]) -> String {
    let text = chain.last().map(ToString::to_string).unwrap_or_default();
    match text.find(" (os error") {
        Some(at) => text.get(..at).unwrap_or(&text).to_lowercase(),
        None => text,
    }
}

/// Why a certificate is not trusted.
fn refused(why: &CertificateError) -> String {
    use CertificateError as Why;
    match why {
        // A trusted one of the same name, but with another key, says the others.
        Why::UnknownIssuer
        | Why::BadSignature
        | Why::UnsupportedSignatureAlgorithmContext { .. }
        | Why::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "nobody whom this machine trusts has signed its certificate".to_owned()
        }
        Why::Expired | Why::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => {
            "its certificate is not valid yet".to_owned()
        }
        Why::NotValidForName | Why::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        // The verifier does not name it otherwise.
        Why::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's own, which no server may show".to_owned()
        }
        other => format!("its certificate is refused: {other}"),
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
