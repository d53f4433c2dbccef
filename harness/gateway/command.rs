//! What a connection is told to do.

use tokio::sync::oneshot;

use super::rule::Rules;

/// How the nemesis ends connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// FIN to both sides, as a process that exits sends it.
    Close,
    /// RST to both sides.
    Reset,
}

/// An order to one connection.
pub(crate) enum Command {
    /// End it; answered once both sides have been told.
    Cut { cut: Cut, done: oneshot::Sender<()> },
    /// From now on these rules are in force; answered once they are.
    Rules { rules: Rules, done: oneshot::Sender<()> },
    /// The gateway itself ends.
    Teardown,
}
