//! The address and credentials that a client is given: as URL, environment variables, and files or values that change.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::topology::{SslMode, TargetSession};

/// One host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A host name or an IP address.
    pub host: String,
    pub port: u16,
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Place {
        Place { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The client's files for TLS, in PEM. They may change while the client runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority that the client must trust.
    pub root: PathBuf,
    /// The client's own certificate and key, if the server requires one.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// The contents of [`TlsFiles`], in PEM.
///
/// `Debug` omits the key.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsTexts {
    /// The authority that the client must trust.
    pub root: String,
    /// The client's own certificate and key, if the server requires one.
    pub certificate: Option<(String, String)>,
}

impl fmt::Debug for TlsTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificate = self.certificate.as_ref().map(|(certificate, _)| certificate);
        f.debug_struct("TlsTexts").field("root", &self.root).field("certificate", &certificate).finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// Reads the files.
    ///
    /// *Errors*: a file cannot be read; with its path.
    fn read(&self) -> io::Result<TlsTexts> {
        let read = |path: &PathBuf| {
            let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            std::fs::read_to_string(path).map_err(named)
        };
        let certificate = self.certificate.as_ref();
        let certificate = certificate.map(|(certificate, key)| Ok::<_, io::Error>((read(certificate)?, read(key)?)));
        Ok(TlsTexts { root: read(&self.root)?, certificate: certificate.transpose()? })
    }
}

/// A value that may change while the client runs, for simulations, which have no files. Clones share the value.
#[derive(Clone)]
#[cfg_attr(not(feature = "simulation"), allow(dead_code, reason = "elsewhere what changes lies in files"))]
pub(crate) struct Rotating<T>(Arc<Mutex<T>>);

impl<T: Clone> Rotating<T> {
    #[cfg(feature = "simulation")]
    pub fn new(value: T) -> Rotating<T> {
        Rotating(Arc::new(Mutex::new(value)))
    }

    pub fn change(&self, how: impl FnOnce(&mut T)) {
        how(&mut self.0.lock());
    }

    fn get(&self) -> T {
        self.0.lock().clone()
    }
}

impl<T: Clone + PartialEq> PartialEq for Rotating<T> {
    fn eq(&self, other: &Rotating<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Clone + Eq> Eq for Rotating<T> {}

/// The addresses at which the client reaches its servers, with its credentials.
///
/// `Debug` omits the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The gateways' listening addresses, or host names, in the order in which to try them; never empty. They stay the
    /// same for the whole run, even if the server behind them moves.
    pub hosts: Vec<Place>,
    pub user: String,
    /// The password at the start of the run.
    pub password: String,
    /// A file in the format of libpq's password file, which the client must read at every connect; `None`: the password
    /// does not change, or this is a simulation. A client that calls
    /// [`current_password`](Address::current_password) at every connect works in both.
    pub password_file: Option<PathBuf>,
    /// The current password in a simulation; `None`: the password does not change.
    pub(crate) password_kept: Option<Rotating<String>>,
    pub database: String,
    pub target_session: TargetSession,
    pub sslmode: SslMode,
    /// `None`: the client verifies and presents no certificate, or this is a simulation. A client that calls
    /// [`current_certificates`](Address::current_certificates) at every connect works in both.
    pub tls: Option<TlsFiles>,
    /// The contents that the files of `tls` would have, in a simulation.
    pub(crate) tls_kept: Option<Rotating<TlsTexts>>,
}

impl Address {
    /// Returns an address with one host, a password that does not change, and no TLS.
    pub fn plain(place: impl Into<Place>, user: &str, password: &str, database: &str) -> Address {
        Address {
            hosts: vec![place.into()],
            user: user.to_owned(),
            password: password.to_owned(),
            password_file: None,
            password_kept: None,
            database: database.to_owned(),
            target_session: TargetSession::Any,
            sslmode: SslMode::Disable,
            tls: None,
            tls_kept: None,
        }
    }

    /// Returns a connection URL: `postgres://user:password@127.0.0.1:10432/database?sslmode=disable`.
    ///
    /// The URL has libpq's format and parameters, with all hosts. It omits a password that may change: use
    /// [`current_password`](Address::current_password). For a library without libpq's parameters for certificates, use
    /// the field `tls`.
    pub fn url(&self) -> String {
        let password = match self.password_file.is_some() || self.password_kept.is_some() {
            true => String::new(),
            false => format!(":{}", escape(&self.password)),
        };
        let hosts: Vec<_> = self.hosts.iter().map(Place::to_string).collect();
        let mut url = format!(
            "postgres://{}{password}@{}/{}?sslmode={}",
            escape(&self.user),
            hosts.join(","),
            escape(&self.database),
            self.sslmode.word()
        );
        if self.target_session == TargetSession::ReadWrite {
            url += "&target_session_attrs=read-write";
        }
        for (name, file) in self.tls_variables() {
            url += &format!("&{}={}", name.trim_start_matches("PG").to_ascii_lowercase(), escape(&file));
        }
        url
    }

    /// Returns the current password, from the file if there is one.
    ///
    /// *Errors*: the file cannot be read, or has no line in the format of libpq's password file.
    pub fn current_password(&self) -> io::Result<String> {
        if let Some(kept) = &self.password_kept {
            return Ok(kept.get());
        }
        let Some(file) = &self.password_file else { return Ok(self.password.clone()) };
        let text = std::fs::read_to_string(file)?;
        // The harness's passwords are letters and digits, so no escapes occur.
        let password = text.lines().next().and_then(|line| line.splitn(5, ':').nth(4));
        let none = || io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no password", file.display()));
        password.map(str::to_owned).ok_or_else(none)
    }

    /// Returns the current certificates, from the files if there are any; they may be renewed at any time. `None`: the
    /// client verifies and presents no certificate.
    ///
    /// *Errors*: a file cannot be read.
    pub fn current_certificates(&self) -> io::Result<Option<TlsTexts>> {
        match &self.tls_kept {
            Some(kept) => Ok(Some(kept.get())),
            None => self.tls.as_ref().map(TlsFiles::read).transpose(),
        }
    }

    /// Returns settings to sign in at another address with the client's credentials, but the password of the beginning.
    pub(crate) fn at(&self, place: SocketAddr) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host(place.ip().to_string()).port(place.port());
        config.user(&self.user).password(&self.password).dbname(&self.database);
        config
    }

    /// Returns the environment variables of an adapter: `DATABASE_URL` and libpq's variables.
    ///
    /// *Source*: PostgreSQL manual, libpq, "Environment Variables".
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let list = |of: fn(&Place) -> String| self.hosts.iter().map(of).collect::<Vec<_>>().join(",");
        let mut variables = vec![
            ("DATABASE_URL", self.url()),
            ("PGHOST", list(|place| place.host.clone())),
            ("PGPORT", list(|place| place.port.to_string())),
            ("PGUSER", self.user.clone()),
            ("PGDATABASE", self.database.clone()),
            ("PGSSLMODE", self.sslmode.word().into()),
        ];
        variables.push(match &self.password_file {
            Some(file) => ("PGPASSFILE", file.display().to_string()),
            None => ("PGPASSWORD", self.password.clone()),
        });
        if self.target_session == TargetSession::ReadWrite {
            variables.push(("PGTARGETSESSIONATTRS", "read-write".into()));
        }
        variables.extend(self.tls_variables());
        variables
    }

    /// Parses an address from libpq's environment variables: the inverse of [`variables`](Address::variables). Ignores
    /// `DATABASE_URL`. `of`: returns a variable's value.
    ///
    /// *Errors*: the variable that is missing or invalid.
    pub fn from_variables(of: impl Fn(&str) -> Option<String>) -> Result<Address, String> {
        let needed = |name: &str| of(name).ok_or_else(|| format!("the variable {name} is not set"));
        let ports = needed("PGPORT")?;
        let ports: Vec<u16> = ports
            .split(',')
            .map(|port| port.parse().map_err(|_| format!("PGPORT holds {port:?}, which is not a port")))
            .collect::<Result<_, _>>()?;
        let names = needed("PGHOST")?;
        let names: Vec<&str> = names.split(',').collect();
        if names.len() != ports.len() {
            return Err(format!("PGHOST has {} hosts and PGPORT has {} ports", names.len(), ports.len()));
        }
        let hosts = names.into_iter().zip(ports).map(|(host, port)| Place { host: host.to_owned(), port }).collect();
        let root = of("PGSSLROOTCERT").map(PathBuf::from);
        let certificate = of("PGSSLCERT").zip(of("PGSSLKEY"));
        let certificate = certificate.map(|(certificate, key)| (certificate.into(), key.into()));
        let mut address = Address {
            hosts,
            user: needed("PGUSER")?,
            password: of("PGPASSWORD").unwrap_or_default(),
            password_file: of("PGPASSFILE").map(PathBuf::from),
            password_kept: None,
            database: needed("PGDATABASE")?,
            target_session: word(&of, "PGTARGETSESSIONATTRS", &TargetSession::ALL)?,
            sslmode: word(&of, "PGSSLMODE", &SslMode::ALL)?,
            tls: root.map(|root| TlsFiles { root, certificate }),
            tls_kept: None,
        };
        address.password = address.current_password().map_err(|error| format!("PGPASSFILE: {error}"))?;
        Ok(address)
    }

    /// Returns libpq's variables for the files of TLS.
    fn tls_variables(&self) -> Vec<(&'static str, String)> {
        let Some(files) = &self.tls else { return Vec::new() };
        let mut variables = vec![("PGSSLROOTCERT", files.root.display().to_string())];
        if let Some((certificate, key)) = &files.certificate {
            variables.push(("PGSSLCERT", certificate.display().to_string()));
            variables.push(("PGSSLKEY", key.display().to_string()));
        }
        variables
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<_> = self.hosts.iter().map(Place::to_string).collect();
        write!(f, "postgres://{}:***@{}/{}", self.user, hosts.join(","), self.database)
    }
}

/// Parses a variable that holds one of the `known` words; returns the default if the variable is not set.
fn word<T: Copy + Default>(
    of: impl Fn(&str) -> Option<String>,
    name: &str,
    known: &[(&'static str, T)],
) -> Result<T, String> {
    let Some(given) = of(name) else { return Ok(T::default()) };
    let entry = known.iter().find(|(word, _)| *word == given);
    entry.map(|(_, meaning)| *meaning).ok_or_else(|| format!("{name} holds {given:?}, which is not supported"))
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
        let gateway: SocketAddr = "127.0.0.1:10432".parse().unwrap();
        Address::plain(gateway, "squall", "a/b:c@d?", "squall")
    }

    fn variable(address: &Address, name: &str) -> Option<String> {
        address.variables().into_iter().find(|(found, _)| *found == name).map(|(_, value)| value)
    }

    #[test]
    fn url_escapes_the_password() {
        let config: tokio_postgres::Config = sample().url().parse().unwrap();
        assert_eq!(config.get_password(), Some(b"a/b:c@d?".as_slice()));
        assert_eq!(config.get_ports(), [10432]);
    }

    #[test]
    fn several_hosts_are_in_order() {
        let mut address = sample();
        address.hosts.push(Place { host: "127.0.0.1".into(), port: 10433 });
        address.target_session = TargetSession::ReadWrite;
        let config: tokio_postgres::Config = address.url().parse().unwrap();
        assert_eq!((config.get_hosts().len(), config.get_ports()), (2, [10432, 10433].as_slice()));
        assert_eq!(variable(&address, "PGPORT").as_deref(), Some("10432,10433"));
        assert_eq!(variable(&address, "PGTARGETSESSIONATTRS").as_deref(), Some("read-write"));
    }

    #[test]
    fn rotating_password_is_only_in_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "*:*:*:squall:second\n").unwrap();
        let address = Address { password_file: Some(file), ..sample() };
        assert_eq!(address.current_password().unwrap(), "second");
        assert!(!address.url().contains("second") && !address.url().contains("a%2Fb"));
        assert_eq!((variable(&address, "PGPASSWORD"), variable(&address, "PGPASSFILE").is_some()), (None, true));
    }

    #[cfg(feature = "simulation")]
    #[test]
    fn rotating_password_is_shared_by_clones() {
        let kept = Rotating::new("first".to_owned());
        let address = Address { password_kept: Some(kept.clone()), ..sample() };
        let clone = address.clone();
        kept.change(|password| *password = "second".into());
        assert_eq!(clone.current_password().unwrap(), "second");
        assert_eq!(clone, address);
        assert!(!address.url().contains("second") && !address.url().contains("a%2Fb"));
    }

    #[test]
    fn tls_files_have_libpqs_names() {
        let files =
            TlsFiles { root: "/run/ca.pem".into(), certificate: Some(("/run/c.pem".into(), "/run/k.pem".into())) };
        let address = Address { sslmode: SslMode::VerifyFull, tls: Some(files), ..sample() };
        assert!(address.url().ends_with(
            "?sslmode=verify-full&sslrootcert=%2Frun%2Fca.pem&sslcert=%2Frun%2Fc.pem&sslkey=%2Frun%2Fk.pem"
        ));
        assert_eq!(variable(&address, "PGSSLKEY").as_deref(), Some("/run/k.pem"));
    }

    #[test]
    fn certificates_are_reread_and_debug_omits_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        };
        assert_eq!(sample().current_certificates().unwrap(), None);
        let files = TlsFiles { root: file("ca", "first"), certificate: Some((file("c", "mine"), file("k", "secret"))) };
        let address = Address { tls: Some(files), ..sample() };
        file("ca", "second");
        let found = address.current_certificates().unwrap().unwrap();
        assert_eq!((found.root.as_str(), &found.certificate), ("second", &Some(("mine".into(), "secret".into()))));
        assert!(!format!("{found:?}").contains("secret"));
        std::fs::remove_file(folder.path().join("k")).unwrap();
        assert!(address.current_certificates().unwrap_err().to_string().contains("k: No such file"));
    }

    /// Returns the address that a process parses from these variables.
    fn round_trip(address: &Address) -> Result<Address, String> {
        Address::from_variables(|name| variable(address, name))
    }

    #[test]
    fn variables_round_trip() {
        assert_eq!(round_trip(&sample()), Ok(sample()));
        let mut full = sample();
        full.hosts.push(Place { host: "nowhere.invalid".into(), port: 10433 });
        full.target_session = TargetSession::ReadWrite;
        full.sslmode = SslMode::VerifyFull;
        full.tls = Some(TlsFiles { root: "/run/ca.pem".into(), certificate: Some(("/c.pem".into(), "/k.pem".into())) });
        assert_eq!(round_trip(&full), Ok(full.clone()));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "*:*:*:squall:second\n").unwrap();
        let filed = Address { password_file: Some(file), ..sample() };
        assert_eq!(round_trip(&filed), Ok(Address { password: "second".into(), ..filed }));
    }

    #[test]
    fn errors_name_the_variable() {
        let without = |name: &'static str| {
            Address::from_variables(|wanted| variable(&sample(), wanted).filter(|_| wanted != name)).unwrap_err()
        };
        assert_eq!(without("PGHOST"), "the variable PGHOST is not set");
        let with = |name: &'static str, value: &'static str| {
            let of = |wanted: &str| (wanted == name).then(|| value.to_owned()).or_else(|| variable(&sample(), wanted));
            Address::from_variables(of).unwrap_err()
        };
        assert_eq!(with("PGPORT", "1,2"), "PGHOST has 1 hosts and PGPORT has 2 ports");
        assert_eq!(with("PGPORT", "65536"), "PGPORT holds \"65536\", which is not a port");
        assert_eq!(with("PGSSLMODE", "allow"), "PGSSLMODE holds \"allow\", which is not supported");
        assert!(with("PGPASSFILE", "/no/such/file").starts_with("PGPASSFILE: "));
    }

    #[test]
    fn debug_omits_the_password() {
        assert!(!format!("{:?}", sample()).contains("a/b"));
    }
}
