//! The tap: what the gateway tells of every connection, as it happens.

use crate::history::{ConnectionChange, Event};
use crate::recorder::Recorder;

/// Somebody who is told. Called from the threads that carry the bytes, so it must not block.
pub(crate) trait Tap: Send + Sync {
    /// Something happened to a connection, by its number.
    fn connection(&self, id: u64, change: ConnectionChange);
    /// The gateway began or ceased to refuse connections.
    fn refusing(&self, on: bool);
    /// The gateway could not do what it was asked.
    fn doubt(&self, reason: String);
}

impl Tap for Recorder {
    fn connection(&self, id: u64, change: ConnectionChange) {
        self.record_now(|at| Event::Connection { at, id, change });
    }

    fn refusing(&self, on: bool) {
        self.record_now(|at| Event::Refusing { at, on });
    }

    fn doubt(&self, reason: String) {
        Recorder::doubt(self, reason);
    }
}
