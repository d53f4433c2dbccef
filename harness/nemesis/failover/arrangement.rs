//! Several addresses, of which the first does not lead to the primary from the start, and for the whole run.

use std::time::Duration;

use async_trait::async_trait;

use super::super::packets;
use super::{Injection, NemesisError, decisive, supporting};
use crate::environment::{DropCount, Environment};
use crate::gateway::Gateway;
use crate::model::fault::Failover;
use crate::model::history::Evidence;
use crate::model::topology::Host;
use crate::netns::Filter;

/// What drops SYNs to the first address. None of them is ever removed.
enum Dropping {
    Kernel(Filter),
    Simulated(DropCount),
    /// The gateway, by its full backlog; with its number of dropped SYNs before.
    Gateway(u64),
}

/// The arrangement of addresses. The fault ends once the client has had time to settle, but heal changes nothing: the
/// scenario is about whether the client works with the arrangement.
pub(super) struct Arranging {
    what: Failover,
    /// Connections accepted at the first address, and at the primary's, before the injection.
    before: (u64, u64),
    dropping: Option<Dropping>,
    /// Number of the client's sessions on the primary at heal.
    settled: usize,
}

impl Arranging {
    pub fn new(what: Failover) -> Arranging {
        Arranging { what, before: (0, 0), dropping: None, settled: 0 }
    }

    /// Returns the host at the first address.
    fn host(&self) -> Host {
        if self.what == Failover::StandbyFirst { Host::Standby } else { Host::Nobody }
    }
}

fn gateway(environment: &Environment, host: Host) -> Result<&Gateway, NemesisError> {
    environment.gateway_of(host).ok_or_else(|| NemesisError::NotInForce("the client has no such address".into()))
}

#[async_trait]
impl Injection for Arranging {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let (first, primary) = (gateway(environment, self.host())?, gateway(environment, Host::Primary)?);
        self.before = (first.clients_accepted(), primary.clients_accepted());
        let server = first.address().ip();
        match self.what {
            Failover::DeadHangs => {
                self.dropping = Some(match (&environment.kernel, &environment.simulated) {
                    (Some(kernel), _) => {
                        let rules: Vec<_> = packets::unanswered().iter().map(|rule| rule.for_server(server)).collect();
                        Dropping::Kernel(kernel.install(&rules).await?)
                    }
                    (None, Some(simulated)) => Dropping::Simulated(simulated.drop_syns(server)?),
                    (None, None) => {
                        let before = first.syns_dropped().await;
                        first.hang().await?;
                        Dropping::Gateway(before)
                    }
                });
            }
            Failover::DeadRefuses => first.refuse().await?,
            _ => {}
        }
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.settled = environment.server().sessions(Duration::ZERO).await?.open as usize;
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let (first, primary) = (gateway(environment, self.host())?, gateway(environment, Host::Primary)?);
        let dropped: u64 = match (&self.dropping, &environment.kernel) {
            (Some(Dropping::Kernel(filter)), Some(kernel)) => {
                kernel.count(filter).await?.into_iter().map(|(_, count)| count).sum()
            }
            (Some(Dropping::Simulated(count)), _) => count()?,
            (Some(Dropping::Gateway(before)), _) => first.syns_dropped().await - before,
            _ => 0,
        };
        let met = match self.what {
            Failover::DeadHangs => decisive("SYNs dropped", dropped as usize),
            // The kernel refuses, and counts nothing. A client that connects to the second address has tried the
            // first; whether any other client did, its operations show.
            Failover::DeadRefuses => {
                decisive("connections to the second address", (primary.clients_accepted() - self.before.1) as usize)
            }
            _ => decisive("connections to the standby's address", (first.clients_accepted() - self.before.0) as usize),
        };
        Ok(vec![met, supporting("sessions on the primary once settled", self.settled)])
    }
}
