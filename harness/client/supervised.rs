//! Supervises a client whose strategy is to exit: launches the client again whenever its process has exited, as systemd
//! and Kubernetes do.
//!
//! Owns the restart policy, and the answers while no process runs; the wrapped factory owns the process. A client that
//! broke its protocol is not restarted, because its answers cannot be trusted.
//!
//! The first launch must work: a client that cannot start is an error. A later launch that fails is recorded and
//! repeated after the next pause. Exiting is a legitimate strategy, and its cost is in the time-to-recover. The judge
//! fails only a loop: more than one exit that no fault explains (after recovery, or of a process launched after the
//! heal). The run therefore waits until the last process has lived for five seconds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{Call, ClientError, ClientFactory, DynClient, LaunchContext, Notifications};
use crate::credentials::address::Address;
use crate::model::history::{Application, ClientFacts, Ended, ErrorKind, Event, OpError, SupervisionStep};
use crate::model::plane::Placements;
use crate::recorder::Recorder;

/// The first pause from an exit to the next launch. systemd's default is 100 ms, but units mostly configure a second or
/// more; Kubernetes restarts at once the first time, and after ten seconds the second time.
const PAUSE: Duration = Duration::from_secs(1);

/// The maximum pause: each is twice as long as the one before, up to this. The maximum of Kubernetes is five minutes,
/// longer than the budget of any built-in scenario.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// After this uptime of a process the next pause is [`PAUSE`] again. systemd limits the number of starts within ten
/// seconds.
const STABLE_UPTIME: Duration = Duration::from_secs(10);

/// How often the supervisor checks for an exit: short compared to any pause.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A factory of supervised clients: wraps the factory of any client that is a process.
pub(crate) struct Supervised {
    launch: Arc<dyn ClientFactory>,
    recorder: Recorder,
}

impl Supervised {
    pub fn new(launch: Arc<dyn ClientFactory>, recorder: Recorder) -> Supervised {
        Supervised { launch, recorder }
    }

    /// Where a supervised client can run: only in a process of its own.
    ///
    /// *Errors*: why it cannot be supervised, for the report.
    pub fn placements(launch: &dyn ClientFactory) -> Result<Placements, String> {
        match launch.placements().process {
            true => Ok(Placements { in_process: false, process: true }),
            false => Err("cannot supervise a client in this process: only a client in a process of its own can be launched again".into()),
        }
    }
}

#[async_trait]
impl ClientFactory for Supervised {
    fn name(&self) -> String {
        self.launch.name()
    }

    fn placements(&self) -> Placements {
        Placements { in_process: false, ..self.launch.placements() }
    }

    async fn prepare(&self) -> Result<(), ClientError> {
        self.launch.prepare().await
    }

    fn application(&self) -> Option<Application> {
        self.launch.application()
    }

    async fn launch(&self, address: &Address, context: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        let context = LaunchContext { in_process: false, ..context };
        let first = self.launch.launch(address, context.clone()).await?;
        let (launch, recorder, idle) = (Arc::clone(&self.launch), self.recorder.clone(), Arc::default());
        Ok(Arc::new(SupervisedClient::start(
            first,
            Launcher { launch, address: address.clone(), context, recorder, idle },
        )))
    }
}

/// A supervised client. Dropping it ends its process, and a launch in progress.
struct SupervisedClient {
    /// The facts of its first process.
    facts: ClientFacts,
    /// The client in the present process; `None` while no process runs.
    present: Present,
    /// Whether the client's load is paused.
    idle: Arc<AtomicBool>,
    closing: CancellationToken,
    /// Cancelled once the supervisor launches no more processes.
    finished: CancellationToken,
    _supervisor: AbortOnDropHandle<()>,
}

type Present = watch::Receiver<Option<Arc<dyn DynClient>>>;

impl SupervisedClient {
    fn start(first: Arc<dyn DynClient>, launcher: Launcher) -> SupervisedClient {
        let (facts, idle) = (first.facts(), Arc::clone(&launcher.idle));
        let (publish, present) = watch::channel(Some(Arc::clone(&first)));
        let (closing, finished) = (CancellationToken::new(), CancellationToken::new());
        let (stop, guard) = (closing.clone(), finished.clone().drop_guard());
        let supervisor = tokio::spawn(async move {
            let _guard = guard;
            tokio::select! {
                // A launch in progress is dropped, which kills its process.
                () = stop.cancelled() => {}
                () = launcher.supervise(first, publish) => {}
            }
        });
        SupervisedClient { facts, present, idle, closing, finished, _supervisor: AbortOnDropHandle::new(supervisor) }
    }

    fn present(&self) -> Option<Arc<dyn DynClient>> {
        self.present.borrow().clone()
    }
}

#[async_trait]
impl DynClient for SupervisedClient {
    fn facts(&self) -> ClientFacts {
        self.facts.clone()
    }

    async fn perform(&self, call: Call) -> Result<Option<bool>, OpError> {
        match self.present().filter(|client| exited(client.as_ref()).is_none()) {
            Some(client) => client.perform(call).await,
            None => Err(OpError::new(ErrorKind::Closed, "the client's process has exited and is being restarted")),
        }
    }

    async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        let mut present = self.present.clone();
        let mut has_listened = false;
        loop {
            let is_there =
                |client: &Option<Arc<dyn DynClient>>| client.as_ref().is_some_and(|c| exited(c.as_ref()).is_none());
            let client = present.wait_for(is_there).await.ok().and_then(|client| client.clone());
            // `None`: the supervisor has ended, and launches no more processes.
            let Some(client) = client else { return Ok(()) };
            if has_listened {
                // Notifications sent while no process ran are lost.
                news.gap();
            }
            has_listened = true;
            let ended = client.listen(news.clone()).await;
            if exited(client.as_ref()).is_none() {
                return ended;
            }
        }
    }

    fn ended(&self) -> Option<Ended> {
        self.present()?.ended().filter(|how| !matches!(how, Ended::Exited { .. }))
    }

    fn pause(&self, idle: bool) {
        self.idle.store(idle, Ordering::Release);
        if let Some(client) = self.present() {
            client.pause(idle);
        }
    }

    fn unready(&self) -> Option<String> {
        self.present()?.unready()
    }

    async fn close(&self) {
        self.closing.cancel();
        self.finished.cancelled().await;
        if let Some(client) = self.present() {
            client.close().await;
        }
    }

    fn exit_status(&self) -> Option<Ended> {
        self.present()?.exit_status()
    }
}

/// Launches the client again.
struct Launcher {
    launch: Arc<dyn ClientFactory>,
    address: Address,
    context: LaunchContext,
    recorder: Recorder,
    idle: Arc<AtomicBool>,
}

impl Launcher {
    /// Launches the client again whenever it has exited; returns once it has broken its protocol.
    async fn supervise(self, first: Arc<dyn DynClient>, publish: watch::Sender<Option<Arc<dyn DynClient>>>) {
        let (mut client, mut since, mut pause) = (first, Instant::now(), PAUSE);
        while let Some((status, stderr)) = wait_for_exit(client.as_ref()).await {
            let lived = since.elapsed();
            self.record(SupervisionStep::Exited { status, stderr, lived });
            publish.send_replace(None);
            drop(client);
            if lived >= STABLE_UPTIME {
                pause = PAUSE;
            }
            client = self.relaunch(&mut pause).await;
            since = Instant::now();
            publish.send_replace(Some(Arc::clone(&client)));
            // After publishing: a later `pause` reaches this client directly.
            client.pause(self.idle.load(Ordering::Acquire));
        }
    }

    /// Waits for `pause` and launches the client, until a launch succeeds. Doubles `pause` each time, up to
    /// [`LONGEST_PAUSE`].
    async fn relaunch(&self, pause: &mut Duration) -> Arc<dyn DynClient> {
        loop {
            sleep(*pause).await;
            *pause = (2 * *pause).min(LONGEST_PAUSE);
            let began = Instant::now();
            match self.launch.launch(&self.address, self.context.clone()).await {
                Ok(client) => {
                    self.record(SupervisionStep::Restarted { took: began.elapsed() });
                    return client;
                }
                Err(error) => self.record(SupervisionStep::Failed { reason: error.to_string() }),
            }
        }
    }

    fn record(&self, step: SupervisionStep) {
        self.recorder.record_now(|at| Event::Supervision { at, step });
    }
}

/// Waits until a client ends. Returns the exit status and the end of stderr of its process; `None` if the client did
/// not exit but ended in another way.
async fn wait_for_exit(client: &dyn DynClient) -> Option<(String, String)> {
    while client.ended().is_none() {
        sleep(POLL_INTERVAL).await;
    }
    exited(client)
}

/// The status and stderr of a client's process, if it has exited.
fn exited(client: &dyn DynClient) -> Option<(String, String)> {
    match client.ended() {
        Some(Ended::Exited { status, stderr }) => Some((status, stderr)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
