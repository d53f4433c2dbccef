//! Requests in flight: how many ReadyForQuery the server still owes, and which of them answer a request.
//!
//! A request is a Query, a FunctionCall, or a batch of messages up to a Sync that contains a Parse, Bind or Execute: a
//! batch that only closes a statement is not a request.

/// Requests that the server has not finished.
#[derive(Default)]
pub(super) struct Requests {
    /// Number of ReadyForQuery still to come for forwarded messages.
    owed: u32,
    /// Which of them answer a request; the lowest bit is the next one. Those beyond 64 are assumed to.
    asking: u64,
    /// A request has begun and is not ended by a Sync.
    open: bool,
    /// The last request was ended by a Sync.
    extended: bool,
    /// The server is reading the data of a COPY.
    copying: bool,
    /// The server has begun its next answer.
    answering: bool,
}

impl Requests {
    /// Whether the next request message belongs to a request that has begun.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether no request is in flight.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.owed == 0 && !self.open
    }

    /// A request message has begun; returns whether it is the first since the session was idle.
    #[inline]
    pub fn begin(&mut self) -> bool {
        let is_first = self.asking == 0 && !self.open;
        self.open = true;
        is_first
    }

    /// A Query or a FunctionCall has been forwarded.
    #[inline]
    pub fn forward_whole(&mut self) {
        self.extended = false;
        self.owe_one();
    }

    /// A Sync has been forwarded. During a COPY from the client the server ignores it.
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

    /// The server begins to answer.
    #[inline]
    pub fn begin_answer(&mut self) {
        self.answering = true;
    }

    /// A ReadyForQuery has arrived; returns whether it answers a request.
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

    /// The server waits for the data of a COPY. A Sync that was sent together with the Execute, as libpq and
    /// tokio-postgres do, will not be answered: another one follows the data.
    pub fn begin_copy(&mut self) {
        self.copying = true;
        if self.extended && self.owed > 0 {
            self.owed = 0;
            self.asking = 0;
            self.open = true;
        }
    }

    /// The client has sent all data of a COPY, or the server has rejected it.
    pub fn end_copy(&mut self) {
        self.copying = false;
    }
}
