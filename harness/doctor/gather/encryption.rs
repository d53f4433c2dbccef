//! TLS: asked for in Postgres's own protocol, or from the first byte; then the handshake, and who is at the other end.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DEFAULT_VERSIONS, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{certificate, of_socket, silence, trust};
use crate::credentials::trust::Anybody;
use crate::doctor::facts::{Encrypted, Failure, FailureKind, Negotiated, Timed, Trust};
use crate::doctor::target::{SslMode, Target};
use crate::server::explain;

/// `SSLRequest`: its length, and the number that stands where a startup packet has its version.
///
/// *Source*: PostgreSQL manual, "Message Formats".
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The protocol's name for TLS without `SSLRequest`; 17 and later insist on it.
const ALPN: &[u8] = b"postgresql";

/// Longest of what a server says in place of an answer that is read and shown.
const LAST_WORDS: usize = 512;

/// tokio-postgres-rustls does not name its stream.
type TlsOverTcp = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::Stream;

/// A connection on which a client can sign in.
pub(super) enum Channel {
    Plain(TcpStream),
    Encrypted(Box<TlsOverTcp>),
}

/// Goes through with TLS as `mode` asks; a channel unless a client with this URL would go no further.
pub(super) async fn negotiate(
    stream: TcpStream,
    target: &Target,
    mode: SslMode,
    patience: Duration,
) -> (Timed<Result<Negotiated, Failure>>, Option<Channel>) {
    let began = Instant::now();
    let (result, channel) = match negotiated(stream, target, mode, patience).await {
        Ok((negotiated, channel)) => (Ok(negotiated), channel),
        Err(failure) => (Err(failure), None),
    };
    (Timed { took: began.elapsed(), result }, channel)
}

async fn negotiated(
    mut stream: TcpStream,
    target: &Target,
    mode: SslMode,
    patience: Duration,
) -> Result<(Negotiated, Option<Channel>), Failure> {
    if mode == SslMode::Disable {
        return Ok((Negotiated::NotAsked, Some(Channel::Plain(stream))));
    }
    if !target.encryption.direct {
        let asked = timeout(patience, ask(&mut stream)).await;
        match asked.map_err(|_| silence("answer to the request for TLS", patience))?? {
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
    let (encrypted, stream) = timeout(patience, shake_hands(stream, target))
        .await
        .map_err(|_| silence("end of the TLS handshake", patience))??;
    // A client that verifies sends no password to a server that it does not trust; neither does the doctor.
    let channel = match encrypted.trust {
        Trust::Refused(_) => None,
        _ => Some(Channel::Encrypted(Box::new(stream))),
    };
    Ok((Negotiated::Encrypted(encrypted), channel))
}

/// Asks for TLS: whether the server has it.
async fn ask(stream: &mut TcpStream) -> Result<bool, Failure> {
    stream.write_all(&SSL_REQUEST).await.map_err(|error| of_socket(&error))?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await.map_err(|error| of_socket(&error))?;
    match answer[0] {
        b'S' => Ok(true),
        b'N' => Ok(false),
        first => {
            let mut rest = [first; LAST_WORDS];
            // Only to be shown, so what has come by now will do.
            let more = stream.try_read(&mut rest[1..]).unwrap_or(0);
            let text = String::from_utf8_lossy(&rest[..=more]);
            let text: String = text.chars().filter(|c| !c.is_control()).collect();
            Err(Failure::new(FailureKind::Foreign, format!("the answer to the request for TLS was {text:?}")))
        }
    }
}

async fn shake_hands(stream: TcpStream, target: &Target) -> Result<(Encrypted, TlsOverTcp), Failure> {
    let other = |text: String| Failure::new(FailureKind::Other, text);
    let provider = Arc::new(ring::default_provider());
    let witness = Arc::new(Witness { anybody: Anybody::new(Arc::clone(&provider)), seen: Mutex::default() });
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(DEFAULT_VERSIONS)
        .map_err(|error| other(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>);
    let mut config = match &target.encryption.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let unusable =
                |error: &dyn std::fmt::Display| other(format!("the client certificate is unusable: {error}"));
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(|found| found.collect::<Result<Vec<_>, _>>())
                .map_err(|error| unusable(&error))?;
            let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(&error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))?
        }
    };
    if target.encryption.direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    let mut connector = MakeRustlsConnect::new(config);
    let Ok(connect) = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut connector, &target.host);
    let stream = connect.connect(stream).await.map_err(|error| {
        let text = explain(&error);
        // What TLS itself had to say is no matter of the socket.
        match error.get_ref() {
            Some(_) => other(text),
            None => Failure { text, ..of_socket(&error) },
        }
    })?;
    let seen = std::mem::take(&mut *witness.seen.lock().unwrap_or_else(PoisonError::into_inner));
    let trust = trust::verify(&seen.chain, &target.host, &target.encryption, &provider);
    let chain = seen.chain.iter().map(|certificate| certificate::read(certificate)).collect();
    Ok((Encrypted { version: seen.version, chain, trust }, stream))
}

/// Sees certificate and version go by, and lets everybody pass.
#[derive(Debug)]
struct Witness {
    anybody: Anybody,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    chain: Vec<CertificateDer<'static>>,
    version: &'static str,
}

impl Witness {
    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(own).chain(others).map(|certificate| certificate.clone().into_owned());
        self.note(|seen| seen.chain = chain.collect());
        self.anybody.verify_server_cert(own, others, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.note(|seen| seen.version = "TLS 1.2");
        self.anybody.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.note(|seen| seen.version = "TLS 1.3");
        self.anybody.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.anybody.supported_verify_schemes()
    }
}

/// For tokio-postgres: the stream has its TLS already, and knows what channel binding needs.
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
