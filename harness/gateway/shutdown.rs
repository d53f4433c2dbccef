//! Shutdown of a connection: after both peers have closed, by RST to both, or by FIN to both.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::transport::Socket;
use super::types::Cut;
use crate::model::history::Severed;

/// A peer from which nothing arrives for this long has nothing in flight. On loopback bytes take microseconds; the rest
/// allows for a busy machine.
const QUIET_TIME: Duration = Duration::from_millis(20);

/// Longest time to drain bytes in flight; a peer that sends after that gets an RST.
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
    /// Describes the end of a connection whose sockets need only be closed: nothing is left to send.
    pub(super) fn in_order(by: Severed) -> Shutdown<S> {
        Shutdown { by, done: None, draining: Vec::new() }
    }

    /// Sends RST on the sockets still open.
    pub(super) fn by_reset(by: Severed, sockets: impl IntoIterator<Item = S>) -> Shutdown<S> {
        sockets.into_iter().for_each(S::reset);
        Shutdown { by, done: None, draining: Vec::new() }
    }

    /// Sends FIN or RST, as the nemesis or a rule demands; `done` is notified by [`Shutdown::complete`].
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

    /// Acknowledges the command, then drains the sockets. If this future is dropped, the sockets are closed.
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
    // An error means that the connection has already failed.
    let _ = stream.cut_off();
    stream
}

/// Discards bytes that a peer was still sending, until none arrive for [`QUIET_TIME`]; then closes the socket, and the
/// kernel answers later bytes with RST, as for a process that has exited.
///
/// Closing at once could send RST: the kernel does so if its buffer holds unread bytes.
async fn drain(mut stream: impl Socket) {
    let mut scrap = vec![0; 8 << 10];
    while let Ok(Ok(1..)) = timeout(QUIET_TIME, stream.read(&mut scrap)).await {}
}
