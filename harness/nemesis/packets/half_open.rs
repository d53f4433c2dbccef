//! The server's side gone without a word to the client.
//!
//! On the kernel plane a connection becomes half open by one RST that the filter holds back: the gateway's kernel then
//! knows nothing of the connection, and answers the client's next packet as a restarted host does.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::super::{Injection, NemesisError, decisive, supporting};
use super::{kernel, rules};
use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::history::Evidence;
use crate::netns::{Filter, Kernel, PacketRule};

/// The packets that would show the client that a connection has ended.
const KEPT_BACK: &str = "RSTs kept back";

/// The packets that the client gets when it next sends something.
const SENT: &str = "RSTs sent";

/// Longest that the kernel may take to send off the RST of a socket that is closed: it does so at once, on a busy machine.
/// A socket that was dead already sends none, so that the wait for it ends with the deadline.
const SENT_WITHIN: Duration = Duration::from_secs(2);

/// Every connection half open.
///
/// The gateway resets its connections, and the filter keeps that from the client. From then on the gateway's kernel knows
/// nothing of them, and answers each of their packets with an RST.
#[derive(Default)]
pub(crate) struct HalfOpening {
    watching: Option<Filter>,
    hiding: Option<Filter>,
    gone: usize,
}

#[async_trait]
impl Injection for HalfOpening {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let (kernel, server) = (kernel(environment)?, environment.gateway.address().ip());
        let of_first = |rules: Vec<PacketRule>| rules.iter().map(|rule| rule.for_server(server)).collect::<Vec<_>>();
        self.watching = Some(kernel.install(&of_first(rules::resets(SENT))).await?);
        // The newer filter comes first: an RST that is kept back is not counted as sent.
        let hiding = self.hiding.insert(kernel.install(&of_first(rules::silence(KEPT_BACK))).await?);
        self.gone = environment.gateway.cut(Cut::Reset).await;
        let deadline = Instant::now() + SENT_WITHIN;
        while count(kernel, hiding).await? < self.gone as u64 && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(kernel.remove(hiding).await?)
    }

    /// A connection that has lost one side is not mended; but after a failed injection no packet may be lost any more.
    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        if let Some(hiding) = &self.hiding {
            kernel(environment)?.remove(hiding).await?;
        }
        Ok(())
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let Some(watching) = &self.watching else { return Ok(Vec::new()) };
        let sent = count(kernel(environment)?, watching).await?;
        Ok(vec![decisive(SENT, sent as usize), supporting("connections half open", self.gone)])
    }
}

/// The count of a filter that counts one kind of packets.
async fn count(kernel: &Kernel, filter: &Filter) -> Result<u64, NemesisError> {
    Ok(kernel.count(filter).await?.into_iter().map(|(_, count)| count).sum())
}
