//! A client whose strategy is to exit, under a supervisor: whenever its process has exited, it is launched again, as
//! systemd and Kubernetes do.
//!
//! Owns when that happens, and what is told meanwhile; what a process is, the kind of client below knows. A client that
//! broke its protocol is not restarted, for nothing that it says can be trusted, and neither is one that could not be
//! launched in the first place.

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
use crate::environment::support::Placements;
use crate::model::history::{Application, ClientFacts, Ended, ErrorKind, Event, OpError, SupervisionStep};
use crate::recorder::Recorder;

/// From an exit to the next launch. systemd waits 100 ms unless it is told otherwise, and units mostly say a second or
/// more; Kubernetes does not wait the first time, and ten seconds the next.
const PAUSE: Duration = Duration::from_secs(1);

/// Each pause is twice the one before, up to this: Kubernetes goes on to five minutes, which no budget would outlast.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// After a life of this length the next pause is a short one again. systemd counts starts over ten seconds.
const LONG_LIFE: Duration = Duration::from_secs(10);

/// How often it is looked whether a process has exited: little beside any pause.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A client of any kind that is a process, launched again when that exits.
pub(crate) struct Supervised {
    launch: Arc<dyn ClientFactory>,
    recorder: Recorder,
}

impl Supervised {
    pub fn new(launch: Arc<dyn ClientFactory>, recorder: Recorder) -> Supervised {
        Supervised { launch, recorder }
    }

    /// Where a client can live while it is supervised: in a process alone.
    ///
    /// *Errors*: why it cannot be supervised, in words that can stand in a report.
    pub fn abodes(launch: &dyn ClientFactory) -> Result<Placements, String> {
        match launch.abodes().process {
            true => Ok(Placements { in_process: false, process: true }),
            false => Err("a client in this process cannot be launched again, and so not be supervised".into()),
        }
    }
}

#[async_trait]
impl ClientFactory for Supervised {
    fn name(&self) -> String {
        self.launch.name()
    }

    fn abodes(&self) -> Placements {
        Placements { in_process: false, ..self.launch.abodes() }
    }

    async fn prepare(&self) -> Result<(), ClientError> {
        self.launch.prepare().await
    }

    fn application(&self) -> Option<Application> {
        self.launch.application()
    }

    async fn launch(&self, address: &Address, home: LaunchContext) -> Result<Arc<dyn DynClient>, ClientError> {
        let home = LaunchContext { in_process: false, ..home };
        let first = self.launch.launch(address, home.clone()).await?;
        let (launch, recorder, idle) = (Arc::clone(&self.launch), self.recorder.clone(), Arc::default());
        Ok(Arc::new(SupervisedClient::begin(
            first,
            Launcher { launch, address: address.clone(), home, recorder, idle },
        )))
    }
}

/// A supervised client. Dropping it ends whatever there is of it, a launch under way included.
struct SupervisedClient {
    /// Those of its first process.
    facts: ClientFacts,
    /// Its process; `None` while there is none.
    present: Present,
    /// Whether whatever is there is to be idle.
    idle: Arc<AtomicBool>,
    closing: CancellationToken,
    /// Cancelled once nothing is launched any more.
    over: CancellationToken,
    _supervisor: AbortOnDropHandle<()>,
}

type Present = watch::Receiver<Option<Arc<dyn DynClient>>>;

impl SupervisedClient {
    fn begin(first: Arc<dyn DynClient>, launcher: Launcher) -> SupervisedClient {
        let (facts, idle) = (first.facts(), Arc::clone(&launcher.idle));
        let (tell, present) = watch::channel(Some(Arc::clone(&first)));
        let (closing, over) = (CancellationToken::new(), CancellationToken::new());
        let (stop, guard) = (closing.clone(), over.clone().drop_guard());
        let supervisor = tokio::spawn(async move {
            let _guard = guard;
            tokio::select! {
                // What is being launched is dropped, and killed by that.
                () = stop.cancelled() => {}
                () = launcher.watch_over(first, tell) => {}
            }
        });
        SupervisedClient { facts, present, idle, closing, over, _supervisor: AbortOnDropHandle::new(supervisor) }
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
        match self.present().filter(|client| exit_of(client.as_ref()).is_none()) {
            Some(client) => client.perform(call).await,
            None => Err(OpError::new(ErrorKind::Closed, "the client's process has exited, and is being restarted")),
        }
    }

    async fn listen(&self, news: Notifications) -> Result<(), OpError> {
        let mut present = self.present.clone();
        let mut has_listened = false;
        loop {
            let is_there =
                |client: &Option<Arc<dyn DynClient>>| client.as_ref().is_some_and(|c| exit_of(c.as_ref()).is_none());
            let client = present.wait_for(is_there).await.ok().and_then(|client| client.clone());
            // Nothing is launched any more.
            let Some(client) = client else { return Ok(()) };
            if has_listened {
                // Whatever was sent while no process was there is lost.
                news.gap();
            }
            has_listened = true;
            let ended = client.listen(news.clone()).await;
            if exit_of(client.as_ref()).is_none() {
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
        self.over.cancelled().await;
        if let Some(client) = self.present() {
            client.close().await;
        }
    }

    fn exit_status(&self) -> Option<Ended> {
        self.present()?.exit_status()
    }
}

/// What it takes to launch a client again.
struct Launcher {
    launch: Arc<dyn ClientFactory>,
    address: Address,
    home: LaunchContext,
    recorder: Recorder,
    idle: Arc<AtomicBool>,
}

impl Launcher {
    /// Launches it again whenever it has exited; ends once it has broken its protocol.
    async fn watch_over(self, first: Arc<dyn DynClient>, tell: watch::Sender<Option<Arc<dyn DynClient>>>) {
        let (mut client, mut since, mut pause) = (first, Instant::now(), PAUSE);
        while let Some((status, stderr)) = exit(client.as_ref()).await {
            let lived = since.elapsed();
            self.record(SupervisionStep::Exited { status, stderr, lived });
            tell.send_replace(None);
            drop(client);
            if lived >= LONG_LIFE {
                pause = PAUSE;
            }
            client = self.launch_again(&mut pause).await;
            since = Instant::now();
            tell.send_replace(Some(Arc::clone(&client)));
            // Only now: whoever has it pause from here on finds it there.
            client.pause(self.idle.load(Ordering::Acquire));
        }
    }

    /// Launches it until it comes up.
    async fn launch_again(&self, pause: &mut Duration) -> Arc<dyn DynClient> {
        loop {
            sleep(*pause).await;
            *pause = (2 * *pause).min(LONGEST_PAUSE);
            let began = Instant::now();
            match self.launch.launch(&self.address, self.home.clone()).await {
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

/// Waits until a client's process exits: its status, and the end of its stderr; `None` if it went in another way.
async fn exit(client: &dyn DynClient) -> Option<(String, String)> {
    while client.ended().is_none() {
        sleep(LOOK_EVERY).await;
    }
    exit_of(client)
}

/// How a client's process exited, if it has.
fn exit_of(client: &dyn DynClient) -> Option<(String, String)> {
    match client.ended() {
        Some(Ended::Exited { status, stderr }) => Some((status, stderr)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
