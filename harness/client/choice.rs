//! Which client is under test, as a user says it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::{Adapter, Application, ClientError, ClientFactory, reference, shipped};
use crate::environment::support::Placements;
use crate::model::history;

/// What `--client` takes: the name of a built-in client or of a shipped adapter, or the command line of any other.
#[derive(Clone)]
pub struct ClientChoice(pub(crate) Arc<dyn ClientFactory>);

impl ClientChoice {
    /// Understands a name or a command.
    ///
    /// *Errors*: neither; the message lists what is built in.
    pub fn parse(text: &str) -> Result<ClientChoice, ClientError> {
        ClientChoice::understand(text, None)
    }

    /// The same, where `program adapter NAME` speaks the adapter protocol for a built-in client, so that it can also be
    /// where only processes can be.
    ///
    /// *Errors*: as there.
    pub fn parse_in(text: &str, program: &Path) -> Result<ClientChoice, ClientError> {
        ClientChoice::understand(text, Some(program))
    }

    fn understand(text: &str, program: Option<&Path>) -> Result<ClientChoice, ClientError> {
        if let Some(built_in) = reference::Reference::named(text) {
            return Ok(ClientChoice(match program {
                Some(program) => Arc::new(built_in.in_program(program.to_owned())),
                None => Arc::new(built_in),
            }));
        }
        if let Some(chosen) = shipped::chosen(text)? {
            return Ok(ClientChoice(Arc::new(chosen)));
        }
        Ok(ClientChoice(Arc::new(Adapter::new(text, &reference::names())?)))
    }

    /// An application that is only watched.
    pub fn watched(application: Application) -> ClientChoice {
        ClientChoice(Arc::new(application))
    }

    /// Makes ready what is to be launched, which may have to be built first; done once, however often it is asked.
    ///
    /// *Errors*: what is missing for it, and how to have it.
    pub async fn prepare(&self) -> Result<(), ClientError> {
        self.0.prepare().await
    }

    /// Where it can live.
    pub fn abodes(&self) -> Placements {
        self.0.abodes()
    }

    /// What there is of an application beyond its command line, where the client is one that is only watched.
    pub fn application(&self) -> Option<history::Application> {
        self.0.application()
    }

    /// As the user named it.
    pub fn name(&self) -> String {
        self.0.name()
    }
}

impl fmt::Debug for ClientChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientChoice").field(&self.name()).finish()
    }
}
