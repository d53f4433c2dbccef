//! A packet filter in force until heal.
//!
//! Evidence counts packets between the client and its servers' port and nothing else: DNS and the harness's own
//! queries never pass there. A fault on new connections is shown to spare the established ones by their packets. Under
//! packet loss connections are also reset once, because whether 20 % of loss alone breaks one is chance.

use async_trait::async_trait;

use super::super::{Injection, NemesisError, supporting};
use super::kernel;
use super::rules::LET_THROUGH;
use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::history::Evidence;
use crate::netns::{Filter, PacketRule};

/// Rules, and the filter in which they are in force.
pub(crate) struct Filtering {
    rules: Vec<PacketRule>,
    /// Whether only the first of the client's addresses is concerned, as with a fault of the gateway.
    first: bool,
    /// Whether open connections are reset once new ones are blocked.
    resets: bool,
    reset: usize,
    filter: Option<Filter>,
}

impl Filtering {
    pub fn new(rules: Vec<PacketRule>) -> Filtering {
        Filtering { rules, first: false, resets: false, reset: 0, filter: None }
    }

    /// Of the first of the client's addresses alone, so that both planes do the same.
    pub fn of_first(rules: Vec<PacketRule>) -> Filtering {
        Filtering { first: true, ..Filtering::new(rules) }
    }

    /// Resets every connection as soon as it is in force.
    pub fn then_reset(self) -> Filtering {
        Filtering { resets: true, ..self }
    }
}

#[async_trait]
impl Injection for Filtering {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let server = environment.gateway.address().ip();
        let rules: Vec<_> = match self.first {
            true => self.rules.iter().map(|rule| rule.for_server(server)).collect(),
            false => self.rules.clone(),
        };
        self.filter = Some(kernel(environment)?.install(&rules).await?);
        if self.resets {
            self.reset = environment.gateway.cut(Cut::Reset).await;
        }
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        if let Some(filter) = &self.filter {
            kernel(environment)?.remove(filter).await?;
        }
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let Some(filter) = &self.filter else { return Ok(Vec::new()) };
        let counted = kernel(environment)?.count(filter).await?;
        let mut found: Vec<_> = counted
            .into_iter()
            .map(|(what, count)| Evidence { what: what.to_owned(), count, decisive: what != LET_THROUGH })
            .collect();
        if self.resets {
            found.push(supporting("sockets reset", self.reset));
        }
        Ok(found)
    }
}
