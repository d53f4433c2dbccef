//! What a gateway, a simulated server and a built-in client ask of a network: the machine's own, or a simulated one.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(any(feature = "simulation", feature = "tls"))]
use crate::credentials::wall_clock::WallClock;

/// A stream to a peer, over TCP in the end.
pub(crate) trait Leg: AsyncRead + AsyncWrite + Unpin + Send {
    /// Whether the peer's stream has ended without the goodbye that its encryption asks for.
    fn is_cut_off(&self) -> bool {
        false
    }

    /// Sends FIN without such a goodbye, after whatever was written before.
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

/// A TCP socket. Dropped, it is closed as close(2) does it: FIN, or RST where bytes are left unread.
pub(crate) trait Socket: Leg + 'static {
    /// Ends the connection by RST, whatever is unsent or unread.
    fn reset(self);

    /// Looks at what has come, once something has, and leaves it there; cancel safe. Needed where TLS is ended alone.
    fn peek(&mut self, _into: &mut [u8]) -> impl Future<Output = io::Result<usize>> + Send {
        async { Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is ended on the machine's own sockets alone")) }
    }
}

/// Which clock the timers of a connection go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The machine's, by timers of the kernel's, exact to some dozens of microseconds.
    Machine,
    /// The runtime's, which may be virtual; exact to the millisecond.
    Runtime,
}

/// Whence connections are made.
pub(crate) trait Dialer: Clone + Send + Sync + 'static {
    type Socket: Socket;

    /// Which clock goes with it.
    const CLOCK: Clock;

    /// A socket that connects. It is the caller's from the first: dropped, it gives the attempt up.
    fn begin_to_connect(&self, to: SocketAddr) -> io::Result<Self::Socket>;

    /// Waits until the other side has taken the connection; cancel safe.
    fn connected(&self, socket: &mut Self::Socket) -> impl Future<Output = io::Result<()>> + Send;
}

/// A host on a network: where connections are taken, too.
pub(crate) trait Host: Dialer {
    type Listener: Send + 'static;

    /// Listens; dropped, the listener refuses whoever comes.
    fn listen(&self, at: SocketAddr) -> io::Result<Self::Listener>;

    /// The next connection, and whence it comes; cancel safe.
    fn accept(
        &self,
        listener: &mut Self::Listener,
    ) -> impl Future<Output = io::Result<(Self::Socket, SocketAddr)>> + Send;
}

/// What a client asks of the kernel for one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// `SO_KEEPALIVE` with its times; `None`: off.
    pub keepalive: Option<KeepaliveTimes>,
    /// `TCP_USER_TIMEOUT`: how long sent bytes may lie unacknowledged.
    pub user_timeout: Option<Duration>,
}

/// When the kernel asks of a connection on which nothing moves whether the other side is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepaliveTimes {
    /// `TCP_KEEPIDLE`: how long nothing has to have come.
    pub idle: Duration,
    /// `TCP_KEEPINTVL`: between two probes.
    pub interval: Duration,
    /// `TCP_KEEPCNT`: probes without an answer, after which the connection is given up.
    pub probes: u32,
}

impl KeepaliveTimes {
    /// Linux's own: two hours, then nine probes 75 s apart.
    pub const SYSTEM: KeepaliveTimes =
        KeepaliveTimes { idle: Duration::from_secs(7200), interval: Duration::from_secs(75), probes: 9 };
}

/// A stream that somebody else has made.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// How a built-in client makes its connections, where it is not on the machine's own network.
#[async_trait]
pub(crate) trait Dial: Send + Sync + 'static {
    async fn dial(&self, to: SocketAddr, options: SocketOptions) -> io::Result<Box<dyn Stream>>;

    /// By which clock certificates are valid there.
    #[cfg(any(feature = "simulation", feature = "tls"))]
    fn wall_clock(&self) -> WallClock;
}
