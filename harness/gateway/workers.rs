//! Workers: the threads that carry the gateway's connections, each with a runtime of its own.
//!
//! A connection never changes its worker, so carrying bytes takes no lock and wakes no other thread: that is a tenth
//! faster than a scheduler that moves tasks between threads. Separate threads also isolate the gateway from the load
//! on the harness's runtime, where an in-process client runs. In virtual time, the current runtime is the only worker.

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

/// Most workers of one gateway: beyond this, the server behind it is the limit.
const MAX_WORKERS: usize = 8;

/// Longest wait until connections have ended once the gateway closes: a few system calls, on a busy machine.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// The threads of one gateway. Dropping this ends every task, then the threads; tasks on a shared runtime end later.
pub(super) struct Workers {
    spawner: Arc<Spawner>,
    threads: Vec<JoinHandle<()>>,
    closing: CancellationToken,
}

/// Spawns tasks on the workers, round-robin. Tasks may hold this but never [`Workers`]: the drop of [`Workers`] waits
/// for the thread that runs the task.
pub(super) struct Spawner {
    handles: Vec<Handle>,
    next: AtomicUsize,
    tasks: TaskTracker,
}

impl Workers {
    /// Starts one worker for each core, at most [`MAX_WORKERS`]; they end when `closing` is cancelled.
    ///
    /// *Errors*: a thread or its runtime cannot be created.
    pub fn start(closing: CancellationToken) -> io::Result<Workers> {
        let count = thread::available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS);
        let tasks = TaskTracker::new();
        let (mut handles, mut threads) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
            handles.push(runtime.handle().clone());
            let (closing, tasks) = (closing.clone(), tasks.clone());
            let run = move || {
                runtime.block_on(async {
                    closing.cancelled().await;
                    // Tasks left after the timeout are dropped with the runtime.
                    let _ = timeout(CLOSE_TIMEOUT, tasks.wait()).await;
                });
            };
            threads.push(thread::Builder::new().name("pgsquall-gateway".into()).spawn(run)?);
        }
        Ok(Workers { spawner: Arc::new(Spawner { handles, next: AtomicUsize::new(0), tasks }), threads, closing })
    }

    /// Uses the current runtime as the only worker; its tasks end when `closing` is cancelled.
    ///
    /// *Errors*: there is no current runtime.
    #[cfg(any(test, feature = "simulation"))]
    pub fn on_current_runtime(closing: CancellationToken) -> io::Result<Workers> {
        let handles = vec![Handle::try_current().map_err(io::Error::other)?];
        let spawner = Spawner { handles, next: AtomicUsize::new(0), tasks: TaskTracker::new() };
        Ok(Workers { spawner: Arc::new(spawner), threads: Vec::new(), closing })
    }

    pub fn spawner(&self) -> &Arc<Spawner> {
        &self.spawner
    }

    /// Waits until every task has ended.
    pub async fn wait_until_idle(&self) {
        self.spawner.tasks.close();
        self.spawner.tasks.wait().await;
    }
}

impl Spawner {
    /// Spawns a task on the next worker.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let index = self.next.fetch_add(1, Ordering::Relaxed) % self.handles.len();
        self.tasks.spawn_on(task, &self.handles[index]);
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.closing.cancel();
        self.spawner.tasks.close();
        for thread in self.threads.drain(..) {
            // The thread panics only if a task did, and the panic is already reported.
            let _ = thread.join();
        }
    }
}
