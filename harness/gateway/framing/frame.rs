//! A frame: how far one direction has come in the message that is passing, and the first bytes of that message where
//! they came in pieces.

/// How many bytes of a message are kept at most: enough for the fields that are read of a startup packet (user and
/// database have at most 63 bytes each) and for severity and SQLSTATE, which the server sends first.
pub(super) const PREFIX: usize = 256;

/// What is known of the message that is passing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// None of it has come.
    #[default]
    New,
    /// Its first byte has.
    Begun,
    /// Its length is known.
    Measured,
}

/// One direction's place in its stream.
pub(super) struct Frame {
    pub stage: Stage,
    pub tag: u8,
    /// Nothing of it is passed on any more.
    pub swallowed: bool,
    /// How many of its first bytes have to be there for the next look at it; 0: none will be taken.
    pub wanted: u16,
    /// How many bytes of it are in `prefix`.
    kept: u16,
    /// How many bytes of it have been dealt with.
    pub seen: u64,
    /// How many it has, with its header; known once it is measured.
    pub total: u64,
    /// As far as they are wanted, all bytes seen, and perhaps some that are still to be dealt with. Not used while none
    /// has been seen: a message that comes in one piece is not copied.
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
    /// The first `wanted` bytes of the message, whose next ones are `rest`; `None` if they are not all there: then what
    /// there is has been kept.
    #[inline]
    pub fn head<'a>(&'a mut self, rest: &'a [u8], wanted: usize) -> Option<&'a [u8]> {
        if self.seen == 0 && rest.len() >= wanted {
            return Some(&rest[..wanted]);
        }
        self.gather(rest, wanted).get(..wanted)
    }

    /// As many of the first `wanted` bytes as are there.
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

    /// The message is over; the next one begins.
    #[inline]
    pub fn finish(&mut self) {
        self.stage = Stage::New;
        self.swallowed = false;
        self.wanted = 0;
        self.kept = 0;
        self.seen = 0;
    }
}
