//! The reception of a gateway on the machine's own network: what it refuses or lets hang, the kernel does.

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

/// How long to wait for a file descriptor where there is none left.
const SCARCITY: Duration = Duration::from_millis(10);

/// Takes clients in until the gateway closes.
pub(crate) async fn receive(
    shared: Arc<Shared>,
    turns: Arc<Spawner>,
    port: Arc<Reservation>,
    listener: TcpListener,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    let closing = shared.closing.clone();
    let mut reception = match Door::open(listener) {
        Ok(door) => Reception { shared, turns, port, door },
        Err(error) => return shared.tap.doubt(format!("the gateway cannot listen: {error}")),
    };
    loop {
        tokio::select! {
            biased;
            () = closing.cancelled() => return reception.door.close(),
            request = requests.recv() => {
                let Some(Request { instruction, done }) = request else { return };
                // Nobody waits for it if the nemesis was stopped meanwhile.
                let _ = done.send(reception.follow(instruction));
            }
            accepted = reception.door.accept() => match accepted {
                Ok(client) => reception.accept_client(client),
                // Out of file descriptors: the kernel keeps the connection waiting, so try again shortly.
                Err(_) => sleep(SCARCITY).await,
            },
        }
    }
}

/// What meets a client that connects.
enum Door {
    Open(AsyncFd<TcpListener>),
    /// ECONNREFUSED, from the kernel.
    Closed,
    /// Silence, from the kernel.
    Jammed(FullBacklog),
}

impl Door {
    fn open(listener: TcpListener) -> io::Result<Door> {
        // SAFETY: the listener owns its descriptor for as long as it lives, and nothing replaces it.
        Ok(Door::Open(unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) }?))
    }

    /// Ceases to listen at once. Dropping the listener would not be enough: a child process that is just being started
    /// holds a copy of it until it runs its own program.
    fn close(&mut self) {
        if let Door::Open(listener) = self {
            // Where a listener cannot be shut down (only Linux does it), dropping it must do.
            let _ = SockRef::from(listener.get_ref()).shutdown(Shutdown::Both);
        }
        *self = Door::Closed;
    }

    /// The next client; cancel safe.
    async fn accept(&self) -> io::Result<TcpStream> {
        let Door::Open(listener) = self else { return std::future::pending().await };
        loop {
            let mut ready = listener.readable().await?;
            match ready.try_io(|listener| accept(listener.get_ref())) {
                Ok(accepted) => return accepted,
                Err(_nobody_there) => {}
            }
        }
    }
}

/// Takes one client out of the kernel's queue. Its socket belongs to no runtime yet: another thread will carry it.
fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (client, _) = listener.accept()?;
    client.set_nonblocking(true)?;
    Ok(client)
}

struct Reception {
    shared: Arc<Shared>,
    turns: Arc<Spawner>,
    port: Arc<Reservation>,
    door: Door,
}

impl Reception {
    fn follow(&mut self, instruction: Instruction) -> io::Result<()> {
        match (instruction, &mut self.door) {
            (Instruction::TakeIn, Door::Open(_)) => self.accept_waiting(),
            (Instruction::Count, Door::Jammed(queue)) => self.shared.count(queue),
            (Instruction::Accept, Door::Closed) => {
                self.door = Door::open(self.port.listen()?)?;
                self.shared.tap.refusing(false);
            }
            (Instruction::Accept, Door::Jammed(queue)) => {
                self.shared.count(queue);
                let mut early = Vec::new();
                let open = queue.clear(|client| early.push(client));
                early.into_iter().for_each(|client| self.accept_client(client));
                self.door = Door::open(open?)?;
            }
            (Instruction::Refuse, Door::Open(_)) => {
                // They were connected before: the kernel would reset what is left in its queue.
                self.accept_waiting();
                self.close();
            }
            (Instruction::Refuse, Door::Jammed(_)) => {
                self.follow(Instruction::Accept)?;
                self.follow(Instruction::Refuse)?;
            }
            (Instruction::Hang, Door::Open(listener)) => {
                let listener = listener.get_ref().try_clone()?;
                let mut early = Vec::new();
                let queue = FullBacklog::fill(listener, self.port.address(), |client| early.push(client));
                // They are connected, whatever became of the queue.
                early.into_iter().for_each(|client| self.accept_client(client));
                self.door = Door::Jammed(queue?);
            }
            (Instruction::Hang, Door::Closed) => {
                self.follow(Instruction::Accept)?;
                self.follow(Instruction::Hang)?;
            }
            // As it is already.
            (Instruction::Accept, Door::Open(_))
            | (Instruction::Refuse, Door::Closed)
            | (Instruction::Hang, Door::Jammed(_))
            | (Instruction::TakeIn | Instruction::Count, _) => {}
        }
        Ok(())
    }

    fn close(&mut self) {
        self.shared.tap.refusing(true);
        self.door.close();
    }

    fn accept_client(&self, client: TcpStream) {
        // Once the gateway closes, the client finds its connection ended.
        let peer = client.peer_addr().ok();
        if let Some(task) = self.shared.accept_client(Machine, peer, move || Machine::client(client)) {
            self.turns.spawn(task);
        }
    }

    /// Empties the kernel's queue. Asks the kernel itself: the runtime answers from what it was last told.
    fn accept_waiting(&self) {
        // Bounded, so that a client in a hot loop cannot keep us here.
        for _ in 0..BACKLOG {
            let Door::Open(listener) = &self.door else { return };
            match accept(listener.get_ref()) {
                Ok(client) => self.accept_client(client),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return, // the queue is empty, or there is nothing to hold another connection with
            }
        }
    }
}

impl Shared {
    /// Adds what a full queue has dropped since it was last asked.
    fn count(&self, queue: &mut FullBacklog) {
        self.syns_dropped.fetch_add(queue.dropped(), Ordering::Relaxed);
    }
}
