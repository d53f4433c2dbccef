//! Limits a local server to a share of a processor by a duty cycle: SIGSTOP and SIGCONT to all its processes.
//!
//! A cgroup would be more precise, but needs privileges; this needs none, and a client that waits for a reply sees the
//! same. All processes are resumed however the throttling ends. The evidence is the harness's own round trips.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::process_tree;
use crate::model::fault::Share;

/// Length of one cycle. Much longer than a search for new processes (some milliseconds), and short enough that requests
/// become slow instead of hanging.
const TURN: Duration = Duration::from_millis(200);

/// A running throttle; ended by [`end`](Throttle::end) or when dropped.
pub(super) struct Throttle {
    task: AbortOnDropHandle<()>,
    postmaster: i32,
}

/// Resumes all processes when dropped, so that a cancelled task resumes them too.
struct Thaw(i32);

impl Drop for Thaw {
    fn drop(&mut self) {
        process_tree::signal_all(&process_tree::with_descendants(self.0), Signal::SIGCONT);
    }
}

impl Throttle {
    /// Starts throttling a postmaster and its descendants.
    pub fn start(postmaster: i32, share: Share) -> Throttle {
        let runs = TURN.mul_f64(share.as_f64());
        let task = tokio::spawn(async move {
            let _thaw = Thaw(postmaster);
            loop {
                let frozen = process_tree::freeze(postmaster);
                sleep(TURN - runs).await;
                process_tree::signal_all(&frozen, Signal::SIGCONT);
                sleep(runs).await;
            }
        });
        Throttle { task: AbortOnDropHandle::new(task), postmaster }
    }

    /// Ends the throttling; all processes run when this returns.
    pub async fn end(self) {
        self.task.abort();
        // The only error is the cancellation above.
        let _ = self.task.await;
        process_tree::signal_all(&process_tree::with_descendants(self.postmaster), Signal::SIGCONT);
    }
}
