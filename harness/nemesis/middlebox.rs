//! Faults of a middlebox (PgBouncer, HAProxy) in the path: it ends idle connections by its own settings, or is
//! restarted.

use async_trait::async_trait;

use super::{Injection, NemesisError, decisive, supporting};
use crate::environment::middlebox::{MiddleboxError, MiddleboxProcess};
use crate::environment::{Environment, EnvironmentError};
use crate::model::history::Evidence;

/// The lines that the middlebox has logged since one moment.
#[derive(Default)]
pub(super) struct MiddleboxLog {
    seen: usize,
    /// Number of clients that it refused because it had no server.
    pub refusals: usize,
}

impl MiddleboxLog {
    /// Starts watching now; does nothing if there is no middlebox.
    pub fn start(&mut self, environment: &Environment) -> Result<(), EnvironmentError> {
        if let Some(middlebox) = &environment.middlebox {
            self.seen = middlebox.log()?.len();
        }
        Ok(())
    }

    /// Counts the refusals until now.
    pub fn note_refusals(&mut self, environment: &Environment) -> Result<(), EnvironmentError> {
        if let Some(middlebox) = &environment.middlebox {
            self.refusals = self.count(middlebox, MiddleboxProcess::is_refusal)?;
        }
        Ok(())
    }

    fn count(
        &self,
        middlebox: &MiddleboxProcess,
        is: impl Fn(&MiddleboxProcess, &str) -> bool,
    ) -> Result<usize, MiddleboxError> {
        Ok(middlebox.log()?.iter().skip(self.seen).filter(|line| is(middlebox, line)).count())
    }
}

/// Returns the middlebox.
fn in_path(environment: &Environment) -> Result<&MiddleboxProcess, NemesisError> {
    environment.middlebox.as_ref().ok_or_else(|| NemesisError::NotInForce("nothing stands in the path".into()))
}

/// Injects nothing: the middlebox ends idle connections by its own settings, and its log is the evidence.
#[derive(Default)]
pub(super) struct IdleExpiry {
    log: MiddleboxLog,
    expired: usize,
}

#[async_trait]
impl Injection for IdleExpiry {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        in_path(environment)?;
        Ok(self.log.start(environment)?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let middlebox = in_path(environment)?;
        self.expired = self.log.count(middlebox, MiddleboxProcess::is_expiry).map_err(EnvironmentError::from)?;
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let program = in_path(environment)?.program();
        Ok(vec![decisive(&format!("idle connections ended by {program}"), self.expired)])
    }
}

/// The middlebox is stopped, and started again on the same address on heal.
#[derive(Default)]
pub(super) struct Restarting {
    /// Number of the client's connections when it was stopped.
    sessions: usize,
    /// The exit status, in words.
    exit: Option<String>,
}

#[async_trait]
impl Injection for Restarting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let middlebox = in_path(environment)?;
        self.sessions = environment.gateway.connections();
        let status = middlebox.stop().await.map_err(EnvironmentError::from)?;
        self.exit = status.map(|status| status.to_string());
        // A host on which no program listens refuses connections.
        Ok(environment.gateway.refuse().await?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        in_path(environment)?.start().await.map_err(EnvironmentError::from)?;
        Ok(environment.gateway.accept().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let program = in_path(environment)?.program();
        let ended = format!("{program} ended ({})", self.exit.as_deref().unwrap_or("not seen"));
        Ok(vec![
            decisive(&format!("connections lost with {program}"), self.sessions),
            supporting(&ended, usize::from(self.exit.is_some())),
        ])
    }
}
