//! A standby: how it follows, takes over, and what becomes of its primary.

use std::io;
use std::net::SocketAddr;

use super::super::world::{Activity, replicate};
use super::{PATIENCE, Postgres, Server};
use crate::gateway::transport::Host;
use crate::model::seed::Seed;
use crate::server::ServerError;

impl<H: Host> Postgres<H> {
    /// A hot standby of a server, which starts. From then on every commit there waits until it is replayed here.
    ///
    /// *Errors*: the host does not let it listen there.
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

    /// Takes writes from now on. Sessions live on; transactions that are open stay read-only.
    pub fn promote(&self) {
        self.change(|server| {
            server.in_recovery = false;
            server.remark("received promote request");
        });
    }

    /// Makes it read-only for every session; returns once no transaction is left that may write.
    ///
    /// *Errors*: one stays.
    pub async fn demote(&self) -> Result<(), ServerError> {
        self.change(|server| server.read_only = true);
        self.until("wait for the last writes of", PATIENCE, |server| {
            !server.backends.values().any(|own| own.may_write && own.activity != Activity::SigningIn)
        })
        .await
    }

    /// Makes it read-only, and ends every session of a role; returns how many of them waited for a standby that had gone.
    pub async fn fence(&self, role: &str) -> Result<usize, ServerError> {
        let waited = self.unconfirmed(role);
        self.change(|server| server.read_only = true);
        self.terminate_sessions(role).await?;
        Ok(waited)
    }
}
