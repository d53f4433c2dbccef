//! Reserved ports: held for as long as the reservation lives, even while no process listens. Ports that this module
//! chooses lie outside the range from which the kernel takes clients' outgoing ports.
//!
//! Listening sockets enable keepalive, as Postgres does, with the system's times or the scenario's: the gateway
//! terminates the client's TCP, so only its own keepalive reaches the client.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::credentials;
use crate::model::topology::Keepalive;

/// Lowest port that is chosen: above the privileged ports, well-known services and common development servers.
const LOWEST: u16 = 10_240;

/// Ports for outgoing connections if /proc does not show the range: Linux's default.
const EPHEMERAL_DEFAULT: Range<u16> = 32_768..61_000;

/// Random ports tried before giving up. About half of the draws fall into the ephemeral range and are skipped; of the
/// other ports, few are in use.
const TRIES: u32 = 200;

/// Length of the accept queue, in connections: more than any client under test opens at once.
pub(super) const BACKLOG: i32 = 1024;

/// Opens sockets on another network stack than this process's own.
pub(crate) trait SocketSource: Send + Sync + fmt::Debug {
    /// Opens a socket there.
    ///
    /// *Errors*: those of socket(2), or the other stack cannot be reached.
    fn socket(&self, domain: Domain, kind: Type, protocol: Option<Protocol>) -> io::Result<Socket>;
}

/// A port that other processes can bind only with `SO_REUSEADDR`: on this host, or on the network stack of a
/// [`SocketSource`].
///
/// Holds a socket that is bound and never listens: the kernel refuses connections to the port (ECONNREFUSED) until
/// [`listen`](Reservation::listen) is called or a child process binds the port with `SO_REUSEADDR` and listens.
#[derive(Debug)]
pub(crate) struct Reservation {
    address: SocketAddr,
    /// Where listening sockets are opened; `None`: on the host's own network.
    source: Option<Arc<dyn SocketSource>>,
    /// Keepalive times of accepted connections; `None`: the system's defaults.
    keepalive: Option<Keepalive>,
    _holder: Socket,
}

impl Reservation {
    /// Reserves a random free port on the loopback address, outside the ephemeral range.
    ///
    /// *Errors*: none of [`TRIES`] ports could be bound.
    pub fn new() -> io::Result<Reservation> {
        let ephemeral = ephemeral_range();
        let mut last = io::Error::other("no port was tried");
        for _ in 0..TRIES {
            let port = LOWEST + (credentials::unique() % u64::from(u16::MAX - LOWEST)) as u16;
            if ephemeral.contains(&port) {
                continue;
            }
            match Reservation::bind(port) {
                Ok(reservation) => return Ok(reservation),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn bind(port: u16) -> io::Result<Reservation> {
        Reservation::hold((Ipv4Addr::LOCALHOST, port).into(), false)
    }

    /// Reserves a given address, even while earlier connections linger there (TIME-WAIT). Port 0 stands for any free
    /// port.
    ///
    /// *Errors*: a process listens there, or the address is not on this host.
    #[cfg(any(test, feature = "proxy"))]
    pub fn at(address: SocketAddr) -> io::Result<Reservation> {
        Reservation::hold(address, address.port() != 0)
    }

    /// Reserves an address of another network stack.
    ///
    /// *Errors*: no socket can be opened there, or the address is in use.
    pub fn within(source: Arc<dyn SocketSource>, address: SocketAddr) -> io::Result<Reservation> {
        let holder = source.socket(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        let reservation = Reservation::hold_with(holder, address, false)?;
        Ok(Reservation { source: Some(source), ..reservation })
    }

    fn hold(address: SocketAddr, is_shared: bool) -> io::Result<Reservation> {
        let holder = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        Reservation::hold_with(holder, address, is_shared)
    }

    fn hold_with(holder: Socket, address: SocketAddr, is_shared: bool) -> io::Result<Reservation> {
        // Unless `is_shared`, bound without SO_REUSEADDR, so that any earlier use of the port is an error; then the
        // option is set, so that the listener may bind beside this socket.
        holder.set_reuse_address(is_shared)?;
        holder.bind(&address.into())?;
        holder.set_reuse_address(true)?;
        let address = holder.local_addr()?.as_socket().unwrap_or(address);
        Ok(Reservation { address, source: None, keepalive: None, _holder: holder })
    }

    /// Sets the keepalive times of accepted connections; `None`: the system's defaults.
    pub fn keeping_alive(self, keepalive: Option<Keepalive>) -> Reservation {
        Reservation { keepalive, ..self }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to listen; the kernel refuses connections again as soon as the listener is dropped.
    ///
    /// *Errors*: no socket can be opened, or another process listens on the port.
    pub fn listen(&self) -> io::Result<TcpListener> {
        let socket = self.socket()?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        // Postgres enables keepalive for every client, and the gateway terminates the client's TCP. An accepted socket
        // inherits the setting from its listener.
        socket.set_keepalive(true)?;
        if let Some(Keepalive { idle, interval, count }) = self.keepalive {
            let times = TcpKeepalive::new().with_time(idle).with_interval(interval).with_retries(count);
            socket.set_tcp_keepalive(&times)?;
        }
        socket.bind(&self.address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }

    fn socket(&self) -> io::Result<Socket> {
        let (domain, kind, protocol) = (Domain::for_address(self.address), Type::STREAM, Some(Protocol::TCP));
        if let Some(source) = &self.source {
            return source.socket(domain, kind, protocol);
        }
        Socket::new(domain, kind, protocol)
    }
}

pub(super) fn ephemeral_range() -> Range<u16> {
    let read = || {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
        let mut bounds = text.split_whitespace().map(|bound| bound.parse::<u16>());
        Some(bounds.next()?.ok()?..bounds.next()?.ok()?.saturating_add(1))
    };
    read().unwrap_or(EPHEMERAL_DEFAULT)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn reserved_port_refuses_unless_listened_on() {
        let reservation = Reservation::new().unwrap();
        let refused = || TcpStream::connect(reservation.address()).unwrap_err().kind();
        assert_eq!(refused(), io::ErrorKind::ConnectionRefused);
        for _ in 0..3 {
            let listener = reservation.listen().unwrap();
            TcpStream::connect(reservation.address()).unwrap();
            drop(listener);
            assert_eq!(refused(), io::ErrorKind::ConnectionRefused);
        }
    }

    #[test]
    fn reserved_port_cannot_be_bound_again() {
        let reservation = Reservation::new().unwrap();
        assert!(!ephemeral_range().contains(&reservation.address().port()));
        assert!(Reservation::bind(reservation.address().port()).is_err());
    }

    #[test]
    fn chosen_address_can_be_reserved_again_at_once() {
        use std::io::Read;

        let first = Reservation::new().unwrap();
        let address = first.address();
        let listener = first.listen().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        listener.set_nonblocking(false).unwrap();
        let (server, _) = listener.accept().unwrap();
        drop(listener);
        // The server closes first, so its side lingers in TIME-WAIT.
        drop(server);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop((client, first));
        assert_eq!(Reservation::bind(address.port()).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let second = Reservation::at(address).unwrap();
        let _listener = second.listen().unwrap();
        assert_eq!(Reservation::at(address).unwrap_err().kind(), io::ErrorKind::AddrInUse, "the address is reserved");
    }
}
