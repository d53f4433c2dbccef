//! Certificates on the wire. In TLS 1.2 an alert ends the handshake. In 1.3 the client's handshake is complete before
//! the server checks the client's certificate, and the alert arrives with the first read.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::*;

/// How far a client got, and what stopped it.
#[derive(Debug, PartialEq)]
enum Met {
    /// The handshake failed: the client or the server refused.
    Handshake(rustls::Error),
    /// The handshake was complete, and the first read failed.
    Read(rustls::Error),
    /// The connection ended without an alert, which a reset may have destroyed.
    Lost,
    /// The server answered the startup packet.
    Answered,
}

/// Does a handshake and sends a startup packet through the gateway, with the files that the client has now.
async fn call(stage: &Stage) -> Met {
    let files = stage.environment.address.tls.as_ref().expect("the scenario has TLS");
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(&files.root).unwrap() {
        roots.add(root.unwrap()).unwrap();
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match &files.certificate {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap()
        }
    };
    let mut stream = TcpStream::connect(stage.environment.gateway.address()).await.unwrap();
    stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'S');
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let mut stream = match timeout(PATIENCE, connecting).await.expect("the handshake hangs") {
        Ok(stream) => stream,
        Err(error) => return told(&error).map_or(Met::Lost, Met::Handshake),
    };
    let startup = b"\0\0\0\x25\0\x03\0\0user\0squall\0database\0squall\0\0";
    // The write may fail on a closed socket; the read then shows the cause.
    let _ = stream.write_all(startup).await;
    match timeout(PATIENCE, stream.read_u8()).await.expect("the server says nothing") {
        Ok(_) => Met::Answered,
        Err(error) => told(&error).map_or(Met::Lost, Met::Read),
    }
}

/// Returns the TLS error in an I/O error, if there is one.
fn told(error: &std::io::Error) -> Option<rustls::Error> {
    error.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

/// Returns a scenario with these faults, two seconds apart, the first from the start.
fn one_after_the_other(faults: &[&str], tls: &str) -> String {
    let head = format!(
        "schema = 1\ntitle = \"t\"\nclass = \"persistent\"\n[server]\ntls = \"{tls}\"\n\
         [client]\nsslmode = \"verify-full\"\ncertificate = true\n"
    );
    let fault = |(place, kind): (usize, &&str)| {
        format!("[[fault]]\nkind = \"{kind}\"\nat = \"{}s\"\nfor = \"1s\"\n", 2 * place)
    };
    head + &faults.iter().enumerate().map(fault).collect::<String>()
}

/// Returns the lines of the server's log about TLS.
async fn log(stage: &Stage) -> Vec<(String, String, String)> {
    let lines = stage.environment.server().log().await.unwrap();
    let about = lines.into_iter().filter(|line| line.text.contains("SSL connection"));
    about.map(|line| (line.sqlstate, line.role, line.text)).collect()
}

#[tokio::test]
async fn client_certificate_is_refused() {
    use AlertDescription::{CertificateRevoked, UnknownCA};
    let faults = ["client-certificate-unknown", "client-certificate-revoked"];
    for source in servers().await {
        for tls in ["1.2", "1.3"] {
            let mut stage = Stage::set(&source, &one_after_the_other(&faults, tls)).await;
            assert_eq!(call(&stage).await, Met::Answered, "before: {source}, {tls}");
            for (place, alert) in [UnknownCA, CertificateRevoked].into_iter().enumerate() {
                let about = format!("{source}, TLS {tls}, {}", faults[place]);
                stage.inject(place).await;
                assert_eq!(stage.evidence(place).await[0].count, 0, "evidence before any client met it: {about}");
                let met = call(&stage).await;
                let refused = rustls::Error::AlertReceived(alert);
                match tls {
                    "1.2" => assert_eq!(met, Met::Handshake(refused), "{about}"),
                    // The server closes at once. If the client has sent data by then, a reset may destroy the alert.
                    _ => assert!(met == Met::Read(refused) || met == Met::Lost, "{about}: {met:?}"),
                }
                assert_eq!(stage.proofs(place, 1).await, 1, "{about}: {:?}", log(&stage).await);
                stage.heal(place).await;
                assert_eq!(call(&stage).await, Met::Answered, "after: {about}");
                assert_eq!(stage.proofs(place, 1).await, 1, "who comes after the heal met nothing: {about}");
            }
            stage.close().await;
        }
    }
}

#[tokio::test]
async fn server_certificate_is_refused() {
    let faults = ["server-certificate-wrong-host", "certificate-authority-changed", "server-certificate-not-yet-valid"];
    for source in servers().await {
        for tls in ["1.2", "1.3"] {
            let mut stage = Stage::set(&source, &one_after_the_other(&faults, tls)).await;
            for (place, words) in ["not valid for name", "UnknownIssuer", "not valid yet"].into_iter().enumerate() {
                let about = format!("{source}, TLS {tls}, {}", faults[place]);
                stage.inject(place).await;
                let met = call(&stage).await;
                let Met::Handshake(error) = met else { panic!("{about}: {met:?}") };
                assert!(matches!(error, rustls::Error::InvalidCertificate(_)), "{about}: {error:?}");
                assert!(error.to_string().contains(words), "{about}: {error}");
                assert_eq!(stage.proofs(place, 1).await, 1, "{about}: {:?}", log(&stage).await);
                stage.heal(place).await;
                assert_eq!(call(&stage).await, Met::Answered, "after: {about}");
            }
            stage.close().await;
        }
    }
}

#[tokio::test]
async fn the_client_certificate_expires_under_tls_1_2_and_1_3() {
    for source in servers().await {
        for tls in ["1.2", "1.3"] {
            let scenario = format!(
                "schema = 1\ntitle = \"t\"\n[server]\ntls = \"{tls}\"\n[client]\nsslmode = \"verify-full\"\n\
                 certificate = true\n[[fault]]\nkind = \"client-certificate-expired\"\nat = \"500ms\"\nfor = \"1s\"\n"
            );
            let mut stage = Stage::set(&source, &scenario).await;
            assert_eq!(call(&stage).await, Met::Answered, "before: {source}, {tls}");
            stage.inject(0).await;
            let met = call(&stage).await;
            let refused = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
            match tls {
                "1.2" => assert_eq!(met, Met::Handshake(refused), "{source}"),
                _ => assert!(met == Met::Read(refused) || met == Met::Lost, "{source}: {met:?}"),
            }
            assert_eq!(stage.proofs(0, 1).await, 1, "{source}, {tls}: {:?}", log(&stage).await);
            stage.heal(0).await;
            assert_eq!(call(&stage).await, Met::Answered, "after: {source}, {tls}");
            stage.close().await;
        }
    }
}

#[tokio::test]
async fn plaintext_is_refused_while_tls_is_required() {
    let scenario = "schema = 1\ntitle = \"t\"\nclass = \"persistent\"\n[server]\ntls = \"1.3\"\n\
                    [[fault]]\nkind = \"require-tls\"\nat = \"0s\"\nfor = \"1s\"\n";
    for source in servers().await {
        let mut stage = Stage::set(&source, scenario).await;
        stage.sign_in().await.unwrap();
        stage.inject(0).await;
        let error = stage.sign_in().await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!((error.severity(), error.code().code()), ("FATAL", "28000"), "{source}");
        assert!(error.message().contains("no pg_hba.conf entry"), "{source}: {error}");
        assert!(error.message().contains("no encryption"), "{source}: {error}");
        assert_eq!(stage.proofs(0, 1).await, 1, "{source}");
        stage.heal(0).await;
        stage.sign_in().await.unwrap();
        stage.close().await;
    }
}
