//! Faults done to packets: rules of the simulated network's filter, which counts.

use async_trait::async_trait;
use tokio::time::{Duration, sleep};

use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::history::Evidence;
use crate::nemesis::{Injection, NemesisError, decisive, supporting};
use crate::simnet::{Filter, FilterRule, Installed, SERVERS};

/// Counts which prove that a device has met the client: it has forgotten a flow, or would have but for its probes. Packets
/// dropped afterwards only show that it was there.
const OF_DEVICES: [&str; 2] = ["flows expired", "flows kept alive by probes"];

/// The count of packets of connections that a fault leaves alone.
const LET_THROUGH: &str = "packets let through";

/// A rule of the filter in force until heal.
pub(super) struct Filtering {
    filter: Filter,
    what: FilterRule,
    /// Whether only the first of the client's addresses is concerned, as with a fault of the gateway.
    first: bool,
    /// Whether open connections are reset once new ones are blocked.
    resets: bool,
    reset: usize,
    imposed: Option<Installed>,
}

impl Filtering {
    pub fn new(filter: Filter, what: FilterRule) -> Filtering {
        let first = matches!(what, FilterRule::DropSyns | FilterRule::Reject | FilterRule::DeadFlows(_));
        Filtering { filter, what, first, resets: what == FilterRule::DropSyns, reset: 0, imposed: None }
    }
}

#[async_trait]
impl Injection for Filtering {
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

/// Every connection half open: the gateway resets its connections, and the filter keeps that from the client. From then on
/// the gateway's kernel knows nothing of them, and answers each of their packets with an RST.
pub(super) struct HalfOpening {
    filter: Filter,
    watching: Option<Installed>,
    gone: usize,
}

impl HalfOpening {
    pub fn new(filter: Filter) -> HalfOpening {
        HalfOpening { filter, watching: None, gone: 0 }
    }
}

#[async_trait]
impl Injection for HalfOpening {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.watching = Some(self.filter.install(FilterRule::CountResets, Some(SERVERS[0]))?);
        // The newer rule comes first: what is kept back is not counted as sent.
        let hiding = self.filter.install(FilterRule::KeepBackResets, Some(SERVERS[0]))?;
        self.gone = environment.gateway.cut(Cut::Reset).await;
        // An RST is sent off in the same instant; one tick of the clock lets it pass the filter.
        sleep(Duration::from_millis(1)).await;
        Ok(self.filter.remove(hiding)?)
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let Some(watching) = self.watching else { return Ok(Vec::new()) };
        let sent: u64 = self.filter.count(watching)?.into_iter().map(|(_, count)| count).sum();
        Ok(vec![decisive("RSTs sent", sent as usize), supporting("connections half open", self.gone)])
    }
}
