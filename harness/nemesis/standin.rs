//! Stand-in for the gateway that is being rebuilt; goes with the merge.

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub(super) use crate::environment::network::Cut;
use crate::environment::network::Gateway;
use crate::fault::{CutPoint, Toxic};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    Toxic(Toxic),
    CutPoint(CutPoint),
    Forget(Forget),
    Idle { after: Duration, then: Expiry },
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forget {
    ServerSide,
    Silently,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Cut(Cut),
    Forget,
}
#[derive(Debug, Default)]
pub(crate) struct Tally;
impl Tally {
    pub fn bytes(&self) -> u64 {
        0
    }
    pub fn strikes(&self) -> u64 {
        0
    }
}
#[derive(Debug, Default)]
pub(crate) struct Rule {
    pub tally: Tally,
}
impl Gateway {
    pub async fn impose(&self, _name: &str, _what: What) -> Arc<Rule> {
        Arc::default()
    }
    pub async fn lift(&self, _rule: &Rule) {}
    pub async fn hang(&self) -> io::Result<()> {
        Ok(())
    }
    pub fn syns_dropped(&self) -> u64 {
        0
    }
}
