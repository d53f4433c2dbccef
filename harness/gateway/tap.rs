//! The tap: what the gateway tells of every connection, as it happens.

use crate::model::history::{ConnectionChange, Event};
use crate::recorder::Recorder;

/// Somebody who is told. Called from the threads that carry the bytes, so it must not block.
pub(crate) trait Tap: Send + Sync {
    /// Something happened to a connection, by its number.
    fn connection(&self, id: u64, change: ConnectionChange);
    /// The gateway began or ceased to refuse connections.
    fn refusing(&self, on: bool);
    /// The gateway could not do what it was asked.
    fn doubt(&self, reason: String);

    /// Whether it wants to be told of every request and every answer, of which there may be many.
    fn observes(&self) -> bool {
        false
    }

    /// A request has begun to come on a connection, where this observes.
    fn asked(&self, id: u64) {
        let _ = id;
    }

    /// The server has finished a request on a connection, in the order of asking; `idle`: nothing else is under way there.
    fn answered(&self, id: u64, idle: bool) {
        let _ = (id, idle);
    }
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
