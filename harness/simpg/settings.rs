//! Configuration of a simulated server.

/// How roles other than superusers authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// scram-sha-256.
    Scram,
    /// Trust: the server requests no password.
    Trust,
}

/// Configuration of a simulated server; the defaults are those of a new cluster, with an empty password.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The simulated major version of PostgreSQL, 12 to 18.
    pub major: u32,
    pub max_connections: usize,
    pub superuser_reserved_connections: usize,
    pub sign_in: SignIn,
    /// The initial password of the client's role.
    pub password: String,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            major: 15,
            max_connections: 100,
            superuser_reserved_connections: 3,
            sign_in: SignIn::Scram,
            password: String::new(),
        }
    }
}

/// `server_version` of the simulated minor release.
pub(super) fn version(major: u32) -> &'static str {
    match major {
        ..=12 => "12.22",
        13 => "13.23",
        14 => "14.23",
        15 => "15.18",
        16 => "16.14",
        17 => "17.10",
        _ => "18.4",
    }
}
