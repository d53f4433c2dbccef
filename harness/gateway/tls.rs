//! TLS termination: the gateway is a TLS server to the client and a TLS client to the server, so that it can read the
//! messages.
//!
//! The gateway presents the server's own certificate and needs its key: with channel binding (SCRAM-SHA-256-PLUS),
//! client and server must have seen the same certificate. The gateway offers TLS to the client if and only if the
//! server offers it; a client that requests no TLS gets none.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use super::transport::{Leg, Socket};
use crate::credentials::trust::AcceptAnyCertificate;
use crate::model::history::Severed;

/// A complete SSLRequest: its length, and a code in place of the protocol version.
///
/// *Source*: PostgreSQL manual, "Message Formats".
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// A complete GSSENCRequest.
const GSS_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

/// Longest time between the first and the last byte of a request for encryption: they leave in one packet.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// Certificates and keys to terminate TLS.
#[derive(Clone)]
pub(crate) struct Termination {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
    /// Host name that the server's certificate is checked against.
    name: ServerName<'static>,
}

impl Termination {
    /// Terminates TLS with the server's certificate chain and key, in PEM. The server is trusted if its certificate is
    /// signed by `authority`; without one, any certificate is accepted, like `sslmode=require`.
    ///
    /// *Errors*: the certificate, key, authority or name is invalid; the text says which, and why.
    pub fn new(chain: &[u8], key: &[u8], authority: Option<&[u8]>, name: &str) -> Result<Termination, String> {
        let provider = Arc::new(ring::default_provider());
        let chain = certificates("certificate", chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| format!("cannot read the key as PEM: {error}"))?;
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|error| format!("cannot use the certificate with the key: {error}"))?;
        let verifier: Arc<dyn ServerCertVerifier> = match authority {
            None => Arc::new(AcceptAnyCertificate::new(Arc::clone(&provider))),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                for root in certificates("authority", authority)? {
                    roots.add(root).map_err(|error| format!("cannot use the authority: {error}"))?;
                }
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .map_err(|error| format!("cannot use the authority: {error}"))?
            }
        };
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).map_err(|_| format!("{name:?} is not a valid host name"))?;
        Ok(Termination { acceptor: Arc::new(server).into(), connector: Arc::new(client).into(), name })
    }

    /// Requests TLS from the server, and answers the client as the server does. `None`: the server refuses TLS, and
    /// both sides continue unencrypted.
    ///
    /// *Errors*: the handshake with one side failed.
    pub(super) async fn establish<'a, S: Socket>(
        &self,
        client: &'a mut S,
        server: &'a mut S,
    ) -> Result<Option<[EncryptedLeg<'a, S>; 2]>, Failure> {
        server.write_all(&SSL_REQUEST).await.map_err(Failure::Server)?;
        let answer = server.read_u8().await.map_err(Failure::Server)?;
        if answer != b'S' {
            client.write_all(&[answer]).await.map_err(Failure::Client)?;
            return Ok(None);
        }
        let server = self.connector.connect(self.name.clone(), server).await.map_err(Failure::Server)?;
        client.write_all(b"S").await.map_err(Failure::Client)?;
        let client = self.acceptor.accept(client).await.map_err(Failure::Client)?;
        Ok(Some([EncryptedLeg::new(client.into()), EncryptedLeg::new(server.into())]))
    }
}

/// Waits for the client's first bytes; returns whether they request TLS. Refuses GSSAPI encryption first. A request that
/// stays incomplete is none: its bytes, and a FIN behind them, then reach the server as they are.
///
/// *Errors*: the client's connection failed.
pub(super) async fn asks_for_tls(client: &mut impl Socket) -> io::Result<bool> {
    let mut incomplete_since = None;
    loop {
        let mut first = [0; 8];
        let length = client.peek(&mut first).await?;
        match &first[..length] {
            request if request == SSL_REQUEST => return client.read_exact(&mut first).await.map(|_| true),
            request if request == GSS_REQUEST => {
                client.read_exact(&mut first).await?;
                client.write_all(b"N").await?;
            }
            // A request may arrive in pieces, and `peek` waits only for the first. Nor does it show a FIN.
            part if length > 0 && (SSL_REQUEST.starts_with(part) || GSS_REQUEST.starts_with(part)) => {
                if incomplete_since.get_or_insert_with(Instant::now).elapsed() > REQUEST_WITHIN {
                    return Ok(false);
                }
                sleep(Duration::from_millis(1)).await;
            }
            _ => return Ok(false),
        }
    }
}

/// The side whose handshake failed.
pub(super) enum Failure {
    Client(io::Error),
    Server(io::Error),
}

impl Failure {
    /// Returns the side, the cause, and how the connection ends.
    pub fn describe(self) -> (&'static str, String, Severed) {
        match self {
            Failure::Client(why) => ("client", why.to_string(), Severed::ClientReset),
            Failure::Server(why) => ("server", why.to_string(), Severed::ServerReset),
        }
    }
}

/// A leg encrypted with TLS.
pub(super) struct EncryptedLeg<'a, S> {
    stream: TlsStream<&'a mut S>,
    /// The stream ended without a close_notify.
    cut_off: bool,
}

impl<'a, S> EncryptedLeg<'a, S> {
    fn new(stream: TlsStream<&'a mut S>) -> EncryptedLeg<'a, S> {
        EncryptedLeg { stream, cut_off: false }
    }
}

impl<S: Socket> AsyncRead for EncryptedLeg<'_, S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.stream).poll_read(cx, buffer)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                self.cut_off = true;
                Poll::Ready(Ok(()))
            }
            read => Poll::Ready(read),
        }
    }
}

impl<S: Socket> AsyncWrite for EncryptedLeg<'_, S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Socket> Leg for EncryptedLeg<'_, S> {
    fn is_cut_off(&self) -> bool {
        self.cut_off
    }

    fn cut_off(&mut self) -> io::Result<()> {
        self.stream.get_mut().0.cut_off()
    }
}

fn certificates(what: &str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(format!("the {what} holds no PEM certificate")),
        Ok(found) => Ok(found),
        Err(error) => Err(format!("cannot read the {what} as PEM: {error}")),
    }
}
