//! A URL, understood as libpq understands it.
//!
//! tokio-postgres does not know every parameter of libpq, and takes some in other units: those are taken out of the URL
//! here and kept as what they mean to libpq.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::server::explain;

/// The port where a URL names none.
const PORT: u16 = 5432;

/// Parameters that tokio-postgres is to see; it means the same by them as libpq.
const PASSED_ON: [&str; 9] =
    ["application_name", "channel_binding", "dbname", "host", "hostaddr", "options", "password", "port", "user"];

/// A server, and how a client with this URL goes there. Shows no password.
pub struct Target {
    pub(super) config: Config,
    pub(super) host: String,
    pub(super) port: u16,
    /// Where the URL says it, there is nothing to look up.
    pub(super) address: Option<IpAddr>,
    pub(super) encryption: Encryption,
    pub(super) wishes: Wishes,
    /// Names of parameters that nothing here looks at.
    pub(super) unused: Vec<String>,
}

/// What the URL asks of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encryption {
    pub mode: SslMode,
    /// TLS from the first byte, without asking for it in Postgres's own protocol.
    pub direct: bool,
    /// Who must have signed the server's certificate; where `None`, libpq looks for `~/.postgresql/root.crt`.
    pub root: Option<Root>,
    /// The client's own certificate and key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// libpq's `sslmode`, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SslMode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    pub fn name(self) -> &'static str {
        match self {
            SslMode::Disable => "disable",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
            SslMode::VerifyCa => "verify-ca",
            SslMode::VerifyFull => "verify-full",
        }
    }
}

/// Whom a client trusts to sign certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    File(PathBuf),
    /// `sslrootcert=system`: whom the machine trusts.
    System,
}

/// What the URL asks of the client's own sockets; `None` leaves it to the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wishes {
    pub connect_timeout: Option<Duration>,
    pub keepalives: bool,
    pub keepalives_idle: Option<Duration>,
    pub keepalives_interval: Option<Duration>,
    pub keepalives_count: Option<u32>,
    pub tcp_user_timeout: Option<Duration>,
}

/// Why a URL cannot be used, in a sentence without its password.
#[derive(Debug, thiserror::Error)]
#[error("the URL is not usable: {0}; write it as postgres://user:password@host:5432/database?sslmode=verify-full")]
pub struct BadUrl(String);

impl Target {
    /// Signs in with this password if the URL has none.
    pub fn or_password(mut self, password: &str) -> Target {
        if self.config.get_password().is_none() {
            self.config.password(password);
        }
        self
    }

    /// What may be shown to anybody: `postgres://user@host:5432/database`.
    pub fn shown(&self) -> String {
        let (user, database) = (self.user(), self.database());
        match self.host.contains(':') {
            true => format!("postgres://{user}@[{}]:{}/{database}", self.host, self.port),
            false => format!("postgres://{user}@{}:{}/{database}", self.host, self.port),
        }
    }

    pub(super) fn user(&self) -> &str {
        self.config.get_user().unwrap_or_default()
    }

    pub(super) fn database(&self) -> &str {
        self.config.get_dbname().unwrap_or_else(|| self.user())
    }
}

impl FromStr for Target {
    type Err = BadUrl;

    fn from_str(url: &str) -> Result<Target, BadUrl> {
        let (place, mut parameters) = take_apart(url)?;
        let unused: Vec<String> = parameters
            .keys()
            .filter(|name| !PASSED_ON.contains(&name.as_str()) && !UNDERSTOOD.contains(&name.as_str()))
            .cloned()
            .collect();
        let encryption = encryption(&mut parameters)?;
        let wishes = wishes(&mut parameters)?;
        let passed_on: Vec<String> = PASSED_ON
            .iter()
            .filter_map(|name| parameters.get(*name).map(|value| format!("{name}={}", value.raw)))
            .collect();
        let config: Config = format!("{place}?{}", passed_on.join("&"))
            .parse()
            .map_err(|error: tokio_postgres::Error| BadUrl(explain(&error)))?;
        if config.get_user().is_none_or(str::is_empty) {
            return Err(BadUrl("it names no user".into()));
        }
        let address = match config.get_hostaddrs() {
            [] => None,
            [address] => Some(*address),
            _ => return Err(BadUrl("it has several addresses, and one is examined at a time".into())),
        };
        let host = match (config.get_hosts(), address) {
            ([Host::Tcp(host)], _) if !host.is_empty() => host.clone(),
            ([], Some(address)) => address.to_string(),
            ([] | [Host::Tcp(_)], _) => return Err(BadUrl("it names no host".into())),
            ([_], _) => return Err(BadUrl("it names a socket file, and the doctor examines the way over TCP".into())),
            _ => return Err(BadUrl("it names several hosts, and one is examined at a time".into())),
        };
        // A host that is an address needs no look-up.
        let address = address.or_else(|| host.parse().ok());
        let port = config.get_ports().first().copied().unwrap_or(PORT);
        Ok(Target { config, host, port, address, encryption, wishes, unused })
    }
}

/// Parameters that are understood here, not by tokio-postgres.
const UNDERSTOOD: [&str; 12] = [
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "keepalives_retries",
    "tcp_user_timeout",
];

/// A parameter's value, as it is written and as it is meant.
struct Value {
    raw: String,
    meant: String,
}

/// What stands before the question mark, and the parameters after it.
///
/// Cut where tokio-postgres cuts: a question mark before the `@` belongs to the password.
fn take_apart(url: &str) -> Result<(&str, BTreeMap<String, Value>), BadUrl> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(BadUrl("it does not begin with postgres:// or postgresql://".into()));
    }
    let credentials = url.find('@').unwrap_or(0);
    let Some(question) = url[credentials..].find('?').map(|found| credentials + found) else {
        return Ok((url, BTreeMap::new()));
    };
    let mut parameters = BTreeMap::new();
    for pair in url[question + 1..].split('&').filter(|pair| !pair.is_empty()) {
        // The pair itself is not repeated: it may hold a password.
        let (name, raw) = pair.split_once('=').ok_or_else(|| BadUrl("a parameter has no value".into()))?;
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
            decoded.map_err(|_| BadUrl("a parameter is not UTF-8".into()))
        };
        parameters.insert(decoded(name)?, Value { raw: raw.to_owned(), meant: decoded(raw)? });
    }
    Ok((&url[..question], parameters))
}

fn take(parameters: &mut BTreeMap<String, Value>, name: &str) -> Option<String> {
    parameters.remove(name).map(|value| value.meant).filter(|value| !value.is_empty())
}

fn encryption(parameters: &mut BTreeMap<String, Value>) -> Result<Encryption, BadUrl> {
    let root = take(parameters, "sslrootcert").map(|root| match root.as_str() {
        "system" => Root::System,
        path => Root::File(path.into()),
    });
    let mode = match take(parameters, "sslmode").as_deref() {
        // libpq asks for all there is where the machine's own authorities are named.
        None if root == Some(Root::System) => SslMode::VerifyFull,
        None | Some("prefer") => SslMode::Prefer,
        Some("disable") => SslMode::Disable,
        Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        Some("allow") => {
            return Err(BadUrl("sslmode=allow is two ways in one: examine sslmode=disable and sslmode=require".into()));
        }
        Some(other) => {
            return Err(BadUrl(format!(
                "sslmode is {other:?}, and must be disable, prefer, require, verify-ca or verify-full"
            )));
        }
    };
    let direct = match take(parameters, "sslnegotiation").as_deref() {
        None | Some("postgres") => false,
        Some("direct") => true,
        Some(other) => return Err(BadUrl(format!("sslnegotiation is {other:?}, and must be postgres or direct"))),
    };
    if direct && mode < SslMode::Require {
        return Err(BadUrl(format!("sslnegotiation=direct needs sslmode=require or more, not {}", mode.name())));
    }
    let identity = match (take(parameters, "sslcert"), take(parameters, "sslkey")) {
        (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
        (None, None) => None,
        _ => return Err(BadUrl("sslcert and sslkey go together".into())),
    };
    Ok(Encryption { mode, direct, root, identity })
}

fn wishes(parameters: &mut BTreeMap<String, Value>) -> Result<Wishes, BadUrl> {
    let mut number = |name: &str| match take(parameters, name) {
        None => Ok(None),
        // Zero, and less than that, leave it to the system, or set no limit.
        Some(text) => match text.parse::<i64>() {
            Ok(value) => Ok(u64::try_from(value).ok().filter(|value| *value > 0)),
            Err(_) => Err(BadUrl(format!("{name} is {text:?}, and must be a whole number"))),
        },
    };
    let keepalives_count = number("keepalives_count")?.or(number("keepalives_retries")?);
    Ok(Wishes {
        connect_timeout: number("connect_timeout")?.map(Duration::from_secs),
        keepalives_idle: number("keepalives_idle")?.map(Duration::from_secs),
        keepalives_interval: number("keepalives_interval")?.map(Duration::from_secs),
        keepalives_count: keepalives_count.and_then(|count| u32::try_from(count).ok()),
        tcp_user_timeout: number("tcp_user_timeout")?.map(Duration::from_millis),
        keepalives: take(parameters, "keepalives").as_deref() != Some("0"),
    })
}
