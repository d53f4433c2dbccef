//! Whether a server's certificate passes, and every reason why it does not.
//!
//! Done after the handshake, so that a certificate that does not pass can be shown; nothing secret is sent before.

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
use crate::doctor::target::{Encryption, Root, SslMode};

/// Where libpq looks for authorities unless told otherwise, below the home folder.
///
/// *Source*: PostgreSQL manual, libpq, "Client Verification of Server Certificates".
const DEFAULT_ROOT: &str = ".postgresql/root.crt";

/// Verifies what `sslmode` asks for. With a root certificate at hand, libpq's `require` verifies like `verify-ca`.
pub(super) fn verify(
    chain: &[CertificateDer<'static>],
    host: &str,
    wanted: &Encryption,
    provider: &Arc<CryptoProvider>,
) -> Trust {
    let default = std::env::home_dir().map(|home| home.join(DEFAULT_ROOT));
    let root = wanted.root.clone().or_else(|| default.clone().filter(|path| path.exists()).map(Root::File));
    if wanted.mode < SslMode::Require || (wanted.mode == SslMode::Require && root.is_none()) {
        return Trust::NotAsked;
    }
    let Some(root) = root else {
        let place = default.unwrap_or_else(|| PathBuf::from("~").join(DEFAULT_ROOT));
        return Trust::Refused(vec![format!("no authority to verify it with: there is no {}", place.display())]);
    };
    let (roots, by) = match trusted(&root) {
        Ok(found) => found,
        Err(reason) => return Trust::Refused(vec![reason]),
    };
    let Some((own, others)) = chain.split_first() else {
        return Trust::Refused(vec!["the server shows no certificate".into()]);
    };
    let mut reasons = Vec::new();
    if let Err(error) = signed(own, others, &roots, provider) {
        reasons.push(explain(&error, &by));
    }
    if wanted.mode == SslMode::VerifyFull
        && let Err(reason) = is_of(own, host)
    {
        reasons.push(reason);
    }
    if reasons.is_empty() { Trust::Verified(by) } else { Trust::Refused(reasons) }
}

/// The authorities, and how to call them.
fn trusted(root: &Root) -> Result<(Vec<CertificateDer<'static>>, String), String> {
    let (found, by) = match root {
        Root::File(path) => (of_file(path)?, format!("the authorities in {}", path.display())),
        Root::System => (rustls_native_certs::load_native_certs().certs, "the authorities of this machine".to_owned()),
    };
    match found.is_empty() {
        true => Err(format!("{by} are none: no certificate found")),
        false => Ok((found, by)),
    }
}

fn of_file(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let said = |error: rustls::pki_types::pem::Error| format!("{} cannot be read: {error}", path.display());
    CertificateDer::pem_file_iter(path).map_err(said)?.collect::<Result<_, _>>().map_err(said)
}

/// Whether an authority has signed it, and all of it is valid now.
fn signed(
    own: &CertificateDer<'static>,
    others: &[CertificateDer<'static>],
    trusted: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<(), Error> {
    let now = UnixTime::now();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let parsed = ParsedCertificate::try_from(own)?;
    let algorithms = provider.signature_verification_algorithms.all;
    let result = verify_server_cert_signed_by_trust_anchor(&parsed, &roots, others, now, algorithms);
    match result {
        // OpenSSL takes a certificate that is itself among the trusted ones; of its dates the certificate's own finding
        // speaks.
        Err(error) if trusted.contains(own) && !is_about_dates(&error) => match certificate::read(own) {
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

/// Whether it is a certificate of this host. Without alternative names libpq compares the common name.
fn is_of(own: &CertificateDer<'static>, host: &str) -> Result<(), String> {
    let found = certificate::read(own)?;
    if found.names.is_empty() {
        let is_common_name = found
            .subject
            .split(',')
            .any(|part| part.trim().strip_prefix("CN=").is_some_and(|name| name.eq_ignore_ascii_case(host)));
        let said = || format!("wrong host: it is for {}, not for {host}", found.subject);
        return if is_common_name { Ok(()) } else { Err(said()) };
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("{host:?} is no host's name: {error}"))?;
    let parsed = ParsedCertificate::try_from(own).map_err(|error| format!("it cannot be read: {error}"))?;
    verify_server_name(&parsed, &name)
        .map_err(|_| format!("wrong host: it is for {}, not for {host}", found.names.join(", ")))
}

fn explain(error: &Error, by: &str) -> String {
    use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext, UnknownIssuer};
    match error {
        Error::InvalidCertificate(Expired | ExpiredContext { .. }) => "expired: it, or one that signed it".into(),
        Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => "not valid yet: is a clock wrong?".into(),
        Error::InvalidCertificate(UnknownIssuer) => format!("unknown authority: not signed by {by}"),
        other => format!("{other}, verified with {by}"),
    }
}
