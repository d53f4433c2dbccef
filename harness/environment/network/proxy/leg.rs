//! A leg: the connection between the gateway and one of its peers.

use std::io;
use std::net::Shutdown;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A stream to a peer, over TCP in the end.
pub(super) trait Leg: AsyncRead + AsyncWrite + Unpin + Send {
    /// Whether the peer's stream has ended without the goodbye that its encryption asks for.
    fn is_cut_off(&self) -> bool {
        false
    }

    /// Sends FIN without such a goodbye.
    fn cut_off(&mut self) -> io::Result<()>;
}

impl Leg for TcpStream {
    fn cut_off(&mut self) -> io::Result<()> {
        SockRef::from(&*self).shutdown(Shutdown::Write)
    }
}

impl<L: Leg> Leg for &mut L {
    fn is_cut_off(&self) -> bool {
        L::is_cut_off(self)
    }

    fn cut_off(&mut self) -> io::Result<()> {
        L::cut_off(self)
    }
}
