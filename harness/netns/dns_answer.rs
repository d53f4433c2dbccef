//! The server name of a run, and the answers that its name server can give. Plain data, also on systems without a
//! kernel plane.

/// The name by which a client knows its servers.
///
/// *Source*: RFC 6761, section 6.2: names below `test` are never registered.
pub(crate) const NAME: &str = "db.pgsquall.test";

/// The configured answer of the name server for this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DnsAnswer {
    /// Its addresses.
    Address,
    /// Its addresses as well, but counted apart: the server has left them, and the name has not moved yet.
    OldAddress,
    /// NXDOMAIN.
    NoName,
    /// SERVFAIL.
    Failure,
    /// No answer at all.
    Nothing,
}
