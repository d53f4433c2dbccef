//! Cases in which connections are lost while operations are under way.

use std::time::Duration;

use tokio::time::Instant;

use super::Found;
use super::asking::{ANSWER_WITHIN, answers, honest};
use super::stage::{OURS, Stage};
use crate::gateway::Cut;

/// Longest until operations are at the lock, to be hit there; whatever is there by then is.
const THERE_WITHIN: Duration = Duration::from_secs(2);

/// How connections are lost.
#[derive(Clone, Copy)]
enum Loss {
    /// The server ends every session, with a word.
    Terminated,
    /// RST on every connection.
    Reset,
}

pub(super) async fn restart(stage: &mut Stage) -> Found {
    lose(stage, Loss::Terminated, "its sessions were ended").await
}

pub(super) async fn cut(stage: &mut Stage) -> Found {
    lose(stage, Loss::Reset, "its connections were reset").await
}

/// Operations are held at a lock when it happens, so that each is hit in a statement. The lock is given back at once, for
/// those who try again.
async fn lose(stage: &mut Stage, loss: Loss, after: &str) -> Found {
    let lock = stage.lock("ACCESS EXCLUSIVE").await?;
    let asked = stage.begin_several(None)?;
    stage.at_lock(&asked, stage.side_by_side, THERE_WITHIN).await?;
    match loss {
        Loss::Terminated => drop(stage.terminate().await?),
        Loss::Reset => drop(stage.environment.gateway.cut(Cut::Reset).await),
    }
    let released = Instant::now();
    lock.release().await?;
    let answers = answers(asked, Instant::now() + ANSWER_WITHIN).await?;
    honest(&answers, released)?;
    stage.back(after).await?;
    stage.kept(&answers).await
}

impl Stage {
    /// Ends every session of the client; returns how many.
    pub async fn terminate(&self) -> Result<usize, crate::server::ServerError> {
        let terminate =
            format!("SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OURS}");
        self.direct.count(&terminate, &[&self.environment.address.user]).await
    }
}
