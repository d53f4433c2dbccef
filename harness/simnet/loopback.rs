//! Connections within the servers' machine: two buffers, and what either side knows of the other.
//!
//! No packet of theirs crosses a wire, so none is late or lost, and no filter sees it: there is nothing to be gained from
//! carrying them one by one. How they end is as Linux has it: what was received before an RST can be read.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use super::host::Machine;
use super::sockets::{Entry, Inner};
use super::world::{BUFFER, World};

/// One side of a connection.
#[derive(Debug, Default)]
struct Side {
    /// What has come, and was not read.
    inbox: BytesMut,
    /// The other side has sent FIN, or RST.
    has_ended: bool,
    is_reset: bool,
    /// This side has sent FIN; and its socket is closed.
    has_shut: bool,
    is_closed: bool,
    /// Who waits for something to read, and for room to write.
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// Where a connection is, and which side of it: 0 called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Half {
    pipe: usize,
    side: usize,
}

/// Somebody who listens.
#[derive(Debug, Default)]
struct Door {
    queue: VecDeque<usize>,
    waiting: Option<Waker>,
}

/// Everything within the machine.
#[derive(Debug, Default)]
pub(super) struct Within {
    pipes: Vec<Option<[Side; 2]>>,
    free: Vec<usize>,
    doors: BTreeMap<u16, Door>,
    /// The port of the newest caller.
    port: u16,
}

pub(super) fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Has this task woken, and whoever was there before forgotten, as sockets of tokio's do.
pub(super) fn park(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(known) if known.will_wake(cx.waker()) => {}
        _ => *waker = Some(cx.waker().clone()),
    }
}

fn errno(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

impl Within {
    /// Both sides, this one first.
    fn sides(&mut self, half: Half) -> io::Result<(&mut Side, &mut Side)> {
        let pipe = self.pipes.get_mut(half.pipe).and_then(Option::as_mut).ok_or_else(|| errno(libc::EBADF))?;
        let [caller, called] = pipe;
        Ok(if half.side == 0 { (caller, called) } else { (called, caller) })
    }

    fn connect(&mut self, to: SocketAddrV4) -> Option<(Half, Half)> {
        self.doors.get(&to.port())?;
        let sides = Some(<[Side; 2]>::default());
        let pipe = match self.free.pop() {
            Some(place) => {
                self.pipes[place] = sides;
                place
            }
            None => {
                self.pipes.push(sides);
                self.pipes.len() - 1
            }
        };
        Some((Half { pipe, side: 0 }, Half { pipe, side: 1 }))
    }

    pub fn poll_read(&mut self, half: Half, cx: &Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (own, other) = self.sides(half)?;
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
                park(&mut own.reader, cx);
                Poll::Pending
            }
        }
    }

    pub fn poll_write(&mut self, half: Half, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let (own, other) = self.sides(half)?;
        if own.is_reset || own.has_shut {
            let number = if own.has_ended || own.has_shut { libc::EPIPE } else { libc::ECONNRESET };
            return Poll::Ready(Err(errno(number)));
        }
        if other.is_closed {
            // Who is gone answers with RST, which the next one hears.
            own.is_reset = true;
            wake(&mut own.reader);
            return Poll::Ready(Ok(bytes.len()));
        }
        let room = BUFFER.saturating_sub(other.inbox.len());
        if room == 0 {
            park(&mut own.writer, cx);
            return Poll::Pending;
        }
        let written = room.min(bytes.len());
        other.inbox.extend_from_slice(&bytes[..written]);
        wake(&mut other.reader);
        Poll::Ready(Ok(written))
    }

    /// FIN.
    pub fn shut_down(&mut self, half: Half) -> io::Result<()> {
        let (own, other) = self.sides(half)?;
        if own.is_reset {
            return Err(errno(libc::ENOTCONN));
        }
        own.has_shut = true;
        other.has_ended = true;
        wake(&mut other.reader);
        Ok(())
    }

    /// As close(2) does it; `by_reset`: whatever is unread.
    pub fn close(&mut self, half: Half, by_reset: bool) {
        let Ok((own, other)) = self.sides(half) else { return };
        own.is_closed = true;
        match by_reset || !own.inbox.is_empty() {
            true => other.is_reset = true,
            false => other.has_ended = true,
        }
        wake(&mut other.reader);
        wake(&mut other.writer);
        if other.is_closed {
            self.pipes[half.pipe] = None;
            self.free.push(half.pipe);
        }
    }
}

impl World {
    /// Connects within the machine, where somebody listens.
    pub fn connect_within(&mut self, to: SocketAddrV4) -> usize {
        let Some((own, other)) = self.within.connect(to) else {
            return self.keep(Entry::open(Machine::Servers, Inner::Refused));
        };
        let accepted = self.keep(Entry::open(Machine::Servers, Inner::Within(other)));
        if let Some(door) = self.within.doors.get_mut(&to.port()) {
            door.queue.push_back(accepted);
            wake(&mut door.waiting);
        }
        self.keep(Entry::open(Machine::Servers, Inner::Within(own)))
    }

    /// Listens within the machine.
    pub fn listen_within(&mut self, at: SocketAddrV4) -> io::Result<()> {
        if self.within.doors.contains_key(&at.port()) {
            return Err(errno(libc::EADDRINUSE));
        }
        self.within.doors.insert(at.port(), Door::default());
        Ok(())
    }

    /// The next who has come in.
    pub fn poll_accept_within(&mut self, at: SocketAddrV4, cx: &Context<'_>) -> Poll<io::Result<(usize, SocketAddr)>> {
        let Some(door) = self.within.doors.get_mut(&at.port()) else {
            return Poll::Ready(Err(errno(libc::EBADF)));
        };
        let Some(socket) = door.queue.pop_front() else {
            park(&mut door.waiting, cx);
            return Poll::Pending;
        };
        self.within.port = self.within.port.checked_add(1).filter(|port| *port >= FIRST_PORT).unwrap_or(FIRST_PORT);
        Poll::Ready(Ok((socket, SocketAddr::from((Ipv4Addr::LOCALHOST, self.within.port)))))
    }

    /// Closes the door: whoever waits behind it is reset.
    pub fn unlisten_within(&mut self, at: SocketAddrV4) {
        let Some(door) = self.within.doors.remove(&at.port()) else { return };
        door.queue.into_iter().for_each(|socket| self.abort(socket));
    }
}

/// The first port that callers get, as Linux has it.
const FIRST_PORT: u16 = 32_768;
