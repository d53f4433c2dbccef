//! Reads certificates in DER and PEM into the fields that findings show.

use std::net::IpAddr;
use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

use crate::doctor::facts::Certificate;

/// Parses a certificate.
///
/// *Errors*: why it cannot be parsed.
pub(super) fn read(der: &[u8]) -> Result<Certificate, String> {
    let found =
        x509_cert::Certificate::from_der(der).map_err(|error| format!("cannot parse the certificate: {error}"))?;
    let fields = &found.tbs_certificate;
    let names = match fields.get::<SubjectAltName>() {
        Ok(Some((_, SubjectAltName(names)))) => names.iter().filter_map(alternative_name).collect(),
        Ok(None) => Vec::new(),
        Err(error) => return Err(format!("cannot parse the certificate's alternative names: {error}")),
    };
    Ok(Certificate {
        subject: distinguished_name(&fields.subject),
        issuer: distinguished_name(&fields.issuer),
        names,
        not_before: fields.validity.not_before.to_system_time(),
        not_after: fields.validity.not_after.to_system_time(),
    })
}

/// Reads the first certificate of a PEM file.
///
/// *Errors*: why it cannot be read or parsed, with the path.
pub(super) fn read_file(path: &Path) -> Result<Certificate, String> {
    let with_path = |error: String| format!("{}: {error}", path.display());
    let der = CertificateDer::from_pem_file(path).map_err(|error| with_path(error.to_string()))?;
    read(&der).map_err(with_path)
}

/// A distinguished name; a certificate may have an empty one.
fn distinguished_name(name: &Name) -> String {
    let text = name.to_string();
    if text.is_empty() { "no name".into() } else { text }
}

fn alternative_name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(octets) => match octets.as_bytes() {
            bytes if bytes.len() == 4 => <[u8; 4]>::try_from(bytes).ok().map(|four| IpAddr::from(four).to_string()),
            bytes => <[u8; 16]>::try_from(bytes).ok().map(|sixteen| IpAddr::from(sixteen).to_string()),
        },
        _ => None,
    }
}
