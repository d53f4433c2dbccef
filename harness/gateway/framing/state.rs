//! What both directions of a session know together.

use super::requests::Requests;

/// What a client can ask for in place of a startup packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Tls,
    Gss,
}

/// What the client says next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// A message of the startup: without a tag.
    #[default]
    Startup,
    /// Nothing, until the server has answered with a single byte.
    Asked(Encryption),
    /// Messages with tags.
    Typed,
}

/// What a message of the startup was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Packet {
    #[default]
    Startup,
    Encryption(Encryption),
    Cancel,
}

/// The state of a session, but for its place in the two streams.
#[derive(Default)]
pub(super) struct State {
    pub phase: Phase,
    /// The message of the startup that came last.
    pub packet: Packet,
    /// Nothing is read any more.
    pub opaque: bool,
    /// The server is saying its last words, in the form used before protocol 3.
    pub ancient: bool,
    /// A startup packet has come: the server may say more than an error.
    pub started: bool,
    /// The server has asked for authentication.
    pub challenged: bool,
    /// The first request has been noted.
    pub requested: bool,
    /// The status of the last ReadyForQuery; 0 before the first.
    pub status: u8,
    pub requests: Requests,
}

impl State {
    /// Whether the startup is over.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.status != 0
    }
}
