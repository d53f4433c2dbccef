//! Credentials and unique names of one run.
//!
//! They come from the operating system's random numbers and not from a [`Seed`](crate::model::seed::Seed), because a
//! repeated plan must not repeat its passwords. Keys of simulations, which have no attackers, must repeat: see
//! `origin`.

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

/// Returns a random password of letters and digits, which needs no escaping in URLs, SQL or environment variables.
///
/// *Shape*: 24 characters, 142 bits.
///
/// *Panics* if the operating system provides no randomness.
pub(crate) fn password() -> String {
    Alphanumeric.sample_string(&mut UnwrapErr(SysRng), 24)
}

/// Replaces a password file of libpq's format, as [`replace`] does. Its one line applies to all hosts and databases.
///
/// *Source*: PostgreSQL manual, libpq, "The Password File".
pub(crate) fn write_password_file(path: &Path, user: &str, password: &str) -> io::Result<()> {
    replace(path, &format!("*:*:*:{user}:{password}\n"))
}

/// Replaces a file atomically: readers see the old text or the new one. Only the file's owner can read it.
///
/// *Errors*: the file cannot be written.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&unfinished, path)
}

/// Returns a random number for names that must be unique, such as those of run folders, ports and authorities.
///
/// *Panics* if the operating system provides no randomness.
pub(crate) fn unique() -> u64 {
    UnwrapErr(SysRng).random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_differ_and_need_no_escaping() {
        let password = password();
        assert_eq!(password.len(), 24);
        assert!(password.chars().all(|c| c.is_ascii_alphanumeric()), "{password}");
        assert_ne!(password, super::password());
    }
}
