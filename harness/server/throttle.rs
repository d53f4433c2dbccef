//! Limits a server to a share of a processor: stops all its processes for most of every interval.
//!
//! A cgroup would be more precise, but needs privileges; this needs none, and looks the same to a client that waits for
//! a reply. However the throttling ends, every process is resumed.
//!
//! Without a cgroup, a share of a processor is a duty cycle: all processes are stopped for most of every 200 ms, and
//! continued however it ends. The evidence is the harness's own round trips.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::process_tree;
use crate::model::fault::Share;

/// One interval of running and standing still. Long compared with the search for new processes (some milliseconds),
/// short compared with what a person calls slow.
const TURN: Duration = Duration::from_millis(200);

/// Throttles until it is ended or dropped.
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
        // The error is the cancellation.
        let _ = self.task.await;
        process_tree::signal_all(&process_tree::with_descendants(self.postmaster), Signal::SIGCONT);
    }
}
