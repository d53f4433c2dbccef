//! The database's address and its errors: for tokio-postgres, and for libraries built on it.
//! Its documentation: https://docs.rs/tokio-postgres/latest/tokio_postgres/config/struct.Config.html

use std::env;
use std::error::Error;
use std::fs;
use std::iter::successors;
use std::time::Duration;

use native_tls::{Certificate, Identity, TlsConnector};
use postgres_native_tls::MakeTlsConnector;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

use crate::adapter::{self, Failure};

/// Set in parts, because the library knows neither verify-full nor certificate files in a URL.
pub fn config(tuned: bool) -> Config {
    let mut config = Config::new();
    for (host, port) in needed("PGHOST").split(',').zip(needed("PGPORT").split(',')) {
        config.host(host).port(port.parse().expect("PGPORT holds numbers"));
    }
    config.user(needed("PGUSER")).dbname(needed("PGDATABASE")).password(password());
    config.ssl_mode(match needed("PGSSLMODE").as_str() {
        "disable" => SslMode::Disable,
        "prefer" => SslMode::Prefer,
        _ => SslMode::Require, // the connector decides what is verified
    });
    if env::var("PGTARGETSESSIONATTRS").is_ok_and(|wanted| wanted == "read-write") {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    if tuned {
        config.connect_timeout(Duration::from_secs(5)); // of TCP's connect only, for each address
        config.keepalives_idle(Duration::from_secs(2)); // of silence before the first probe
        config.keepalives_interval(Duration::from_secs(1)).keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(5)); // that sent bytes may stay unacknowledged
        config.target_session_attrs(TargetSessionAttrs::ReadWrite); // after a failover: never a standby
        config.options("-c statement_timeout=5s"); // the server's timer, for each statement
    }
    config
}

pub fn tls() -> MakeTlsConnector {
    let mut tls = TlsConnector::builder();
    let mode = needed("PGSSLMODE");
    tls.danger_accept_invalid_certs(!mode.starts_with("verify"));
    tls.danger_accept_invalid_hostnames(mode != "verify-full");
    if let Ok(root) = env::var("PGSSLROOTCERT") {
        let root = Certificate::from_pem(&read(&root)).expect("PGSSLROOTCERT is a certificate");
        tls.disable_built_in_roots(true).add_root_certificate(root);
    }
    if let (Ok(certificate), Ok(key)) = (env::var("PGSSLCERT"), env::var("PGSSLKEY")) {
        let identity = Identity::from_pkcs8(&read(&certificate), &read(&key));
        tls.identity(identity.expect("PGSSLCERT and PGSSLKEY go together"));
    }
    MakeTlsConnector::new(tls.build().expect("there is TLS on this machine"))
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Failure {
        let causes = successors(Some(&error as &dyn Error), |&error| error.source());
        let message = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
        let sqlstate = error.code().map(|state| state.code().to_owned());
        let kind = if sqlstate.is_some() { None } else { kind(&error) };
        Failure { message, sqlstate, kind, ..Failure::default() }
    }
}

fn kind(error: &tokio_postgres::Error) -> Option<&'static str> {
    if error.is_closed() {
        return Some("closed");
    }
    adapter::kind(error.source()?.downcast_ref()?)
}

/// Read once: the library keeps the password, and does not support libpq's password file.
fn password() -> String {
    env::var("PGPASSWORD").unwrap_or_else(|_| {
        let file = String::from_utf8(read(&needed("PGPASSFILE"))).expect("the password file is text");
        let password = file.lines().next().and_then(|line| line.splitn(5, ':').nth(4));
        password.expect("a line of the password file has five fields").to_owned()
    })
}

fn needed(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
