//! The server's version, and whether it answers.

use super::super::settings::version;
use super::super::world::Phase;
use super::Postgres;
use crate::gateway::transport::Host;

impl<H: Host> Postgres<H> {
    /// The value of `SHOW server_version`.
    pub fn version(&self) -> &'static str {
        version(self.servers()[self.index].settings.major)
    }

    /// Whether the server would answer a query now.
    pub fn is_answering(&self) -> bool {
        let servers = self.servers();
        let server = &servers[self.index];
        server.phase == Phase::Ready && !server.frozen
    }
}
