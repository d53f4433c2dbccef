//! Flow expiry: the path loses the state of a connection, like a stateful middlebox that has removed its entry, by a
//! rule or after an idle timeout. The idle timeout may also end the connection instead.
//!
//! Neither peer is notified. The next peer to send gets an RST, because the path has no state for the connection. The
//! other peer gets an RST at the same time; in reality its own keepalive finds out hours later, but a session that
//! remains at the server shows nothing about the client under test.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::rule::{DropState, Expiry, Rule, RuleKind, Rules};
use super::transport::Leg;
use super::types::Cut;

/// Dropped state of one connection, and the idle timeout that may drop it.
#[derive(Default)]
pub(super) struct FlowExpiry {
    /// The rule that dropped the state.
    forgotten: Option<(Arc<Rule>, DropState)>,
    /// The state does not come back with the removal of the rule: the server's side was reset, or an idle timeout is
    /// over.
    for_good: bool,
    /// The idle timeout in force.
    idle: Option<(Arc<Rule>, Duration, Expiry)>,
    /// The last traffic, or when the idle timeout came into force; `None` without one.
    idle_since: Option<Instant>,
}

impl FlowExpiry {
    /// Applies these rules from now on.
    pub fn adapt(&mut self, rules: &Rules, connection: u64, now: Instant) {
        let covering = || rules.iter().filter(|rule| rule.covers(connection));
        if !self.for_good {
            self.forgotten = covering().find_map(|rule| match rule.kind {
                RuleKind::DropState(drop_state) => Some((Arc::clone(rule), drop_state)),
                _ => None,
            });
            self.for_good = matches!(self.forgotten, Some((_, DropState::ServerSide)));
        }
        let idle = covering().find_map(|rule| match rule.kind {
            RuleKind::Idle { after, then } => Some((Arc::clone(rule), after, then)),
            _ => None,
        });
        // A new rule stands for a new middlebox, whose idle time begins now.
        if idle.as_ref().map(|(rule, ..)| rule.id) != self.idle.as_ref().map(|(rule, ..)| rule.id) {
            self.idle_since = idle.is_some().then_some(now);
        }
        self.idle = idle;
    }

    /// Returns how the state was dropped; `None`: it is intact. Without state, no bytes are carried.
    pub fn in_force(&self) -> Option<DropState> {
        self.forgotten.as_ref().map(|(_, drop_state)| *drop_state)
    }

    /// Restarts the idle time.
    pub fn record_activity(&mut self) {
        if self.idle_since.is_some() {
            self.idle_since = Some(Instant::now());
        }
    }

    /// Returns when the idle time ends if there is no traffic until then.
    pub fn due(&self) -> Option<Instant> {
        // An instant beyond the clock's range is never reached.
        self.idle_since?.checked_add(self.idle.as_ref()?.1)
    }

    /// Applies the idle timeout if it is over: returns how to end the connection, or drops its state.
    pub fn expire(&mut self) -> Option<Cut> {
        let due = self.due()?;
        if Instant::now() < due {
            return None;
        }
        let (rule, _, then) = self.idle.clone()?;
        match then {
            Expiry::Cut(cut) => {
                rule.tally.strikes.fetch_add(1, Ordering::Relaxed);
                Some(cut)
            }
            Expiry::DropState => {
                self.forgotten = Some((rule, DropState::Silently));
                self.for_good = true;
                None
            }
        }
    }

    /// Waits, once the state is dropped, until a peer that may still send has sent something; counts the RST it is to
    /// get.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: Option<&mut impl Leg>,
        server: Option<&mut impl Leg>,
    ) -> Poll<()> {
        let Some((rule, _)) = &self.forgotten else { return Poll::Pending };
        let client_has_sent = client.is_some_and(|client| has_sent(cx, client));
        if !client_has_sent && !server.is_some_and(|server| has_sent(cx, server)) {
            return Poll::Pending;
        }
        rule.tally.strikes.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(())
    }
}

/// Whether a peer has sent bytes, FIN or RST.
fn has_sent(cx: &mut Context<'_>, peer: &mut impl Leg) -> bool {
    let mut byte = [0];
    Pin::new(peer).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_ready()
}
