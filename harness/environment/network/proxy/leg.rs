//! A leg: the connection between the gateway and one of its peers.

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A stream to a peer, over TCP in the end.
pub(super) trait Leg: AsyncRead + AsyncWrite + Unpin + Send {
    /// The TCP connection under it.
    fn socket(&self) -> SockRef<'_>;
    /// What is left of it when nothing more is to be said.
    fn into_tcp(self) -> TcpStream;
}

impl Leg for TcpStream {
    fn socket(&self) -> SockRef<'_> {
        SockRef::from(self)
    }

    fn into_tcp(self) -> TcpStream {
        self
    }
}
