//! The server's own access list: a `pg_hba.conf` that does not admit the client, or only a range of addresses.
//!
//! Unlike a firewall in the path, which is a fault of the network, the server answers, and says why it refuses.

use std::net::Ipv4Addr;

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::control::{AddressRange, Admission};

/// Only the harness's own sessions are admitted until heal, and the client's sessions are terminated.
#[derive(Default)]
pub(super) struct DenyingHost {
    ended: usize,
    log: LogWatch,
}

#[async_trait]
impl Injection for DenyingHost {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        environment.server().admit(Admission::Nobody).await?;
        self.ended = environment.server().terminate_sessions().await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.server().admit(Admission::AsBefore).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        refusals(&self.log, self.ended, environment).await
    }
}

/// Only a range next to the client's address is admitted, and the client's sessions are terminated. Heal admits every
/// address, then only the client's, which stays so.
#[derive(Default)]
pub(super) struct DenyingRange {
    /// The client's address, as the server sees it.
    client: Option<Ipv4Addr>,
    ended: usize,
    log: LogWatch,
    /// The ranges that have been in force, in this order.
    ranges: Vec<AddressRange>,
}

impl DenyingRange {
    async fn admit(&mut self, environment: &Environment, range: AddressRange) -> Result<(), NemesisError> {
        environment.server().admit(Admission::From(range)).await?;
        self.ranges.push(range);
        Ok(())
    }

    fn client(&self) -> Result<Ipv4Addr, NemesisError> {
        self.client.ok_or_else(|| NemesisError::NotInForce("the client's address is not known".into()))
    }
}

#[async_trait]
impl Injection for DenyingRange {
    async fn arm(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.client = Some(environment.server().client_address().await?);
        Ok(())
    }

    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        self.admit(environment, AddressRange::beside(self.client()?)).await?;
        self.ended = environment.server().terminate_sessions().await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.admit(environment, AddressRange::ALL).await?;
        self.admit(environment, AddressRange::only(self.client()?)).await
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let mut found = refusals(&self.log, self.ended, environment).await?;
        found.extend(self.ranges.iter().map(|range| supporting(&format!("range {range} in force"), 1)));
        Ok(found)
    }
}

async fn refusals(log: &LogWatch, ended: usize, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
    let refused = log.count_errors(environment, "28000").await?;
    Ok(vec![decisive("sign-ins refused with 28000", refused), supporting("sessions terminated", ended)])
}
