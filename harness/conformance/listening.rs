//! The subscription: what is sent is heard, once, also after the session that listened is lost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::task::AbortOnDropHandle;

use super::Found;
use super::asking::LOOK_EVERY;
use super::stage::{Stage, Trouble, wrong};
use crate::client::{Notice, Notifications};
use crate::model::history::OpError;
use crate::model::time::show;
use crate::server::bootstrap::CHANNEL;

/// Between two notifications while it is not known whether anybody listens.
const INTERVAL: Duration = Duration::from_millis(100);

/// From a notification that was heard to its second copy, where there is one.
const ECHO: Duration = Duration::from_millis(50);

/// From the end of a subscription to its return: the documentation of some libraries waits ten seconds before the first try.
const LISTENS_WITHIN: Duration = Duration::from_secs(20);

/// A client that listens, and what it has said so far.
struct Ear {
    said: Arc<Mutex<Vec<Notice>>>,
    listening: AbortOnDropHandle<Result<(), OpError>>,
    /// The number of the last notification that was sent.
    sent: u32,
}

pub(super) async fn listen(stage: &mut Stage) -> Found {
    let mut ear = Ear::begin(stage)?;
    ear.heard_after(stage, "it was asked to listen").await?;
    ear.send(stage).await?;
    ear.heard_within(ear.sent, LISTENS_WITHIN).await;
    sleep(ECHO).await;
    ear.each_once()?;

    let before = ear.said().len();
    if stage.terminate().await? == 0 {
        return wrong("hears notifications, though it has no session on the server; LISTEN on a connection of its own");
    }
    let lost = ear.sent;
    ear.heard_after(stage, "its session was ended").await?;
    ear.send(stage).await?;
    ear.heard_within(ear.sent, LISTENS_WITHIN).await;
    sleep(ECHO).await;
    ear.each_once()?;
    let said = ear.said();
    let since = said[before..].iter().take_while(|notice| !matches!(number(notice), Some(heard) if heard > lost));
    match since.into_iter().any(|notice| *notice == Notice::Gap) {
        true => Ok(()),
        false => wrong(
            "hands on notifications again after its subscription was lost, and has not said {\"gap\":true} before; say \
             it as soon as it listens again",
        ),
    }
}

impl Ear {
    fn begin(stage: &Stage) -> Result<Ear, Trouble> {
        let client = Arc::clone(stage.client()?);
        let said = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&said);
        let news = Notifications::new(move |notice| heard.lock().unwrap_or_else(PoisonError::into_inner).push(notice));
        let listening = AbortOnDropHandle::new(tokio::spawn(async move { client.listen(news).await }));
        Ok(Ear { said, listening, sent: 0 })
    }

    fn said(&self) -> MutexGuard<'_, Vec<Notice>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&mut self, stage: &Stage) -> Found {
        self.sent += 1;
        Ok(stage.direct.batch(&format!("NOTIFY {CHANNEL}, '{}'", self.sent)).await?)
    }

    /// Sends notifications until one of them is heard.
    async fn heard_after(&mut self, stage: &Stage, what: &str) -> Found {
        let until = Instant::now() + LISTENS_WITHIN;
        let first = self.sent + 1;
        loop {
            self.send(stage).await?;
            if self.heard_within(first, INTERVAL).await {
                return Ok(());
            }
            if self.listening.is_finished() {
                return self.given_up(what).await;
            }
            if Instant::now() >= until {
                let within = show(LISTENS_WITHIN);
                return wrong(format!(
                    "has handed on no notification {within} after {what}; LISTEN {CHANNEL} on a connection of its own, \
                     anew where that is lost, and hand on {{\"notification\":{{\"payload\":\"17\"}}}}"
                ));
            }
        }
    }

    /// Waits a while for a notification of this number, or a later one.
    async fn heard_within(&self, from: u32, within: Duration) -> bool {
        let until = Instant::now() + within;
        loop {
            if self.said().iter().any(|notice| number(notice).is_some_and(|heard| heard >= from)) {
                return true;
            }
            if Instant::now() >= until || self.listening.is_finished() {
                return false;
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn given_up(&mut self, what: &str) -> Found {
        let how = match (&mut self.listening).await {
            Ok(Ok(())) => "without an error".to_owned(),
            Ok(Err(error)) => format!("with {error}"),
            Err(panic) => format!("with a panic: {panic}"),
        };
        wrong(format!("gives up listening after {what}, {how}; listen again, or do not name the capability \"listen\""))
    }

    fn each_once(&self) -> Found {
        let said = self.said();
        for notice in said.iter() {
            let Notice::Heard(payload) = notice else { continue };
            if number(notice).is_none_or(|heard| heard == 0 || heard > self.sent) {
                return wrong(format!(
                    "hands on the notification {payload:?}, which nobody sent; hand on the payload as it is"
                ));
            }
            if said.iter().filter(|other| *other == notice).count() > 1 {
                return wrong(format!(
                    "hands on the notification {payload:?} more than once; LISTEN on one connection"
                ));
            }
        }
        Ok(())
    }
}

/// The number of a notification.
fn number(notice: &Notice) -> Option<u32> {
    match notice {
        Notice::Heard(payload) => payload.parse().ok(),
        Notice::Gap => None,
    }
}
