//! Chunks: what a link carries, in order: bytes, the end of the stream, cuts and gates.

use bytes::Bytes;

use super::types::Cut;

/// One item that a link carries from its source to its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Data(Bytes),
    /// The source sent FIN.
    End,
    /// The source sent FIN without TLS's close_notify.
    CutOff,
    /// The source sent RST, or the server cannot be reached.
    Failed,
    /// The gateway ends the connection here, on both sides.
    Cut(Cut),
    /// No later chunk passes while the rule with this number is in force.
    Gate(u64),
}

impl Chunk {
    /// Number of stream bytes in the chunk.
    pub fn len(&self) -> usize {
        match self {
            Chunk::Data(bytes) => bytes.len(),
            _ => 0,
        }
    }
}
