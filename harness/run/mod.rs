//! One run: its phases from calibration to audit, and the tasks that run beside the client during them.
//!
//! `phases` is the order of events, over an environment of real or simulated servers. `workload` drives the client,
//! `wire_observer` records an application that cannot be driven, `listen_notify` sends notifications, `host_load`
//! samples the machine, `audit` reads the ledger afterwards, and `artifacts` stores the files of a run.

pub(crate) mod artifacts;
pub(crate) mod audit;
pub(crate) mod host_load;
pub(crate) mod listen_notify;
pub(crate) mod phases;
pub(crate) mod wire_observer;
pub(crate) mod workload;
