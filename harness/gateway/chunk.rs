//! Chunks: the bytes, ends and cuts that travel along a link.

use bytes::Bytes;

use super::types::Cut;

/// One item on its way from source to target. The order of items is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Data(Bytes),
    /// The source sent FIN.
    End,
    /// The source sent FIN without the goodbye of its encryption (no close_notify).
    CutOff,
    /// The source sent RST.
    Failed,
    /// The connection ends here, on both sides.
    Cut(Cut),
    /// Nothing passes for as long as this rule is in force.
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
