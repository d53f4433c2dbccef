//! The fault-injecting gateway: a stable address for clients, and control over all traffic that passes through it.
//!
//! [`Gateway`] is the handle. `acceptor` listens and accepts; `workers` are the threads that connections run on;
//! `serve` takes one client from accept to shutdown; `connection` holds its two `link`s and the state that both share.
//! On a link, `framing` finds protocol messages, `observer` reports them to the `tap` and strikes cut points, and
//! `toxic` schedules the bytes. `rule` describes the rules in force, `command` a change sent to a connection, `shared`
//! the state of the whole gateway. Depends on no namespace, server or scenario: a `port` opens listening sockets, a
//! `transport` abstracts networks.

mod acceptor;
mod chunk;
mod command;
mod connection;
mod flow_expiry;
mod framing;
mod full_backlog;
mod link;
mod observer;
mod os;
pub(crate) mod port;
mod rule;
#[cfg(test)]
pub(crate) mod samples;
mod serve;
mod shared;
mod shutdown;
pub(crate) mod tap;
#[cfg(test)]
mod tests;
mod timer;
#[cfg(feature = "proxy")]
mod tls;
#[cfg(not(feature = "proxy"))]
#[path = "no_tls.rs"]
mod tls;
mod toxic;
pub(crate) mod transport;
mod types;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use self::acceptor::{Instruction, Request};
use self::command::Command;
use self::os::Machine;
use self::port::Reservation;
use self::rule::Rules;
pub(crate) use self::rule::{DropState, Expiry, Rule, RuleKind, Tally};
use self::serve::{Accepted, serve_client};
use self::shared::{Open, Shared, State};
pub(crate) use self::tap::Tap;
#[cfg(feature = "proxy")]
pub(crate) use self::tls::Termination;
#[cfg(any(test, feature = "simulation"))]
use self::transport::Host;
pub(crate) use self::types::Cut;
use self::workers::{Spawner, Workers};
use crate::model::seed::Seed;

/// Longest wait until a task of the gateway has carried out a command: a few system calls, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// A handle on one gateway. When its last clone is dropped, the gateway closes and every connection ends.
#[derive(Clone)]
pub(crate) struct Gateway(Arc<Control>);

/// Dropped with the last handle on the gateway.
struct Control {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
    /// Dropped after the requests; the drop waits until the threads have ended.
    workers: Workers,
    /// Dropped last: the port stays reserved as long as any part of the gateway exists.
    _port: Option<Arc<Reservation>>,
}

impl Gateway {
    /// Opens a gateway to `upstream` on a loopback port of its own.
    ///
    /// *Errors*: as [`Gateway::open_on`], or no port is free.
    ///
    /// *Chance*: all random draws of rules come from `seed` and the number of the connection.
    #[cfg(test)]
    pub fn open(upstream: SocketAddr, seed: Seed, tap: Arc<dyn Tap>) -> io::Result<Gateway> {
        Gateway::open_on(Reservation::new()?, upstream, seed, tap)
    }

    /// Opens another gateway, on `port`, that reports to the same tap: no two connections share a number.
    ///
    /// *Errors*: as [`Gateway::open_on`].
    pub fn open_beside(&self, port: Reservation, upstream: SocketAddr) -> io::Result<Gateway> {
        let Shared { seed, tap, numbers, .. } = self.0.shared.as_ref();
        Gateway::open_numbered(port, upstream, *seed, Arc::clone(tap), Arc::clone(numbers))
    }

    /// Opens a gateway on a given port.
    ///
    /// *Errors*: the port cannot be listened on, or a worker thread cannot be started.
    pub fn open_on(port: Reservation, upstream: SocketAddr, seed: Seed, tap: Arc<dyn Tap>) -> io::Result<Gateway> {
        Gateway::open_numbered(port, upstream, seed, tap, Arc::default())
    }

    fn open_numbered(
        port: Reservation,
        upstream: SocketAddr,
        seed: Seed,
        tap: Arc<dyn Tap>,
        numbers: Arc<AtomicU64>,
    ) -> io::Result<Gateway> {
        let (listener, port) = (port.listen()?, Arc::new(port));
        let shared = Shared::new(port.address(), upstream, seed, tap, numbers);
        let workers = Workers::start(shared.closing.clone())?;
        let held = Arc::clone(&port);
        Ok(Gateway::start(shared, workers, Some(port), |shared, spawner, requests| {
            acceptor::os::run(shared, spawner, held, listener, requests)
        }))
    }

    /// Opens a gateway on a host of a network other than the operating system's: without a thread, as tasks of the
    /// current runtime. After the last handle is dropped, the tasks end at their next poll. [`Self::hang`] fails there,
    /// because only that network can drop SYNs.
    ///
    /// *Errors*: the host cannot listen on `address`, or there is no current runtime.
    ///
    /// *Chance*: all random draws of rules come from `seed` and the number of the connection.
    #[cfg(any(test, feature = "simulation"))]
    pub fn open_on_host<H: Host>(
        host: H,
        address: SocketAddr,
        upstream: SocketAddr,
        seed: Seed,
        tap: Arc<dyn Tap>,
    ) -> io::Result<Gateway> {
        Gateway::open_numbered_on_host(host, Shared::new(address, upstream, seed, tap, Arc::default()))
    }

    /// Opens another gateway on a [`Host`] that reports to the same tap: no two connections share a number.
    ///
    /// *Errors*: as [`Gateway::open_on_host`].
    #[cfg(feature = "simulation")]
    pub fn open_beside_on_host<H: Host>(
        &self,
        host: H,
        address: SocketAddr,
        upstream: SocketAddr,
    ) -> io::Result<Gateway> {
        let Shared { seed, tap, numbers, .. } = self.0.shared.as_ref();
        let shared = Shared::new(address, upstream, *seed, Arc::clone(tap), Arc::clone(numbers));
        Gateway::open_numbered_on_host(host, shared)
    }

    #[cfg(any(test, feature = "simulation"))]
    fn open_numbered_on_host<H: Host>(host: H, shared: Shared) -> io::Result<Gateway> {
        let listener = host.listen(shared.address)?;
        let workers = Workers::on_current_runtime(shared.closing.clone())?;
        Ok(Gateway::start(shared, workers, None, |shared, spawner, requests| {
            acceptor::host::run(shared, spawner, host, listener, requests)
        }))
    }

    fn start<R: Future<Output = ()> + Send + 'static>(
        shared: Shared,
        workers: Workers,
        port: Option<Arc<Reservation>>,
        acceptor: impl FnOnce(Arc<Shared>, Arc<Spawner>, mpsc::UnboundedReceiver<Request>) -> R,
    ) -> Gateway {
        let shared = Arc::new(shared);
        let (requests, received) = mpsc::unbounded_channel();
        let spawner = workers.spawner();
        spawner.spawn(acceptor(Arc::clone(&shared), Arc::clone(spawner), received));
        Gateway(Arc::new(Control { shared, requests, workers, _port: port }))
    }

    /// Returns the address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.0.shared.address
    }

    /// Routes new connections to another server.
    pub fn route_to(&self, upstream: SocketAddr) {
        self.0.shared.state().upstream = upstream;
    }

    /// Terminates TLS on new connections, so that cut points and the tap see plain messages.
    #[cfg(feature = "proxy")]
    pub fn terminate(&self, termination: Termination) {
        self.0.shared.state().termination = Some(termination);
    }

    /// Refuses new connections, like a host without a listener: the kernel answers SYNs with RST, and clients get
    /// ECONNREFUSED. Such attempts never reach user space, so they are not counted. Accepts queued clients first.
    ///
    /// *Errors*: the acceptor failed, is closed, or did not answer within [`PATIENCE`].
    pub async fn refuse(&self) -> io::Result<()> {
        self.request(Instruction::Refuse).await
    }

    /// Lets new connections hang: their SYNs are dropped, as by a firewall, and the client's kernel retries.
    ///
    /// *Errors*: as [`Gateway::refuse`], or the network is not the operating system's.
    pub async fn hang(&self) -> io::Result<()> {
        self.request(Instruction::Hang).await
    }

    /// Accepts connections again.
    ///
    /// *Errors*: as [`Gateway::refuse`].
    pub async fn accept(&self) -> io::Result<()> {
        self.request(Instruction::Accept).await
    }

    /// Returns the number of SYNs dropped so far by [`Gateway::hang`].
    pub async fn syns_dropped(&self) -> u64 {
        // A closed gateway counts no further drops.
        let _ = self.request(Instruction::Count).await;
        self.0.shared.syns_dropped.load(Ordering::Relaxed)
    }

    /// Returns the number of clients accepted so far, including those that have disconnected.
    pub fn clients_accepted(&self) -> u64 {
        self.0.shared.clients_accepted.load(Ordering::Relaxed)
    }

    /// Sends an instruction to the acceptor; returns once it is carried out.
    async fn request(&self, instruction: Instruction) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        // The acceptor of a closed gateway drops `done`: reported as closed below.
        let _ = self.0.requests.send(Request { instruction, done });
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(io::Error::other("cannot control the gateway: it is closed")),
            Err(_) => Err(io::Error::other(format!(
                "the gateway did not answer within {}",
                crate::model::time::show(PATIENCE)
            ))),
        }
    }

    /// Adds a rule behind those in force. Once this returns, the rule applies to every open connection in its scope,
    /// and to new ones. The name distinguishes the rule's random draws from those of other rules.
    pub async fn install(&self, name: &str, kind: RuleKind) -> Arc<Rule> {
        // Clients in the accept queue are open connections for the rule's scope. A closed gateway has no queue.
        let _ = self.request(Instruction::AcceptQueued).await;
        self.change(|state, rules| {
            let rule = state.rule(name, kind);
            rules.push(Arc::clone(&rule));
            rule
        })
        .await
    }

    /// Replaces a rule; if the old one is no longer in force, the new one is appended.
    #[cfg(feature = "proxy")]
    pub async fn replace(&self, old: &Rule, kind: RuleKind) -> Arc<Rule> {
        self.change(|state, rules| {
            let rule = state.rule(&old.name, kind);
            match rules.iter_mut().find(|other| other.id == old.id) {
                Some(place) => *place = Arc::clone(&rule),
                None => rules.push(Arc::clone(&rule)),
            }
            rule
        })
        .await
    }

    /// Removes a rule: no connection applies it any more once this returns. Connection state that
    /// [`DropState::ServerSide`] or an idle timeout has dropped does not come back.
    pub async fn remove(&self, rule: &Rule) {
        self.change(|_, rules| rules.retain(|other| other.id != rule.id)).await;
    }

    /// Changes the rules in force; returns once every open connection applies them, or after [`PATIENCE`] with a doubt.
    async fn change<T>(&self, edit: impl FnOnce(&mut State, &mut Vec<Arc<Rule>>) -> T) -> T {
        let (made, acks) = {
            let mut state = self.0.shared.state();
            let mut rules = state.rules.as_ref().clone();
            let made = edit(&mut state, &mut rules);
            (made, state.set_rules(rules))
        };
        self.wait_for_acks(acks).await;
        made
    }

    /// Returns the number of open connections.
    pub fn connections(&self) -> usize {
        self.0.shared.state().connections.as_ref().map_or(0, BTreeMap::len)
    }

    /// Ends every open connection, including idle ones; returns their number.
    pub async fn cut(&self, cut: Cut) -> usize {
        // A client whose connect succeeded has a connection, even while it waits in the accept queue. A closed gateway
        // has no queue.
        let _ = self.request(Instruction::AcceptQueued).await;
        let acks = self.0.shared.state().send_to_all(|done| Command::Cut { cut, done });
        self.wait_for_acks(acks).await
    }

    /// Ends the oldest half of the accepted connections, rounded up; returns their number.
    pub async fn cut_half(&self, cut: Cut) -> usize {
        let acks = self.0.shared.state().send_to_oldest_half(|done| Command::Cut { cut, done });
        self.wait_for_acks(acks).await
    }

    /// Ends the connections whose client address is known and not in `held`; returns their number.
    pub async fn cut_all_but(&self, held: &BTreeSet<SocketAddr>, cut: Cut) -> usize {
        let is_held = |open: &Open| open.peer.is_none_or(|peer| held.contains(&peer));
        let acks = self.0.shared.state().send_where(|open| !is_held(open), |done| Command::Cut { cut, done });
        self.wait_for_acks(acks).await
    }

    /// Waits until connections acknowledge a command, at most [`PATIENCE`]; returns how many did.
    async fn wait_for_acks(&self, acks: Vec<oneshot::Receiver<()>>) -> usize {
        let mut count = 0;
        let all = async {
            for answer in acks {
                // An error means that the connection ended by itself in the meantime.
                count += usize::from(answer.await.is_ok());
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            self.0.shared.tap.doubt("not every connection through the gateway carried out a command in time".into());
        }
        count
    }

    /// Closes the gateway; waits until every connection has ended.
    pub async fn close(&self) {
        self.0.shared.close();
        if timeout(PATIENCE, self.0.workers.wait_until_idle()).await.is_err() {
            self.0.shared.tap.doubt("the gateway could not close every connection".into());
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.shared.close();
    }
}
