//! TLS: requested in Postgres's protocol, or begun with the first byte; then the handshake and the server's
//! certificate.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, DEFAULT_VERSIONS};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{certificate, no_reply, socket_failure, trust};
use crate::credentials::trust::AcceptAnyCertificate;
use crate::doctor::facts::{Failure, FailureKind, Negotiated, Timed, TlsSession, Trust};
use crate::doctor::target::{SslMode, Target};
use crate::server::explain;

/// `SSLRequest`: its length, and the number that stands where a startup packet has its version.
///
/// *Source*: PostgreSQL manual, "Message Formats".
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The protocol's name for TLS without `SSLRequest`; 17 and later insist on it.
const ALPN: &[u8] = b"postgresql";

/// Most bytes of a reply outside the protocol that the error shows.
const SHOWN_BYTES: usize = 512;

/// The TLS stream, for which tokio-postgres-rustls exports no name.
type TlsOverTcp = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::Stream;

/// A connection that is ready for sign-in.
pub(super) enum Channel {
    Plain(TcpStream),
    TlsSession(Box<TlsOverTcp>),
}

/// Negotiates TLS as `mode` requires. Returns no channel if a client with this URL would end the connection here.
pub(super) async fn negotiate(
    stream: TcpStream,
    target: &Target,
    mode: SslMode,
    time_limit: Duration,
) -> (Timed<Result<Negotiated, Failure>>, Option<Channel>) {
    let began = Instant::now();
    let (result, channel) = match negotiate_tls(stream, target, mode, time_limit).await {
        Ok((negotiated, channel)) => (Ok(negotiated), channel),
        Err(failure) => (Err(failure), None),
    };
    (Timed { took: began.elapsed(), result }, channel)
}

async fn negotiate_tls(
    mut stream: TcpStream,
    target: &Target,
    mode: SslMode,
    time_limit: Duration,
) -> Result<(Negotiated, Option<Channel>), Failure> {
    if mode == SslMode::Disable {
        return Ok((Negotiated::NotRequested, Some(Channel::Plain(stream))));
    }
    if !target.tls.direct {
        let requested = timeout(time_limit, request_tls(&mut stream)).await;
        match requested.map_err(|_| no_reply("reply to the request for TLS", time_limit))?? {
            true => {}
            false if mode == SslMode::Prefer => {
                return Ok((Negotiated::NotOffered, Some(Channel::Plain(stream))));
            }
            false => {
                let text = format!("the server has no TLS, and sslmode={} requires it", mode.name());
                return Err(Failure::new(FailureKind::NoTls, text));
            }
        }
    }
    let (tls_session, stream) = timeout(time_limit, handshake(stream, target))
        .await
        .map_err(|_| no_reply("end of the TLS handshake", time_limit))??;
    // A verifying client sends no password to a server that it does not trust; neither does the doctor.
    let channel = match tls_session.trust {
        Trust::Refused(_) => None,
        _ => Some(Channel::TlsSession(Box::new(stream))),
    };
    Ok((Negotiated::TlsSession(tls_session), channel))
}

/// Requests TLS; returns whether the server has it.
async fn request_tls(stream: &mut TcpStream) -> Result<bool, Failure> {
    stream.write_all(&SSL_REQUEST).await.map_err(|error| socket_failure(&error))?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await.map_err(|error| socket_failure(&error))?;
    match answer[0] {
        b'S' => Ok(true),
        b'N' => Ok(false),
        first => {
            let mut rest = [first; SHOWN_BYTES];
            // The bytes are only shown in the error, so those that have arrived are enough.
            let more = stream.try_read(&mut rest[1..]).unwrap_or(0);
            let text = String::from_utf8_lossy(&rest[..=more]);
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            Err(Failure::new(FailureKind::NotPostgres, format!("the reply to the request for TLS was {text:?}")))
        }
    }
}

async fn handshake(stream: TcpStream, target: &Target) -> Result<(TlsSession, TlsOverTcp), Failure> {
    let other = |text: String| Failure::new(FailureKind::Other, text);
    let provider = Arc::new(ring::default_provider());
    // Any certificate is accepted here: `trust` verifies it afterwards.
    let verifier = Arc::new(AcceptAnyCertificate::new(Arc::clone(&provider)));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .map_err(|error| other(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<dyn ServerCertVerifier>);
    let mut config = match &target.tls.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let unusable = |error: &dyn std::fmt::Display| other(format!("cannot use the client certificate: {error}"));
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(|found| found.collect::<Result<Vec<_>, _>>())
                .map_err(|error| unusable(&error))?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))?
        }
    };
    if target.tls.direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    let mut connector = MakeRustlsConnect::new(config);
    let Ok(connect) = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut connector, &target.host);
    let stream = connect.connect(stream).await.map_err(|error| {
        let text = explain(&error);
        // An error of TLS itself is not an error of the socket.
        match error.get_ref() {
            Some(_) => other(text),
            None => Failure { text, ..socket_failure(&error) },
        }
    })?;
    let presented = verifier.presented();
    let trust = trust::verify(&presented.chain, &target.host, &target.tls, &provider);
    let chain = presented.chain.iter().map(|certificate| certificate::read(certificate)).collect();
    Ok((TlsSession { version: presented.version, chain, trust }, stream))
}

/// A connector for tokio-postgres that returns the stream unchanged, because its TLS handshake is done.
pub(super) struct Established;

impl<S> TlsConnect<S> for Established
where
    S: TlsStream + AsyncRead + AsyncWrite + Unpin,
{
    type Stream = S;
    type Error = Infallible;
    type Future = Ready<Result<S, Infallible>>;

    fn connect(self, stream: S) -> Self::Future {
        ready(Ok(stream))
    }
}
