//! Parses a URL with libpq's meaning.
//!
//! tokio-postgres does not support every parameter of libpq, and reads some in other units. This module removes those
//! from the URL and parses them itself.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::server::explain;

/// The default port.
const PORT: u16 = 5432;

/// Parameters passed to tokio-postgres, which gives them libpq's meaning.
const PASSED_ON: [&str; 9] =
    ["application_name", "channel_binding", "dbname", "host", "hostaddr", "options", "password", "port", "user"];

/// A server, and how a client with this URL connects to it. No method returns the password.
pub struct Target {
    pub(super) config: Config,
    pub(super) host: String,
    pub(super) port: u16,
    /// The address in the URL (`hostaddr`, or an address as host), if there is one; then the name is not resolved.
    pub(super) address: Option<IpAddr>,
    pub(super) tls: TlsSettings,
    pub(super) client_settings: ClientSettings,
    /// Names of ignored parameters.
    pub(super) unused: Vec<String>,
}

/// The URL's TLS settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsSettings {
    pub mode: SslMode,
    /// TLS from the first byte, without a request in Postgres's protocol.
    pub direct: bool,
    /// The authorities that must have signed the server's certificate; if `None`, libpq uses `~/.postgresql/root.crt`.
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

/// The trusted authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    File(PathBuf),
    /// `sslrootcert=system`: the authorities of this machine.
    System,
}

/// The URL's settings of the client's sockets; `None` means the system's default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientSettings {
    pub connect_timeout: Option<Duration>,
    pub keepalives: bool,
    pub keepalives_idle: Option<Duration>,
    pub keepalives_interval: Option<Duration>,
    pub keepalives_count: Option<u32>,
    pub tcp_user_timeout: Option<Duration>,
}

/// Why a URL is invalid, in a sentence without its password.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the URL: {0}; write it as postgres://user:password@host:5432/database?sslmode=verify-full")]
pub struct BadUrl(String);

impl Target {
    /// Uses this password if the URL has none.
    pub fn or_password(mut self, password: &str) -> Target {
        if self.config.get_password().is_none() {
            self.config.password(password);
        }
        self
    }

    /// The URL without secrets: `postgres://user@host:5432/database`.
    pub fn redacted(&self) -> String {
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
        let (base, mut parameters) = split_url(url)?;
        let unused: Vec<String> = parameters
            .keys()
            .filter(|name| !PASSED_ON.contains(&name.as_str()) && !HANDLED.contains(&name.as_str()))
            .cloned()
            .collect();
        let tls = tls(&mut parameters)?;
        let client_settings = client_settings(&mut parameters)?;
        let passed_on: Vec<String> = PASSED_ON
            .iter()
            .filter_map(|name| parameters.get(*name).map(|value| format!("{name}={}", value.raw)))
            .collect();
        let config: Config = format!("{base}?{}", passed_on.join("&"))
            .parse()
            .map_err(|error: tokio_postgres::Error| BadUrl(explain(&error)))?;
        if config.get_user().is_none_or(str::is_empty) {
            return Err(BadUrl("it names no user".into()));
        }
        let address = match config.get_hostaddrs() {
            [] => None,
            [address] => Some(*address),
            _ => return Err(BadUrl("it has several addresses; examine one at a time".into())),
        };
        let host = match (config.get_hosts(), address) {
            ([Host::Tcp(host)], _) if !host.is_empty() => host.clone(),
            ([], Some(address)) => address.to_string(),
            ([] | [Host::Tcp(_)], _) => return Err(BadUrl("it names no host".into())),
            ([_], _) => {
                return Err(BadUrl("it names a socket file, but the doctor examines connections over TCP".into()));
            }
            _ => return Err(BadUrl("it names several hosts; examine one at a time".into())),
        };
        // A host that is an address is not resolved.
        let address = address.or_else(|| host.parse().ok());
        let port = config.get_ports().first().copied().unwrap_or(PORT);
        Ok(Target { config, host, port, address, tls, client_settings, unused })
    }
}

/// Parameters that this module parses itself.
const HANDLED: [&str; 12] = [
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

/// A parameter's value, raw and percent-decoded.
struct Value {
    raw: String,
    decoded_value: String,
}

/// Splits a URL at the question mark, and parses the parameters after it.
///
/// Splits where tokio-postgres does: a question mark before the `@` belongs to the password.
fn split_url(url: &str) -> Result<(&str, BTreeMap<String, Value>), BadUrl> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(BadUrl("it does not begin with postgres:// or postgresql://".into()));
    }
    let credentials = url.find('@').unwrap_or(0);
    let Some(question) = url[credentials..].find('?').map(|found| credentials + found) else {
        return Ok((url, BTreeMap::new()));
    };
    let mut parameters = BTreeMap::new();
    for pair in url[question + 1..].split('&').filter(|pair| !pair.is_empty()) {
        // The error does not quote the pair, which may hold a password.
        let (name, raw) = pair.split_once('=').ok_or_else(|| BadUrl("a parameter has no value".into()))?;
        let decoded = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
            decoded.map_err(|_| BadUrl("a parameter is not UTF-8".into()))
        };
        parameters.insert(decoded(name)?, Value { raw: raw.to_owned(), decoded_value: decoded(raw)? });
    }
    Ok((&url[..question], parameters))
}

fn take(parameters: &mut BTreeMap<String, Value>, name: &str) -> Option<String> {
    parameters.remove(name).map(|value| value.decoded_value).filter(|value| !value.is_empty())
}

fn tls(parameters: &mut BTreeMap<String, Value>) -> Result<TlsSettings, BadUrl> {
    let root = take(parameters, "sslrootcert").map(|root| match root.as_str() {
        "system" => Root::System,
        path => Root::File(path.into()),
    });
    let mode = match take(parameters, "sslmode").as_deref() {
        // libpq requires full verification with the system's authorities.
        None if root == Some(Root::System) => SslMode::VerifyFull,
        None | Some("prefer") => SslMode::Prefer,
        Some("disable") => SslMode::Disable,
        Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        Some("allow") => {
            return Err(BadUrl("sslmode=allow means two attempts: examine sslmode=disable and sslmode=require".into()));
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
    Ok(TlsSettings { mode, direct, root, identity })
}

fn client_settings(parameters: &mut BTreeMap<String, Value>) -> Result<ClientSettings, BadUrl> {
    let mut number = |name: &str| match take(parameters, name) {
        None => Ok(None),
        // Zero and negative values mean the system's default, or no limit.
        Some(text) => match text.parse::<i64>() {
            Ok(value) => Ok(u64::try_from(value).ok().filter(|value| *value > 0)),
            Err(_) => Err(BadUrl(format!("{name} is {text:?}, and must be a whole number"))),
        },
    };
    let keepalives_count = number("keepalives_count")?.or(number("keepalives_retries")?);
    Ok(ClientSettings {
        connect_timeout: number("connect_timeout")?.map(Duration::from_secs),
        keepalives_idle: number("keepalives_idle")?.map(Duration::from_secs),
        keepalives_interval: number("keepalives_interval")?.map(Duration::from_secs),
        keepalives_count: keepalives_count.and_then(|count| u32::try_from(count).ok()),
        tcp_user_timeout: number("tcp_user_timeout")?.map(Duration::from_millis),
        keepalives: take(parameters, "keepalives").as_deref() != Some("0"),
    })
}
