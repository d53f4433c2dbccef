//! A frame: the position of one direction in the current message, and the first bytes of that message if they arrived
//! in pieces.

/// Most bytes of a message that are kept: usually enough for the fields read from a startup packet (user and database
/// have at most 63 bytes each), and enough for severity and SQLSTATE, which the server sends first.
pub(super) const PREFIX: usize = 256;

/// Progress in the current message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// No byte of the message has arrived.
    #[default]
    New,
    /// The first byte has arrived.
    Begun,
    /// The length is known.
    Measured,
}

/// The position of one direction in the current message.
pub(super) struct Frame {
    pub stage: Stage,
    pub tag: u8,
    /// The rest of the message is dropped.
    pub swallowed: bool,
    /// Number of first bytes needed for the next look; 0: no look is needed.
    pub wanted: u16,
    /// Number of the message's bytes in `prefix`.
    kept: u16,
    /// Number of the message's bytes passed or dropped.
    pub seen: u64,
    /// Total length of the message with the header, in bytes; valid from [`Stage::Measured`].
    pub total: u64,
    /// The first `kept` bytes of the message. Unused if the wanted bytes arrive in one piece, which is then not copied.
    prefix: [u8; PREFIX],
}

impl Default for Frame {
    fn default() -> Frame {
        Frame {
            stage: Stage::New,
            tag: 0,
            swallowed: false,
            wanted: 0,
            kept: 0,
            seen: 0,
            total: 0,
            prefix: [0; PREFIX],
        }
    }
}

impl Frame {
    /// Returns the first `wanted` bytes of the message; `rest` are the bytes behind the `seen` ones. `None` if they
    /// have not all arrived; those in `rest` are then kept.
    #[inline]
    pub fn head<'a>(&'a mut self, rest: &'a [u8], wanted: usize) -> Option<&'a [u8]> {
        if self.seen == 0 && rest.len() >= wanted {
            return Some(&rest[..wanted]);
        }
        self.gather(rest, wanted).get(..wanted)
    }

    /// Keeps bytes of `rest` up to `wanted` in all; returns the kept first bytes of the message.
    #[cold]
    pub fn gather(&mut self, rest: &[u8], wanted: usize) -> &[u8] {
        let kept = usize::from(self.kept);
        let ahead = kept.saturating_sub(self.seen as usize);
        let new = rest.get(ahead..).unwrap_or_default();
        let new = &new[..new.len().min(wanted.min(PREFIX).saturating_sub(kept))];
        self.prefix[kept..kept + new.len()].copy_from_slice(new);
        self.kept += new.len() as u16;
        &self.prefix[..usize::from(self.kept)]
    }

    /// Moves to the beginning of the next message.
    #[inline]
    pub fn finish(&mut self) {
        self.stage = Stage::New;
        self.swallowed = false;
        self.wanted = 0;
        self.kept = 0;
        self.seen = 0;
    }
}
