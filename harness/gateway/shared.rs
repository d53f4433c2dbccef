//! What a gateway and its tasks have in common: what is in force (where it leads, which rules), and the list of open
//! connections.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::tap::Tap;
use super::transport::Dialer;
use super::{Accepted, Command, Rule, RuleKind, Rules, Tally, Termination};
use crate::model::history::ConnectionChange;
use crate::model::seed::Seed;

/// What the gateway and its tasks have in common.
pub(super) struct Shared {
    /// Where clients connect.
    pub address: SocketAddr,
    pub tap: Arc<dyn Tap>,
    /// SYNs that the kernel dropped because the queue was full on purpose.
    pub syns_dropped: AtomicU64,
    /// Clients taken in so far.
    pub taken_in: AtomicU64,
    /// Of whatever is left to chance.
    pub seed: Seed,
    /// The number of the newest connection, here or at a gateway beside this one.
    pub numbers: Arc<AtomicU64>,
    state: Mutex<State>,
    /// Cancelled when the gateway is to end, with all that belongs to it.
    pub closing: CancellationToken,
}

/// What may change.
pub(super) struct State {
    pub upstream: SocketAddr,
    pub rules: Rules,
    /// Whether and how TLS is ended here, for connections to come.
    pub termination: Option<Termination>,
    /// The number of the newest rule.
    rule: u64,
    /// The number of the newest connection here.
    newest: u64,
    /// `None` once the gateway closes: nobody is taken in any more.
    pub connections: Option<BTreeMap<u64, Open>>,
}

/// A connection that is open.
pub(super) struct Open {
    /// The client's end of it, where the kernel still knew when it came in.
    pub peer: Option<SocketAddr>,
    commands: mpsc::UnboundedSender<Command>,
}

impl Shared {
    pub fn new(
        address: SocketAddr,
        upstream: SocketAddr,
        seed: Seed,
        tap: Arc<dyn Tap>,
        numbers: Arc<AtomicU64>,
    ) -> Shared {
        let state = State {
            upstream,
            termination: None,
            rules: Rules::default(),
            rule: 0,
            newest: 0,
            connections: Some(BTreeMap::new()),
        };
        Shared {
            address,
            tap,
            syns_dropped: AtomicU64::new(0),
            taken_in: AtomicU64::new(0),
            seed,
            numbers,
            state: Mutex::new(state),
            closing: CancellationToken::new(),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the reception and every connection.
    pub fn close(&self) {
        self.closing.cancel();
        for connection in self.state().connections.take().into_iter().flat_map(BTreeMap::into_values) {
            // It ended by itself meanwhile.
            let _ = connection.commands.send(Command::Teardown);
        }
    }

    /// Takes a client in; it is known from here on, not only from when its task first runs, so that it can be cut at
    /// once. Returns the task; `None` if the gateway closes.
    pub fn accept_client<D: Dialer>(
        self: &Arc<Self>,
        dialer: D,
        peer: Option<SocketAddr>,
        client: impl FnOnce() -> io::Result<D::Socket> + Send + 'static,
    ) -> Option<impl Future<Output = ()> + Send + 'static> {
        let mut state = self.state();
        let (connection, commands) = mpsc::unbounded_channel();
        let connection = Open { peer, commands: connection };
        let id = self.numbers.fetch_add(1, Ordering::Relaxed) + 1;
        state.newest = id;
        self.taken_in.fetch_add(1, Ordering::Relaxed);
        state.connections.as_mut()?.insert(id, connection);
        let (upstream, rules, seed) = (state.upstream, Arc::clone(&state.rules), self.seed);
        let termination = state.termination.clone();
        drop(state);
        self.tap.connection(id, ConnectionChange::Opened);
        let guest = Accepted { id, upstream, termination, rules, commands, seed, tap: Arc::clone(&self.tap) };
        let shared = Arc::clone(self);
        Some(async move { shared.serve(guest, dialer, client()).await })
    }

    async fn serve<D: Dialer>(&self, guest: Accepted, dialer: D, client: io::Result<D::Socket>) {
        let id = guest.id;
        let (ending, (upstream, downstream)) = crate::gateway::carry(guest, &dialer, client).await;
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

impl State {
    /// A rule that does not apply yet.
    pub fn rule(&mut self, name: &str, what: RuleKind) -> Arc<Rule> {
        self.rule += 1;
        Arc::new(Rule { id: self.rule, name: name.to_owned(), what, newest: self.newest, tally: Tally::default() })
    }

    /// Puts these rules in force; returns who will say that they are.
    pub fn tell(&mut self, rules: Vec<Arc<Rule>>) -> Vec<oneshot::Receiver<()>> {
        self.rules = Arc::new(rules);
        let rules = Arc::clone(&self.rules);
        self.order(|done| Command::Rules { rules: Arc::clone(&rules), done })
    }

    /// The same order for every open connection; returns who will say that it is carried out.
    pub fn order(&self, order: impl Fn(oneshot::Sender<()>) -> Command) -> Vec<oneshot::Receiver<()>> {
        self.order_where(|_| true, order)
    }

    /// The same order for some.
    pub fn order_where(
        &self,
        is_meant: impl Fn(&Open) -> bool,
        order: impl Fn(oneshot::Sender<()>) -> Command,
    ) -> Vec<oneshot::Receiver<()>> {
        order_to(self.connections.iter().flat_map(BTreeMap::values).filter(|open| is_meant(open)), order)
    }

    /// The same order for the oldest half.
    pub fn order_half(&self, order: impl Fn(oneshot::Sender<()>) -> Command) -> Vec<oneshot::Receiver<()>> {
        let half = self.connections.as_ref().map_or(0, BTreeMap::len).div_ceil(2);
        order_to(self.connections.iter().flat_map(BTreeMap::values).take(half), order)
    }
}

/// Gives these connections an order; returns who will say that it is carried out. One that has ended by itself is none.
fn order_to<'a>(
    connections: impl Iterator<Item = &'a Open>,
    order: impl Fn(oneshot::Sender<()>) -> Command,
) -> Vec<oneshot::Receiver<()>> {
    let send = |connection: &Open| {
        let (done, finished) = oneshot::channel();
        connection.commands.send(order(done)).ok().map(|()| finished)
    };
    connections.filter_map(send).collect()
}
