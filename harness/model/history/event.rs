//! The events of a history.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{ConnectionChange, Op, OpError};
use crate::model::budget::Budget;
use crate::model::fault::{Class, DeviceAsked, Fault};
use crate::model::middlebox::Middlebox;
use crate::model::pace::Pace;
use crate::model::plane::Plane;
use crate::model::seed::Seed;
use crate::model::time::{micros, optional_micros};
use crate::model::topology::Topology;

/// The head of a history: everything of the plan that the judge needs, so that a history can be judged alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The version of the stored form.
    pub format: u32,
    /// The version of pgsquall that recorded it.
    pub pgsquall: String,
    /// The scenario as `pgsquall run` takes it: a name, or the path of a file.
    pub scenario: String,
    pub title: String,
    pub class: Class,
    /// The client's name, as `pgsquall run --client` takes it; that of an application is its command line.
    pub client: String,
    /// The settings of an application beyond its command line; `None` for other clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Application>,
    /// The seed of the whole run.
    pub seed: Seed,
    /// Which of `--repeat` this is, from 0.
    pub repeat: u32,
    /// How many repeats share the sweep of the fault's moment.
    pub repeats: u32,
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
    /// Where the faults were brought about.
    #[serde(default)]
    pub plane: Plane,
    /// Whether the user required that plane.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plane_asked: bool,
    /// The device that replaces the scenario's own (`--device`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceAsked>,
    /// Whether a process of the client that exits is launched again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub supervised: bool,
}

/// An application that is only watched: it does work of its own, and is judged by what passes the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Application {
    /// The command that says, by its exit status, whether the application is ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// The command that gives it something to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<String>,
    /// Capabilities by the user's word, as in a client's hello.
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
    /// Where it comes from: a folder of binaries, an image, a host.
    pub origin: String,
}

/// Facts about the client under test, mostly by its hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientFacts {
    pub name: String,
    pub version: String,
    /// Operations that it can carry at once: as many as its pool has connections. Where a scenario asks it more, some
    /// wait in it.
    pub concurrency: u32,
    pub capabilities: Vec<String>,
    /// The longest that it lets one operation take, where it declares that.
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

/// Where a fault has got to.
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
    /// The nemesis could not do its work.
    Failed { reason: String },
}

/// Something observed that shows a fault at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// In plain words, plural: `sockets reset`.
    pub what: String,
    pub count: u64,
    /// Whether it proves that the fault met this client; the rest only shows that something was done.
    pub decisive: bool,
}

/// Sessions that the client holds, counted at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    pub open: u32,
    /// Sessions among these that are idle in a transaction.
    pub idle_in_transaction: u32,
}

/// How a client that should have stayed went away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ended {
    /// The process exited: its status in words, and the end of its stderr.
    Exited { status: String, stderr: String },
    /// An in-process client panicked.
    Panicked { message: String },
    /// It broke the adapter protocol, so that nothing it says can be trusted.
    Violated { reason: String },
}

/// A step in the life of a supervised client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SupervisionStep {
    /// Its process exited: its status in words, the end of its stderr, and how long it had been there.
    Exited {
        status: String,
        stderr: String,
        #[serde(rename = "lived_us", with = "micros")]
        lived: Duration,
    },
    /// It was launched again, and did not come up.
    Failed { reason: String },
    /// It is there again, so long after this launch of it began.
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
    /// Round trips with no fault, direct and through the gateway: medians.
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
        /// Its place in the header's list.
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
    /// The gateway began or ceased to refuse connections (ECONNREFUSED), as a stopped server does.
    Refusing {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        on: bool,
    },
    /// Before the first fault.
    SteadySessions(Sessions),
    /// After the workload ended, before the client was closed.
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
    /// The client handed that notification on.
    Heard {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        number: u64,
    },
    /// The client said that its subscription was lost for a while.
    Gap {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
    },
    /// The client gave its subscription up for good.
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
    /// A process of a supervised client exited, and it is launched again.
    Supervision {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        step: SupervisionStep,
    },
    /// How busy the machine was, with all that runs on it, in the second before: in percent.
    Machine {
        #[serde(rename = "at_us", with = "micros")]
        at: Duration,
        busy: u8,
        /// The part of that second in which something that could run waited for a processor, in percent; `None` where the
        /// kernel does not say. What runs at a lower priority counts here, and not in `busy`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        waited: Option<u8>,
    },
    /// A reason for which the harness does not trust this run.
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
