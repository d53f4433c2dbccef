//! The reception of a gateway on a host of a network that is not the machine's own.

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

/// Takes clients in until the gateway closes.
pub(crate) async fn receive<H: Host>(
    shared: Arc<Shared>,
    turns: Arc<Spawner>,
    host: H,
    listener: H::Listener,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    let closing = shared.closing.clone();
    let mut reception = Reception { shared, turns, host, listener: Some(listener) };
    loop {
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            request = requests.recv() => {
                let Some(Request { instruction, done }) = request else { return };
                // Nobody waits for it if the nemesis was stopped meanwhile.
                let _ = done.send(reception.follow(instruction));
            }
            accepted = reception.accept() => match accepted {
                Ok((client, peer)) => reception.accept_client(client, peer),
                Err(error) => reception.give_up(&error),
            },
        }
    }
}

struct Reception<H: Host> {
    shared: Arc<Shared>,
    turns: Arc<Spawner>,
    host: H,
    /// `None`: whoever comes is refused.
    listener: Option<H::Listener>,
}

impl<H: Host> Reception<H> {
    fn follow(&mut self, instruction: Instruction) -> io::Result<()> {
        match instruction {
            Instruction::TakeIn => self.accept_waiting(),
            Instruction::Accept if self.listener.is_none() => {
                self.listener = Some(self.host.listen(self.shared.address)?);
                self.shared.tap.refusing(false);
            }
            Instruction::Refuse if self.listener.is_some() => {
                // They were connected before: without a listener they would be reset.
                self.accept_waiting();
                self.shared.tap.refusing(true);
                self.listener = None;
            }
            Instruction::Hang => {
                let why = "on this network it is the packet filter that lets connects hang: drop their SYNs there";
                return Err(io::Error::new(io::ErrorKind::Unsupported, why));
            }
            // As it is already; and no SYN is dropped here that could be counted.
            Instruction::Accept | Instruction::Refuse | Instruction::Count => {}
        }
        Ok(())
    }

    /// The next client; cancel safe.
    async fn accept(&mut self) -> io::Result<(H::Socket, SocketAddr)> {
        match &mut self.listener {
            Some(listener) => self.host.accept(listener).await,
            None => std::future::pending().await,
        }
    }

    fn accept_client(&self, client: H::Socket, peer: SocketAddr) {
        // Once the gateway closes, the client finds its connection ended.
        if let Some(task) = self.shared.accept_client(self.host.clone(), Some(peer), move || Ok(client)) {
            // Boxed: a task is moved several times before it runs, and this one is large.
            self.turns.spawn(Box::pin(task));
        }
    }

    /// Takes in everybody who is there now.
    fn accept_waiting(&mut self) {
        // Bounded, so that a client in a hot loop cannot keep us here.
        for _ in 0..BACKLOG {
            let Some(listener) = &mut self.listener else { return };
            // Unconstrained: nobody there must not be taken for a task that has had its turn.
            match unconstrained(self.host.accept(listener)).now_or_never() {
                None => return,
                Some(Ok((client, peer))) => self.accept_client(client, peer),
                Some(Err(error)) => return self.give_up(&error),
            }
        }
    }

    /// Nobody can be taken in any more: here nothing runs short for a while that would come back.
    fn give_up(&mut self, error: &io::Error) {
        self.shared.tap.doubt(format!("the gateway takes nobody in any more: {error}"));
        self.listener = None;
    }
}
