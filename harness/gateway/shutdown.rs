//! Shutdown of a connection: in order, by RST, or by FIN on command.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::transport::Socket;
use super::types::Cut;
use crate::model::history::Severed;

/// A peer that has sent nothing for this long has nothing in flight. On loopback bytes arrive within microseconds, so
/// this allows for a busy machine.
const QUIET_TIME: Duration = Duration::from_millis(20);

/// Longest time to drain bytes in flight; a peer that still sends then gets an RST.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// An ended connection: the cause, and the sockets still to be drained.
pub(crate) struct Shutdown<S> {
    pub by: Severed,
    /// Notified once FIN or RST has been sent.
    done: Option<oneshot::Sender<()>>,
    /// Sockets that have sent FIN, but whose peers may be sending.
    draining: Vec<S>,
}

impl<S: Socket> Shutdown<S> {
    /// Ended in order by the peers.
    pub(super) fn in_order(by: Severed) -> Shutdown<S> {
        Shutdown { by, done: None, draining: Vec::new() }
    }

    /// Ends the connection by RST to the sockets still open.
    pub(super) fn by_reset(by: Severed, sockets: impl IntoIterator<Item = S>) -> Shutdown<S> {
        sockets.into_iter().for_each(S::reset);
        Shutdown { by, done: None, draining: Vec::new() }
    }

    /// Ended by the nemesis or a rule; `done` is notified.
    pub(super) fn by_cut(
        cut: Cut,
        done: Option<oneshot::Sender<()>>,
        sockets: impl IntoIterator<Item = S>,
    ) -> Shutdown<S> {
        let shutdown = match cut {
            Cut::Close => {
                Shutdown { by: Severed::Closed, done: None, draining: sockets.into_iter().map(send_fin).collect() }
            }
            Cut::Reset => Shutdown::by_reset(Severed::Reset, sockets),
        };
        Shutdown { done, ..shutdown }
    }

    /// Acknowledges the command, then drains the sockets. May be dropped at any time, which closes them.
    pub async fn complete(self) {
        if let Some(done) = self.done {
            // The receiver is gone if the nemesis was stopped in the meantime.
            let _ = done.send(());
        }
        let _ = timeout(DRAIN_TIMEOUT, join_all(self.draining.into_iter().map(drain))).await;
    }
}

/// Sends FIN after all bytes written before.
fn send_fin<S: Socket>(mut stream: S) -> S {
    // If the socket is already dead, no peer is left to notify.
    let _ = stream.cut_off();
    stream
}

/// Discards bytes that a peer was still sending, until it falls silent; then closes the socket, and the kernel answers
/// later bytes with RST, as for a process that has exited.
///
/// Closing at once would send RST instead of FIN: the kernel does so while unread bytes are in its buffer.
async fn drain(mut stream: impl Socket) {
    let mut scrap = vec![0; 8 << 10];
    while let Ok(Ok(1..)) = timeout(QUIET_TIME, stream.read(&mut scrap)).await {}
}
