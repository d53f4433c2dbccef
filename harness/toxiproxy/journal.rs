//! The journal: a task that writes every event of every connection to a file, as lines of JSON.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::model::history::ConnectionChange;

/// The version of the file's format, in its first line.
const FORMAT: u32 = 1;

/// The sender of events to the writer's task. Sending never blocks.
#[derive(Clone)]
pub(super) struct Journal(mpsc::UnboundedSender<Line>);

#[derive(Serialize)]
struct Line {
    /// Microseconds since 1970-01-01 UTC.
    at_us: u64,
    #[serde(serialize_with = "text")]
    proxy: Arc<str>,
    #[serde(flatten)]
    event: Event,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Event {
    Connection { connection: u64, change: ConnectionChange },
    Refusing { refusing: bool },
}

fn text<S: Serializer>(text: &Arc<str>, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(text)
}

impl Journal {
    /// Creates the file. The task ends once every clone of the journal is dropped and all events are written.
    ///
    /// *Errors*: the file cannot be created or written to; the task returns later errors.
    pub async fn create(path: &Path) -> io::Result<(Journal, JoinHandle<io::Result<()>>)> {
        let mut file = BufWriter::new(File::create(path).await?);
        file.write_all(format!("{{\"pgsquall_tap\":{FORMAT}}}\n").as_bytes()).await?;
        file.flush().await?;
        let (lines, received) = mpsc::unbounded_channel();
        Ok((Journal(lines), tokio::spawn(write(file, received))))
    }

    pub fn connection(&self, proxy: &Arc<str>, connection: u64, change: ConnectionChange) {
        self.send(proxy, Event::Connection { connection, change });
    }

    pub fn refusing(&self, proxy: &Arc<str>, refusing: bool) {
        self.send(proxy, Event::Refusing { refusing });
    }

    fn send(&self, proxy: &Arc<str>, event: Event) {
        let at_us = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
        // Sending fails only if the writer has ended with an error, which `Service::shutdown` reports.
        let _ = self.0.send(Line { at_us, proxy: Arc::clone(proxy), event });
    }
}

/// Writes lines as they arrive. Flushes whenever the queue is empty, so that the file contains all events so far.
async fn write(mut file: BufWriter<File>, mut lines: mpsc::UnboundedReceiver<Line>) -> io::Result<()> {
    while let Some(line) = lines.recv().await {
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        file.write_all(&text).await?;
        if lines.is_empty() {
            file.flush().await?;
        }
    }
    file.flush().await
}
