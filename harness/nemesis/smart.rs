//! A smart shutdown: open sessions may stay, new ones are refused, and the server ends with its last session.

use std::time::Duration;

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::fault::StopMode;
use crate::model::history::Evidence;

/// The server's log line for the request.
const RECEIVED: &str = "received smart shutdown request";

/// Time limit for the server to end once its last session has ended; then it is stopped fast.
const END_WITHIN: Duration = Duration::from_secs(20);

/// A smart stop is requested and the older half of the client's connections is closed, so that the client gets 57P03
/// for new ones while the others work. Heal closes the others too, waits for the end of the server, and starts it
/// again.
///
/// The harness keeps no session open meanwhile, because the server would wait for it as well.
#[derive(Default)]
pub(super) struct SmartRestart {
    log: LogWatch,
    /// Number of connections left open, and of those closed.
    stayed: usize,
    ended: usize,
}

#[async_trait]
impl Injection for SmartRestart {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        environment.server().request_stop(StopMode::Smart).await?;
        self.log.wait_for(environment, RECEIVED).await?;
        let open = environment.gateway.connections();
        self.ended = environment.gateway.cut_half(Cut::Close).await;
        self.stayed = open.saturating_sub(self.ended);
        Ok(())
    }

    async fn go_on(&mut self, environment: &Environment) {
        // The server ends if the client closes its last connection; from then on its address refuses.
        if environment.server().ended(Duration::MAX).await.is_ok() {
            // Heal tries again, and reports the error.
            let _ = environment.refuse().await;
        }
        std::future::pending().await
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.gateway.cut(Cut::Close).await;
        if environment.server().ended(END_WITHIN).await.is_err() {
            // A session is still open. Healing matters more than a smart end.
            environment.server().stop(StopMode::Fast).await?;
        }
        environment.refuse().await?;
        Ok(environment.start_server().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.log.count_errors(environment, "57P03").await?;
        Ok(vec![
            decisive("connections refused with 57P03", refused),
            supporting("connections that were left alone", self.stayed),
            supporting("connections closed", self.ended),
            supporting("smart shutdown logged", self.log.count_text(environment, RECEIVED).await?),
        ])
    }
}
