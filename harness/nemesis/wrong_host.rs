//! A name of a host that does not resolve: a mistake in what the client was given, which nobody mends while it runs.

use std::time::Duration;

use async_trait::async_trait;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::{Injection, NemesisError, supporting};
use crate::environment::Environment;
use crate::history::Evidence;

/// Longest for a resolver to say that there is no such name. One that takes longer, because nobody answers it, makes
/// another fault of it: the client would wait, and not be told.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Nothing is done: the client was given the name. What there is to see is that the name leads nowhere.
#[derive(Default)]
pub(super) struct WrongHost {
    unresolved: usize,
}

#[async_trait]
impl Injection for WrongHost {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        for place in &environment.address.hosts {
            let found = timeout(ANSWER_WITHIN, lookup_host((place.host.as_str(), place.port))).await;
            let problem = match found.map(|found| found.map(Iterator::count)) {
                Ok(Err(_)) => {
                    self.unresolved += 1;
                    continue;
                }
                Ok(Ok(count)) => format!(
                    "the name {} resolves here, to {count} addresses: this machine's resolver makes answers up",
                    place.host
                ),
                Err(_) => format!(
                    "this machine's resolver did not say within {} that there is no {}: does its name server answer?",
                    crate::time::show(ANSWER_WITHIN),
                    place.host
                ),
            };
            return Err(NemesisError::NotInForce(problem));
        }
        Ok(())
    }

    async fn evidence(&mut self, _environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        // That the client met it, its operations show.
        Ok(vec![supporting("names that do not resolve", self.unresolved)])
    }
}
