//! TCP of the operating system.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Type};
use tokio::net::TcpStream;

use super::transport::{Clock, Dialer, Leg, Socket};

/// The operating system's network, as this process sees it.
#[derive(Clone, Copy)]
pub(crate) struct Machine;

impl Machine {
    /// Registers an accepted client's socket with the current runtime.
    ///
    /// *Errors*: the runtime cannot watch the socket.
    pub fn client(stream: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream).inspect(disable_nagle)
    }
}

impl Dialer for Machine {
    type Socket = TcpStream;

    const CLOCK: Clock = Clock::Machine;

    fn begin_to_connect(&self, to: SocketAddr) -> io::Result<TcpStream> {
        let socket = socket2::Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
            _ => TcpStream::from_std(socket.into()).inspect(disable_nagle),
        }
    }

    async fn connected(&self, socket: &mut TcpStream) -> io::Result<()> {
        socket.writable().await?;
        match socket.take_error()? {
            Some(error) => Err(error),
            None => socket.peer_addr().map(drop),
        }
    }
}

/// Disables Nagle's algorithm: otherwise small replies wait for the peer's delayed acknowledgement, 42 ms each.
fn disable_nagle(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
}

impl Leg for TcpStream {
    fn cut_off(&mut self) -> io::Result<()> {
        SockRef::from(&*self).shutdown(Shutdown::Write)
    }
}

impl Socket for TcpStream {
    fn reset(self) {
        // With zero linger, close() sends RST. An error means that the connection has already failed.
        let _ = SockRef::from(&self).set_linger(Some(Duration::ZERO));
    }

    async fn peek(&mut self, into: &mut [u8]) -> io::Result<usize> {
        TcpStream::peek(self, into).await
    }
}
