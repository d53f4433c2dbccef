//! The operations in flight, and the callers that wait for their answers.
//!
//! Does not handle the process or its pipes. Every operation gets exactly one answer: the adapter's, or an error when
//! the process ends.

use std::collections::{HashMap, HashSet};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::lines::Line;
use super::protocol::{self, AdapterLine, RequestKind};
use crate::client::Notifications;
use crate::model::history::{Ended, ErrorKind, OpError};

pub(super) type OpResult = Result<Option<bool>, OpError>;

/// Requests that wait for answers.
#[derive(Default)]
pub(super) struct PendingRequests {
    state: Mutex<PendingState>,
    /// Cancelled when the harness sends no more requests: later events are not the client's fault.
    pub closing: CancellationToken,
}

#[derive(Default)]
struct PendingState {
    pending: HashMap<u64, (RequestKind, oneshot::Sender<OpResult>)>,
    /// Every id that was registered, to distinguish a duplicate answer from one with an unknown id.
    known_ids: HashSet<u64>,
    /// The receiver of notifications; `None` until the harness requests them.
    news: Option<Notifications>,
    /// How the process ended, unless the harness closed it.
    ended: Option<Ended>,
    /// How the process ended, even if the harness closed it.
    exit_status: Option<Ended>,
    /// The answer to every later operation, once the process has ended.
    final_error: Option<OpError>,
}

impl PendingRequests {
    fn lock(&self) -> MutexGuard<'_, PendingState> {
        self.state.lock()
    }

    /// How the process ended, unless the harness closed it.
    pub fn ended(&self) -> Option<Ended> {
        self.lock().ended.clone()
    }

    /// How the process ended, even if the harness closed it.
    pub fn exit_status(&self) -> Option<Ended> {
        self.lock().exit_status.clone()
    }

    /// Registers an operation; the returned receiver gets its answer.
    ///
    /// *Errors*: the process has ended.
    pub fn register(&self, id: u64, kind: RequestKind) -> Result<oneshot::Receiver<OpResult>, OpError> {
        let mut state = self.lock();
        if let Some(error) = &state.final_error {
            return Err(error.clone());
        }
        let (sender, receiver) = oneshot::channel();
        state.pending.insert(id, (kind, sender));
        state.known_ids.insert(id);
        Ok(receiver)
    }

    /// Sends notifications to `news` from now on.
    pub fn subscribe(&self, news: Notifications) {
        self.lock().news = Some(news);
    }

    /// Passes an answer to its caller, or a notification to the subscriber.
    ///
    /// *Errors*: how the line breaks the protocol.
    pub fn accept_line(&self, line: &Line) -> Result<(), String> {
        let (id, result) = match protocol::parse_line(line)? {
            AdapterLine::Answer { id, result } => (id, result),
            AdapterLine::Notice(notice) => {
                let news = self.lock().news.clone();
                return news.ok_or_else(|| protocol::unexpected_notice(line)).map(|news| news.send(notice));
            }
        };
        let mut state = self.lock();
        match state.pending.get(&id) {
            Some((RequestKind::Read, _)) if result == Ok(None) => return Err(protocol::missing_found(line)),
            Some(_) => {}
            None if state.known_ids.contains(&id) => {
                let wrong = format!("answers operation {id} a second time");
                return Err(line.protocol_error(&wrong, "answer every request exactly once"));
            }
            None => {
                let wrong = format!("answers operation {id}, which was never requested");
                return Err(line.protocol_error(&wrong, "repeat the id of the request in its answer"));
            }
        }
        if let Some((_, waiting)) = state.pending.remove(&id) {
            // The caller may be gone: the workload may have ended.
            let _ = waiting.send(result);
        }
        Ok(())
    }

    /// Answers all pending and all later operations with an error.
    pub fn finish(&self, how: Ended) {
        let closing = self.closing.is_cancelled();
        let error = match &how {
            _ if closing => client_closed(),
            Ended::Violated { reason } => {
                OpError::new(ErrorKind::Other, format!("the client broke the adapter protocol: {reason}"))
            }
            _ => OpError::new(ErrorKind::Closed, "the client process exited"),
        };
        let mut state = self.lock();
        state.exit_status = Some(how.clone());
        state.ended = Some(how).filter(|_| !closing);
        state.final_error = Some(error.clone());
        for (_, (_, waiting)) in state.pending.drain() {
            let _ = waiting.send(Err(error.clone()));
        }
    }
}

/// The error of an operation that has no answer because the harness closed the client.
pub(super) fn client_closed() -> OpError {
    OpError::new(ErrorKind::Closed, "the client was closed")
}
