//! The setting of a schedule (workload, topology, class, budget), and the faults that are possible in it.

use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

use super::faults::tenths;
use crate::model::budget::Budget;
use crate::model::fault::{CertificateFault, Class, Failover, Fault, FaultKind, ToxicKind};
use crate::model::pace::Pace;
use crate::model::topology::{Host, SslMode, TargetSession, TlsVersion};
use crate::scenario::Question;

/// Duration of a persistent fault: longer than the time that a client has to report it.
const UNTIL_REPAIRED: Duration = Duration::from_secs(13);

/// The setting of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScheduleSetup {
    /// The default workload and topology.
    Plain,
    /// Every operation has a deadline.
    Deadline,
    /// There are more callers than connections.
    Waiters,
    /// The client also subscribes to notifications.
    Listening,
    /// One worker with a short interval, so that a slow client falls behind.
    Brisk,
    /// The only fault is added latency, under which no operation may fail.
    Gentle(Fault),
    /// The only fault is persistent: it precedes the client, and lasts until it is repaired.
    Persistent(FaultKind),
    /// There is a standby, and one of the faults is a failover. With it: the servers to which the client's addresses
    /// lead, and the client's `target_session_attrs`.
    Failover(Fault, &'static [Host], TargetSession),
    /// The password changes.
    Rotation(Fault),
    /// The server offers TLS of this version, and the client verifies its certificate. A certificate expires, or is
    /// wrong from the start until it is repaired.
    Certificate(CertificateFault, Fault, TlsVersion),
}

/// A failover, the servers to which the client's addresses lead, and the client's `target_session_attrs`.
type Arrangement = (Failover, &'static [Host], TargetSession);

const FAILOVERS: [Arrangement; 6] = [
    (Failover::Promote, &[Host::Primary], TargetSession::Any),
    (Failover::Promote, &[Host::Primary, Host::Standby], TargetSession::ReadWrite),
    (Failover::Promote, &[Host::Primary, Host::Standby], TargetSession::Any),
    (Failover::Demote, &[Host::Primary, Host::Standby], TargetSession::ReadWrite),
    (Failover::WrongNode, &[Host::Primary], TargetSession::Any),
    (Failover::PromoteBeside, &[Host::Standby, Host::Primary], TargetSession::ReadWrite),
];

const PERSISTENT: [FaultKind; 6] = [
    FaultKind::WrongPassword,
    FaultKind::WrongUser,
    FaultKind::WrongDatabase,
    FaultKind::ForbidLogin,
    FaultKind::RevokeConnect,
    FaultKind::DenyHost,
];

/// Certificates that expire while the client works.
const EXPIRING: [CertificateFault; 2] = [CertificateFault::ClientExpired, CertificateFault::ServerExpired];

/// Certificates that are wrong from the start until they are repaired.
const MISISSUED: [CertificateFault; 5] = [
    CertificateFault::WrongHost,
    CertificateFault::WrongAuthority,
    CertificateFault::NotYetValid,
    CertificateFault::ClientUnknown,
    CertificateFault::ClientRevoked,
];

/// A fault that precedes the client, and lasts until it is repaired.
fn persistent(kind: FaultKind) -> Fault {
    Fault { kind, at: Duration::ZERO, lasts: UNTIL_REPAIRED }
}

/// Draws a fault of a certificate; in a build without TLS, the plain setting.
fn certificate() -> BoxedStrategy<ScheduleSetup> {
    if !cfg!(feature = "tls") {
        return Just(ScheduleSetup::Plain).boxed();
    }
    let expires = (select(EXPIRING.to_vec()), 50u64..200, 30u64..80).prop_map(|(what, at, lasts)| {
        (what, Fault { kind: FaultKind::Certificate(what), at: tenths(at), lasts: tenths(lasts) })
    });
    let is_wrong = select(MISISSUED.to_vec()).prop_map(|what| (what, persistent(FaultKind::Certificate(what))));
    (prop_oneof![expires, is_wrong], select(vec![TlsVersion::V13, TlsVersion::V12]))
        .prop_map(|((what, fault), version)| ScheduleSetup::Certificate(what, fault, version))
        .boxed()
}

/// Draws a setting. The simplest comes first, because proptest shrinks towards it.
pub(super) fn setting() -> impl Strategy<Value = ScheduleSetup> {
    let time = || (50u64..200, 30u64..80);
    prop_oneof![
        8 => Just(ScheduleSetup::Plain),
        2 => Just(ScheduleSetup::Deadline),
        2 => Just(ScheduleSetup::Waiters),
        2 => Just(ScheduleSetup::Listening),
        1 => Just(ScheduleSetup::Brisk),
        1 => (time(), 20u64..200).prop_map(|((at, lasts), delay)| {
            let kind = ToxicKind::Latency { delay: Duration::from_millis(delay), jitter: Duration::ZERO };
            ScheduleSetup::Gentle(Fault { kind: kind.into(), at: tenths(at), lasts: tenths(lasts) })
        }),
        1 => select(PERSISTENT.to_vec()).prop_map(ScheduleSetup::Persistent),
        2 => (time(), select(FAILOVERS.to_vec())).prop_map(|((at, lasts), (failover, hosts, session))| {
            let fault = Fault { kind: FaultKind::Failover(failover), at: tenths(at), lasts: tenths(lasts) };
            ScheduleSetup::Failover(fault, hosts, session)
        }),
        1 => time().prop_map(|(at, lasts)| {
            ScheduleSetup::Rotation(Fault { kind: FaultKind::RotatePassword, at: tenths(at), lasts: tenths(lasts) })
        }),
        1 => certificate(),
    ]
}

impl ScheduleSetup {
    /// Whether the workload may pause in this setting.
    pub fn may_pause(self) -> bool {
        matches!(
            self,
            ScheduleSetup::Plain | ScheduleSetup::Deadline | ScheduleSetup::Waiters | ScheduleSetup::Listening
        )
    }

    /// The faults of a schedule in this setting: its own fault, and those of `drawn` that may occur beside it.
    pub fn arrange(self, mut drawn: Vec<Fault>) -> Vec<Fault> {
        match self {
            ScheduleSetup::Plain
            | ScheduleSetup::Deadline
            | ScheduleSetup::Waiters
            | ScheduleSetup::Listening
            | ScheduleSetup::Brisk => drawn,
            ScheduleSetup::Gentle(fault) => vec![fault],
            ScheduleSetup::Persistent(kind) => vec![persistent(kind)],
            ScheduleSetup::Certificate(what, fault, _) if MISISSUED.contains(&what) => vec![fault],
            // A network fault would affect only the first of several addresses.
            ScheduleSetup::Failover(fault, hosts, _) if hosts.len() > 1 => vec![fault],
            ScheduleSetup::Failover(fault, ..)
            | ScheduleSetup::Rotation(fault)
            | ScheduleSetup::Certificate(_, fault, _) => {
                // Beside these, only faults of open connections: others could change the same server or block
                // sign-ins.
                drawn.retain(|other| {
                    matches!(other.kind, FaultKind::Close | FaultKind::Reset | FaultKind::ResetRepeatedly { .. })
                });
                drawn.insert(0, fault);
                drawn
            }
        }
    }

    /// Applies this setting to a scenario.
    pub fn apply(self, question: &mut Question) {
        match self {
            ScheduleSetup::Plain => {}
            ScheduleSetup::Deadline => question.load.deadline = Some(Duration::from_millis(500)),
            ScheduleSetup::Waiters => {
                question.load = Pace { workers: Pace::default().workers, callers_per_connection: 2, ..question.load };
            }
            ScheduleSetup::Listening => question.load.listen = true,
            ScheduleSetup::Brisk => {
                let interval = Duration::from_millis(150);
                question.load = Pace { workers: 1, interval, ..question.load };
                question.budget.stability = Budget::default().stability;
            }
            ScheduleSetup::Gentle(_) => question.budget.undisturbed = true,
            ScheduleSetup::Persistent(_) => question.class = Class::Persistent,
            ScheduleSetup::Failover(fault, hosts, session) => {
                if let FaultKind::Failover(Failover::PromoteBeside | Failover::Demote) = fault.kind {
                    // The old primary still answers reads: a connection that only reads would stay there unnoticed. A
                    // short interval makes every connection write, and so notice the failover.
                    let interval = Duration::from_millis(500);
                    question.load = Pace { workers: Pace::default().workers, interval, ..question.load };
                }
                question.layout.standby = true;
                question.layout.hosts = hosts.to_vec();
                question.layout.target_session = session;
            }
            ScheduleSetup::Rotation(_) => question.layout.password_file = true,
            ScheduleSetup::Certificate(what, _, version) => {
                if MISISSUED.contains(&what) {
                    question.class = Class::Persistent;
                }
                question.layout.tls = Some(version);
                question.layout.sslmode = SslMode::VerifyFull;
                question.layout.client_certificate = what.is_of_client();
            }
        }
    }
}
