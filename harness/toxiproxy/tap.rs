//! The tap of a proxy: counts connection events, for reading at any time, and sends them to the journal.
//!
//! The gateway calls it from the threads that carry the bytes, so it only counts, under a short lock; `journal` writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;

use super::journal::Journal;
use crate::gateway::tap::Tap;
use crate::model::history::{ConnectionChange, Severed};

/// The maximum number of distinct SQLSTATEs, so that memory is bounded; further ones count as `other`. Postgres has
/// about 260, but another server may send any.
const MAX_SQLSTATES: usize = 300;

/// The tap of one proxy.
pub(super) struct Counters {
    proxy: Arc<str>,
    state: Mutex<TapState>,
    began: Instant,
    journal: Option<Journal>,
}

struct TapState {
    counts: Counts,
    recent: ConnectRing,
}

/// Counts since the proxy was created.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Counts {
    /// Connections accepted.
    opened: u64,
    /// Connections that have ended, by how they ended: the words of [`word`].
    ended: BTreeMap<&'static str, u64>,
    /// Bytes from clients to the server, on connections that have ended.
    bytes_upstream: u64,
    /// Bytes from the server to clients, on connections that have ended.
    bytes_downstream: u64,
    /// SSLRequests and GSSENCRequests.
    encryption_requests: u64,
    /// Failed TLS handshakes.
    handshakes_failed: u64,
    /// Connections whose bytes the gateway cannot parse: encrypted, or not Postgres.
    opaque: u64,
    cancel_requests: u64,
    startups: u64,
    /// Sessions that the server authenticated.
    authenticated: u64,
    /// Sessions that have sent a statement.
    requested: u64,
    /// Errors from the server, by SQLSTATE; `none` for errors without one.
    errors: BTreeMap<String, u64>,
    /// Actions taken at cut points.
    struck: u64,
    /// The last reason of the gateway to doubt that a fault took effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<String>,
}

/// Connections accepted recently.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct RecentConnects {
    last_second: u64,
    last_10_seconds: u64,
}

impl Counters {
    pub fn new(proxy: &str, journal: Option<Journal>) -> Counters {
        let state = TapState { counts: Counts::default(), recent: ConnectRing::default() };
        Counters { proxy: proxy.into(), state: Mutex::new(state), began: Instant::now(), journal }
    }

    /// Returns the counts, and the numbers of recent connections.
    pub fn read(&self) -> (Counts, RecentConnects) {
        let mut state = self.state();
        let tick = self.tick();
        (state.counts.clone(), state.recent.read(tick))
    }

    fn state(&self) -> MutexGuard<'_, TapState> {
        self.state.lock()
    }

    /// Tenths of a second since the proxy was created.
    fn tick(&self) -> u64 {
        (self.began.elapsed().as_millis() / 100) as u64
    }
}

impl Tap for Counters {
    fn connection(&self, id: u64, change: ConnectionChange) {
        let tick = self.tick();
        let mut state = self.state();
        if change == ConnectionChange::Opened {
            state.recent.count(tick);
        }
        state.counts.count(&change);
        // Sent under the lock, so that the events of one connection stay in order.
        if let Some(journal) = &self.journal {
            journal.connection(&self.proxy, id, change);
        }
    }

    fn refusing(&self, on: bool) {
        if let Some(journal) = &self.journal {
            journal.refusing(&self.proxy, on);
        }
    }

    fn doubt(&self, reason: String) {
        self.state().counts.doubt = Some(reason);
    }
}

impl Counts {
    fn count(&mut self, change: &ConnectionChange) {
        use ConnectionChange::*;
        match change {
            Opened => self.opened += 1,
            EncryptionRequested => self.encryption_requests += 1,
            HandshakeFailed { .. } => self.handshakes_failed += 1,
            Opaque { .. } => self.opaque += 1,
            CancelRequested => self.cancel_requests += 1,
            Startup { .. } => self.startups += 1,
            Authenticated => self.authenticated += 1,
            FirstRequest => self.requested += 1,
            Struck { .. } => self.struck += 1,
            Backend { .. } => {}
            Error { sqlstate, .. } => {
                let code = sqlstate.as_deref().unwrap_or("none");
                let known = self.errors.len() < MAX_SQLSTATES || self.errors.contains_key(code);
                *self.errors.entry(if known { code } else { "other" }.to_owned()).or_default() += 1;
            }
            Ended { by, upstream, downstream } => {
                *self.ended.entry(word(*by)).or_default() += 1;
                self.bytes_upstream += upstream;
                self.bytes_downstream += downstream;
            }
        }
    }
}

/// Returns the word that a history has for how a connection ended.
fn word(by: Severed) -> &'static str {
    match by {
        Severed::ByClient => "by-client",
        Severed::ByServer => "by-server",
        Severed::ClientReset => "client-reset",
        Severed::ServerReset => "server-reset",
        Severed::Closed => "closed",
        Severed::Reset => "reset",
        Severed::Forgotten => "forgotten",
        Severed::Unreachable => "unreachable",
        Severed::Teardown => "teardown",
    }
}

/// Connects in each tenth of the last ten seconds. A ring, so that a storm takes no more memory than an idle proxy.
struct ConnectRing {
    tenths: [u64; 100],
    /// The newest tenth, counted since the proxy was created.
    newest: u64,
}

impl Default for ConnectRing {
    fn default() -> ConnectRing {
        ConnectRing { tenths: [0; 100], newest: 0 }
    }
}

impl ConnectRing {
    fn advance(&mut self, tick: u64) {
        for passed in (self.newest + 1..=tick).take(self.tenths.len()) {
            self.tenths[(passed % 100) as usize] = 0;
        }
        // The loop above stops after a hundred tenths: after a long pause, these are the whole ring.
        self.newest = self.newest.max(tick);
    }

    fn count(&mut self, tick: u64) {
        self.advance(tick);
        self.tenths[(self.newest % 100) as usize] += 1;
    }

    fn read(&mut self, tick: u64) -> RecentConnects {
        self.advance(tick);
        let last = |tenths: u64| (0..tenths).map(|back| self.tenths[((self.newest + 100 - back) % 100) as usize]).sum();
        RecentConnects { last_second: last(10), last_10_seconds: last(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connects_are_counted_over_sliding_windows() {
        let mut recent = ConnectRing::default();
        for tick in [0, 0, 3, 95, 99] {
            recent.count(tick);
        }
        assert_eq!(recent.read(99), RecentConnects { last_second: 2, last_10_seconds: 5 });
        assert_eq!(recent.read(100), RecentConnects { last_second: 2, last_10_seconds: 3 });
        assert_eq!(recent.read(105), RecentConnects { last_second: 1, last_10_seconds: 2 });
        assert_eq!(recent.read(100_000), RecentConnects { last_second: 0, last_10_seconds: 0 });
    }

    #[test]
    fn connection_events_are_counted() {
        let counters = Counters::new("postgres", None);
        let error = |sqlstate: Option<&str>| ConnectionChange::Error {
            severity: "FATAL".into(),
            sqlstate: sqlstate.map(str::to_owned),
            message: None,
        };
        counters.connection(1, ConnectionChange::Opened);
        counters.connection(1, error(Some("57P01")));
        counters.connection(1, error(None));
        counters.connection(1, ConnectionChange::Ended { by: Severed::Reset, upstream: 3, downstream: 4 });
        let (counts, recent) = counters.read();
        assert_eq!((counts.opened, counts.bytes_upstream, counts.bytes_downstream), (1, 3, 4));
        assert_eq!(counts.ended, BTreeMap::from([("reset", 1)]));
        assert_eq!(counts.errors, BTreeMap::from([("57P01".into(), 1), ("none".into(), 1)]));
        assert_eq!(recent.last_10_seconds, 1);
    }

    #[test]
    fn ends_are_named_as_in_a_history() {
        use Severed::*;
        for by in [ByClient, ByServer, ClientReset, ServerReset, Closed, Reset, Forgotten, Unreachable, Teardown] {
            assert_eq!(serde_json::to_value(by).unwrap(), word(by));
        }
    }

    #[test]
    fn number_of_sqlstates_is_bounded() {
        let counters = Counters::new("postgres", None);
        for code in 0..2 * MAX_SQLSTATES {
            let sqlstate = Some(format!("{code:05}"));
            counters.connection(1, ConnectionChange::Error { severity: "ERROR".into(), sqlstate, message: None });
        }
        let (counts, _) = counters.read();
        assert_eq!(counts.errors.len(), MAX_SQLSTATES + 1);
        assert_eq!(counts.errors["other"], MAX_SQLSTATES as u64);
    }
}
