//! Packet faults: rules of the simulated network's filter, whose counters are the evidence.

use async_trait::async_trait;
use tokio::time::{Duration, sleep};

use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::history::Evidence;
use crate::nemesis::{Injection, NemesisError, decisive, supporting};
use crate::simnet::{Filter, FilterRule, Installed, SERVERS};

/// Counters that prove the effect of an idle device on the client: it expired a flow, or keepalive probes prevented
/// that. Packets dropped afterwards are supporting evidence only.
const OF_DEVICES: [&str; 2] = ["flows expired", "flows kept alive by probes"];

/// The counter of packets that a fault lets through; it proves no effect.
const LET_THROUGH: &str = "packets let through";

/// A filter rule that is in force until heal.
pub(super) struct SimulatedFiltering {
    filter: Filter,
    what: FilterRule,
    /// Whether the rule affects only the first of the client's addresses, as faults of the gateway do.
    first: bool,
    /// Whether the gateway resets open connections after the rule is installed.
    resets: bool,
    reset: usize,
    imposed: Option<Installed>,
}

impl SimulatedFiltering {
    pub fn new(filter: Filter, what: FilterRule) -> SimulatedFiltering {
        let first = matches!(what, FilterRule::DropSyns | FilterRule::Reject | FilterRule::DeadFlows(_));
        SimulatedFiltering { filter, what, first, resets: what == FilterRule::DropSyns, reset: 0, imposed: None }
    }
}

#[async_trait]
impl Injection for SimulatedFiltering {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.imposed = Some(self.filter.install(self.what, self.first.then_some(SERVERS[0]))?);
        if self.resets {
            self.reset = environment.gateway.cut(Cut::Reset).await;
        }
        Ok(())
    }

    async fn heal(&mut self, _environment: &Environment) -> Result<(), NemesisError> {
        if let Some(imposed) = self.imposed {
            self.filter.remove(imposed)?;
        }
        Ok(())
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let Some(imposed) = self.imposed else { return Ok(Vec::new()) };
        let proves = |word: &str| match self.what {
            FilterRule::Forget { .. } => OF_DEVICES.contains(&word),
            _ => word != LET_THROUGH,
        };
        let counts = self.filter.count(imposed)?.into_iter();
        let mut found: Vec<_> =
            counts.map(|(what, count)| Evidence { what: what.to_owned(), count, decisive: proves(what) }).collect();
        if self.resets {
            found.push(supporting("sockets reset", self.reset));
        }
        Ok(found)
    }
}

/// Makes every connection half-open: the gateway resets its connections, and the filter drops these RSTs. From then on
/// the gateway's kernel has no such connections, and answers each packet of the client with an RST.
pub(super) struct SimulatedHalfOpening {
    filter: Filter,
    watching: Option<Installed>,
    gone: usize,
}

impl SimulatedHalfOpening {
    pub fn new(filter: Filter) -> SimulatedHalfOpening {
        SimulatedHalfOpening { filter, watching: None, gone: 0 }
    }
}

#[async_trait]
impl Injection for SimulatedHalfOpening {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.watching = Some(self.filter.install(FilterRule::CountResets, Some(SERVERS[0]))?);
        // The newer rule is applied first, so that dropped RSTs are not counted as sent.
        let hiding = self.filter.install(FilterRule::KeepBackResets, Some(SERVERS[0]))?;
        self.gone = environment.gateway.cut(Cut::Reset).await;
        // The RSTs reach the filter within this tick; afterwards the rule must not drop those that answer the client.
        sleep(Duration::from_millis(1)).await;
        Ok(self.filter.remove(hiding)?)
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let Some(watching) = self.watching else { return Ok(Vec::new()) };
        let sent: u64 = self.filter.count(watching)?.into_iter().map(|(_, count)| count).sum();
        Ok(vec![decisive("RSTs sent", sent as usize), supporting("connections half open", self.gone)])
    }
}
