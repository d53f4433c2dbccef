//! Changes what sign-ins depend on: roles, databases, passwords, pg_hba.conf and TLS. Open sessions continue.

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

    /// Changes a password.
    pub fn set_password(&self, role: &str, password: &str) {
        self.change(|server| {
            let secret = Secret::new(password, &mut server.rng);
            if let Some(role) = server.roles.get_mut(role) {
                role.secret = Some(secret);
            }
        });
    }

    /// Makes a role exist or not. Sign-ins of a missing role fail with 28P01, or with 28000 if all roles are trusted.
    pub fn set_role_present(&self, role: &str, present: bool) {
        self.change_role(role, |role| role.present = present);
    }

    /// Sets LOGIN or NOLOGIN. Sign-ins with NOLOGIN fail with 28000.
    pub fn permit_login(&self, role: &str, permitted: bool) {
        self.change_role(role, |role| role.may_log_in = permitted);
    }

    /// Limits the sessions of a role. Further sign-ins fail with 53300.
    pub fn limit_role(&self, role: &str, limit: Option<usize>) {
        self.change_role(role, |role| role.limit = limit);
    }

    /// Sets the initial value of a setting for sessions of a role, as `ALTER ROLE … SET` does; `None`: `RESET`.
    pub fn set_for_role(&self, role: &str, setting: &str, value: Option<&str>) {
        self.change_role(role, |role| match value {
            Some(value) => drop(role.settings.insert(setting.to_owned(), value.to_owned())),
            None => drop(role.settings.remove(setting)),
        });
    }

    /// Makes a database exist or not. Sign-ins to a missing one fail with 3D000.
    pub fn set_database_present(&self, database: &str, present: bool) {
        self.change_database(database, |database| database.present = present);
    }

    /// Sets `ALLOW_CONNECTIONS`. Without it, sign-ins fail with 55000.
    #[cfg(test)]
    pub fn allow_connections(&self, database: &str, allowed: bool) {
        self.change_database(database, |database| database.accepts = allowed);
    }

    /// Grants or revokes the CONNECT privilege of ordinary roles. Without it, their sign-ins fail with 42501.
    pub fn permit_connect(&self, database: &str, permitted: bool) {
        self.change_database(database, |database| database.may_connect = permitted);
    }

    /// Sets the connections that pg_hba.conf admits. All others fail with 28000.
    pub fn admit(&self, whom: Admission) {
        self.change(|server| server.admission = whom);
    }

    /// Loads the TLS files, for connections from now on.
    ///
    /// *Errors*: a file cannot be used.
    #[cfg(feature = "tls")]
    pub fn load(&self, tls: &Tls) -> Result<(), ServerError> {
        let acceptor =
            tls.load().map_err(|reason| ServerError::Control { doing: "load the certificates of", reason })?;
        self.change(|server| server.acceptor = Some(acceptor));
        Ok(())
    }
}
