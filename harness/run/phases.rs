//! The phases of one run in a running environment: calibration, steady state, faults, recovery, audit.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::audit;
use super::listen_notify::Subscription;
use super::wire_observer::{Watching, WireObserver};
use super::workload::Workload;
use crate::client::{ClientFactory, DynClient, LaunchContext};
use crate::environment::Environment;
use crate::error::Error;
use crate::judge::{Facts, is_at_work, is_proved, is_subscribed_again, rates, recovered_at};
use crate::model::fault::Fault;
use crate::model::history::{Application, Capability, Event, FaultStep, Header, History, Outcome, Phase, Sessions};
use crate::nemesis::{Injection, Nemesis};
use crate::plan::Plan;
use crate::recorder::Recorder;

/// The maximum wait for the first success of every worker. A client that takes longer with a healthy server on the same
/// machine never reaches the steady state.
const STEADY_PATIENCE: Duration = Duration::from_secs(30);

/// The maximum wait for an application to become ready; applications start more slowly than clients.
const APPLICATION_PATIENCE: Duration = Duration::from_secs(60);

/// How long a session of an application may be idle in a transaction before the audit counts it as such.
const IDLE_APPLICATION: Duration = Duration::from_secs(1);

/// Interval at which a real run checks for the steady state, recovery and the end of the client.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(25);

/// How long a run waits, after recovery, for the rate of operations to reach the required share of the steady rate.
const RATE_PATIENCE: Duration = Duration::from_secs(6);

/// How long a run waits for a restarted client to prove that it stays up: one life that is too short, the supervisor's
/// longest pause, and another such life.
const PROOF_PATIENCE: Duration = Duration::from_secs(20);

/// How long a run waits for open operations and notifications when the workload ends.
const GRACE: Duration = Duration::from_secs(1);

/// How long the audit waits for sessions to end. A server notices a closed socket at once, unless it is busy.
const SESSIONS_PATIENCE: Duration = Duration::from_secs(3);

/// What the phases of a run need.
pub(crate) struct RunPhases<'a> {
    pub environment: &'a Environment,
    /// Makes the injection of a fault.
    pub injection: &'a (dyn Fn(&Fault) -> Box<dyn Injection> + Send + Sync),
    pub plan: &'a Plan,
    pub recorder: &'a Recorder,
    pub subscription: &'a Subscription,
    /// Observes an application that does its own work; `None`: the workload drives the client.
    pub observation: Option<&'a Arc<WireObserver>>,
    /// Interval at which the run checks for the steady state, recovery and the end of the client.
    pub look_every: Duration,
    /// Interval at which the audit counts the client's sessions until they have ended.
    pub count_every: Duration,
    /// The minimum time, from the start of the steady state, for which the client is observed.
    pub at_least: Duration,
}

impl RunPhases<'_> {
    /// Carries out all phases, and sends notifications to the subscription meanwhile.
    ///
    /// *Errors*: the calibration fails, an injection cannot be armed, the client cannot be launched, or the scenario
    /// does not fit it. Later problems are recorded as doubts.
    pub async fn run(&self, launch: &dyn ClientFactory, home: LaunchContext) -> Result<(), Error> {
        tokio::select! {
            biased;
            done = self.carry_out(launch, home) => done,
            never = self.subscription.send(self.environment) => match never {},
        }
    }

    async fn carry_out(&self, launch: &dyn ClientFactory, home: LaunchContext) -> Result<(), Error> {
        let RunPhases { environment, plan, recorder, .. } = self;
        recorder.phase(Phase::Calibrate);
        if let Some((direct, gateway)) = audit::calibrate(environment).await? {
            recorder.record(Event::Calibration { direct, gateway });
        }
        let mut nemesis = Nemesis::arm(self.injection, &plan.header.faults, *environment, (*recorder).clone())
            .await
            .map_err(Error::Nemesis)?;

        let stop = CancellationToken::new();
        if plan.header.precedes_client {
            // The fault comes first; its timeline continues while the client starts.
            let began = Instant::now();
            let faults = nemesis.run(*environment, began, &stop);
            let client = async {
                self.in_force().await;
                let driven = self.drive(launch, home).await?;
                self.pause(&driven, self.facts(|facts| facts.hit()).unwrap_or_default());
                Ok::<_, Error>(driven)
            };
            let ((), driven) = tokio::join!(faults, client);
            self.conclude(driven?, &mut nemesis).await;
        } else {
            let driven = self.drive(launch, home).await?;
            if self.steady(driven.client.as_ref()).await {
                let zero = recorder.phase(Phase::SteadyState);
                self.pause(&driven, zero);
                let start = recorder.instant(zero);
                let faults = nemesis.run(*environment, start, &stop);
                tokio::pin!(faults);
                tokio::select! {
                    biased;
                    () = &mut faults => {}
                    () = async {
                        self.count_steady_sessions(start).await;
                        self.until(|| self.note_client_gone(driven.client.as_ref())).await;
                    } => {
                        // No client is left: heal at once.
                        stop.cancel();
                        faults.await;
                    }
                }
            }
            self.conclude(driven, &mut nemesis).await;
        }
        Ok(())
    }

    /// Launches the client and starts its workload.
    ///
    /// *Errors*: the launch fails; the scenario does not fit the application, or needs a capability that the client
    /// lacks.
    async fn drive(&self, launch: &dyn ClientFactory, home: LaunchContext) -> Result<Driven, Error> {
        let header = &self.plan.header;
        let not_expressible = |reason| Error::NotExpressible { scenario: header.setup.scenario.clone(), reason };
        header
            .setup
            .application
            .as_ref()
            .map_or(Ok(()), |application| fits(application, header))
            .map_err(not_expressible)?;
        // Connections from now on are the application's.
        let watching = self.observation.map(WireObserver::begin);
        let client = launch.launch(&self.environment.address, home).await?;
        let facts = client.facts();
        let needed = Capability::needed(&header.load, &header.layout);
        if let Some(lacking) = needed.into_iter().find(|needed| !facts.can(*needed)) {
            client.close().await;
            let reason = format!("the client does not {lacking}: it has no capability {:?}", lacking.word());
            return Err(not_expressible(reason));
        }
        if header.load.listen {
            self.subscription.begin(Arc::clone(&client));
        }
        self.recorder.record(Event::Client(facts));
        let work = match watching {
            Some(watching) => Work::Seen(watching),
            None => {
                let recorder = self.recorder.clone();
                Work::Asked(Workload::start(Arc::clone(&client), header.load, header.setup.seed, recorder))
            }
        };
        Ok(Driven { work, client })
    }

    /// Schedules the pause of the workload, if the plan has one; its times count from `zero`.
    fn pause(&self, driven: &Driven, zero: Duration) {
        let Some(pause) = self.plan.header.load.pause else { return };
        match &driven.work {
            Work::Asked(workload) => workload.pause(zero, pause),
            Work::Seen(watching) => {
                let from = self.recorder.instant(zero + pause.at);
                watching.pause(Arc::clone(&driven.client), from, from + pause.lasts);
            }
        }
        self.subscription.pause(zero, pause);
    }

    /// Observes the recovery, if a fault was injected, then ends the workload and audits.
    async fn conclude(&self, driven: Driven, nemesis: &mut Nemesis) {
        let Driven { work, client } = driven;
        if self.facts(|facts| facts.hit().is_some()) {
            self.recorder.phase(Phase::Observe);
            self.observe(client.as_ref()).await;
        }
        // The workload starts no operation from here on; the phase tells the judge not to take that for slowness.
        self.recorder.phase(Phase::Audit);
        let finish = async {
            match work {
                Work::Asked(workload) => workload.finish(GRACE).await,
                Work::Seen(watching) => watching.end(),
            }
        };
        tokio::join!(finish, self.subscription.finish(GRACE));
        if let Err(error) = self.audit(client.as_ref(), nemesis).await {
            self.recorder.doubt(format!("the audit failed: {error}"));
        }
    }

    /// Waits until every worker has succeeded once, and a client that listens has received a notification; or until an
    /// application is ready and at work. Returns whether this happened in time. Returns early if the client has exited.
    async fn steady(&self, client: &dyn DynClient) -> bool {
        let all_succeeded = |facts: &Facts| {
            let succeeded = |worker| facts.ops.iter().any(|op| op.worker == worker && op.outcome == Outcome::Ok);
            (0..facts.workers()).all(succeeded) && facts.is_listening()
        };
        let works_well = |facts: &Facts| match self.observation {
            Some(_) => client.unready().is_none() && is_at_work(facts),
            None => all_succeeded(facts),
        };
        let mut ready = false;
        let settled = self.until(|| {
            ready = self.facts(works_well);
            ready || self.note_client_gone(client)
        });
        let patience = if self.observation.is_some() { APPLICATION_PATIENCE } else { STEADY_PATIENCE };
        let steady = timeout(patience, settled).await.is_ok() && ready;
        if let Some(reason) = client.unready().filter(|_| !steady) {
            self.recorder.doubt(format!("the application was not ready: {reason}"));
        }
        steady
    }

    /// Counts the client's sessions before the first fault.
    async fn count_steady_sessions(&self, start: Instant) {
        let onset = start + self.plan.header.faults.first().map_or(Duration::ZERO, |fault| fault.at);
        match audit::steady_sessions(self.environment, self.idle(), onset).await {
            Ok(sessions) => self.recorder.record(Event::SteadySessions(sessions)),
            Err(error) => self.recorder.doubt(format!("the client's sessions could not be counted: {error}")),
        }
    }

    /// How long a session must be idle in a transaction to be counted as such. The workload has ended by then; an
    /// application continues, and its sessions are often between two statements of a transaction.
    fn idle(&self) -> Duration {
        if self.observation.is_some() { IDLE_APPLICATION } else { Duration::ZERO }
    }

    /// Waits until a fault is in force, or has failed.
    async fn in_force(&self) {
        let settled =
            |event: &Event| matches!(event, Event::Fault { step: FaultStep::InForce | FaultStep::Failed { .. }, .. });
        // Not `look_every`, which is longer in a simulation: the client would start later than in a real run.
        while !self.recorder.look(|history| history.events.iter().any(settled)) {
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether the client has exited by itself; records that the first time.
    fn note_client_gone(&self, client: &dyn DynClient) -> bool {
        // Searches the events, because gathering facts of all of them costs far more.
        let noted = |event: &Event| matches!(event, Event::ClientEnded { .. });
        if self.recorder.look(|history| history.events.iter().any(noted)) {
            return true;
        }
        let ended = client.ended();
        let gone = ended.is_some();
        if let Some(how) = ended {
            self.recorder.record_now(|at| Event::ClientEnded { at, how });
        }
        gone
    }

    /// Observes until the client has recovered and settled, or has used up its budget.
    async fn observe(&self, client: &dyn DynClient) {
        let budget = &self.plan.header.budget;
        let Some(starts) = self.facts(|facts| facts.recovery_starts()) else { return };
        // A recovery at the end of the budget needs its stability window, and then an answer to every worker.
        let deadline = self.recorder.instant(starts + budget.time_to_recover + 2 * budget.stability);
        // Gathering facts is expensive, and cannot show a recovery before one window has passed.
        let earliest = self.recorder.instant(starts + budget.stability);
        let is_back = |facts: &Facts| recovered_at(facts).is_some() && is_subscribed_again(facts);
        let recovered =
            self.until(|| (Instant::now() >= earliest && self.facts(is_back)) || self.note_client_gone(client));
        if timeout_at(deadline, recovered).await.is_err() {
            return;
        }
        self.recorder.phase(Phase::Settle);
        let at_speed = self.until(|| {
            let rates = self.facts(rates);
            rates.is_none_or(|(steady, settled)| settled >= budget.throughput * steady) || self.note_client_gone(client)
        });
        // If the rate stays low, the judge reports it.
        let _ = timeout(RATE_PATIENCE, at_speed).await;
        // Only a supervised client may have been restarted.
        if self.plan.header.setup.supervised {
            let proved = self.until(|| self.facts(is_proved) || self.note_client_gone(client));
            let _ = timeout(PROOF_PATIENCE, proved).await;
        }
        if let Some(since) = self.facts(|facts| facts.steady_since) {
            let watched = self.until(|| self.note_client_gone(client));
            let _ = timeout_at(self.recorder.instant(since + self.at_least), watched).await;
        }
    }

    /// Records the client's sessions, ends the client, then records the ledgers, the evidence and the servers' errors.
    ///
    /// *Errors*: a server does not answer, or the path to it cannot be cleared.
    async fn audit(&self, client: &dyn DynClient, nemesis: &mut Nemesis) -> Result<(), Error> {
        let RunPhases { environment, recorder, count_every, .. } = *self;
        self.note_client_gone(client);
        let allowed = self.facts(|facts| facts.steady.map_or(0, |sessions| sessions.open).max(facts.slots()));
        let few = move |sessions: Sessions| sessions.open <= allowed && sessions.idle_in_transaction == 0;
        let settled = audit::settled_sessions(environment, few, SESSIONS_PATIENCE, self.idle(), count_every).await;
        // Recorded before the client closes, because the judge compares the count with the connections open then.
        let settled = settled.map(|sessions| recorder.record(Event::SettledSessions(sessions)));
        self.subscription.end();
        client.close().await;
        settled?;
        audit::wait_quiescent(environment, SESSIONS_PATIENCE, count_every).await?;
        let (beside, runs) = audit::ledgers(environment).await?;
        if let Some(runs) = beside {
            recorder.record(Event::LedgerBeside { runs });
        }
        recorder.record(Event::Ledger { runs });
        nemesis.record_evidence(environment).await;
        if let Ok(errors) = audit::errors(environment).await {
            recorder.record(Event::ServerErrors(errors));
        }
        Ok(())
    }

    /// Polls a condition every `look_every` until it holds.
    async fn until(&self, mut is_so: impl FnMut() -> bool) {
        while !is_so() {
            sleep(self.look_every).await;
        }
    }

    fn facts<T>(&self, look: impl FnOnce(&Facts) -> T) -> T {
        let now = self.recorder.now();
        self.recorder.look(|history: &History| {
            let mut facts = Facts::gather(history);
            facts.until = facts.until.max(now);
            look(&facts)
        })
    }
}

/// A client and its work. Fields are dropped in this order: first the workload stops, then the client ends.
struct Driven {
    work: Work,
    client: Arc<dyn DynClient>,
}

/// The work of a client: the workload drives it, or it works by itself and is observed.
enum Work {
    Asked(Workload),
    Seen(Watching),
}

/// Checks that a scenario can be run with an application that does its own work.
///
/// *Errors*: the reason why it cannot.
fn fits(application: &Application, header: &Header) -> Result<(), String> {
    if header.layout.tls.is_some() {
        return Err("TLS would hide from the gateway what the application asks for".into());
    }
    if header.load.has_waiters() {
        return Err(
            "it needs more callers than connections, and how many an application has of either is its own".into()
        );
    }
    if header.load.pause.is_some() && application.load.is_none() {
        return Err(
            "it needs the application to be idle for a while: give it its work by --load, which can pause".into()
        );
    }
    Ok(())
}
