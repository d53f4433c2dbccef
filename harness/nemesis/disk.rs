//! A full disk: that of the ledger, or that of the write-ahead log.

use std::time::Duration;

use async_trait::async_trait;

use super::{Injection, LogWatch, NemesisError, decisive, supporting};
use crate::environment::Environment;
use crate::model::history::Evidence;
use crate::model::topology::SmallDisk;
use crate::server::Readiness;

/// Part of the server's log line for a write without room.
const FULL: &str = "No space left on device";

/// The small disk is full until heal. If it holds the ledger, writes get 53100 and sessions live on; if it holds the
/// WAL, the server ends, and cannot start until there is room.
#[derive(Default)]
pub(super) struct FillingDisk {
    log: LogWatch,
    sessions: usize,
}

/// Returns which data the small disk holds.
fn disk(environment: &Environment) -> SmallDisk {
    environment.layout.small_disk.unwrap_or(SmallDisk::Heap)
}

#[async_trait]
impl Injection for FillingDisk {
    async fn inject(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        self.log.watch(environment).await?;
        self.sessions = environment.gateway.connections();
        environment.server().fill_disk(disk(environment)).await?;
        match disk(environment) {
            SmallDisk::Wal => Ok(environment.refuse().await?),
            SmallDisk::Heap => Ok(()),
        }
    }

    async fn heal(&mut self, environment: &Environment) -> Result<(), NemesisError> {
        let server = environment.server();
        server.free_disk(disk(environment)).await?;
        // The server is still running if the injection failed.
        match disk(environment) {
            SmallDisk::Wal if server.ended(Duration::ZERO).await.is_ok() => Ok(environment.start_server().await?),
            SmallDisk::Wal => Ok(server.wait(Readiness::AcceptingQueries).await?),
            SmallDisk::Heap => Ok(()),
        }
    }

    async fn evidence(&mut self, environment: &Environment) -> Result<Vec<Evidence>, NemesisError> {
        let full = self.log.count_text(environment, FULL).await?;
        let refused = self.log.count_errors(environment, "53100").await?;
        Ok(match disk(environment) {
            SmallDisk::Wal => vec![
                // Any session may find the disk full; all of them are lost.
                decisive("sessions lost with the server", if full > 0 { self.sessions } else { 0 }),
                supporting("lines in the log for want of room", full),
                supporting("of the client's own writes", refused),
            ],
            SmallDisk::Heap => vec![decisive("statements refused with 53100", refused)],
        })
    }
}
