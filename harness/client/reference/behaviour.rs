//! The table of built-in clients. Each differs from the good client in exactly one choice, so a check that fails it
//! fails it for that choice. One choice may take several settings: *hangs* has no deadline of any kind.

use std::time::Duration;

/// A client's choices about failures. The default is the good choice throughout.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    pub reconnects: Reconnects,
    pub deadlines: Deadlines,
    pub keepalive: Keepalive,
    /// How long sent bytes may stay unacknowledged before the kernel gives the connection up (TCP_USER_TIMEOUT).
    pub user_timeout: Option<Duration>,
    /// Whether writes carry an idempotency key, so that a retry inserts no second row.
    pub repeats_safely: bool,
    /// Whether a write is acknowledged although it failed.
    pub acknowledges_early: bool,
    pub backs_off: bool,
    /// Whether each reconnect opens a second connection, which stays open until the client closes.
    pub leaks: bool,
    /// Whether reads, after the first lost connection, come from a snapshot that is renewed only if its connection is
    /// lost.
    pub reads_old_snapshot: bool,
    /// Whether every operation takes far longer after the first lost connection.
    pub slows_down: bool,
    /// Whether the client panics when a connection is lost.
    pub panics: bool,
    /// The pause before a lost connection is replaced.
    pub reconnect_delay: Duration,
    pub errors: Errors,
    /// Whether a connection to a server that is read-only is kept.
    pub stays_on_standby: bool,
    /// Whether only the first of several addresses is tried.
    pub first_address_only: bool,
    /// Whether a slow statement is cancelled, and the reply to the cancellation taken for success.
    pub believes_cancelled: bool,
    /// Whether a slot gives up for good after 57P03 or 53300, or when a name does not resolve.
    pub gives_up_on_transient_refusal: bool,
    /// Whether pauses grow with every failure since the start, without a limit.
    pub never_resets_backoff: bool,
    /// Whether certificates are read once, and never again.
    pub caches_certificates: bool,
    /// Whether the password is read once, and never again.
    pub caches_password: bool,
    /// Whether the server's name is looked up once, and never again.
    pub caches_address: bool,
    /// How a call that the application cancels ends.
    pub cancels: Cancels,
    /// Whether callers that wait for a slot are woken only when an operation without any error returns one.
    pub starves_waiters: bool,
}

/// How a call that the application cancels ends, and whether its connection is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancels {
    /// The call returns at once, and its connection is closed with any statement in progress.
    Cleanly,
    /// The call returns when it would have ended anyway.
    Late,
    /// The call returns at once, and the next call gets the connection, with any statement in progress.
    KeepingTheConnection,
}

/// Which lost connections are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reconnects {
    /// All.
    Always,
    /// None.
    Never,
    /// All but those of the first slot.
    AllButOneSlot,
}

/// The error that the caller receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errors {
    /// The library's error, and whether it is retryable; after the client's own retries.
    Faithful,
    /// A timeout, for every failure.
    Swallowed,
    /// The library's error, marked as not retryable, without a retry.
    Final,
}

/// The client's own time limits. `None`: no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// Of a connection attempt to one host, and of the lookup of one name.
    pub connect: Option<Duration>,
    /// Of a statement, or of all statements of a transaction together.
    pub statement: Option<Duration>,
    /// Of the wait for a slot; also the time after which a failed operation is not retried.
    pub operation: Option<Duration>,
}

impl Deadlines {
    const GOOD: Deadlines = Deadlines {
        // Far longer than a loopback round trip, and shorter than most outages.
        connect: Some(Duration::from_secs(2)),
        statement: Some(Duration::from_secs(2)),
        // Time for several attempts; then the caller should get the error.
        operation: Some(Duration::from_secs(5)),
    };

    const NONE: Deadlines = Deadlines { connect: None, statement: None, operation: None };

    /// Longer than a loopback round trip, and shorter than one across a slow network.
    const IMPATIENT: Deadlines = {
        let soon = Some(Duration::from_millis(100));
        Deadlines { connect: soon, statement: soon, operation: soon }
    };

    /// Statements have no deadline; only the kernel's timeouts can end them.
    const NOT_FOR_STATEMENTS: Deadlines = Deadlines { statement: None, ..Deadlines::GOOD };
}

/// When the kernel probes an idle connection (TCP keepalive).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keepalive {
    Off,
    /// The system's default: after two hours.
    System,
    After {
        idle: Duration,
        interval: Duration,
        probes: u32,
    },
}

impl Keepalive {
    /// The documented 60 s, 10 s and 5 probes, shortened for loopback.
    ///
    /// *Source*: Materialize, "connection closed": keepalive 60/10/5.
    const GOOD: Keepalive =
        Keepalive::After { idle: Duration::from_secs(2), interval: Duration::from_secs(1), probes: 3 };

    /// The documented 5 probes, at intervals of a second, for a client without other timeouts.
    const DOCUMENTED: Keepalive =
        Keepalive::After { idle: Duration::from_secs(1), interval: Duration::from_secs(1), probes: 5 };
}

impl Default for Behaviour {
    fn default() -> Behaviour {
        Behaviour {
            reconnects: Reconnects::Always,
            deadlines: Deadlines::GOOD,
            keepalive: Keepalive::GOOD,
            user_timeout: Some(Duration::from_secs(2)),
            repeats_safely: true,
            acknowledges_early: false,
            backs_off: true,
            leaks: false,
            reads_old_snapshot: false,
            slows_down: false,
            panics: false,
            reconnect_delay: Duration::ZERO,
            errors: Errors::Faithful,
            stays_on_standby: false,
            first_address_only: false,
            believes_cancelled: false,
            gives_up_on_transient_refusal: false,
            never_resets_backoff: false,
            caches_certificates: false,
            caches_password: false,
            caches_address: false,
            cancels: Cancels::Cleanly,
            starves_waiters: false,
        }
    }
}

/// A built-in client.
pub(super) struct BuiltIn {
    pub name: &'static str,
    pub about: &'static str,
    pub behaviour: fn() -> Behaviour,
}

/// Every built-in client; the good one first.
pub(super) const ALL: &[BuiltIn] = &[
    BuiltIn {
        name: "reference",
        about: "recovers well: deadlines, keepalive, jittered backoff, idempotent retry",
        behaviour: Behaviour::default,
    },
    BuiltIn {
        name: "never-reconnects",
        about: "planted defect: a lost connection is never replaced",
        behaviour: || Behaviour { reconnects: Reconnects::Never, ..Behaviour::default() },
    },
    BuiltIn {
        name: "loses-a-slot",
        about: "planted defect: one slot of the pool is never replaced",
        behaviour: || Behaviour { reconnects: Reconnects::AllButOneSlot, ..Behaviour::default() },
    },
    BuiltIn {
        name: "hangs",
        about: "planted defect: no deadline on anything",
        behaviour: || Behaviour {
            deadlines: Deadlines::NONE,
            keepalive: Keepalive::System,
            user_timeout: None,
            ..Behaviour::default()
        },
    },
    BuiltIn {
        name: "keeps-alive",
        about: "hangs, with the documented TCP keepalive: good enough if a middlebox only drops idle connections",
        behaviour: || Behaviour {
            deadlines: Deadlines::NONE,
            keepalive: Keepalive::DOCUMENTED,
            user_timeout: None,
            ..Behaviour::default()
        },
    },
    BuiltIn {
        name: "tcp-timeouts",
        about: "no statement timeout, but keepalive and TCP_USER_TIMEOUT: good enough if packets are lost, not if a proxy \
                acknowledges bytes that it never delivers",
        behaviour: || Behaviour { deadlines: Deadlines::NOT_FOR_STATEMENTS, ..Behaviour::default() },
    },
    BuiltIn {
        name: "no-keepalive",
        about: "planted defect: no keepalive: LISTEN waits for ever for an unreachable server",
        behaviour: || Behaviour { keepalive: Keepalive::Off, ..Behaviour::default() },
    },
    BuiltIn {
        name: "keepalive-alone",
        about: "planted defect: keepalive, but no timeout for a statement in flight",
        behaviour: || Behaviour {
            deadlines: Deadlines::NOT_FOR_STATEMENTS,
            user_timeout: None,
            ..Behaviour::default()
        },
    },
    BuiltIn {
        name: "no-connect-timeout",
        about: "planted defect: no connect timeout but the kernel's",
        behaviour: || Behaviour { deadlines: Deadlines { connect: None, ..Deadlines::GOOD }, ..Behaviour::default() },
    },
    BuiltIn {
        name: "impatient",
        about: "planted defect: every timeout is 100 ms",
        behaviour: || Behaviour { deadlines: Deadlines::IMPATIENT, ..Behaviour::default() },
    },
    BuiltIn {
        name: "retries-unsafely",
        about: "planted defect: retries writes whose outcome is unknown, without an idempotency key",
        behaviour: || Behaviour { repeats_safely: false, ..Behaviour::default() },
    },
    BuiltIn {
        name: "acknowledges-early",
        about: "planted defect: reports success before the write is committed",
        behaviour: || Behaviour { acknowledges_early: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "storms",
        about: "planted defect: reconnects without backoff",
        behaviour: || Behaviour { backs_off: false, ..Behaviour::default() },
    },
    BuiltIn {
        name: "leaks-connections",
        about: "planted defect: each reconnect leaves a session behind",
        behaviour: || Behaviour { leaks: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "reads-old-snapshot",
        about: "planted defect: after a failure, reads come from a snapshot that is never renewed",
        behaviour: || Behaviour { reads_old_snapshot: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "slows-down",
        about: "planted defect: recovers to a fraction of its speed",
        behaviour: || Behaviour { slows_down: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "dawdles",
        about: "waits two seconds before it replaces a connection: passes, but is a regression against a faster baseline",
        behaviour: || Behaviour { reconnect_delay: Duration::from_secs(2), ..Behaviour::default() },
    },
    BuiltIn {
        name: "panics",
        about: "planted defect: panics when a connection is lost",
        behaviour: || Behaviour { panics: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "swallows-errors",
        about: "planted defect: every failure is reported as a timeout",
        behaviour: || Behaviour { errors: Errors::Swallowed, ..Behaviour::default() },
    },
    BuiltIn {
        name: "gives-up",
        about: "planted defect: calls transient errors final",
        behaviour: || Behaviour { errors: Errors::Final, ..Behaviour::default() },
    },
    BuiltIn {
        name: "stays-on-standby",
        about: "planted defect: keeps connections to a server that has become read-only",
        behaviour: || Behaviour { stays_on_standby: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "first-address-only",
        about: "planted defect: tries only the first of its addresses",
        behaviour: || Behaviour { first_address_only: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "believes-cancelled",
        about: "planted defect: cancels a commit that waits for a standby, and takes the reply for success",
        behaviour: || Behaviour { believes_cancelled: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "gives-up-for-ever",
        about: "planted defect: never tries again after 57P03 or 53300, or after a name did not resolve",
        behaviour: || Behaviour { gives_up_on_transient_refusal: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "backoff-never-resets",
        about: "planted defect: each pause is longer than the one before, also after a success",
        behaviour: || Behaviour { never_resets_backoff: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "caches-certificates",
        about: "planted defect: reads its certificates once, and never again",
        behaviour: || Behaviour { caches_certificates: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "caches-password",
        about: "planted defect: reads its password once, and never again",
        behaviour: || Behaviour { caches_password: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "caches-address",
        about: "planted defect: resolves its server's name once, and never again",
        behaviour: || Behaviour { caches_address: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "cancels-late",
        about: "planted defect: a call that the application cancels returns when it would have ended anyway",
        behaviour: || Behaviour { cancels: Cancels::Late, ..Behaviour::default() },
    },
    BuiltIn {
        name: "keeps-cancelled",
        about: "planted defect: reuses a cancelled call's connection, with its transaction still open",
        behaviour: || Behaviour { cancels: Cancels::KeepingTheConnection, ..Behaviour::default() },
    },
    BuiltIn {
        name: "starves-waiters",
        about: "planted defect: callers that wait for a connection are not woken when a broken one is discarded",
        behaviour: || Behaviour { starves_waiters: true, ..Behaviour::default() },
    },
];
