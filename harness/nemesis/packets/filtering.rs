//! A packet filter in force until heal.
//!
//! Evidence counts only packets between the client and the port of its servers: DNS and the harness's own queries do
//! not pass the filter there. For a fault of new connections, the packets of established ones are counted too, as
//! supporting evidence that they were spared.

use async_trait::async_trait;

use super::super::{Injection, NemesisError, supporting};
use super::kernel;
use super::rules::LET_THROUGH;
use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::history::Evidence;
use crate::netns::{Filter, PacketRule};

/// Rules in force until heal.
pub(crate) struct Filtering {
    rules: Vec<PacketRule>,
    /// Whether the rules apply only to the first of the client's addresses, as a fault of its gateway does.
    first: bool,
    /// Whether open connections are reset once the rules are in force.
    resets: bool,
    reset: usize,
    filter: Option<Filter>,
}

impl Filtering {
    /// Applies the rules to every address of the client.
    pub fn new(rules: Vec<PacketRule>) -> Filtering {
        Filtering { rules, first: false, resets: false, reset: 0, filter: None }
    }

    /// Applies the rules only to the first of the client's addresses, as the proxy plane does.
    pub fn of_first(rules: Vec<PacketRule>) -> Filtering {
        Filtering { first: true, ..Filtering::new(rules) }
    }

    /// Resets every open connection of the client's first address as soon as the rules are in force.
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
