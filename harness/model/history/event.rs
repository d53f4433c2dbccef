//! The events of a history.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConnectionChange, Op, OpError, RunSetup};
use crate::model::budget::Budget;
use crate::model::fault::{Class, Fault};
use crate::model::middlebox::Middlebox;
use crate::model::pace::Pace;
use crate::model::time::{micros, optional_micros};
use crate::model::topology::Topology;

/// The header of a history: every part of the plan that the judge needs, so that a history can be judged without other
/// files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the stored form.
    pub format: u32,
    /// The version of pgsquall that recorded it.
    pub pgsquall: String,
    /// In JSON its fields stand among those of the header.
    #[serde(flatten)]
    pub setup: RunSetup,
    pub title: String,
    pub class: Class,
    pub faults: Vec<Fault>,
    /// Whether the first fault is in force before the client starts, so that there is no steady state.
    pub precedes_client: bool,
    pub budget: Budget,
    pub load: Pace,
    /// The middlebox in the path to the server, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub middlebox: Option<Middlebox>,
    /// The topology beyond a plain server.
    #[serde(default, skip_serializing_if = "Topology::is_plain")]
    pub layout: Topology,
}

/// An application that is only watched: it does its own work, and is judged by its traffic through the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Application {
    /// The command whose exit status tells whether the application is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// The command that sends requests to the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    /// Capabilities that the user declares, by their words in a client's hello.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

/// Facts about the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// `local`, `docker` or `external`.
    pub kind: String,
    /// As the server prints it, `15.18`.
    pub version: String,
    /// The folder of its binaries, its image, or its host.
    pub origin: String,
}

/// Facts about the client under test, mostly from its hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFacts {
    pub name: String,
    pub version: String,
    /// The number of operations that it can run at once: the size of its pool. If a scenario starts more, some wait
    /// for a connection.
    pub concurrency: u32,
    pub capabilities: Vec<String>,
    /// The client's own time limit for one operation, if it declares one.
    #[serde(rename = "timeout_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}

/// The stages of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Calibrate,
    SteadyState,
    Observe,
    Settle,
    Audit,
}

/// The progress of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultStep {
    /// The nemesis begins to inject it.
    Injecting,
    /// It is known to be in force.
    InForce,
    /// The nemesis begins to heal it.
    Healing,
    /// The environment is known to work again.
    Healed,
    /// The nemesis could not inject or heal it.
    Failed { reason: String },
}

/// An observation that shows the effect of a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// What was counted, in the plural: `sockets reset`.
    pub what: String,
    pub count: u64,
    /// Whether it proves that the fault affected this client; if not, it only shows that the fault was injected.
    pub decisive: bool,
}

/// Sessions that the client holds, counted at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    pub open: u32,
    /// Sessions among these that are idle in a transaction.
    pub idle_in_transaction: u32,
}

/// How a client ended before the harness closed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The process exited: its status in words, and the end of its stderr.
    Exited { status: String, stderr: String },
    /// An in-process client panicked.
    Panicked { message: String },
    /// It broke the adapter protocol, so none of its answers can be trusted.
    Violated { reason: String },
}

/// An exit or a launch of a supervised client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupervisionStep {
    /// Its process exited: its status in words, the end of its stderr, and how long it had run.
    Exited {
        status: String,
        stderr: String,
        #[serde(rename = "lived_us", with = "micros")]
        lived: Duration,
    },
    /// It was launched again, and failed to start.
    Failed { reason: String },
    /// It runs again; `took` is the time since this launch began.
    Restarted {
        #[serde(rename = "took_us", with = "micros")]
        took: Duration,
    },
}

/// One line of a history. `at` is the time since the run's origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The header; always the first line and only there.
    Run(Box<Header>),
    Server(ServerFacts),
    Client(ClientFacts),
    Phase {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        phase: Phase,
    },
    /// Median round trips without a fault: directly to the server, and through the gateway.
    Calibration {
        #[serde(rename = "direct_us", with = "micros")]
        direct: Duration,
        #[serde(rename = "gateway_us", with = "micros")]
        gateway: Duration,
    },
    Op(Op),
    Fault {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        /// Its index in the header's list.
        fault: usize,
        step: FaultStep,
    },
    Evidence {
        fault: usize,
        found: Evidence,
    },
    Connection {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        id: u64,
        change: ConnectionChange,
    },
    /// The gateway began or stopped refusing connections (ECONNREFUSED), as the host of a stopped server does.
    Refusing {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        on: bool,
    },
    /// Sessions counted before the first fault.
    SteadySessions(Sessions),
    /// Sessions counted after the workload ended, before the client was closed.
    SettledSessions(Sessions),
    /// Every key in the ledger, read directly at the audit.
    ///
    /// *Shape*: runs `[first, last, copies]` of neighbouring keys, ascending.
    Ledger {
        runs: Vec<(i64, i64, u64)>,
    },
    /// The ledger of a running server beside the primary: an old primary, or a standby.
    LedgerBeside {
        runs: Vec<(i64, i64, u64)>,
    },
    /// Errors that the servers logged for the client's role, by SQLSTATE.
    ServerErrors(BTreeMap<String, u64>),
    /// A notification was sent to the client's channel: its number, counted from 1.
    Notified {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        number: u64,
    },
    /// The client passed that notification on.
    Heard {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        number: u64,
    },
    /// The client reported that its subscription was lost for a while.
    Gap {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
    },
    /// The client ended its subscription.
    Unsubscribed {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<OpError>,
    },
    ClientEnded {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        how: Ended,
    },
    /// A supervised client exited or was launched again.
    Supervision {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        step: SupervisionStep,
    },
    /// CPU use of the whole machine in the previous second, in percent, without tasks of lower priority.
    Machine {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        busy: u8,
        /// The share of that second in which a runnable task waited for a processor, in percent; `None` if the kernel
        /// does not report it. Tasks of lower priority count here, but not in `busy`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waited: Option<u8>,
    },
    /// A reason not to trust this run, noticed by the harness.
    Doubt {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        reason: String,
    },
    /// The workload has stopped; operations still open are recorded without an end.
    WorkloadEnded {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
    },
}
