//! SIGSTOP and SIGCONT: the tasks of a server are polled only while its gate is open.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Stops every task of a server while it is closed.
#[derive(Default)]
pub(super) struct Gate(Mutex<Held>);

#[derive(Default)]
struct Held {
    closed: bool,
    waiting: Vec<Waker>,
}

impl Gate {
    pub fn close(&self) {
        self.0.lock().closed = true;
    }

    pub fn open(&self) {
        let waiting = {
            let mut held = self.0.lock();
            held.closed = false;
            std::mem::take(&mut held.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether the gate is closed; if so, the task is woken when it opens.
    fn holds(&self, context: &Context<'_>) -> bool {
        let mut held = self.0.lock();
        if held.closed && !held.waiting.iter().any(|known| known.will_wake(context.waker())) {
            held.waiting.push(context.waker().clone());
        }
        held.closed
    }
}

/// Runs `work` only while the gate is open: nothing polls it while the gate is closed.
pub(super) async fn through<F: Future>(gate: Arc<Gate>, work: F) -> F::Output {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(move |context| {
        if gate.holds(context) {
            return Poll::Pending;
        }
        Pin::as_mut(&mut work).poll(context)
    })
    .await
}
