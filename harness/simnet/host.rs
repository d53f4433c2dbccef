//! [`SimHost`], the handle with which programs on a machine of the simulated network connect, listen and accept.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::task::Context;

use super::flow::{CALLED, CALLER};
use super::packet;
use super::socket::SimSocket;
use super::state::with;
use crate::gateway::transport::{Clock, Dialer, Host, KeepaliveTimes, SocketOptions};

/// One of the two machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    Client,
    Servers,
}

/// A handle to a machine, on which programs connect and listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimHost {
    generation: u64,
    machine: Machine,
    keepalive: KeepaliveTimes,
}

/// A listener. Dropping it resets connections that are not accepted, and new ones are refused.
#[derive(Debug)]
pub(crate) struct SimListener {
    generation: u64,
    at: SocketAddrV4,
    is_loopback: bool,
}

#[cfg(test)]
impl SimListener {
    /// The bound address, with the port that was chosen if 0 was requested.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::V4(self.at)
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let _ = with(self.generation, |net| match self.is_loopback {
            true => net.close_loopback_listener(self.at),
            false => net.close_listener(self.at),
        });
    }
}

impl SimHost {
    pub(super) fn new(generation: u64, machine: Machine) -> SimHost {
        SimHost { generation, machine, keepalive: KeepaliveTimes::SYSTEM }
    }

    /// Returns a handle whose accepted sockets have these keepalive times.
    pub fn keeping_alive(self, keepalive: KeepaliveTimes) -> SimHost {
        SimHost { keepalive, ..self }
    }

    /// Connects, and waits for the handshake.
    ///
    /// *Errors*: those of Linux; `NotConnected` outside the simulation.
    pub async fn connect(self, to: SocketAddr, options: SocketOptions) -> io::Result<SimSocket> {
        let mut socket = self.begin(to, options)?;
        self.connected(&mut socket).await?;
        Ok(socket)
    }

    fn begin(&self, to: SocketAddr, options: SocketOptions) -> io::Result<SimSocket> {
        let to = packet::v4(to)?;
        let number = with(self.generation, |net| match self.is_loopback_address(to) {
            true => Ok(net.connect_loopback(to)),
            false => net.connect(self.machine, to, options),
        })??;
        Ok(SimSocket::new(self.generation, number))
    }

    /// The local addresses of this machine's open sockets of connections between the machines.
    ///
    /// *Errors*: the simulation has ended, or runs on another thread.
    pub fn open_sockets(&self) -> io::Result<BTreeSet<SocketAddr>> {
        let side = match self.machine {
            Machine::Client => CALLER,
            Machine::Servers => CALLED,
        };
        with(self.generation, |net| {
            let open_sockets = net.flows.iter().filter(|flow| !flow.ends[side].is_closed && !flow.ends[side].is_gone);
            open_sockets.map(|flow| SocketAddr::V4(flow.addresses[side])).collect()
        })
    }

    /// Whether an address is a loopback address of the servers' machine.
    fn is_loopback_address(&self, address: SocketAddrV4) -> bool {
        self.machine == Machine::Servers && address.ip().is_loopback()
    }
}

impl Dialer for SimHost {
    type Socket = SimSocket;

    const CLOCK: Clock = Clock::Runtime;

    fn begin_to_connect(&self, to: SocketAddr) -> io::Result<SimSocket> {
        self.begin(to, SocketOptions::default())
    }

    async fn connected(&self, socket: &mut SimSocket) -> io::Result<()> {
        poll_fn(|cx| socket.poll_connected(cx)).await
    }
}

impl Host for SimHost {
    type Listener = SimListener;

    fn listen(&self, at: SocketAddr) -> io::Result<SimListener> {
        let at = packet::v4(at)?;
        let (generation, is_loopback) = (self.generation, self.is_loopback_address(at));
        let at = with(generation, |net| match is_loopback {
            true => net.listen_loopback(at).map(|()| at),
            false => net.listen(self.machine, at),
        })??;
        Ok(SimListener { generation, at, is_loopback })
    }

    async fn accept(&self, listener: &mut SimListener) -> io::Result<(SimSocket, SocketAddr)> {
        let SimListener { generation, at, is_loopback } = *listener;
        let poll = |cx: &mut Context<'_>| {
            with(generation, |net| match is_loopback {
                true => net.poll_accept_loopback(at, cx),
                false => net.poll_accept(at, self.keepalive, cx),
            })?
        };
        let (number, peer) = poll_fn(poll).await?;
        Ok((SimSocket::new(generation, number), peer))
    }
}
