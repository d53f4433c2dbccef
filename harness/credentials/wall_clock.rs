//! The clock on the wall, by which certificates are valid: the machine's, or one that goes with virtual time.

use std::time::SystemTime;
#[cfg(feature = "simulation")]
use std::time::{Duration, UNIX_EPOCH};

#[cfg(feature = "tls")]
use rustls::pki_types::UnixTime;
#[cfg(feature = "tls")]
use rustls::time_provider::TimeProvider;
#[cfg(feature = "simulation")]
use tokio::time::Instant;

/// What time it is when virtual time begins: 1 January 2026, 0:00 UTC. Any would do that is always the same and lies
/// before 2050: from then on certificates write their times in a longer form.
///
/// *Source*: RFC 5280, section 4.1.2.5.
#[cfg(feature = "simulation")]
const BEGINNING: Duration = Duration::from_secs(1_767_225_600);

/// What time it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WallClock {
    /// The machine's own.
    #[cfg(feature = "tls")]
    Machine,
    /// It goes as the runtime's clock does, from the instant at which virtual time began.
    #[cfg(feature = "simulation")]
    Virtual(Instant),
}

impl WallClock {
    /// A clock on which virtual time begins now.
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
    async fn virtual_time_begins_at_the_same_moment_and_passes_on_the_wall_too() {
        let clock = WallClock::beginning_now();
        assert_eq!(clock.now(), UNIX_EPOCH + BEGINNING);
        sleep(Duration::from_secs(90)).await;
        assert_eq!(clock.now(), UNIX_EPOCH + BEGINNING + Duration::from_secs(90));
        #[cfg(feature = "tls")]
        assert_eq!(clock.current_time().unwrap().as_secs(), 1_767_225_690);
    }
}
