//! A smart shutdown: whoever is in may stay, nobody else comes in, and the server ends with its last session.

use std::time::Duration;

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::fault::StopMode;
use crate::model::history::Evidence;

/// How the server says that it has been asked.
const RECEIVED: &str = "received smart shutdown request";

/// Longest that the server may take to end once its last session has left.
const END_WITHIN: Duration = Duration::from_secs(20);

/// The server is asked to stop and half of the client's connections end, so that it meets 57P03 with them while the
/// others work on. On heal these leave too, the server ends, and is started again.
///
/// No session of the harness's own is open meanwhile: it would keep the server as well as any.
#[derive(Default)]
pub(super) struct SmartRestart {
    witness: LogWatch,
    /// Connections that lived on, and those that were ended.
    stayed: usize,
    ended: usize,
}

#[async_trait]
impl Injection for SmartRestart {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        environment.server().request_stop(StopMode::Smart).await?;
        self.witness.hear(environment, RECEIVED).await?;
        let open = environment.gateway.connections();
        self.ended = environment.gateway.cut_half(Cut::Close).await;
        self.stayed = open.saturating_sub(self.ended);
        Ok(())
    }

    async fn go_on(&mut self, environment: &Environment) {
        // A client that gives its last connection back ends the server; from then on nobody listens.
        if environment.server().ended(Duration::MAX).await.is_ok() {
            // Seen again on heal, which reports what fails.
            let _ = environment.without_server().await;
        }
        std::future::pending().await
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.gateway.cut(Cut::Close).await;
        if environment.server().ended(END_WITHIN).await.is_err() {
            // Somebody stays: told to go, since healing is what matters now.
            environment.server().stop(StopMode::Fast).await?;
        }
        environment.without_server().await?;
        Ok(environment.start_server().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "57P03").await?;
        Ok(vec![
            decisive("connections refused with 57P03", refused),
            supporting("connections that were left alone", self.stayed),
            supporting("connections closed", self.ended),
            supporting("smart shutdown logged", self.witness.said(environment, RECEIVED).await?),
        ])
    }
}
