//! An in-memory network for tests in virtual time: bytes take no time.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;

use super::transport::{Clock, Dialer, Host, Leg, Socket};

/// Bytes that each end can send before the other reads.
const WINDOW: usize = 64 << 10;

/// An in-memory network, and each [`Host`] on it; clones share it.
#[derive(Clone, Default)]
pub struct Memory(Arc<Hosts>);

#[derive(Default)]
struct Hosts {
    listening: Mutex<BTreeMap<SocketAddr, mpsc::UnboundedSender<(MemorySocket, SocketAddr)>>>,
    clients: AtomicU16,
}

/// One end of a connection.
pub struct MemorySocket {
    /// Address of this end.
    pub address: SocketAddr,
    stream: DuplexStream,
    /// Whether one end has sent RST.
    reset: Arc<AtomicBool>,
    /// Whether the connect was refused.
    refused: bool,
}

pub struct MemoryListener {
    queue: mpsc::UnboundedReceiver<(MemorySocket, SocketAddr)>,
    hosts: Arc<Hosts>,
    address: SocketAddr,
}

impl Memory {
    /// Connects at once.
    ///
    /// *Errors*: no listener at this address (ECONNREFUSED).
    pub fn connect(&self, to: SocketAddr) -> io::Result<MemorySocket> {
        let port = 40_000 + self.0.clients.fetch_add(1, Ordering::Relaxed);
        let address: SocketAddr = ([10, 0, 0, 9], port).into();
        let (near, far) = duplex(WINDOW);
        let reset: Arc<AtomicBool> = Arc::default();
        let end = |address, stream| MemorySocket { address, stream, reset: Arc::clone(&reset), refused: false };
        let listening = self.0.listening.lock().unwrap();
        let listener = listening.get(&to).ok_or(io::ErrorKind::ConnectionRefused)?;
        listener.send((end(to, far), address)).map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(end(address, near))
    }
}

impl Dialer for Memory {
    type Socket = MemorySocket;

    const CLOCK: Clock = Clock::Runtime;

    fn begin_to_connect(&self, to: SocketAddr) -> io::Result<MemorySocket> {
        Ok(self.connect(to).unwrap_or_else(|_| MemorySocket {
            address: to,
            stream: duplex(1).0,
            reset: Arc::default(),
            refused: true,
        }))
    }

    async fn connected(&self, socket: &mut MemorySocket) -> io::Result<()> {
        if socket.refused { Err(io::ErrorKind::ConnectionRefused.into()) } else { Ok(()) }
    }
}

impl Host for Memory {
    type Listener = MemoryListener;

    fn listen(&self, at: SocketAddr) -> io::Result<MemoryListener> {
        let (taken, queue) = mpsc::unbounded_channel();
        match self.0.listening.lock().unwrap().insert(at, taken) {
            None => Ok(MemoryListener { queue, hosts: Arc::clone(&self.0), address: at }),
            Some(_) => Err(io::ErrorKind::AddrInUse.into()),
        }
    }

    async fn accept(&self, listener: &mut MemoryListener) -> io::Result<(MemorySocket, SocketAddr)> {
        listener.queue.recv().await.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        self.hosts.listening.lock().unwrap().remove(&self.address);
        // Nothing will accept the queued connections.
        while let Ok((socket, _)) = self.queue.try_recv() {
            socket.reset();
        }
    }
}

impl MemorySocket {
    fn unless_reset(&self) -> io::Result<()> {
        if self.reset.load(Ordering::Relaxed) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for MemorySocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let ended = matches!(read, Poll::Ready(Ok(()))) && buffer.filled().len() == before && buffer.remaining() > 0;
        // Bytes sent before an RST can still be read.
        if ended {
            self.unless_reset()?;
        }
        read
    }
}

impl AsyncWrite for MemorySocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.unless_reset()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.unless_reset()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Leg for MemorySocket {
    fn cut_off(&mut self) -> io::Result<()> {
        // The in-memory stream shuts down at once.
        match Pin::new(&mut self.stream).poll_shutdown(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Socket for MemorySocket {
    fn reset(self) {
        // Dropping the stream wakes the other end, which then finds the flag.
        self.reset.store(true, Ordering::Relaxed);
    }
}

impl Drop for MemorySocket {
    fn drop(&mut self) {
        let mut byte = [0];
        let mut unread = ReadBuf::new(&mut byte);
        let _ = Pin::new(&mut self.stream).poll_read(&mut Context::from_waker(Waker::noop()), &mut unread);
        if !unread.filled().is_empty() {
            self.reset.store(true, Ordering::Relaxed);
        }
    }
}
