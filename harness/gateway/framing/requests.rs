//! Requests in flight: how many ReadyForQuery the server has still to send, and which of them answer a request.
//!
//! A request is a Query, a FunctionCall, or a batch of messages up to a Sync that contains a Parse, Bind or Execute: a
//! batch that only closes a statement is not a request.

/// Requests that the server has not finished.
#[derive(Default)]
pub(super) struct Requests {
    /// Number of ReadyForQuery still to come for forwarded messages.
    owed: u32,
    /// One bit for each owed ReadyForQuery, the lowest for the next one: whether it answers a request. Assumed beyond
    /// 64.
    asking: u64,
    /// A request has begun, and the message that ends it has not been forwarded.
    open: bool,
    /// The last message that demands a ReadyForQuery was a Sync.
    extended: bool,
    /// The server is reading the data of a COPY.
    copying: bool,
    /// The server has begun its next answer.
    answering: bool,
}

impl Requests {
    /// Whether a request message belongs to a request that has already begun.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether no request is in flight and the server owes no ReadyForQuery.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.owed == 0 && !self.open
    }

    /// Records that a request message has begun; returns whether no other request was in flight.
    #[inline]
    pub fn begin(&mut self) -> bool {
        let is_first = self.asking == 0 && !self.open;
        self.open = true;
        is_first
    }

    /// Records that a Query or a FunctionCall has been forwarded.
    #[inline]
    pub fn forward_whole(&mut self) {
        self.extended = false;
        self.owe_one();
    }

    /// Records that a Sync has been forwarded. During a COPY from the client the server ignores a Sync.
    #[inline]
    pub fn forward_sync(&mut self) {
        if !self.copying {
            self.extended = true;
            self.owe_one();
        }
    }

    #[inline]
    fn owe_one(&mut self) {
        if self.owed < u64::BITS {
            self.asking |= u64::from(self.open) << self.owed;
        }
        self.owed = self.owed.saturating_add(1);
        self.open = false;
    }

    /// Whether the next message of the server, unless asynchronous, begins the answer to a request.
    #[inline]
    pub fn is_answer_due(&self) -> bool {
        !self.answering && (self.asking & 1 == 1 || (self.owed == 0 && self.open))
    }

    /// Records that the server has begun to answer.
    #[inline]
    pub fn begin_answer(&mut self) {
        self.answering = true;
    }

    /// Records that a ReadyForQuery has arrived; returns whether it answers a request.
    #[inline]
    pub fn finish(&mut self) -> bool {
        let answers = self.asking & 1 == 1;
        self.answering = false;
        self.copying = false;
        self.asking >>= 1;
        self.owed = self.owed.saturating_sub(1);
        if self.owed >= u64::BITS {
            self.asking |= 1 << 63;
        }
        answers
    }

    /// Records that the server waits for the data of a COPY. The server does not answer a Sync that was sent together
    /// with the Execute, as libpq and tokio-postgres do: another Sync follows the data.
    pub fn begin_copy(&mut self) {
        self.copying = true;
        if self.extended && self.owed > 0 {
            self.owed = 0;
            self.asking = 0;
            self.open = true;
        }
    }

    /// Records that the client has ended the data of a COPY, or that the server has sent an error.
    pub fn end_copy(&mut self) {
        self.copying = false;
    }
}
