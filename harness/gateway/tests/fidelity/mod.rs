//! How true the gateway is to a real network, row by row: what each fault is, as either peer sees it on a real socket.

mod ends;
mod forgotten;
mod hanging;
mod idle;
mod points;

use super::*;
use crate::gateway::{Cut, DropState, Expiry, Rule, RuleKind};

/// Puts a rule in force.
async fn install(bench: &Bench, what: RuleKind) -> Arc<Rule> {
    in_time(bench.gateway.install("rule", what)).await
}
