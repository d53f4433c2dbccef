//! The gateway's reception: listens, takes clients in, and ceases to listen, or lets them hang, when told.
//!
//! `machine` is that of a gateway on the machine's own network, `host` that of one on a host of another.

#[cfg(any(test, feature = "simulation"))]
pub(super) mod host;
pub(super) mod os;

use std::io;

use tokio::sync::oneshot;

/// What the reception can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Listen, and take in who comes.
    Accept,
    /// Cease to listen.
    Refuse,
    /// Listen, and let SYNs be dropped.
    Hang,
    /// Take in everybody who waits in the kernel's queue now.
    TakeIn,
    /// Bring the count of dropped SYNs up to date.
    Count,
}

/// An instruction, answered once it is carried out.
pub(super) struct Request {
    pub instruction: Instruction,
    pub done: oneshot::Sender<io::Result<()>>,
}
