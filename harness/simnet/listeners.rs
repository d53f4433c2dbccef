//! Who listens.
//!
//! A kernel lets nobody listen where accepted connections are still open. So a listener stays for good, and what is
//! opened and closed is a door before it.

use std::collections::btree_map;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::task::{Context, Poll, Waker};

use super::flow::CALLED;
use super::host::Machine;
use super::sockets::{Entry, Inner};
use super::world::{Task, World};
use crate::gateway::transport::{KeepaliveTimes, SocketOptions};

/// A listener, whether it is open or not.
pub(super) struct Listening {
    machine: Machine,
    pub is_open: bool,
}

impl World {
    /// Listens; returns where.
    pub fn listen(&mut self, machine: Machine, at: SocketAddrV4) -> io::Result<SocketAddrV4> {
        if at.ip().is_unspecified() {
            let why = "a simulated listener needs an address of its machine's";
            return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, why));
        }
        if let Some(listener) = self.listeners.get_mut(&at) {
            return match std::mem::replace(&mut listener.is_open, true) {
                true => Err(io::Error::from_raw_os_error(libc::EADDRINUSE)),
                false => Ok(at),
            };
        }
        let at = self.kernel(machine).listen(at)?;
        if let btree_map::Entry::Vacant(vacant) = self.listeners.entry(at) {
            vacant.insert(Listening { machine, is_open: true });
        }
        Ok(at)
    }

    /// The next who has come in at an address.
    pub fn poll_accept(
        &mut self,
        at: SocketAddrV4,
        keepalive: KeepaliveTimes,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let Some(listener) = self.listeners.get(&at) else {
            return Poll::Ready(Err(io::Error::from_raw_os_error(libc::EBADF)));
        };
        let machine = listener.machine;
        let (place, peer) = std::task::ready!(self.kernel(machine).poll_accept(at, cx))?;
        let flow = self.flows.between([peer, at]);
        // What came before it was taken in woke nobody.
        let is_final = flow.and_then(|id| self.flows.look(id)).is_none_or(|flow| flow.ends[CALLED].has_heard_all());
        let mut entry = Entry::open(machine, Inner::Open(place));
        (entry.flow, entry.is_final) = (flow.map(|id| (id, CALLED)), is_final);
        let socket = self.keep(entry);
        if let Some(flow) = flow.and_then(|id| self.flows.get(id)) {
            let id = flow.id;
            flow.ends[CALLED].socket = Some(socket);
            flow.ends[CALLED].options = SocketOptions { keepalive: Some(keepalive), user_timeout: None };
            self.refresh();
            self.schedule(self.now + keepalive.idle, id, CALLED, Task::Keepalive);
        }
        Poll::Ready(Ok((socket, SocketAddr::V4(peer))))
    }

    /// Closes the door: whoever waits behind it is reset, and who comes is refused.
    pub fn unlisten(&mut self, at: SocketAddrV4) {
        if let Some(listener) = self.listeners.get_mut(&at) {
            listener.is_open = false;
            self.turn_away(at);
        }
    }

    /// Resets who has come in where nobody will take him.
    pub fn turn_away(&mut self, at: SocketAddrV4) {
        let mut nobody = Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok((socket, _))) = self.poll_accept(at, KeepaliveTimes::SYSTEM, &mut nobody) {
            self.abort(socket);
        }
    }
}
