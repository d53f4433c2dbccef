//! Verifies a server's certificate, and lists every reason for a refusal.
//!
//! Runs after the handshake, so a refused certificate can be shown, and before sign-in, so no secret is sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};

use super::certificate;
use crate::doctor::facts::Trust;
use crate::doctor::target::{Root, SslMode, TlsSettings};

/// libpq's default file of authorities, in the home folder.
///
/// *Source*: PostgreSQL manual, libpq, "Client Verification of Server Certificates".
const DEFAULT_ROOT: &str = ".postgresql/root.crt";

/// Verifies what `sslmode` requires. If a root certificate exists, libpq's `require` verifies like `verify-ca`.
pub(super) fn verify(
    chain: &[CertificateDer<'static>],
    host: &str,
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
) -> Trust {
    let default = std::env::home_dir().map(|home| home.join(DEFAULT_ROOT));
    let root = settings.root.clone().or_else(|| default.clone().filter(|path| path.exists()).map(Root::File));
    if settings.mode < SslMode::Require || (settings.mode == SslMode::Require && root.is_none()) {
        return Trust::NotRequested;
    }
    let Some(root) = root else {
        let place = default.unwrap_or_else(|| PathBuf::from("~").join(DEFAULT_ROOT));
        return Trust::Refused(vec![format!("no authority to verify it with: {} does not exist", place.display())]);
    };
    let (roots, by) = match load_roots(&root) {
        Ok(found) => found,
        Err(reason) => return Trust::Refused(vec![reason]),
    };
    let Some((own, others)) = chain.split_first() else {
        return Trust::Refused(vec!["the server sent no certificate".into()]);
    };
    let mut reasons = Vec::new();
    if let Err(error) = verify_signature(own, others, &roots, provider) {
        reasons.push(describe_error(&error, &by));
    }
    if settings.mode == SslMode::VerifyFull
        && let Err(reason) = verify_host(own, host)
    {
        reasons.push(reason);
    }
    if reasons.is_empty() { Trust::Verified(by) } else { Trust::Refused(reasons) }
}

/// The authorities, and their description.
fn load_roots(root: &Root) -> Result<(Vec<CertificateDer<'static>>, String), String> {
    let (found, by) = match root {
        Root::File(path) => (read_certificates(path)?, format!("the authorities in {}", path.display())),
        Root::System => (rustls_native_certs::load_native_certs().certs, "the authorities of this machine".to_owned()),
    };
    match found.is_empty() {
        true => Err(format!("{by} are empty: no certificate found")),
        false => Ok((found, by)),
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let message = |error: rustls::pki_types::pem::Error| format!("cannot read {}: {error}", path.display());
    CertificateDer::pem_file_iter(path).map_err(message)?.collect::<Result<_, _>>().map_err(message)
}

/// Verifies that an authority has signed the chain, and that all of it is valid now.
fn verify_signature(
    own: &CertificateDer<'static>,
    others: &[CertificateDer<'static>],
    load_roots: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<(), Error> {
    let now = UnixTime::now();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(load_roots.iter().cloned());
    let parsed = ParsedCertificate::try_from(own)?;
    let algorithms = provider.signature_verification_algorithms.all;
    let result = verify_server_cert_signed_by_trust_anchor(&parsed, &roots, others, now, algorithms);
    match result {
        // OpenSSL accepts a certificate that is itself among the trusted ones, if it has not expired. A start in the
        // future is judged in the certificate's own finding.
        Err(error) if load_roots.contains(own) && !is_about_dates(&error) => match certificate::read(own) {
            Ok(found) if found.not_after < std::time::SystemTime::now() => Err(CertificateError::Expired.into()),
            _ => Ok(()),
        },
        result => result,
    }
}

fn is_about_dates(error: &Error) -> bool {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    matches!(
        error,
        Error::InvalidCertificate(Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
    )
}

/// Verifies that the certificate is for this host. Without alternative names libpq compares the common name.
fn verify_host(own: &CertificateDer<'static>, host: &str) -> Result<(), String> {
    let found = certificate::read(own)?;
    if found.names.is_empty() {
        let is_common_name = found
            .subject
            .split(',')
            .any(|part| part.trim().strip_prefix("CN=").is_some_and(|name| name.eq_ignore_ascii_case(host)));
        let message = || format!("wrong host: it is for {}, not for {host}", found.subject);
        return if is_common_name { Ok(()) } else { Err(message()) };
    }
    let name =
        ServerName::try_from(host.to_owned()).map_err(|error| format!("{host:?} is not a host name: {error}"))?;
    let parsed = ParsedCertificate::try_from(own).map_err(|error| format!("cannot parse the certificate: {error}"))?;
    verify_server_name(&parsed, &name)
        .map_err(|_| format!("wrong host: it is for {}, not for {host}", found.names.join(", ")))
}

fn describe_error(error: &Error, by: &str) -> String {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext, UnknownIssuer};
    match error {
        Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "expired: the certificate, or one that signed it".into()
        }
        Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => "not valid yet: is a clock wrong?".into(),
        Error::InvalidCertificate(UnknownIssuer) => format!("unknown authority: not signed by {by}"),
        other => format!("{other}, verified with {by}"),
    }
}
