//! Which client is under test, as a user says it.

use std::fmt;
use std::sync::Arc;

use super::{Adapter, ClientError, Launch, reference};

/// What `--client` takes: the name of a built-in client, or the command line of an adapter.
#[derive(Clone)]
pub struct ClientChoice(pub(crate) Arc<dyn Launch>);

impl ClientChoice {
    /// Understands a name or a command.
    ///
    /// *Errors*: neither; the message lists what is built in.
    pub fn parse(text: &str) -> Result<ClientChoice, ClientError> {
        if let Some(built_in) = reference::Reference::named(text) {
            return Ok(ClientChoice(Arc::new(built_in)));
        }
        let known: Vec<_> = reference::built_in().map(|(name, _)| name).collect();
        Ok(ClientChoice(Arc::new(Adapter::new(text, &known)?)))
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
