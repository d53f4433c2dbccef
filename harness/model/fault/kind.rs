//! The kinds of faults: what each does, and the words for it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    CertificateFault, CutPoint, Failover, IcmpCode, NameFault, Point, Scope, ServerTimeout, Share, Stream, Strike,
    Toxic, ToxicKind,
};
use crate::model::plane::Fidelity;
use crate::model::time::{exact, micros};

/// How a Postgres server is told to stop.
///
/// *Source*: PostgreSQL manual, "Shutting Down the Server".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopMode {
    /// SIGTERM: no new sessions; waits for the existing ones to leave.
    Smart,
    /// SIGINT: sessions get FATAL 57P01, then a clean shutdown.
    Fast,
    /// SIGQUIT: sessions get a *notice* 57P01 (57P02 up to version 13); the next start runs crash recovery.
    Immediate,
}

impl StopMode {
    /// Every mode, by the word used in scenario files.
    pub const ALL: [(&str, StopMode); 3] =
        [("smart", StopMode::Smart), ("fast", StopMode::Fast), ("immediate", StopMode::Immediate)];
}

/// What is injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// FIN on every open connection, idle ones too.
    Close,
    /// RST on every open connection, idle ones too.
    Reset,
    /// A close that comes again and again until heal.
    CloseRepeatedly {
        #[serde(rename = "every_us", with = "micros")]
        every: Duration,
    },
    /// A reset that comes again and again until heal.
    ResetRepeatedly {
        #[serde(rename = "every_us", with = "micros")]
        every: Duration,
    },
    /// The server's side of every open connection is gone; the client gets an RST for the next bytes that it sends.
    HalfOpen,
    /// Connections are struck at a moment of the protocol, until heal.
    CutPoint(CutPoint),
    /// Something is done to the bytes that connections carry, until heal.
    Toxic(Toxic),
    /// Every connection is reset, and new ones are refused (ECONNREFUSED) until heal.
    Refuse,
    /// Every connection is reset, and the SYNs of new ones go unanswered until heal.
    Hang,
    /// A firewall's REJECT with tcp-reset: new connections are refused, and open ones get an RST for the next packet
    /// of either side, until heal.
    Reject,
    /// Packets of one or both directions, of some or all connections, vanish until heal; nobody is told.
    Blackhole { stream: Stream, scope: Scope },
    /// So many of all packets, drawn at random, vanish until heal.
    PacketLoss(Share),
    /// A firewall's REJECT with an ICMP message, until heal.
    RejectIcmp(IcmpCode),
    /// Something is wrong with the name by which the client knows its server.
    Name(NameFault),
    /// A middlebox that forgets connections on which nothing has moved for so long, and drops what comes afterwards
    /// without a word; until heal.
    IdleDrop {
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
    /// A middlebox that closes (FIN) connections on which nothing has moved for so long; until heal.
    IdleClose {
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
    /// A middlebox that forgets connections on which nothing has moved for so long, and answers the next packet with
    /// an RST; until heal.
    IdleReset {
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
    /// Nothing is injected: what stands in the path ends idle connections by its own settings. In force while it is
    /// watched.
    IdleExpiry,
    /// What stands in the path is told to stop at once (SIGTERM), and started again on heal.
    MiddleboxRestart,
    /// The server is stopped in the given mode, and started again on heal.
    Restart(StopMode),
    /// The server's first process is killed (SIGKILL), and the server started again on heal.
    Kill,
    /// Every process of the server is frozen (SIGSTOP) until heal; its kernel goes on acknowledging bytes.
    Freeze,
    /// `pg_terminate_backend` on every session of the client.
    TerminateSessions,
    /// The client's sessions are ended and every connection slot is taken by others: 53300 until heal.
    ExhaustConnections,
    /// The server no longer accepts the password that the client holds: 28P01 until heal.
    WrongPassword,
    /// A backend dies inside a large transaction; crash recovery is held until heal: 57P03 throughout.
    LongRecovery,
    /// One backend of the client's is killed (SIGKILL), as by the kernel when memory is short: every other session
    /// gets a notice 57P02, and the server recovers.
    CrashBackend,
    /// The client's sessions are ended, and every slot but those reserved for superusers is taken: 53300 until heal.
    ExhaustOrdinaryConnections,
    /// The client's sessions are ended, and its role may have none: 53300 until heal.
    LimitRole,
    /// The server is restarted at once, and a herd of others takes every slot as soon as there is one, each for a
    /// while; until heal.
    Herd,
    /// The server runs out of memory: 53200, or a backend is killed; until heal.
    ExhaustMemory,
    /// The small disk is full: 53100, or, where it holds the WAL, the server ends (PANIC); until heal.
    FillDisk,
    /// The server gets only a share of a processor, until heal.
    Throttle(Share),
    /// The role that the client signs in as is not there: 28P01 until heal.
    WrongUser,
    /// The database that the client asks for is not there: 3D000 until heal.
    WrongDatabase,
    /// The name of the host does not resolve. Nobody can heal that while the client runs.
    WrongHost,
    /// The password changes, and sessions are cut; on heal the new one is where the client finds its password.
    RotatePassword,
    /// The client's role may not log in: 28000 until heal.
    ForbidLogin,
    /// The client's role may not connect to its database: 42501 until heal.
    RevokeConnect,
    /// No line of pg_hba.conf lets the client in: 28000 until heal.
    DenyHost,
    /// The server's firewall lets in a range of addresses to which the client's does not belong: 28000 until heal.
    DenyRange,
    /// The server takes no session in plaintext: 28000 until heal.
    RequireTls,
    /// Something is wrong with a certificate.
    Certificate(CertificateFault),
    /// Roles or addresses change between a primary and its standby.
    Failover(Failover),
    /// A timeout of the server's own is in force while it is watched.
    ServerTimeout {
        timeout: ServerTimeout,
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
}

impl FaultKind {
    /// The word used in scenario files.
    pub fn word(self) -> &'static str {
        match self {
            FaultKind::Close | FaultKind::CloseRepeatedly { .. } => "close",
            FaultKind::Reset | FaultKind::ResetRepeatedly { .. } => "reset",
            FaultKind::HalfOpen => "half-open",
            FaultKind::CutPoint(_) => "cut-point",
            FaultKind::Toxic(toxic) => match toxic.kind {
                ToxicKind::Latency { .. } => "latency",
                ToxicKind::Bandwidth { .. } => "bandwidth",
                ToxicKind::Slicer { .. } => "slicer",
                ToxicKind::Limit { .. } => "limit",
                ToxicKind::Stall { .. } => "stall",
                ToxicKind::SlowClose { .. } => "slow-close",
                ToxicKind::Reset { .. } => "reset-after",
            },
            FaultKind::Refuse => "refuse",
            FaultKind::Hang => "hang",
            FaultKind::Reject => "reject",
            FaultKind::Blackhole { .. } => "blackhole",
            FaultKind::PacketLoss(_) => "packet-loss",
            FaultKind::RejectIcmp(_) => "reject-icmp",
            FaultKind::Name(fault) => word_of(&NameFault::ALL, fault),
            FaultKind::IdleDrop { .. } => "idle-drop",
            FaultKind::IdleClose { .. } => "idle-close",
            FaultKind::IdleReset { .. } => "idle-reset",
            FaultKind::IdleExpiry => "idle-expiry",
            FaultKind::MiddleboxRestart => "middlebox-restart",
            FaultKind::Restart(_) => "restart",
            FaultKind::Kill => "kill",
            FaultKind::Freeze => "freeze",
            FaultKind::TerminateSessions => "terminate-sessions",
            FaultKind::ExhaustConnections => "exhaust-connections",
            FaultKind::WrongPassword => "wrong-password",
            FaultKind::LongRecovery => "long-recovery",
            FaultKind::CrashBackend => "crash-backend",
            FaultKind::ExhaustOrdinaryConnections => "exhaust-ordinary-connections",
            FaultKind::LimitRole => "limit-role-connections",
            FaultKind::Herd => "herd",
            FaultKind::ExhaustMemory => "exhaust-memory",
            FaultKind::FillDisk => "fill-disk",
            FaultKind::Throttle(_) => "throttle-processor",
            FaultKind::WrongUser => "wrong-user",
            FaultKind::WrongDatabase => "wrong-database",
            FaultKind::WrongHost => "wrong-host",
            FaultKind::RotatePassword => "rotate-password",
            FaultKind::ForbidLogin => "forbid-login",
            FaultKind::RevokeConnect => "revoke-connect",
            FaultKind::DenyHost => "deny-host",
            FaultKind::DenyRange => "deny-range",
            FaultKind::RequireTls => "require-tls",
            FaultKind::Certificate(fault) => word_of(&CertificateFault::ALL, fault),
            FaultKind::Failover(failover) => word_of(&Failover::ALL, failover),
            FaultKind::ServerTimeout { timeout, .. } => word_of(&ServerTimeout::ALL, timeout),
        }
    }

    /// Whether the fault is over as soon as it is done, so that there is nothing to heal.
    pub fn is_instant(self) -> bool {
        use FaultKind::{Certificate, Close, CrashBackend, HalfOpen, Reset, TerminateSessions};
        matches!(
            self,
            Close | Reset | HalfOpen | TerminateSessions | CrashBackend | Certificate(CertificateFault::Renewed)
        )
    }

    /// Whether the fault happens on the path to the server rather than in the server, so that any server will do.
    pub fn is_network(self) -> bool {
        use FaultKind::*;
        match self {
            Close | Reset | CloseRepeatedly { .. } | ResetRepeatedly { .. } | HalfOpen => true,
            IdleExpiry | MiddleboxRestart => true,
            Blackhole { .. } | PacketLoss(_) | RejectIcmp(_) | Name(_) | IdleDrop { .. } => true,
            CutPoint(_) | Toxic(_) | Refuse | Hang | Reject | IdleClose { .. } | IdleReset { .. } => true,
            Restart(_) | Kill | Freeze | TerminateSessions | ExhaustConnections | WrongPassword | LongRecovery => false,
            CrashBackend | ExhaustOrdinaryConnections | LimitRole | Herd | ExhaustMemory | FillDisk | Throttle(_) => {
                false
            }
            WrongUser | WrongDatabase | RotatePassword | ForbidLogin | RevokeConnect | DenyHost | DenyRange => false,
            RequireTls | Certificate(_) | ServerTimeout { .. } => false,
            Failover(failover) => !failover.needs_standby(),
            WrongHost => true,
        }
    }

    /// What it asks of the plane that brings it about.
    pub fn fidelity(self) -> Fidelity {
        use FaultKind::*;
        match self {
            Blackhole { .. } | PacketLoss(_) | RejectIcmp(_) | Name(_) | IdleDrop { .. } => Fidelity::KernelAlone,
            // Whether probes are answered, and when the other side finds out, is the kernel's own doing there.
            HalfOpen | Hang | Reject => Fidelity::TruerInKernel,
            // The kernel counts in seconds; what has another time is the proxy plane's.
            IdleReset { after } if after.subsec_nanos() == 0 => Fidelity::TruerInKernel,
            Toxic(toxic) if toxic.kills_flows() => Fidelity::TruerInKernel,
            _ => Fidelity::Alike,
        }
    }

    /// For how long nothing has to move on a connection before a device in the path ends it.
    pub fn idle_time(self) -> Option<Duration> {
        match self {
            FaultKind::IdleDrop { after } | FaultKind::IdleClose { after } | FaultKind::IdleReset { after } => {
                Some(after)
            }
            _ => None,
        }
    }

    /// Whether it is there before the client and asks what the client makes of it, though it is no persistent fault.
    pub fn is_arrangement(self) -> bool {
        matches!(self, FaultKind::Failover(failover) if failover.is_arrangement())
    }

    /// Whether it can be mended while the client runs, so that the client can be asked to work again.
    pub fn is_mendable(self) -> bool {
        self != FaultKind::WrongHost
    }

    /// Whether every operation stays possible under it, if perhaps a slow one.
    pub fn leaves_possible(self) -> bool {
        use ToxicKind::{Bandwidth, Latency, Slicer};
        match self {
            FaultKind::Toxic(toxic) => matches!(toxic.kind, Latency { .. } | Bandwidth { .. } | Slicer { .. }),
            FaultKind::Certificate(fault) => fault == CertificateFault::Renewed,
            FaultKind::Throttle(_) => true,
            _ => false,
        }
    }

    /// Whether new connections are kept out at the gateway, so that whatever else needs its door must wait.
    pub fn shuts_door(self) -> bool {
        use FaultKind::{Hang, Herd, Kill, MiddleboxRestart, Refuse, Reject, Restart};
        match self {
            Refuse | Hang | Reject | MiddleboxRestart | Restart(_) | Kill | Herd => true,
            FaultKind::Failover(failover) => failover == Failover::Promote,
            _ => false,
        }
    }

    /// Whether operations that fail while it is in force bear witness to it, beside what the nemesis sees.
    pub fn is_felt(self) -> bool {
        match self {
            FaultKind::Failover(failover) => failover.is_felt(),
            kind => kind == FaultKind::WrongHost || kind.shuts_door(),
        }
    }

    /// Whether the fault is one of a program in the path, so that there must be one.
    pub fn is_of_middlebox(self) -> bool {
        matches!(self, FaultKind::IdleExpiry | FaultKind::MiddleboxRestart)
    }

    /// Whether the server loses its memory, so that only what it had flushed to disk survives.
    pub fn crashes_server(self) -> bool {
        use FaultKind::{CrashBackend, ExhaustMemory, FillDisk, Kill, LongRecovery, Restart};
        match self {
            Restart(StopMode::Immediate) | Kill | LongRecovery | CrashBackend | ExhaustMemory | FillDisk => true,
            FaultKind::Failover(failover) => failover == Failover::Promote,
            _ => false,
        }
    }

    /// What distinguishes it from others of its word; empty where there is nothing.
    fn details(self) -> String {
        match self {
            FaultKind::CloseRepeatedly { every } | FaultKind::ResetRepeatedly { every } => {
                format!("every {}", exact(every))
            }
            FaultKind::CutPoint(CutPoint { point, strike, times }) => {
                let times = times.map(|times| format!(", {times} times")).unwrap_or_default();
                format!("{}, {}{times}", word_of(&Point::ALL, point), word_of(&Strike::ALL, strike))
            }
            FaultKind::Toxic(toxic) => details_of(toxic),
            FaultKind::Blackhole { stream, scope } => {
                let mut details = Vec::new();
                details.extend((stream != Stream::Both).then(|| word_of(&Stream::ALL, stream).to_owned()));
                details.extend((scope != Scope::Every).then(|| format!("{} connections", word_of(&Scope::ALL, scope))));
                details.join(", ")
            }
            FaultKind::PacketLoss(share) => format!("{} of them", share.as_f64()),
            FaultKind::RejectIcmp(code) => code.word().to_owned(),
            FaultKind::IdleClose { .. } | FaultKind::IdleReset { .. } | FaultKind::IdleDrop { .. } => {
                self.idle_time().map(|after| exact(after).to_string()).unwrap_or_default()
            }
            FaultKind::Restart(mode) => word_of(&StopMode::ALL, mode).to_owned(),
            FaultKind::Throttle(share) => format!("{} of it", share.as_f64()),
            FaultKind::ServerTimeout { after, .. } => exact(after).to_string(),
            _ => String::new(),
        }
    }
}

/// What a toxic does, and to what, where that is not everything.
fn details_of(toxic: Toxic) -> String {
    let mut details = Vec::new();
    match toxic.kind {
        ToxicKind::Latency { delay, jitter } if jitter.is_zero() => details.push(exact(delay).to_string()),
        ToxicKind::Latency { delay, jitter } => details.push(format!("{} ± {}", exact(delay), exact(jitter))),
        ToxicKind::Bandwidth { bytes_per_second } => details.push(format!("{bytes_per_second} bytes/s")),
        ToxicKind::Slicer { average, variation, pause } => {
            details.push(format!("{average} ± {variation} bytes"));
            details.push(format!("{} apart", exact(pause)));
        }
        ToxicKind::Limit { bytes } => details.push(format!("{bytes} bytes")),
        ToxicKind::Stall { close_after } => {
            details.extend(close_after.map(|after| format!("closed after {}", exact(after))));
        }
        ToxicKind::SlowClose { delay } => details.push(exact(delay).to_string()),
        ToxicKind::Reset { after } => details.push(exact(after).to_string()),
    }
    if toxic.stream != Stream::Both {
        details.push(word_of(&Stream::ALL, toxic.stream).to_owned());
    }
    if toxic.scope != Scope::Every {
        details.push(format!("{} connections", word_of(&Scope::ALL, toxic.scope)));
    }
    if toxic.toxicity != Share::ALL {
        details.push(format!("{} of them", toxic.toxicity.as_f64()));
    }
    details.join(", ")
}

/// The word of a meaning, out of a list of all.
pub(crate) fn word_of<T: PartialEq>(known: &[(&'static str, T)], meaning: T) -> &'static str {
    known.iter().find(|(_, known)| *known == meaning).map_or("?", |(word, _)| word)
}

impl From<ToxicKind> for FaultKind {
    /// On both links of every connection.
    fn from(kind: ToxicKind) -> FaultKind {
        FaultKind::Toxic(kind.into())
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.details() {
            details if details.is_empty() => f.write_str(self.word()),
            details => write!(f, "{} ({details})", self.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn kinds_are_told_apart_in_words() {
        let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
        let latency = Toxic::from(ToxicKind::Latency { delay: ms(200), jitter: ms(50) });
        let stall = Toxic::from(ToxicKind::Stall { close_after: None });
        let some = Toxic { scope: Scope::Established, toxicity: Share::new(0.5).unwrap(), ..stall };
        let slicer = ToxicKind::Slicer { average: 64, variation: 16, pause: ms(10) };
        let expected = [
            (FaultKind::Restart(StopMode::Immediate), "restart (immediate)"),
            (FaultKind::Reset, "reset"),
            (FaultKind::ResetRepeatedly { every: ms(500) }, "reset (every 500ms)"),
            (FaultKind::CutPoint(cut), "cut-point (commit-reply, reset)"),
            (FaultKind::CutPoint(CutPoint { times: Some(3), ..cut }), "cut-point (commit-reply, reset, 3 times)"),
            (FaultKind::Toxic(latency), "latency (200ms ± 50ms)"),
            (FaultKind::Toxic(Toxic { stream: Stream::Upstream, ..latency }), "latency (200ms ± 50ms, upstream)"),
            (FaultKind::Toxic(stall), "stall"),
            (FaultKind::Toxic(some), "stall (established connections, 0.5 of them)"),
            (slicer.into(), "slicer (64 ± 16 bytes, 10ms apart)"),
            (FaultKind::IdleClose { after: ms(2_000) }, "idle-close (2s)"),
        ];
        for (kind, words) in expected {
            assert_eq!(kind.to_string(), words);
        }
    }

    #[test]
    fn what_is_stored_is_readable_and_is_read() {
        let latency = Toxic::from(ToxicKind::Latency { delay: ms(200), jitter: ms(50) });
        let cut = CutPoint { point: Point::CommitReply, strike: Strike::Reset, times: None };
        let expected = [
            (FaultKind::HalfOpen, r#""half-open""#),
            (FaultKind::ResetRepeatedly { every: ms(500) }, r#"{"reset-repeatedly":{"every_us":500000}}"#),
            (FaultKind::CutPoint(cut), r#"{"cut-point":{"point":"commit-reply","strike":"reset"}}"#),
            (
                FaultKind::Toxic(latency),
                r#"{"toxic":{"kind":{"latency":{"delay_us":200000,"jitter_us":50000}},"stream":"both","scope":"every","toxicity":1000000}}"#,
            ),
            (FaultKind::IdleReset { after: ms(2_000) }, r#"{"idle-reset":{"after_us":2000000}}"#),
        ];
        for (kind, stored) in expected {
            assert_eq!(serde_json::to_string(&kind).unwrap(), stored);
            assert_eq!(serde_json::from_str::<FaultKind>(stored).unwrap(), kind);
        }
    }
}
