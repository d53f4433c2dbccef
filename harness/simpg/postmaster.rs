//! The postmaster: accepts connections, and advances the phases of a server's life.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::gate::{Gate, through};
use super::mailbox::{Ending, Mailbox};
use super::report::NotNow;
use super::serving::Serving;
use super::session::Session;
use super::world::{Activity, After, Backend, Phase, Server, World, replicate_around};
use crate::gateway::transport::Host;
use crate::model::fault::StopMode;

/// Pause after a failed accept, so that the task does not spin.
const BREATH: Duration = Duration::from_millis(10);

/// The role in the log before the client has named one.
pub(super) const NOBODY_YET: &str = "[unknown]";

/// Guard that clears the server's `task` when the postmaster ends for any reason: waiters take `None` as "does not
/// listen".
struct Desk {
    world: Arc<World>,
    index: usize,
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.world.lock()[self.index].task = None;
        self.world.changed();
    }
}

/// Runs the postmaster until the server is down. Not polled while the server is frozen.
pub(super) async fn run<H: Host>(host: H, listener: H::Listener, world: Arc<World>, index: usize) {
    let (wake, gate) = {
        let servers = world.lock();
        (servers[index].postmaster.clone(), servers[index].gate.clone())
    };
    through(gate, listen(host, listener, world, index, wake)).await;
}

async fn listen<H: Host>(host: H, listener: H::Listener, world: Arc<World>, index: usize, wake: Arc<Notify>) {
    // Locals drop in reverse order: the listener closes before the guard notifies the waiters.
    let _desk = Desk { world: world.clone(), index };
    let mut listener = listener;
    loop {
        let (is_down, next) = {
            let mut servers = world.lock();
            let before = servers[index].phase;
            let next = servers[index].go_on(Instant::now());
            let after = servers[index].phase;
            if before != after {
                replicate_around(&mut servers, index);
                drop(servers);
                world.changed();
            }
            (after == Phase::Down, next)
        };
        if is_down {
            return;
        }
        tokio::select! {
            biased;
            () = wake.notified() => {}
            () = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            } => {}
            accepted = host.accept(&mut listener) => match accepted {
                Ok((socket, peer)) => admit::<H>(&world, index, socket, peer),
                Err(_) => sleep(BREATH).await,
            },
        }
    }
}

/// Starts a backend for a connection.
fn admit<H: Host>(world: &Arc<World>, index: usize, socket: H::Socket, peer: SocketAddr) {
    let mut servers = world.lock();
    let server = &mut servers[index];
    server.next_pid += 1;
    let (pid, mailbox) = (server.next_pid, Arc::<Mailbox>::default());
    let gate: Arc<Gate> = server.gate.clone();
    let session = Session::new(world.clone(), index, pid, mailbox.clone(), server.settings.major);
    if server.acceptor.is_some() {
        server.note(pid, NOBODY_YET, "00000", &format!("connection received: host={} port={}", peer.ip(), peer.port()));
    }
    let serving = Serving { socket, input: BytesMut::with_capacity(1024), session, encrypted: None };
    // Boxed, because a task is moved several times before it runs, and this one is large.
    let task = tokio::spawn(Box::pin(through(gate, Box::pin(serving.run(peer)))));
    let backend = Backend {
        mailbox,
        task: Some(task.abort_handle()),
        key: server.rng.random(),
        role: String::new(),
        database: String::new(),
        is_superuser: false,
        activity: Activity::SigningIn,
        since: Instant::now(),
        transaction: None,
        may_write: false,
        unconfirmed: false,
        channels: Default::default(),
        waits_for: None,
        xid: None,
    };
    server.backends.insert(pid, backend);
}

impl Server {
    /// A random duration between two bounds, for an action of a fast machine. *Units*: milliseconds for both bounds.
    pub fn a_while(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(self.rng.random_range(from * 1000..=to * 1000))
    }

    /// Advances to the next phase if it is due; returns when the following one is due, or `None` if that depends on
    /// events.
    fn go_on(&mut self, now: Instant) -> Option<Instant> {
        match self.phase {
            Phase::NotYet { until: Some(until), .. } if until <= now && self.wal_full => {
                self.remark("could not write to file \"pg_wal/xlogtemp.1\": No space left on device");
                self.remark("aborting startup due to startup process failure");
                self.phase = Phase::Down;
                None
            }
            Phase::NotYet { why, until: Some(until), then } if until <= now => {
                self.phase = match then {
                    After::Ready => {
                        self.needs_recovery = false;
                        self.remark("database system is ready to accept connections");
                        Phase::Ready
                    }
                    After::Replay(lasts) => {
                        // Up to version 14, refusals do not change when replay begins.
                        let why = if self.settings.major >= 15 { NotNow::NotConsistent } else { why };
                        Phase::NotYet { why, until: lasts.map(|lasts| now + lasts), then: After::Ready }
                    }
                };
                self.go_on(now)
            }
            Phase::NotYet { until, .. } => until,
            Phase::Stopping { mode, until } => self.go_on_stopping(mode, until, now),
            Phase::Ready | Phase::Down => None,
        }
    }

    /// Advances a shutdown: waits until no session is left, then for the checkpoint, unless the mode is immediate.
    fn go_on_stopping(&mut self, mode: StopMode, until: Option<Instant>, now: Instant) -> Option<Instant> {
        if self.backends.values().any(|backend| backend.activity != Activity::SigningIn) {
            return None;
        }
        let until = match (mode, until) {
            (StopMode::Immediate, _) => now,
            (_, Some(until)) => until,
            (_, None) => now + self.a_while(3, 12),
        };
        if until > now {
            self.phase = Phase::Stopping { mode, until: Some(until) };
            return Some(until);
        }
        self.end_all(Ending::Terminated);
        self.remark("database system is shut down");
        self.phase = Phase::Down;
        None
    }
}
