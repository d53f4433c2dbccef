//! `sslmode = prefer` in a build without TLS, on a stream of a custom network: requests TLS, and continues without it
//! if the server has none.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// Makes the library request TLS. A server that accepts causes an error, because this build has no handshake.
pub(super) struct RequestOnly;

/// The stream after a handshake, which never exists.
pub(super) struct NoStream(Infallible);

impl<S> TlsConnect<S> for RequestOnly {
    type Stream = NoStream;
    type Error = io::Error;
    type Future = Ready<io::Result<NoStream>>;

    fn connect(self, _stream: S) -> Self::Future {
        ready(Err(io::Error::new(io::ErrorKind::Unsupported, "this build has no TLS")))
    }
}

impl TlsStream for NoStream {
    fn channel_binding(&self) -> ChannelBinding {
        match self.0 {}
    }
}

impl AsyncRead for NoStream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

impl AsyncWrite for NoStream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
