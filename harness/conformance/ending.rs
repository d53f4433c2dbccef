//! The end: nobody asks anything any more.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Found;
use super::asking::LOOK_EVERY;
use super::stage::{Stage, Trouble, last_words, wrong};
use crate::model::history::Ended;
use crate::model::time::show;

/// How long the contract gives an adapter from the end of its stdin to its exit.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// Longest that the server takes to notice that a client has left.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);

pub(super) async fn end(stage: &mut Stage) -> Found {
    // With connections that are open.
    stage.back("the case before").await?;
    let client = stage.take_client()?;
    let began = Instant::now();
    client.close().await;
    let (took, exit_status) = (began.elapsed(), client.exit_status());
    match &exit_status {
        _ if took >= LEAVES_WITHIN => {
            return wrong(format!(
                "goes on running {} after its stdin has ended; close in order and exit then",
                show(LEAVES_WITHIN)
            ));
        }
        Some(Ended::Exited { status, .. }) if status == "exit status 0" => {}
        Some(Ended::Exited { status, stderr }) => {
            let wrote = last_words(stderr);
            return wrong(format!("ends with {status} when its stdin ends{wrote}; close in order and exit with 0"));
        }
        Some(Ended::Violated { reason }) => return wrong(format!("breaks the protocol at its end: {reason}")),
        Some(Ended::Panicked { message }) => return wrong(format!("panics at its end: {message}")),
        None => {}
    }
    let until = Instant::now() + NOTICED_WITHIN;
    loop {
        match stage.sessions("true").await? {
            0 if exit_status.is_none() => return Err(Trouble::Skip("it lives in this process".into())),
            0 => return Ok(()),
            left if Instant::now() >= until => {
                let within = show(NOTICED_WITHIN);
                return wrong(format!("leaves {left} sessions on the server {within} after its end; close the pool"));
            }
            _ => sleep(LOOK_EVERY).await,
        }
    }
}
