//! The gateway's reception: listens, takes clients in, and ceases to listen when told.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::gateway::Shared;
use super::port::BACKLOG;
use crate::history::Event;

/// How long to wait for a file descriptor where there is none left.
const SCARCITY: Duration = Duration::from_millis(10);

/// What the reception can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Begin or cease to listen.
    Listen(bool),
    /// Take in everybody who waits in the kernel's queue now.
    TakeIn,
}

/// An instruction, answered once it is carried out.
pub(super) struct Request {
    pub instruction: Instruction,
    pub done: oneshot::Sender<io::Result<()>>,
}

/// Takes clients in until the gateway closes.
pub(super) async fn receive(
    shared: Arc<Shared>,
    listener: TcpListener,
    mut requests: mpsc::UnboundedReceiver<Request>,
) {
    let mut reception = Reception { shared, listener: Some(listener), next: 1 };
    let closing = reception.shared.closing.clone();
    loop {
        tokio::select! {
            biased;
            () = closing.cancelled() => return,
            request = requests.recv() => {
                let Some(Request { instruction, done }) = request else { return };
                // Nobody waits for it if the nemesis was stopped meanwhile.
                let _ = done.send(reception.follow(instruction));
            }
            accepted = accept(reception.listener.as_ref()) => match accepted {
                Ok(client) => reception.take_in(client),
                // Out of file descriptors: the kernel keeps the connection waiting, so try again shortly.
                Err(_) => sleep(SCARCITY).await,
            },
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}

struct Reception {
    shared: Arc<Shared>,
    /// `None` while connections are refused.
    listener: Option<TcpListener>,
    /// The number of the next connection.
    next: u64,
}

impl Reception {
    fn follow(&mut self, instruction: Instruction) -> io::Result<()> {
        match instruction {
            Instruction::TakeIn => self.take_in_waiting(),
            Instruction::Listen(true) if self.listener.is_none() => {
                self.listener = Some(self.shared.port.listen().and_then(TcpListener::from_std)?);
                self.shared.recorder.record_now(|at| Event::Refusing { at, on: false });
            }
            Instruction::Listen(false) if self.listener.is_some() => {
                // They were connected before: the kernel would reset what is left in its queue.
                self.take_in_waiting();
                self.shared.recorder.record_now(|at| Event::Refusing { at, on: true });
                self.listener = None;
            }
            Instruction::Listen(_) => {}
        }
        Ok(())
    }

    fn take_in(&mut self, client: TcpStream) {
        self.shared.take_in(self.next, client);
        self.next += 1;
    }

    /// Empties the kernel's queue. Asks the kernel itself: tokio answers from what it was last told, which is older.
    fn take_in_waiting(&mut self) {
        // Bounded, so that a client in a hot loop cannot keep us here.
        for _ in 0..BACKLOG {
            let Some(listener) = &self.listener else { return };
            let accepted = SockRef::from(listener).accept().and_then(|(client, _)| {
                client.set_nonblocking(true)?;
                TcpStream::from_std(client.into())
            });
            match accepted {
                Ok(client) => self.take_in(client),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return, // the queue is empty, or there is nothing to hold another connection with
            }
        }
    }
}
