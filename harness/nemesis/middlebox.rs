//! Faults of a program in the path: it ends idle connections by its own settings, or is restarted.

use async_trait::async_trait;

use super::{Injection, NemesisError, decisive, supporting};
use crate::environment::middlebox::{MiddleboxError, MiddleboxProcess};
use crate::environment::{Environment, EnvironmentError};
use crate::model::history::Evidence;

/// Lines that the program in the path logs from one moment on.
#[derive(Default)]
pub(super) struct Overheard {
    seen: usize,
    /// Clients that it refused for want of a server.
    pub refusals: usize,
}

impl Overheard {
    /// Begins to watch the log now; does nothing where no program is in the path.
    pub fn listen(&mut self, environment: &Environment) -> Result<(), EnvironmentError> {
        if let Some(middlebox) = &environment.middlebox {
            self.seen = middlebox.log()?.len();
        }
        Ok(())
    }

    /// Counts the refusals up to now.
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

fn in_path(environment: &Environment) -> Result<&MiddleboxProcess, NemesisError> {
    environment.middlebox.as_ref().ok_or_else(|| NemesisError::NotInForce("nothing stands in the path".into()))
}

/// Nothing is done: idle connections end by the program's own settings, and its log is the witness.
#[derive(Default)]
pub(super) struct IdleExpiry {
    overheard: Overheard,
    expired: usize,
}

#[async_trait]
impl Injection for IdleExpiry {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        in_path(environment)?;
        Ok(self.overheard.listen(environment)?)
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let middlebox = in_path(environment)?;
        self.expired = self.overheard.count(middlebox, MiddleboxProcess::is_expiry).map_err(EnvironmentError::from)?;
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let program = in_path(environment)?.program();
        Ok(vec![decisive(&format!("idle connections ended by {program}"), self.expired)])
    }
}

/// The program ends at once, is away for a while, and is started again on the same address.
#[derive(Default)]
pub(super) struct Restarting {
    /// The client's connections at the moment of the end.
    sessions: usize,
    /// How its exit was seen.
    exit: Option<String>,
}

#[async_trait]
impl Injection for Restarting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let middlebox = in_path(environment)?;
        self.sessions = environment.gateway.connections();
        let status = middlebox.stop().await.map_err(EnvironmentError::from)?;
        self.exit = status.map(|status| status.to_string());
        // A host on which no program listens refuses.
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
