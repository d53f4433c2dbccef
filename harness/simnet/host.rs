//! A machine of the simulated network.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, SocketAddrV4};
use std::task::Context;

use super::flow::{CALLED, CALLER};
use super::packet;
use super::socket::SimSocket;
use super::world::with;
use crate::gateway::transport::{Clock, Dialer, Host, KeepaliveTimes, SocketOptions};

/// Which machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    Client,
    Servers,
}

/// A machine, on which programs connect and listen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SimHost {
    generation: u64,
    machine: Machine,
    keepalive: KeepaliveTimes,
}

/// Somebody who listens; dropped, whoever comes is refused.
#[derive(Debug)]
pub(crate) struct SimListener {
    generation: u64,
    at: SocketAddrV4,
    is_within: bool,
}

#[cfg(test)]
impl SimListener {
    /// Where, also if any port would do.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::V4(self.at)
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let _ = with(self.generation, |world| match self.is_within {
            true => world.unlisten_within(self.at),
            false => world.unlisten(self.at),
        });
    }
}

impl SimHost {
    pub(super) fn new(generation: u64, machine: Machine) -> SimHost {
        SimHost { generation, machine, keepalive: KeepaliveTimes::SYSTEM }
    }

    /// With other times of keepalive for those who are taken in.
    pub fn keeping_alive(self, keepalive: KeepaliveTimes) -> SimHost {
        SimHost { keepalive, ..self }
    }

    /// Connects.
    pub async fn connect(self, to: SocketAddr, options: SocketOptions) -> io::Result<SimSocket> {
        let mut socket = self.begin(to, options)?;
        self.connected(&mut socket).await?;
        Ok(socket)
    }

    fn begin(&self, to: SocketAddr, options: SocketOptions) -> io::Result<SimSocket> {
        let to = packet::v4(to)?;
        let number = with(self.generation, |world| match self.is_within(to) {
            true => Ok(world.connect_within(to)),
            false => world.connect(self.machine, to, options),
        })??;
        Ok(SimSocket::new(self.generation, number))
    }

    /// The ends of connections between the machines that programs of this one still hold.
    pub fn open_sockets(&self) -> io::Result<BTreeSet<SocketAddr>> {
        let side = match self.machine {
            Machine::Client => CALLER,
            Machine::Servers => CALLED,
        };
        with(self.generation, |world| {
            let open_sockets = world.flows.iter().filter(|flow| !flow.ends[side].is_closed && !flow.ends[side].is_gone);
            open_sockets.map(|flow| SocketAddr::V4(flow.addresses[side])).collect()
        })
    }

    /// Whether an address is one that only programs on the servers' machine reach.
    fn is_within(&self, address: SocketAddrV4) -> bool {
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
        let (generation, is_within) = (self.generation, self.is_within(at));
        let at = with(generation, |world| match is_within {
            true => world.listen_within(at).map(|()| at),
            false => world.listen(self.machine, at),
        })??;
        Ok(SimListener { generation, at, is_within })
    }

    async fn accept(&self, listener: &mut SimListener) -> io::Result<(SimSocket, SocketAddr)> {
        let SimListener { generation, at, is_within } = *listener;
        let poll = |cx: &mut Context<'_>| {
            with(generation, |world| match is_within {
                true => world.poll_accept_within(at, cx),
                false => world.poll_accept(at, self.keepalive, cx),
            })?
        };
        let (number, peer) = poll_fn(poll).await?;
        Ok((SimSocket::new(generation, number), peer))
    }
}
