//! The kinds of faults, with the rows of those that act in the server.
//!
//! A new kind is a variant, a row, and a line in [`FaultKind::spec`]; one with keys also a line in [`FaultKind::values`].

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::keys::{
    ACTION, CODE, EVERY, IDLE, IDLE_WHOLE, KeyError, LOSS, MODE, POINT, PROCESSOR, TIMEOUT, TIMES, Value, Values, need,
};
use super::network;
use super::spec::{
    Acts, Course, Entry, ExpectedError as Error, Failures, FaultSpec, Memory, NO_SLOTS, Operations, Remedy,
    STARTING_UP, Shape, fault_table, server_error, unit,
};
use super::toxic::with_place;
use super::{
    CertificateFault, CutPoint, Failover, IcmpCode, NameFault, Scope, ServerTimeout, Share, Stream, Toxic, ToxicKind,
};
use crate::model::plane::Fidelity;
use crate::model::time::micros;
use crate::model::words;

words! {
    /// The shutdown mode of a Postgres server.
    ///
    /// *Source*: PostgreSQL manual, "Shutting Down the Server".
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub enum StopMode {
        /// SIGTERM: no new sessions; the server waits until the existing ones end.
        Smart = "smart",
        /// SIGINT: sessions get FATAL 57P01, then a clean shutdown.
        Fast = "fast",
        /// SIGQUIT: sessions get a *notice* 57P01 (57P02 up to version 13); the next start runs crash recovery.
        Immediate = "immediate",
    }
}

/// The kind of a fault, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// FIN on every open connection, idle ones too.
    Close,
    /// RST on every open connection, idle ones too.
    Reset,
    /// FIN on every open connection, repeated until heal.
    CloseRepeatedly {
        #[serde(rename = "every_us", with = "micros")]
        every: Duration,
    },
    /// RST on every open connection, repeated until heal.
    ResetRepeatedly {
        #[serde(rename = "every_us", with = "micros")]
        every: Duration,
    },
    /// The server's side of every open connection is gone; the client gets an RST for the next bytes that it sends.
    HalfOpen,
    /// A connection that reaches a point in the protocol is cut or held, or loses a message, until heal.
    CutPoint(CutPoint),
    /// The bytes of connections are delayed, limited, split, held or cut off, until heal.
    Toxic(Toxic),
    /// Every connection is reset, and new ones are refused (ECONNREFUSED) until heal.
    Refuse,
    /// Every connection is reset, and the SYNs of new ones are not answered until heal.
    Hang,
    /// A firewall's REJECT with tcp-reset: new connections are refused, and open ones get an RST for the next packet
    /// of either side, until heal.
    Reject,
    /// Packets in one or both directions, of some or all connections, are dropped silently until heal.
    Blackhole { stream: Stream, scope: Scope },
    /// This share of all packets, drawn at random, is dropped silently until heal.
    PacketLoss(Share),
    /// A firewall's REJECT with an ICMP message, until heal.
    RejectIcmp(IcmpCode),
    /// A fault of the host name by which the client knows its server.
    Name(NameFault),
    /// A device in the path drops its state of connections that were idle for this long, and then silently drops their
    /// packets; until heal.
    IdleDrop {
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
    /// A device in the path closes (FIN) connections that were idle for this long; until heal.
    IdleClose {
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
    /// A device in the path drops its state of connections that were idle for this long, and answers their next packet
    /// with an RST; until heal.
    IdleReset {
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
    /// Nothing is injected: the middlebox ends idle connections by its own settings, and the harness watches its log
    /// until heal.
    IdleExpiry,
    /// The middlebox is stopped at once (SIGTERM), and started again on heal.
    MiddleboxRestart,
    /// The server is stopped in the given mode, and started again on heal.
    Restart(StopMode),
    /// The postmaster is killed (SIGKILL), and the server is started again on heal.
    Kill,
    /// Every process of the server is frozen (SIGSTOP) until heal; its kernel still acknowledges bytes.
    Freeze,
    /// `pg_terminate_backend` on every session of the client.
    TerminateSessions,
    /// The client's sessions are ended and every connection slot is taken by others: 53300 until heal.
    ExhaustConnections,
    /// The server no longer accepts the password that the client holds: 28P01 until heal.
    WrongPassword,
    /// A backend is killed inside a large transaction, and crash recovery is paused until heal: 57P03 meanwhile.
    LongRecovery,
    /// One of the client's backends is killed (SIGKILL), as the kernel does when memory is short: every other session
    /// gets a notice 57P02, and the server runs crash recovery.
    CrashBackend,
    /// The client's sessions are ended, and every slot but those reserved for superusers is taken: 53300 until heal.
    ExhaustOrdinaryConnections,
    /// The client's sessions are ended, and its role may have no sessions: 53300 until heal.
    LimitRole,
    /// The server is restarted; before the client can connect, other sessions take every connection slot, and leave
    /// one by one. Until heal.
    Herd,
    /// The server runs out of memory: 53200, or a backend is killed; until heal.
    ExhaustMemory,
    /// The small disk is full: 53100, or, if it holds the WAL, the server stops (PANIC); until heal.
    FillDisk,
    /// The server gets only this share of one processor, until heal.
    Throttle(Share),
    /// The client's role does not exist: 28P01 until heal.
    WrongUser,
    /// The client's database does not exist: 3D000 until heal.
    WrongDatabase,
    /// The name of the host does not resolve. This cannot be healed while the client runs.
    WrongHost,
    /// The password changes, and sessions are ended; on heal the client's password file contains the new one.
    RotatePassword,
    /// The client's role may not log in: 28000 until heal.
    ForbidLogin,
    /// The client's role may not connect to its database: 42501 until heal.
    RevokeConnect,
    /// No line of pg_hba.conf admits the client: 28000 until heal.
    DenyHost,
    /// pg_hba.conf admits only a range of addresses without the client's: 28000 until heal.
    DenyRange,
    /// The server rejects sessions without TLS: 28000 until heal.
    RequireTls,
    /// A certificate is invalid, or is replaced.
    Certificate(CertificateFault),
    /// Roles or addresses change between a primary and its standby.
    Failover(Failover),
    /// The server enforces a timeout on the client's sessions, and the harness watches the server's log until heal.
    ServerTimeout {
        timeout: ServerTimeout,
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
}

fault_table! { SERVER:
    RESTART = "restart" Server Lasting Alike Blocked Kept Interrupted Evidence,
        Nothing, General, Error::None, Shape { keys: &[MODE], build: restart };
    KILL = "kill" Server Lasting Alike Blocked Lost Interrupted Evidence,
        Nothing, General, Error::None, unit!(Kill);
    FREEZE = "freeze" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, Advice("no TCP setting detects a peer whose kernel still acknowledges: only a deadline does"),
        Error::None, unit!(Freeze);
    TERMINATE_SESSIONS = "terminate-sessions" Server Instant Alike Open Kept Interrupted NoEvidence,
        Nothing, General, Error::None, unit!(TerminateSessions);
    EXHAUST_CONNECTIONS = "exhaust-connections" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, NO_SLOTS, Error::None, unit!(ExhaustConnections);
    WRONG_PASSWORD = "wrong-password" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, General, WRONG_SIGN_IN, unit!(WrongPassword);
    LONG_RECOVERY = "long-recovery" Server Lasting Alike Open Lost Interrupted NoEvidence,
        Nothing, STARTING_UP, Error::None, unit!(LongRecovery);
    CRASH_BACKEND = "crash-backend" Server Instant Alike Open Lost Interrupted NoEvidence,
        Nothing, STARTING_UP, Error::None, unit!(CrashBackend);
    EXHAUST_ORDINARY_CONNECTIONS = "exhaust-ordinary-connections" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, NO_SLOTS, Error::None, unit!(ExhaustOrdinaryConnections);
    LIMIT_ROLE = "limit-role-connections" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, NO_SLOTS, Error::None, unit!(LimitRole);
    HERD = "herd" Server Lasting Alike Blocked Kept Interrupted Evidence,
        Nothing, NO_SLOTS, Error::None, unit!(Herd);
    EXHAUST_MEMORY = "exhaust-memory" Server Lasting Alike Open Lost Interrupted NoEvidence,
        Nothing, General, Error::None, unit!(ExhaustMemory);
    FILL_DISK = "fill-disk" Server Lasting Alike Open Lost Interrupted NoEvidence,
        SmallDisk, General, Error::None, unit!(FillDisk);
    THROTTLE = "throttle-processor" Server Lasting Alike Open Kept Possible NoEvidence,
        Nothing, General, Error::None, Shape { keys: &[PROCESSOR], build: throttle };
    // The server reports a wrong role and a wrong password by the same error.
    WRONG_USER = "wrong-user" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, General, WRONG_SIGN_IN, unit!(WrongUser);
    WRONG_DATABASE = "wrong-database" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, General, server_error("3D000", &["does not exist"]), unit!(WrongDatabase);
    WRONG_HOST = "wrong-host" Name Permanent Alike Open Kept Interrupted Evidence,
        UnresolvableHost, General, Error::Unresolved, unit!(WrongHost);
    ROTATE_PASSWORD = "rotate-password" Server Lasting Alike Open Kept Interrupted NoEvidence,
        PasswordFile, Advice("fetch the password again for every new connection"), Error::None, unit!(RotatePassword);
    FORBID_LOGIN = "forbid-login" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, General, server_error("28000", &["is not permitted to log in"]), unit!(ForbidLogin);
    REVOKE_CONNECT = "revoke-connect" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, General, server_error("42501", &["permission denied for database"]), unit!(RevokeConnect);
    DENY_HOST = "deny-host" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, General, NO_ENTRY, unit!(DenyHost);
    DENY_RANGE = "deny-range" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Nothing, General, NO_ENTRY, unit!(DenyRange);
    REQUIRE_TLS = "require-tls" Server Lasting Alike Open Kept Interrupted NoEvidence,
        Tls, General, NO_ENTRY, unit!(RequireTls);
}

/// The one mode in which the next start runs crash recovery.
const RESTART_IMMEDIATE: FaultSpec = FaultSpec { memory: Memory::Lost, ..RESTART };

const WRONG_SIGN_IN: Error = server_error("28P01", &["password authentication failed"]);
const NO_ENTRY: Error = server_error("28000", &["no pg_hba.conf entry"]);

fn restart(values: &Values) -> Result<FaultKind, KeyError> {
    Ok(FaultKind::Restart(need(&MODE, values.word(&MODE, &StopMode::ALL))?))
}

fn throttle(values: &Values) -> Result<FaultKind, KeyError> {
    Ok(FaultKind::Throttle(need(&PROCESSOR, values.share(&PROCESSOR))?))
}

impl FaultKind {
    /// The row of this kind.
    pub fn spec(self) -> &'static FaultSpec {
        match self {
            FaultKind::Close => &network::CLOSE,
            FaultKind::Reset => &network::RESET,
            FaultKind::CloseRepeatedly { .. } => &network::CLOSE_REPEATEDLY,
            FaultKind::ResetRepeatedly { .. } => &network::RESET_REPEATEDLY,
            FaultKind::HalfOpen => &network::HALF_OPEN,
            FaultKind::CutPoint(_) => &network::CUT_POINT,
            FaultKind::Toxic(toxic) => toxic.spec(),
            FaultKind::Refuse => &network::REFUSE,
            FaultKind::Hang => &network::HANG,
            FaultKind::Reject => &network::REJECT,
            FaultKind::Blackhole { .. } => &network::BLACKHOLE,
            FaultKind::PacketLoss(_) => &network::PACKET_LOSS,
            FaultKind::RejectIcmp(_) => &network::REJECT_ICMP,
            FaultKind::Name(fault) => fault.spec(),
            FaultKind::IdleDrop { .. } => &network::IDLE_DROP,
            FaultKind::IdleClose { .. } => &network::IDLE_CLOSE,
            FaultKind::IdleReset { after } if after.subsec_nanos() > 0 => &network::IDLE_RESET_FRACTION,
            FaultKind::IdleReset { .. } => &network::IDLE_RESET,
            FaultKind::IdleExpiry => &network::IDLE_EXPIRY,
            FaultKind::MiddleboxRestart => &network::MIDDLEBOX_RESTART,
            FaultKind::Restart(StopMode::Smart | StopMode::Fast) => &RESTART,
            FaultKind::Restart(StopMode::Immediate) => &RESTART_IMMEDIATE,
            FaultKind::Kill => &KILL,
            FaultKind::Freeze => &FREEZE,
            FaultKind::TerminateSessions => &TERMINATE_SESSIONS,
            FaultKind::ExhaustConnections => &EXHAUST_CONNECTIONS,
            FaultKind::WrongPassword => &WRONG_PASSWORD,
            FaultKind::LongRecovery => &LONG_RECOVERY,
            FaultKind::CrashBackend => &CRASH_BACKEND,
            FaultKind::ExhaustOrdinaryConnections => &EXHAUST_ORDINARY_CONNECTIONS,
            FaultKind::LimitRole => &LIMIT_ROLE,
            FaultKind::Herd => &HERD,
            FaultKind::ExhaustMemory => &EXHAUST_MEMORY,
            FaultKind::FillDisk => &FILL_DISK,
            FaultKind::Throttle(_) => &THROTTLE,
            FaultKind::WrongUser => &WRONG_USER,
            FaultKind::WrongDatabase => &WRONG_DATABASE,
            FaultKind::WrongHost => &WRONG_HOST,
            FaultKind::RotatePassword => &ROTATE_PASSWORD,
            FaultKind::ForbidLogin => &FORBID_LOGIN,
            FaultKind::RevokeConnect => &REVOKE_CONNECT,
            FaultKind::DenyHost => &DENY_HOST,
            FaultKind::DenyRange => &DENY_RANGE,
            FaultKind::RequireTls => &REQUIRE_TLS,
            FaultKind::Certificate(fault) => fault.spec(),
            FaultKind::Failover(failover) => failover.spec(),
            FaultKind::ServerTimeout { timeout, .. } => timeout.spec(),
        }
    }

    /// The keys of this fault beyond `kind`, `at` and `for`, with their values.
    pub fn values(self) -> Values {
        let values = Values::default();
        match self {
            FaultKind::CloseRepeatedly { every } | FaultKind::ResetRepeatedly { every } => {
                values.with(&EVERY, Value::Time(every))
            }
            FaultKind::CutPoint(CutPoint { point, strike, times }) => values
                .with(&POINT, Value::Word(point.word()))
                .with(&ACTION, Value::Word(strike.word()))
                .with_some(&TIMES, times.map(|times| Value::Count(times.into()))),
            FaultKind::Toxic(toxic) => toxic.values(),
            FaultKind::Blackhole { stream, scope } => with_place(values, stream, scope),
            FaultKind::PacketLoss(share) => values.with(&LOSS, Value::Share(share)),
            FaultKind::RejectIcmp(code) => values.with(&CODE, Value::Word(code.word())),
            FaultKind::IdleDrop { after } => values.with(&IDLE_WHOLE, Value::Time(after)),
            FaultKind::IdleClose { after } | FaultKind::IdleReset { after } => values.with(&IDLE, Value::Time(after)),
            FaultKind::Restart(mode) => values.with(&MODE, Value::Word(mode.word())),
            FaultKind::Throttle(share) => values.with(&PROCESSOR, Value::Share(share)),
            FaultKind::ServerTimeout { after, .. } => values.with(&TIMEOUT, Value::Time(after)),
            FaultKind::Close
            | FaultKind::Reset
            | FaultKind::HalfOpen
            | FaultKind::Refuse
            | FaultKind::Hang
            | FaultKind::Reject
            | FaultKind::Name(_)
            | FaultKind::IdleExpiry
            | FaultKind::MiddleboxRestart
            | FaultKind::Kill
            | FaultKind::Freeze
            | FaultKind::TerminateSessions
            | FaultKind::ExhaustConnections
            | FaultKind::WrongPassword
            | FaultKind::LongRecovery
            | FaultKind::CrashBackend
            | FaultKind::ExhaustOrdinaryConnections
            | FaultKind::LimitRole
            | FaultKind::Herd
            | FaultKind::ExhaustMemory
            | FaultKind::FillDisk
            | FaultKind::WrongUser
            | FaultKind::WrongDatabase
            | FaultKind::WrongHost
            | FaultKind::RotatePassword
            | FaultKind::ForbidLogin
            | FaultKind::RevokeConnect
            | FaultKind::DenyHost
            | FaultKind::DenyRange
            | FaultKind::RequireTls
            | FaultKind::Certificate(_)
            | FaultKind::Failover(_) => values,
        }
    }

    /// The word used in scenario files.
    pub fn word(self) -> &'static str {
        self.spec().word
    }

    /// Whether the fault is over as soon as it is done, so that there is nothing to heal.
    pub fn is_instant(self) -> bool {
        self.spec().course == Course::Instant
    }

    /// Whether the fault acts on the path to the server rather than in the server, so that any server will do.
    pub fn is_network(self) -> bool {
        self.spec().acts != Acts::Server
    }

    /// The fidelity that the fault requires of a plane.
    pub fn fidelity(self) -> Fidelity {
        self.spec().fidelity
    }

    /// For how long a connection must be idle before a device in the path ends it.
    pub fn idle_time(self) -> Option<Duration> {
        match self.spec().remedy {
            Remedy::IdleDevice(_) => self.values().time(&IDLE),
            Remedy::General | Remedy::Advice(_) => None,
        }
    }

    /// Whether the fault is in force before the client starts, although it is not persistent.
    pub fn is_arrangement(self) -> bool {
        self.spec().course == Course::Arranged
    }

    /// Whether the fault can be healed while the client runs, so that the client can be expected to work again.
    pub fn can_be_healed(self) -> bool {
        self.spec().course != Course::Permanent
    }

    /// Whether every operation can succeed under the fault, though perhaps slowly.
    pub fn leaves_possible(self) -> bool {
        self.spec().operations == Operations::Possible
    }

    /// Whether the fault stops the gateway from accepting connections, so that another such fault must wait.
    pub fn blocks_accept(self) -> bool {
        self.spec().entry == Entry::Blocked
    }

    /// Whether operations that fail while the fault is in force are evidence of it, in addition to what the nemesis
    /// counts.
    pub fn failures_are_evidence(self) -> bool {
        self.spec().failures == Failures::Evidence
    }

    /// Whether the fault acts on a middlebox, so that the scenario must have one.
    pub fn is_of_middlebox(self) -> bool {
        self.spec().acts == Acts::Middlebox
    }

    /// Whether the server loses its memory, so that only what it had flushed to disk survives.
    pub fn crashes_server(self) -> bool {
        self.spec().memory == Memory::Lost
    }
}

impl From<ToxicKind> for FaultKind {
    /// On both links of every connection.
    fn from(kind: ToxicKind) -> FaultKind {
        FaultKind::Toxic(kind.into())
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.values().show() {
            details if details.is_empty() => f.write_str(self.word()),
            details => write!(f, "{} ({details})", self.word()),
        }
    }
}
