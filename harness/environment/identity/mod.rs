//! Credentials and names that live as long as one run, drawn from the operating system.

use rand::RngExt;
use rand::distr::Alphanumeric;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;

/// A password nobody can guess: 24 letters and digits, 142 bits.
///
/// *Panics*: if the operating system has no randomness to give; there is nothing sensible to do without it.
pub(crate) fn password() -> String {
    let rng = UnwrapErr(SysRng);
    rng.sample_iter(Alphanumeric).take(24).map(char::from).collect()
}

/// A number by which a run is told from every other.
pub(crate) fn unique() -> u64 {
    UnwrapErr(SysRng).random()
}
