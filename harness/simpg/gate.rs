//! SIGSTOP and SIGCONT: the tasks of a server are polled only while its gate is open.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// While the gate is closed, no task of its server is polled.
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

    /// Whether the gate is closed; if so, registers the task to be woken when it opens.
    fn holds(&self, context: &Context<'_>) -> bool {
        let mut held = self.0.lock();
        if held.closed && !held.waiting.iter().any(|known| known.will_wake(context.waker())) {
            held.waiting.push(context.waker().clone());
        }
        held.closed
    }
}

/// Runs `work`, which is polled only while the gate is open.
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
