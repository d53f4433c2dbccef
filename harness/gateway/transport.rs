//! The network as the gateway, the simulated server and the built-in clients use it: traits that the operating system's
//! network and a simulated one implement.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(any(feature = "simulation", feature = "tls"))]
use crate::credentials::wall_clock::WallClock;

/// The gateway's byte stream to one peer: a TCP socket, or TLS on one.
pub(crate) trait Leg: AsyncRead + AsyncWrite + Unpin + Send {
    /// Whether the peer's stream ended without TLS's close_notify.
    fn is_cut_off(&self) -> bool {
        false
    }

    /// Sends FIN without close_notify, after all bytes written before.
    ///
    /// *Errors*: the connection has already failed.
    fn cut_off(&mut self) -> io::Result<()>;
}

impl<L: Leg> Leg for &mut L {
    fn is_cut_off(&self) -> bool {
        L::is_cut_off(self)
    }

    fn cut_off(&mut self) -> io::Result<()> {
        L::cut_off(self)
    }
}

/// A TCP socket. Dropping it closes it like close(2): FIN, or RST if bytes are left unread.
pub(crate) trait Socket: Leg + 'static {
    /// Ends the connection by RST, even with unsent or unread bytes.
    fn reset(self);

    /// Waits for received bytes and copies them without consuming them; cancel safe. Only TLS termination needs this.
    ///
    /// *Errors*: the connection has failed, or this network does not support TLS termination.
    #[cfg_attr(not(feature = "proxy"), expect(dead_code, reason = "only TLS termination uses it"))]
    fn peek(&mut self, _into: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send {
        async {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "TLS can be terminated only on sockets of the operating system",
            ))
        }
    }
}

/// The clock that drives the timers of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The operating system's, with kernel timers that are exact to some dozens of microseconds.
    Machine,
    /// The runtime's, which may be virtual; exact to the millisecond.
    #[cfg_attr(not(any(test, feature = "simulation")), expect(dead_code, reason = "only simulated networks use it"))]
    Runtime,
}

/// Opens outgoing connections.
pub(crate) trait Dialer: Clone + Send + Sync + 'static {
    type Socket: Socket;

    /// The clock of this network.
    const CLOCK: Clock;

    /// Begins to connect; returns the connecting socket. Dropping that socket abandons the attempt.
    ///
    /// *Errors*: the attempt failed at once.
    fn begin_to_connect(&self, to: SocketAddr) -> io::Result<Self::Socket>;

    /// Waits until the connection is established; cancel safe.
    ///
    /// *Errors*: the attempt failed.
    fn connected(&self, socket: &mut Self::Socket) -> impl Future<Output = io::Result<()>> + Send;
}

/// A host on a network: it can also accept connections.
#[cfg_attr(not(any(test, feature = "simulation")), expect(dead_code, reason = "only simulated networks use it"))]
pub(crate) trait Host: Dialer {
    type Listener: Send + 'static;

    /// Listens; once the listener is dropped, further connections are refused.
    ///
    /// *Errors*: the address is in use.
    fn listen(&self, at: SocketAddr) -> io::Result<Self::Listener>;

    /// Waits for the next connection; returns it with the client's address; cancel safe.
    ///
    /// *Errors*: this listener can accept no more connections.
    fn accept(
        &self,
        listener: &mut Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

/// Socket options that a client sets for one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// `SO_KEEPALIVE` with its times; `None`: off.
    pub keepalive: Option<KeepaliveTimes>,
    /// `TCP_USER_TIMEOUT`: how long sent bytes may remain unacknowledged; `None`: the system's default.
    pub user_timeout: Option<Duration>,
}

/// When the kernel probes whether the peer of an idle connection still answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepaliveTimes {
    /// `TCP_KEEPIDLE`: idle time before the first probe.
    pub idle: Duration,
    /// `TCP_KEEPINTVL`: time between two probes.
    pub interval: Duration,
    /// `TCP_KEEPCNT`: unanswered probes after which the connection fails.
    pub probes: u32,
}

impl KeepaliveTimes {
    /// Linux's defaults: two hours, then nine probes 75 s apart.
    pub const SYSTEM: KeepaliveTimes =
        KeepaliveTimes { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), probes: 9 };
}

/// A connected byte stream of any network, as a built-in client uses it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Opens connections of a built-in client that is not on the operating system's network.
#[async_trait]
pub(crate) trait Dial: Send + Sync + 'static {
    /// Connects to an address.
    ///
    /// *Errors*: the attempt failed.
    async fn dial(&self, to: SocketAddr, options: SocketOptions) -> io::Result<Box<dyn Stream>>;

    /// The clock against which certificates are validated.
    #[cfg(any(feature = "simulation", feature = "tls"))]
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "only simulated TLS uses it"))]
    fn wall_clock(&self) -> WallClock;
}
