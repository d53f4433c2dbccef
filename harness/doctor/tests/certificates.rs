//! Certificates that make clients fail, now or soon.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::bench::{DoctorBench, assert_finding, concerns, examine_url, only_concern};
use crate::doctor::{Diagnosis, Level, Stage, Topic};

const DAY: i64 = 24 * 60 * 60;

/// The time this many days from now.
fn at(days: i64) -> SystemTime {
    let distance = Duration::from_secs((days * DAY).unsigned_abs());
    let now = SystemTime::now();
    // One hour more, because the findings count whole days a little later.
    if days < 0 { now - distance } else { now + distance + Duration::from_secs(3600) }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), certificate }
    }

    /// Writes a new server certificate and its key to a folder; returns the server's settings.
    fn issue(&self, name: &str, until: i64, into: &Path) -> Vec<(String, String)> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (at(-40).into(), at(until).into());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        put(into, &certificate.pem(), &key)
    }
}

/// Writes certificate and key to a folder; returns the server's settings.
fn put(into: &Path, certificate: &str, key: &KeyPair) -> Vec<(String, String)> {
    let [chain_file, key_file] = ["server.crt", "server.key"].map(|name| into.join(name));
    fs::write(&chain_file, certificate).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    vec![
        ("ssl".into(), "on".into()),
        ("ssl_cert_file".into(), path(&chain_file)),
        ("ssl_key_file".into(), path(&key_file)),
    ]
}

/// Examines a server whose certificate is for this name and ends in this many days, once with the right authority as
/// root and once with another.
async fn examine_certificate(name: &str, until: i64, mode: &str) -> Option<(Diagnosis, Diagnosis)> {
    let authority = Authority::new("the right authority");
    let bench = DoctorBench::prepared(&[], |files| authority.issue(name, until, files)).await?;
    let root = bench.write("root.crt", &authority.certificate);
    let other = bench.write("other.crt", &Authority::new("another").certificate);
    let url = |root: &Path| bench.url_at("localhost", &format!("sslmode={mode}&sslrootcert={}", root.display()));
    Some((examine_url(&url(&root)).await, examine_url(&url(&other)).await))
}

#[track_caller]
fn certificate_finding<'a>(diagnosis: &'a Diagnosis, text: &str) -> &'a str {
    let finding = diagnosis.findings.iter().find(|finding| finding.topic == Topic::Certificate).unwrap();
    assert!(finding.value.contains(text), "{finding:?}");
    &finding.value
}

#[tokio::test]
async fn trusted_and_unknown_authority() {
    let Some((trusted, unknown)) = examine_certificate("localhost", 300, "verify-full").await else { return };
    assert!(concerns(&trusted).is_empty(), "{trusted}");
    assert!(
        certificate_finding(&trusted, "CN=localhost, for localhost, issued by CN=the right authority")
            .contains("in 300 days")
    );
    let tls = trusted.findings.iter().find(|finding| finding.topic == Topic::Tls).unwrap();
    assert!(tls.value.starts_with("TLS 1.3; certificate and host verified with the authorities in "), "{tls:?}");

    assert_eq!(unknown.failed, Some(Stage::Tls), "{unknown}");
    assert_finding(
        concerns(&unknown)[0],
        Topic::Tls,
        Level::Problem,
        &["unknown authority", "other.crt", "sslrootcert"],
    );
    certificate_finding(&unknown, "issued by CN=the right authority");
    assert!(unknown.findings.iter().all(|finding| finding.topic != Topic::SignIn), "no password was sent: {unknown}");
}

#[tokio::test]
async fn about_to_expire() {
    let Some((diagnosis, _)) = examine_certificate("localhost", 3, "verify-full").await else { return };
    assert_eq!(diagnosis.failed, None, "{diagnosis}");
    assert_finding(only_concern(&diagnosis), Topic::Certificate, Level::Problem, &["expires in 3 days", "renew it"]);
}

#[tokio::test]
async fn expired() {
    let Some((diagnosis, _)) = examine_certificate("localhost", -2, "verify-full").await else { return };
    assert_eq!(diagnosis.failed, Some(Stage::Tls), "{diagnosis}");
    assert_finding(
        concerns(&diagnosis)[0],
        Topic::Tls,
        Level::Problem,
        &["sslmode=verify-full refuses", "expired", "renew"],
    );
    certificate_finding(&diagnosis, "expired 2 days ago");
}

#[tokio::test]
async fn expired_but_not_verified() {
    let authority = Authority::new("the right authority");
    let prepared = DoctorBench::prepared(&[], |files| authority.issue("localhost", -2, files)).await;
    let Some(bench) = prepared else { return };
    let diagnosis = examine_url(&bench.url("sslmode=prefer")).await;
    assert_eq!(diagnosis.failed, None, "{diagnosis}");
    assert_finding(
        only_concern(&diagnosis),
        Topic::Certificate,
        Level::Problem,
        &["expired 2 days ago", "renew it now"],
    );
}

#[tokio::test]
async fn for_another_host() {
    let Some((diagnosis, _)) = examine_certificate("db.example.com", 300, "verify-full").await else { return };
    assert_eq!(diagnosis.failed, Some(Stage::Tls), "{diagnosis}");
    let texts = ["wrong host: it is for db.example.com, not for localhost", "connect by a name"];
    assert_finding(concerns(&diagnosis)[0], Topic::Tls, Level::Problem, &texts);
    // verify-ca does not check the host name; `require` with a root file behaves like verify-ca.
    for mode in ["verify-ca", "require"] {
        let Some((diagnosis, unknown)) = examine_certificate("db.example.com", 300, mode).await else { return };
        assert!(concerns(&diagnosis).is_empty(), "{diagnosis}");
        assert_eq!(unknown.failed, Some(Stage::Tls), "{unknown}");
    }
}

#[tokio::test]
async fn channel_binding_still_holds() {
    let authority = Authority::new("the right authority");
    let prepared = DoctorBench::prepared(&[], |files| authority.issue("localhost", 300, files)).await;
    let Some(bench) = prepared else { return };
    let diagnosis = examine_url(&bench.url("sslmode=require&channel_binding=require")).await;
    assert_eq!(diagnosis.failed, None, "{diagnosis}");
}

#[tokio::test]
async fn missing_root_file() {
    let authority = Authority::new("the right authority");
    let prepared = DoctorBench::prepared(&[], |files| authority.issue("localhost", 300, files)).await;
    let Some(bench) = prepared else { return };
    let diagnosis = examine_url(&bench.url("sslmode=verify-full&sslrootcert=/nowhere/root.crt")).await;
    assert_finding(
        concerns(&diagnosis)[0],
        Topic::Tls,
        Level::Problem,
        &["cannot read /nowhere/root.crt", "sslrootcert"],
    );
}

#[tokio::test]
async fn trusted_self_signed_certificate() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    // Like one from `openssl req -x509`; OpenSSL, and so libpq, accepts a certificate that is itself trusted.
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = params.self_signed(&key).unwrap().pem();
    let prepared = DoctorBench::prepared(&[], |files| put(files, &own, &key)).await;
    let Some(bench) = prepared else { return };
    let root = bench.write("root.crt", &own);
    let parameters = format!("sslmode=verify-full&sslrootcert={}", root.display());
    let diagnosis = examine_url(&bench.url_at("localhost", &parameters)).await;
    assert!(concerns(&diagnosis).is_empty(), "{diagnosis}");
}
