//! Calls over TLS and through a proxy, to servers on this machine.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use hyper::StatusCode;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use super::*;

/// Who proves to be `localhost` to whoever trusts the certificate.
fn identity() -> (Arc<ServerConfig>, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let certificate = made.cert.der().clone();
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("fits");
    (Arc::new(server), certificate)
}

/// A client that trusts a certificate and nobody else.
fn trusting(certificate: CertificateDer<'static>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a certificate");
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().expect("somebody comes");
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).expect("a socket");
    stream
}

/// The lines of a message up to its body.
fn head(stream: &mut impl Read) -> Vec<String> {
    let mut input = BufReader::with_capacity(1, stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        match input.read_line(&mut line) {
            Ok(n) if n > 0 && !line.trim().is_empty() => lines.push(line.trim().to_owned()),
            _ => return lines,
        }
    }
}

/// Hears one request over TLS and answers it.
fn serve(stream: TcpStream, config: Arc<ServerConfig>) -> Vec<String> {
    let server = ServerConnection::new(config).expect("a server");
    let mut stream = StreamOwned::new(server, stream);
    let heard = head(&mut stream);
    let mut body = [0; 2];
    let _ = stream.read_exact(&mut body);
    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    stream.conn.send_close_notify();
    let _ = stream.flush();
    heard
}

/// What comes of a POST.
fn post(url: &str, proxies: Option<&Matcher>, tls: ClientConfig) -> Result<StatusCode, Below> {
    let url = Url::parse(url).expect("a URL");
    let http = Http::by(&url, proxies, tls).expect("a client");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let answer = runtime.block_on(http.send(http.post("{}")))?;
    Ok(answer.status())
}

fn over_tls(listener: TcpListener, server: Arc<ServerConfig>) -> JoinHandle<Vec<String>> {
    thread::spawn(move || serve(accept(&listener), server))
}

#[test]
fn a_call_goes_over_tls_to_whom_this_machine_trusts_and_to_nobody_else() {
    let (server, certificate) = identity();
    let (listener, port) = listen();
    let heard = over_tls(listener, Arc::clone(&server));
    let url = format!("https://ann:p%40ss@localhost:{port}/hear?token=1#there");
    assert_eq!(
        post(&url, None, trusting(certificate)),
        Ok(StatusCode::NO_CONTENT)
    );
    let heard = heard.join().expect("served");
    assert_eq!(heard[0], "POST /hear?token=1 HTTP/1.1");
    assert!(
        heard.contains(&format!("host: localhost:{port}")),
        "{heard:?}"
    );
    // `ann:p@ss`
    assert!(
        heard.contains(&"authorization: Basic YW5uOnBAc3M=".to_owned()),
        "{heard:?}"
    );

    let (listener, port) = listen();
    let heard = over_tls(listener, server);
    let url = format!("https://localhost:{port}/hear");
    let (_, other) = identity();
    let why = post(&url, None, trusting(other)).expect_err("a stranger");
    let words = "nobody whom this machine trusts has signed its certificate";
    assert_eq!((&*why.words, why.remedy), (words, Some(OF_CERTIFICATE)));
    assert_eq!(heard.join().expect("served"), Vec::<String>::new());
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_and_sees_nothing_else() {
    let (server, certificate) = identity();
    let (listener, port) = listen();
    let proxies = Matcher::builder()
        .https(format!("http://ann:secret@127.0.0.1:{port}"))
        .build();
    let proxy = thread::spawn(move || {
        let mut stream = accept(&listener);
        let asked = head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 Go ahead\r\n\r\n");
        let said = serve(stream, server);
        let mut stream = accept(&listener);
        head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 407 Who are you\r\n\r\n");
        (asked, said)
    });
    let url = "https://localhost:9/hear";
    let config = trusting(certificate);
    assert_eq!(
        post(url, Some(&proxies), config.clone()),
        Ok(StatusCode::NO_CONTENT)
    );
    let why = post(url, Some(&proxies), config).expect_err("refused");
    let words = format!("the proxy 127.0.0.1:{port}: tunnel error: proxy authorization required");
    assert_eq!((&*why.words, why.remedy), (&*words, Some(OF_PROXY)));
    let (asked, said) = proxy.join().expect("served");
    assert_eq!(asked[0], "CONNECT localhost:9 HTTP/1.1");
    // `ann:secret`
    let wanted = "proxy-authorization: Basic YW5uOnNlY3JldA==".to_owned();
    assert!(asked.contains(&wanted), "{asked:?}");
    assert_eq!(said[0], "POST /hear HTTP/1.1");
}
