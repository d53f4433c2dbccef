//! Timers that wake the task that carries packets.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// Wakes one task at one instant.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    set: Option<Instant>,
}

impl Timer {
    fn new() -> Timer {
        Timer { sleep: Box::pin(sleep_until(Instant::now())), set: None }
    }

    fn set(&mut self, at: Instant, waker: &Waker) {
        if self.set == Some(at) {
            return;
        }
        self.set = Some(at);
        self.sleep.as_mut().reset(at);
        // The timer may be polled from any task, whose cooperative budget it must not use or obey.
        if pin!(unconstrained(self.sleep.as_mut())).poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
    }

    fn clear_if_due(&mut self, now: Instant) {
        self.set.take_if(|at| *at <= now);
    }
}

/// Two timers: setting one costs as much as carrying a packet, and the far one seldom changes.
#[derive(Debug)]
pub(super) struct Timers {
    waker: Waker,
    /// For packets, and for work that was brought forward; `far` is for other timed work.
    near: Timer,
    far: Timer,
    /// When the task wakes next.
    armed: Option<Instant>,
}

impl Timers {
    /// Timers of the task with this waker.
    pub fn new(waker: &Waker) -> Timers {
        Timers { waker: waker.clone(), near: Timer::new(), far: Timer::new(), armed: None }
    }

    /// Rebinds the timers if the task's waker has changed.
    pub fn set_waker(&mut self, waker: &Waker) {
        if !self.waker.will_wake(waker) {
            *self = Timers::new(waker);
        }
    }

    /// Clears timers that are due, because the caller now does the work that is due.
    pub fn clear_due(&mut self, now: Instant) {
        self.near.clear_if_due(now);
        self.far.clear_if_due(now);
        self.armed = Some(now);
    }

    /// Sets the timers: `near` to when the next packets are due, `far` to when the next timed work is due.
    pub fn arm(&mut self, packets: Option<Instant>, later: Option<Instant>) {
        self.armed = packets.into_iter().chain(later).min();
        if let Some(at) = later {
            self.far.set(at, &self.waker);
        }
        if let Some(at) = packets {
            self.near.set(at, &self.waker);
        }
    }

    /// Wakes the task at once.
    pub fn wake(&self) {
        self.waker.wake_by_ref();
    }

    /// Wakes the task at `at` at the latest.
    pub fn bring_forward(&mut self, at: Instant) {
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            self.near.set(at, &self.waker);
        }
    }
}
