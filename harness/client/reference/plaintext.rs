//! Asks for TLS, and goes on without: what `sslmode = prefer` comes to in a build without TLS, at a server that speaks
//! none.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};

/// Has the library ask. A server that says yes is an error: no handshake is known here.
pub(super) struct AsksOnly;

/// The stream of a handshake that there never is.
pub(super) struct Never(Infallible);

impl<S> TlsConnect<S> for AsksOnly {
    type Stream = Never;
    type Error = io::Error;
    type Future = Ready<io::Result<Never>>;

    fn connect(self, _stream: S) -> Self::Future {
        ready(Err(io::Error::new(io::ErrorKind::Unsupported, "this build speaks no TLS")))
    }
}

impl TlsStream for Never {
    fn channel_binding(&self) -> ChannelBinding {
        match self.0 {}
    }
}

impl AsyncRead for Never {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}

impl AsyncWrite for Never {
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
