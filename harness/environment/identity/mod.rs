//! Credentials and names that exist for one run only.
//!
//! Drawn from the operating system and never from a [`Seed`](crate::seed::Seed): a plan that is repeated must not
//! repeat its passwords.

#[cfg(all(test, feature = "tls"))]
pub(crate) mod certificate;

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
