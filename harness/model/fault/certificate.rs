//! Defects of certificates. Plain data; `nemesis/certificate` injects them.

use serde::{Deserialize, Serialize};

use super::spec::{ExpectedError as Error, FaultSpec, Need, Remedy, fault_table, unit};

/// A fault of the server's certificate, of the client's, or of the authority that signed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateFault {
    /// The client's certificate expires, and connections are cut; on heal its file contains a new one.
    ClientExpired,
    /// The server's certificate expires, and connections are cut; on heal the server gets a new one.
    ServerExpired,
    /// The server loads another valid certificate; nothing else happens.
    Renewed,
    /// The server's certificate is for another host, until heal.
    WrongHost,
    /// The server's certificate is signed by an authority that the client does not know, until heal.
    WrongAuthority,
    /// The client's certificate is signed by an authority that the server does not know, until heal.
    ClientUnknown,
    /// The client's certificate is on the server's revocation list, until heal.
    ClientRevoked,
    /// The server's certificate is not yet valid; it becomes valid on heal.
    NotYetValid,
}

fault_table! { CERTIFICATES:
    CLIENT_EXPIRED = "client-certificate-expired" Server Lasting Alike Open Kept Interrupted NoEvidence,
        ClientCertificate, REREAD, Error::Certificate(CertificateFault::ClientExpired), unit!(Certificate(CertificateFault::ClientExpired));
    SERVER_EXPIRED = "server-certificate-expired" Server Lasting Alike Open Kept Interrupted NoEvidence,
        VerifiedTls, REREAD, Error::Certificate(CertificateFault::ServerExpired), unit!(Certificate(CertificateFault::ServerExpired));
    // A valid certificate causes no error.
    RENEWED = "certificate-renewed" Server Instant Alike Open Kept Possible NoEvidence,
        VerifiedTls, REREAD, Error::None, unit!(Certificate(CertificateFault::Renewed));
    WRONG_HOST = "server-certificate-wrong-host" Server Lasting Alike Open Kept Interrupted NoEvidence,
        VerifiedTls, REREAD, Error::Certificate(CertificateFault::WrongHost), unit!(Certificate(CertificateFault::WrongHost));
    WRONG_AUTHORITY = "certificate-authority-changed" Server Lasting Alike Open Kept Interrupted NoEvidence,
        VerifiedTls, REREAD, Error::Certificate(CertificateFault::WrongAuthority), unit!(Certificate(CertificateFault::WrongAuthority));
    CLIENT_UNKNOWN = "client-certificate-unknown" Server Lasting Alike Open Kept Interrupted NoEvidence,
        ClientCertificate, REREAD, Error::Certificate(CertificateFault::ClientUnknown), unit!(Certificate(CertificateFault::ClientUnknown));
    CLIENT_REVOKED = "client-certificate-revoked" Server Lasting Alike Open Kept Interrupted NoEvidence,
        ClientCertificate, REREAD, Error::Certificate(CertificateFault::ClientRevoked), unit!(Certificate(CertificateFault::ClientRevoked));
    NOT_YET_VALID = "server-certificate-not-yet-valid" Server Lasting Alike Open Kept Interrupted NoEvidence,
        VerifiedTls, REREAD, Error::Certificate(CertificateFault::NotYetValid), unit!(Certificate(CertificateFault::NotYetValid));
}

const REREAD: Remedy = Remedy::Advice("read the certificates again for every new connection");

impl CertificateFault {
    /// The row of this fault.
    pub fn spec(self) -> &'static FaultSpec {
        match self {
            CertificateFault::ClientExpired => &CLIENT_EXPIRED,
            CertificateFault::ServerExpired => &SERVER_EXPIRED,
            CertificateFault::Renewed => &RENEWED,
            CertificateFault::WrongHost => &WRONG_HOST,
            CertificateFault::WrongAuthority => &WRONG_AUTHORITY,
            CertificateFault::ClientUnknown => &CLIENT_UNKNOWN,
            CertificateFault::ClientRevoked => &CLIENT_REVOKED,
            CertificateFault::NotYetValid => &NOT_YET_VALID,
        }
    }

    /// Whether the fault concerns the client's own certificate, so that it must have one.
    pub fn is_of_client(self) -> bool {
        self.spec().needs == Need::ClientCertificate
    }
}
