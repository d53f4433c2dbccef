//! Addresses of which the first is no good, from the start and for good.

use async_trait::async_trait;

use super::super::packets;
use super::{Injection, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::gateway::Gateway;
use crate::model::fault::Failover;
use crate::model::history::Evidence;
use crate::model::topology::Host;
use crate::netns::Filter;

/// Sessions of a role.
const COUNT: &str = "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND backend_type = 'client backend'";

/// An arrangement of addresses. It is over once the client has had time to settle, but nothing is mended: what is asked
/// is whether the client works with it.
pub(super) struct Arranging {
    what: Failover,
    /// Those who had come to the first address, and to the primary's, before the client.
    before: (u64, u64),
    dropped_before: u64,
    /// What drops SYNs on the kernel plane; for good.
    filter: Option<Filter>,
    /// The client's sessions on the primary once it had settled.
    settled: usize,
}

impl Arranging {
    pub fn new(what: Failover) -> Arranging {
        Arranging { what, before: (0, 0), dropped_before: 0, filter: None, settled: 0 }
    }

    fn host(&self) -> Host {
        if self.what == Failover::StandbyFirst { Host::Standby } else { Host::Nobody }
    }
}

fn door(environment: &Environment, host: Host) -> Result<&Gateway, NemesisError> {
    environment.door(host).ok_or_else(|| NemesisError::NotInForce("the client has no such address".into()))
}

#[async_trait]
impl Injection for Arranging {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let (first, primary) = (door(environment, self.host())?, door(environment, Host::Primary)?);
        self.before = (first.clients_accepted(), primary.clients_accepted());
        match (self.what, &environment.kernel) {
            (Failover::DeadHangs, Some(kernel)) => {
                let server = first.address().ip();
                let rules: Vec<_> = packets::unanswered().iter().map(|rule| rule.for_server(server)).collect();
                self.filter = Some(kernel.install(&rules).await?);
            }
            (Failover::DeadHangs, None) => {
                self.dropped_before = first.syns_dropped().await;
                first.hang().await?;
            }
            (Failover::DeadRefuses, _) => first.refuse().await?,
            _ => {}
        }
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let session = environment.server().superuser().connect().await?;
        self.settled = session.count(COUNT, &[&environment.address.user]).await?;
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let (first, primary) = (door(environment, self.host())?, door(environment, Host::Primary)?);
        let dropped = match (&environment.kernel, &self.filter) {
            (Some(kernel), Some(filter)) => kernel.count(filter).await?.into_iter().map(|(_, count)| count).sum(),
            _ => first.syns_dropped().await - self.dropped_before,
        };
        let came = (first.clients_accepted() - self.before.0, primary.clients_accepted() - self.before.1);
        Ok(arranged(self.what, dropped, came, self.settled))
    }
}

/// What shows that an arrangement has met the client: SYNs dropped at the first address, those who have come to it and to
/// the primary's since, and the client's sessions on the primary once it had settled.
pub(crate) fn arranged(what: Failover, dropped: u64, came: (u64, u64), settled: usize) -> Vec<Evidence> {
    let met = match what {
        Failover::DeadHangs => decisive("SYNs dropped", dropped as usize),
        // Refused by the kernel, which counts nothing; but who comes to the second address has met the first. What
        // operations felt speaks for those who never came.
        Failover::DeadRefuses => decisive("connections to the second address", came.1 as usize),
        _ => decisive("connections to the standby's address", came.0 as usize),
    };
    vec![met, supporting("sessions on the primary once settled", settled)]
}
