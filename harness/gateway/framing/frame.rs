//! A frame: the position of one direction in the current message, and the first bytes of that message if they arrived
//! in pieces.

/// Most bytes of a message that are kept: enough for the fields read from a startup packet (user and database have at
/// most 63 bytes each) and for severity and SQLSTATE, which the server sends first.
pub(super) const PREFIX: usize = 256;

/// Progress in the current message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// No byte of it has arrived.
    #[default]
    New,
    /// Its first byte has arrived.
    Begun,
    /// Its length is known.
    Measured,
}

/// The position of one direction in its stream.
pub(super) struct Frame {
    pub stage: Stage,
    pub tag: u8,
    /// The rest of the message is swallowed.
    pub swallowed: bool,
    /// Number of first bytes needed for the next look; 0: no look is needed.
    pub wanted: u16,
    /// Number of its bytes in `prefix`.
    kept: u16,
    /// Number of its bytes dealt with.
    pub seen: u64,
    /// Its total length with the header; known once it is measured.
    pub total: u64,
    /// All wanted bytes seen so far, and perhaps some still to be dealt with. Unused until some have been seen: a
    /// message that arrives in one piece is not copied.
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
    /// The first `wanted` bytes of the message, whose next ones are `rest`; `None` if they have not all arrived: then
    /// those in `rest` are kept.
    #[inline]
    pub fn head<'a>(&'a mut self, rest: &'a [u8], wanted: usize) -> Option<&'a [u8]> {
        if self.seen == 0 && rest.len() >= wanted {
            return Some(&rest[..wanted]);
        }
        self.gather(rest, wanted).get(..wanted)
    }

    /// As many of the first `wanted` bytes as have arrived.
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

    /// The message ends; the next one begins.
    #[inline]
    pub fn finish(&mut self) {
        self.stage = Stage::New;
        self.swallowed = false;
        self.wanted = 0;
        self.kept = 0;
        self.seen = 0;
    }
}
