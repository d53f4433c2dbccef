//! Half-open connections: the server's side is gone, and the client gets no notice.
//!
//! The gateway resets its side of each connection, and the filter drops the one RST that would tell the client. The
//! gateway's kernel then has no such connection, and answers the client's next packet with an RST, as a restarted
//! host does.

use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep};

use super::super::{Injection, NemesisError, decisive, supporting};
use super::{kernel, rules};
use crate::environment::Environment;
use crate::gateway::Cut;
use crate::model::history::Evidence;
use crate::netns::{Filter, Kernel, PacketRule};

/// Counter of RSTs that would tell the client that a connection has ended, and are dropped.
const KEPT_BACK: &str = "RSTs kept back";

/// Counter of RSTs that the client gets when it next sends something.
const SENT: &str = "RSTs sent";

/// Time limit for the kernel to send the RSTs of closed sockets, which takes milliseconds on a quiet machine. A
/// socket that was dead already sends none; then the wait takes all of this time, which is no error.
const SENT_WITHIN: Duration = Duration::from_secs(2);

/// Every open connection of the client's first address becomes half open.
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
        // The newer filter comes first, so an RST that it drops is not counted as sent.
        let hiding = self.hiding.insert(kernel.install(&of_first(rules::silence(KEPT_BACK))).await?);
        self.gone = environment.gateway.cut(Cut::Reset).await;
        let deadline = Instant::now() + SENT_WITHIN;
        while count(kernel, hiding).await? < self.gone as u64 && Instant::now() < deadline {
            sleep(Duration::from_millis(5)).await;
        }
        Ok(kernel.remove(hiding).await?)
    }

    /// The connections stay half open. After a failed injection, packets must no longer be dropped.
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

/// Returns the sum of a filter's counters.
async fn count(kernel: &Kernel, filter: &Filter) -> Result<u64, NemesisError> {
    Ok(kernel.count(filter).await?.into_iter().map(|(_, count)| count).sum())
}
