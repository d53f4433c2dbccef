//! TLS terminated by the gateway on both legs.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use socket2::SockRef;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::*;
use crate::credentials::certificate::{Authority, Pair};
use crate::credentials::origin::Origin;
use crate::gateway::{RuleKind, Termination};
use crate::model::fault::{CutPoint, Point, Strike};

const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const QUERY: &[u8] = b"Q\0\0\0\x0dSELECT 1\0";
const STARTUP: &[u8] = b"\0\0\0\x11\0\x03\0\0user\0me\0\0";
/// AuthenticationOk and ReadyForQuery.
const WELCOME: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

type Near = client::TlsStream<TcpStream>;
type Far = server::TlsStream<TcpStream>;

/// A gateway that terminates TLS, with the TLS configuration of both peers.
struct TlsBench {
    bench: GatewayBench,
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl TlsBench {
    async fn new() -> TlsBench {
        let authority = Authority::new(Origin::Machine, "authority").unwrap();
        let Pair { chain, key } = authority.issue(&["localhost"]).unwrap();
        let bench = GatewayBench::new().await;
        let trusted = Some(authority.certificate.as_bytes());
        let termination = Termination::new(chain.as_bytes(), key.as_bytes(), trusted, "localhost").unwrap();
        bench.gateway.terminate(termination);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.certificate.as_bytes()).unwrap()).unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsBench { bench, acceptor: Arc::new(server).into(), connector: Arc::new(client).into() }
    }

    /// Accepts the gateway's connection as a server that agrees to TLS; returns the server's end.
    async fn serve(&self) -> Far {
        let (mut server, _) = in_time(self.bench.server.accept()).await.unwrap();
        let mut request = [0; 8];
        in_time(server.read_exact(&mut request)).await.unwrap();
        assert_eq!(request, SSL_REQUEST);
        server.write_all(b"S").await.unwrap();
        in_time(self.acceptor.accept(server)).await.unwrap()
    }

    async fn connect(&self) -> io::Result<Near> {
        let mut client = self.bench.connect().await;
        client.write_all(SSL_REQUEST).await?;
        let answer = client.read_u8().await?;
        assert_eq!(answer, b'S');
        self.connector.connect(ServerName::try_from("localhost").unwrap(), client).await
    }

    /// Opens a session that is ready for queries; returns both ends.
    async fn session(&self) -> (Near, Far) {
        let (near, mut far) = in_time(async { tokio::join!(self.connect(), self.serve()) }).await;
        let mut near = near.unwrap();
        near.write_all(STARTUP).await.unwrap();
        expect(&mut far, STARTUP).await;
        far.write_all(WELCOME).await.unwrap();
        expect(&mut near, WELCOME).await;
        (near, far)
    }
}

async fn expect(stream: &mut (impl AsyncReadExt + Unpin), bytes: &[u8]) {
    let mut received = vec![0; bytes.len()];
    in_time(stream.read_exact(&mut received)).await.unwrap();
    assert_eq!(received, bytes);
}

/// Reads to the end; returns the bytes, and how the stream ended: without close_notify, the end is an error.
async fn rest(stream: &mut (impl AsyncReadExt + Unpin)) -> (Vec<u8>, Result<(), io::ErrorKind>) {
    let mut received = Vec::new();
    let end = in_time(stream.read_to_end(&mut received)).await;
    (received, end.map(drop).map_err(|error| error.kind()))
}

#[tokio::test]
async fn tls_traffic_is_framed_and_passes_unchanged() {
    let tls = TlsBench::new().await;
    let (mut near, mut far) = tls.session().await;
    let sent = pattern(3 << 20);
    let (up, down) = (sent.clone(), sent.clone());
    let both = async {
        tokio::join!(
            async {
                near.write_all(&up).await.unwrap();
                near.shutdown().await.unwrap();
                rest(&mut near).await
            },
            async {
                far.write_all(&down).await.unwrap();
                far.shutdown().await.unwrap();
                rest(&mut far).await
            }
        )
    };
    let (near_received, far_received) = in_time(both).await;
    assert!(near_received == (sent.clone(), Ok(())) && far_received == (sent, Ok(())));
    let seen = tls.bench.recorder.look(|history| format!("{:?}", history.events));
    assert!(seen.contains("Authenticated") && !seen.contains("why: \"TLS"), "{seen}");
}

#[tokio::test]
async fn a_cut_point_works_under_it() {
    let tls = TlsBench::new().await;
    let (mut near, mut far) = tls.session().await;
    let cut = CutPoint { point: Point::FirstReply, strike: Strike::Reset, times: None };
    let rule = tls.bench.gateway.install("cut", RuleKind::CutPoint(cut)).await;
    near.write_all(QUERY).await.unwrap();
    expect(&mut far, QUERY).await;
    far.write_all(b"C\0\0\0\x0dSELECT 1\0").await.unwrap();
    assert_eq!(rest(&mut near).await, (Vec::new(), Err(io::ErrorKind::ConnectionReset)));
    assert_eq!(rest(&mut far).await.1, Err(io::ErrorKind::ConnectionReset));
    assert_eq!(rule.tally.strikes(), 1);
}

#[tokio::test]
async fn an_end_without_a_goodbye_arrives_without_one() {
    let tls = TlsBench::new().await;
    let (mut near, mut far) = tls.session().await;
    far.write_all(b"N").await.unwrap();
    far.flush().await.unwrap();
    let (tcp, _) = far.into_inner();
    SockRef::from(&tcp).shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(rest(&mut near).await, (b"N".to_vec(), Err(io::ErrorKind::UnexpectedEof)));
}

#[tokio::test]
async fn a_request_can_be_held_and_let_go() {
    let tls = TlsBench::new().await;
    let hold = CutPoint { point: Point::EncryptionRequest, strike: Strike::Hold, times: None };
    let rule = tls.bench.gateway.install("hold", RuleKind::CutPoint(hold)).await;
    let both = async { tokio::join!(tls.connect(), tls.serve()) };
    tokio::pin!(both);
    assert!(timeout(WATCH, &mut both).await.is_err(), "nothing is answered");
    assert_eq!(rule.tally.strikes(), 1);
    tls.bench.gateway.remove(&rule).await;
    in_time(both).await.0.unwrap();
}

#[tokio::test]
async fn server_without_tls_leaves_the_client_in_the_clear() {
    let tls = TlsBench::new().await;
    let mut client = tls.bench.connect().await;
    client.write_all(SSL_REQUEST).await.unwrap();
    let (mut server, _) = in_time(tls.bench.server.accept()).await.unwrap();
    expect(&mut server, SSL_REQUEST).await;
    server.write_all(b"N").await.unwrap();
    expect(&mut client, b"N").await;
    assert_passes(&mut client, &mut server).await;
    // A client that requests no TLS gets none.
    let (mut client, mut server) = tls.bench.pair().await;
    client.write_all(STARTUP).await.unwrap();
    expect(&mut server, STARTUP).await;
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_on_record() {
    let tls = TlsBench::new().await;
    let other = Authority::new(Origin::Machine, "authority").unwrap();
    let Pair { chain, key } = other.issue(&["localhost"]).unwrap();
    let trusted = Some(other.certificate.as_bytes());
    tls.bench.gateway.terminate(Termination::new(chain.as_bytes(), key.as_bytes(), trusted, "localhost").unwrap());
    let mut client = tls.bench.connect().await;
    client.write_all(SSL_REQUEST).await.unwrap();
    let (mut server, _) = in_time(tls.bench.server.accept()).await.unwrap();
    expect(&mut server, SSL_REQUEST).await;
    server.write_all(b"S").await.unwrap();
    assert!(in_time(tls.acceptor.accept(server)).await.is_err());
    assert_rst(&mut client).await;
    let seen = tls.bench.recorder.look(|history| format!("{:?}", history.events));
    assert!(seen.contains("HandshakeFailed") && seen.contains("server"), "{seen}");
}

#[tokio::test]
async fn a_connection_is_cut_in_the_middle_of_a_handshake() {
    let tls = TlsBench::new().await;
    let mut client = tls.bench.connect().await;
    client.write_all(SSL_REQUEST).await.unwrap();
    let (mut server, _) = in_time(tls.bench.server.accept()).await.unwrap();
    expect(&mut server, SSL_REQUEST).await;
    assert_eq!(tls.bench.gateway.cut(crate::gateway::Cut::Reset).await, 1);
    assert_rst(&mut client).await;
    assert_rst(&mut server).await;
}

#[test]
fn certificate_errors_name_the_file() {
    let authority = Authority::new(Origin::Machine, "authority").unwrap();
    let Pair { chain, key } = authority.issue(&["localhost"]).unwrap();
    let (chain, key) = (chain.as_bytes(), key.as_bytes());
    let refused = |chain, key, authority, name| Termination::new(chain, key, authority, name).err().unwrap();
    assert!(refused(b"", key, None, "localhost").contains("the certificate holds no PEM"));
    assert!(refused(chain, b"", None, "localhost").contains("cannot read the key as PEM"));
    assert!(refused(chain, key, Some(b"".as_slice()), "localhost").contains("the authority holds no PEM"));
    assert!(refused(chain, key, None, "not a name").contains("not a valid host name"));
    let other = authority.issue(&["localhost"]).unwrap();
    assert!(
        refused(chain, other.key.as_bytes(), None, "localhost").contains("cannot use the certificate with the key")
    );
}

/// A client that leaves in the middle of its request ends the wait. The time is virtual: only the gateway's own limit passes.
#[tokio::test(start_paused = true)]
async fn incomplete_request_for_tls_is_passed_on() {
    for request in [SSL_REQUEST, &[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30]] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let mut accepted = TcpStream::from_std(accepted).unwrap();
        std::io::Write::write_all(&mut client, &request[..5]).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let began = tokio::time::Instant::now();
        assert!(!crate::gateway::tls::asks_for_tls(&mut accepted).await.unwrap());
        assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
        // Nothing was consumed.
        let mut rest = Vec::new();
        accepted.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, request[..5]);
    }
}
