//! The name by which a client may know its servers, and what a name server can say of it. Plain data, on every system.

/// The name by which a client knows its servers.
///
/// *Source*: RFC 6761, section 6.2: no name below `test` is anybody's.
pub(crate) const NAME: &str = "db.pgsquall.test";

/// What the name server says of the name, until it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DnsAnswer {
    /// Where it leads to.
    Address,
    /// Where it has led to so far.
    OldAddress,
    /// That there is no such name.
    NoName,
    /// That it cannot say.
    Failure,
    /// Nothing.
    Nothing,
}
