//! The setting of a schedule beside its faults, and what it requires of them.

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

/// Duration of a persistent fault: longer than a client has to report it.
const UNTIL_REPAIRED: Duration = Duration::from_secs(13);

/// The setting of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScheduleSetup {
    /// The usual setting.
    Plain,
    /// Every operation has a deadline.
    Deadline,
    /// There are more callers than connections.
    Waiters,
    /// The client listens, too.
    Listening,
    /// One worker works fast, so that a slow client shows.
    Brisk,
    /// One fault leaves everything possible, and nothing may fail.
    Gentle(Fault),
    /// One persistent fault precedes the client, and stays until it is repaired.
    Persistent(FaultKind),
    /// There is a standby, and one of the faults is a change of roles; the client's addresses lead to these.
    Failover(Fault, &'static [Host], TargetSession),
    /// The password changes.
    Rotation(Fault),
    /// The server speaks TLS, of that version, and the client verifies its certificate; a certificate expires, or is wrong from
    /// the start until it is repaired.
    Certificate(CertificateFault, Fault, TlsVersion),
}

/// Which addresses the client has in which failover.
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

const MISISSUED: [CertificateFault; 5] = [
    CertificateFault::WrongHost,
    CertificateFault::WrongAuthority,
    CertificateFault::NotYetValid,
    CertificateFault::ClientUnknown,
    CertificateFault::ClientRevoked,
];

/// A fault that precedes the client, until it is repaired.
fn persistent(kind: FaultKind) -> Fault {
    Fault { kind, at: Duration::ZERO, lasts: UNTIL_REPAIRED }
}

/// Draws what is the matter with a certificate. A build without TLS has none.
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

/// Draws a setting; the simplest comes first, to which others shrink.
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
    /// Whether the workload may pause in it.
    pub fn may_pause(self) -> bool {
        matches!(
            self,
            ScheduleSetup::Plain | ScheduleSetup::Deadline | ScheduleSetup::Waiters | ScheduleSetup::Listening
        )
    }

    /// The faults of a schedule in this setting, out of those that were drawn for it.
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
            // A fault of the path would meet one of several addresses.
            ScheduleSetup::Failover(fault, hosts, _) if hosts.len() > 1 => vec![fault],
            ScheduleSetup::Failover(fault, ..)
            | ScheduleSetup::Rotation(fault)
            | ScheduleSetup::Certificate(_, fault, _) => {
                // With what only befalls connections: servers and doors are its own while it is under way.
                drawn.retain(|other| {
                    matches!(other.kind, FaultKind::Close | FaultKind::Reset | FaultKind::ResetRepeatedly { .. })
                });
                drawn.insert(0, fault);
                drawn
            }
        }
    }

    /// Asks for it.
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
                    // The old primary can still be read: every connection has to write before the first of them has moved,
                    // for one that only reads goes on reading there, and nothing tells it.
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
