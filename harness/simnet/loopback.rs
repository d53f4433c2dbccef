//! Connections within the servers' machine: a buffer and the state of each side, without packets.
//!
//! On the loopback interface packets are never late, lost or filtered, so that simulating them would gain nothing.
//! Connections end as on Linux: data received before an RST can be read.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use super::host::Machine;
use super::sockets::{SocketEntry, SocketState};
use super::state::{BUFFER, NetState};

/// One side of a connection.
#[derive(Debug, Default)]
struct Side {
    /// Data received but not read.
    inbox: BytesMut,
    /// Whether the other side has sent FIN; and RST.
    has_ended: bool,
    is_reset: bool,
    /// Whether this side has sent FIN; and whether its socket is closed.
    has_shut: bool,
    is_closed: bool,
    /// The tasks that wait for data, and for room to write.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The index of a connection, and one of its sides; side 0 connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PipeEnd {
    pipe: usize,
    side: usize,
}

/// A listener, with the sockets that wait to be accepted.
#[derive(Debug, Default)]
struct LoopbackListener {
    queue: VecDeque<usize>,
    waiting: Option<Waker>,
}

/// All connections and listeners within the machine.
#[derive(Debug, Default)]
pub(super) struct Loopback {
    pipes: Vec<Option<[Side; 2]>>,
    free: Vec<usize>,
    listeners: BTreeMap<u16, LoopbackListener>,
    /// The port last reported as a caller's. Callers get a port at the accept, because their own side never needs it.
    port: u16,
}

pub(super) fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Registers the task's waker in place of the previous one, as tokio's sockets do.
pub(super) fn register_waker(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(known) if known.will_wake(cx.waker()) => {}
        _ => *waker = Some(cx.waker().clone()),
    }
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

impl Loopback {
    /// Returns both sides, that of `end` first.
    ///
    /// *Errors*: EBADF for a closed connection.
    fn sides(&mut self, end: PipeEnd) -> io::Result<(&mut Side, &mut Side)> {
        let pipe = self.pipes.get_mut(end.pipe).and_then(Option::as_mut).ok_or_else(|| errno(libc::EBADF))?;
        let [caller, called] = pipe;
        Ok(if end.side == 0 { (caller, called) } else { (called, caller) })
    }

    fn connect(&mut self, to: SocketAddrV4) -> Option<(PipeEnd, PipeEnd)> {
        self.listeners.get(&to.port())?;
        let sides = Some(<[Side; 2]>::default());
        let pipe = match self.free.pop() {
            Some(slot) => {
                self.pipes[slot] = sides;
                slot
            }
            None => {
                self.pipes.push(sides);
                self.pipes.len() - 1
            }
        };
        Some((PipeEnd { pipe, side: 0 }, PipeEnd { pipe, side: 1 }))
    }

    pub fn poll_read(&mut self, end: PipeEnd, cx: &Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (own, other) = self.sides(end)?;
        if !own.inbox.is_empty() {
            let taken = own.inbox.len().min(into.remaining());
            into.put_slice(&own.inbox[..taken]);
            own.inbox.advance(taken);
            wake(&mut other.writer);
            return Poll::Ready(Ok(()));
        }
        match (own.has_ended, own.is_reset) {
            (true, _) => Poll::Ready(Ok(())),
            (false, true) => Poll::Ready(Err(errno(libc::ECONNRESET))),
            (false, false) => {
                register_waker(&mut own.reader, cx);
                Poll::Pending
            }
        }
    }

    pub fn poll_write(&mut self, end: PipeEnd, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (own, other) = self.sides(end)?;
        if own.is_reset || own.has_shut {
            let number = if own.has_ended || own.has_shut { libc::EPIPE } else { libc::ECONNRESET };
            return Poll::Ready(Err(errno(number)));
        }
        if other.is_closed {
            // The closed side answers with RST, which the next call reports.
            own.is_reset = true;
            wake(&mut own.reader);
            return Poll::Ready(Ok(bytes.len()));
        }
        let room = BUFFER.saturating_sub(other.inbox.len());
        if room == 0 {
            register_waker(&mut own.writer, cx);
            return Poll::Pending;
        }
        let written = room.min(bytes.len());
        other.inbox.extend_from_slice(&bytes[..written]);
        wake(&mut other.reader);
        Poll::Ready(Ok(written))
    }

    /// Sends FIN.
    ///
    /// *Errors*: ENOTCONN after an RST.
    pub fn shut_down(&mut self, end: PipeEnd) -> io::Result<()> {
        let (own, other) = self.sides(end)?;
        if own.is_reset {
            return Err(errno(libc::ENOTCONN));
        }
        own.has_shut = true;
        other.has_ended = true;
        wake(&mut other.reader);
        Ok(())
    }

    /// Closes as close(2) does, with RST if data are unread. `by_reset`: with RST in any case.
    pub fn close(&mut self, end: PipeEnd, by_reset: bool) {
        let Ok((own, other)) = self.sides(end) else { return };
        own.is_closed = true;
        match by_reset || !own.inbox.is_empty() {
            true => other.is_reset = true,
            false => other.has_ended = true,
        }
        wake(&mut other.reader);
        wake(&mut other.writer);
        if other.is_closed {
            self.pipes[end.pipe] = None;
            self.free.push(end.pipe);
        }
    }
}

impl NetState {
    /// Connects within the machine; returns the socket's number. If no program listens, the socket is in state
    /// `Refused`.
    pub fn connect_loopback(&mut self, to: SocketAddrV4) -> usize {
        let Some((own, other)) = self.loopback.connect(to) else {
            return self.insert_socket(SocketEntry::open(Machine::Servers, SocketState::Refused));
        };
        let accepted = self.insert_socket(SocketEntry::open(Machine::Servers, SocketState::Loopback(other)));
        if let Some(listener) = self.loopback.listeners.get_mut(&to.port()) {
            listener.queue.push_back(accepted);
            wake(&mut listener.waiting);
        }
        self.insert_socket(SocketEntry::open(Machine::Servers, SocketState::Loopback(own)))
    }

    /// Listens on a port within the machine.
    ///
    /// *Errors*: EADDRINUSE.
    pub fn listen_loopback(&mut self, at: SocketAddrV4) -> io::Result<()> {
        if self.loopback.listeners.contains_key(&at.port()) {
            return Err(errno(libc::EADDRINUSE));
        }
        self.loopback.listeners.insert(at.port(), LoopbackListener::default());
        Ok(())
    }

    /// Accepts the next connection.
    ///
    /// *Errors*: EBADF without a listener.
    pub fn poll_accept_loopback(
        &mut self,
        at: SocketAddrV4,
        cx: &Context<'_>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let Some(listener) = self.loopback.listeners.get_mut(&at.port()) else {
            return Poll::Ready(Err(errno(libc::EBADF)));
        };
        let Some(socket) = listener.queue.pop_front() else {
            register_waker(&mut listener.waiting, cx);
            return Poll::Pending;
        };
        self.loopback.port = self.loopback.port.checked_add(1).filter(|port| *port >= FIRST_PORT).unwrap_or(FIRST_PORT);
        Poll::Ready(Ok((socket, SocketAddr::from((Ipv4Addr::LOCALHOST, self.loopback.port)))))
    }

    /// Closes a listener: pending connections are reset.
    pub fn close_loopback_listener(&mut self, at: SocketAddrV4) {
        let Some(listener) = self.loopback.listeners.remove(&at.port()) else { return };
        listener.queue.into_iter().for_each(|socket| self.abort(socket));
    }
}

/// The first ephemeral port of Linux.
const FIRST_PORT: u16 = 32_768;
