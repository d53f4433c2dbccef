//! A timer that is exact to a few dozen microseconds. Tokio's rounds up to the next millisecond: a latency of 50 ms
//! would measure as 51 ms. On networks with the runtime's clock, which may be virtual, tokio's timer is used.

use std::io;
use std::task::{Context, Poll, ready};

use tokio::time::Instant;

use super::transport::Clock;

/// Wakes one task at one instant at a time. Opens its file descriptor only when first used.
pub(super) struct Timer {
    clock: Clock,
    alarm: Option<Alarm>,
    set: Option<Instant>,
}

impl Timer {
    pub fn new(clock: Clock) -> Timer {
        Timer { clock, alarm: None, set: None }
    }

    /// Ready once `due` has passed; otherwise the task is woken then. A later call with another instant replaces this
    /// one.
    ///
    /// *Errors*: the kernel cannot make a timer, for example because no file descriptor is left.
    pub fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<io::Result<()>> {
        loop {
            if due <= Instant::now() {
                return Poll::Ready(Ok(()));
            }
            let alarm = match &mut self.alarm {
                Some(alarm) => alarm,
                none => none.insert(Alarm::new(self.clock)?),
            };
            if self.set != Some(due) {
                alarm.set(due)?;
                self.set = Some(due);
            }
            ready!(alarm.poll(cx))?;
            self.set = None;
        }
    }
}

/// The timer of the kernel or of the runtime.
enum Alarm {
    Kernel(kernel::Alarm),
    Runtime(runtime::Alarm),
}

impl Alarm {
    fn new(clock: Clock) -> io::Result<Alarm> {
        match clock {
            Clock::Machine => kernel::Alarm::new().map(Alarm::Kernel),
            _ => Ok(Alarm::Runtime(runtime::Alarm::new())),
        }
    }

    fn set(&mut self, due: Instant) -> io::Result<()> {
        match self {
            Alarm::Kernel(alarm) => alarm.set(due),
            Alarm::Runtime(alarm) => {
                alarm.set(due);
                Ok(())
            }
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Alarm::Kernel(alarm) => alarm.poll(cx),
            Alarm::Runtime(alarm) => alarm.poll(cx).map(Ok),
        }
    }
}

mod kernel {
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, RawFd};
    use std::task::{Context, Poll, ready};
    use std::time::Duration;

    use nix::sys::time::TimeSpec;
    use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;
    use tokio::time::Instant;

    /// A timerfd(2).
    pub(super) struct Alarm(AsyncFd<Descriptor>);

    struct Descriptor(TimerFd);

    impl AsRawFd for Descriptor {
        fn as_raw_fd(&self) -> RawFd {
            self.0.as_fd().as_raw_fd()
        }
    }

    impl Alarm {
        pub fn new() -> io::Result<Alarm> {
            let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
            let timer = Descriptor(TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?);
            // SAFETY: the timer owns its descriptor for as long as it lives, and nothing replaces it.
            Ok(Alarm(unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?))
        }

        pub fn set(&mut self, due: Instant) -> io::Result<()> {
            // Zero would disarm the timer.
            let wait = due.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
            let once = Expiration::OneShot(TimeSpec::from_duration(wait));
            Ok(self.0.get_ref().0.set(once, TimerSetTimeFlags::empty())?)
        }

        pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            loop {
                let mut ready = ready!(self.0.poll_read_ready(cx))?;
                match ready.get_inner().0.wait() {
                    Ok(()) => return Poll::Ready(Ok(())),
                    // The timer was set again after it had expired: the readiness is stale.
                    Err(nix::errno::Errno::EAGAIN) => ready.clear_ready(),
                    Err(error) => return Poll::Ready(Err(error.into())),
                }
            }
        }
    }
}

mod runtime {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use tokio::time::{Instant, Sleep, sleep_until};

    /// A timer of the runtime.
    pub(super) struct Alarm(Pin<Box<Sleep>>);

    impl Alarm {
        pub fn new() -> Alarm {
            Alarm(Box::pin(sleep_until(Instant::now())))
        }

        pub fn set(&mut self, due: Instant) {
            self.0.as_mut().reset(due);
        }

        pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
            self.0.as_mut().poll(cx)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    /// Median lateness of many waits.
    async fn lateness() -> Duration {
        let mut timer = Timer::new(Clock::Machine);
        let mut late = Vec::new();
        for _ in 0..200 {
            let due = Instant::now() + Duration::from_millis(5);
            poll_fn(|cx| timer.poll(cx, due)).await.unwrap();
            let now = Instant::now();
            assert!(now >= due, "too soon");
            late.push(now - due);
        }
        late.sort();
        late[late.len() / 2]
    }

    #[tokio::test]
    async fn it_is_exact_to_a_fraction_of_a_millisecond() {
        // Usually late by some dozens of microseconds; the bound and the retries allow for a busy machine.
        let mut medians = Vec::new();
        while medians.len() < 10 {
            let median = lateness().await;
            if median < Duration::from_millis(1) {
                return;
            }
            medians.push(median);
        }
        panic!("late by {medians:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_runtimes_clock_may_stand_still_and_leap() {
        let mut timer = Timer::new(Clock::Runtime);
        let due = Instant::now() + Duration::from_secs(3600);
        poll_fn(|cx| timer.poll(cx, due)).await.unwrap();
        assert_eq!(Instant::now(), due);
    }

    #[tokio::test]
    async fn timer_can_be_set_again_to_any_instant() {
        let mut timer = Timer::new(Clock::Machine);
        let now = Instant::now();
        let at = |millis| now + Duration::from_millis(millis);
        for due in [at(3_600_000), at(20), at(10), at(30)] {
            let waited = poll_fn(|cx| Poll::Ready(timer.poll(cx, due).is_ready())).await;
            assert!(!waited || Instant::now() >= due);
        }
        poll_fn(|cx| timer.poll(cx, at(30))).await.unwrap();
        assert!(Instant::now() >= at(30));
        poll_fn(|cx| timer.poll(cx, now)).await.unwrap();
        poll_fn(|cx| timer.poll(cx, at(40))).await.unwrap();
        assert!(Instant::now() >= at(40));
    }
}
