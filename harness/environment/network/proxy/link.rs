//! A link: one direction of one connection.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::old_toxic::{Toxics, pass_stall, stall_begins};

/// One read at most: larger reads save little, smaller ones cost a third more CPU for each byte (FACTS §8).
const BUFFER: usize = 64 << 10;

/// How much a connection has carried.
pub(in crate::environment::network) struct Traffic<'a> {
    upstream: AtomicU64,
    downstream: AtomicU64,
    /// The gateway's own count of bytes held back.
    pub(super) withheld: &'a AtomicU64,
}

impl Traffic<'_> {
    pub fn new(withheld: &AtomicU64) -> Traffic<'_> {
        Traffic { upstream: AtomicU64::new(0), downstream: AtomicU64::new(0), withheld }
    }

    /// Bytes from client to server.
    pub fn upstream(&self) -> u64 {
        self.upstream.load(Ordering::Relaxed)
    }

    /// Bytes from server to client.
    pub fn downstream(&self) -> u64 {
        self.downstream.load(Ordering::Relaxed)
    }
}

/// Which way a link leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Client to server.
    Upstream,
    /// Server to client.
    Downstream,
}

/// Which end of a link failed.
pub(super) enum LinkError {
    Source,
    Target,
}

/// Carries bytes until the source has no more, then says so to the target: the other direction may go on.
pub(super) async fn run(
    direction: Direction,
    mut source: ReadHalf<'_>,
    mut target: WriteHalf<'_>,
    mut toxics: watch::Receiver<Toxics>,
    traffic: &Traffic<'_>,
) -> Result<(), LinkError> {
    let carried = match direction {
        Direction::Upstream => &traffic.upstream,
        Direction::Downstream => &traffic.downstream,
    };
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = source.read(&mut buffer).await;
        // Past a frozen peer neither bytes go, nor the end of a stream, nor a reset.
        pass_stall(&mut toxics, *read.as_ref().unwrap_or(&0), traffic).await;
        let length = read.map_err(|_| LinkError::Source)?;
        if length == 0 {
            return target.shutdown().await.map_err(|_| LinkError::Target);
        }
        let mut unsent = &buffer[..length];
        while !unsent.is_empty() {
            tokio::select! {
                biased;
                written = target.write(unsent) => {
                    let written = written.map_err(|_| LinkError::Target)?;
                    unsent = &unsent[written..];
                    // Counted as it leaves: the connection may be cut before the rest can.
                    carried.fetch_add(written as u64, Ordering::Relaxed);
                }
                // The target is slow, and meanwhile a stall begins: what has not left yet is held like the rest.
                () = stall_begins(&mut toxics) => pass_stall(&mut toxics, unsent.len(), traffic).await,
            }
        }
    }
}
