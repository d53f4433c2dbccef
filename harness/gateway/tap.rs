//! The tap: receives the events of every connection as they happen.

use crate::model::history::{ConnectionChange, Event};
use crate::recorder::Recorder;

/// Receiver of the gateway's events. Called from the threads that carry the bytes, so it must not block.
pub(crate) trait Tap: Send + Sync {
    /// Receives a change of a connection, by the connection's number.
    fn connection(&self, id: u64, change: ConnectionChange);
    /// The gateway began (`on`) or ceased to refuse connections.
    fn refusing(&self, on: bool);
    /// The gateway could not carry out a request, so the run may prove nothing.
    fn doubt(&self, reason: String);

    /// Whether the gateway shall report every request and every answer; there may be many.
    fn observes(&self) -> bool {
        false
    }

    /// A request has begun to arrive on a connection, if this tap observes.
    fn request_started(&self, id: u64) {
        let _ = id;
    }

    /// The server has finished a request; called in request order, if this tap observes. `idle`: no other request is in
    /// flight on this connection.
    fn request_finished(&self, id: u64, idle: bool) {
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
