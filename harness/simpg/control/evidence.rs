//! The ledger and the log of a simulated server.

#[cfg(test)]
use std::collections::BTreeMap;

use super::Postgres;
use crate::gateway::transport::Host;
use crate::server::LogLine;

impl<H: Host> Postgres<H> {
    /// Everything in the ledger, as runs `(first key, last key, copies)`, ascending.
    pub fn ledger(&self) -> Vec<(i64, i64, u64)> {
        self.servers()[self.index].store.runs()
    }

    /// Lines of its log from this one on, oldest first.
    pub fn log(&self, from: usize) -> Vec<LogLine> {
        self.servers()[self.index].log.get(from..).unwrap_or_default().to_vec()
    }

    /// Errors that a role got, by SQLSTATE; refusals at sign-in included.
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

    /// How many errors of this code a role got.
    #[cfg(test)]
    pub fn told(&self, role: &str, sqlstate: &str) -> usize {
        let servers = self.servers();
        servers[self.index].log.iter().filter(|line| line.role == role && line.sqlstate == sqlstate).count()
    }
}
