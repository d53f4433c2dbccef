//! Commands that the gateway sends to a connection.

use tokio::sync::oneshot;

use super::rule::Rules;
use super::types::Cut;

/// A command to one connection.
pub(crate) enum Command {
    /// End the connection; acknowledged once FIN or RST has been sent to both sides.
    Cut { cut: Cut, done: oneshot::Sender<()> },
    /// Apply these rules from now on; acknowledged once they are in force.
    Rules { rules: Rules, done: oneshot::Sender<()> },
    /// End the connection by RST, because the gateway closes; not acknowledged.
    Teardown,
}
