//! Faults of the path: connections cut, bytes held.

use async_trait::async_trait;

use super::{Injection, NemesisError, decisive};
use crate::environment::Environment;
use crate::environment::network::{Cut, Toxics};
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
    withheld_before: u64,
}

#[async_trait]
impl Injection for Stalling {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.withheld_before = environment.gateway.bytes_withheld();
        environment.gateway.set_toxics(Toxics { stall: true });
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.gateway.set_toxics(Toxics { stall: false });
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let withheld = environment.gateway.bytes_withheld() - self.withheld_before;
        Ok(vec![decisive("bytes withheld", withheld as usize)])
    }
}
