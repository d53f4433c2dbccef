//! A network in memory, for these tests: it knows FIN from RST, and has no time of its own.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use tokio::sync::mpsc;

use crate::environment::network::transport::{Clock, Dialer, Host, Leg, Socket};

/// What a kernel buffers in each direction.
const BUFFER: usize = 64 << 10;

/// A host that is everybody.
#[derive(Clone, Default)]
pub struct Lan {
    listeners: Arc<Mutex<BTreeMap<SocketAddr, mpsc::UnboundedSender<End>>>>,
}

/// One side of a connection.
pub struct End {
    bytes: DuplexStream,
    /// Set by the side that resets; the other one's reads fail then.
    reset: Arc<AtomicBool>,
}

pub struct Listener {
    coming: mpsc::UnboundedReceiver<End>,
    at: SocketAddr,
    lan: Lan,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.lan.listeners.lock().unwrap().remove(&self.at);
    }
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = to.filled().len();
        let read = Pin::new(&mut self.bytes).poll_read(context, to);
        let ended = matches!(read, Poll::Ready(Ok(()))) && to.filled().len() == before && to.remaining() > 0;
        match ended && self.reset.load(Ordering::SeqCst) {
            true => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
            false => read,
        }
    }
}

impl AsyncWrite for End {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.bytes).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.bytes).poll_shutdown(context)
    }
}

impl Leg for End {
    fn cut_off(&mut self) -> io::Result<()> {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(&mut self.bytes).poll_shutdown(&mut context) {
            Poll::Ready(done) => done,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl Socket for End {
    fn reset(self) {
        self.reset.store(true, Ordering::SeqCst);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let mut scratch = [0; 1];
        let mut unread = ReadBuf::new(&mut scratch);
        let mut context = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut self.bytes).poll_read(&mut context, &mut unread);
        if !unread.filled().is_empty() {
            self.reset.store(true, Ordering::SeqCst);
        }
    }
}

impl Dialer for Lan {
    type Socket = End;

    const CLOCK: Clock = Clock::Runtime;

    fn begin_to_connect(&self, to: SocketAddr) -> io::Result<End> {
        let (near, far) = duplex(BUFFER);
        let reset = Arc::new(AtomicBool::new(false));
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let listeners = self.listeners.lock().unwrap();
        let listener = listeners.get(&to).ok_or_else(refused)?;
        listener.send(End { bytes: far, reset: reset.clone() }).map_err(|_| refused())?;
        Ok(End { bytes: near, reset })
    }

    async fn connected(&self, _: &mut End) -> io::Result<()> {
        Ok(())
    }
}

impl Host for Lan {
    type Listener = Listener;

    fn listen(&self, at: SocketAddr) -> io::Result<Listener> {
        let (sender, coming) = mpsc::unbounded_channel();
        self.listeners.lock().unwrap().insert(at, sender);
        Ok(Listener { coming, at, lan: self.clone() })
    }

    async fn accept(&self, listener: &mut Listener) -> io::Result<(End, SocketAddr)> {
        match listener.coming.recv().await {
            Some(end) => Ok((end, (Ipv4Addr::new(10, 0, 0, 9), 40_000).into())),
            None => std::future::pending().await,
        }
    }
}
