//! Certificates for one run: an authority that nobody else trusts, and what it signs.

use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// How long a certificate is good for: longer than any run, and shorter than anybody could rely on.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How far clocks of server and client may differ.
const EARLIER: Duration = Duration::from_secs(60 * 60);

/// A certificate and its key, in PEM.
pub(crate) struct Certificate {
    pub chain: String,
    pub key: String,
}

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, in PEM: what a client must trust.
    pub certificate: String,
}

impl Authority {
    pub fn new() -> Result<Authority, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = params("pgsquall test authority", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Authority { issuer: Issuer::new(params, key), certificate })
    }

    /// A certificate for a server with these names or addresses.
    pub fn issue(&self, names: &[&str]) -> Result<Certificate, rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = params(names.first().unwrap_or(&"nobody"), names)?.signed_by(&key, &self.issuer)?;
        Ok(Certificate { chain: certificate.pem(), key: key.serialize_pem() })
    }
}

fn params(subject: &str, names: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, subject);
    let now = SystemTime::now();
    params.not_before = (now - EARLIER).into();
    params.not_after = (now + LIFE).into();
    Ok(params)
}
