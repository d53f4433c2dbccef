//! Acceptor on a host of a network that is not the operating system's: refuses clients, but cannot let them hang.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::task::unconstrained;

use super::{Instruction, Request};
use crate::gateway::port::BACKLOG;
use crate::gateway::shared::Shared;
use crate::gateway::transport::Host;
use crate::gateway::workers::Spawner;

/// Accepts clients until the gateway closes.
pub(crate) async fn run<H: Host>(
    shared: Arc<Shared>,
    spawner: Arc<Spawner>,
    host: H,
    listener: H::Listener,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    let closing = shared.closing.clone();
    let mut acceptor = Acceptor { shared, spawner, host, listener: Some(listener) };
    loop {
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            request = requests.recv() => {
                let Some(Request { instruction, done }) = request else { return };
                // The receiver is gone if the nemesis was stopped in the meantime.
                let _ = done.send(acceptor.apply(instruction));
            }
            accepted = acceptor.accept() => match accepted {
                Ok((client, peer)) => acceptor.accept_client(client, peer),
                Err(error) => acceptor.stop_accepting(&error),
            },
        }
    }
}

struct Acceptor<H: Host> {
    shared: Arc<Shared>,
    spawner: Arc<Spawner>,
    host: H,
    /// `None`: clients are refused.
    listener: Option<H::Listener>,
}

impl<H: Host> Acceptor<H> {
    fn apply(&mut self, instruction: Instruction) -> io::Result<()> {
        match instruction {
            Instruction::AcceptQueued => self.accept_queued(),
            Instruction::Accept if self.listener.is_none() => {
                self.listener = Some(self.host.listen(self.shared.address)?);
                self.shared.tap.refusing(false);
            }
            Instruction::Refuse if self.listener.is_some() => {
                // Without a listener, queued clients would be reset, although their connect has succeeded.
                self.accept_queued();
                self.shared.tap.refusing(true);
                self.listener = None;
            }
            Instruction::Hang => {
                let why = "a gateway on this network cannot let connects hang; drop their SYNs with its packet filter";
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
            // Already done; and this acceptor drops no SYNs to count.
            Instruction::Accept | Instruction::Refuse | Instruction::Count => {}
        }
        Ok(())
    }

    /// Waits for the next client; for ever while clients are refused. Cancel safe.
    async fn accept(&mut self) -> io::Result<(H::Socket, SocketAddr)> {
        match &mut self.listener {
            Some(listener) => self.host.accept(listener).await,
            None => std::future::pending().await,
        }
    }

    fn accept_client(&self, client: H::Socket, peer: SocketAddr) {
        // `None`: the gateway closes, and the dropped socket ends the client's connection.
        if let Some(task) = self.shared.accept_client(self.host.clone(), Some(peer), move || Ok(client)) {
            // Boxed, because a task is moved several times before it runs, and this one is large.
            self.spawner.spawn(Box::pin(task));
        }
    }

    /// Accepts every client in the queue.
    fn accept_queued(&mut self) {
        // Bounded, so that a client that connects in a loop cannot keep the acceptor here.
        for _ in 0..BACKLOG {
            let Some(listener) = &mut self.listener else { return };
            // Unconstrained, because an exhausted task budget would look like an empty queue.
            match unconstrained(self.host.accept(listener)).now_or_never() {
                None => return,
                Some(Ok((client, peer))) => self.accept_client(client, peer),
                Some(Err(error)) => return self.stop_accepting(&error),
            }
        }
    }

    /// Stops accepting after an error, because on such a network no error is temporary.
    fn stop_accepting(&mut self, error: &io::Error) {
        self.shared.tap.doubt(format!("the gateway cannot accept clients any more: {error}"));
        self.listener = None;
    }
}
