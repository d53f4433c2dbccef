//! What a connection is told to do.

use tokio::sync::oneshot;

use super::rule::Rules;
use super::types::Cut;

/// An order to one connection.
pub(crate) enum Command {
    /// End it; answered once both sides have been told.
    Cut { cut: Cut, done: oneshot::Sender<()> },
    /// From now on these rules are in force; answered once they are.
    Rules { rules: Rules, done: oneshot::Sender<()> },
    /// The gateway itself ends.
    Teardown,
}
