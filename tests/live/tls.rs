//! TLS to a real PostgreSQL server and to an HTTPS receiver: who shows a certificate that this
//! machine trusts is written to, and nobody else.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::*;
use crate::server::{Database, Server, give};

/// A database server that proves to be `localhost` by a certificate.
fn database(dir: &Path, identity: &CertifiedKey<rcgen::KeyPair>) -> Database {
    let (certificate, key) = (dir.join("server.crt"), dir.join("server.key"));
    std::fs::write(&certificate, identity.cert.pem()).unwrap();
    std::fs::write(&key, identity.signing_key.serialize_pem()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let for_all = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir, for_all).unwrap();
        // The server takes no key that others may read.
        let own = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&key, own).unwrap();
    }
    give(dir);
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", certificate.display()),
        format!("ssl_key_file={}", key.display()),
    ];
    let server = Server::start(&settings.each_ref().map(String::as_str));
    Database::on(Arc::new(server))
}

/// Hears requests over TLS, one a connection; gives its port and the bodies that came.
fn receiver(identity: &CertifiedKey<rcgen::KeyPair>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let key = PrivateKeyDer::try_from(identity.signing_key.serialize_der()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let all = Arc::clone(&heard);
    // It ends with the tests' process.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (config, all) = (Arc::clone(&config), Arc::clone(&all));
            std::thread::spawn(move || all.lock().unwrap().extend(hear(stream, config)));
        }
    });
    (port, heard)
}

/// One request's body; none where the other end does not trust the certificate.
fn hear(stream: TcpStream, config: Arc<ServerConfig>) -> Option<String> {
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    let server = ServerConnection::new(config).ok()?;
    let mut stream = StreamOwned::new(server, stream);
    let mut length = 0;
    let mut input = BufReader::new(&mut stream);
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(said) = line.to_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    stream.write_all(answer).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()?;
    String::from_utf8(body).ok()
}

#[test]
fn only_whom_this_machine_trusts_is_written_to_over_tls() {
    let (dir, keys) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let dir = dir.path();
    // Nobody is alerted: both addresses are told of by the run itself.
    let policy = values::POLICY.replace(r#"alert env("ALERT_URL")"#, "");
    values::set_up(dir, &policy);
    let identity = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let stranger = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let [trusted, other] = ["trusted.pem", "other.pem"].map(|name| dir.join(name));
    std::fs::write(&trusted, identity.cert.pem()).unwrap();
    std::fs::write(&other, stranger.cert.pem()).unwrap();

    let desk = database(keys.path(), &identity);
    desk.run("CREATE TABLE contacts (email text PRIMARY KEY, name text)");
    let (port, heard) = receiver(&identity);
    let url = desk.url().replace("127.0.0.1", "localhost");
    let url = format!("{url}?sslmode=require");
    let hears = format!("https://localhost:{port}/hear");
    let round = |trusts: &Path| {
        let trusts = trusts.to_str().unwrap();
        let env = [
            ("DESK_URL", &*url),
            ("TRACKER_URL", &hears),
            ("SSL_CERT_FILE", trusts),
        ];
        values::round(dir, &env)
    };

    let (status, said) = round(&other);
    assert_ne!(status, Some(0), "{said}");
    let refusals = said.matches("certificate").count();
    assert!(refusals >= 2, "both are told of: {said}");
    assert_eq!(desk.one("SELECT count(*) FROM contacts"), "0");
    assert!(heard.lock().unwrap().is_empty());

    let (status, said) = round(&trusted);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(desk.one("SELECT count(*) FROM contacts"), "3");
    let heard = heard.lock().unwrap();
    let of = |email: &str| heard.iter().filter(|body| body.contains(email)).count();
    let emails = [1, 2, 3].map(|n| format!("hidden{n}@x.example"));
    assert_eq!(emails.map(|email| of(&email)), [1, 1, 1], "{heard:?}");
}

/// Who meets nobody over TLS needs nobody to trust.
#[test]
fn a_receiver_on_this_machine_is_written_to_where_nobody_is_trusted() {
    use super::troubles::{Manner, Receiver, set_up_troubled};
    let dir = tempfile::tempdir().unwrap();
    let none = dir.path().join("none");
    std::fs::create_dir(&none).unwrap();
    set_up_troubled(dir.path(), "");
    let receiver = Receiver::start(Manner::Well);
    let env = [
        ("TRACKER_URL", &*receiver.url),
        ("SSL_CERT_FILE", "/dev/null"),
        ("SSL_CERT_DIR", none.to_str().unwrap()),
    ];
    let runner = start_with(dir.path(), &env);
    let ada = submission("ada@x.example", "Ada");
    assert_eq!(deliver(&runner, "m1", &ada), 202);
    wait_for("Ada", || receiver.last().contains_key("ada@x.example"));
}
