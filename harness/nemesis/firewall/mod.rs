//! The server's own firewall: a `pg_hba.conf` that does not let the client in, and ranges of addresses that do.
//!
//! A firewall in the path is a fault of the network; this one answers, and says why.

mod range;
mod rules;

use std::net::Ipv4Addr;
use std::time::Duration;

use async_trait::async_trait;

pub(crate) use self::range::Range;
use self::rules::only_from;
use super::{Injection, LogWatch, NemesisError, decisive, sessions, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::server::Superuser;
use crate::server::bootstrap::{OCCUPANT, ROLE};
use crate::server::files::{read_hba, write_hba_and_reload};

/// The superuser of every server of ours.
const SUPERUSER: &str = "postgres";

/// Asks for SCRAM where the password is stored so, and for MD5 where an old server stores that.
const METHOD: &str = "md5";

/// Longest that one attempt to come in may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who is let in while the client is not.
#[derive(Clone, Copy)]
pub(super) enum Admitted {
    /// No address at all; on heal the rules are what they were.
    Nobody,
    /// The addresses next to the client's; on heal every address, then the client's alone.
    Neighbours,
}

/// The client kept out by the server's rules until heal, its sessions ended.
pub(super) struct Firewall {
    admitted: Admitted,
    /// The rules as they were.
    before: Option<String>,
    /// The client's address, as the server sees it.
    client: Option<Ipv4Addr>,
    ended: usize,
    witness: LogWatch,
    /// Ranges that were in force one after the other.
    ranges: Vec<Range>,
}

impl Firewall {
    pub fn new(admitted: Admitted) -> Firewall {
        Firewall { admitted, before: None, client: None, ended: 0, witness: LogWatch::default(), ranges: Vec::new() }
    }

    /// Puts rules in force, and sees that they let somebody from the client's address in, or keep him out.
    async fn install(&self, environment: &Environment, rules: &str, admits: bool) -> Result<(), NemesisError> {
        write_hba_and_reload(&environment.server().superuser(), rules).await?;
        // Somebody else from the same address: in the log, what the client met stays the client's.
        let seen = match occupant(environment).connect_within(PATIENCE).await {
            Ok(_) => None,
            Err(refusal) if refusal.sqlstate.as_deref() == Some("28000") => Some(refusal.text),
            Err(refusal) => return Err(NemesisError::NotInForce(refusal.text)),
        };
        match (admits, seen) {
            (true, None) | (false, Some(_)) => Ok(()),
            (true, Some(text)) => {
                Err(NemesisError::NotInForce(format!("the server still keeps its door shut: {text}")))
            }
            (false, None) => Err(NemesisError::NotInForce("the server still lets everybody in".into())),
        }
    }

    /// Admits a range, with the client in it or not.
    async fn admit(&mut self, environment: &Environment, range: Range, admits: bool) -> Result<(), NemesisError> {
        let before = self.before.clone().unwrap_or_default();
        self.install(environment, &only_from(&before, SUPERUSER, &[range], METHOD), admits).await?;
        self.ranges.push(range);
        Ok(())
    }
}

/// An ordinary role on the way that the gateway takes.
fn occupant(environment: &Environment) -> Superuser {
    let address = &environment.address;
    Superuser::new(address.at(environment.server().address())).in_role(OCCUPANT, &address.password)
}

/// From where the server sees the gateway come: a container sees its bridge instead.
async fn address_of_client(environment: &Environment) -> Result<Ipv4Addr, NemesisError> {
    let session = occupant(environment).connect().await?;
    let address: String = session.value("SELECT host(inet_client_addr())", &[]).await?.unwrap_or_default();
    let not_four = |_| NemesisError::NotInForce(format!("the client's address {address} is not of IPv4"));
    address.parse().map_err(not_four)
}

#[async_trait]
impl Injection for Firewall {
    async fn arm(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.client = Some(address_of_client(environment).await?);
        let session = environment.server().superuser().connect().await?;
        self.before = Some(read_hba(&session).await?);
        Ok(())
    }

    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let (Some(before), Some(client)) = (self.before.clone(), self.client) else {
            return Err(NemesisError::NotInForce("the rules of the server are not known".into()));
        };
        self.witness.watch(environment).await?;
        match self.admitted {
            Admitted::Nobody => {
                self.install(environment, &only_from(&before, SUPERUSER, &[], METHOD), false).await?;
            }
            Admitted::Neighbours => self.admit(environment, Range::beside(client), false).await?,
        }
        let session = environment.server().superuser().connect().await?;
        self.ended = sessions::terminate(&session, &[ROLE]).await?;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let (Some(before), Some(client)) = (self.before.clone(), self.client) else { return Ok(()) };
        match self.admitted {
            Admitted::Nobody => self.install(environment, &before, true).await,
            Admitted::Neighbours => {
                self.admit(environment, Range::ALL, true).await?;
                self.admit(environment, Range::only(client), true).await
            }
        }
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let refused = self.witness.refused(environment, "28000").await?;
        let mut found =
            vec![decisive("sign-ins refused with 28000", refused), supporting("sessions terminated", self.ended)];
        found.extend(self.ranges.iter().map(|range| supporting(&format!("range {range} in force"), 1)));
        Ok(found)
    }
}
