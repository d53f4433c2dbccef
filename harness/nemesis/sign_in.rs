//! Sign-ins that the server turns down for what is not there, or not permitted: role, database, LOGIN, CONNECT.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, sessions, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::bootstrap::{DATABASE, ROLE, set_password};
use crate::server::{ServerError, Session};

/// What a role or database is called while it is not there.
const AWAY: &str = "squall_away";

/// What the server no longer has, or no longer permits.
#[derive(Clone, Copy)]
pub(super) enum Denial {
    Role,
    Database,
    Login,
    Connect,
}

impl Denial {
    /// Statements that bring it about.
    ///
    /// A database can be renamed only while nobody is in it, so that it is closed first and its sessions ended.
    fn before(self) -> String {
        match self {
            Denial::Role => format!("ALTER ROLE {ROLE} RENAME TO {AWAY}"),
            Denial::Database => format!("ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false"),
            Denial::Login => format!("ALTER ROLE {ROLE} NOLOGIN"),
            Denial::Connect => format!("REVOKE CONNECT ON DATABASE {DATABASE} FROM PUBLIC, {ROLE}"),
        }
    }

    /// Statements that follow once the client's sessions are ended.
    fn after(self) -> &'static [&'static str] {
        match self {
            Denial::Database => {
                &["ALTER DATABASE squall RENAME TO squall_away", "ALTER DATABASE squall_away ALLOW_CONNECTIONS true"]
            }
            Denial::Role | Denial::Login | Denial::Connect => &[],
        }
    }

    /// Undoes all of it, also where only a part was done.
    async fn undo(self, session: &Session, password: &str) -> Result<(), ServerError> {
        match self {
            Denial::Role => {
                if is_there(session, "SELECT 1 FROM pg_roles WHERE rolname = $1").await? {
                    session.batch(&format!("ALTER ROLE {AWAY} RENAME TO {ROLE}")).await?;
                }
                // Up to version 13 passwords are stored as MD5 sums with the role's name in them, and do not survive.
                set_password(session, ROLE, password).await
            }
            Denial::Database => {
                if is_there(session, "SELECT 1 FROM pg_database WHERE datname = $1").await? {
                    session.batch(&format!("ALTER DATABASE {AWAY} RENAME TO {DATABASE}")).await?;
                }
                session.batch(&format!("ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true")).await
            }
            Denial::Login => session.batch(&format!("ALTER ROLE {ROLE} LOGIN")).await,
            Denial::Connect => session.batch(&format!("GRANT CONNECT ON DATABASE {DATABASE} TO PUBLIC")).await,
        }
    }

    /// The code by which it shows.
    fn sqlstate(self) -> &'static str {
        match self {
            Denial::Role => "28P01",
            Denial::Database => "3D000",
            Denial::Login => "28000",
            Denial::Connect => "42501",
        }
    }
}

/// Whether something is there under the name that it has while it is away.
async fn is_there(session: &Session, sql: &str) -> Result<bool, ServerError> {
    Ok(!session.rows(sql, &[&AWAY]).await?.is_empty())
}

/// A denial until heal; sessions that the client has are ended, so that it meets it.
pub(super) struct Denying {
    denial: Denial,
    ended: usize,
    witness: LogWatch,
}

impl Denying {
    pub fn new(denial: Denial) -> Denying {
        Denying { denial, ended: 0, witness: LogWatch::default() }
    }
}

#[async_trait]
impl Injection for Denying {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let session = environment.server().superuser().connect().await?;
        session.batch(&self.denial.before()).await?;
        // Afterwards: whoever is ended cannot come in again.
        self.ended = sessions::terminate(&session, &[ROLE, AWAY]).await?;
        for statement in self.denial.after() {
            // One by one: several in one message would be one transaction, in which a database cannot be closed.
            session.batch(statement).await?;
        }
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let session = environment.server().superuser().connect().await?;
        Ok(self.denial.undo(&session, &environment.address.password).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let sqlstate = self.denial.sqlstate();
        let refused = self.witness.refused(environment, sqlstate).await?;
        Ok(vec![
            decisive(&format!("sign-ins refused with {sqlstate}"), refused),
            supporting("sessions terminated", self.ended),
        ])
    }
}
