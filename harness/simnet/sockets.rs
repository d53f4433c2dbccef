//! Sockets of the simulation, by their numbers: what an application can do to one.

use std::io;
use std::net::SocketAddrV4;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use super::flow::{CALLED, CALLER, FlowId};
use super::host::Machine;
use super::kernel::Place;
use super::loopback::{Half, park, wake};
use super::packet;
use super::world::{BUFFER, World};
use crate::gateway::transport::SocketOptions;

/// What is read at once, unless more has come: longer than any message of a workload.
const PIECE: usize = 4096;

/// What there is of a socket.
pub(super) enum Inner {
    Connecting(Place),
    Open(Place),
    /// Within the servers' machine.
    Within(Half),
    /// Nobody listens there.
    Refused,
    Failed,
}

/// A socket.
pub(super) struct Entry {
    pub machine: Machine,
    /// Which side of which flow it is; `None` within one host.
    pub flow: Option<(FlowId, usize)>,
    pub inner: Inner,
    /// What has been taken from the kernel, and by nobody from here.
    pub unread: BytesMut,
    /// What the kernel was told by an RST that nobody has sent.
    pub errno: Option<i32>,
    /// The other side had ended its stream before it reset the connection: then reading ends well.
    pub has_ended: bool,
    /// Whether there may be something to read. What arrives says so; the kernel is asked no more often than that.
    may_read: bool,
    /// Nothing more will arrive: there is the end to read, or an error, as often as anybody asks.
    pub is_final: bool,
    /// Who waits for something to read.
    reader: Option<Waker>,
}

impl Entry {
    pub fn open(machine: Machine, inner: Inner) -> Entry {
        Entry {
            machine,
            flow: None,
            inner,
            unread: BytesMut::new(),
            errno: None,
            has_ended: false,
            may_read: true,
            is_final: false,
            reader: None,
        }
    }

    /// An error as Linux gives it.
    fn told(&self, error: io::Error) -> io::Error {
        let number = match error.kind() {
            io::ErrorKind::ConnectionReset if self.has_ended => libc::EPIPE,
            io::ErrorKind::ConnectionReset => self.errno.unwrap_or(libc::ECONNRESET),
            io::ErrorKind::ConnectionRefused => self.errno.unwrap_or(libc::ECONNREFUSED),
            io::ErrorKind::BrokenPipe => libc::EPIPE,
            io::ErrorKind::NotConnected => libc::ENOTCONN,
            _ => return error,
        };
        io::Error::from_raw_os_error(number)
    }
}

impl World {
    /// Gives a socket a number.
    pub fn keep(&mut self, entry: Entry) -> usize {
        match self.free.pop() {
            Some(place) => {
                self.sockets[place] = Some(entry);
                place
            }
            None => {
                self.sockets.push(Some(entry));
                self.sockets.len() - 1
            }
        }
    }

    fn entry(&mut self, socket: usize) -> io::Result<&mut Entry> {
        let entry = self.sockets.get_mut(socket).and_then(Option::as_mut);
        entry.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }

    /// Begins to connect.
    pub fn connect(&mut self, machine: Machine, to: SocketAddrV4, options: SocketOptions) -> io::Result<usize> {
        self.settle();
        let place = self.kernel(machine).connect(to)?;
        let socket = self.keep(Entry::open(machine, Inner::Connecting(place)));
        // Its SYN is the only packet that there is now, so it tells the port.
        self.collect(Some((socket, options)));
        self.arm(self.now + self.latency);
        Ok(socket)
    }

    pub fn set_user_timeout(&mut self, socket: usize, limit: Option<Duration>) {
        let ends = self.flows.iter_mut().map(|flow| &mut flow.ends[CALLER]);
        for end in ends.filter(|end| end.socket == Some(socket) && !end.is_closed) {
            end.options.user_timeout = limit;
        }
    }

    pub fn poll_connected(&mut self, socket: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let entry = self.entry(socket)?;
        let place = match entry.inner {
            Inner::Open(_) | Inner::Within(_) => return Poll::Ready(Ok(())),
            Inner::Refused => return Poll::Ready(Err(io::Error::from_raw_os_error(libc::ECONNREFUSED))),
            Inner::Failed => return Poll::Ready(Err(io::Error::from_raw_os_error(libc::ENOTCONN))),
            Inner::Connecting(place) => place,
        };
        let machine = entry.machine;
        let connected = std::task::ready!(self.kernel(machine).poll_connected(place, cx));
        if connected.is_err() {
            self.kernel(machine).close(place);
        }
        let entry = self.entry(socket)?;
        entry.inner = if connected.is_ok() { Inner::Open(place) } else { Inner::Failed };
        Poll::Ready(connected.map_err(|error| entry.told(error)))
    }

    pub fn poll_read(&mut self, socket: usize, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let World { sockets, within, .. } = self;
        let entry = sockets.get_mut(socket).and_then(Option::as_mut);
        let entry = entry.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
        if let Inner::Within(half) = entry.inner {
            return within.poll_read(half, cx, into);
        }
        if !entry.unread.is_empty() {
            let taken = entry.unread.len().min(into.remaining());
            into.put_slice(&entry.unread[..taken]);
            entry.unread.advance(taken);
            return Poll::Ready(Ok(()));
        }
        if entry.has_ended {
            return Poll::Ready(Ok(()));
        }
        if !entry.may_read {
            park(&mut entry.reader, cx);
            return Poll::Pending;
        }
        self.read_from_kernel(socket, cx, into)
    }

    /// Where in which kernel a socket is open.
    fn opened(&mut self, socket: usize) -> io::Result<(Machine, Place)> {
        match self.entry(socket)? {
            Entry { machine, inner: Inner::Open(place), .. } => Ok((*machine, *place)),
            _ => Err(io::Error::from_raw_os_error(libc::ENOTCONN)),
        }
    }

    /// Reads what the kernel has. It wakes nobody: what arrives does.
    fn read_from_kernel(&mut self, socket: usize, cx: &Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.before();
        let (machine, place) = self.opened(socket)?;
        let piece = PIECE.min(into.remaining());
        let read = self.kernel(machine).read(place, into, piece);
        let entry = self.entry(socket)?;
        let mut taken = match read {
            Poll::Ready(Ok(taken)) => taken,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(entry.told(error))),
            Poll::Pending => {
                entry.may_read = false;
                park(&mut entry.reader, cx);
                return Poll::Pending;
            }
        };
        entry.may_read = entry.is_final || taken == piece;
        if taken > 0 && taken == piece {
            // A kernel opens its window again only if half of it is read at once; small reads would never do it.
            taken += self.drain(socket);
        }
        if taken >= BUFFER / 2 {
            self.mark();
        }
        Poll::Ready(Ok(()))
    }

    /// Something has arrived at a socket; `is_final`: its end, or an RST.
    pub fn rouse(&mut self, socket: usize, is_final: bool) {
        let Some(Some(entry)) = self.sockets.get_mut(socket) else { return };
        (entry.may_read, entry.is_final) = (true, entry.is_final || is_final);
        wake(&mut entry.reader);
    }

    /// Takes out of the kernel what the application has not read yet.
    pub fn drain(&mut self, socket: usize) -> usize {
        let Ok((machine, place)) = self.opened(socket) else { return 0 };
        let drained = self.kernel(machine).drain(place);
        if let Ok(entry) = self.entry(socket) {
            entry.unread.extend_from_slice(&drained);
        }
        drained.len()
    }

    pub fn poll_write(&mut self, socket: usize, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let entry = self.entry(socket)?;
        if let Inner::Within(half) = entry.inner {
            return self.within.poll_write(half, cx, bytes);
        }
        self.before();
        let (machine, place) = self.opened(socket)?;
        let written = std::task::ready!(self.kernel(machine).poll_write(place, cx, bytes));
        let entry = self.entry(socket)?;
        match written {
            Ok(written) => {
                let flow = entry.flow;
                if let Some((flow, side)) = flow.and_then(|(id, side)| Some((self.flows.get(id)?, side))) {
                    flow.ends[side].queued += written;
                }
                self.mark();
                Poll::Ready(Ok(written))
            }
            Err(error) => Poll::Ready(Err(entry.told(error))),
        }
    }

    /// FIN, after what was written before.
    pub fn shut_down(&mut self, socket: usize) -> io::Result<()> {
        let entry = self.entry(socket)?;
        if let Inner::Within(half) = entry.inner {
            return self.within.shut_down(half);
        }
        self.before();
        let (machine, place) = self.opened(socket)?;
        let shut = self.kernel(machine).shut_down(place);
        match shut {
            Err(error) => Err(self.entry(socket)?.told(error)),
            Ok(()) => {
                self.mark();
                Ok(())
            }
        }
    }

    /// As close(2) does it: FIN, or RST where bytes are left unread.
    pub fn close(&mut self, socket: usize) {
        let Ok(entry) = self.entry(socket) else { return };
        if let Inner::Within(_) | Inner::Refused = entry.inner {
            return self.leave(socket, false);
        }
        let (machine, inner, has_taken) = (entry.machine, &entry.inner, !entry.unread.is_empty());
        let leaves_bytes = match *inner {
            Inner::Open(place) => has_taken || self.kernel(machine).has_unread(place),
            _ => false,
        };
        match leaves_bytes {
            true => self.abort(socket),
            false => self.end(socket, false),
        }
    }

    /// RST, whatever is unread. What has been written goes first, as it would have gone already.
    pub fn abort(&mut self, socket: usize) {
        if let Ok(Entry { inner: Inner::Within(_) | Inner::Refused, .. }) = self.entry(socket) {
            return self.leave(socket, true);
        }
        self.settle();
        self.end(socket, true);
    }

    /// Ends one within the machine.
    fn leave(&mut self, socket: usize, by_reset: bool) {
        let Some(entry) = self.sockets.get_mut(socket).and_then(Option::take) else { return };
        self.free.push(socket);
        if let Inner::Within(half) = entry.inner {
            self.within.close(half, by_reset);
        }
    }

    fn end(&mut self, socket: usize, by_reset: bool) {
        self.before();
        let Some(entry) = self.sockets.get_mut(socket).and_then(Option::take) else { return };
        self.free.push(socket);
        self.mark();
        let Some((id, side)) = entry.flow else { return self.close_in_kernel(&entry) };
        let Some(flow) = self.flows.get(id) else { return self.close_in_kernel(&entry) };
        let (from, to) = flow.way(side);
        let end = &mut flow.ends[side];
        (end.socket, end.is_closed) = (None, true);
        let gives_up = matches!(entry.inner, Inner::Connecting(_)) && !end.is_open;
        if gives_up {
            end.go();
        } else if by_reset && !end.is_gone {
            end.go();
            self.deliver(packet::reset(to, from));
            self.emitted(packet::reset(from, to), None);
        }
        self.close_in_kernel(&entry);
        if gives_up {
            self.await_answer(id, CALLED);
        }
        self.remove_if_over(id);
    }

    fn close_in_kernel(&mut self, entry: &Entry) {
        if let Inner::Connecting(place) | Inner::Open(place) = entry.inner {
            self.kernel(entry.machine).close(place);
        }
    }
}
