//! Where a client finds its database, in every form that clients want it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::topology::{SslMode, TargetSession};

/// One place to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A name or an address, as a client is to look it up.
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

/// The files that a client uses TLS with, in PEM. They may change while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authority that the client is to trust.
    pub root: PathBuf,
    /// The client's own certificate and its key, where the server asks for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// What a client uses TLS with, in PEM.
///
/// `Debug` leaves the key out.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsTexts {
    /// The authority that the client is to trust.
    pub root: String,
    /// The client's own certificate and its key, where the server asks for one.
    pub certificate: Option<(String, String)>,
}

impl fmt::Debug for TlsTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let certificate = self.certificate.as_ref().map(|(certificate, _)| certificate);
        f.debug_struct("TlsTexts").field("root", &self.root).field("certificate", &certificate).finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// What lies in the files now.
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

/// What lies in memory, where it may change while the client runs. Clones are the same one.
#[derive(Clone)]
#[cfg_attr(not(feature = "simulation"), allow(dead_code, reason = "elsewhere what changes lies in files"))]
pub(crate) struct Rotating<T>(Arc<Mutex<T>>);

impl<T: Clone> Rotating<T> {
    #[cfg(feature = "simulation")]
    pub fn new(value: T) -> Rotating<T> {
        Rotating(Arc::new(Mutex::new(value)))
    }

    pub fn change(&self, how: impl FnOnce(&mut T)) {
        how(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn get(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T: Clone + PartialEq> PartialEq for Rotating<T> {
    fn eq(&self, other: &Rotating<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Clone + Eq> Eq for Rotating<T> {}

/// The gateway's addresses, with the credentials that the client is to use there.
///
/// `Debug` leaves the password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// The gateway's listening sockets, in the order in which they are to be tried; never empty. Each is stable for the
    /// whole run, whatever happens to the server behind it.
    pub hosts: Vec<Place>,
    pub user: String,
    /// The password with which the run begins.
    pub password: String,
    /// Where the client is to look for its password whenever it connects, in the form of libpq's password file; `None`:
    /// the password stays what it is. In a simulation there are no files: whoever asks for
    /// [`current_password`](Address::current_password) whenever it connects is right everywhere.
    pub password_file: Option<PathBuf>,
    /// Where the password is to be looked up in a simulation, if it may change.
    pub(crate) password_kept: Option<Rotating<String>>,
    pub database: String,
    pub target_session: TargetSession,
    pub sslmode: SslMode,
    /// `None` where no certificate is to be verified or shown. In a simulation there are no files: whoever asks for
    /// [`current_certificates`](Address::current_certificates) whenever it connects is right everywhere.
    pub tls: Option<TlsFiles>,
    /// What would lie in those files, in a simulation.
    pub(crate) tls_kept: Option<Rotating<TlsTexts>>,
}

impl Address {
    /// One place, with a password that stays, in plaintext.
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

    /// A connection URL: `postgres://user:password@127.0.0.1:10432/database?sslmode=disable`.
    ///
    /// In libpq's form, with several hosts where there are several. It holds no password where that is to be looked up
    /// by [`current_password`](Address::current_password). The parameters for certificates are libpq's too; a library that
    /// does not know them takes the fields.
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

    /// The password that is right now, as far as the client can know: read anew from where it is kept.
    ///
    /// *Errors*: the file cannot be read, or holds no line in the form of libpq's password file.
    pub fn current_password(&self) -> io::Result<String> {
        if let Some(kept) = &self.password_kept {
            return Ok(kept.get());
        }
        let Some(file) = &self.password_file else { return Ok(self.password.clone()) };
        let text = std::fs::read_to_string(file)?;
        // Ours are letters and digits, so that nothing in them is escaped.
        let password = text.lines().next().and_then(|line| line.splitn(5, ':').nth(4));
        let none = || io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no password", file.display()));
        password.map(str::to_owned).ok_or_else(none)
    }

    /// What the client is to use TLS with now: read anew from where it is kept, for whoever renews a certificate tells
    /// nobody. `None` where no certificate is to be verified or shown.
    ///
    /// *Errors*: a file cannot be read.
    pub fn current_certificates(&self) -> io::Result<Option<TlsTexts>> {
        match &self.tls_kept {
            Some(kept) => Ok(Some(kept.get())),
            None => self.tls.as_ref().map(TlsFiles::read).transpose(),
        }
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

    /// The address that a process was given in its environment: the other side of [`variables`](Address::variables).
    ///
    /// *Errors*: which variable is missing or holds something else.
    pub fn from_variables(of: impl Fn(&str) -> Option<String>) -> Result<Address, String> {
        let needed = |name: &str| of(name).ok_or_else(|| format!("the variable {name} is not set"));
        let ports = needed("PGPORT")?;
        let ports: Vec<u16> = ports
            .split(',')
            .map(|port| port.parse().map_err(|_| format!("PGPORT holds {port:?}, which is no port")))
            .collect::<Result<_, _>>()?;
        let names = needed("PGHOST")?;
        let names: Vec<&str> = names.split(',').collect();
        if names.len() != ports.len() {
            return Err(format!("there are {} hosts in PGHOST and {} ports in PGPORT", names.len(), ports.len()));
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

    /// libpq's variables for the files of TLS.
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

/// What a variable's word means; where it is not set, the default.
fn word<T: Copy + Default>(
    of: impl Fn(&str) -> Option<String>,
    name: &str,
    known: &[(&'static str, T)],
) -> Result<T, String> {
    let Some(given) = of(name) else { return Ok(T::default()) };
    let found = known.iter().find(|(word, _)| *word == given);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| format!("{name} holds {given:?}, which is unknown here"))
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
    fn the_url_survives_an_awkward_password() {
        let config: tokio_postgres::Config = sample().url().parse().unwrap();
        assert_eq!(config.get_password(), Some(b"a/b:c@d?".as_slice()));
        assert_eq!(config.get_ports(), [10432]);
    }

    #[test]
    fn several_hosts_are_told_in_order() {
        let mut address = sample();
        address.hosts.push(Place { host: "127.0.0.1".into(), port: 10433 });
        address.target_session = TargetSession::ReadWrite;
        let config: tokio_postgres::Config = address.url().parse().unwrap();
        assert_eq!((config.get_hosts().len(), config.get_ports()), (2, [10432, 10433].as_slice()));
        assert_eq!(variable(&address, "PGPORT").as_deref(), Some("10432,10433"));
        assert_eq!(variable(&address, "PGTARGETSESSIONATTRS").as_deref(), Some("read-write"));
    }

    #[test]
    fn a_password_that_changes_is_read_from_its_file_alone() {
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
    fn a_password_that_changes_in_memory_is_looked_up_there_by_every_clone() {
        let kept = Rotating::new("first".to_owned());
        let address = Address { password_kept: Some(kept.clone()), ..sample() };
        let clone = address.clone();
        kept.change(|password| *password = "second".into());
        assert_eq!(clone.current_password().unwrap(), "second");
        assert_eq!(clone, address);
        assert!(!address.url().contains("second") && !address.url().contains("a%2Fb"));
    }

    #[test]
    fn the_files_of_tls_are_named_as_libpq_names_them() {
        let files =
            TlsFiles { root: "/run/ca.pem".into(), certificate: Some(("/run/c.pem".into(), "/run/k.pem".into())) };
        let address = Address { sslmode: SslMode::VerifyFull, tls: Some(files), ..sample() };
        assert!(address.url().ends_with(
            "?sslmode=verify-full&sslrootcert=%2Frun%2Fca.pem&sslcert=%2Frun%2Fc.pem&sslkey=%2Frun%2Fk.pem"
        ));
        assert_eq!(variable(&address, "PGSSLKEY").as_deref(), Some("/run/k.pem"));
    }

    #[test]
    fn certificates_are_read_anew_and_debug_output_keeps_the_key_out() {
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

    /// What a process finds that was given this address.
    fn found(address: &Address) -> Result<Address, String> {
        Address::from_variables(|name| variable(address, name))
    }

    #[test]
    fn a_process_finds_the_address_that_it_was_given() {
        assert_eq!(found(&sample()), Ok(sample()));
        let mut full = sample();
        full.hosts.push(Place { host: "nowhere.invalid".into(), port: 10433 });
        full.target_session = TargetSession::ReadWrite;
        full.sslmode = SslMode::VerifyFull;
        full.tls = Some(TlsFiles { root: "/run/ca.pem".into(), certificate: Some(("/c.pem".into(), "/k.pem".into())) });
        assert_eq!(found(&full), Ok(full.clone()));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "*:*:*:squall:second\n").unwrap();
        let filed = Address { password_file: Some(file), ..sample() };
        assert_eq!(found(&filed), Ok(Address { password: "second".into(), ..filed }));
    }

    #[test]
    fn a_process_says_which_variable_it_misses() {
        let without = |name: &'static str| {
            Address::from_variables(|asked| variable(&sample(), asked).filter(|_| asked != name)).unwrap_err()
        };
        assert_eq!(without("PGHOST"), "the variable PGHOST is not set");
        let with = |name: &'static str, value: &'static str| {
            let of = |asked: &str| (asked == name).then(|| value.to_owned()).or_else(|| variable(&sample(), asked));
            Address::from_variables(of).unwrap_err()
        };
        assert_eq!(with("PGPORT", "1,2"), "there are 1 hosts in PGHOST and 2 ports in PGPORT");
        assert_eq!(with("PGPORT", "65536"), "PGPORT holds \"65536\", which is no port");
        assert_eq!(with("PGSSLMODE", "allow"), "PGSSLMODE holds \"allow\", which is unknown here");
        assert!(with("PGPASSFILE", "/no/such/file").starts_with("PGPASSFILE: "));
    }

    #[test]
    fn debug_output_keeps_the_password_out() {
        assert!(!format!("{:?}", sample()).contains("a/b"));
    }
}
