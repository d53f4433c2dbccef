//! The simulated network: two machines, the wire between them, and a filter on it.
//!
//! Ports, windows and the states of TCP are those of a `kernel` that has no clock. Time is added here: how long a
//! packet is under way, when one that was lost is sent again, keepalive, timeouts, and devices that forget. Nothing
//! happens at regular intervals, so that an idle minute costs nothing.
//!
//! What is not here: congestion control (a window goes out at once), timeouts of a peer that acknowledges but reads
//! nothing, TIME-WAIT, and IPv6.

mod filter;
mod flow;
mod host;
mod keepalive;
mod kernel;
mod listeners;
mod loopback;
mod packet;
mod retransmission;
mod scheduler;
mod socket;
mod sockets;
#[cfg(test)]
mod tests;
mod timer;
mod trace;
mod world;

use std::io;
use std::marker::PhantomData;
use std::net::Ipv4Addr;
#[cfg(test)]
use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::Builder;

pub(crate) use self::filter::{Filter, FilterRule, Installed};
pub(crate) use self::host::SimHost;
pub(crate) use self::socket::SimSocket;
#[cfg(test)]
use self::trace::Traced;

use self::host::Machine;
use crate::model::seed::Seed;

/// The client's machine.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// The addresses of the machine of gateway and servers.
pub(crate) const SERVERS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(198, 18, 0, 10), Ipv4Addr::new(198, 18, 0, 11), Ipv4Addr::new(198, 18, 0, 12)];

/// Nobody's address: what is sent there vanishes.
pub(crate) const NOBODY: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 13);

/// How long a packet is under way between the two machines. Within one it takes no time.
pub(crate) const LATENCY: Duration = Duration::from_millis(1);

/// The network of this thread, until it is dropped.
///
/// It is driven by a task of the runtime that it is started on, which has a single thread and may have a paused clock.
#[derive(Debug)]
pub(crate) struct Network {
    generation: u64,
    /// It stays on its thread.
    _here: PhantomData<*const ()>,
}

/// One side of a connection, for whoever wants to see what there is.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowSeen {
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// Whether a device on the way has forgotten it.
    pub is_forgotten: bool,
    /// By the side, the client's first: what is held up there, and whether its kernel knows of it no more.
    pub held: [usize; 2],
    pub gone: [bool; 2],
}

/// What builds a runtime for one network: with one thread, timers, and a clock that goes on when nothing is left to do.
pub(crate) fn runtime() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).on_thread_park(scheduler::idle);
    // The only threads that such a runtime starts are those on which something blocks. It asks for their names as it is told
    // to, and no earlier than that does it matter.
    builder.thread_name_fn(|| {
        scheduler::something_blocks();
        "simulation-blocking".to_owned()
    });
    builder
}

impl Network {
    /// Opens a network on this thread; there can be only one. Chance is drawn from `seed`.
    pub fn open(seed: Seed) -> io::Result<Network> {
        Ok(Network { generation: world::install(seed)?, _here: PhantomData })
    }

    /// Has packets carried, by a task of this runtime, whose clock is the network's from now on.
    pub fn start(&self) {
        // Where there is no network any more, there is nothing to carry either.
        let _ = world::with(self.generation, world::World::begin);
        tokio::spawn(scheduler::run(self.generation));
    }

    pub fn client(&self) -> SimHost {
        SimHost::new(self.generation, Machine::Client)
    }

    pub fn servers(&self) -> SimHost {
        SimHost::new(self.generation, Machine::Servers)
    }

    pub fn filter(&self) -> Filter {
        Filter::of(self.generation)
    }

    /// Has packets from now on take so long each way. *Units*: whole milliseconds, as the runtime's timers have them.
    #[cfg(test)]
    pub fn delay(&self, latency: Duration) -> io::Result<()> {
        world::with(self.generation, |world| world.latency = latency)
    }

    /// What connections there are between the two machines, and beyond.
    #[cfg(test)]
    pub fn flows(&self) -> io::Result<Vec<FlowSeen>> {
        world::with(self.generation, |world| {
            world.settle();
            let seen = world.flows.iter().map(|flow| FlowSeen {
                client: flow.addresses[0].into(),
                server: flow.addresses[1].into(),
                is_forgotten: flow.tracked.forgotten_by.is_some(),
                held: flow.ends.each_ref().map(|end| end.held.len()),
                gone: flow.ends.each_ref().map(|end| end.is_gone),
            });
            seen.collect()
        })
    }

    /// Writes down from now on what becomes of each packet between the machines.
    #[cfg(test)]
    pub fn record(&self) -> io::Result<()> {
        world::with(self.generation, |world| {
            world.settle();
            world.trace = Some(Vec::new());
        })
    }

    /// What has been written down.
    #[cfg(test)]
    pub fn recorded(&self) -> io::Result<Vec<Traced>> {
        world::with(self.generation, |world| {
            world.settle();
            world.trace.clone().unwrap_or_default()
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        world::remove(self.generation);
    }
}
