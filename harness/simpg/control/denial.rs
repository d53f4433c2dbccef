//! Sign-in to a simulated server: roles, databases, passwords, and the admission of connections.

use super::super::scram::Secret;
#[cfg(feature = "tls")]
use super::super::tls::Tls;
use super::super::world::{Admission, Database, Role};
use super::Postgres;
use crate::gateway::transport::Host;
#[cfg(feature = "tls")]
use crate::server::ServerError;

impl<H: Host> Postgres<H> {
    fn change_role(&self, name: &str, how: impl FnOnce(&mut Role)) {
        self.change(|server| server.roles.get_mut(name).map(how));
    }

    fn change_database(&self, name: &str, how: impl FnOnce(&mut Database)) {
        self.change(|server| server.databases.get_mut(name).map(how));
    }

    /// Changes a password; sessions stay.
    pub fn set_password(&self, role: &str, password: &str) {
        self.change(|server| {
            let secret = Secret::new(password, &mut server.rng);
            if let Some(role) = server.roles.get_mut(role) {
                role.secret = Some(secret);
            }
        });
    }

    /// Whether a role exists: 28P01, with trust 28000.
    pub fn set_role_present(&self, role: &str, present: bool) {
        self.change_role(role, |role| role.present = present);
    }

    /// LOGIN or NOLOGIN: 28000.
    pub fn permit_login(&self, role: &str, permitted: bool) {
        self.change_role(role, |role| role.may_log_in = permitted);
    }

    /// How many sessions a role may have: 53300 beyond.
    pub fn limit_role(&self, role: &str, limit: Option<usize>) {
        self.change_role(role, |role| role.limit = limit);
    }

    /// The value with which sessions of a role begin, as `ALTER ROLE … SET` does it; `None`: `RESET`.
    pub fn set_for_role(&self, role: &str, setting: &str, value: Option<&str>) {
        self.change_role(role, |role| match value {
            Some(value) => drop(role.settings.insert(setting.to_owned(), value.to_owned())),
            None => drop(role.settings.remove(setting)),
        });
    }

    /// Whether a database exists: 3D000.
    pub fn set_database_present(&self, database: &str, present: bool) {
        self.change_database(database, |database| database.present = present);
    }

    /// `ALLOW_CONNECTIONS`: 55000.
    #[cfg(test)]
    pub fn allow_connections(&self, database: &str, allowed: bool) {
        self.change_database(database, |database| database.accepts = allowed);
    }

    /// The CONNECT privilege of ordinary roles: 42501.
    pub fn permit_connect(&self, database: &str, permitted: bool) {
        self.change_database(database, |database| database.may_connect = permitted);
    }

    /// The connections that pg_hba.conf admits: 28000 for all others.
    pub fn admit(&self, whom: Admission) {
        self.change(|server| server.admission = whom);
    }

    /// Loads the files of TLS; sessions that are open stay as they are.
    #[cfg(feature = "tls")]
    pub fn load(&self, tls: &Tls) -> Result<(), ServerError> {
        let acceptor =
            tls.load().map_err(|reason| ServerError::Control { doing: "load the certificates of", reason })?;
        self.change(|server| server.acceptor = Some(acceptor));
        Ok(())
    }
}
