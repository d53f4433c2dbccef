//! Session state that both directions share.

use super::requests::Requests;

/// Encryption that a client can request before the startup packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Tls,
    Gss,
}

/// The kind of bytes expected from the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// A message of the startup: without a tag.
    #[default]
    Startup,
    /// No bytes, until the server has answered the request.
    EncryptionRequested(Encryption),
    /// Messages with tags.
    Typed,
}

/// The kinds of startup messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Packet {
    #[default]
    Startup,
    Encryption(Encryption),
    Cancel,
}

/// The state of a session, except for the position in the two streams.
#[derive(Default)]
pub(super) struct State {
    pub phase: Phase,
    /// The kind of the last startup message.
    pub packet: Packet,
    /// The session is not parsed any more.
    pub opaque: bool,
    /// The server is sending an error in the form used before protocol 3.
    pub ancient: bool,
    /// A startup packet has begun to arrive: before, the server may send only errors.
    pub started: bool,
    /// The server has demanded authentication.
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
