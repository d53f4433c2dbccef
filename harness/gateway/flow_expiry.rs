//! The path forgets a connection: what a stateful middlebox does when a flow's entry is gone.
//!
//! Nobody is told. The next who sends gets an RST, since nothing knows its connection any more; the other then gets one
//! too, sooner than in reality, where it would find out by its own keepalive: a session that lingered at the server for
//! hours would say nothing of the client under test.

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

/// What is forgotten of one connection, and what may be.
#[derive(Default)]
pub(super) struct Forgetting {
    /// By this rule it is forgotten now.
    forgotten: Option<(Arc<Rule>, DropState)>,
    /// Forgotten for good: its end has begun, or the device has dropped its entry.
    for_good: bool,
    /// A middlebox that forgets idle connections, and since when nothing has moved.
    idle: Option<(Arc<Rule>, Duration, Expiry)>,
    since: Option<Instant>,
}

impl Forgetting {
    pub fn adapt(&mut self, rules: &Rules, connection: u64, now: Instant) {
        let covering = || rules.iter().filter(|rule| rule.covers(connection));
        if !self.for_good {
            self.forgotten = covering().find_map(|rule| match rule.what {
                RuleKind::DropState(forget) => Some((Arc::clone(rule), forget)),
                _ => None,
            });
            self.for_good = matches!(self.forgotten, Some((_, DropState::ServerSide)));
        }
        let idle = covering().find_map(|rule| match rule.what {
            RuleKind::Idle { after, then } => Some((Arc::clone(rule), after, then)),
            _ => None,
        });
        // A device that has just come into the path knows nothing of what happened before.
        if idle.as_ref().map(|(rule, ..)| rule.id) != self.idle.as_ref().map(|(rule, ..)| rule.id) {
            self.since = idle.is_some().then_some(now);
        }
        self.idle = idle;
    }

    /// Whether and how the connection is forgotten now, so that nothing is carried any more.
    pub fn in_force(&self) -> Option<DropState> {
        self.forgotten.as_ref().map(|(_, forget)| *forget)
    }

    /// Something has moved.
    pub fn moved(&mut self) {
        if self.since.is_some() {
            self.since = Some(Instant::now());
        }
    }

    /// When the idle time will be over, if nothing moves until then.
    pub fn due(&self) -> Option<Instant> {
        // If no clock goes that far, it never is.
        self.since?.checked_add(self.idle.as_ref()?.1)
    }

    /// Looks whether the idle time is over; a middlebox may then cut the connection, or forget it.
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

    /// Ready when one of the peers that may still send has sent something, and is to get an RST.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        client: Option<&mut impl Leg>,
        server: Option<&mut impl Leg>,
    ) -> Poll<()> {
        let Some((rule, _)) = &self.forgotten else { return Poll::Pending };
        let client_speaks = client.is_some_and(|client| speaks(cx, client));
        if !client_speaks && !server.is_some_and(|server| speaks(cx, server)) {
            return Poll::Pending;
        }
        rule.tally.strikes.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(())
    }
}

/// Whether a peer has sent something: bytes, or that it leaves.
fn speaks(cx: &mut Context<'_>, peer: &mut impl Leg) -> bool {
    let mut byte = [0];
    Pin::new(peer).poll_read(cx, &mut ReadBuf::new(&mut byte)).is_ready()
}
