//! Acceptor on the operating system's network. The kernel itself refuses clients, or lets them hang.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::{Instruction, Request};
use crate::gateway::Machine;
use crate::gateway::full_backlog::FullBacklog;
use crate::gateway::port::{BACKLOG, Reservation};
use crate::gateway::shared::Shared;
use crate::gateway::workers::Spawner;

/// Pause after a failed accept: usually no file descriptor is left.
const RETRY_AFTER_ERROR: Duration = Duration::from_millis(10);

/// Accepts clients until the gateway closes.
pub(crate) async fn run(
    shared: Arc<Shared>,
    spawner: Arc<Spawner>,
    port: Arc<Reservation>,
    listener: TcpListener,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    let closing = shared.closing.clone();
    let mut acceptor = match ListenState::open(listener) {
        Ok(state) => Acceptor { shared, spawner, port, state },
        Err(error) => return shared.tap.doubt(format!("cannot listen on the gateway's port: {error}")),
    };
    loop {
        tokio::select! {
            biased;
            () = closing.cancelled() => return acceptor.state.close(),
            request = requests.recv() => {
                let Some(Request { instruction, done }) = request else { return };
                // The receiver is gone if the nemesis was stopped in the meantime.
                let _ = done.send(acceptor.apply(instruction));
            }
            accepted = acceptor.state.accept() => match accepted {
                Ok(client) => acceptor.accept_client(client),
                // Without a file descriptor the client stays in the kernel's queue, so try again shortly.
                Err(_) => sleep(RETRY_AFTER_ERROR).await,
            },
        }
    }
}

/// How new clients are treated, and the sockets for it.
enum ListenState {
    Listening(AsyncFd<TcpListener>),
    /// The kernel answers with ECONNREFUSED.
    Refusing,
    /// The kernel drops SYNs.
    Hanging(FullBacklog),
}

impl ListenState {
    fn open(listener: TcpListener) -> io::Result<ListenState> {
        // SAFETY: the listener owns its descriptor for as long as it lives, and nothing replaces it.
        Ok(ListenState::Listening(unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }?))
    }

    /// Stops listening at once. Dropping the listener would not be enough: a child process between fork and exec holds
    /// a copy of the descriptor.
    fn close(&mut self) {
        if let ListenState::Listening(listener) = self {
            // Only Linux can shut down a listening socket; elsewhere the drop must be enough.
            let _ = SockRef::from(listener.get_ref()).shutdown(Shutdown::Both);
        }
        *self = ListenState::Refusing;
    }

    /// Waits for the next client; for ever while clients are refused or hang. Cancel safe.
    async fn accept(&self) -> io::Result<TcpStream> {
        let ListenState::Listening(listener) = self else { return std::future::pending().await };
        loop {
            let mut ready = listener.readable().await?;
            match ready.try_io(|listener| accept(listener.get_ref())) {
                Ok(accepted) => return accepted,
                Err(_none_queued) => {}
            }
        }
    }
}

/// Takes one client out of the accept queue. Its socket is not yet registered with a runtime, because it will run on
/// another thread.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (client, _) = listener.accept()?;
    client.set_nonblocking(true)?;
    Ok(client)
}

struct Acceptor {
    shared: Arc<Shared>,
    spawner: Arc<Spawner>,
    port: Arc<Reservation>,
    state: ListenState,
}

impl Acceptor {
    fn apply(&mut self, instruction: Instruction) -> io::Result<()> {
        match (instruction, &mut self.state) {
            (Instruction::AcceptQueued, ListenState::Listening(_)) => self.accept_queued(),
            (Instruction::Count, ListenState::Hanging(backlog)) => self.shared.count_drops(backlog),
            (Instruction::Accept, ListenState::Refusing) => {
                self.state = ListenState::open(self.port.listen()?)?;
                self.shared.tap.refusing(false);
            }
            (Instruction::Accept, ListenState::Hanging(backlog)) => {
                self.shared.count_drops(backlog);
                let mut connected = Vec::new();
                let open = backlog.clear(|client| connected.push(client));
                connected.into_iter().for_each(|client| self.accept_client(client));
                self.state = ListenState::open(open?)?;
            }
            (Instruction::Refuse, ListenState::Listening(_)) => {
                // The kernel would reset queued clients, although their connect has succeeded.
                self.accept_queued();
                self.close();
            }
            (Instruction::Refuse, ListenState::Hanging(_)) => {
                self.apply(Instruction::Accept)?;
                self.apply(Instruction::Refuse)?;
            }
            (Instruction::Hang, ListenState::Listening(listener)) => {
                let listener = listener.get_ref().try_clone()?;
                let mut connected = Vec::new();
                let backlog = FullBacklog::fill(listener, self.port.address(), |client| connected.push(client));
                // Accepted even if filling the queue failed, because their connect has succeeded.
                connected.into_iter().for_each(|client| self.accept_client(client));
                self.state = ListenState::Hanging(backlog?);
            }
            (Instruction::Hang, ListenState::Refusing) => {
                self.apply(Instruction::Accept)?;
                self.apply(Instruction::Hang)?;
            }
            // Already done, or the queue is empty.
            (Instruction::Accept, ListenState::Listening(_))
            | (Instruction::Refuse, ListenState::Refusing)
            | (Instruction::Hang, ListenState::Hanging(_))
            | (Instruction::AcceptQueued | Instruction::Count, _) => {}
        }
        Ok(())
    }

    /// Stops listening, and reports that clients are refused.
    fn close(&mut self) {
        self.shared.tap.refusing(true);
        self.state.close();
    }

    fn accept_client(&self, client: TcpStream) {
        let peer = client.peer_addr().ok();
        // `None`: the gateway closes, and the dropped socket ends the client's connection.
        if let Some(task) = self.shared.accept_client(Machine, peer, move || Machine::client(client)) {
            self.spawner.spawn(task);
        }
    }

    /// Accepts all clients in the queue. Calls the kernel directly, because the runtime answers from cached readiness.
    fn accept_queued(&self) {
        // Bounded, so that a client that connects in a loop cannot keep the acceptor here.
        for _ in 0..BACKLOG {
            let ListenState::Listening(listener) = &self.state else { return };
            match accept(listener.get_ref()) {
                Ok(client) => self.accept_client(client),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return, // the queue is empty, or no file descriptor is left
            }
        }
    }
}

impl Shared {
    /// Adds the SYNs that a full queue has dropped since the last call.
    fn count_drops(&self, backlog: &mut FullBacklog) {
        self.syns_dropped.fetch_add(backlog.take_drops(), Ordering::Relaxed);
    }
}
