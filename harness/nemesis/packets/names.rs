//! Faults of the name server: a name that does not lead to the server.
//!
//! The resolver's own timeouts stay at their defaults (for libc five seconds, twice), because those are what users
//! have. At the old address of a server that moves, packets get no answer; after a failover by name, the address of
//! the killed primary refuses connections.

use async_trait::async_trait;

use super::super::{Injection, NemesisError, decisive, supporting};
use super::kernel;
use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::fault::NameFault;
use crate::model::history::Evidence;
use crate::netns::{DnsAnswer, Filter, Names, PacketRule, Way};

/// Returns how a fault of the name server is carried out.
pub(crate) fn naming(fault: NameFault) -> Box<dyn Injection> {
    match fault {
        NameFault::Unresolvable => Box::new(Misnaming::new(DnsAnswer::NoName, "queries answered with NXDOMAIN")),
        NameFault::Failure => Box::new(Misnaming::new(DnsAnswer::Failure, "queries answered with SERVFAIL")),
        NameFault::Timeout => Box::new(Misnaming::new(DnsAnswer::Nothing, "queries left unanswered")),
        NameFault::Stale => Box::<Moving>::default(),
    }
}

/// Returns the name server; `expressible` rejects these faults in runs without one.
fn names(environment: &Environment) -> Result<&Names, NemesisError> {
    environment.names().ok_or_else(|| NemesisError::NotInForce("the client knows its server by no name".into()))
}

/// The name server gives another answer than the address until heal. Open connections are not affected.
struct Misnaming {
    saying: DnsAnswer,
    /// The name of these answers in the evidence.
    counted: &'static str,
    answered_before: u64,
    orders: usize,
}

impl Misnaming {
    fn new(saying: DnsAnswer, counted: &'static str) -> Misnaming {
        Misnaming { saying, counted, answered_before: 0, orders: 0 }
    }
}

#[async_trait]
impl Injection for Misnaming {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let names = names(environment)?;
        self.answered_before = names.answered(self.saying);
        names.answer_with(self.saying);
        self.orders += 1;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        names(environment)?.answer_with(DnsAnswer::Address);
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let answered = names(environment)?.answered(self.saying) - self.answered_before;
        // A scenario adds another fault, such as a reset. A client that never queries is judged by that one.
        Ok(vec![decisive(self.counted, answered as usize), supporting("orders to the name server", self.orders)])
    }
}

/// The server moves: packets to its old address are dropped from then on, for good, and its connections are reset.
/// The name still leads to the old address until heal.
#[derive(Default)]
struct Moving {
    filter: Option<Filter>,
    reset: usize,
    told_before: u64,
}

#[async_trait]
impl Injection for Moving {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let names = names(environment)?;
        self.told_before = names.answered(DnsAnswer::Address);
        names.answer_with(DnsAnswer::OldAddress);
        let rule = PacketRule {
            way: Way::Up,
            matches: format!("ip daddr {}", environment.gateway.address().ip()),
            counted: Some("packets to the old address dropped"),
            verdict: "drop",
        };
        // The filter first, so that a client cannot connect again after its reset. The RST passes, because it goes
        // the other way.
        self.filter = Some(kernel(environment)?.install(&[rule]).await?);
        self.reset = environment.gateway.cut(Cut::Reset).await;
        Ok(())
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        // The filter stays: no host has the old address any more.
        Ok(environment.move_name()?)
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let Some(filter) = &self.filter else { return Ok(Vec::new()) };
        let names = names(environment)?;
        let counted = kernel(environment)?.count(filter).await?;
        let mut found: Vec<_> = counted.into_iter().map(|(what, count)| decisive(what, count as usize)).collect();
        found.push(decisive("queries answered with the old address", names.answered(DnsAnswer::OldAddress) as usize));
        let told = names.answered(DnsAnswer::Address) - self.told_before;
        found.push(supporting("queries answered with the new address", told as usize));
        found.push(supporting("sockets reset", self.reset));
        Ok(found)
    }
}
