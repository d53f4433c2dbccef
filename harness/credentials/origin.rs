//! The source of a run's keys, and the clock of its certificates.

use rcgen::{Error, KeyPair};

use super::wall_clock::WallClock;
#[cfg(feature = "simulation")]
use crate::model::seed::Seed;

/// The header of an Ed25519 key in PKCS #8, before its 32 bytes.
///
/// *Source*: RFC 8410, sections 7 and 10.3.
#[cfg(feature = "simulation")]
const ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The source of keys, and the clock of certificates.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    /// Random ECDSA keys, which every client supports, and the machine's clock.
    Machine,
    /// A seed and a clock of virtual time. The keys are Ed25519, whose signatures all have the same length. The length
    /// of ECDSA signatures varies, and one byte more on the wire would change the history.
    #[cfg(feature = "simulation")]
    Simulated(Seed, WallClock),
}

impl Origin {
    pub fn clock(self) -> WallClock {
        match self {
            Origin::Machine => WallClock::Machine,
            #[cfg(feature = "simulation")]
            Origin::Simulated(_, clock) => clock,
        }
    }

    /// Returns a key. With a seed, the key depends only on the seed and on `whose`.
    #[cfg_attr(not(feature = "simulation"), allow(unused_variables, reason = "the machine's keys are all different"))]
    pub(super) fn key(self, whose: &str) -> Result<KeyPair, Error> {
        match self {
            Origin::Machine => KeyPair::generate(),
            #[cfg(feature = "simulation")]
            Origin::Simulated(seed, _) => seeded(seed.fork(whose)),
        }
    }

    /// Returns an identifying number. With a seed, the number depends only on the seed and on `whose`.
    #[cfg_attr(not(feature = "simulation"), allow(unused_variables, reason = "the machine's numbers all differ"))]
    pub(super) fn number(self, whose: &str) -> u64 {
        match self {
            Origin::Machine => super::unique(),
            #[cfg(feature = "simulation")]
            Origin::Simulated(seed, _) => seed.fork(whose).0,
        }
    }
}

#[cfg(feature = "simulation")]
fn seeded(seed: Seed) -> Result<KeyPair, Error> {
    use rand::Rng;
    let mut key = [0; ED25519.len() + 32];
    let (head, secret) = key.split_at_mut(ED25519.len());
    head.copy_from_slice(&ED25519);
    seed.rng().fill_bytes(secret);
    KeyPair::from_pkcs8_der_and_sign_algo(&key.as_slice().into(), &rcgen::PKCS_ED25519)
}

#[cfg(all(test, feature = "simulation"))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn seeded_keys_depend_on_seed_and_holder() {
        let key = |seed, whose| {
            let origin = Origin::Simulated(Seed(seed), WallClock::beginning_now());
            origin.key(whose).unwrap().serialize_pem()
        };
        assert_eq!(key(1, "server"), key(1, "server"));
        assert_ne!(key(1, "server"), key(1, "client"));
        assert_ne!(key(1, "server"), key(2, "server"));
        assert_ne!(
            Origin::Machine.key("server").unwrap().serialize_pem(),
            Origin::Machine.key("server").unwrap().serialize_pem()
        );
    }
}
