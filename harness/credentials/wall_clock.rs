//! The wall clock by which certificates are issued and checked: the machine's, or one that follows virtual time.

use std::time::SystemTime;
#[cfg(feature = "simulation")]
use std::time::{Duration, UNIX_EPOCH};

#[cfg(feature = "tls")]
use rustls::pki_types::UnixTime;
#[cfg(feature = "tls")]
use rustls::time_provider::TimeProvider;
#[cfg(feature = "simulation")]
use tokio::time::Instant;

/// The wall time at which virtual time begins: 1 January 2026, 0:00 UTC. Any constant before 2050 would do: from then
/// on, certificates have a longer date format.
///
/// *Source*: RFC 5280, section 4.1.2.5.
#[cfg(feature = "simulation")]
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// A wall clock.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WallClock {
    /// The machine's clock.
    #[cfg(feature = "tls")]
    Machine,
    /// A clock that follows the runtime's clock. The instant is the beginning of virtual time.
    #[cfg(feature = "simulation")]
    Virtual(Instant),
}

impl WallClock {
    /// Returns a clock that shows [`BEGINNING`] now.
    #[cfg(feature = "simulation")]
    pub fn beginning_now() -> WallClock {
        WallClock::Virtual(Instant::now())
    }

    pub fn now(self) -> SystemTime {
        match self {
            #[cfg(feature = "tls")]
            WallClock::Machine => SystemTime::now(),
            #[cfg(feature = "simulation")]
            WallClock::Virtual(began) => UNIX_EPOCH + BEGINNING + began.elapsed(),
        }
    }
}

#[cfg(feature = "tls")]
impl TimeProvider for WallClock {
    fn current_time(&self) -> Option<UnixTime> {
        let since = self.now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(UnixTime::since_unix_epoch(since))
    }
}

#[cfg(all(test, feature = "simulation"))]
mod tests {
    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn virtual_clock_starts_at_a_constant_and_advances() {
        let clock = WallClock::beginning_now();
        assert_eq!(clock.now(), UNIX_EPOCH + BEGINNING);
        sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), UNIX_EPOCH + BEGINNING + Duration::from_secs(90));
        #[cfg(feature = "tls")]
        assert_eq!(clock.current_time().unwrap().as_secs(), 1_767_225_690);
    }
}
