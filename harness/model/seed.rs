//! The only source of randomness. All random values of a plan or a workload are drawn from a [`Seed`], so that a run
//! can be repeated with the number that its report prints.

use std::fmt;

use rand::RngExt;
use rand::rngs::SysRng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{SeedableRng, UnwrapErr};
use serde::{Deserialize, Serialize};

/// A 64-bit seed; two runs of one version with equal seeds get equal plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "report", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Seed(pub u64);

impl Seed {
    /// Derives a seed for one purpose, so that additional draws for one purpose do not change the draws for another.
    pub fn fork(self, purpose: &str) -> Seed {
        // FNV-1a over the purpose, then the splitmix64 finaliser. Both are fixed by their definitions, unlike the
        // standard hasher, which may change with the toolchain and would change every plan with it.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.0;
        for byte in purpose.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Seed(hash ^ (hash >> 31))
    }

    /// A random seed, from the operating system.
    pub fn random() -> Seed {
        // Short enough to be typed again from a report.
        Seed(UnwrapErr(SysRng).random_range(0..1_000_000_000))
    }

    /// A generator whose sequence is fixed by its published algorithm (ChaCha, 8 rounds), on every platform.
    pub(crate) fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.0)
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_differ_by_purpose_and_repeat_by_seed() {
        assert_eq!(Seed(7).fork("onset"), Seed(7).fork("onset"));
        assert_ne!(Seed(7).fork("onset"), Seed(7).fork("workload"));
        assert_ne!(Seed(7).fork("onset"), Seed(8).fork("onset"));
    }
}
