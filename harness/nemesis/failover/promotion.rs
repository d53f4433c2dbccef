//! The standby takes the primary's place.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::model::sqlstate::READ_ONLY;
use crate::model::topology::Host;
use crate::netns::DnsAnswer;

/// What becomes of the old primary, from the injection on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It is killed.
    Loss,
    /// It becomes read-only, and stays reachable with every session on it.
    Demotion,
    /// It runs on where the client cannot see it.
    Nothing,
}

/// A promotion on heal. Until then no server that the client can reach takes writes.
pub(super) struct Promoting {
    cause: Cause,
    witness: LogWatch,
    /// The client's connections when it began.
    sessions: usize,
    /// How the old primary's end was seen.
    end: Option<String>,
    promoted: usize,
    /// Sessions of the old primary whose commits nobody could confirm any more.
    unconfirmed: usize,
    /// Those who had asked for the primary's name, where it has one, when the name was moved.
    told_before: u64,
}

impl Promoting {
    pub fn new(cause: Cause) -> Promoting {
        Promoting {
            cause,
            witness: LogWatch::default(),
            sessions: 0,
            end: None,
            promoted: 0,
            unconfirmed: 0,
            told_before: 0,
        }
    }
}

#[async_trait]
impl Injection for Promoting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.witness.watch(environment).await?;
        self.sessions = environment.door(Host::Primary).unwrap_or(&environment.gateway).connections();
        match self.cause {
            Cause::Loss => self.end = Some(environment.lose_primary().await?),
            Cause::Demotion => environment.demote_primary().await?,
            Cause::Nothing => {}
        }
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.promote_standby().await?;
        self.promoted += 1;
        self.unconfirmed = environment.end_unconfirmed().await?;
        self.told_before = environment.names().map_or(0, |names| names.answered(DnsAnswer::Address));
        Ok(environment.follow_primary().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let mut found = match self.cause {
            Cause::Loss => {
                let end = self.end.as_deref().unwrap_or("not seen");
                vec![
                    decisive("sessions lost with the primary", self.sessions),
                    supporting(&format!("primary ended ({end})"), usize::from(self.end.is_some())),
                ]
            }
            Cause::Demotion | Cause::Nothing => {
                let refused = self.witness.refused(environment, READ_ONLY).await?;
                vec![decisive("statements refused with 25006", refused)]
            }
        };
        found.push(supporting("promotions confirmed", self.promoted));
        if let Some(names) = environment.names() {
            let told = names.answered(DnsAnswer::Address) - self.told_before;
            found.push(supporting("queries answered with the new address", told as usize));
        }
        if self.cause == Cause::Demotion {
            found.push(supporting("sessions ended for want of a standby", self.unconfirmed));
        }
        Ok(found)
    }
}
