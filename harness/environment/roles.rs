//! Which server is the primary, and how that changes while a run goes on.

use std::sync::atomic::Ordering;

use super::{Environment, EnvironmentError, replication};
use crate::server::{Server, ServerError};

impl Environment {
    /// The server beside the primary, where there is one that runs.
    pub fn beside(&self) -> Option<&dyn Server> {
        let primary = self.primary.load(Ordering::Acquire);
        let mut others = self.servers.iter().enumerate().filter(|(index, _)| *index != primary);
        others.next().filter(|_| !self.lost.load(Ordering::Acquire)).map(|(_, server)| server.as_ref())
    }

    /// Kills the primary for good, and has its address refuse; returns how its end was seen.
    pub async fn lose_primary(&self) -> Result<String, EnvironmentError> {
        let end = self.server().kill().await?;
        self.without_server().await?;
        self.lost.store(true, Ordering::Release);
        Ok(end)
    }

    /// Makes the primary read-only; returns once no session can write to it any more.
    pub async fn demote_primary(&self) -> Result<(), EnvironmentError> {
        Ok(replication::demote(self.server()).await?)
    }

    /// Makes the server beside the primary, one that was the primary itself, harmless: read-only, and without sessions
    /// of the client's. Returns how many of these waited for a standby that had gone.
    pub async fn fence_old_primary(&self) -> Result<usize, EnvironmentError> {
        match self.beside() {
            Some(old) => Ok(replication::fence(old, &self.address.user).await?),
            None => Ok(0),
        }
    }

    /// Promotes the standby, which is the primary from then on. Addresses lead where they led.
    pub async fn promote_standby(&self) -> Result<(), EnvironmentError> {
        let old = self.primary.load(Ordering::Acquire);
        let Some(index) = (0..self.servers.len()).find(|index| *index != old) else {
            return Err(ServerError::Control { doing: "promote", reason: "there is no standby".into() }.into());
        };
        replication::promote(self.servers[index].as_ref()).await?;
        self.primary.store(index, Ordering::Release);
        Ok(())
    }

    /// Ends the sessions of the old primary, where it still runs, whose commits nobody can confirm any more.
    pub async fn end_unconfirmed(&self) -> Result<usize, EnvironmentError> {
        match self.beside() {
            Some(old) => Ok(replication::end_unconfirmed(old).await?),
            None => Ok(0),
        }
    }

    /// Leads the client's one address, or its name, to the primary, and lets it in. Where it has several, each stays
    /// with its server.
    pub async fn follow_primary(&self) -> Result<(), EnvironmentError> {
        if self.spare.is_some() {
            return self.move_name();
        }
        if self.layout.hosts.len() == 1 {
            self.route_to(self.server()).await?;
            self.gateway.accept().await.map_err(EnvironmentError::Gateway)?;
        }
        Ok(())
    }

    /// Has the client's name lead to another address than before, behind which the primary is. Nothing leads there but
    /// the name, and the old address is left as it is.
    pub fn move_name(&self) -> Result<(), EnvironmentError> {
        let none = || ServerError::Control { doing: "move", reason: "its client does not know it by a name".into() };
        let (names, spare) = self.names().zip(self.spare.as_ref()).ok_or_else(none)?;
        spare.route_to(self.server().address());
        names.set_addresses(vec![spare.address().ip()]);
        self.moved.store(true, Ordering::Release);
        Ok(())
    }

    /// Leads the client's first address, or what stands in its path, to a server.
    pub async fn route_to(&self, server: &dyn Server) -> Result<(), EnvironmentError> {
        match &self.middlebox {
            Some(middlebox) => Ok(middlebox.route_to(server.address()).await?),
            None => {
                self.gateway.route_to(server.address());
                Ok(())
            }
        }
    }
}
