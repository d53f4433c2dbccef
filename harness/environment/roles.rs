//! Which server is the primary, where the client's addresses lead, and how both change during a run.

use super::{Environment, EnvironmentError};
use crate::gateway::Gateway;
use crate::model::topology::Host;
use crate::server::ServerError;
use crate::server::control::ServerControl;

/// The primary, as of now. The first server is the primary when a run begins; the second, if there is one, its standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrimaryState {
    /// The first server, which runs.
    Original,
    /// The first server, which is gone for good.
    Lost,
    /// The standby has been promoted. `beside`: the first server still runs.
    Promoted { beside: bool },
}

/// Changed under one lock, so that no combination is seen that never was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Roles {
    pub primary: PrimaryState,
    /// Whether the client's name leads to the spare address.
    pub name_moved: bool,
}

impl Roles {
    pub const AT_FIRST: Roles = Roles { primary: PrimaryState::Original, name_moved: false };
}

impl Environment {
    fn roles(&self) -> Roles {
        *self.roles.lock()
    }

    fn change_roles(&self, change: impl FnOnce(&mut Roles)) {
        change(&mut self.roles.lock());
    }

    /// The primary, as of now.
    pub fn server(&self) -> &dyn ServerControl {
        let index = match self.roles().primary {
            PrimaryState::Original | PrimaryState::Lost => 0,
            PrimaryState::Promoted { .. } => 1,
        };
        self.servers[index % self.servers.len()].as_ref()
    }

    /// Every server, the one first that was the primary when the run began.
    pub fn servers(&self) -> impl Iterator<Item = &dyn ServerControl> {
        self.servers.iter().map(AsRef::as_ref)
    }

    /// The server beside the primary; `None` where there is none, or where one of the two is gone.
    pub fn beside(&self) -> Option<&dyn ServerControl> {
        let index = match self.roles().primary {
            PrimaryState::Original => 1,
            PrimaryState::Promoted { beside: true } => 0,
            PrimaryState::Lost | PrimaryState::Promoted { beside: false } => return None,
        };
        self.servers.get(index).map(AsRef::as_ref)
    }

    /// The gateway at the address of the primary, as of now.
    pub(super) fn gateway_of_primary(&self) -> &Gateway {
        let roles = self.roles();
        if let (Some(spare), true) = (&self.spare, roles.name_moved) {
            return spare;
        }
        let host = match roles.primary {
            PrimaryState::Original | PrimaryState::Lost => Host::Primary,
            PrimaryState::Promoted { .. } => Host::Standby,
        };
        self.gateway_of(host).filter(|_| !self.others.is_empty()).unwrap_or(&self.gateway)
    }

    /// Kills the primary for good, and has its address refuse; returns the exit status in words.
    pub async fn lose_primary(&self) -> Result<String, EnvironmentError> {
        let end = self.server().kill().await?;
        self.refuse().await?;
        self.change_roles(|roles| {
            roles.primary = match roles.primary {
                PrimaryState::Original | PrimaryState::Lost => PrimaryState::Lost,
                PrimaryState::Promoted { .. } => PrimaryState::Promoted { beside: false },
            }
        });
        Ok(end)
    }

    /// Promotes the standby, which is the primary from then on. Addresses lead where they led.
    pub async fn promote_standby(&self) -> Result<(), EnvironmentError> {
        let none = || ServerError::Control { doing: "promote", reason: "there is no standby".into() };
        let beside = match self.roles().primary {
            PrimaryState::Original => true,
            PrimaryState::Lost => false,
            PrimaryState::Promoted { .. } => return Err(none().into()),
        };
        self.servers.get(1).ok_or_else(none)?.promote().await?;
        self.change_roles(|roles| roles.primary = PrimaryState::Promoted { beside });
        Ok(())
    }

    /// Leads the client's one address, or its name, to the primary, and accepts there. Where the client has several
    /// addresses, each stays with its server.
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

    /// Has the client's name lead to the spare address, behind which the primary is. Nothing leads there but the name,
    /// and the old address is left as it is.
    pub fn move_name(&self) -> Result<(), EnvironmentError> {
        let none = || ServerError::Control { doing: "move", reason: "its client does not know it by a name".into() };
        let (names, spare) = self.names().zip(self.spare.as_ref()).ok_or_else(none)?;
        spare.route_to(self.server().address());
        names.set_addresses(vec![spare.address().ip()]);
        self.change_roles(|roles| roles.name_moved = true);
        Ok(())
    }

    /// Leads the client's first address, or the middlebox in its path, to a server.
    pub async fn route_to(&self, server: &dyn ServerControl) -> Result<(), EnvironmentError> {
        match &self.middlebox {
            Some(middlebox) => Ok(middlebox.route_to(server.address()).await?),
            None => {
                self.gateway.route_to(server.address());
                Ok(())
            }
        }
    }
}
