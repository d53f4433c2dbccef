//! A client's subscription: the harness sends numbered notifications, and records which of them the client receives.
//!
//! Knows nothing of faults, and does not judge. A superuser's session sends the notifications straight to the primary,
//! one after the other. It sends none while the workload pauses, so that the path to the client is idle then, and after
//! the pause the server speaks first.
//!
//! A notification lost while the client is away is not a failure, because Postgres repeats none. Every notification
//! sent after the subscription has recovered must arrive. A gap that the client reports is shown in the figures.

use std::convert::Infallible;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::workload::message_of;
use crate::client::{DynClient, Notice, Notifications};
use crate::environment::Environment;
use crate::model::history::{Ended, Event};
use crate::model::pace::Pause;
use crate::recorder::Recorder;

/// Interval of notifications: ten a second locate an instant well enough, and do not load a server.
const INTERVAL: Duration = Duration::from_millis(100);

/// The maximum time for sending one notification. If the server is away or frozen, the next one uses a new session.
const SEND_WITHIN: Duration = Duration::from_secs(1);

/// Interval of polling for the last notifications.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The subscription of one run; idle until [`begin`](Subscription::begin).
pub(crate) struct Subscription {
    shared: Arc<Shared>,
    listening: Mutex<Option<AbortOnDropHandle<()>>>,
    /// The pause, in which nothing is sent; set once the timeline has a zero.
    pause: OnceLock<Range<Duration>>,
    begun: CancellationToken,
    /// Cancelled to stop sending.
    stop: CancellationToken,
}

struct Shared {
    recorder: Recorder,
    /// The highest number that was sent or tried.
    last: AtomicU64,
    /// The highest number that the client received.
    received: AtomicU64,
    /// Set when the subscription is finished: later notices of the client are not recorded.
    over: AtomicBool,
}

impl Subscription {
    pub fn new(recorder: Recorder) -> Subscription {
        let (last, received, over) = Default::default();
        Subscription {
            shared: Arc::new(Shared { recorder, last, received, over }),
            listening: Mutex::default(),
            pause: OnceLock::new(),
            begun: CancellationToken::new(),
            stop: CancellationToken::new(),
        }
    }

    /// Lets the client listen, and starts sending.
    pub fn begin(&self, client: Arc<dyn DynClient>) {
        let listening = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&self.shared).listen(client)));
        *self.listening.lock() = Some(listening);
        self.begun.cancel();
    }

    /// Sends nothing during a pause, whose times count from `zero`.
    pub fn pause(&self, zero: Duration, pause: Pause) {
        let from = zero + pause.at;
        // There is one timeline per run, so this is set once.
        let _ = self.pause.set(from..from + pause.lasts);
    }

    /// Sends notifications from the beginning to the end of the subscription, and then waits to be dropped.
    pub async fn send(&self, environment: &Environment) -> Infallible {
        self.begun.cancelled().await;
        tokio::select! {
            biased;
            () = self.stop.cancelled() => std::future::pending().await,
            never = self.go_on_sending(environment) => match never {},
        }
    }

    async fn go_on_sending(&self, environment: &Environment) -> Infallible {
        let Shared { recorder, last, .. } = self.shared.as_ref();
        loop {
            let next = Instant::now() + INTERVAL;
            let paused = self.pause.get().is_some_and(|pause| pause.contains(&recorder.now()));
            if !paused {
                // A number is never reused: after a failed send, its notification may still arrive.
                let number = last.fetch_add(1, Ordering::Relaxed) + 1;
                // Sending fails while a fault keeps the server away; then no notification is recorded as sent.
                if let Ok(Ok(())) = timeout(SEND_WITHIN, environment.server().notify(number)).await {
                    recorder.record_now(|at| Event::Notified { at, number });
                }
            }
            sleep_until(next).await;
        }
    }

    /// Stops sending, waits up to `grace` for notifications in flight, and then records no more notices.
    pub async fn finish(&self, grace: Duration) {
        self.stop.cancel();
        if self.begun.is_cancelled() {
            let Shared { last, received, .. } = self.shared.as_ref();
            let all_heard = async {
                while received.load(Ordering::Relaxed) < last.load(Ordering::Relaxed) {
                    sleep(LOOK_EVERY).await;
                }
            };
            // The judge decides about notifications that are still missing.
            let _ = timeout(grace, all_heard).await;
        }
        self.shared.over.store(true, Ordering::Relaxed);
    }

    /// Drops the client's call to listen.
    pub fn end(&self) {
        self.listening.lock().take();
    }
}

impl Shared {
    async fn listen(self: Arc<Self>, client: Arc<dyn DynClient>) {
        let shared = Arc::clone(&self);
        let news = Notifications::new(move |notice| shared.record(notice));
        let ended = AssertUnwindSafe(client.listen(news)).catch_unwind().await;
        if self.over.load(Ordering::Relaxed) {
            return;
        }
        match ended {
            // The end of the client's process is recorded elsewhere.
            Ok(_) if client.ended().is_some() => {}
            Ok(ended) => {
                self.recorder.record_now(|at| Event::Unsubscribed { at, error: ended.err() });
            }
            Err(panic) => {
                let message = message_of(panic);
                self.recorder.record_now(|at| Event::ClientEnded { at, how: Ended::Panicked { message } });
            }
        }
    }

    fn record(&self, notice: Notice) {
        if self.over.load(Ordering::Relaxed) {
            return;
        }
        match notice {
            Notice::Gap => {
                self.recorder.record_now(|at| Event::Gap { at });
            }
            Notice::Received(payload) => match payload.parse() {
                Ok(number) if number <= self.last.load(Ordering::Relaxed) => {
                    self.received.fetch_max(number, Ordering::Relaxed);
                    self.recorder.record_now(|at| Event::Heard { at, number });
                }
                _ => self
                    .recorder
                    .doubt(format!("the client reported the notification {payload:?}, which the harness did not send")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::client::Call;
    use crate::model::history::{ClientFacts, ErrorKind, History, OpError};
    use crate::model::seed::Seed;
    use crate::plan::Plan;
    use crate::scenario::Scenario;

    /// Reports these notices, then ends its subscription.
    struct ScriptedListener(Vec<Notice>);

    #[async_trait]
    impl DynClient for ScriptedListener {
        fn facts(&self) -> ClientFacts {
            let (name, version) = Default::default();
            ClientFacts { name, version, concurrency: 1, capabilities: vec!["listen".into()], timeout: None }
        }

        async fn perform(&self, _call: Call) -> Result<Option<bool>, OpError> {
            Ok(None)
        }

        async fn listen(&self, news: Notifications) -> Result<(), OpError> {
            self.0.iter().for_each(|notice| news.send(notice.clone()));
            match self.0.is_empty() {
                true => panic!("lost"),
                false => Err(OpError::new(ErrorKind::Closed, "lost")),
            }
        }

        fn ended(&self) -> Option<Ended> {
            None
        }

        async fn close(&self) {}
    }

    /// The events recorded of a client's notices after notifications up to number 3 were sent.
    async fn recorded(says: Vec<Notice>, finished_before: bool) -> Vec<Event> {
        let header = Plan::new(&Scenario::built_in("stall").unwrap(), "says", Seed(1), 0, 1).header;
        let recorder = Recorder::begin(header, None, None);
        let subscription = Subscription::new(recorder.clone());
        subscription.shared.last.store(3, Ordering::Relaxed);
        if finished_before {
            subscription.finish(Duration::from_secs(1)).await;
        }
        subscription.begin(Arc::new(ScriptedListener(says)));
        sleep(Duration::from_secs(1)).await;
        recorder.look(|history: &History| history.events.clone())
    }

    #[tokio::test(start_paused = true)]
    async fn notices_are_recorded() {
        let heard = |text: &str| Notice::Received(text.into());
        let events = recorded(vec![heard("3"), Notice::Gap], false).await;
        let lost = Some(OpError::new(ErrorKind::Closed, "lost"));
        assert!(
            matches!(&events[..], [
            Event::Heard { number: 3, .. },
            Event::Gap { .. },
            Event::Unsubscribed { error, .. }
        ] if *error == lost),
            "{events:?}"
        );
        assert_eq!(recorded(vec![heard("3")], true).await, [], "the subscription has ended");
        let events = recorded(Vec::new(), false).await;
        assert!(matches!(&events[..], [Event::ClientEnded { how: Ended::Panicked { .. }, .. }]), "{events:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn unsent_notification_is_a_doubt() {
        for payload in ["4", "-1", "news"] {
            let events = recorded(vec![Notice::Received(payload.into())], false).await;
            let doubted = |event: &Event| matches!(event, Event::Doubt { reason, .. } if reason.contains(payload));
            assert!(events.iter().any(doubted), "{events:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn finish_waits_for_the_last_notifications() {
        let header = Plan::new(&Scenario::built_in("stall").unwrap(), "says", Seed(1), 0, 1).header;
        let subscription = Subscription::new(Recorder::begin(header, None, None));
        let took = async |grace| {
            let began = Instant::now();
            subscription.finish(grace).await;
            began.elapsed()
        };
        assert_eq!(took(Duration::from_secs(5)).await, Duration::ZERO, "no listener");
        subscription.begun.cancel();
        subscription.shared.last.store(2, Ordering::Relaxed);
        assert_eq!(took(Duration::from_secs(5)).await, Duration::from_secs(5));
        subscription.shared.received.store(2, Ordering::Relaxed);
        assert_eq!(took(Duration::from_secs(5)).await, Duration::ZERO);
    }
}
