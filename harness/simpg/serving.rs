//! A backend's connection from its first byte to its end: reads messages, sends answers, closes.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::time::{sleep_until, timeout};

use super::mailbox::Interrupt;
use super::session::{End, Session};
use super::sign_in::{self, Next};
use super::tls::{Acceptor, Encrypted};
use super::wire::backend;
use super::wire::frontend::{Broken, frame};
use crate::gateway::transport::{Leg, Socket};

/// Answers are sent once more than this are buffered, as in Postgres. *Units*: bytes.
const SEND_BUFFER: usize = 8192;

/// Time limit for sending the last messages, so that a client that does not read cannot keep a backend from ending.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The most unread input that is discarded at the end, so that the connection ends by FIN and not by RST. *Units*:
/// bytes.
const DRAIN_MOST: usize = 1 << 20;

/// A connection and its session. The socket is dropped first: it closes before the session leaves the server's state.
pub(super) struct Serving<S> {
    pub socket: S,
    pub input: BytesMut,
    pub session: Session,
    /// The TLS parameters, if the connection is encrypted.
    pub encrypted: Option<Encrypted>,
}

impl From<Broken> for End {
    fn from(broken: Broken) -> End {
        match broken {
            Broken::Told(report) => End::Told(report),
            Broken::Silent => End::Silent,
        }
    }
}

impl<S: Socket> Serving<S> {
    /// Serves the client to its end, in the clear or over TLS.
    pub async fn run(self, peer: SocketAddr) {
        if let Some((in_the_clear, acceptor)) = self.serve(peer).await {
            // Boxed, because few clients use TLS, and a handshake is large.
            Box::pin(in_the_clear.encrypt(acceptor, peer)).await;
        }
    }
}

impl<S: Leg> Serving<S> {
    /// Serves the client to its end. If the client first requests TLS, returns the connection and the handshake's
    /// acceptor.
    pub async fn serve(mut self, peer: SocketAddr) -> Option<(Serving<S>, Acceptor)> {
        let end = match sign_in::sign_in(&mut self, peer).await {
            Ok(Next::Encrypt(acceptor)) => return Some((self, acceptor)),
            Ok(Next::Converse) => self.converse().await,
            Err(end) => end,
        };
        self.finish(end).await;
        None
    }

    /// The acceptor for TLS on this connection; `None`: the server does not offer TLS, or TLS is already in use.
    pub fn acceptor(&self) -> Option<Acceptor> {
        let servers = self.session.world.lock();
        servers[self.session.index].acceptor.clone().filter(|_| self.encrypted.is_none())
    }

    /// Waits for input, and reads it.
    ///
    /// *Errors*: the client has disconnected.
    pub async fn fill(&mut self) -> Result<(), End> {
        self.input.reserve(512);
        match self.socket.read_buf(&mut self.input).await {
            Ok(0) | Err(_) => Err(End::Left),
            Ok(_) => Ok(()),
        }
    }

    /// Sends the buffered answers.
    ///
    /// *Errors*: the client has disconnected; or the session has to end while the client does not read, and then ends
    /// without a message.
    pub async fn flush(&mut self) -> Result<(), End> {
        let session = &mut self.session;
        session.flushes = false;
        while session.out.has_remaining() {
            tokio::select! {
                biased;
                sent = self.socket.write_buf(&mut session.out) => match sent {
                    Ok(0) | Err(_) => return Err(End::Left),
                    Ok(_) => {}
                },
                _ = session.mailbox.ended() => {
                    session.out.clear();
                    return Err(End::Silent);
                }
            }
        }
        self.socket.flush().await.map_err(|_| End::Left)
    }

    async fn converse(&mut self) -> End {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }

    /// Handles all complete messages, then waits for more input, an interrupt or a timeout.
    ///
    /// *Errors*: the session ends.
    async fn next(&mut self) -> Result<(), End> {
        while let Some((kind, length)) = frame(&self.input)? {
            if let Some(how) = self.session.mailbox.ending() {
                return Err(self.session.ending(how, self.session.is_answering()));
            }
            self.session.handle(kind, &self.input[5..length]).await?;
            self.input.advance(length);
            if self.session.out.len() > SEND_BUFFER {
                self.flush().await?;
            }
        }
        let idle = !self.session.is_answering();
        if idle && !self.session.is_in_transaction() {
            self.session.deliver();
        }
        if self.session.flushes {
            self.flush().await?;
        }
        let deadline = if idle { self.session.idle_deadline() } else { None };
        self.input.reserve(512);
        tokio::select! {
            biased;
            () = self.session.mailbox.something() => match self.session.mailbox.interrupt() {
                Some(Interrupt::End(how)) => Err(self.session.ending(how, !idle)),
                // No statement runs, so there is nothing to cancel.
                Some(Interrupt::Cancel) | None => Ok(()),
            },
            read = self.socket.read_buf(&mut self.input) => match read {
                Ok(0) | Err(_) => Err(End::Left),
                Ok(_) => Ok(()),
            },
            report = async {
                match deadline {
                    Some((at, report)) => {
                        sleep_until(at).await;
                        report
                    }
                    None => std::future::pending().await,
                }
            } => Err(End::Told(report)),
        }
    }

    /// Sends the last messages, discards unread input, and closes the connection.
    pub async fn finish(mut self, end: End) {
        // A killed process does not send TLS's close_notify.
        let says_goodbye = matches!(end, End::Told(_));
        match end {
            End::Left => {
                self.session.note_loss();
                return;
            }
            // Answers that were not sent are lost with the process.
            End::Silent => self.session.out.clear(),
            End::Told(report) => self.session.report(&report),
            End::Warned(report) => backend::report(&mut self.session.out, &report),
        }
        // If the client does not read, the last message is lost.
        let _ = timeout(LAST_WORDS, self.socket.write_all(&self.session.out)).await;
        self.drain().await;
        let _ = match says_goodbye {
            true => timeout(LAST_WORDS, self.socket.shutdown()).await.unwrap_or(Ok(())),
            false => self.socket.cut_off(),
        };
    }

    /// Discards input that has already arrived.
    async fn drain(&mut self) {
        let mut left = DRAIN_MOST;
        std::future::poll_fn(|context| {
            // Allocated here, so that it does not enlarge each backend's future.
            let mut scratch = [0; 4096];
            while left > 0 {
                let mut buffer = ReadBuf::new(&mut scratch);
                match Pin::new(&mut self.socket).poll_read(context, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                        left = left.saturating_sub(buffer.filled().len());
                    }
                    _ => break,
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}
