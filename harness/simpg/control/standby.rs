//! Standby servers: creation, promotion, and how the old primary stops writing.

use std::io;
use std::net::SocketAddr;

use super::super::world::{Activity, replicate};
use super::{PATIENCE, Postgres, Server};
use crate::gateway::transport::Host;
use crate::model::seed::Seed;
use crate::server::ServerError;

impl<H: Host> Postgres<H> {
    /// Starts a hot standby of a server; returns once it accepts sign-ins. From then on each commit on the primary
    /// waits until the standby has replayed it.
    ///
    /// *Errors*: the host cannot listen at the address.
    pub async fn standby_of(
        primary: &Postgres<H>,
        host: H,
        address: SocketAddr,
        seed: Seed,
    ) -> io::Result<Postgres<H>> {
        let (settings, roles) = {
            let servers = primary.servers();
            let server = &servers[primary.index];
            let roles: Vec<_> = server.roles.iter().map(|(name, role)| (name.clone(), role.secret.clone())).collect();
            (server.settings.clone(), roles)
        };
        let mut server = Server::new(settings, seed);
        for (name, secret) in roles {
            if let Some(role) = server.roles.get_mut(&name) {
                role.secret = secret;
            }
        }
        (server.in_recovery, server.primary) = (true, Some(primary.index));
        let standby = Postgres::create(primary.world.clone(), host, address, server);
        standby.launch()?;
        standby.ready().await.map_err(io::Error::other)?;
        {
            let mut servers = standby.servers();
            servers[primary.index].standby = Some(standby.index);
            replicate(&mut servers, primary.index);
        }
        standby.world.changed();
        Ok(standby)
    }

    /// Promotes the standby, which accepts writes from now on. Sessions continue; open transactions stay read-only.
    pub fn promote(&self) {
        self.change(|server| {
            server.in_recovery = false;
            server.remark("received promote request");
        });
    }

    /// Makes new transactions read-only in every session; returns once no open transaction may write.
    ///
    /// *Errors*: one is still open after [`PATIENCE`].
    pub async fn demote(&self) -> Result<(), ServerError> {
        self.change(|server| server.read_only = true);
        self.until("wait for the last writes of", PATIENCE, |server| {
            !server.backends.values().any(|own| own.may_write && own.activity != Activity::SigningIn)
        })
        .await
    }

    /// Makes new transactions read-only, and terminates every session of a role; returns how many of these waited for
    /// the standby to confirm a commit.
    ///
    /// *Errors*: as [`terminate_sessions`](Postgres::terminate_sessions).
    pub async fn fence(&self, role: &str) -> Result<usize, ServerError> {
        let waited = self.unconfirmed(role);
        self.change(|server| server.read_only = true);
        self.terminate_sessions(role).await?;
        Ok(waited)
    }
}
