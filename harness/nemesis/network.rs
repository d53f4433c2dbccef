//! Faults of the path: connections cut, bytes held.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Injection, NemesisError, decisive};
use crate::environment::Environment;
use crate::environment::network::{Cut, Rule, What};
use crate::fault::ToxicKind;
use crate::history::Evidence;

/// FIN or RST on every open connection.
pub(super) struct Cutting {
    cut: Cut,
    ended: usize,
}

impl Cutting {
    pub fn new(cut: Cut) -> Cutting {
        Cutting { cut, ended: 0 }
    }
}

#[async_trait]
impl Injection for Cutting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.ended = environment.gateway.cut(self.cut).await;
        Ok(())
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let what = match self.cut {
            Cut::Close => "sockets closed",
            Cut::Reset => "sockets reset",
        };
        Ok(vec![decisive(what, self.ended)])
    }
}

/// Bytes held on every connection, old and new.
#[derive(Default)]
pub(super) struct Stalling {
    rule: Option<Arc<Rule>>,
}

#[async_trait]
impl Injection for Stalling {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let toxic = What::Toxic(ToxicKind::Stall { close_after: None }.into());
        self.rule = Some(environment.gateway.impose("stall", toxic).await);
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        if let Some(rule) = &self.rule {
            environment.gateway.lift(rule).await;
        }
        Ok(())
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let withheld = self.rule.as_ref().map_or(0, |rule| rule.tally.bytes());
        Ok(vec![decisive("bytes withheld", withheld as usize)])
    }
}
