//! Types that several files of the gateway share: the direction of a link, and how a connection is ended.

/// The direction in which a link carries bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Client to server.
    Upstream,
    /// Server to client.
    Downstream,
}

/// How the nemesis or a rule ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// FIN to both sides, as when a process exits. On an encrypted leg without close_notify.
    Close,
    /// RST to both sides.
    Reset,
}
