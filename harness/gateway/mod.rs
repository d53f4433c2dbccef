//! The fault-injecting gateway: a stable address that a client is given, and control over everything that passes through it.
//!
//! [`Gateway`] is the handle. `acceptor` listens and accepts; `workers` are the threads that connections run on; `serve`
//! takes one client from accept to shutdown; `connection` is its two `link`s and the state that both share. On a link,
//! `framing` finds protocol messages, `observer` turns them into events and cut points, and `toxic` schedules the bytes.
//! `rule` is what is in force, `command` carries a change to a connection, and `shared` is the state of the whole gateway.
//! Knows no network namespace, no scenario and no fault: a `port` says where sockets come from, a `transport` what they are.

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
use self::serve::{Accepted, carry};
use self::shared::{Open, Shared, State};
pub(crate) use self::tap::Tap;
#[cfg(feature = "proxy")]
pub(crate) use self::tls::Termination;
#[cfg(any(test, feature = "simulation"))]
use self::transport::Host;
pub(crate) use self::types::Cut;
use self::workers::{Spawner, Workers};
use crate::model::seed::Seed;

/// Longest that a task of the gateway may take to follow an order: a few system calls, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// One gateway. Clones control the same one; when the last is dropped, it and every connection end.
#[derive(Clone)]
pub(crate) struct Gateway(Arc<Control>);

/// Dropped with the last handle on the gateway.
struct Control {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
    /// Dropped after them, which waits for every task.
    lanes: Workers,
    /// Dropped last: as long as anything of the gateway is there, its port is nobody else's.
    _port: Option<Arc<Reservation>>,
}

impl Gateway {
    /// Opens a gateway to `upstream` on a loopback port of its own.
    ///
    /// *Chance*: whatever rules leave to it is drawn from `seed` and the number of the connection.
    #[cfg(test)]
    pub fn open(upstream: SocketAddr, seed: Seed, tap: Arc<dyn Tap>) -> io::Result<Gateway> {
        Gateway::open_on(Reservation::new()?, upstream, seed, tap)
    }

    /// Opens another gateway, on a port of its own, which tells the same tap: no two connections have the same number.
    pub fn open_beside(&self, port: Reservation, upstream: SocketAddr) -> io::Result<Gateway> {
        let Shared { seed, tap, numbers, .. } = self.0.shared.as_ref();
        Gateway::open_numbered(port, upstream, *seed, Arc::clone(tap), Arc::clone(numbers))
    }

    /// Opens a gateway on a given port.
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
        let lanes = Workers::start(shared.closing.clone())?;
        let held = Arc::clone(&port);
        Ok(Gateway::begin(shared, lanes, Some(port), |shared, turns, requests| {
            acceptor::os::receive(shared, turns, held, listener, requests)
        }))
    }

    /// Opens a gateway on a host of another network than the machine's own: without a thread, as tasks of the runtime on
    /// which this is called. Once the last handle is dropped, they end as soon as each has its turn. [`Self::hang`] is
    /// an error there: it is for that network to lose SYNs.
    ///
    /// *Chance*: whatever rules leave to it is drawn from `seed` and the number of the connection.
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

    /// Opens another gateway on such a host, which tells the same tap: no two connections have the same number.
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
        let lanes = Workers::here(shared.closing.clone())?;
        Ok(Gateway::begin(shared, lanes, None, |shared, turns, requests| {
            acceptor::host::receive(shared, turns, host, listener, requests)
        }))
    }

    fn begin<R: Future<Output = ()> + Send + 'static>(
        shared: Shared,
        lanes: Workers,
        port: Option<Arc<Reservation>>,
        receive: impl FnOnce(Arc<Shared>, Arc<Spawner>, mpsc::UnboundedReceiver<Request>) -> R,
    ) -> Gateway {
        let shared = Arc::new(shared);
        let (requests, received) = mpsc::unbounded_channel();
        let turns = lanes.turns();
        turns.spawn(receive(Arc::clone(&shared), Arc::clone(turns), received));
        Gateway(Arc::new(Control { shared, requests, lanes, _port: port }))
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.0.shared.address
    }

    /// Leads new connections to another place.
    pub fn route_to(&self, upstream: SocketAddr) {
        self.0.shared.state().upstream = upstream;
    }

    /// Ends TLS on new connections, so that cut points and the tap work under it.
    #[cfg(feature = "proxy")]
    pub fn terminate(&self, termination: Termination) {
        self.0.shared.state().termination = Some(termination);
    }

    /// Refuses new connections, as a host does where nobody listens: the kernel answers with ECONNREFUSED. Such
    /// attempts never reach user space, so they are not counted.
    pub async fn refuse(&self) -> io::Result<()> {
        self.request(Instruction::Refuse).await
    }

    /// Lets new connections hang: their SYNs are dropped, as by a firewall, and the client's kernel tries again.
    pub async fn hang(&self) -> io::Result<()> {
        self.request(Instruction::Hang).await
    }

    /// Accepts connections again.
    pub async fn accept(&self) -> io::Result<()> {
        self.request(Instruction::Accept).await
    }

    /// SYNs dropped while connections were made to hang, and known as of now.
    pub async fn syns_dropped(&self) -> u64 {
        // Without a reception nothing is counted any more.
        let _ = self.request(Instruction::Count).await;
        self.0.shared.syns_dropped.load(Ordering::Relaxed)
    }

    /// Clients that have come in so far, those that have left included.
    pub fn taken_in(&self) -> u64 {
        self.0.shared.taken_in.load(Ordering::Relaxed)
    }

    /// Has the reception do something; returns once it is done.
    async fn request(&self, instruction: Instruction) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        // Without a reception there is no answer either.
        let _ = self.0.requests.send(Request { instruction, done });
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(io::Error::other("the gateway is closed")),
            Err(_) => Err(io::Error::other(format!("no answer within {}", crate::model::time::show(PATIENCE)))),
        }
    }

    /// Puts a rule in force, behind those that are: on every connection that is open once this returns, and on those to
    /// come. Its name distinguishes its draws of chance from those of other rules.
    pub async fn install(&self, name: &str, what: RuleKind) -> Arc<Rule> {
        // Who is connected is covered by what the rule says of open connections.
        let _ = self.request(Instruction::TakeIn).await;
        self.change(|state, rules| {
            let rule = state.rule(name, what);
            rules.push(Arc::clone(&rule));
            rule
        })
        .await
    }

    /// Puts another rule in the place of one; one that is not in force any more is not replaced, but followed.
    #[cfg(feature = "proxy")]
    pub async fn replace(&self, old: &Rule, what: RuleKind) -> Arc<Rule> {
        self.change(|state, rules| {
            let rule = state.rule(&old.name, what);
            match rules.iter_mut().find(|other| other.id == old.id) {
                Some(place) => *place = Arc::clone(&rule),
                None => rules.push(Arc::clone(&rule)),
            }
            rule
        })
        .await
    }

    /// Takes a rule away: it is healed on every connection once this returns.
    pub async fn remove(&self, rule: &Rule) {
        self.change(|_, rules| rules.retain(|other| other.id != rule.id)).await;
    }

    /// Changes what is in force; returns once every open connection goes by it.
    async fn change<T>(&self, edit: impl FnOnce(&mut State, &mut Vec<Arc<Rule>>) -> T) -> T {
        let (made, told) = {
            let mut state = self.0.shared.state();
            let mut rules = state.rules.as_ref().clone();
            let made = edit(&mut state, &mut rules);
            (made, state.tell(rules))
        };
        self.heard(told).await;
        made
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.0.shared.state().connections.as_ref().map_or(0, BTreeMap::len)
    }

    /// Ends every connection that is open now, idle ones too; returns how many were.
    pub async fn cut(&self, cut: Cut) -> usize {
        // A client whose connect succeeded has a connection, also while that waits in the kernel's queue. If there is
        // no reception any more, there is no queue.
        let _ = self.request(Instruction::TakeIn).await;
        let told = self.0.shared.state().order(|done| Command::Cut { cut, done });
        self.heard(told).await
    }

    /// Ends the oldest half of the connections, rounded up; returns how many.
    pub async fn cut_half(&self, cut: Cut) -> usize {
        let told = self.0.shared.state().order_half(|done| Command::Cut { cut, done });
        self.heard(told).await
    }

    /// Ends the connections whose client's end is none of these; returns how many.
    pub async fn cut_all_but(&self, held: &BTreeSet<SocketAddr>, cut: Cut) -> usize {
        let is_held = |open: &Open| open.peer.is_none_or(|peer| held.contains(&peer));
        let told = self.0.shared.state().order_where(|open| !is_held(open), |done| Command::Cut { cut, done });
        self.heard(told).await
    }

    /// Waits until an order is carried out; returns on how many connections it was.
    async fn heard(&self, told: Vec<oneshot::Receiver<()>>) -> usize {
        let mut count = 0;
        let all = async {
            for answer in told {
                // An error means that the connection ended by itself meanwhile.
                count += usize::from(answer.await.is_ok());
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            self.0.shared.tap.doubt("not every connection through the gateway followed an order".into());
        }
        count
    }

    /// Closes the gateway and every connection.
    pub async fn close(&self) {
        self.0.shared.close();
        if timeout(PATIENCE, self.0.lanes.idle()).await.is_err() {
            self.0.shared.tap.doubt("the gateway could not close every connection".into());
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.shared.close();
    }
}
