//! Cases in which connections are lost during operations.

use std::time::Duration;

use tokio::time::Instant;

use super::CaseResult;
use super::bench::{CLIENT_SESSIONS, CaseBench};
use super::calls::{ANSWER_WITHIN, check_not_early, collect_answers};
use crate::gateway::Cut;

/// Time limit until operations wait at the lock; after it, the fault hits those that do.
const THERE_WITHIN: Duration = Duration::from_secs(2);

/// How connections are lost.
#[derive(Clone, Copy)]
enum Loss {
    /// The server ends every session, with an error message.
    Terminated,
    /// RST on every connection.
    Reset,
}

pub(super) async fn restart(bench: &mut CaseBench) -> CaseResult {
    lose_connections(bench, Loss::Terminated, "the end of its sessions").await
}

pub(super) async fn cut(bench: &mut CaseBench) -> CaseResult {
    lose_connections(bench, Loss::Reset, "the reset of its connections").await
}

/// Lets operations wait at a lock when the fault comes, so that each is hit during a statement. Releases the lock right
/// after the fault, so that retries can succeed.
async fn lose_connections(bench: &mut CaseBench, loss: Loss, after: &str) -> CaseResult {
    let lock = bench.lock("ACCESS EXCLUSIVE").await?;
    let pending = bench.start_batch(None)?;
    bench.wait_at_lock(&pending, bench.concurrency_seen, THERE_WITHIN).await?;
    match loss {
        Loss::Terminated => drop(bench.terminate().await?),
        Loss::Reset => drop(bench.environment.gateway.cut(Cut::Reset).await),
    }
    let released = Instant::now();
    lock.release().await?;
    let answers = collect_answers(pending, Instant::now() + ANSWER_WITHIN).await?;
    check_not_early(&answers, released)?;
    bench.wait_until_recovered(after).await?;
    bench.check_acknowledged(&answers).await
}

impl CaseBench {
    /// Ends every session of the client; returns their number.
    pub async fn terminate(&self) -> Result<usize, crate::server::ServerError> {
        let terminate = format!(
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {CLIENT_SESSIONS}"
        );
        self.direct.count(&terminate, &[&self.environment.address.user]).await
    }
}
