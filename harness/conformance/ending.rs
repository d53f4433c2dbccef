//! The case `end`: the adapter exits when its stdin ends, and leaves no session.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::CaseResult;
use super::bench::{CaseBench, CaseError, stderr_end, wrong};
use super::calls::POLL_INTERVAL;
use crate::model::history::Ended;
use crate::model::time::show;

/// The protocol's limit from the end of stdin to the adapter's exit.
const LEAVES_WITHIN: Duration = Duration::from_secs(2);

/// Time in which the server notices that a client has left.
const NOTICED_WITHIN: Duration = Duration::from_secs(2);

pub(super) async fn end(bench: &mut CaseBench) -> CaseResult {
    // The client must have open connections.
    bench.wait_until_recovered("the case before").await?;
    let client = bench.take_client()?;
    let began = Instant::now();
    client.close().await;
    let (took, exit_status) = (began.elapsed(), client.exit_status());
    match &exit_status {
        _ if took >= LEAVES_WITHIN => {
            return wrong(format!(
                "still runs {} after its stdin has ended; close the pool and exit when stdin ends",
                show(LEAVES_WITHIN)
            ));
        }
        Some(Ended::Exited { status, .. }) if status == "exit status 0" => {}
        Some(Ended::Exited { status, stderr }) => {
            let wrote = stderr_end(stderr);
            return wrong(format!(
                "exits with {status} when its stdin ends{wrote}; close the pool and exit with status 0"
            ));
        }
        Some(Ended::Violated { reason }) => return wrong(format!("breaks the protocol while closing: {reason}")),
        Some(Ended::Panicked { message }) => return wrong(format!("panics while closing: {message}")),
        None => {}
    }
    let until = Instant::now() + NOTICED_WITHIN;
    loop {
        match bench.sessions("true").await? {
            0 if exit_status.is_none() => return Err(CaseError::Skip("the client runs in this process".into())),
            0 => return Ok(()),
            left if Instant::now() >= until => {
                let within = show(NOTICED_WITHIN);
                return wrong(format!("leaves {left} sessions on the server {within} after its exit; close the pool"));
            }
            _ => sleep(POLL_INTERVAL).await,
        }
    }
}
