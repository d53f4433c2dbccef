//! Reads the log and the ledger of a real server, and sends notifications.

use async_trait::async_trait;

use super::RealServer;
use crate::server::bootstrap::{CHANNEL, LEDGER};
use crate::server::control::{Ledger, ServerRecord};
use crate::server::{LogLine, ServerError};

#[async_trait]
impl ServerRecord for RealServer {
    async fn log(&self) -> Result<Vec<LogLine>, ServerError> {
        self.server.log().await
    }

    async fn ledger(&self) -> Result<Ledger, ServerError> {
        let session = self.session_in_database().await?;
        let counts = format!("SELECT id, count(*) FROM {LEDGER} GROUP BY id ORDER BY id");
        let rows = session.rows(&counts, &[]).await?;
        Ok(runs(rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1) as u64))))
    }

    async fn notify(&self, number: u64) -> Result<(), ServerError> {
        let to = self.server.address();
        // The session is stored again only after a success, so that a broken one is never reused.
        let kept = self.held().notifier.take().filter(|(_, at)| *at == to);
        let session = match kept {
            Some((session, _)) => session,
            None => self.session_in_database().await?,
        };
        session.batch(&format!("NOTIFY {CHANNEL}, '{number}'")).await?;
        self.held().notifier = Some((session, to));
        Ok(())
    }
}

/// Joins consecutive keys with the same number of rows to runs. `keys` must be ascending.
fn runs(keys: impl Iterator<Item = (i64, u64)>) -> Ledger {
    let mut runs = Ledger::new();
    for (key, copies) in keys {
        match runs.last_mut() {
            Some((_, last, same)) if *last + 1 == key && *same == copies => *last = key,
            _ => runs.push((key, key, copies)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined_while_their_count_is_the_same() {
        let keys = [(1, 1), (2, 1), (4, 1), (5, 2), (6, 2), (7, 1)];
        assert_eq!(runs(keys.into_iter()), [(1, 2, 1), (4, 4, 1), (5, 6, 2), (7, 7, 1)]);
    }
}
