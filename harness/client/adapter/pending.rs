//! The operations in flight, and who waits for which answer.
//!
//! Knows neither process nor pipe. Holds every operation to exactly one answer: the adapter's, or in the end ours.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::lines::Line;
use super::protocol::{self, Said, Word};
use crate::client::Notifications;
use crate::model::history::{Ended, ErrorKind, OpError};

pub(super) type Answered = Result<Option<bool>, OpError>;

/// Where operations wait for their answers.
#[derive(Default)]
pub(super) struct PendingRequests {
    state: Mutex<State>,
    /// Cancelled when the harness has no more to ask: what happens after that is no fault of the client.
    pub closing: CancellationToken,
}

#[derive(Default)]
struct State {
    pending: HashMap<u64, (Word, oneshot::Sender<Answered>)>,
    /// Every id ever asked, so that a second answer can be told from an invented one.
    asked: HashSet<u64>,
    /// Who is told of notifications, once the adapter was asked to listen.
    news: Option<Notifications>,
    ended: Option<Ended>,
    /// How it went away, also where it was asked to.
    exit_status: Option<Ended>,
    /// The answer to every operation from now on.
    over: Option<OpError>,
}

impl PendingRequests {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it went away, if nobody asked it to.
    pub fn ended(&self) -> Option<Ended> {
        self.lock().ended.clone()
    }

    /// How it went away, whoever wanted that.
    pub fn exit_status(&self) -> Option<Ended> {
        self.lock().exit_status.clone()
    }

    /// Opens a place for the answer to one operation.
    pub fn ask(&self, id: u64, word: Word) -> Result<oneshot::Receiver<Answered>, OpError> {
        let mut state = self.lock();
        if let Some(error) = &state.over {
            return Err(error.clone());
        }
        let (answer, answered) = oneshot::channel();
        state.pending.insert(id, (word, answer));
        state.asked.insert(id);
        Ok(answered)
    }

    /// Has somebody told of notifications from now on.
    pub fn subscribe(&self, news: Notifications) {
        self.lock().news = Some(news);
    }

    /// Hands an answer, or a notification, to whoever waits for it.
    ///
    /// *Errors*: in what way the line breaks the protocol.
    pub fn take(&self, line: &Line) -> Result<(), String> {
        let (id, result) = match protocol::said(line)? {
            Said::Answer { id, result } => (id, result),
            Said::Notice(notice) => {
                let news = self.lock().news.clone();
                return news.ok_or_else(|| protocol::unasked(line)).map(|news| news.tell(notice));
            }
        };
        let mut state = self.lock();
        match state.pending.get(&id) {
            Some((Word::Read, _)) if result == Ok(None) => return Err(protocol::without_found(line)),
            Some(_) => {}
            None if state.asked.contains(&id) => {
                let wrong = format!("answers operation {id} a second time");
                return Err(line.blame(&wrong, "answer every request exactly once"));
            }
            None => {
                let wrong = format!("answers operation {id}, which was never asked");
                return Err(line.blame(&wrong, "repeat the id of the request in its answer"));
            }
        }
        if let Some((_, waiting)) = state.pending.remove(&id) {
            // Nobody need wait any more: the workload may have ended.
            let _ = waiting.send(result);
        }
        Ok(())
    }

    /// Answers all that is pending and all that will come.
    pub fn finish(&self, how: Ended) {
        let closing = self.closing.is_cancelled();
        let error = match &how {
            _ if closing => closed(),
            Ended::Violated { reason } => {
                OpError::new(ErrorKind::Other, format!("the client broke the adapter protocol: {reason}"))
            }
            _ => OpError::new(ErrorKind::Closed, "the client process exited"),
        };
        let mut state = self.lock();
        state.exit_status = Some(how.clone());
        state.ended = Some(how).filter(|_| !closing);
        state.over = Some(error.clone());
        for (_, (_, waiting)) in state.pending.drain() {
            let _ = waiting.send(Err(error.clone()));
        }
    }
}

/// The error of an operation that the harness itself cut off.
pub(super) fn closed() -> OpError {
    OpError::new(ErrorKind::Closed, "the client was closed")
}
