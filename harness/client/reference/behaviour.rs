//! What distinguishes the built-in clients: each planted defect is the good client with exactly one thing wrong, so
//! that a check that fails it fails it for that thing.

use std::time::Duration;

/// Every choice that a client makes about failures. The default is the good one throughout.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    pub reconnects: Reconnects,
    pub deadlines: Deadlines,
    pub keepalive: Keepalive,
    /// How long the kernel lets sent bytes lie unacknowledged, before it gives the connection up (TCP_USER_TIMEOUT).
    pub user_timeout: Option<Duration>,
    /// Whether a repeated write carries its idempotency key.
    pub repeats_safely: bool,
    /// Whether a write is acknowledged although it failed, in the hope of doing it later.
    pub acknowledges_early: bool,
    pub backs_off: bool,
    /// Whether each reconnect leaves a connection behind that nobody closes.
    pub leaks: bool,
    /// Whether reads, after the first failure, come from a snapshot that is never renewed.
    pub reads_old_snapshot: bool,
    /// Whether everything takes far longer after the first failure.
    pub slows_down: bool,
    pub panics: bool,
    /// How long it waits before a connection that was lost is replaced.
    pub dawdles: Duration,
    pub errors: Errors,
    /// Whether a connection to a server that is read-only is kept.
    pub stays_on_standby: bool,
    /// Whether only the first of several addresses is tried.
    pub first_address_only: bool,
    /// Whether a statement that takes too long is cancelled, and what comes then believed.
    pub believes_cancelled: bool,
    /// Whether a server that is not ready, or has no slot, or whose name does not resolve, is never asked again.
    pub takes_not_yet_for_no: bool,
    /// Whether pauses grow with every failure there ever was, and without a limit.
    pub remembers_failures: bool,
    /// Whether what it verifies and shows in TLS is read once, and never again.
    pub caches_certificates: bool,
    /// Whether the password is read once, and never again.
    pub caches_password: bool,
    /// Whether the server's name is looked up once, and never again.
    pub caches_address: bool,
    /// What becomes of a call that the application cancels.
    pub cancels: Cancels,
    /// Whether those who wait for a connection are told only of one that is given back whole.
    pub starves_waiters: bool,
}

/// What becomes of a call that the application cancels, and of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancels {
    /// It returns at once, and the connection is closed with whatever is under way on it.
    Cleanly,
    /// It returns when it would have ended anyway.
    Late,
    /// It returns at once, and the next call gets the connection, with whatever is under way on it.
    KeepingTheConnection,
}

/// Which lost connections are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reconnects {
    Always,
    Never,
    AllButOneSlot,
}

/// What the caller is told of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errors {
    /// The code, and whether it is worth another try; after having tried.
    Faithful,
    /// That something timed out, whatever happened.
    Swallowed,
    /// The code, and that there is no hope, at once.
    Final,
}

/// The longest waits that the client itself allows. `None`: no limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadlines {
    /// For a connection.
    pub connect: Option<Duration>,
    pub statement: Option<Duration>,
    /// After which an operation that failed is not tried again.
    pub operation: Option<Duration>,
}

impl Deadlines {
    const GOOD: Deadlines = Deadlines {
        // Generous beside a loopback round trip, small beside any outage worth the name.
        connect: Some(Duration::from_secs(2)),
        statement: Some(Duration::from_secs(2)),
        // Several attempts; then the caller should know.
        operation: Some(Duration::from_secs(5)),
    };

    const NONE: Deadlines = Deadlines { connect: None, statement: None, operation: None };

    /// Far above a loopback round trip, and below one across a slow network.
    const IMPATIENT: Deadlines = {
        let soon = Some(Duration::from_millis(100));
        Deadlines { connect: soon, statement: soon, operation: soon }
    };

    /// Whatever runs is left to the kernel.
    const NOT_FOR_STATEMENTS: Deadlines = Deadlines { statement: None, ..Deadlines::GOOD };
}

/// When the kernel asks of an idle connection whether the other side is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keepalive {
    Off,
    /// As the machine has it: after two hours.
    System,
    After {
        idle: Duration,
        interval: Duration,
        probes: u32,
    },
}

impl Keepalive {
    /// The documented 60 s, 10 s and 5 probes, scaled to loopback.
    const GOOD: Keepalive =
        Keepalive::After { idle: Duration::from_secs(2), interval: Duration::from_secs(1), probes: 3 };

    /// The same with all its probes, for a client that has nothing else.
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
            dawdles: Duration::ZERO,
            errors: Errors::Faithful,
            stays_on_standby: false,
            first_address_only: false,
            believes_cancelled: false,
            takes_not_yet_for_no: false,
            remembers_failures: false,
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
        about: "hangs, with the documented TCP keepalive: well-behaved where connections are only forgotten while idle",
        behaviour: || Behaviour {
            deadlines: Deadlines::NONE,
            keepalive: Keepalive::DOCUMENTED,
            user_timeout: None,
            ..Behaviour::default()
        },
    },
    BuiltIn {
        name: "tcp-timeouts",
        about: "leaves statements to the kernel, keepalive and TCP_USER_TIMEOUT: well-behaved where packets are lost, not \
                where a proxy acknowledges what it never delivers",
        behaviour: || Behaviour { deadlines: Deadlines::NOT_FOR_STATEMENTS, ..Behaviour::default() },
    },
    BuiltIn {
        name: "no-keepalive",
        about: "planted defect: no keepalive: waits on LISTEN for a server that cannot be heard",
        behaviour: || Behaviour { keepalive: Keepalive::Off, ..Behaviour::default() },
    },
    BuiltIn {
        name: "keepalive-alone",
        about: "planted defect: keepalive, but nothing that ends a query in flight",
        behaviour: || Behaviour {
            deadlines: Deadlines::NOT_FOR_STATEMENTS,
            user_timeout: None,
            ..Behaviour::default()
        },
    },
    BuiltIn {
        name: "no-connect-timeout",
        about: "planted defect: waits for a connect as long as the kernel does",
        behaviour: || Behaviour { deadlines: Deadlines { connect: None, ..Deadlines::GOOD }, ..Behaviour::default() },
    },
    BuiltIn {
        name: "impatient",
        about: "planted defect: gives up on anything that takes 100 ms",
        behaviour: || Behaviour { deadlines: Deadlines::IMPATIENT, ..Behaviour::default() },
    },
    BuiltIn {
        name: "retries-unsafely",
        about: "planted defect: repeats writes whose outcome it does not know",
        behaviour: || Behaviour { repeats_safely: false, ..Behaviour::default() },
    },
    BuiltIn {
        name: "acknowledges-early",
        about: "planted defect: says ok before the write is safe",
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
        about: "planted defect: comes back at a fraction of its speed",
        behaviour: || Behaviour { slows_down: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "dawdles",
        about: "waits for two seconds before it replaces a connection: well-behaved, and worse than it was if that is new",
        behaviour: || Behaviour { dawdles: Duration::from_secs(2), ..Behaviour::default() },
    },
    BuiltIn {
        name: "panics",
        about: "planted defect: dies of a lost connection",
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
        about: "planted defect: cancels a commit that waits for a standby, and takes the answer for success",
        behaviour: || Behaviour { believes_cancelled: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "gives-up-for-ever",
        about: "planted defect: never asks again where it was told 57P03 or 53300, or a name did not resolve",
        behaviour: || Behaviour { takes_not_yet_for_no: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "backoff-never-resets",
        about: "planted defect: each pause is longer than the one before, also after a success",
        behaviour: || Behaviour { remembers_failures: true, ..Behaviour::default() },
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
        about: "planted defect: looks its server's name up once, and never again",
        behaviour: || Behaviour { caches_address: true, ..Behaviour::default() },
    },
    BuiltIn {
        name: "cancels-late",
        about: "planted defect: a call that the application cancels returns when it would have ended anyway",
        behaviour: || Behaviour { cancels: Cancels::Late, ..Behaviour::default() },
    },
    BuiltIn {
        name: "keeps-cancelled",
        about: "planted defect: a cancelled call's connection is used again, in whatever transaction it was left",
        behaviour: || Behaviour { cancels: Cancels::KeepingTheConnection, ..Behaviour::default() },
    },
    BuiltIn {
        name: "starves-waiters",
        about: "planted defect: who waits for a connection is not woken when a broken one is thrown away",
        behaviour: || Behaviour { starves_waiters: true, ..Behaviour::default() },
    },
];
