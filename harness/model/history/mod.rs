//! The record of one run: the plan, the faults, and the outcome of every operation.
//!
//! A history is a header followed by events in the order of their recording. On disk it is JSON lines, one event per
//! line, written during the run; [`History::read`] reads it, so that it can be judged again later. It contains only
//! facts: no judgements, and no secrets.

mod capability;
mod connection;
mod event;
mod operation;
mod setup;

use std::fmt;
use std::io::{self, BufRead};

use serde::Deserialize;

pub use capability::Capability;
pub use connection::{ConnectionChange, Severed};
pub use event::{
    Application, ClientFacts, Ended, Event, Evidence, FaultStep, Header, Phase, ServerFacts, Sessions, SupervisionStep,
};
pub use operation::{ErrorKind, ObservedOp, Op, OpError, OpKind, Outcome, RecordedOp};
pub use setup::RunSetup;

/// The version of the stored form. A reader refuses any other.
pub const FORMAT: u32 = 1;

/// Longest line a reader accepts, in bytes: the ledger of a million writes in the worst order is far below it.
const LONGEST_LINE: usize = 64 << 20;

/// A header and the events that followed it.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    pub header: Header,
    pub events: Vec<Event>,
}

impl History {
    /// Reads a stored history.
    ///
    /// *Errors*: the line that could not be parsed, and why. A last line cut short by a killed run is an error
    /// too: such a history has no audit, and a verdict on it would prove nothing.
    pub fn read(input: impl BufRead) -> Result<History, HistoryError> {
        let mut header = None;
        let mut events = Vec::new();
        for (index, line) in input.lines().enumerate() {
            let at = |reason: String| HistoryError { line: index + 1, reason };
            let line = line.map_err(|error| at(error.to_string()))?;
            if line.len() > LONGEST_LINE {
                return Err(at(format!("a line of {} bytes: this is not a history", line.len())));
            }
            if header.is_none() {
                refuse_other_format(&line).map_err(at)?;
            }
            let event: Event = serde_json::from_str(&line).map_err(|error| at(error.to_string()))?;
            match (event, header.is_some()) {
                (Event::Run(found), false) => header = Some(*found),
                (Event::Run(_), true) => return Err(at("a second header".into())),
                (_, false) => return Err(at("the first line must be the \"run\" header".into())),
                (event, true) => events.push(event),
            }
        }
        match header {
            Some(header) => Ok(History { header, events }),
            None => Err(HistoryError { line: 1, reason: "the file is empty".into() }),
        }
    }

    /// The history that [`read`](History::read) returns for the stored form of this one.
    pub(crate) fn as_stored(&self) -> io::Result<History> {
        let mut lines = serde_json::to_vec(&Event::Run(Box::new(self.header.clone())))?;
        for event in &self.events {
            lines.push(b'\n');
            serde_json::to_writer(&mut lines, event)?;
        }
        History::read(lines.as_slice()).map_err(io::Error::other)
    }
}

/// Checks the format version of a header before its other fields, which may differ in another format.
fn refuse_other_format(line: &str) -> Result<(), String> {
    #[derive(Deserialize)]
    struct First {
        run: Stamp,
    }
    #[derive(Deserialize)]
    struct Stamp {
        format: u32,
        pgsquall: String,
    }
    match serde_json::from_str(line) {
        Ok(First { run: Stamp { format, pgsquall } }) if format != FORMAT => Err(format!(
            "stored in format {format}, but this version reads format {FORMAT}: judge it with pgsquall {pgsquall}"
        )),
        // The caller reports a line that is not a header.
        _ => Ok(()),
    }
}

/// A stored history that cannot be read: the line, counted from 1, and the reason.
#[derive(Debug)]
pub struct HistoryError {
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for HistoryError {}

#[cfg(test)]
mod tests;
