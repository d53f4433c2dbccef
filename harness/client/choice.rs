//! Parses the value of `--client` into a factory of clients.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::{Adapter, Application, ClientError, ClientFactory, reference, shipped};
use crate::model::history;
use crate::model::plane::Placements;

/// The value of `--client`: the name of a built-in client, `NAME` or `NAME:PROFILE` of a shipped adapter, or the
/// command line of another adapter.
#[derive(Clone)]
pub struct ClientChoice(pub(crate) Arc<dyn ClientFactory>);

impl ClientChoice {
    /// Parses a name or a command line.
    ///
    /// *Errors*: the text is neither, and the message lists the built-in clients; or the shipped adapter has no such
    /// profile.
    pub fn parse(text: &str) -> Result<ClientChoice, ClientError> {
        ClientChoice::parse_with(text, None)
    }

    /// Parses a name or a command line. Built-in clients can then also run as processes: `program adapter NAME` runs
    /// one behind the adapter protocol.
    ///
    /// *Errors*: the same as for [`ClientChoice::parse`].
    pub fn parse_in(text: &str, program: &Path) -> Result<ClientChoice, ClientError> {
        ClientChoice::parse_with(text, Some(program))
    }

    fn parse_with(text: &str, program: Option<&Path>) -> Result<ClientChoice, ClientError> {
        if let Some(built_in) = reference::Reference::by_name(text) {
            return Ok(ClientChoice(match program {
                Some(program) => Arc::new(built_in.in_program(program.to_owned())),
                None => Arc::new(built_in),
            }));
        }
        if let Some(adapter) = shipped::parse_choice(text)? {
            return Ok(ClientChoice(Arc::new(adapter)));
        }
        Ok(ClientChoice(Arc::new(Adapter::new(text, &reference::names())?)))
    }

    /// Uses an application as the client; it is only watched.
    pub fn from_application(application: Application) -> ClientChoice {
        ClientChoice(Arc::new(application))
    }

    /// Builds the client if necessary; it is built only once.
    ///
    /// *Errors*: the client cannot be built; the message names the command that installs the dependencies.
    pub async fn prepare(&self) -> Result<(), ClientError> {
        self.0.prepare().await
    }

    /// Whether the client can run in this process, as a process of its own, or both.
    pub fn placements(&self) -> Placements {
        self.0.placements()
    }

    /// The commands and capabilities of an application; `None` for other clients.
    pub fn application(&self) -> Option<history::Application> {
        self.0.application()
    }

    /// The client's name, as `--client` takes it; of an application, its command line.
    pub fn name(&self) -> String {
        self.0.name()
    }
}

impl fmt::Debug for ClientChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientChoice").field(&self.name()).finish()
    }
}
