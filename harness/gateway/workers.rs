//! Lanes: the threads that carry the gateway's connections, each with a runtime of its own.
//!
//! A connection stays on its lane for life, so that carrying bytes takes no lock and wakes no other thread: that is a
//! tenth faster than a scheduler that moves tasks between threads, and keeps the gateway apart from whatever
//! the client under test does to the runtime it shares with the harness. Where time is virtual there is one runtime for
//! everything, and it is the only lane.

use std::io;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Most lanes of one gateway: beyond this, the server behind it is the limit.
const MOST: usize = 8;

/// Longest that connections may take to end once the gateway closes: a few system calls, on a busy machine.
const FAREWELL: Duration = Duration::from_secs(1);

/// The threads of one gateway. Dropping it ends every task, then the threads.
pub(super) struct Workers {
    turns: Arc<Spawner>,
    threads: Vec<JoinHandle<()>>,
    closing: CancellationToken,
}

/// Puts tasks on the lanes by turns. Tasks may hold this, but never the lanes: who drops those waits for every task.
pub(super) struct Spawner {
    handles: Vec<Handle>,
    next: AtomicUsize,
    tasks: TaskTracker,
}

impl Workers {
    /// Starts one lane for each core; they end when `closing` is cancelled.
    pub fn start(closing: CancellationToken) -> io::Result<Workers> {
        let count = thread::available_parallelism().map_or(1, NonZero::get).min(MOST);
        let tasks = TaskTracker::new();
        let (mut handles, mut threads) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
            handles.push(runtime.handle().clone());
            let (closing, tasks) = (closing.clone(), tasks.clone());
            let run = move || {
                runtime.block_on(async {
                    closing.cancelled().await;
                    // What is still there afterwards goes with the runtime.
                    let _ = timeout(FAREWELL, tasks.wait()).await;
                });
            };
            threads.push(thread::Builder::new().name("pgsquall-gateway".into()).spawn(run)?);
        }
        Ok(Workers { turns: Arc::new(Spawner { handles, next: AtomicUsize::new(0), tasks }), threads, closing })
    }

    /// The runtime on which this is called as the only lane; its tasks end when `closing` is cancelled.
    ///
    /// *Errors*: there is none.
    #[cfg(any(test, feature = "simulation"))]
    pub fn here(closing: CancellationToken) -> io::Result<Workers> {
        let handles = vec![Handle::try_current().map_err(io::Error::other)?];
        let turns = Spawner { handles, next: AtomicUsize::new(0), tasks: TaskTracker::new() };
        Ok(Workers { turns: Arc::new(turns), threads: Vec::new(), closing })
    }

    pub fn turns(&self) -> &Arc<Spawner> {
        &self.turns
    }

    /// Waits until every task has ended.
    pub async fn idle(&self) {
        self.turns.tasks.close();
        self.turns.tasks.wait().await;
    }
}

impl Spawner {
    /// Puts a task on the lane whose turn it is.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        self.tasks.spawn_on(task, &self.handles[turn]);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.closing.cancel();
        self.turns.tasks.close();
        for thread in self.threads.drain(..) {
            // It panicked if a task of ours did, and has said so.
            let _ = thread.join();
        }
    }
}
