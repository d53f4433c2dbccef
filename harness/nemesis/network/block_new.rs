//! New connections blocked at the gateway: refused, or left without an answer.
//!
//! The kernel refuses connections: the gateway stops listening, and keeps a bound socket so that the port stays
//! reserved. The gateway cannot count such attempts.

use std::sync::Arc;

use async_trait::async_trait;

use super::super::{HasGateway, Injection, NemesisError, decisive, supporting};
use crate::gateway::{Cut, DropState, Rule, RuleKind};
use crate::model::history::Evidence;

/// The answer to new connections, and what happens to open ones.
#[derive(Clone, Copy)]
pub(crate) enum BlockMode {
    /// New connections are refused; open ones are reset.
    Refuse,
    /// New connections get no answer; open ones are reset.
    Hang,
    /// New connections are refused; an open one gets an RST for its next packet.
    Reject,
}

/// New connections blocked until heal.
///
/// They are blocked before open connections are reset, because a client could connect again in between.
pub(crate) struct BlockNewConnections {
    mode: BlockMode,
    reset: usize,
    dropped_before: u64,
    forgotten: Option<Arc<Rule>>,
}

impl BlockNewConnections {
    pub fn new(mode: BlockMode) -> BlockNewConnections {
        BlockNewConnections { mode, reset: 0, dropped_before: 0, forgotten: None }
    }
}

#[async_trait]
impl<E: HasGateway + ?Sized> Injection<E> for BlockNewConnections {
    async fn inject(&mut self, environment: &E) -> Result<(), NemesisError> {
        let gateway = environment.gateway();
        self.dropped_before = gateway.syns_dropped().await;
        match self.mode {
            BlockMode::Refuse | BlockMode::Reject => gateway.refuse().await?,
            BlockMode::Hang => gateway.hang().await?,
        }
        match self.mode {
            BlockMode::Refuse | BlockMode::Hang => self.reset = gateway.cut(Cut::Reset).await,
            BlockMode::Reject => {
                self.forgotten = Some(gateway.install("reject", RuleKind::DropState(DropState::Silently)).await)
            }
        }
        Ok(())
    }

    async fn heal(&mut self, environment: &E) -> Result<(), NemesisError> {
        if let Some(forgotten) = &self.forgotten {
            environment.gateway().remove(forgotten).await;
        }
        Ok(environment.gateway().accept().await?)
    }

    async fn evidence(&mut self, environment: &E) -> Result<Vec<Evidence>, NemesisError> {
        let sent = self.forgotten.as_ref().map_or(0, |rule| rule.tally.strikes());
        let dropped = environment.gateway().syns_dropped().await - self.dropped_before;
        Ok(match self.mode {
            BlockMode::Refuse => vec![decisive("sockets reset", self.reset)],
            BlockMode::Hang => {
                vec![decisive("SYNs dropped", dropped as usize), supporting("sockets reset", self.reset)]
            }
            BlockMode::Reject => vec![decisive("RSTs sent", sent as usize)],
        })
    }
}
