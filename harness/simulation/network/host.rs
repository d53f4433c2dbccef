//! A machine of the simulated network.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::task::Context;

use async_trait::async_trait;
use turmoil_net::HostId;

use super::flow::{CALLED, CALLER};
use super::packet;
use super::socket::SimSocket;
use super::world::{Hosts, LOOPBACK, with};
use crate::environment::network::transport::{Clock, Dial, Dialer, Host, KeepaliveTimes, SocketOptions, Stream};

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
}

impl SimListener {
    /// Where, also if any port would do.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::V4(outside(self.at))
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let _ = with(self.generation, |world| world.unlisten(self.at));
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
        let to = self.inside(packet::v4(to)?);
        let number = with(self.generation, |world| world.connect(self.own(world.hosts), to, options))??;
        Ok(SimSocket::new(self.generation, number))
    }

    /// The ends of connections between the machines that programs of this one still hold.
    pub fn held(&self) -> io::Result<BTreeSet<SocketAddr>> {
        let side = match self.machine {
            Machine::Client => CALLER,
            Machine::Servers => CALLED,
        };
        with(self.generation, |world| {
            let between = world.flows.iter().filter(|flow| !flow.is_local);
            let held = between.filter(|flow| !flow.ends[side].is_closed && !flow.ends[side].is_gone);
            held.map(|flow| SocketAddr::V4(flow.addresses[side])).collect()
        })
    }

    fn own(&self, hosts: Hosts) -> HostId {
        match self.machine {
            Machine::Client => hosts.client,
            Machine::Servers => hosts.servers,
        }
    }

    /// The servers' machine has a host of its own beneath for what programs there say among themselves.
    fn inside(&self, address: SocketAddrV4) -> SocketAddrV4 {
        match self.machine {
            Machine::Servers if address.ip().is_loopback() => SocketAddrV4::new(LOOPBACK, address.port()),
            _ => address,
        }
    }
}

/// An address as programs know it.
fn outside(address: SocketAddrV4) -> SocketAddrV4 {
    match *address.ip() == LOOPBACK {
        true => SocketAddrV4::new(Ipv4Addr::LOCALHOST, address.port()),
        false => address,
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
        let at = self.inside(packet::v4(at)?);
        let generation = self.generation;
        let at = with(generation, |world| {
            let host = if *at.ip() == LOOPBACK { world.hosts.loopback } else { self.own(world.hosts) };
            world.listen(host, at)
        })??;
        Ok(SimListener { generation, at })
    }

    async fn accept(&self, listener: &mut SimListener) -> io::Result<(SimSocket, SocketAddr)> {
        let (generation, at, keepalive) = (listener.generation, listener.at, self.keepalive);
        let poll = |cx: &mut Context<'_>| with(generation, |world| world.poll_accept(at, keepalive, cx))?;
        let (number, peer) = poll_fn(poll).await?;
        let is_local = *at.ip() == LOOPBACK;
        let peer = if is_local { SocketAddr::from((Ipv4Addr::LOCALHOST, peer.port())) } else { peer };
        Ok((SimSocket::new(generation, number), peer))
    }
}

#[async_trait]
impl Dial for SimHost {
    async fn dial(&self, to: SocketAddr, options: SocketOptions) -> io::Result<Box<dyn Stream>> {
        Ok(Box::new(self.connect(to, options).await?))
    }
}
