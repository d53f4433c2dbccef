//! One backend dies of a signal, and takes every session with it.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::{Environment, START_PATIENCE};
use crate::model::history::Evidence;
use crate::server::Readiness;

/// How the server says that a backend was killed; what follows is the number of the signal.
pub(super) const KILLED: &str = "was terminated by signal 9";

/// Longest that a session of the client's is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest-standing session of a role.
const VICTIM: &str = "SELECT pid FROM pg_stat_activity WHERE usename = $1 AND application_name <> 'pgsquall' \
                      AND backend_type = 'client backend' ORDER BY backend_start LIMIT 1";

/// SIGKILL for one of the client's backends, which is all that the kernel does when it runs out of memory. The server
/// cannot know what the dead one has left in shared memory: it drops every session, and recovers.
#[derive(Default)]
pub(super) struct CrashingBackend {
    witness: LogWatch,
    sessions: usize,
}

#[async_trait]
impl Injection for CrashingBackend {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        let session = environment.server().superuser().connect().await?;
        let deadline = Instant::now() + PATIENCE;
        // A client that connects anew for each operation is not always there.
        let victim = loop {
            if let Some(pid) = session.value(VICTIM, &[&environment.address.user]).await? {
                break pid;
            }
            if Instant::now() >= deadline {
                return Err(NemesisError::NotInForce("the client has no session at the server".into()));
            }
            sleep(Duration::from_millis(5)).await;
        };
        self.sessions = environment.gateway.connections();
        environment.server().kill_backend(victim).await?;
        self.witness.hear(environment, KILLED).await
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        Ok(environment.server().wait(Readiness::AcceptingQueries, START_PATIENCE).await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let crashes = self.witness.said(environment, KILLED).await?;
        let sessions = if crashes > 0 { self.sessions } else { 0 };
        let refused = self.witness.refused(environment, "57P03").await?;
        Ok(vec![
            decisive("sessions lost in the crash", sessions),
            supporting("crashes logged", crashes),
            supporting("connections refused with 57P03", refused),
        ])
    }
}
