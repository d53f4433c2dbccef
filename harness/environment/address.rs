//! Where a client finds its database, in every form that clients want it.

use std::fmt;
use std::net::SocketAddr;

/// The address of the gateway, with the credentials that the client is to use there.
///
/// `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The gateway's listening socket; stable for the whole run, whatever happens to the server behind it.
    pub gateway: SocketAddr,
    pub user: String,
    pub password: String,
    pub database: String,
}

impl Address {
    /// A connection URL: `postgres://user:password@127.0.0.1:10432/database?sslmode=disable`.
    pub fn url(&self) -> String {
        format!(
            "postgres://{}:{}@{}/{}?sslmode=disable",
            escape(&self.user),
            escape(&self.password),
            self.gateway,
            escape(&self.database)
        )
    }

    /// How the harness signs in with the client's credentials, at another place.
    pub(crate) fn at(&self, place: SocketAddr) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host(place.ip().to_string()).port(place.port());
        config.user(&self.user).password(&self.password).dbname(&self.database);
        config
    }

    /// The environment of an adapter: `DATABASE_URL` and libpq's own variables.
    ///
    /// *Source*: PostgreSQL manual, libpq, "Environment Variables".
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_URL", self.url()),
            ("PGHOST", self.gateway.ip().to_string()),
            ("PGPORT", self.gateway.port().to_string()),
            ("PGUSER", self.user.clone()),
            ("PGPASSWORD", self.password.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGSSLMODE", "disable".into()),
        ]
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}:***@{}/{}", self.user, self.gateway, self.database)
    }
}

/// Percent-encodes everything but RFC 3986's unreserved characters.
fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Address {
        Address {
            gateway: "127.0.0.1:10432".parse().unwrap(),
            user: "squall".into(),
            password: "a/b:c@d?".into(),
            database: "squall".into(),
        }
    }

    #[test]
    fn the_url_survives_an_awkward_password() {
        let config: tokio_postgres::Config = sample().url().parse().unwrap();
        assert_eq!(config.get_password(), Some(b"a/b:c@d?".as_slice()));
        assert_eq!(config.get_ports(), [10432]);
    }

    #[test]
    fn debug_output_keeps_the_password_out() {
        assert!(!format!("{:?}", sample()).contains("a/b"));
    }
}
