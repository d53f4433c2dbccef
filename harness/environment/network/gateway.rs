//! The stable address that a client is given, and the control of all that passes through it.
//!
//! Owns what is in force (where it leads, which toxics) and the list of open connections. Who comes in is
//! `reception`'s, what happens on one connection is `proxy`'s.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::port::Reservation;
use super::proxy::{self, Cut, Order, Orders, Toxics, Traffic};
use super::reception::{self, Instruction, Request};
use crate::history::{ConnectionChange, Event};
use crate::recorder::Recorder;

/// Longest that a task of the gateway may take to follow an order: a few system calls, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// The gateway of one run. Clones control the same gateway; when the last is dropped, it and every connection end.
#[derive(Clone)]
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Request>,
    /// The tasks hold `shared` too, so its end cannot be what ends them.
    _end: Arc<DropGuard>,
}

/// What the gateway and its tasks have in common.
pub(super) struct Shared {
    pub port: Reservation,
    pub recorder: Recorder,
    upstream: watch::Sender<SocketAddr>,
    toxics: watch::Sender<Toxics>,
    /// Bytes that a stall has held back so far.
    withheld: AtomicU64,
    connections: Mutex<HashMap<u64, mpsc::UnboundedSender<Order>>>,
    /// Cancelled when the gateway is to end, with all that belongs to it.
    pub closing: CancellationToken,
    tasks: TaskTracker,
}

impl Gateway {
    /// Opens a gateway to `upstream` on a port of its own.
    pub async fn open(upstream: SocketAddr, recorder: Recorder) -> io::Result<Gateway> {
        let port = Reservation::new()?;
        let listener = TcpListener::from_std(port.listen()?)?;
        let shared = Arc::new(Shared {
            port,
            recorder,
            upstream: watch::Sender::new(upstream),
            toxics: watch::Sender::new(Toxics::default()),
            withheld: AtomicU64::new(0),
            connections: Mutex::default(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let (requests, received) = mpsc::unbounded_channel();
        shared.tasks.spawn(reception::receive(Arc::clone(&shared), listener, received));
        let end = Arc::new(shared.closing.clone().drop_guard());
        Ok(Gateway { shared, requests, _end: end })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.shared.port.address()
    }

    /// Leads new connections to another place.
    pub fn lead_to(&self, upstream: SocketAddr) {
        self.shared.upstream.send_replace(upstream);
    }

    /// Refuses new connections, as a host does where nobody listens: the kernel answers with ECONNREFUSED. Such
    /// attempts never reach user space, so they are not counted.
    pub async fn refuse(&self) -> io::Result<()> {
        self.request(Instruction::Listen(false)).await
    }

    /// Accepts connections again.
    pub async fn accept(&self) -> io::Result<()> {
        self.request(Instruction::Listen(true)).await
    }

    /// Has the reception do something; returns once it is done.
    async fn request(&self, instruction: Instruction) -> io::Result<()> {
        let (done, answer) = oneshot::channel();
        // Without a reception there is no answer either.
        let _ = self.requests.send(Request { instruction, done });
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(io::Error::other("the gateway is closed")),
            Err(_) => Err(io::Error::other(format!("no answer within {}", crate::time::show(PATIENCE)))),
        }
    }

    /// Changes what links do to the bytes they carry, on open connections too.
    pub fn set_toxics(&self, toxics: Toxics) {
        self.shared.toxics.send_replace(toxics);
    }

    /// Bytes held back since the run began. More may wait in the kernel's buffers behind them.
    pub fn bytes_withheld(&self) -> u64 {
        self.shared.withheld.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.shared.connections().len()
    }

    /// Ends every connection that is open now, idle ones too; returns how many were.
    pub async fn cut(&self, cut: Cut) -> usize {
        // A client whose connect succeeded has a connection, also while that waits in the kernel's queue. If there is
        // no reception any more, there is no queue.
        let _ = self.request(Instruction::TakeIn).await;
        let order = |connection: &mpsc::UnboundedSender<Order>| {
            let (done, finished) = oneshot::channel();
            connection.send(Order { cut, done }).ok().map(|()| finished)
        };
        let orders: Vec<_> = self.shared.connections().values().filter_map(order).collect();
        let mut ended = 0;
        let all = async {
            for finished in orders {
                // An error means that the connection ended by itself meanwhile.
                ended += usize::from(finished.await.is_ok());
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            self.shared.recorder.doubt("not every connection through the gateway could be cut");
        }
        ended
    }

    /// Closes the gateway and every connection.
    pub async fn close(&self) {
        self.shared.closing.cancel();
        self.shared.tasks.close();
        if timeout(PATIENCE, self.shared.tasks.wait()).await.is_err() {
            self.shared.recorder.doubt("the gateway could not close every connection");
        }
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, mpsc::UnboundedSender<Order>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a client in as connection number `id`.
    pub fn take_in(self: &Arc<Self>, id: u64, client: TcpStream) {
        let (connection, orders) = mpsc::unbounded_channel();
        // Known from here on, not only from when its task first runs: it can be cut at once.
        self.connections().insert(id, connection);
        self.recorder.record_now(|at| Event::Connection { at, id, change: ConnectionChange::Opened });
        self.tasks.spawn(Arc::clone(self).serve(id, client, orders));
    }

    async fn serve(self: Arc<Self>, id: u64, client: TcpStream, orders: mpsc::UnboundedReceiver<Order>) {
        let upstream = *self.upstream.borrow();
        let traffic = Traffic::new(&self.withheld);
        let orders = Orders::new(orders, self.closing.clone());
        let ending = proxy::carry(client, upstream, self.toxics.subscribe(), &traffic, orders).await;
        self.connections().remove(&id);
        let (upstream, downstream) = (traffic.upstream(), traffic.downstream());
        let change = ConnectionChange::Ended { by: ending.by, upstream, downstream };
        self.recorder.record_now(|at| Event::Connection { at, id, change });
        tokio::select! {
            () = ending.conclude() => {}
            () = self.closing.cancelled() => {}
        }
    }
}
