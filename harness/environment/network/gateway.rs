//! The stable address that a client is given, and the control of all that passes through it.
//!
//! Owns what is in force (where it leads, which rules) and the list of open connections. Who comes in is
//! `reception`'s, what happens on one connection is `proxy`'s, and the threads are `lanes`'.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::lanes::Lanes;
use super::port::Reservation;
use super::proxy::{self, Cut, Guest, Order, Rule, Rules, Tally, Termination, What};
use super::reception::{self, Instruction, Request};
use super::tap::Tap;
use super::transport::Dialer;
use crate::history::ConnectionChange;
use crate::seed::Seed;

/// Longest that a task of the gateway may take to follow an order: a few system calls, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// One gateway. Clones control the same one; when the last is dropped, it and every connection end.
#[derive(Clone)]
pub(crate) struct Gateway(Arc<Control>);

/// Dropped with the last handle on the gateway.
struct Control {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
    /// Dropped last, which waits for every task.
    lanes: Lanes,
}

/// What the gateway and its tasks have in common.
pub(super) struct Shared {
    pub port: Reservation,
    pub tap: Arc<dyn Tap>,
    /// SYNs that the kernel dropped because the queue was full on purpose.
    pub syns_dropped: AtomicU64,
    /// Clients taken in so far.
    taken_in: AtomicU64,
    seed: Seed,
    /// The number of the newest connection, here or at a gateway beside this one.
    numbers: Arc<AtomicU64>,
    state: Mutex<State>,
    /// Cancelled when the gateway is to end, with all that belongs to it.
    pub closing: CancellationToken,
}

struct State {
    upstream: SocketAddr,
    rules: Rules,
    /// Whether and how TLS is ended here, for connections to come.
    termination: Option<Termination>,
    /// The number of the newest rule.
    rule: u64,
    /// The number of the newest connection here.
    newest: u64,
    /// `None` once the gateway closes: nobody is taken in any more.
    connections: Option<BTreeMap<u64, Open>>,
}

/// A connection that is open.
struct Open {
    /// The client's end of it, where the kernel still knew when it came in.
    peer: Option<SocketAddr>,
    orders: mpsc::UnboundedSender<Order>,
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
        let listener = port.listen()?;
        let closing = CancellationToken::new();
        let lanes = Lanes::start(closing.clone())?;
        let state = State {
            upstream,
            termination: None,
            rules: Rules::default(),
            rule: 0,
            newest: 0,
            connections: Some(BTreeMap::new()),
        };
        let shared = Arc::new(Shared {
            port,
            tap,
            syns_dropped: AtomicU64::new(0),
            taken_in: AtomicU64::new(0),
            seed,
            numbers,
            state: Mutex::new(state),
            closing,
        });
        let (requests, received) = mpsc::unbounded_channel();
        let turns = Arc::clone(lanes.turns());
        lanes.turns().spawn(reception::receive(Arc::clone(&shared), turns, listener, received));
        Ok(Gateway(Arc::new(Control { shared, requests, lanes })))
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.0.shared.port.address()
    }

    /// Leads new connections to another place.
    pub fn lead_to(&self, upstream: SocketAddr) {
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
            Err(_) => Err(io::Error::other(format!("no answer within {}", crate::time::show(PATIENCE)))),
        }
    }

    /// Puts a rule in force, behind those that are: on every connection that is open once this returns, and on those to
    /// come. Its name distinguishes its draws of chance from those of other rules.
    pub async fn impose(&self, name: &str, what: What) -> Arc<Rule> {
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
    pub async fn replace(&self, old: &Rule, what: What) -> Arc<Rule> {
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
    pub async fn lift(&self, rule: &Rule) {
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
        let told = self.0.shared.state().order(|done| Order::Cut { cut, done });
        self.heard(told).await
    }

    /// Ends the oldest half of the connections, rounded up; returns how many.
    pub async fn cut_half(&self, cut: Cut) -> usize {
        let told = self.0.shared.state().order_half(|done| Order::Cut { cut, done });
        self.heard(told).await
    }

    /// Ends the connections whose client's end is none of these; returns how many.
    pub async fn cut_all_but(&self, held: &BTreeSet<SocketAddr>, cut: Cut) -> usize {
        let is_held = |open: &Open| open.peer.is_none_or(|peer| held.contains(&peer));
        let told = self.0.shared.state().order_where(|open| !is_held(open), |done| Order::Cut { cut, done });
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

impl State {
    fn rule(&mut self, name: &str, what: What) -> Arc<Rule> {
        self.rule += 1;
        Arc::new(Rule { id: self.rule, name: name.to_owned(), what, newest: self.newest, tally: Tally::default() })
    }

    /// Puts these rules in force; returns who will say that they are.
    fn tell(&mut self, rules: Vec<Arc<Rule>>) -> Vec<oneshot::Receiver<()>> {
        self.rules = Arc::new(rules);
        let rules = Arc::clone(&self.rules);
        self.order(|done| Order::Rules { rules: Arc::clone(&rules), done })
    }

    fn order(&self, order: impl Fn(oneshot::Sender<()>) -> Order) -> Vec<oneshot::Receiver<()>> {
        self.order_where(|_| true, order)
    }

    /// The same order for some.
    fn order_where(
        &self,
        is_meant: impl Fn(&Open) -> bool,
        order: impl Fn(oneshot::Sender<()>) -> Order,
    ) -> Vec<oneshot::Receiver<()>> {
        order_to(self.connections.iter().flat_map(BTreeMap::values).filter(|open| is_meant(open)), order)
    }

    /// The same order for the oldest half.
    fn order_half(&self, order: impl Fn(oneshot::Sender<()>) -> Order) -> Vec<oneshot::Receiver<()>> {
        let half = self.connections.as_ref().map_or(0, BTreeMap::len).div_ceil(2);
        order_to(self.connections.iter().flat_map(BTreeMap::values).take(half), order)
    }
}

/// Gives these connections an order; returns who will say that it is carried out. One that has ended by itself is none.
fn order_to<'a>(
    connections: impl Iterator<Item = &'a Open>,
    order: impl Fn(oneshot::Sender<()>) -> Order,
) -> Vec<oneshot::Receiver<()>> {
    let send = |connection: &Open| {
        let (done, finished) = oneshot::channel();
        connection.orders.send(order(done)).ok().map(|()| finished)
    };
    connections.filter_map(send).collect()
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the reception and every connection.
    fn close(&self) {
        self.closing.cancel();
        for connection in self.state().connections.take().into_iter().flat_map(BTreeMap::into_values) {
            // It ended by itself meanwhile.
            let _ = connection.orders.send(Order::Teardown);
        }
    }

    /// Takes a client in; it is known from here on, not only from when its task first runs, so that it can be cut at
    /// once. Returns the task; `None` if the gateway closes.
    pub fn take_in<D: Dialer>(
        self: &Arc<Self>,
        dialer: D,
        peer: Option<SocketAddr>,
        client: impl FnOnce() -> io::Result<D::Socket> + Send + 'static,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let mut state = self.state();
        let (connection, orders) = mpsc::unbounded_channel();
        let connection = Open { peer, orders: connection };
        let id = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        state.newest = id;
        self.taken_in.fetch_add(1, Ordering::Relaxed);
        state.connections.as_mut()?.insert(id, connection);
        let (upstream, rules, seed) = (state.upstream, Arc::clone(&state.rules), self.seed);
        let termination = state.termination.clone();
        drop(state);
        self.tap.connection(id, ConnectionChange::Opened);
        let guest = Guest { id, upstream, termination, rules, orders, seed, tap: Arc::clone(&self.tap) };
        let shared = Arc::clone(self);
        Some(async move { shared.serve(guest, dialer, client()).await })
    }

    async fn serve<D: Dialer>(&self, guest: Guest, dialer: D, client: io::Result<D::Socket>) {
        let id = guest.id;
        let (ending, (upstream, downstream)) = proxy::carry(guest, &dialer, client).await;
        if let Some(connections) = &mut self.state().connections {
            connections.remove(&id);
        }
        self.tap.connection(id, ConnectionChange::Ended { by: ending.by, upstream, downstream });
        tokio::select! {
            biased;
            () = ending.conclude() => {}
            () = self.closing.cancelled() => {}
        }
    }
}
