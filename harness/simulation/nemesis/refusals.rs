//! Faults by which the simulated server turns the client away: its slots are taken, its credentials are no good, or it has
//! run out of something. Sessions that the client has are ended where they would spare it the fault.

use async_trait::async_trait;

use super::World;
use crate::model::history::Evidence;
use crate::nemesis::{Injection, NemesisError, decisive, supporting};
use crate::simpg::Admission;

/// What is denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// Others have taken every slot, or those that ordinary roles may have.
    Slots { reserved_too: bool },
    /// The role may have no session.
    RoleLimit,
    /// The password is another.
    Password,
    /// The role is not there.
    Role,
    /// The database is not there.
    Database,
    /// The role may not log in.
    Login,
    /// The role may not connect to the database.
    Connect,
    /// No line of pg_hba.conf lets the client in.
    Host,
    /// None lets in who comes without TLS.
    Plaintext,
    /// Memory.
    Memory,
}

impl Denial {
    fn sqlstate(self) -> &'static str {
        match self {
            Denial::Slots { .. } | Denial::RoleLimit => "53300",
            Denial::Password | Denial::Role => "28P01",
            Denial::Database => "3D000",
            Denial::Login | Denial::Host | Denial::Plaintext => "28000",
            Denial::Connect => "42501",
            Denial::Memory => "53200",
        }
    }

    /// What is refused, in the words of evidence.
    fn refused(self) -> &'static str {
        match self {
            Denial::Slots { .. } | Denial::RoleLimit => "connections refused with",
            Denial::Memory => "refusals with",
            _ => "sign-ins refused with",
        }
    }

    /// Whether the client's sessions are ended. A password that has changed ends none, nor does a demand for TLS.
    fn ends_sessions(self) -> bool {
        !matches!(self, Denial::Password | Denial::Plaintext)
    }

    fn put(self, world: &World, in_force: bool) {
        let (server, role, database) = (world.server(), &world.address.user, &world.address.database);
        match self {
            // Taken with the sessions, by `inject`.
            Denial::Slots { .. } if in_force => {}
            Denial::Slots { .. } => server.vacate(),
            Denial::RoleLimit => server.limit_role(role, in_force.then_some(0)),
            Denial::Password if in_force => server.set_password(role, &format!("not-{}", world.address.password)),
            Denial::Password => server.set_password(role, &world.address.password),
            Denial::Role => server.set_role_present(role, !in_force),
            Denial::Database => server.set_database_present(database, !in_force),
            Denial::Login => server.permit_login(role, !in_force),
            Denial::Connect => server.permit_connect(database, !in_force),
            Denial::Host => server.admit(if in_force { Admission::Nobody } else { Admission::Everybody }),
            Denial::Plaintext if in_force => server.admit(Admission::TlsOnly { certificate: false }),
            Denial::Plaintext => server.admit(Admission::Everybody),
            Denial::Memory => server.exhaust_memory(in_force),
        }
    }
}

/// A denial until heal.
pub(super) struct Denying {
    denial: Denial,
    ended: usize,
    before: usize,
}

impl Denying {
    pub fn new(denial: Denial) -> Denying {
        Denying { denial, ended: 0, before: 0 }
    }
}

#[async_trait]
impl Injection<World> for Denying {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.before = world.refused(self.denial.sqlstate());
        self.denial.put(world, true);
        let role = &world.address.user;
        // Afterwards: whoever is ended cannot come in again.
        self.ended = match self.denial {
            Denial::Slots { reserved_too } => world.server().occupy(role, !reserved_too).await?,
            denial if denial.ends_sessions() => world.server().terminate_sessions(role).await?,
            _ => 0,
        };
        Ok(())
    }

    async fn heal(&mut self, world: &World) -> Result<(), NemesisError> {
        self.denial.put(world, false);
        Ok(())
    }

    async fn evidence(&mut self, world: &World) -> Result<Vec<Evidence>, NemesisError> {
        let sqlstate = self.denial.sqlstate();
        let count = world.refused(sqlstate) - self.before;
        let mut found = vec![decisive(&format!("{} {sqlstate}", self.denial.refused()), count)];
        if self.denial.ends_sessions() {
            found.push(supporting("sessions terminated", self.ended));
        }
        Ok(found)
    }
}

/// `pg_terminate_backend` on every session of the client.
#[derive(Default)]
pub(super) struct Terminating {
    ended: usize,
}

#[async_trait]
impl Injection<World> for Terminating {
    async fn inject(&mut self, world: &World) -> Result<(), NemesisError> {
        self.ended = world.server().terminate_sessions(&world.address.user).await?;
        Ok(())
    }

    async fn evidence(&mut self, _world: &World) -> Result<Vec<Evidence>, NemesisError> {
        Ok(vec![decisive("sessions terminated", self.ended)])
    }
}
