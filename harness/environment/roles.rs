//! Tracks and changes which server is the primary, and where the client's addresses lead.

use super::{Environment, EnvironmentError};
use crate::gateway::Gateway;
use crate::model::topology::Host;
use crate::server::ServerError;
use crate::server::control::ServerControl;

/// Which server is the primary. At the beginning it is the first server; the second, if there is one, is its standby.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrimaryState {
    /// The first server.
    Original,
    /// The first server, which has been killed for the rest of the run.
    Lost,
    /// The former standby. `beside`: the first server still runs.
    Promoted { beside: bool },
}

/// The state of a failover. One lock guards both fields, so that readers see only combinations that existed.
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

    /// Returns the current primary.
    pub fn server(&self) -> &dyn ServerControl {
        let index = match self.roles().primary {
            PrimaryState::Original | PrimaryState::Lost => 0,
            PrimaryState::Promoted { .. } => 1,
        };
        self.servers[index % self.servers.len()].as_ref()
    }

    /// Returns every server; first the one that was the primary when the run began.
    pub fn servers(&self) -> impl Iterator<Item = &dyn ServerControl> {
        self.servers.iter().map(AsRef::as_ref)
    }

    /// Returns the other server than the primary; `None` if there is only one, or if one of the two has been lost.
    pub fn beside(&self) -> Option<&dyn ServerControl> {
        let index = match self.roles().primary {
            PrimaryState::Original => 1,
            PrimaryState::Promoted { beside: true } => 0,
            PrimaryState::Lost | PrimaryState::Promoted { beside: false } => return None,
        };
        self.servers.get(index).map(AsRef::as_ref)
    }

    /// Returns the gateway at the current primary's address: the spare one once the name has moved; the only one if the
    /// client has one address.
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

    /// Kills the primary for the rest of the run, and makes its address refuse; returns the exit status as text.
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

    /// Promotes the standby, which becomes the primary. Does not change where addresses lead.
    ///
    /// *Errors*: there is no standby, or it has been promoted already.
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

    /// Makes the client's host name lead to the primary, or its only address, which then accepts connections. If the
    /// client has several addresses, each stays with its server, and this does nothing.
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

    /// Moves the client's host name to the spare address, and routes that to the primary. The old address still leads
    /// where it led.
    pub fn move_name(&self) -> Result<(), EnvironmentError> {
        let none = || ServerError::Control { doing: "move", reason: "its client does not know it by a name".into() };
        let (names, spare) = self.names().zip(self.spare.as_ref()).ok_or_else(none)?;
        spare.route_to(self.server().address());
        names.set_addresses(vec![spare.address().ip()]);
        self.change_roles(|roles| roles.name_moved = true);
        Ok(())
    }

    /// Routes the middlebox to a server if there is one, else the gateway at the client's first address.
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
