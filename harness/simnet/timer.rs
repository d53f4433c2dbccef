//! When the task that carries packets goes on.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};

use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

/// Wakes one task at one instant.
#[derive(Debug)]
struct Alarm {
    sleep: Pin<Box<Sleep>>,
    set: Option<Instant>,
}

impl Alarm {
    fn new() -> Alarm {
        Alarm { sleep: Box::pin(sleep_until(Instant::now())), set: None }
    }

    fn set(&mut self, at: Instant, waker: &Waker) {
        if self.set == Some(at) {
            return;
        }
        self.set = Some(at);
        self.sleep.as_mut().reset(at);
        // Whoever sets it off has turns of his own, of which this is none.
        if pin!(unconstrained(self.sleep.as_mut())).poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
    }

    fn has_passed(&mut self, now: Instant) {
        self.set.take_if(|at| *at <= now);
    }
}

/// Two of them: to set one costs as much as to carry a packet, and the far one is hardly ever set anew.
#[derive(Debug)]
pub(super) struct Alarms {
    waker: Waker,
    /// For packets, and for what is to be done some time later.
    near: Alarm,
    far: Alarm,
    /// When the task goes on.
    armed: Option<Instant>,
}

impl Alarms {
    /// Those of the task that is polled with this waker.
    pub fn of(waker: &Waker) -> Alarms {
        Alarms { waker: waker.clone(), near: Alarm::new(), far: Alarm::new(), armed: None }
    }

    /// The task is polled with this waker.
    pub fn belong_to(&mut self, waker: &Waker) {
        if !self.waker.will_wake(waker) {
            *self = Alarms::of(waker);
        }
    }

    /// What is due now is being seen to.
    pub fn begin(&mut self, now: Instant) {
        self.near.has_passed(now);
        self.far.has_passed(now);
        self.armed = Some(now);
    }

    /// The task goes on when the next packets are due, or the next of what is to be done later.
    pub fn arm(&mut self, packets: Option<Instant>, later: Option<Instant>) {
        self.armed = packets.into_iter().chain(later).min();
        if let Some(at) = later {
            self.far.set(at, &self.waker);
        }
        if let Some(at) = packets {
            self.near.set(at, &self.waker);
        }
    }

    /// It goes on at once.
    pub fn wake(&self) {
        self.waker.wake_by_ref();
    }

    /// It goes on then at the latest.
    pub fn bring_forward(&mut self, at: Instant) {
        if self.armed.is_none_or(|armed| at < armed) {
            self.armed = Some(at);
            self.near.set(at, &self.waker);
        }
    }
}
