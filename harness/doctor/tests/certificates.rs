//! Certificates that keep clients out, or will.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::bench::{Bench, examined, only, says, wrong};
use crate::doctor::{Diagnosis, Level, Stage, Topic};

const DAY: i64 = 24 * 60 * 60;

/// An instant so many days from now.
fn at(days: i64) -> SystemTime {
    let distance = Duration::from_secs((days * DAY).unsigned_abs());
    let now = SystemTime::now();
    // An hour more, so that the days are still whole when they are counted.
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

    /// Puts certificate and key of a server into a folder; what the server must be told.
    fn issue(&self, name: &str, until: i64, into: &Path) -> Vec<(String, String)> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (at(-40).into(), at(until).into());
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        put(into, &certificate.pem(), &key)
    }
}

/// Puts certificate and key into a folder; what the server must be told.
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

/// A server whose certificate is for this name and ends in so many days; examined with these parameters.
async fn with(name: &str, until: i64, mode: &str) -> Option<(Diagnosis, Diagnosis)> {
    let authority = Authority::new("the right authority");
    let bench = Bench::prepared(&[], |files| authority.issue(name, until, files)).await?;
    let root = bench.write("root.crt", &authority.certificate);
    let other = bench.write("other.crt", &Authority::new("another").certificate);
    let url = |root: &Path| bench.url_at("localhost", &format!("sslmode={mode}&sslrootcert={}", root.display()));
    Some((examined(&url(&root)).await, examined(&url(&other)).await))
}

#[track_caller]
fn shown<'a>(diagnosis: &'a Diagnosis, text: &str) -> &'a str {
    let finding = diagnosis.findings.iter().find(|finding| finding.topic == Topic::Certificate).unwrap();
    assert!(finding.value.contains(text), "{finding:?}");
    &finding.value
}

#[tokio::test]
async fn in_order_and_from_somebody_else() {
    let Some((trusted, unknown)) = with("localhost", 300, "verify-full").await else { return };
    assert!(wrong(&trusted).is_empty(), "{trusted}");
    assert!(shown(&trusted, "CN=localhost, for localhost, issued by CN=the right authority").contains("in 300 days"));
    let tls = trusted.findings.iter().find(|finding| finding.topic == Topic::Tls).unwrap();
    assert!(tls.value.starts_with("TLS 1.3; certificate and host verified with the authorities in "), "{tls:?}");

    assert_eq!(unknown.failed, Some(Stage::Tls), "{unknown}");
    says(wrong(&unknown)[0], Topic::Tls, Level::Problem, &["unknown authority", "other.crt", "sslrootcert"]);
    shown(&unknown, "issued by CN=the right authority");
    assert!(unknown.findings.iter().all(|finding| finding.topic != Topic::SignIn), "no password was sent: {unknown}");
}

#[tokio::test]
async fn about_to_expire() {
    let Some((diagnosis, _)) = with("localhost", 3, "verify-full").await else { return };
    assert_eq!(diagnosis.failed, None, "{diagnosis}");
    says(only(&diagnosis), Topic::Certificate, Level::Problem, &["expires in 3 days", "renew it"]);
}

#[tokio::test]
async fn expired() {
    let Some((diagnosis, _)) = with("localhost", -2, "verify-full").await else { return };
    assert_eq!(diagnosis.failed, Some(Stage::Tls), "{diagnosis}");
    says(wrong(&diagnosis)[0], Topic::Tls, Level::Problem, &["sslmode=verify-full refuses", "expired", "renew"]);
    shown(&diagnosis, "expired 2 days ago");
}

#[tokio::test]
async fn expired_and_nobody_looks() {
    let authority = Authority::new("the right authority");
    let prepared = Bench::prepared(&[], |files| authority.issue("localhost", -2, files)).await;
    let Some(bench) = prepared else { return };
    let diagnosis = examined(&bench.url("sslmode=prefer")).await;
    assert_eq!(diagnosis.failed, None, "{diagnosis}");
    says(only(&diagnosis), Topic::Certificate, Level::Problem, &["expired 2 days ago", "renew it now"]);
}

#[tokio::test]
async fn for_another_host() {
    let Some((diagnosis, _)) = with("db.example.com", 300, "verify-full").await else { return };
    assert_eq!(diagnosis.failed, Some(Stage::Tls), "{diagnosis}");
    let texts = ["wrong host: it is for db.example.com, not for localhost", "connect by a name"];
    says(wrong(&diagnosis)[0], Topic::Tls, Level::Problem, &texts);
    // To verify-ca the name is no matter; and with a root at hand `require` is the same.
    for mode in ["verify-ca", "require"] {
        let Some((diagnosis, unknown)) = with("db.example.com", 300, mode).await else { return };
        assert!(wrong(&diagnosis).is_empty(), "{diagnosis}");
        assert_eq!(unknown.failed, Some(Stage::Tls), "{unknown}");
    }
}

#[tokio::test]
async fn channel_binding_still_holds() {
    let authority = Authority::new("the right authority");
    let prepared = Bench::prepared(&[], |files| authority.issue("localhost", 300, files)).await;
    let Some(bench) = prepared else { return };
    let diagnosis = examined(&bench.url("sslmode=require&channel_binding=require")).await;
    assert_eq!(diagnosis.failed, None, "{diagnosis}");
}

#[tokio::test]
async fn an_authority_that_is_not_there() {
    let authority = Authority::new("the right authority");
    let prepared = Bench::prepared(&[], |files| authority.issue("localhost", 300, files)).await;
    let Some(bench) = prepared else { return };
    let diagnosis = examined(&bench.url("sslmode=verify-full&sslrootcert=/nowhere/root.crt")).await;
    says(wrong(&diagnosis)[0], Topic::Tls, Level::Problem, &["/nowhere/root.crt cannot be read", "sslrootcert"]);
}

#[tokio::test]
async fn signed_by_itself_and_trusted_for_that() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    // As `openssl req -x509` makes them; OpenSSL, and so libpq, takes one that is itself among the trusted.
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = params.self_signed(&key).unwrap().pem();
    let prepared = Bench::prepared(&[], |files| put(files, &own, &key)).await;
    let Some(bench) = prepared else { return };
    let root = bench.write("root.crt", &own);
    let parameters = format!("sslmode=verify-full&sslrootcert={}", root.display());
    let diagnosis = examined(&bench.url_at("localhost", &parameters)).await;
    assert!(wrong(&diagnosis).is_empty(), "{diagnosis}");
}
