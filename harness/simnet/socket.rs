//! A simulated TCP socket, as a program holds it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::world::with;
use crate::gateway::transport::{Leg, Socket};

/// A socket: nothing but its number, so that it may be anywhere, and outlive its network.
#[derive(Debug)]
pub(crate) struct SimSocket {
    generation: u64,
    number: usize,
}

impl SimSocket {
    pub(super) fn new(generation: u64, number: usize) -> SimSocket {
        SimSocket { generation, number }
    }

    /// Sets TCP_USER_TIMEOUT of a connection that is open and was begun here.
    pub fn set_user_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        with(self.generation, |world| world.set_user_timeout(self.number, limit))
    }

    pub(super) fn poll_connected(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        with(self.generation, |world| world.poll_connected(self.number, cx))?
    }
}

impl AsyncRead for SimSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        with(self.generation, |world| world.poll_read(self.number, cx, into))?
    }
}

impl AsyncWrite for SimSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        with(self.generation, |world| world.poll_write(self.number, cx, bytes))?
    }

    /// All of it at once, as writev(2) does it: who writes once and leaves, like rustls with an alert, counts on that.
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
        Poll::Ready(with(self.generation, |world| world.shut_down(self.number))?)
    }
}

impl Leg for SimSocket {
    fn cut_off(&mut self) -> io::Result<()> {
        with(self.generation, |world| world.shut_down(self.number))?
    }
}

impl Socket for SimSocket {
    fn reset(self) {
        // Where the network has ended, so has the connection.
        let _ = with(self.generation, |world| world.abort(self.number));
        std::mem::forget(self);
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let _ = with(self.generation, |world| world.close(self.number));
    }
}
