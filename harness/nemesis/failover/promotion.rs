//! The standby is promoted, and takes the primary's place.

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::model::sqlstate::READ_ONLY;
use crate::model::topology::Host;
use crate::netns::DnsAnswer;

/// What happens to the old primary at the injection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OldPrimary {
    /// It is killed.
    Killed,
    /// It becomes read-only; it stays reachable, and keeps every session.
    Demoted,
    /// Nothing: the client has only the standby's address.
    Unchanged,
}

/// A promotion on heal. Until then no server that the client can reach accepts writes.
pub(super) struct Promoting {
    old_primary: OldPrimary,
    log: LogWatch,
    /// Number of the client's connections to the primary at the injection.
    sessions: usize,
    /// The exit status of the old primary, in words, if it was killed.
    end: Option<String>,
    promoted: usize,
    /// Number of sessions on the old primary that waited for a standby to confirm their commit, and were ended.
    unconfirmed: usize,
    /// Number of DNS queries answered with an address, before the name was moved.
    answered_before: u64,
}

impl Promoting {
    pub fn new(old_primary: OldPrimary) -> Promoting {
        Promoting {
            old_primary,
            log: LogWatch::default(),
            sessions: 0,
            end: None,
            promoted: 0,
            unconfirmed: 0,
            answered_before: 0,
        }
    }
}

#[async_trait]
impl Injection for Promoting {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        self.sessions = environment.gateway_of(Host::Primary).unwrap_or(&environment.gateway).connections();
        match self.old_primary {
            OldPrimary::Killed => self.end = Some(environment.lose_primary().await?),
            OldPrimary::Demoted => environment.server().demote().await?,
            OldPrimary::Unchanged => {}
        }
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        environment.promote_standby().await?;
        self.promoted += 1;
        if let Some(old) = environment.beside() {
            self.unconfirmed = old.end_unconfirmed().await?;
        }
        self.answered_before = environment.names().map_or(0, |names| names.answered(DnsAnswer::Address));
        Ok(environment.follow_primary().await?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let mut found = match self.old_primary {
            OldPrimary::Killed => {
                let end = self.end.as_deref().unwrap_or("not seen");
                vec![
                    decisive("sessions lost with the primary", self.sessions),
                    supporting(&format!("primary ended ({end})"), usize::from(self.end.is_some())),
                ]
            }
            OldPrimary::Demoted | OldPrimary::Unchanged => {
                let refused = self.log.count_errors(environment, READ_ONLY).await?;
                vec![decisive("statements refused with 25006", refused)]
            }
        };
        found.push(supporting("promotions confirmed", self.promoted));
        if let Some(names) = environment.names() {
            let answered = names.answered(DnsAnswer::Address) - self.answered_before;
            found.push(supporting("queries answered with the new address", answered as usize));
        }
        if self.old_primary == OldPrimary::Demoted {
            found.push(supporting("sessions ended for want of a standby", self.unconfirmed));
        }
        Ok(found)
    }
}
