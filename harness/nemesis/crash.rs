//! One backend is killed by a signal; the server then drops every session.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::Readiness;

/// Part of the server's log line for a process that was killed.
pub(super) const KILLED: &str = "was terminated by signal 9";

/// Time limit for the client to have a session.
const PATIENCE: Duration = Duration::from_secs(10);

/// SIGKILL for one of the client's backends, as the kernel sends it when memory runs out. The server drops every
/// session and recovers, because the killed backend may have corrupted shared memory.
#[derive(Default)]
pub(super) struct CrashingBackend {
    log: LogWatch,
    sessions: usize,
}

#[async_trait]
impl Injection for CrashingBackend {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        let deadline = Instant::now() + PATIENCE;
        // A client that connects anew for each operation does not always have a session.
        loop {
            self.sessions = environment.gateway.connections();
            if environment.server().crash_backend().await? {
                break;
            }
            if Instant::now() >= deadline {
                return Err(NemesisError::NotInForce("the client has no session at the server".into()));
            }
            sleep(Duration::from_millis(5)).await;
        }
        self.log.wait_for(environment, KILLED).await
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.server().wait(Readiness::AcceptingQueries).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let crashes = self.log.count_text(environment, KILLED).await?;
        let sessions = if crashes > 0 { self.sessions } else { 0 };
        let refused = self.log.count_errors(environment, "57P03").await?;
        Ok(vec![
            decisive("sessions lost in the crash", sessions),
            supporting("crashes logged", crashes),
            supporting("connections refused with 57P03", refused),
        ])
    }
}
