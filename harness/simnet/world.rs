//! What is simulated on this thread.
//!
//! Sockets, listeners and packets are all here, and whoever has one of them holds its number only. So it may outlive the
//! network, or be taken to another thread: used there, it is an error, and nothing else.

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
use super::listeners::Listening;
use super::loopback::Within;
use super::packet::{Kind, Packet};
use super::sockets::Entry;
use super::timer::Alarms;
use super::trace::Traced;
use super::{CLIENT, LATENCY, SERVERS};
use crate::model::seed::Seed;

/// What a kernel takes in before somebody reads.
pub(super) const BUFFER: usize = 64 * 1024;

/// No two networks of a process have the same.
static NEWEST: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Never dropped with the thread: sockets cannot be dropped once their kernels are gone, and may be before.
    static WORLD: RefCell<ManuallyDrop<Option<World>>> = const { RefCell::new(ManuallyDrop::new(None)) };
}

/// A packet on its way.
#[derive(Debug)]
pub(super) struct InFlight {
    pub at: Instant,
    /// To which side of which flow; `None`: of one that nobody knows.
    pub to: Option<(FlowId, usize)>,
    pub kind: Kind,
    pub packet: Packet,
    /// What the receiver's error is, if it is an RST that nobody has sent.
    pub errno: Option<i32>,
}

impl InFlight {
    pub fn new(at: Instant, to: Option<(FlowId, usize)>, packet: Packet, errno: Option<i32>) -> InFlight {
        InFlight { at, to, kind: Kind::of(&packet), packet, errno }
    }
}

/// What is to be done for one side of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Task {
    Retry,
    Keepalive,
}

/// What was given to the kernels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unsent {
    /// When: whatever they send of it counts as sent then.
    pub since: Instant,
    /// Whether somebody waits for it. Otherwise it is sent with whatever is next to be done.
    pub is_awaited: bool,
}

/// Everything that is simulated.
pub(super) struct World {
    pub generation: u64,
    pub client: Kernel,
    pub servers: Kernel,
    pub opened: Instant,
    pub now: Instant,
    pub latency: Duration,
    pub sockets: Vec<Option<Entry>>,
    pub free: Vec<usize>,
    pub within: Within,
    pub listeners: BTreeMap<SocketAddrV4, Listening>,
    pub flows: Flows,
    /// By the instant, and equal ones in the order in which they were sent.
    pub moving: VecDeque<InFlight>,
    pub tasks: BTreeSet<(Instant, FlowId, usize, Task)>,
    pub rules: Rules,
    pub trace: Option<Vec<Traced>>,
    /// What the kernels were given, and have not been asked for since.
    pub unsent: Option<Unsent>,
    /// How the task that carries packets is woken, for as long as it is there.
    pub alarms: Option<Alarms>,
    /// Whether it is told when the runtime has nothing left to do.
    pub is_told: bool,
    /// Whether that must not be relied on any more.
    pub is_blocked: bool,
    /// Whether something is due at the next instant, and is waited for in that way.
    pub has_next: bool,
    /// Whether time cannot have gone on since it was looked at: it does so only when nothing is left to do.
    pub is_current: bool,
    pub sent: Vec<Packet>,
}

/// Makes a network on this thread; returns its generation.
pub(super) fn install(seed: Seed) -> io::Result<u64> {
    WORLD.with(|world| {
        let mut world = world.try_borrow_mut().map_err(|_| is_taken())?;
        if world.is_some() {
            return Err(is_taken());
        }
        let generation = NEWEST.fetch_add(1, Ordering::Relaxed) + 1;
        **world = Some(World {
            generation,
            client: Kernel::new(&[CLIENT]),
            servers: Kernel::new(&SERVERS),
            opened: Instant::now(),
            now: Instant::now(),
            latency: LATENCY,
            sockets: Vec::new(),
            free: Vec::new(),
            within: Within::default(),
            listeners: BTreeMap::new(),
            flows: Flows::default(),
            moving: VecDeque::new(),
            tasks: BTreeSet::new(),
            rules: Rules::new(seed),
            trace: None,
            unsent: None,
            alarms: None,
            is_told: false,
            is_blocked: false,
            has_next: false,
            is_current: false,
            sent: Vec::new(),
        });
        Ok(generation)
    })
}

/// Takes the network away; whoever still holds a socket of it gets errors.
pub(super) fn remove(generation: u64) {
    let world = WORLD.try_with(|world| {
        let mut world = world.try_borrow_mut().ok()?;
        world.take_if(|world| world.generation == generation)
    });
    if let Ok(Some(world)) = world
        && let Some(alarms) = &world.alarms
    {
        alarms.wake();
    }
}

/// Does something in the network of that generation.
pub(super) fn with<T>(generation: u64, act: impl FnOnce(&mut World) -> T) -> io::Result<T> {
    let done = WORLD.try_with(|world| {
        let mut world = world.try_borrow_mut().ok()?;
        match world.as_mut() {
            Some(world) if world.generation == generation => Some(act(world)),
            _ => None,
        }
    });
    done.ok().flatten().ok_or_else(is_outside)
}

/// Does something in the network of this thread, where there is one.
pub(super) fn with_any(act: impl FnOnce(&mut World)) {
    // Where there is none any more, nothing is to be done.
    let _ = WORLD.try_with(|world| {
        let mut world = world.try_borrow_mut().ok()?;
        world.as_mut().map(act)
    });
}

fn is_taken() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "this thread has a simulated network already: close it first")
}

fn is_outside() -> io::Error {
    let why = "a simulated socket was used outside its simulation: after its end, or on another thread";
    io::Error::new(io::ErrorKind::NotConnected, why)
}

impl World {
    /// The kernel of a machine.
    pub fn kernel(&mut self, machine: Machine) -> &mut Kernel {
        match machine {
            Machine::Client => &mut self.client,
            Machine::Servers => &mut self.servers,
        }
    }

    /// Has a packet arrive at its machine's kernel; at nobody's address it vanishes.
    pub fn deliver(&mut self, packet: Packet) {
        let kernel = match packet.to.ip() {
            ip if self.client.has(*ip) => &mut self.client,
            ip if self.servers.has(*ip) => &mut self.servers,
            _ => return,
        };
        kernel.deliver(packet);
    }

    /// Begins to count time.
    pub fn begin(&mut self) {
        self.now = Instant::now();
        self.opened = self.now;
    }

    /// What time it is. Without a runtime, as where one is being dropped, time stands still.
    pub fn refresh(&mut self) {
        if self.is_current {
            #[cfg(test)]
            assert!(task::try_id().is_none() || self.now == Instant::now(), "time has gone on unseen");
            return;
        }
        // A task says so at less cost.
        if task::try_id().is_some() || Handle::try_current().is_ok() {
            (self.now, self.is_current) = (self.now.max(Instant::now()), self.is_told);
        }
    }

    /// The kernels were given something now, and may have something to send. `is_awaited`: somebody waits for it.
    pub fn owe(&mut self, is_awaited: bool) {
        let unsent = self.unsent.get_or_insert(Unsent { since: self.now, is_awaited });
        unsent.is_awaited |= is_awaited;
    }

    /// Has all sent that was given to the kernels by now: what comes next must not concern it.
    pub fn settle(&mut self) {
        self.refresh();
        self.collect(None);
    }

    /// An application is about to do what makes packets.
    pub fn before(&mut self) {
        self.refresh();
        self.catch_up();
    }

    /// An application has done what makes packets.
    pub fn mark(&mut self) {
        self.owe(true);
        self.arm(self.now + self.latency);
    }

    /// Has something done for one side of a flow.
    pub fn schedule(&mut self, at: Instant, flow: FlowId, end: usize, task: Task) {
        self.tasks.insert((at, flow, end, task));
        self.arm(at);
    }

    /// Puts a packet on its way.
    pub fn send(&mut self, moving: InFlight) {
        let place = self.moving.iter().rposition(|other| other.at <= moving.at).map_or(0, |last| last + 1);
        if place == self.moving.len() {
            self.moving.push_back(moving);
        } else {
            self.moving.insert(place, moving);
        }
    }
}
