//! Sign-in at a real server: the client's password, denials, and `pg_hba.conf`.

use std::net::Ipv4Addr;

use async_trait::async_trait;
use tokio_postgres::Config;

use super::{PATIENCE, RealServer, not_done};
#[cfg(feature = "tls")]
use crate::credentials::certificate::Certificate;
use crate::server::bootstrap::{DATABASE, OCCUPANT, ROLE, set_password};
use crate::server::control::hba::{encrypted_alone, only_from};
use crate::server::control::{AddressRange, Admission, Denial, SignInControl};
use crate::server::files::{read_hba, write_hba_and_reload};
use crate::server::{ServerError, Session, Superuser};

/// Name of the client's role or database while a denial has renamed it.
pub(super) const AWAY: &str = "squall_away";

/// The superuser of every server that the harness starts.
const SUPERUSER: &str = "postgres";

/// With `md5`, Postgres uses SCRAM if the password is stored for SCRAM, and MD5 on old servers that store MD5 sums.
const METHOD: &str = "md5";

impl Denial {
    /// Returns the statement that begins the denial.
    ///
    /// A database can be renamed only while it has no session, so it is first closed to new ones.
    fn before(self) -> String {
        match self {
            Denial::Role => format!("ALTER ROLE {ROLE} RENAME TO {AWAY}"),
            Denial::Database => format!("ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false"),
            Denial::Login => format!("ALTER ROLE {ROLE} NOLOGIN"),
            Denial::Connect => format!("REVOKE CONNECT ON DATABASE {DATABASE} FROM PUBLIC, {ROLE}"),
        }
    }

    /// Returns the statements that follow once the client's sessions have ended.
    fn after(self) -> Vec<String> {
        match self {
            Denial::Database => vec![
                format!("ALTER DATABASE {DATABASE} RENAME TO {AWAY}"),
                format!("ALTER DATABASE {AWAY} ALLOW_CONNECTIONS true"),
            ],
            Denial::Role | Denial::Login | Denial::Connect => Vec::new(),
        }
    }

    async fn undo(self, session: &Session, password: &str) -> Result<(), ServerError> {
        match self {
            Denial::Role => {
                if is_away(session, "SELECT 1 FROM pg_roles WHERE rolname = $1").await? {
                    session.batch(&format!("ALTER ROLE {AWAY} RENAME TO {ROLE}")).await?;
                }
                // Renaming clears passwords of Postgres 13 and earlier: their MD5 sums include the role's name.
                set_password(session, ROLE, password).await
            }
            Denial::Database => {
                if is_away(session, "SELECT 1 FROM pg_database WHERE datname = $1").await? {
                    session.batch(&format!("ALTER DATABASE {AWAY} RENAME TO {DATABASE}")).await?;
                }
                session.batch(&format!("ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true")).await
            }
            Denial::Login => session.batch(&format!("ALTER ROLE {ROLE} LOGIN")).await,
            Denial::Connect => session.batch(&format!("GRANT CONNECT ON DATABASE {DATABASE} TO PUBLIC")).await,
        }
    }
}

/// Returns whether a role or database has the name [`AWAY`].
async fn is_away(session: &Session, sql: &str) -> Result<bool, ServerError> {
    Ok(!session.rows(sql, &[&AWAY]).await?.is_empty())
}

impl RealServer {
    /// Returns settings for an ordinary role over TCP, as the gateway connects.
    fn occupant_over_tcp(&self) -> Superuser {
        let (address, mut config) = (self.server.address(), Config::new());
        config.host(address.ip().to_string()).port(address.port()).dbname(&self.database);
        Superuser::new(config).in_role(OCCUPANT, &self.password)
    }

    /// Returns the rules from before the first change, and stores them if this is the first change.
    async fn rules_before(&self, session: &Session) -> Result<String, ServerError> {
        let known = self.held().rules.clone();
        match known {
            Some(rules) => Ok(rules),
            None => {
                let rules = read_hba(session).await?;
                self.held().rules = Some(rules.clone());
                Ok(rules)
            }
        }
    }

    /// Signs in from the client's address to check that the rules in force admit or refuse it.
    ///
    /// Uses another role than the client's, because refusals of the client's role in the log are evidence.
    ///
    /// *Errors*: the server admits what it should refuse, or the reverse.
    async fn check_admission(&self, admits: bool) -> Result<(), ServerError> {
        const DOING: &str = "change which addresses the server admits";
        let refusal = match self.occupant_over_tcp().connect_within(PATIENCE).await {
            Ok(_) => None,
            Err(refusal) if refusal.sqlstate.as_deref() == Some("28000") => Some(refusal.text),
            Err(refusal) => return Err(not_done(DOING, refusal.text)),
        };
        match (admits, refusal) {
            (true, None) | (false, Some(_)) => Ok(()),
            (true, Some(text)) => Err(not_done(DOING, format!("it still refuses the client's: {text}"))),
            (false, None) => Err(not_done(DOING, "it still admits the client's".into())),
        }
    }
}

#[async_trait]
impl SignInControl for RealServer {
    async fn set_password(&self, password: &str) -> Result<(), ServerError> {
        let session = self.session().await?;
        set_password(&session, &self.user, password).await
    }

    async fn check_password(&self, password: &str) -> Result<(), ServerError> {
        self.server.superuser().in_role(&self.user, password).connect().await.map(drop)
    }

    async fn deny(&self, denial: Denial) -> Result<usize, ServerError> {
        let session = self.session().await?;
        session.batch(&denial.before()).await?;
        let ended = self.terminate(&session).await?;
        for statement in denial.after() {
            // Several statements in one message would be one transaction, in which a database cannot be closed.
            session.batch(&statement).await?;
        }
        Ok(ended)
    }

    async fn permit(&self, denial: Denial) -> Result<(), ServerError> {
        let session = self.session().await?;
        denial.undo(&session, &self.password).await
    }

    async fn set_for_role(&self, setting: &str, value: Option<&str>) -> Result<(), ServerError> {
        let session = self.session().await?;
        match value {
            Some(value) => session.batch(&format!("ALTER ROLE {} SET {setting} = '{value}'", self.user)).await,
            None => session.batch(&format!("ALTER ROLE {} RESET {setting}", self.user)).await,
        }
    }

    async fn client_address(&self) -> Result<Ipv4Addr, ServerError> {
        // The server is queried because a container sees its bridge's address instead of the gateway's.
        let session = self.occupant_over_tcp().connect().await?;
        let address: String = session.value("SELECT host(inet_client_addr())", &[]).await?.unwrap_or_default();
        let address = address
            .parse()
            .map_err(|_| not_done("find the client's address", format!("{address} is not an IPv4 address")))?;
        self.held().client = Some(address);
        Ok(address)
    }

    async fn admit(&self, admission: Admission) -> Result<(), ServerError> {
        let session = self.session().await?;
        let before = self.rules_before(&session).await?;
        let only = |ranges: &[AddressRange]| only_from(&before, SUPERUSER, ranges, METHOD);
        let client = self.held().client;
        let (rules, admits) = match admission {
            Admission::AsBefore => (before, Some(true)),
            Admission::Nobody => (only(&[]), Some(false)),
            Admission::From(range) => (only(&[range]), client.map(|client| range.holds(client))),
            Admission::TlsOnly { certificate } => {
                let name: String = session.value("SELECT current_user::text", &[]).await?.unwrap_or_default();
                (encrypted_alone(&before, &name, certificate), None)
            }
        };
        write_hba_and_reload(&self.server.superuser(), &rules).await?;
        if admission == Admission::AsBefore {
            self.held().rules = None;
        }
        match admits {
            Some(admits) => self.check_admission(admits).await,
            None => Ok(()),
        }
    }

    #[cfg(feature = "tls")]
    async fn serve_certificate(&self, certificate: &Certificate) -> Result<(), ServerError> {
        super::tls::serve(self.server.as_ref(), certificate, &self.password).await
    }

    #[cfg(feature = "tls")]
    async fn revoke_certificates(&self, list: &str) -> Result<(), ServerError> {
        super::tls::revoke(self.server.as_ref(), list).await
    }
}
