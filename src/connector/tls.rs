//! TLS as every connection has it: one cryptography, and the authorities that this machine trusts.

use std::net::IpAddr;
use std::sync::{Arc, Once};

use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

/// What to do where [`config`] fails.
pub(super) const REMEDY: &str =
    "install the system's certificate authorities (on Debian: ca-certificates)";

/// How a client meets its server. Fails where this machine trusts nobody.
pub(super) fn config() -> Result<ClientConfig, rustls::Error> {
    Ok(
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth(),
    )
}

/// That of one who meets no server over TLS: it trusts nobody, on machines too where there is nobody
/// to trust.
pub(super) fn unused() -> Result<ClientConfig, rustls::Error> {
    Ok(
        ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth(),
    )
}

/// Whether a host is this machine, so that nobody listens on the way and TLS may be left out.
pub(super) fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Sees to it that a client which is not given its cryptography finds it.
pub fn with_cryptography() {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Somebody else may have installed one already, which serves as well.
        let _ = default_provider().install_default();
    });
}
