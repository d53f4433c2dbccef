//! The stable address that a client is given, and the control of all that passes through it.
//!
//! Owns the listening socket and the list of open connections; what happens on one connection is `proxy`'s.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::port::Reservation;
use super::proxy::{self, Toxics};
use crate::history::{ConnectionChange, Event, Severed};
use crate::recorder::Recorder;

/// Longest that the accepting task may take to follow an order: a bind and a listen, on a busy machine.
const LISTEN_PATIENCE: Duration = Duration::from_secs(5);

/// How the nemesis ends connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// FIN to both sides, as a process that exits sends it.
    Close,
    /// RST to both sides.
    Reset,
}

/// An order to one connection; answered once its sockets are gone.
pub(super) struct Order {
    pub cut: Cut,
    pub done: oneshot::Sender<()>,
}

/// The gateway of one run. Clones control the same gateway; it closes when the last is dropped.
#[derive(Clone)]
pub(crate) struct Gateway {
    shared: Arc<Shared>,
    _accepting: Arc<AbortOnDropHandle<()>>,
}

struct Shared {
    port: Reservation,
    recorder: Recorder,
    upstream: watch::Sender<SocketAddr>,
    /// Whether there should be a listener, and whether there is one.
    open: watch::Sender<bool>,
    listening: watch::Sender<bool>,
    toxics: watch::Sender<Toxics>,
    /// Bytes that a stall has held back so far.
    withheld: AtomicU64,
    connections: Mutex<HashMap<u64, mpsc::UnboundedSender<Order>>>,
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
            open: watch::Sender::new(true),
            listening: watch::Sender::new(true),
            toxics: watch::Sender::new(Toxics::default()),
            withheld: AtomicU64::new(0),
            connections: Mutex::default(),
            tasks: TaskTracker::new(),
        });
        let accepting = tokio::spawn(Arc::clone(&shared).accept_for_ever(listener));
        Ok(Gateway { shared, _accepting: Arc::new(AbortOnDropHandle::new(accepting)) })
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
        self.listen(false).await
    }

    /// Accepts connections again.
    pub async fn accept(&self) -> io::Result<()> {
        self.listen(true).await
    }

    /// Begins or ceases to listen; returns once it is so.
    async fn listen(&self, on: bool) -> io::Result<()> {
        if self.shared.open.send_replace(on) != on {
            self.shared.recorder.record_now(|at| Event::Refusing { at, on: !on });
        }
        let mut listening = self.shared.listening.subscribe();
        match timeout(LISTEN_PATIENCE, listening.wait_for(|listening| *listening == on)).await {
            Ok(Ok(_)) => Ok(()),
            _ => {
                Err(io::Error::other(format!("the gateway could not {} listening", if on { "begin" } else { "cease" })))
            }
        }
    }

    /// Changes what links do to the bytes they carry, on open connections too.
    pub fn set_toxics(&self, toxics: Toxics) {
        self.shared.toxics.send_replace(toxics);
    }

    /// Bytes held back since the run began.
    pub fn bytes_withheld(&self) -> u64 {
        self.shared.withheld.load(Ordering::Relaxed)
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.shared.connections().len()
    }

    /// Ends every connection that is open now, idle ones too; returns how many were.
    pub async fn cut(&self, cut: Cut) -> usize {
        let orders: Vec<_> = self
            .shared
            .connections()
            .values()
            .filter_map(|connection| {
                let (done, finished) = oneshot::channel();
                connection.send(Order { cut, done }).ok().map(|()| finished)
            })
            .collect();
        let mut ended = 0;
        for finished in orders {
            // An error means that the connection ended by itself meanwhile.
            ended += usize::from(finished.await.is_ok());
        }
        ended
    }

    /// Closes the gateway and every connection.
    pub async fn close(&self) {
        // What matters is that nobody is served any more; a listener that stays is closed with its task.
        let _ = self.refuse().await;
        self.cut(Cut::Reset).await;
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl Shared {
    fn connections(&self) -> MutexGuard<'_, HashMap<u64, mpsc::UnboundedSender<Order>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn accept_for_ever(self: Arc<Self>, listener: TcpListener) {
        let mut listener = Some(listener);
        let mut open = self.open.subscribe();
        let mut next = 1;
        loop {
            let accepted = match &listener {
                Some(listening) => tokio::select! {
                    biased;
                    changed = open.changed() => changed.map(|()| None),
                    accepted = listening.accept() => Ok(Some(accepted)),
                },
                None => open.changed().await.map(|()| None),
            };
            match accepted {
                Err(_) => return, // the gateway is gone
                Ok(None) => {
                    listener = if *open.borrow_and_update() { self.listener() } else { None };
                    self.listening.send_replace(listener.is_some());
                }
                Ok(Some(Ok((client, _)))) => {
                    self.tasks.spawn(Arc::clone(&self).serve(next, client));
                    next += 1;
                }
                // Out of file descriptors: the kernel keeps the connection waiting, so try again shortly.
                Ok(Some(Err(_))) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }

    fn listener(&self) -> Option<TcpListener> {
        let listener = self.port.listen().and_then(TcpListener::from_std);
        if let Err(error) = &listener {
            self.recorder.doubt(format!("the gateway could not listen again: {error}"));
        }
        listener.ok()
    }

    async fn serve(self: Arc<Self>, id: u64, client: TcpStream) {
        let (connection, orders) = mpsc::unbounded_channel();
        self.connections().insert(id, connection);
        self.recorder.record_now(|at| Event::Connection { at, id, change: ConnectionChange::Opened });
        let upstream = *self.upstream.borrow();
        let traffic = proxy::Traffic::new(&self.withheld);
        let by: Severed = proxy::carry(client, upstream, self.toxics.subscribe(), &traffic, orders).await;
        self.connections().remove(&id);
        let change = ConnectionChange::Ended { by, upstream: traffic.upstream(), downstream: traffic.downstream() };
        self.recorder.record_now(|at| Event::Connection { at, id, change });
    }
}
