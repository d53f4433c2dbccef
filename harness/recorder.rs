//! Records a history while it happens: to memory for the run itself, and to disk to outlive it.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::time::Instant;

use crate::model::history::{Event, Header, History, Phase};

/// Callback for each event as it is recorded.
pub(crate) type Observer = Arc<dyn Fn(&Event) + Send + Sync>;

/// A handle on the history of one run; clones write to the same history.
#[derive(Clone)]
pub(crate) struct Recorder {
    origin: Instant,
    record: Arc<Mutex<Record>>,
    observer: Option<Observer>,
}

struct Record {
    history: History,
    file: Option<File>,
    /// The first failure to write; later events are kept in memory only.
    failure: Option<io::Error>,
}

impl Recorder {
    /// Starts a history; this instant is its origin.
    pub fn begin(header: Header, file: Option<File>, observer: Option<Observer>) -> Recorder {
        let mut record =
            Record { history: History { header: header.clone(), events: Vec::new() }, file, failure: None };
        record.store(&Event::Run(Box::new(header)));
        Recorder { origin: Instant::now(), record: Arc::new(Mutex::new(record)), observer }
    }

    /// The time since the origin.
    pub fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// The instant of a time since the origin.
    pub fn instant(&self, at: Duration) -> Instant {
        self.origin + at
    }

    /// Appends one event.
    pub fn record(&self, event: Event) {
        self.record_now(|_| event);
    }

    /// Appends an event stamped with the time of recording; returns that time.
    pub fn record_now(&self, event: impl FnOnce(Duration) -> Event) -> Duration {
        // The time is taken under the lock, so that times never go backwards along the history.
        let mut record = self.lock();
        let at = self.now();
        let event = event(at);
        record.store(&event);
        if let Some(observer) = &self.observer {
            observer(&event);
        }
        record.history.events.push(event);
        at
    }

    pub fn phase(&self, phase: Phase) -> Duration {
        self.record_now(|at| Event::Phase { at, phase })
    }

    pub fn doubt(&self, reason: impl Into<String>) {
        self.record_now(|at| Event::Doubt { at, reason: reason.into() });
    }

    /// Reads the history recorded so far.
    pub fn look<T>(&self, at: impl FnOnce(&History) -> T) -> T {
        at(&self.lock().history)
    }

    /// The history as a reader of its stored form sees it: times in whole microseconds, so that judging it again later
    /// gives the same verdict to the last digit.
    ///
    /// *Errors*: the first failure to write to disk, because a history that is not stored whole is not a result.
    pub fn finish(&self) -> io::Result<History> {
        let mut record = self.lock();
        match record.failure.take() {
            Some(failure) => Err(failure),
            None => record.history.as_stored(),
        }
    }

    /// The history of a run in virtual time, whose instants are whole milliseconds: it equals its stored form.
    ///
    /// *Errors*: like [`finish`](Recorder::finish).
    #[cfg(feature = "simulation")]
    pub fn finish_virtual(&self) -> io::Result<History> {
        let mut record = self.lock();
        match record.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(History {
                header: record.history.header.clone(),
                events: std::mem::take(&mut record.history.events),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock()
    }
}

impl Record {
    fn store(&mut self, event: &Event) {
        let Some(file) = &mut self.file else { return };
        let stored = serde_json::to_vec(event).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        if let Err(error) = stored {
            self.failure = Some(error);
            self.file = None;
        }
    }
}
