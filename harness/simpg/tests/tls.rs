//! TLS of the simulated server: which clients it admits, its alerts for those it refuses, and its log.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, ClientConfig, DEFAULT_VERSIONS, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use super::raw::{packet, startup};
use super::*;
use crate::credentials::address::Address;
use crate::credentials::origin::Origin;
use crate::credentials::wall_clock::WallClock;
use crate::environment::certificates::Certificates;
use crate::model::topology::TlsVersion;
use crate::simpg::{Admission, Clients, Tls};

const SSL_REQUEST: i32 = 80_877_103;

/// The host name that the client verifies.
const HOST: &str = "10.0.0.1";

/// A server that requires certificates, and the certificates of a client.
struct Encrypted {
    bench: Bench,
    certificates: Certificates,
    files: Tls,
    address: Address,
}

/// The outcome of a connection attempt.
#[derive(Debug, PartialEq)]
enum Met {
    /// The client's handshake failed: it refused the server, or received an alert.
    Handshake(rustls::Error),
    /// The client's handshake succeeded, and its first read failed.
    Read(rustls::Error),
    /// The server answered the startup packet with a message of this kind.
    Answered(u8),
}

impl Encrypted {
    async fn new(version: TlsVersion) -> Encrypted {
        let (bench, clock) = (Bench::new().await, WallClock::beginning_now());
        let certificates = Certificates::in_memory(Origin::Simulated(Seed(3), clock), HOST.into(), true).unwrap();
        let (authority, revoked) = (certificates.authority.certificate.clone(), certificates.revoked(false).unwrap());
        let clients = Some(Clients { authority, revoked });
        let (certificate, key) = (certificates.sound().unwrap().pem, certificates.server.pem());
        let files = Tls { version, clock, certificate, key, clients };
        let mut address = Address::plain(bench.server.address(), ROLE, PASSWORD, DATABASE);
        certificates.tell(&mut address);
        bench.server.load(&files).unwrap();
        bench.server.admit(Admission::TlsOnly { certificate: true });
        Encrypted { bench, certificates, files, address }
    }

    /// Performs a handshake with the client's current files, and sends a startup packet.
    async fn call(&self, shows: bool) -> Met {
        let found = self.address.current_certificates().unwrap().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(found.root.as_bytes()).unwrap()).unwrap();
        let clock = Arc::new(self.certificates.origin.clock());
        let builder = ClientConfig::builder_with_details(Arc::new(ring::default_provider()), clock);
        let builder = builder.with_protocol_versions(DEFAULT_VERSIONS).unwrap().with_root_certificates(roots);
        let config = match found.certificate.filter(|_| shows) {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
                builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap()
            }
        };
        let mut socket = self.bench.dial();
        socket.write_all(&packet(SSL_REQUEST, b"")).await.unwrap();
        assert_eq!(socket.read_u8().await.unwrap(), b'S');
        let name = ServerName::try_from(HOST).unwrap();
        let mut stream = match TlsConnector::from(Arc::new(config)).connect(name, socket).await {
            Ok(stream) => stream,
            Err(error) => return Met::Handshake(said(&error)),
        };
        // The write can fail because the socket is closed; the read reports the reason.
        let _ = stream.write_all(&startup(ROLE, "")).await;
        match stream.read_u8().await {
            Ok(kind) => Met::Answered(kind),
            Err(error) => Met::Read(said(&error)),
        }
    }

    /// The alert for a client certificate that the server refuses.
    async fn refused(&self) -> AlertDescription {
        match (self.files.version, self.call(true).await) {
            (TlsVersion::V12, Met::Handshake(rustls::Error::AlertReceived(alert))) => alert,
            (TlsVersion::V13, Met::Read(rustls::Error::AlertReceived(alert))) => alert,
            (_, other) => panic!("{other:?}"),
        }
    }

    /// Log lines about connections, from this line on.
    async fn log(&self, from: usize) -> Vec<String> {
        sleep(ms(100)).await;
        let lines = self.bench.server.log(from).into_iter().map(|line| format!("{} {}", line.sqlstate, line.text));
        lines.filter(|line| line.contains("connection")).collect()
    }

    fn logged(&self) -> usize {
        self.bench.server.log(0).len()
    }
}

fn said(error: &std::io::Error) -> rustls::Error {
    error.get_ref().and_then(|error| error.downcast_ref()).cloned().unwrap_or_else(|| panic!("{error:?}"))
}

/// The server requests a password.
const IN: Met = Met::Answered(b'R');

/// The server sends an error.
const ERROR: Met = Met::Answered(b'E');

#[tokio::test(start_paused = true)]
async fn a_client_comes_in_by_tls_with_its_certificate_and_not_otherwise() {
    for version in [TlsVersion::V12, TlsVersion::V13] {
        let bench = Encrypted::new(version).await;
        assert_eq!(bench.call(true).await, IN);
        let from = bench.logged();
        assert_eq!(bench.call(false).await, ERROR);
        let who = "host \"10.0.0.9\", user \"squall\", database \"squall\", no encryption";
        assert_eq!(bench.bench.refusal().await, format!("FATAL 28000 no pg_hba.conf entry for {who}"));
        let log = bench.log(from).await;
        assert!(log.contains(&"28000 FATAL:  connection requires a valid client certificate".into()), "{log:?}");
        assert_eq!(log.iter().filter(|line| line.contains("connection received: host=10.0.0.9")).count(), 2, "{log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_the_client_that_is_refused() {
    for version in [TlsVersion::V12, TlsVersion::V13] {
        let bench = Encrypted::new(version).await;
        let certificates = &bench.certificates;
        let sound = || certificates.for_client(&certificates.authority, certificates.usual_end()).unwrap();
        let from = bench.logged();
        let stranger = certificates.stranger().unwrap();
        certificates.give(certificates.for_client(&stranger, certificates.usual_end()).unwrap()).unwrap();
        assert_eq!(bench.refused().await, AlertDescription::UnknownCA);
        let soon = certificates.now() + Duration::from_secs(60);
        certificates.give(certificates.for_client(&certificates.authority, soon).unwrap()).unwrap();
        assert_eq!(bench.call(true).await, IN);
        sleep(Duration::from_secs(62)).await;
        assert_eq!(bench.refused().await, AlertDescription::CertificateExpired);
        certificates.give(sound()).unwrap();
        assert_eq!(bench.call(true).await, IN);
        let revoked = Clients {
            authority: certificates.authority.certificate.clone(),
            revoked: certificates.revoked(true).unwrap(),
        };
        let (certificate, key) = (bench.files.certificate.clone(), bench.files.key.clone());
        bench.bench.server.load(&Tls { certificate, key, clients: Some(revoked), ..bench.files }).unwrap();
        assert_eq!(bench.refused().await, AlertDescription::CertificateRevoked);
        certificates.give(sound()).unwrap();
        assert_eq!(bench.call(true).await, IN);
        let log = bench.log(from).await;
        let refused = "08P01 LOG:  could not accept SSL connection: certificate verify failed";
        assert_eq!(log.iter().filter(|line| *line == refused).count(), 3, "{log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_certificate_of_the_server_that_the_client_refuses() {
    for version in [TlsVersion::V12, TlsVersion::V13] {
        let bench = Encrypted::new(version).await;
        let certificates = &bench.certificates;
        let (own, end) = (&certificates.authority, certificates.usual_end());
        let later = certificates.now() + Duration::from_secs(60);
        for (certificate, alert) in [
            (certificates.for_server(own, "other.invalid", end).unwrap(), "sslv3 alert bad certificate"),
            (certificates.for_server(&certificates.stranger().unwrap(), HOST, end).unwrap(), "tlsv1 alert unknown ca"),
            (certificates.for_server_from(own, HOST, later, end).unwrap(), "sslv3 alert certificate expired"),
        ] {
            let from = bench.logged();
            let key = bench.files.key.clone();
            let files = Tls { certificate: certificate.pem, key, clients: None, ..bench.files };
            bench.bench.server.load(&files).unwrap();
            let Met::Handshake(error) = bench.call(true).await else { panic!("{alert}") };
            assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{error:?}");
            let log = bench.log(from).await;
            assert_eq!(log.len(), 2, "{log:?}");
            assert_eq!(log[1], format!("08P01 LOG:  could not accept SSL connection: {alert}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_tls_does_not_protect_is_not_taken_for_what_it_does() {
    let bench = Encrypted::new(TlsVersion::V13).await;
    let mut socket = bench.bench.dial();
    let both = [packet(SSL_REQUEST, b""), startup(ROLE, "")].concat();
    socket.write_all(&both).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("received unencrypted data after SSL request"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_session_over_tls_is_logged_and_ends_with_the_goodbye_of_tls() {
    let bench = Encrypted::new(TlsVersion::V13).await;
    bench.bench.server.admit(Admission::Everybody);
    let from = bench.logged();
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(crate::credentials::trust::AcceptAnyCertificate::new(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(DEFAULT_VERSIONS).unwrap();
    let tls = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    let mut tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
    let Ok(tls) = tokio_postgres::tls::MakeTlsConnect::<MemorySocket>::make_tls_connect(&mut tls, HOST);
    let mut config = bench.bench.config();
    config.ssl_mode(tokio_postgres::config::SslMode::Require);
    let (client, connection) = config.connect_raw(bench.bench.dial(), tls).await.unwrap();
    let connection = tokio::spawn(connection);
    client.batch_execute("SELECT 1").await.unwrap();
    let log = bench.log(from).await;
    let authorized = "00000 LOG:  connection authorized: user=squall database=squall SSL enabled (protocol=TLSv1.3)";
    assert_eq!(log.last().unwrap(), authorized);
    bench.bench.server.terminate_sessions(ROLE).await.unwrap();
    let error = client.batch_execute("SELECT 1").await.unwrap_err();
    assert!(error.is_closed() || error.code().is_some_and(|code| code.code() == "57P01"), "{error:?}");
    let end = connection.await.unwrap();
    // Without close_notify the read would fail.
    assert!(!format!("{end:?}").contains("UnexpectedEof"), "{end:?}");
}
