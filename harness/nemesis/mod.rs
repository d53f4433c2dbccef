//! The nemesis: injects each fault of a plan, heals it, and reads its evidence. One file for each family of faults.
//!
//! A fault is written once, over the traits of a server (`server/control`) and the gateway, and works alike if these
//! are simulated. Every fault is healed once its injection was attempted, even if that failed or the run is stopped
//! early. If the run is dropped, its environment is removed instead.

#[cfg(feature = "tls")]
mod certificate;
mod crash;
mod credentials;
mod disk;
mod expiry;
mod failover;
mod firewall;
mod herd;
mod memory;
mod middlebox;
mod network;
mod packets;
mod recovery;
mod restart;
mod sessions;
mod sign_in;
mod smart;
mod throttle;
mod wrong_host;

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use self::network::{BlockMode, BlockNewConnections, Cutting, RuleFault};
use crate::environment::{Environment, EnvironmentError};
use crate::gateway::{Cut, DropState, Expiry, Gateway, RuleKind};
use crate::model::fault::{Fault, FaultKind, StopMode};
use crate::model::history::{Event, Evidence, FaultStep};
use crate::netns::KernelError;
use crate::recorder::Recorder;
use crate::server::control::Denial;
use crate::server::{LogLine, ServerError};

/// Why a fault could not be injected, healed, or its evidence read.
#[derive(Debug, thiserror::Error)]
pub enum NemesisError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    #[error("the kernel plane: {0}")]
    Kernel(#[from] KernelError),
    #[error("the gateway: {0}")]
    Gateway(#[from] io::Error),
    #[error("{0}")]
    NotInForce(String),
}

/// The part of an environment that faults of the path need.
pub(crate) trait HasGateway: Sync {
    /// Returns the gateway at the client's first address.
    fn gateway(&self) -> &Gateway;
}

impl HasGateway for Environment {
    fn gateway(&self) -> &Gateway {
        &self.gateway
    }
}

/// How one fault is carried out in an environment of type `E`.
#[async_trait]
pub(crate) trait Injection<E: ?Sized + Sync = Environment>: Send {
    /// Prepares what takes time or must be in place before the client starts. Not undone if the fault is never
    /// injected.
    async fn arm(&mut self, _environment: &E) -> Result<(), NemesisError> {
        Ok(())
    }

    /// Waits, once the fault's time has come, for a moment that cannot be brought forward, such as the expiry of a
    /// certificate. The fault counts as injected only afterwards.
    async fn approach(&mut self, _environment: &E) {}

    /// Injects the fault; returns once it is in force.
    async fn inject(&mut self, environment: &E) -> Result<(), NemesisError>;

    /// Work while the fault is in force. Dropped when the fault is to be healed; if it returns earlier, the fault is
    /// healed at once.
    async fn go_on(&mut self, _environment: &E) {
        std::future::pending().await
    }

    /// Heals the fault; returns once that is in effect. Lasting effects stay: connections without their other side, a
    /// dead address. By default there is nothing to heal.
    async fn heal(&mut self, _environment: &E) -> Result<(), NemesisError> {
        Ok(())
    }

    /// Returns counts that show whether the fault affected the client. Read once in a run, after the workload.
    async fn evidence(&mut self, environment: &E) -> Result<Vec<Evidence>, NemesisError>;
}

/// The faults of one run, ready to be carried out.
pub(crate) struct Nemesis<E: ?Sized = Environment> {
    faults: Vec<(Fault, Box<dyn Injection<E>>)>,
    recorder: Recorder,
}

impl<E: ?Sized + Sync> Nemesis<E> {
    /// Arms every fault with the injection that `injection` returns for it.
    ///
    /// *Errors*: a fault cannot be armed.
    pub async fn arm(
        injection: impl Fn(&Fault) -> Box<dyn Injection<E>>,
        faults: &[Fault],
        environment: &E,
        recorder: Recorder,
    ) -> Result<Nemesis<E>, NemesisError> {
        let mut armed = Vec::new();
        for fault in faults {
            let mut injection = injection(fault);
            injection.arm(environment).await?;
            armed.push((*fault, injection));
        }
        Ok(Nemesis { faults: armed, recorder })
    }

    /// Carries out the timeline, which begins at `start`; returns once every fault is healed. `stop` ends it early.
    /// Failures are recorded as steps of their fault.
    pub async fn run(&mut self, environment: &E, start: Instant, stop: &CancellationToken) {
        let recorder = &self.recorder;
        join_all(self.faults.iter_mut().enumerate().map(|(index, (fault, injection))| {
            let record = move |step| {
                recorder.record_now(|at| Event::Fault { at, fault: index, step });
            };
            carry_out(fault, injection.as_mut(), environment, start, stop, record)
        }))
        .await;
    }

    /// Records the evidence of every fault. Evidence that cannot be read is recorded as a doubt.
    pub async fn record_evidence(&mut self, environment: &E) {
        for (index, (fault, injection)) in self.faults.iter_mut().enumerate() {
            match injection.evidence(environment).await {
                Ok(found) => {
                    found.into_iter().for_each(|found| self.recorder.record(Event::Evidence { fault: index, found }));
                }
                Err(error) => self.recorder.doubt(format!("the evidence of {} cannot be read: {error}", fault.kind)),
            }
        }
    }
}

async fn carry_out<E: ?Sized + Sync>(
    fault: &Fault,
    injection: &mut dyn Injection<E>,
    environment: &E,
    start: Instant,
    stop: &CancellationToken,
    record: impl Fn(FaultStep),
) {
    tokio::select! {
        biased;
        () = stop.cancelled() => return,
        () = sleep_until(start + fault.at) => {}
    }
    tokio::select! {
        biased;
        () = stop.cancelled() => return,
        () = injection.approach(environment) => {}
    }
    record(FaultStep::Injecting);
    match injection.inject(environment).await {
        Ok(()) => record(FaultStep::InForce),
        Err(error) => record(FaultStep::Failed { reason: format!("{} could not be injected: {error}", fault.kind) }),
    }
    if fault.lasts > Duration::ZERO {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = sleep(fault.lasts) => {}
            () = injection.go_on(environment) => {}
        }
    }
    // Also after a failed injection, which may have been done in part.
    if !fault.kind.is_instant() {
        record(FaultStep::Healing);
    }
    match injection.heal(environment).await {
        Ok(()) => record(FaultStep::Healed),
        Err(error) => record(FaultStep::Failed { reason: format!("{} could not be healed: {error}", fault.kind) }),
    }
}

/// Returns how a fault is carried out. On the kernel plane, packet filters replace the gateway where they are closer
/// to the real fault.
pub(crate) fn injection(fault: &Fault, on_kernel: bool) -> Box<dyn Injection> {
    let kind = fault.kind;
    let name = kind.to_string();
    match kind {
        FaultKind::Close => Box::new(Cutting::new(Cut::Close, None)),
        FaultKind::Reset => Box::new(Cutting::new(Cut::Reset, None)),
        FaultKind::CloseRepeatedly { every } => Box::new(Cutting::new(Cut::Close, Some(every))),
        FaultKind::ResetRepeatedly { every } => Box::new(Cutting::new(Cut::Reset, Some(every))),
        FaultKind::HalfOpen if on_kernel => Box::<packets::HalfOpening>::default(),
        FaultKind::HalfOpen => Box::new(RuleFault::new(name, RuleKind::DropState(DropState::ServerSide))),
        FaultKind::CutPoint(cut) => Box::new(RuleFault::new(name, RuleKind::CutPoint(cut))),
        FaultKind::Toxic(toxic) if on_kernel && toxic.kills_flows() => {
            Box::new(packets::Filtering::of_first(packets::rules(kind)))
        }
        FaultKind::Toxic(toxic) => Box::new(RuleFault::new(name, RuleKind::Toxic(toxic))),
        FaultKind::Refuse => Box::new(BlockNewConnections::new(BlockMode::Refuse)),
        FaultKind::Hang if on_kernel => Box::new(packets::Filtering::of_first(packets::rules(kind)).then_reset()),
        FaultKind::Reject if on_kernel => Box::new(packets::Filtering::of_first(packets::rules(kind))),
        FaultKind::Hang => Box::new(BlockNewConnections::new(BlockMode::Hang)),
        FaultKind::Reject => Box::new(BlockNewConnections::new(BlockMode::Reject)),
        // network/, firewall/: packets
        FaultKind::Blackhole { .. } | FaultKind::PacketLoss(_) | FaultKind::RejectIcmp(_) => {
            Box::new(packets::Filtering::new(packets::rules(kind)))
        }
        FaultKind::Name(fault) => packets::naming(fault),
        FaultKind::IdleDrop { after } => Box::new(packets::ForgettingIdle::new(after, packets::Style::Silent)),
        FaultKind::IdleReset { after } if on_kernel => {
            Box::new(packets::ForgettingIdle::new(after, packets::Style::Reset))
        }
        // By the gateway on every plane: a real device that closes idle connections (nginx, Envoy, RDS Proxy) is a
        // program that ends TCP as the gateway does. It counts bytes; keepalive probes do not reach it, although they
        // would keep a connection in the filter's table alive.
        FaultKind::IdleClose { after } => Box::new(RuleFault::idle(name, after, Expiry::Cut(Cut::Close))),
        FaultKind::IdleReset { after } => Box::new(RuleFault::idle(name, after, Expiry::DropState)),
        FaultKind::IdleExpiry => Box::<middlebox::IdleExpiry>::default(),
        FaultKind::MiddleboxRestart => Box::<middlebox::Restarting>::default(),
        FaultKind::Restart(StopMode::Smart) => Box::<smart::SmartRestart>::default(),
        FaultKind::Restart(mode) => Box::new(restart::Restarting::new(restart::End::Stop(mode))),
        FaultKind::Kill => Box::new(restart::Restarting::new(restart::End::Kill)),
        FaultKind::Freeze => Box::<restart::Freezing>::default(),
        FaultKind::TerminateSessions => Box::<sessions::Terminating>::default(),
        FaultKind::ExhaustConnections => Box::new(sessions::Exhausting::new(true)),
        FaultKind::WrongPassword => Box::<credentials::WrongPassword>::default(),
        FaultKind::LongRecovery => Box::<recovery::LongRecovery>::default(),
        // restart/, limits/
        FaultKind::CrashBackend => Box::<crash::CrashingBackend>::default(),
        FaultKind::ExhaustOrdinaryConnections => Box::new(sessions::Exhausting::new(false)),
        FaultKind::LimitRole => Box::<sessions::LimitingRole>::default(),
        FaultKind::Herd => Box::<herd::ThunderingHerd>::default(),
        FaultKind::ExhaustMemory => Box::<memory::ExhaustingMemory>::default(),
        FaultKind::FillDisk => Box::<disk::FillingDisk>::default(),
        FaultKind::Throttle(share) => Box::new(throttle::Throttling::new(share)),
        // sign-in/, firewall/
        FaultKind::WrongUser => Box::new(sign_in::Denying::new(Denial::Role)),
        FaultKind::WrongDatabase => Box::new(sign_in::Denying::new(Denial::Database)),
        FaultKind::WrongHost => Box::<wrong_host::WrongHost>::default(),
        FaultKind::RotatePassword => Box::<credentials::RotatingPassword>::default(),
        FaultKind::ForbidLogin => Box::new(sign_in::Denying::new(Denial::Login)),
        FaultKind::RevokeConnect => Box::new(sign_in::Denying::new(Denial::Connect)),
        FaultKind::DenyHost => Box::<firewall::DenyingHost>::default(),
        FaultKind::DenyRange => Box::<firewall::DenyingRange>::default(),
        FaultKind::RequireTls => Box::<sign_in::RequireTls>::default(),
        // certificate/
        #[cfg(feature = "tls")]
        FaultKind::Certificate(kind) => certificate::injection(kind, fault),
        #[cfg(not(feature = "tls"))]
        FaultKind::Certificate(_) => Box::new(WithoutTls),
        // failover/
        FaultKind::Failover(failover) => failover::injection(failover),
        // idle/
        FaultKind::ServerTimeout { timeout, after } => Box::new(expiry::TimingOut::new(timeout, after)),
    }
}

/// A fault that this build cannot carry out; `expressible` rejects it before a run begins.
#[cfg(not(feature = "tls"))]
struct WithoutTls;

#[cfg(not(feature = "tls"))]
#[async_trait]
impl Injection for WithoutTls {
    async fn inject(&mut self, _environment: &Environment) -> Result<(), NemesisError> {
        Err(NemesisError::NotInForce("this build speaks no TLS".into()))
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        Ok(Vec::new())
    }
}

/// Returns evidence that proves that the fault affected the client.
pub(crate) fn decisive(what: &str, count: usize) -> Evidence {
    Evidence { what: what.to_owned(), count: count as u64, decisive: true }
}

/// Returns evidence that something was done, but not that it affected this client.
pub(crate) fn supporting(what: &str, count: usize) -> Evidence {
    Evidence { what: what.to_owned(), count: count as u64, decisive: false }
}

/// Time limit for an action on a server to appear in its log. It takes a few milliseconds on a quiet machine.
const LOGGED_WITHIN: Duration = Duration::from_secs(10);

/// The lines that the servers have logged since one moment.
#[derive(Default)]
struct LogWatch {
    /// Number of lines of each server at that moment.
    before: Vec<usize>,
}

impl LogWatch {
    /// Starts watching now.
    async fn watch(&mut self, environment: &Environment) -> Result<(), ServerError> {
        self.before.clear();
        for server in environment.servers() {
            self.before.push(server.log().await?.len());
        }
        Ok(())
    }

    /// Returns the lines of all servers since then.
    async fn lines(&self, environment: &Environment) -> Result<Vec<LogLine>, ServerError> {
        let mut lines = Vec::new();
        for (server, before) in environment.servers().zip(&self.before) {
            lines.extend(server.log().await?.into_iter().skip(*before));
        }
        Ok(lines)
    }

    /// Returns the number of lines since then that contain the text, from any role.
    async fn count_text(&self, environment: &Environment, text: &str) -> Result<usize, ServerError> {
        Ok(self.lines(environment).await?.iter().filter(|line| line.text.contains(text)).count())
    }

    /// Waits until a line since then contains the text.
    ///
    /// *Errors*: none does within [`LOGGED_WITHIN`].
    async fn wait_for(&self, environment: &Environment, text: &str) -> Result<(), NemesisError> {
        let deadline = Instant::now() + LOGGED_WITHIN;
        while self.count_text(environment, text).await? == 0 {
            if Instant::now() >= deadline {
                let within = crate::model::time::show(LOGGED_WITHIN);
                return Err(NemesisError::NotInForce(format!("the server did not log {text:?} within {within}")));
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Returns the number of errors with this code that the client's role has got since then.
    async fn count_errors(&self, environment: &Environment, sqlstate: &str) -> Result<usize, ServerError> {
        self.count_errors_with(environment, sqlstate, "").await
    }

    /// Returns the number of errors with this code and text that the client's role has got since then.
    async fn count_errors_with(
        &self,
        environment: &Environment,
        sqlstate: &str,
        text: &str,
    ) -> Result<usize, ServerError> {
        let role = &environment.address.user;
        let of_client = |line: &&LogLine| line.sqlstate == sqlstate && line.role == *role && line.text.contains(text);
        Ok(self.lines(environment).await?.iter().filter(of_client).count())
    }
}

#[cfg(test)]
mod tests;
