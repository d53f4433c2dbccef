//! What a simulated server is made with.

/// How roles other than superusers show who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// scram-sha-256.
    Scram,
    /// Whoever comes is believed.
    Trust,
}

/// What a simulated server is made with; the default is what a fresh cluster has.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The version that it speaks as, 12 to 18.
    pub major: u32,
    pub max_connections: usize,
    pub superuser_reserved_connections: usize,
    pub sign_in: SignIn,
    /// The password of the client's role at the start.
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

/// As `SHOW server_version` says it.
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
