//! Requests in flight: which ReadyForQuery the server still owes, and which of them answer a request.
//!
//! A request is what a Query or FunctionCall asks, or the batch of messages that a Sync ends, if there is a Parse, Bind
//! or Execute among them: a batch that only closes a statement is none.

/// What the client has asked for, and the server has not finished.
#[derive(Default)]
pub(super) struct Requests {
    /// How many ReadyForQuery are still to come for what has been forwarded.
    owed: u32,
    /// Which of them answer a request; the lowest bit is the next one. Of those beyond 64, all are taken to.
    asking: u64,
    /// A request has begun that nothing has ended yet.
    open: bool,
    /// The last end was a Sync.
    extended: bool,
    /// The server reads the data of a COPY.
    copying: bool,
    /// The server has begun to answer what comes next.
    answering: bool,
}

impl Requests {
    /// Whether what asks next belongs to a request that has begun already.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether nothing is under way.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.owed == 0 && !self.open
    }

    /// A message that asks for something has begun; whether it is the first since nothing was under way.
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

    /// Whether the next message of the server, if it is no asynchronous one, begins to answer a request.
    #[inline]
    pub fn is_answer_due(&self) -> bool {
        !self.answering && (self.asking & 1 == 1 || (self.owed == 0 && self.open))
    }

    /// The server begins to answer.
    #[inline]
    pub fn begin_answer(&mut self) {
        self.answering = true;
    }

    /// A ReadyForQuery has come; whether it answers a request.
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

    /// The client has sent all data of a COPY, or the server wants no more of it.
    pub fn end_copy(&mut self) {
        self.copying = false;
    }
}
