//! The socket calls of applications: connect, read, write, shut down, close, abort.

use std::io;
use std::net::SocketAddrV4;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use super::flow::{CALLED, CALLER, FlowId};
use super::host::Machine;
use super::kernel::Slot;
use super::loopback::{PipeEnd, register_waker, wake};
use super::packet;
use super::state::{BUFFER, NetState};
use crate::gateway::transport::SocketOptions;

/// The bytes that a read takes from the kernel, more than any message of a workload. If the kernel has more, the
/// socket takes all of them.
const READ_SIZE: usize = 4096;

/// The state of a socket.
pub(super) enum SocketState {
    Connecting(Slot),
    Open(Slot),
    /// A connection within the servers' machine.
    Loopback(PipeEnd),
    /// No program listens at the address.
    Refused,
    Failed,
}

/// A socket.
pub(super) struct SocketEntry {
    pub machine: Machine,
    /// The socket's flow and side; `None`: a connection within one machine.
    pub flow: Option<(FlowId, usize)>,
    pub state: SocketState,
    /// Bytes drained from the kernel that the application has not read.
    pub unread: BytesMut,
    /// The error after an RST: that of ICMP or a timeout, or ECONNRESET if the connection was established; `None`: no
    /// RST, or one in the handshake (ECONNREFUSED).
    pub errno: Option<i32>,
    /// Whether FIN arrived before RST: then reads return the end of the stream, and writes EPIPE.
    pub has_ended: bool,
    /// Whether the kernel may have data to read. Set when a packet arrives, so that not each read polls the kernel.
    may_read: bool,
    /// Whether nothing more will arrive: each read returns the end of the stream, or an error.
    pub is_final: bool,
    /// The task that waits for data.
    reader: Option<Waker>,
}

impl SocketEntry {
    pub fn open(machine: Machine, state: SocketState) -> SocketEntry {
        SocketEntry {
            machine,
            flow: None,
            state,
            unread: BytesMut::new(),
            errno: None,
            has_ended: false,
            may_read: true,
            is_final: false,
            reader: None,
        }
    }

    /// The error that Linux returns.
    fn linux_error(&self, error: io::Error) -> io::Error {
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

impl NetState {
    /// Stores a socket; returns its number.
    pub fn insert_socket(&mut self, entry: SocketEntry) -> usize {
        match self.free.pop() {
            Some(slot) => {
                self.sockets[slot] = Some(entry);
                slot
            }
            None => {
                self.sockets.push(Some(entry));
                self.sockets.len() - 1
            }
        }
    }

    fn entry(&mut self, socket: usize) -> io::Result<&mut SocketEntry> {
        let entry = self.sockets.get_mut(socket).and_then(Option::as_mut);
        entry.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))
    }

    /// Begins to connect; returns the socket's number.
    ///
    /// *Errors*: no ephemeral port is free.
    pub fn connect(&mut self, machine: Machine, to: SocketAddrV4, options: SocketOptions) -> io::Result<usize> {
        self.flush();
        let slot = self.kernel(machine).connect(to)?;
        let socket = self.insert_socket(SocketEntry::open(machine, SocketState::Connecting(slot)));
        // After `flush` its SYN is the only packet collected, so the SYN's source is the socket's port.
        self.collect(Some((socket, options)));
        self.arm(self.now + self.latency);
        Ok(socket)
    }

    /// Sets TCP_USER_TIMEOUT of a socket that connected; accepted sockets are ignored.
    pub fn set_user_timeout(&mut self, socket: usize, limit: Option<Duration>) {
        let ends = self.flows.iter_mut().map(|flow| &mut flow.ends[CALLER]);
        for end in ends.filter(|end| end.socket == Some(socket) && !end.is_closed) {
            end.options.user_timeout = limit;
        }
    }

    pub fn poll_connected(&mut self, socket: usize, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let entry = self.entry(socket)?;
        let slot = match entry.state {
            SocketState::Open(_) | SocketState::Loopback(_) => return Poll::Ready(Ok(())),
            SocketState::Refused => return Poll::Ready(Err(io::Error::from_raw_os_error(libc::ECONNREFUSED))),
            SocketState::Failed => return Poll::Ready(Err(io::Error::from_raw_os_error(libc::ENOTCONN))),
            SocketState::Connecting(slot) => slot,
        };
        let machine = entry.machine;
        let connected = std::task::ready!(self.kernel(machine).poll_connected(slot, cx));
        if connected.is_err() {
            self.kernel(machine).close(slot);
        }
        let entry = self.entry(socket)?;
        entry.state = if connected.is_ok() { SocketState::Open(slot) } else { SocketState::Failed };
        Poll::Ready(connected.map_err(|error| entry.linux_error(error)))
    }

    pub fn poll_read(&mut self, socket: usize, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let NetState { sockets, loopback, .. } = self;
        let entry = sockets.get_mut(socket).and_then(Option::as_mut);
        let entry = entry.ok_or_else(|| io::Error::from_raw_os_error(libc::EBADF))?;
        if let SocketState::Loopback(end) = entry.state {
            return loopback.poll_read(end, cx, into);
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
            register_waker(&mut entry.reader, cx);
            return Poll::Pending;
        }
        self.read_from_kernel(socket, cx, into)
    }

    /// The machine and kernel slot of an open socket.
    ///
    /// *Errors*: EBADF for a closed socket, ENOTCONN for one that is not open.
    fn open_in_kernel(&mut self, socket: usize) -> io::Result<(Machine, Slot)> {
        match self.entry(socket)? {
            SocketEntry { machine, state: SocketState::Open(slot), .. } => Ok((*machine, *slot)),
            _ => Err(io::Error::from_raw_os_error(libc::ENOTCONN)),
        }
    }

    /// Reads from the kernel. The reader is woken by arriving packets, not by the kernel.
    fn read_from_kernel(&mut self, socket: usize, cx: &Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.before_call();
        let (machine, slot) = self.open_in_kernel(socket)?;
        let size = READ_SIZE.min(into.remaining());
        let read = self.kernel(machine).read(slot, into, size);
        let entry = self.entry(socket)?;
        let mut taken = match read {
            Poll::Ready(Ok(taken)) => taken,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(entry.linux_error(error))),
            Poll::Pending => {
                entry.may_read = false;
                register_waker(&mut entry.reader, cx);
                return Poll::Pending;
            }
        };
        entry.may_read = entry.is_final || taken == size;
        if taken > 0 && taken == size {
            // A kernel sends a window update only if half of its buffer is read at once; small reads would never cause one.
            taken += self.drain(socket);
        }
        if taken >= BUFFER / 2 {
            self.after_call();
        }
        Poll::Ready(Ok(()))
    }

    /// Wakes a socket's reader, because a packet has arrived; `is_final`: FIN or RST.
    pub fn wake_reader(&mut self, socket: usize, is_final: bool) {
        let Some(Some(entry)) = self.sockets.get_mut(socket) else { return };
        (entry.may_read, entry.is_final) = (true, entry.is_final || is_final);
        wake(&mut entry.reader);
    }

    /// Moves the kernel's unread data to the socket; returns the number of bytes.
    pub fn drain(&mut self, socket: usize) -> usize {
        let Ok((machine, slot)) = self.open_in_kernel(socket) else { return 0 };
        let drained = self.kernel(machine).drain(slot);
        if let Ok(entry) = self.entry(socket) {
            entry.unread.extend_from_slice(&drained);
        }
        drained.len()
    }

    pub fn poll_write(&mut self, socket: usize, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let entry = self.entry(socket)?;
        if let SocketState::Loopback(end) = entry.state {
            return self.loopback.poll_write(end, cx, bytes);
        }
        self.before_call();
        let (machine, slot) = self.open_in_kernel(socket)?;
        let written = std::task::ready!(self.kernel(machine).poll_write(slot, cx, bytes));
        let entry = self.entry(socket)?;
        match written {
            Ok(written) => {
                let flow = entry.flow;
                if let Some((flow, side)) = flow.and_then(|(id, side)| Some((self.flows.get(id)?, side))) {
                    flow.ends[side].queued += written;
                }
                self.after_call();
                Poll::Ready(Ok(written))
            }
            Err(error) => Poll::Ready(Err(entry.linux_error(error))),
        }
    }

    /// Sends FIN after the data written so far.
    ///
    /// *Errors*: the socket is closed, not connected or reset.
    pub fn shut_down(&mut self, socket: usize) -> io::Result<()> {
        let entry = self.entry(socket)?;
        if let SocketState::Loopback(end) = entry.state {
            return self.loopback.shut_down(end);
        }
        self.before_call();
        let (machine, slot) = self.open_in_kernel(socket)?;
        let shut = self.kernel(machine).shut_down(slot);
        match shut {
            Err(error) => Err(self.entry(socket)?.linux_error(error)),
            Ok(()) => {
                self.after_call();
                Ok(())
            }
        }
    }

    /// Closes as close(2) does: FIN, or RST if data are unread.
    pub fn close(&mut self, socket: usize) {
        let Ok(entry) = self.entry(socket) else { return };
        if let SocketState::Loopback(_) | SocketState::Refused = entry.state {
            return self.close_loopback(socket, false);
        }
        let (machine, state, has_taken) = (entry.machine, &entry.state, !entry.unread.is_empty());
        let leaves_bytes = match *state {
            SocketState::Open(slot) => has_taken || self.kernel(machine).has_unread(slot),
            _ => false,
        };
        match leaves_bytes {
            true => self.abort(socket),
            false => self.close_tcp(socket, false),
        }
    }

    /// Closes with RST. Data written before are sent first, because a real kernel would have sent them already.
    pub fn abort(&mut self, socket: usize) {
        if let Ok(SocketEntry { state: SocketState::Loopback(_) | SocketState::Refused, .. }) = self.entry(socket) {
            return self.close_loopback(socket, true);
        }
        self.flush();
        self.close_tcp(socket, true);
    }

    /// Closes a socket of a loopback connection.
    fn close_loopback(&mut self, socket: usize, by_reset: bool) {
        let Some(entry) = self.sockets.get_mut(socket).and_then(Option::take) else { return };
        self.free.push(socket);
        if let SocketState::Loopback(end) = entry.state {
            self.loopback.close(end, by_reset);
        }
    }

    fn close_tcp(&mut self, socket: usize, by_reset: bool) {
        self.before_call();
        let Some(entry) = self.sockets.get_mut(socket).and_then(Option::take) else { return };
        self.free.push(socket);
        self.after_call();
        let Some((id, side)) = entry.flow else { return self.close_in_kernel(&entry) };
        let Some(flow) = self.flows.get(id) else { return self.close_in_kernel(&entry) };
        let (from, to) = flow.addresses_from(side);
        let end = &mut flow.ends[side];
        (end.socket, end.is_closed) = (None, true);
        let is_unconnected = matches!(entry.state, SocketState::Connecting(_)) && !end.is_open;
        if is_unconnected {
            end.drop_connection();
        } else if by_reset && !end.is_gone {
            end.drop_connection();
            self.deliver(packet::reset(to, from));
            self.judge(packet::reset(from, to), None);
        }
        self.close_in_kernel(&entry);
        if is_unconnected {
            self.retry_until_answered(id, CALLED);
        }
        self.remove_if_over(id);
    }

    fn close_in_kernel(&mut self, entry: &SocketEntry) {
        if let SocketState::Connecting(slot) | SocketState::Open(slot) = entry.state {
            self.kernel(entry.machine).close(slot);
        }
    }
}
