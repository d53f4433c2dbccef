//! The simulated network: two machines, the wire between them, and a packet filter on the wire.
//!
//! A `kernel` per machine has ports, windows and the states of TCP, but no clock. This module adds time: latency,
//! retransmission, keepalive, timeouts, and stateful devices that expire flows. No work is done at regular intervals, so
//! that an idle minute costs nothing. [`Network`] is the handle of a test or a simulation; its state is
//! `state::NetState`, whose `impl` blocks are in `state`, `scheduler`, `retransmission`, `keepalive`, `listeners`,
//! `loopback` and `sockets`: one type, one file per concern.
//!
//! Not simulated: congestion control (a whole window is sent at once), zero-window probes and their timeouts (a peer
//! that acknowledges but does not read), TIME-WAIT, and IPv6.

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
mod state;
#[cfg(test)]
mod tests;
mod timer;
mod trace;

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
use self::trace::TracedPacket;

use self::host::Machine;
use crate::model::seed::Seed;

/// The client's machine.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);

/// The addresses of the machine of gateway and servers.
pub(crate) const SERVERS: [Ipv4Addr; 3] =
    [Ipv4Addr::new(198, 18, 0, 10), Ipv4Addr::new(198, 18, 0, 11), Ipv4Addr::new(198, 18, 0, 12)];

/// An address that no machine has: packets to it are lost.
pub(crate) const UNUSED_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 13);

/// One-way latency between the two machines. Within one machine it is zero.
pub(crate) const LATENCY: Duration = Duration::from_millis(1);

/// The network of this thread; dropping the handle removes it.
///
/// [`start`](Network::start) spawns the task that drives it, on a single-threaded runtime that may have a paused
/// clock.
#[derive(Debug)]
pub(crate) struct Network {
    generation: u64,
    /// Keeps the handle on its thread (not `Send`).
    _here: PhantomData<*const ()>,
}

/// A snapshot of one connection, for tests.
#[cfg(test)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowSnapshot {
    pub client: SocketAddr,
    pub server: SocketAddr,
    /// Whether a device on the path has expired the flow.
    pub is_expired: bool,
    /// Per side, the client's first: packets held for retransmission, and whether the kernel has dropped the connection.
    pub held: [usize; 2],
    pub gone: [bool; 2],
}

/// A builder of runtimes for one network: one thread, timers, and a paused clock that advances when no task is ready.
pub(crate) fn runtime() -> Builder {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).on_thread_park(scheduler::runtime_is_idle);
    // The runtime calls this function when it starts a thread, before the thread runs anything. A single-threaded
    // runtime starts threads only for blocking calls.
    builder.thread_name_fn(|| {
        scheduler::blocking_thread_starts();
        "simulation-blocking".to_owned()
    });
    builder
}

impl Network {
    /// Opens a network on this thread. Random choices are drawn from `seed`.
    ///
    /// *Errors*: this thread has a network already.
    pub fn open(seed: Seed) -> io::Result<Network> {
        Ok(Network { generation: state::install(seed)?, _here: PhantomData })
    }

    /// Spawns the task that carries packets, on the current runtime. The network uses the runtime's clock from now on.
    pub fn start(&self) {
        // A removed network has no packets to carry.
        let _ = state::with(self.generation, state::NetState::start_clock);
        tokio::spawn(scheduler::run(self.generation));
    }

    pub fn client(&self) -> SimHost {
        SimHost::new(self.generation, Machine::Client)
    }

    pub fn servers(&self) -> SimHost {
        SimHost::new(self.generation, Machine::Servers)
    }

    pub fn filter(&self) -> Filter {
        Filter::new(self.generation)
    }

    /// Sets the one-way latency of packets sent from now on: whole milliseconds, the resolution of the runtime's
    /// timers.
    #[cfg(test)]
    pub fn delay(&self, latency: Duration) -> io::Result<()> {
        state::with(self.generation, |net| net.latency = latency)
    }

    /// The connections between the two machines, and those to [`UNUSED_ADDRESS`].
    #[cfg(test)]
    pub fn flows(&self) -> io::Result<Vec<FlowSnapshot>> {
        state::with(self.generation, |net| {
            net.flush();
            let seen = net.flows.iter().map(|flow| FlowSnapshot {
                client: flow.addresses[0].into(),
                server: flow.addresses[1].into(),
                is_expired: flow.tracked.expired_by.is_some(),
                held: flow.ends.each_ref().map(|end| end.held.len()),
                gone: flow.ends.each_ref().map(|end| end.is_gone),
            });
            seen.collect()
        })
    }

    /// Records the filter's verdict on each packet between the machines from now on.
    #[cfg(test)]
    pub fn start_trace(&self) -> io::Result<()> {
        state::with(self.generation, |net| {
            net.flush();
            net.trace = Some(Vec::new());
        })
    }

    /// The packets recorded since [`start_trace`](Network::start_trace).
    #[cfg(test)]
    pub fn trace(&self) -> io::Result<Vec<TracedPacket>> {
        state::with(self.generation, |net| {
            net.flush();
            net.trace.clone().unwrap_or_default()
        })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        state::remove(self.generation);
    }
}
