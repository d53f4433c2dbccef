//! How a client hands on what its subscription hears.

use std::fmt;
use std::sync::Arc;

/// Where a client hands on the notifications that it hears on [`CHANNEL`](crate::server::bootstrap::CHANNEL).
///
/// Clones lead to the same place; it may be called from any thread.
#[derive(Clone)]
pub struct Notifications(Arc<dyn Fn(Notice) + Send + Sync>);

/// What a client can have to say of its subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// A notification, with its payload.
    Heard(String),
    /// There was a time in which it may have missed some.
    Gap,
}

impl Notifications {
    pub(crate) fn new(take: impl Fn(Notice) + Send + Sync + 'static) -> Notifications {
        Notifications(Arc::new(take))
    }

    /// A notification came; `payload` as the server sent it.
    pub fn heard(&self, payload: impl Into<String>) {
        self.tell(Notice::Heard(payload.into()));
    }

    /// The subscription was lost for a while, and may have missed notifications: Postgres repeats none.
    ///
    /// Before the next that is [`heard`](Notifications::heard).
    pub fn gap(&self) {
        self.tell(Notice::Gap);
    }

    pub(crate) fn tell(&self, notice: Notice) {
        (self.0)(notice);
    }
}

impl fmt::Debug for Notifications {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notifications")
    }
}
