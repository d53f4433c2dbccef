//! The network as the client under test sees it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::network::{SimHost, SimSocket};
use crate::environment::address::Place;
use crate::environment::network::transport::SocketOptions;

/// The client's machine on a simulated network. Clones are the same machine.
#[derive(Clone, Debug)]
pub struct Net(SimHost);

impl Net {
    pub(super) fn new(host: SimHost) -> Net {
        Net(host)
    }

    /// Connects to one of the places of an [`Address`](crate::Address).
    ///
    /// *Errors*: as the kernel gives them: refused, unreachable, timed out after 131 s of silence. A name is an error of
    /// its own: nothing resolves names here.
    pub async fn connect(&self, place: &Place) -> io::Result<Stream> {
        let named = |_| {
            let why = format!("{}: nothing resolves names in a simulation", place.host);
            io::Error::new(io::ErrorKind::Unsupported, why)
        };
        let ip: IpAddr = place.host.parse().map_err(named)?;
        self.connect_with((ip, place.port), SocketOptions::default()).await
    }

    /// Connects with keepalive, or TCP_USER_TIMEOUT.
    ///
    /// *Errors*: as [`connect`](Net::connect).
    pub async fn connect_with(&self, to: impl Into<SocketAddr>, options: SocketOptions) -> io::Result<Stream> {
        self.0.connect(to.into(), options).await.map(Stream)
    }
}

/// A TCP connection of the client's. Dropped, it is closed as close(2) does it.
///
/// It works within its simulation alone: later, or on another thread, each use is an error.
#[derive(Debug)]
pub struct Stream(SimSocket);

impl Stream {
    pub(super) fn set_user_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.0.set_user_timeout(limit)
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
