//! Certificates of one run: an authority, the certificates that it signs, and its revocation list.
//!
//! Times in a certificate are whole seconds; they are rounded up, so that no certificate expires early.
//! *Errors* of every function: a name is invalid, or a key cannot be created or used.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, Error, IsCa, Issuer, KeyIdMethod,
    KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};

use super::origin::Origin;

/// How long a certificate is valid from now on: longer than any run, too short for any other use.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long before now a certificate becomes valid, because the clocks of server and client may differ.
const EARLIER: Duration = Duration::from_secs(60 * 60);

/// A private key. Its certificates can be replaced without a new key.
pub(crate) struct Key(KeyPair);

impl Key {
    /// Creates a key. `whose` names its holder, on which a seeded key depends.
    pub fn new(origin: Origin, whose: &str) -> Result<Key, Error> {
        Ok(Key(origin.key(whose)?))
    }

    /// Returns the key in PEM.
    pub fn pem(&self) -> String {
        self.0.serialize_pem()
    }
}

/// The subject and validity of a certificate.
pub(crate) struct Holder<'a> {
    pub name: &'a str,
    /// Host names or addresses of a server; empty for a client.
    pub hosts: &'a [&'a str],
    pub valid: Range<SystemTime>,
}

/// A signed certificate.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub pem: String,
    /// The certificate in DER, as in a TLS handshake.
    pub der: Vec<u8>,
    serial: u64,
}

/// An authority that signs certificates and revocation lists.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The authority's own certificate, in PEM, for peers to trust.
    pub certificate: String,
    origin: Origin,
    serial: AtomicU64,
}

/// The serial number of the authority's own certificate. Signed certificates and revocation lists get the next numbers.
const FIRST: u64 = 1;

impl Authority {
    /// Creates an authority. `which` names it, and a seeded key depends on this name.
    pub fn new(origin: Origin, which: &str) -> Result<Authority, Error> {
        let key = origin.key(which)?;
        // Verifiers look issuers up by name: with equal names, an unknown issuer would appear as a bad signature.
        let name = format!("pgsquall test authority {:016x}", origin.number(which));
        let mut params = params(&Holder { name: &name, hosts: &[], valid: usual(origin) })?;
        params.serial_number = Some(SerialNumber::from(FIRST));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        let serial = AtomicU64::new(FIRST + 1);
        Ok(Authority { issuer: Issuer::new(params, key), certificate, origin, serial })
    }

    /// Signs a certificate for the holder of this key.
    pub fn sign(&self, key: &Key, holder: &Holder<'_>) -> Result<Certificate, Error> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let mut params = params(holder)?;
        params.serial_number = Some(SerialNumber::from(serial));
        let signed = params.signed_by(&key.0, &self.issuer)?;
        Ok(Certificate { pem: signed.pem(), der: signed.der().to_vec(), serial })
    }

    /// Returns a new revocation list, in PEM, with exactly these certificates. The authority does not remember it.
    pub fn revoke(&self, revoked: &[&Certificate]) -> Result<String, Error> {
        let Range { start, end } = usual(self.origin);
        let entry = |certificate: &&Certificate| RevokedCertParams {
            serial_number: SerialNumber::from(certificate.serial),
            revocation_time: start.into(),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: start.into(),
            next_update: end.into(),
            crl_number: SerialNumber::from(self.serial.fetch_add(1, Ordering::Relaxed)),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer)?.pem()
    }
}

/// Returns the validity of a sound certificate that is issued now: from 1 h ago until 24 h ahead.
pub(crate) fn usual(origin: Origin) -> Range<SystemTime> {
    let now = origin.clock().now();
    now - EARLIER..now + LIFE
}

/// Rounds a time up to a whole second.
pub(crate) fn whole_second(time: SystemTime) -> SystemTime {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    UNIX_EPOCH + Duration::from_secs(since.as_secs() + u64::from(since.subsec_nanos() > 0))
}

fn params(holder: &Holder<'_>) -> Result<CertificateParams, Error> {
    let hosts: Vec<String> = holder.hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, holder.name);
    params.not_before = whole_second(holder.valid.start).into();
    params.not_after = whole_second(holder.valid.end).into();
    Ok(params)
}

/// A certificate and its key, in PEM.
#[cfg(test)]
pub(crate) struct Pair {
    pub chain: String,
    pub key: String,
}

#[cfg(test)]
impl Authority {
    /// Issues a certificate for a server with these names or addresses.
    pub fn issue(&self, hosts: &[&str]) -> Result<Pair, Error> {
        let key = Key::new(self.origin, "server")?;
        let name = hosts.first().unwrap_or(&"nobody");
        Ok(Pair { chain: self.sign(&key, &Holder { name, hosts, valid: usual(self.origin) })?.pem, key: key.pem() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_up_to_whole_seconds() {
        let at = |ms| UNIX_EPOCH + Duration::from_millis(ms);
        assert_eq!((whole_second(at(2_000)), whole_second(at(2_001))), (at(2_000), at(3_000)));
    }

    #[test]
    fn serials_differ_and_the_key_stays() {
        let origin = Origin::Machine;
        let (authority, key) = (Authority::new(origin, "authority").unwrap(), Key::new(origin, "client").unwrap());
        let sign = || authority.sign(&key, &Holder { name: "squall", hosts: &[], valid: usual(origin) }).unwrap();
        let (first, second) = (sign(), sign());
        assert_ne!((first.serial, &first.der), (second.serial, &second.der));
        assert!(authority.revoke(&[&first]).unwrap().starts_with("-----BEGIN X509 CRL-----"));
    }
}
