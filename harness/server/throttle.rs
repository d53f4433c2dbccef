//! A server that gets only a share of a processor: all its processes stand still for most of every moment.
//!
//! A cgroup would do it better, but takes privileges; this takes none, and looks the same to whoever waits for an
//! answer. Nobody stays stopped: what ends the throttling, in order or not, lets every process go on.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use super::process_tree;
use crate::model::fault::Share;

/// One turn of running and standing still. Long beside the look for new processes, which costs some milliseconds, and
/// short beside what a person calls slow.
const TURN: Duration = Duration::from_millis(200);

/// Throttles from its start until it is ended or dropped.
pub(super) struct Throttle {
    task: AbortOnDropHandle<()>,
    eldest: i32,
}

/// Lets everybody go on, also when the task is cancelled where it stands.
struct Thaw(i32);

impl Drop for Thaw {
    fn drop(&mut self) {
        process_tree::signal_all(&process_tree::family(self.0), Signal::SIGCONT);
    }
}

impl Throttle {
    pub fn start(eldest: i32, share: Share) -> Throttle {
        let runs = TURN.mul_f64(share.as_f64());
        let task = tokio::spawn(async move {
            let _thaw = Thaw(eldest);
            loop {
                let frozen = process_tree::freeze(eldest);
                sleep(TURN - runs).await;
                process_tree::signal_all(&frozen, Signal::SIGCONT);
                sleep(runs).await;
            }
        });
        Throttle { task: AbortOnDropHandle::new(task), eldest }
    }

    /// Ends it; everybody runs when this returns.
    pub async fn end(self) {
        self.task.abort();
        // Cancelled, which is what was asked for.
        let _ = self.task.await;
        process_tree::signal_all(&process_tree::family(self.eldest), Signal::SIGCONT);
    }
}
