//! A link: one direction of one connection.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::toxic::{Toxics, pass_stall};

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
    Source(io::Error),
    Target(io::Error),
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
        let length = source.read(&mut buffer).await.map_err(LinkError::Source)?;
        // A frozen peer does not see the end of a stream either.
        pass_stall(&mut toxics, length, traffic).await;
        if length == 0 {
            return target.shutdown().await.map_err(LinkError::Target);
        }
        target.write_all(&buffer[..length]).await.map_err(LinkError::Target)?;
        carried.fetch_add(length as u64, Ordering::Relaxed);
    }
}
