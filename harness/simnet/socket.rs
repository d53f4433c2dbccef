//! [`SimSocket`], the handle of a simulated TCP socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::state::with;
use crate::gateway::transport::{Leg, Socket};

/// A socket handle. It holds only numbers, so that it can move to any thread and outlive its network; see `state`.
#[derive(Debug)]
pub(crate) struct SimSocket {
    generation: u64,
    number: usize,
}

impl SimSocket {
    pub(super) fn new(generation: u64, number: usize) -> SimSocket {
        SimSocket { generation, number }
    }

    /// Sets TCP_USER_TIMEOUT of an open connection that this side initiated.
    ///
    /// *Errors*: the simulation has ended, or runs on another thread.
    pub fn set_user_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        with(self.generation, |net| net.set_user_timeout(self.number, limit))
    }

    pub(super) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with(self.generation, |net| net.poll_connected(self.number, cx))?
    }
}

impl AsyncRead for SimSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        with(self.generation, |net| net.poll_read(self.number, cx, into))?
    }
}

impl AsyncWrite for SimSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        with(self.generation, |net| net.poll_write(self.number, cx, bytes))?
    }

    /// Writes all parts at once, as writev(2) does. rustls relies on that when it writes an alert and closes.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match parts {
            [part] => self.poll_write(cx, part),
            parts => self.poll_write(cx, &parts.iter().flat_map(|part| part.iter().copied()).collect::<Vec<_>>()),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(with(self.generation, |net| net.shut_down(self.number))?)
    }
}

impl Leg for SimSocket {
    fn cut_off(&mut self) -> io::Result<()> {
        with(self.generation, |net| net.shut_down(self.number))?
    }
}

impl Socket for SimSocket {
    fn reset(self) {
        // Fails only if the network has ended; then there is no connection to reset.
        let _ = with(self.generation, |net| net.abort(self.number));
        std::mem::forget(self);
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let _ = with(self.generation, |net| net.close(self.number));
    }
}
