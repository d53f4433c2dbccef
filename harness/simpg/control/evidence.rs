//! The ledger and the log of a simulated server.

#[cfg(test)]
use std::collections::BTreeMap;

use super::Postgres;
use crate::gateway::transport::Host;
use crate::server::LogLine;

impl<H: Host> Postgres<H> {
    /// The visible rows of the ledger, as runs `(first id, last id, copies)`, ascending.
    pub fn ledger(&self) -> Vec<(i64, i64, u64)> {
        self.servers()[self.index].store.runs()
    }

    /// The lines of the log from index `from` on, oldest first.
    pub fn log(&self, from: usize) -> Vec<LogLine> {
        self.servers()[self.index].log.get(from..).unwrap_or_default().to_vec()
    }

    /// The number of errors and warnings that a role received, by SQLSTATE; refused sign-ins included.
    #[cfg(test)]
    pub fn errors(&self, role: &str) -> BTreeMap<String, u64> {
        let mut errors = BTreeMap::new();
        for line in &self.servers()[self.index].log {
            if line.role == role && line.sqlstate != "00000" {
                *errors.entry(line.sqlstate.clone()).or_default() += 1;
            }
        }
        errors
    }

    /// The number of errors and warnings of this code that a role received.
    #[cfg(test)]
    pub fn told(&self, role: &str, sqlstate: &str) -> usize {
        let servers = self.servers();
        servers[self.index].log.iter().filter(|line| line.role == role && line.sqlstate == sqlstate).count()
    }
}
