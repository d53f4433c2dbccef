//! The gateway's acceptor: listens and accepts clients, refuses them, or lets them hang, as instructed.
//!
//! `os` accepts on the operating system's network, `host` on a host of another network.

#[cfg(any(test, feature = "simulation"))]
pub(super) mod host;
pub(super) mod os;

use std::io;

use tokio::sync::oneshot;

/// An instruction to the acceptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Listen, and accept clients.
    Accept,
    /// Accept queued clients, then stop listening.
    Refuse,
    /// Keep the accept queue full, so that the kernel drops SYNs; fails on other networks.
    Hang,
    /// Accept every client that waits in the accept queue.
    AcceptQueued,
    /// Update the count of dropped SYNs.
    Count,
}

/// An instruction, acknowledged once it is carried out.
pub(super) struct Request {
    pub instruction: Instruction,
    pub done: oneshot::Sender<io::Result<()>>,
}
