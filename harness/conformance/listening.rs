//! The case `listen`: each notification is passed on once, and gaps are reported after the session is lost.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::CaseResult;
use super::bench::{CaseBench, CaseError, wrong};
use super::calls::POLL_INTERVAL;
use crate::client::{Notice, Notifications};
use crate::model::history::OpError;
use crate::model::time::show;
use crate::server::bootstrap::CHANNEL;

/// Pause between two notifications until the client is known to listen.
const INTERVAL: Duration = Duration::from_millis(100);

/// Time in which a duplicate of a received notification would arrive.
const DUPLICATE_WITHIN: Duration = Duration::from_millis(50);

/// Time limit until the client listens, at first and after its session has ended: examples in the documentation of some
/// libraries wait ten seconds before the first attempt.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);

/// A listening client, and its notices so far.
struct Subscription {
    notices: Arc<Mutex<Vec<Notice>>>,
    listening: AbortOnDropHandle<Result<(), OpError>>,
    /// The number of the last notification sent.
    sent: u32,
}

pub(super) async fn listen(bench: &mut CaseBench) -> CaseResult {
    let mut subscription = Subscription::start(bench)?;
    subscription.expect_notification_after(bench, "the request to listen").await?;
    subscription.send(bench).await?;
    subscription.received_within(subscription.sent, LISTENS_WITHIN).await;
    sleep(DUPLICATE_WITHIN).await;
    subscription.check_each_once()?;

    let before = subscription.notices().len();
    if bench.terminate().await? == 0 {
        return wrong("passes on notifications without a session on the server; LISTEN on a separate connection");
    }
    let lost = subscription.sent;
    subscription.expect_notification_after(bench, "the end of its session").await?;
    subscription.send(bench).await?;
    subscription.received_within(subscription.sent, LISTENS_WITHIN).await;
    sleep(DUPLICATE_WITHIN).await;
    subscription.check_each_once()?;
    let notices = subscription.notices();
    let since =
        notices[before..].iter().take_while(|notice| !matches!(number(notice), Some(received) if received > lost));
    match since.into_iter().any(|notice| *notice == Notice::Gap) {
        true => Ok(()),
        false => wrong(
            "passes on notifications again after its subscription was lost, without {\"gap\":true} before; send it as \
             soon as the new subscription listens",
        ),
    }
}

impl Subscription {
    fn start(bench: &CaseBench) -> Result<Subscription, CaseError> {
        let client = Arc::clone(bench.client()?);
        let notices = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&notices);
        let news = Notifications::new(move |notice| received.lock().push(notice));
        let listening = AbortOnDropHandle::new(tokio::spawn(async move { client.listen(news).await }));
        Ok(Subscription { notices, listening, sent: 0 })
    }

    fn notices(&self) -> MutexGuard<'_, Vec<Notice>> {
        self.notices.lock()
    }

    async fn send(&mut self, bench: &CaseBench) -> CaseResult {
        self.sent += 1;
        Ok(bench.direct.batch(&format!("NOTIFY {CHANNEL}, '{}'", self.sent)).await?)
    }

    /// Sends notifications until the client passes on one of them. `what`: the event before, for the finding.
    async fn expect_notification_after(&mut self, bench: &CaseBench, what: &str) -> CaseResult {
        let until = Instant::now() + LISTENS_WITHIN;
        let first = self.sent + 1;
        loop {
            self.send(bench).await?;
            if self.received_within(first, INTERVAL).await {
                return Ok(());
            }
            if self.listening.is_finished() {
                return self.listen_ended(what).await;
            }
            if Instant::now() >= until {
                let within = show(LISTENS_WITHIN);
                return wrong(format!(
                    "has passed on no notification {within} after {what}; LISTEN {CHANNEL} on a separate connection, \
                     again if that is lost, and pass on {{\"notification\":{{\"payload\":\"17\"}}}}"
                ));
            }
        }
    }

    /// Waits for a notification with the number `from` or a later one; returns whether it arrived.
    async fn received_within(&self, from: u32, within: Duration) -> bool {
        let until = Instant::now() + within;
        loop {
            if self.notices().iter().any(|notice| number(notice).is_some_and(|received| received >= from)) {
                return true;
            }
            if Instant::now() >= until || self.listening.is_finished() {
                return false;
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    async fn listen_ended(&mut self, what: &str) -> CaseResult {
        let how = match (&mut self.listening).await {
            Ok(Ok(())) => "without an error".to_owned(),
            Ok(Err(error)) => format!("with {error}"),
            Err(panic) => format!("with a panic: {panic}"),
        };
        wrong(format!("stops listening after {what}, {how}; listen again, or do not name the capability \"listen\""))
    }

    fn check_each_once(&self) -> CaseResult {
        let notices = self.notices();
        for notice in notices.iter() {
            let Notice::Received(payload) = notice else { continue };
            if number(notice).is_none_or(|received| received == 0 || received > self.sent) {
                return wrong(format!(
                    "passes on the notification {payload:?}, which was not sent; pass on the payload unchanged"
                ));
            }
            if notices.iter().filter(|other| *other == notice).count() > 1 {
                return wrong(format!(
                    "passes on the notification {payload:?} more than once; LISTEN on one connection"
                ));
            }
        }
        Ok(())
    }
}

/// The number in a notification's payload.
fn number(notice: &Notice) -> Option<u32> {
    match notice {
        Notice::Received(payload) => payload.parse().ok(),
        Notice::Gap => None,
    }
}
