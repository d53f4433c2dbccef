//! Types that several files of the gateway share: the direction of a link, and how a connection is ended.

/// Which way a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Client to server.
    Upstream,
    /// Server to client.
    Downstream,
}

/// How the nemesis ends connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// FIN to both sides, as a process that exits sends it.
    Close,
    /// RST to both sides.
    Reset,
}
