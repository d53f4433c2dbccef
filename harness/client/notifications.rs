//! How a client reports the notifications and gaps of its subscription.

use std::fmt;
use std::sync::Arc;

/// Receives the notifications of a client's subscription to [`CHANNEL`](crate::server::bootstrap::CHANNEL).
///
/// Clones report to the same receiver; any thread may call it.
#[derive(Clone)]
pub struct Notifications(Arc<dyn Fn(Notice) + Send + Sync>);

/// A report of a client about its subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A notification, with its payload.
    Received(String),
    /// The subscription was interrupted, and may have missed notifications.
    Gap,
}

impl Notifications {
    pub(crate) fn new(take: impl Fn(Notice) + Send + Sync + 'static) -> Notifications {
        Notifications(Arc::new(take))
    }

    /// Reports a notification; `payload` as the server sent it.
    pub fn received(&self, payload: impl Into<String>) {
        self.send(Notice::Received(payload.into()));
    }

    /// Reports that the subscription was interrupted and may have missed notifications: Postgres repeats none.
    ///
    /// Call it before the next [`received`](Notifications::received).
    pub fn gap(&self) {
        self.send(Notice::Gap);
    }

    pub(crate) fn send(&self, notice: Notice) {
        (self.0)(notice);
    }
}

impl fmt::Debug for Notifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notifications")
    }
}
