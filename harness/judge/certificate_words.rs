//! Phrases by which TLS libraries report each certificate fault. TLS has no SQLSTATE, so errors are recognized by their text.
//!
//! Each phrase is a part of the message, in lower case. A peer's rejection arrives as a TLS alert, which the library
//! renders in its own wording; a rejection by the client itself has the wording of the library's verifier.
//!
//! *Source*: OpenSSL's `X509_verify_cert_error_string` and alert strings (libpq, and Node, Python, Ruby and PHP on it),
//! libpq's `fe-secure-common.c`, rustls's `CertificateError` and `AlertDescription`, Go's `crypto/x509` and
//! `crypto/tls`, Java's `sun.security` and pgjdbc.

use crate::model::fault::CertificateFault;

/// Phrases, one of which must be in the message.
pub(super) fn words(fault: CertificateFault) -> &'static [&'static str] {
    match fault {
        CertificateFault::ClientExpired | CertificateFault::ServerExpired => &[
            // OpenSSL and Go: "certificate has expired or is not yet valid" is Go's for both.
            "certificate has expired",
            // Alerts of OpenSSL and Go; rustls's is "received fatal alert: CertificateExpired".
            "certificate expired",
            "expired certificate",
            "certificateexpired",
            "certificate_expired",
            "cert_has_expired",
            // rustls, as verifier: "invalid peer certificate: certificate expired: verification time …" or "Expired".
            "certificate: expired",
            // Java: "NotAfter: …".
            "notafter",
        ],
        // A renewed certificate is valid.
        CertificateFault::Renewed => &[],
        CertificateFault::WrongHost => &[
            "hostname mismatch",
            "ip address mismatch",
            // libpq: server certificate for "…" does not match host name "…".
            "does not match host name",
            "not valid for name",
            "notvalidforname",
            // Go: "certificate is valid for …, not …", "cannot validate certificate for … because it doesn't contain
            // any IP SANs".
            "certificate is valid for",
            "cannot validate certificate for",
            // Node: "Hostname/IP does not match certificate's altnames".
            "does not match certificate",
            "altname_invalid",
            // Java: "No subject alternative names matching IP address … found"; pgjdbc: "The hostname … could not be
            // verified".
            "no subject alternative",
            "could not be verified",
        ],
        CertificateFault::WrongAuthority | CertificateFault::ClientUnknown => &[
            // The server's own message, when the client's library sends no certificate of an authority unknown to the server.
            "requires a valid client certificate",
            "unknown ca",
            "unknownca",
            "unknown_ca",
            "unknown issuer",
            "unknownissuer",
            "unknown authority",
            "unknown certificate authority",
            "unable to get local issuer certificate",
            "unable to get issuer certificate",
            "unable to verify the first certificate",
            "unable_to_verify_leaf_signature",
            "self-signed certificate",
            "self signed certificate",
            // rustls and OpenSSL, if another authority has the same name but a different key.
            "badsignature",
            "bad signature",
            "certificate signature failure",
            // Java.
            "unable to find valid certification path",
            "path does not chain",
        ],
        CertificateFault::ClientRevoked => &[
            "certificate revoked",
            "revoked certificate",
            "certificate has been revoked",
            "certificaterevoked",
            "certificate_revoked",
            "certificate: revoked",
        ],
        CertificateFault::NotYetValid => &[
            "not yet valid",
            "notvalidyet",
            "not valid yet",
            "cert_not_yet_valid",
            // Java: "NotBefore: …".
            "notbefore",
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::{ExpectedError, FaultSpec};

    #[test]
    fn words_are_in_lower_case_and_only_a_sound_certificate_has_none() {
        assert!(words(CertificateFault::Renewed).is_empty());
        assert_eq!(CertificateFault::Renewed.spec().error, ExpectedError::None);
        for spec in FaultSpec::all() {
            let ExpectedError::Certificate(fault) = spec.error else { continue };
            assert!(!words(fault).is_empty(), "{fault:?}");
            assert!(words(fault).iter().all(|word| *word == word.to_lowercase()), "{fault:?}");
        }
    }
}
