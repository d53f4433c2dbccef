//! The state of the network of this thread, and access to it.
//!
//! The state holds sockets, listeners and packets; a handle holds only a number and the generation of its network. A
//! handle that outlives its network or moves to another thread therefore returns errors, and has no other effect.
//!
//! [`NetState`] has its methods in several files, one per concern: sending and receiving packets in `scheduler`,
//! `retransmission` and `keepalive`; the calls of applications in `sockets`, `listeners` and `loopback`; clock and
//! queues here.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::mem::ManuallyDrop;
use std::net::SocketAddrV4;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task;
use tokio::time::Instant;

use super::filter::Rules;
use super::flow::{FlowId, Flows};
use super::host::Machine;
use super::kernel::Kernel;
use super::listeners::BoundListener;
use super::loopback::Loopback;
use super::packet::{Kind, Packet};
use super::sockets::SocketEntry;
use super::timer::Timers;
use super::trace::TracedPacket;
use super::{CLIENT, LATENCY, SERVERS};
use crate::model::seed::Seed;

/// The buffer of a kernel in each direction of a connection. *Units*: bytes.
pub(super) const BUFFER: usize = 64 * 1024;

/// The newest generation. Generations are unique within the process.
static NEWEST: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Not dropped when the thread ends, because sockets of the thread may be dropped later.
    static STATE: RefCell<ManuallyDrop<Option<NetState>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// A packet between sender and receiver.
#[derive(Debug)]
pub(super) struct InFlight {
    pub at: Instant,
    /// The flow and the side that receives the packet; `None`: the flow has been removed.
    pub to: Option<(FlowId, usize)>,
    pub kind: Kind,
    pub packet: Packet,
    /// The errno of an ICMP message that answers a SYN; such a message is represented by an RST.
    pub errno: Option<i32>,
}

impl InFlight {
    pub fn new(at: Instant, to: Option<(FlowId, usize)>, packet: Packet, errno: Option<i32>) -> InFlight {
        InFlight { at, to, kind: Kind::of(&packet), packet, errno }
    }
}

/// Timed work for one side of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FlowTask {
    Retry,
    Keepalive,
}

/// Whether the runtime reports, by `scheduler::runtime_is_idle`, that no task is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IdleReports {
    /// No report so far. Only runtimes of [`runtime`](super::runtime) make reports.
    None,
    /// Time may advance after each report, and only then.
    Reliable,
    /// A blocking thread may be running, so that time must not advance after a report.
    Unreliable,
}

/// Input of the kernels (data written, packets delivered) whose resulting packets have not been collected.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsent {
    /// When the first such input was given. All packets count as sent then.
    pub since: Instant,
    /// Whether an application waits for the packets. Otherwise they are collected with the next due work.
    pub is_awaited: bool,
}

/// Everything that is simulated on this thread.
pub(super) struct NetState {
    pub generation: u64,
    pub client: Kernel,
    pub servers: Kernel,
    pub opened: Instant,
    pub now: Instant,
    pub latency: Duration,
    pub sockets: Vec<Option<SocketEntry>>,
    pub free: Vec<usize>,
    pub loopback: Loopback,
    pub listeners: BTreeMap<SocketAddrV4, BoundListener>,
    pub flows: Flows,
    /// Packets in flight, by arrival time, then by the order in which they were sent.
    pub in_flight: VecDeque<InFlight>,
    pub tasks: BTreeSet<(Instant, FlowId, usize, FlowTask)>,
    pub rules: Rules,
    pub trace: Option<Vec<TracedPacket>>,
    /// Input that the kernels have not turned into packets yet.
    pub unsent: Option<Unsent>,
    /// The timers of the task that carries packets, while that task exists.
    pub timers: Option<Timers>,
    /// Whether the runtime reports that it is idle.
    pub idle_reports: IdleReports,
    /// Whether packets are due at the next tick, to be carried when the runtime is idle instead of by a timer.
    pub has_next: bool,
    /// Whether `now` is current: with reliable idle reports, the clock advances only when the runtime is idle.
    pub is_now_current: bool,
    pub sent: Vec<Packet>,
}

/// Opens a network on this thread; returns its generation.
///
/// *Errors*: this thread has a network already.
pub(super) fn install(seed: Seed) -> io::Result<u64> {
    STATE.with(|net| {
        let mut net = net.try_borrow_mut().map_err(|_| already_open())?;
        if net.is_some() {
            return Err(already_open());
        }
        let generation = NEWEST.fetch_add(1, Ordering::Relaxed) + 1;
        **net = Some(NetState {
            generation,
            client: Kernel::new(&[CLIENT]),
            servers: Kernel::new(&SERVERS),
            opened: Instant::now(),
            now: Instant::now(),
            latency: LATENCY,
            sockets: Vec::new(),
            free: Vec::new(),
            loopback: Loopback::default(),
            listeners: BTreeMap::new(),
            flows: Flows::default(),
            in_flight: VecDeque::new(),
            tasks: BTreeSet::new(),
            rules: Rules::new(seed),
            trace: None,
            unsent: None,
            timers: None,
            idle_reports: IdleReports::None,
            has_next: false,
            is_now_current: false,
            sent: Vec::new(),
        });
        Ok(generation)
    })
}

/// Removes the network; its remaining sockets return errors.
pub(super) fn remove(generation: u64) {
    let net = STATE.try_with(|net| {
        let mut net = net.try_borrow_mut().ok()?;
        net.take_if(|net| net.generation == generation)
    });
    if let Ok(Some(net)) = net
        && let Some(timers) = &net.timers
    {
        timers.wake();
    }
}

/// Runs `act` on the network of this generation.
///
/// *Errors*: this thread does not have that network.
pub(super) fn with<T>(generation: u64, act: impl FnOnce(&mut NetState) -> T) -> io::Result<T> {
    let done = STATE.try_with(|net| {
        let mut net = net.try_borrow_mut().ok()?;
        match net.as_mut() {
            Some(net) if net.generation == generation => Some(act(net)),
            _ => None,
        }
    });
    done.ok().flatten().ok_or_else(outside_simulation)
}

/// Runs `act` on the network of this thread, if there is one.
pub(super) fn with_any(act: impl FnOnce(&mut NetState)) {
    // Without a network there is nothing to do.
    let _ = STATE.try_with(|net| {
        let mut net = net.try_borrow_mut().ok()?;
        net.as_mut().map(act)
    });
}

fn already_open() -> io::Error {
    io::Error::new(
        io::ErrorKind::AlreadyExists,
        "cannot open a simulated network: this thread has one already; drop it first",
    )
}

fn outside_simulation() -> io::Error {
    let why =
        "cannot use a simulated socket outside its simulation: the simulation has ended, or runs on another thread";
    io::Error::new(io::ErrorKind::NotConnected, why)
}

impl NetState {
    /// The kernel of a machine.
    pub fn kernel(&mut self, machine: Machine) -> &mut Kernel {
        match machine {
            Machine::Client => &mut self.client,
            Machine::Servers => &mut self.servers,
        }
    }

    /// Delivers a packet to the kernel that has its destination address; drops it if neither has.
    pub fn deliver(&mut self, packet: Packet) {
        let kernel = match packet.to.ip() {
            ip if self.client.has(*ip) => &mut self.client,
            ip if self.servers.has(*ip) => &mut self.servers,
            _ => return,
        };
        kernel.deliver(packet);
    }

    /// Starts the network's clock.
    pub fn start_clock(&mut self) {
        self.now = Instant::now();
        self.opened = self.now;
    }

    pub fn relies_on_idle_reports(&self) -> bool {
        self.idle_reports == IdleReports::Reliable
    }

    /// Updates `now`. Without a runtime (while one is being dropped) time stands still.
    pub fn refresh_now(&mut self) {
        if self.is_now_current {
            #[cfg(test)]
            assert!(
                task::try_id().is_none() || self.now == Instant::now(),
                "the clock has advanced without an idle report"
            );
            return;
        }
        // Inside a task, `try_id` is the cheaper check.
        if task::try_id().is_some() || Handle::try_current().is_ok() {
            (self.now, self.is_now_current) = (self.now.max(Instant::now()), self.relies_on_idle_reports());
        }
    }

    /// Records that the kernels have received input and may have packets to send. `is_awaited`: an application waits
    /// for these.
    pub fn note_input(&mut self, is_awaited: bool) {
        let unsent = self.unsent.get_or_insert(Unsent { since: self.now, is_awaited });
        unsent.is_awaited |= is_awaited;
    }

    /// Collects the packets of all input so far, so that later changes (a new rule, say) do not affect them.
    pub fn flush(&mut self) {
        self.refresh_now();
        self.collect(None);
    }

    /// Updates the clock and sends earlier packets. Called before an application's call that can produce packets.
    pub fn before_call(&mut self) {
        self.refresh_now();
        self.catch_up();
    }

    /// Schedules the sending of packets. Called after an application's call that produced some.
    pub fn after_call(&mut self) {
        self.note_input(true);
        self.arm(self.now + self.latency);
    }

    /// Schedules work for one side of a flow.
    pub fn schedule(&mut self, at: Instant, flow: FlowId, end: usize, task: FlowTask) {
        self.tasks.insert((at, flow, end, task));
        self.arm(at);
    }

    /// Inserts a packet into the packets in flight.
    pub fn enqueue(&mut self, packet: InFlight) {
        let slot = self.in_flight.iter().rposition(|other| other.at <= packet.at).map_or(0, |last| last + 1);
        if slot == self.in_flight.len() {
            self.in_flight.push_back(packet);
        } else {
            self.in_flight.insert(slot, packet);
        }
    }
}
