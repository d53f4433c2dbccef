//! Credentials and names that exist for one run only.
//!
//! Drawn from the operating system and never from a [`Seed`](crate::model::seed::Seed): a plan that is repeated must not
//! repeat its passwords. In a simulation, where nobody can guess them, it must: see `origin`.

pub mod address;
#[cfg(feature = "tls")]
pub(crate) mod certificate;
#[cfg(feature = "tls")]
pub(crate) mod origin;
#[cfg(feature = "tls")]
pub(crate) mod trust;
#[cfg(any(feature = "simulation", feature = "tls"))]
pub(crate) mod wall_clock;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rand::RngExt;
use rand::distr::{Alphanumeric, SampleString};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;

/// Letters and digits only, so that it needs no escaping in URLs, SQL or environment variables.
///
/// *Shape*: 24 characters, 142 bits.
///
/// *Panics* where the operating system has no randomness to give.
pub(crate) fn password() -> String {
    Alphanumeric.sample_string(&mut UnwrapErr(SysRng), 24)
}

/// Writes a password where libpq looks for one, at whatever host it connects to; replaces what was there at once.
///
/// *Source*: PostgreSQL manual, libpq, "The Password File".
pub(crate) fn write_password_file(path: &Path, user: &str, password: &str) -> io::Result<()> {
    replace(path, &format!("*:*:*:{user}:{password}\n"))
}

/// Puts a text in the place of a file, in one step: whoever reads it sees the old one or the new one. Nobody but its
/// owner may read it.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&unfinished, path)
}

/// A number by which a run is told from every other.
pub(crate) fn unique() -> u64 {
    UnwrapErr(SysRng).random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_need_no_escaping_and_differ() {
        let password = password();
        assert_eq!(password.len(), 24);
        assert!(password.chars().all(|c| c.is_ascii_alphanumeric()), "{password}");
        assert_ne!(password, super::password());
    }
}
