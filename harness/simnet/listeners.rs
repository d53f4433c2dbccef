//! Listeners between the machines: listen, accept, close.
//!
//! The simulated kernel refuses to bind an address at which accepted connections are open. A listener therefore stays
//! bound in the kernel, and closing it only clears `is_open`.

use std::collections::btree_map;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::task::{Context, Poll, Waker};

use super::flow::CALLED;
use super::host::Machine;
use super::sockets::{SocketEntry, SocketState};
use super::state::{FlowTask, NetState};
use crate::gateway::transport::{KeepaliveTimes, SocketOptions};

/// A listener that stays bound in its kernel, open or closed.
pub(super) struct BoundListener {
    machine: Machine,
    pub is_open: bool,
}

impl NetState {
    /// Listens; returns the bound address.
    ///
    /// *Errors*: an unspecified address, one of another machine, or one in use.
    pub fn listen(&mut self, machine: Machine, at: SocketAddrV4) -> io::Result<SocketAddrV4> {
        if at.ip().is_unspecified() {
            let why = "cannot listen on an unspecified address: a simulated listener needs an address of its machine";
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
            vacant.insert(BoundListener { machine, is_open: true });
        }
        Ok(at)
    }

    /// Accepts the next connection at an address; its socket gets these keepalive times.
    ///
    /// *Errors*: EBADF without a listener.
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
        let (slot, peer) = std::task::ready!(self.kernel(machine).poll_accept(at, cx))?;
        let flow = self.flows.between([peer, at]);
        // Packets that arrived before the accept have not set `is_final`.
        let is_final = flow.and_then(|id| self.flows.look(id)).is_none_or(|flow| flow.ends[CALLED].has_received_all());
        let mut entry = SocketEntry::open(machine, SocketState::Open(slot));
        (entry.flow, entry.is_final) = (flow.map(|id| (id, CALLED)), is_final);
        let socket = self.insert_socket(entry);
        if let Some(flow) = flow.and_then(|id| self.flows.get(id)) {
            let id = flow.id;
            flow.ends[CALLED].socket = Some(socket);
            flow.ends[CALLED].options = SocketOptions { keepalive: Some(keepalive), user_timeout: None };
            self.refresh_now();
            self.schedule(self.now + keepalive.idle, id, CALLED, FlowTask::Keepalive);
        }
        Poll::Ready(Ok((socket, SocketAddr::V4(peer))))
    }

    /// Closes a listener: pending connections are reset, and new ones are refused.
    pub fn close_listener(&mut self, at: SocketAddrV4) {
        if let Some(listener) = self.listeners.get_mut(&at) {
            listener.is_open = false;
            self.reset_pending(at);
        }
    }

    /// Resets the connections that wait to be accepted.
    pub fn reset_pending(&mut self, at: SocketAddrV4) {
        let mut no_waker = Context::from_waker(Waker::noop());
        while let Poll::Ready(Ok((socket, _))) = self.poll_accept(at, KeepaliveTimes::SYSTEM, &mut no_waker) {
            self.abort(socket);
        }
    }
}
