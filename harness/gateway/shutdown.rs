//! How a connection ends: in order, by RST, or as it is told.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::transport::Socket;
use super::types::Cut;
use crate::model::history::Severed;

/// A peer that has sent nothing for so long has nothing under way. On loopback bytes arrive within microseconds, so
/// this is for a busy machine.
const LULL: Duration = Duration::from_millis(20);

/// Longest that bytes under way are waited for; a peer that still sends then may as well learn that nobody listens.
const SEND_OFF: Duration = Duration::from_secs(1);

/// A connection that has ended: who ended it, and what is still to be done about it.
pub(crate) struct Ending<S> {
    pub by: Severed,
    /// Who waits to hear of it.
    done: Option<oneshot::Sender<()>>,
    /// Sockets that have sent FIN, but whose peers may be sending.
    leaving: Vec<S>,
}

impl<S: Socket> Ending<S> {
    /// Ended by its peers, in order.
    pub(super) fn in_order(by: Severed) -> Ending<S> {
        Ending { by, done: None, leaving: Vec::new() }
    }

    /// Ended by RST to whoever is still there.
    pub(super) fn by_reset(by: Severed, sockets: impl IntoIterator<Item = S>) -> Ending<S> {
        sockets.into_iter().for_each(S::reset);
        Ending { by, done: None, leaving: Vec::new() }
    }

    /// Ended by the nemesis or by a rule; `done` waits to hear of it.
    pub(super) fn by_cut(
        cut: Cut,
        done: Option<oneshot::Sender<()>>,
        sockets: impl IntoIterator<Item = S>,
    ) -> Ending<S> {
        let ending = match cut {
            Cut::Close => {
                Ending { by: Severed::Closed, done: None, leaving: sockets.into_iter().map(finish).collect() }
            }
            Cut::Reset => Ending::by_reset(Severed::Reset, sockets),
        };
        Ending { done, ..ending }
    }

    /// Tells whoever ordered it, then sees the sockets off. May be dropped at any time, which closes them.
    pub async fn conclude(self) {
        if let Some(done) = self.done {
            // Nobody waits for it if the nemesis was stopped meanwhile.
            let _ = done.send(());
        }
        let _ = timeout(SEND_OFF, join_all(self.leaving.into_iter().map(see_off))).await;
    }
}

/// Sends FIN, after whatever was written before.
fn finish<S: Socket>(mut stream: S) -> S {
    // If the socket is already dead there is nobody to tell.
    let _ = stream.cut_off();
    stream
}

/// Throws away what a peer was sending when the connection ended, until it falls silent; then closes the socket, and
/// the kernel answers whatever still arrives with RST, as it does for a process that has exited.
///
/// Closing at once would send RST instead of FIN: the kernel does so while unread bytes are in its buffer.
async fn see_off(mut stream: impl Socket) {
    let mut scrap = vec![0; 8 << 10];
    while let Ok(Ok(1..)) = timeout(LULL, stream.read(&mut scrap)).await {}
}
