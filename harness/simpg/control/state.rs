//! What the server is, and whether it is there.

use super::super::settings::version;
use super::super::world::Phase;
use super::Postgres;
use crate::gateway::transport::Host;

impl<H: Host> Postgres<H> {
    /// As `SHOW server_version` says it.
    pub fn version(&self) -> &'static str {
        version(self.servers()[self.index].settings.major)
    }

    /// Whether somebody who asks it something would have an answer.
    pub fn is_answering(&self) -> bool {
        let servers = self.servers();
        let server = &servers[self.index];
        server.phase == Phase::Ready && !server.frozen
    }
}
