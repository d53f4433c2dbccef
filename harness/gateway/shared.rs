//! State shared by a gateway and its tasks: the route and rules in force, and the list of open connections.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::tap::Tap;
use super::tls::Termination;
use super::transport::Dialer;
use super::{Accepted, Command, Rule, RuleKind, Rules, Tally};
use crate::model::history::ConnectionChange;
use crate::model::seed::Seed;

/// State shared by a gateway and its tasks.
pub(super) struct Shared {
    /// The address that clients connect to.
    pub address: SocketAddr,
    pub tap: Arc<dyn Tap>,
    /// SYNs dropped by the kernel while the accept queue was kept full.
    pub syns_dropped: AtomicU64,
    /// Clients accepted so far.
    pub clients_accepted: AtomicU64,
    /// Seed of all random draws.
    pub seed: Seed,
    /// Number of the newest connection of all gateways that share the tap.
    pub numbers: Arc<AtomicU64>,
    state: Mutex<State>,
    /// Cancelled when the gateway closes.
    pub closing: CancellationToken,
}

/// State that changes while the gateway runs.
pub(super) struct State {
    pub upstream: SocketAddr,
    pub rules: Rules,
    /// How to terminate TLS on new connections, if at all.
    pub termination: Option<Termination>,
    /// The number of the newest rule.
    rule: u64,
    /// The number of the newest connection of this gateway.
    newest: u64,
    /// Open connections by number; `None` once the gateway closes: no client is accepted any more.
    pub connections: Option<BTreeMap<u64, Open>>,
}

/// An open connection.
pub(super) struct Open {
    /// The client's address, if the kernel still knew it on accept.
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
            clients_accepted: AtomicU64::new(0),
            seed,
            numbers,
            state: Mutex::new(state),
            closing: CancellationToken::new(),
        }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Makes the acceptor and every connection end; does not wait for them.
    pub fn close(&self) {
        self.closing.cancel();
        for connection in self.state().connections.take().into_iter().flat_map(BTreeMap::into_values) {
            // An error means that the connection has already ended.
            let _ = connection.commands.send(Command::Teardown);
        }
    }

    /// Registers an accepted client at once, before its task first runs, so that commands reach its connection. Returns
    /// the task; `None` if the gateway closes.
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
        self.clients_accepted.fetch_add(1, Ordering::Relaxed);
        state.connections.as_mut()?.insert(id, connection);
        let (upstream, rules, seed) = (state.upstream, Arc::clone(&state.rules), self.seed);
        let termination = state.termination.clone();
        drop(state);
        self.tap.connection(id, ConnectionChange::Opened);
        let accepted = Accepted { id, upstream, termination, rules, commands, seed, tap: Arc::clone(&self.tap) };
        let shared = Arc::clone(self);
        Some(async move { shared.serve(accepted, dialer, client()).await })
    }

    async fn serve<D: Dialer>(&self, accepted: Accepted, dialer: D, client: io::Result<D::Socket>) {
        let id = accepted.id;
        let (shutdown, (upstream, downstream)) = crate::gateway::serve_client(accepted, &dialer, client).await;
        if let Some(connections) = &mut self.state().connections {
            connections.remove(&id);
        }
        self.tap.connection(id, ConnectionChange::Ended { by: shutdown.by, upstream, downstream });
        tokio::select! {
            biased;
            () = shutdown.complete() => {}
            () = self.closing.cancelled() => {}
        }
    }
}

impl State {
    /// Makes a new rule, not yet in force.
    pub fn rule(&mut self, name: &str, kind: RuleKind) -> Arc<Rule> {
        self.rule += 1;
        Arc::new(Rule { id: self.rule, name: name.to_owned(), kind, newest: self.newest, tally: Tally::default() })
    }

    /// Puts these rules in force; returns one acknowledgement per connection.
    pub fn set_rules(&mut self, rules: Vec<Arc<Rule>>) -> Vec<oneshot::Receiver<()>> {
        self.rules = Arc::new(rules);
        let rules = Arc::clone(&self.rules);
        self.send_to_all(|done| Command::Rules { rules: Arc::clone(&rules), done })
    }

    /// Sends a command to every open connection; returns their acknowledgements.
    pub fn send_to_all(&self, command: impl Fn(oneshot::Sender<()>) -> Command) -> Vec<oneshot::Receiver<()>> {
        self.send_where(|_| true, command)
    }

    /// Sends a command to the connections that `is_addressed` selects; returns their acknowledgements.
    pub fn send_where(
        &self,
        is_addressed: impl Fn(&Open) -> bool,
        command: impl Fn(oneshot::Sender<()>) -> Command,
    ) -> Vec<oneshot::Receiver<()>> {
        send_command(self.connections.iter().flat_map(BTreeMap::values).filter(|open| is_addressed(open)), command)
    }

    /// Sends a command to the oldest half of the connections, rounded up; returns their acknowledgements.
    pub fn send_to_oldest_half(&self, command: impl Fn(oneshot::Sender<()>) -> Command) -> Vec<oneshot::Receiver<()>> {
        let half = self.connections.as_ref().map_or(0, BTreeMap::len).div_ceil(2);
        send_command(self.connections.iter().flat_map(BTreeMap::values).take(half), command)
    }
}

/// Sends a command to these connections; returns their acknowledgements. Connections that have ended are left out.
fn send_command<'a>(
    connections: impl Iterator<Item = &'a Open>,
    command: impl Fn(oneshot::Sender<()>) -> Command,
) -> Vec<oneshot::Receiver<()>> {
    let send = |connection: &Open| {
        let (done, finished) = oneshot::channel();
        connection.commands.send(command(done)).ok().map(|()| finished)
    };
    connections.filter_map(send).collect()
}
