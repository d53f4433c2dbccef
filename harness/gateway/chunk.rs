//! What travels along a link: bytes, the end of them, and what is to happen once it gets there.

use bytes::Bytes;

use super::types::Cut;

/// One thing on its way from source to target. Order is kept, whatever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Data(Bytes),
    /// The source has no more (FIN).
    End,
    /// The source has no more, and has not said so as its encryption asks for (FIN without close_notify).
    CutOff,
    /// The source is gone (RST).
    Failed,
    /// The connection ends here, on both sides.
    Cut(Cut),
    /// Nothing passes for as long as this rule is in force.
    Gate(u64),
}

impl Chunk {
    /// Bytes of the stream in it.
    pub fn len(&self) -> usize {
        match self {
            Chunk::Data(bytes) => bytes.len(),
            _ => 0,
        }
    }
}
