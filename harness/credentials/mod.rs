//! Credentials and unique names of one run.
//!
//! Drawn from the operating system and not from a [`Seed`](crate::model::seed::Seed): a repeated plan must not repeat
//! its passwords. Simulations, which have no attackers, must repeat them: see `origin`.

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

/// A random password of letters and digits, which needs no escaping in URLs, SQL or environment variables.
///
/// *Shape*: 24 characters, 142 bits.
///
/// *Panics* if the operating system provides no randomness.
pub(crate) fn password() -> String {
    Alphanumeric.sample_string(&mut UnwrapErr(SysRng), 24)
}

/// Replaces libpq's password file atomically, with one line for all hosts.
///
/// *Source*: PostgreSQL manual, libpq, "The Password File".
pub(crate) fn write_password_file(path: &Path, user: &str, password: &str) -> io::Result<()> {
    replace(path, &format!("*:*:*:{user}:{password}\n"))
}

/// Replaces a file atomically: readers see the old text or the new one. Only its
/// owner can read it.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&unfinished, path)
}

/// A number that identifies a run.
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
