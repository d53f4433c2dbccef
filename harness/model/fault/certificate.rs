//! What can be wrong with a certificate. Plain data; `nemesis/certificate` carries it out.

use serde::{Deserialize, Serialize};

/// A fault of certificates: of the server's, of the client's, or of who signed them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateFault {
    /// The client's expires; connections are cut, and a new one lies in its place on heal.
    ClientExpired,
    /// The server's expires; connections are cut, and the server gets a new one on heal.
    ServerExpired,
    /// The server's is replaced by a sound one and loaded; nothing else happens.
    Renewed,
    /// The server's is for another host, until heal.
    WrongHost,
    /// The server's is signed by an authority that the client does not know, until heal.
    WrongAuthority,
    /// The client's is signed by an authority that the server does not know, until heal.
    ClientUnknown,
    /// The client's is on the server's revocation list, until heal.
    ClientRevoked,
    /// The server's is not yet valid; time heals it.
    NotYetValid,
}

impl CertificateFault {
    /// Every fault, by the word used in scenario files.
    pub const ALL: [(&str, CertificateFault); 8] = [
        ("client-certificate-expired", CertificateFault::ClientExpired),
        ("server-certificate-expired", CertificateFault::ServerExpired),
        ("certificate-renewed", CertificateFault::Renewed),
        ("server-certificate-wrong-host", CertificateFault::WrongHost),
        ("certificate-authority-changed", CertificateFault::WrongAuthority),
        ("client-certificate-unknown", CertificateFault::ClientUnknown),
        ("client-certificate-revoked", CertificateFault::ClientRevoked),
        ("server-certificate-not-yet-valid", CertificateFault::NotYetValid),
    ];

    /// Whether it concerns the client's own certificate, so that it must have one.
    pub fn is_of_client(self) -> bool {
        use CertificateFault::{ClientExpired, ClientRevoked, ClientUnknown};
        matches!(self, ClientExpired | ClientUnknown | ClientRevoked)
    }
}
