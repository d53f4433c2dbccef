//! What shows afterwards: the ledger, and the log.

use std::collections::BTreeMap;

use super::Postgres;
use crate::gateway::transport::Host;
use crate::server::LogLine;

impl<H: Host> Postgres<H> {
    /// Everything in the ledger, as runs `(first key, last key, copies)`, ascending.
    pub fn ledger(&self) -> Vec<(i64, i64, u64)> {
        self.servers()[self.index].store.runs()
    }

    /// What it has logged from this line on, oldest first.
    pub fn log(&self, from: usize) -> Vec<LogLine> {
        self.servers()[self.index].log.get(from..).unwrap_or_default().to_vec()
    }

    /// What a role was told that was wrong, by SQLSTATE; refusals at sign-in included.
    pub fn errors(&self, role: &str) -> BTreeMap<String, u64> {
        let mut errors = BTreeMap::new();
        for line in &self.servers()[self.index].log {
            if line.role == role && line.sqlstate != "00000" {
                *errors.entry(line.sqlstate.clone()).or_default() += 1;
            }
        }
        errors
    }

    /// How often a role was told this.
    pub fn told(&self, role: &str, sqlstate: &str) -> usize {
        let servers = self.servers();
        servers[self.index].log.iter().filter(|line| line.role == role && line.sqlstate == sqlstate).count()
    }
}
