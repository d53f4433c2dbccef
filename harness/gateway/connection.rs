//! One proxied connection: carries bytes on its two links, applies commands, and determines how the connection ends.

use std::task::{Context, Poll, ready};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::chunk::Chunk;
use super::command::Command;
use super::flow_expiry::FlowExpiry;
use super::framing::{Note, Session, Watch};
use super::link::{Link, LinkEnd};
use super::observer::ProtocolObserver;
use super::rule::{DropState, Rules};
use super::timer::Timer;
use super::tls::Failure;
use super::transport::{Clock, Leg};
use super::types::{Cut, Direction};
use crate::model::fault::{Point, Strike};
use crate::model::history::{ConnectionChange, Severed};
use crate::model::seed::Seed;

/// How a connection ended.
pub(super) enum End {
    /// Both sides finished in order.
    InOrder(Severed),
    /// One side failed, or the path lost its state: the sockets still open are to be reset.
    Broken(Severed),
    /// A rule or the nemesis ended the connection; the sender of a command is notified once FIN or RST has been sent.
    Cut(Cut, Option<oneshot::Sender<()>>),
    /// Only the server's side is to be reset; the client's stays open.
    ServerSide,
    Teardown,
}

const STATE_DROPPED: End = End::Broken(Severed::Forgotten);

/// One connection: two links, and the protocol state of the session on them.
pub(super) struct Connection {
    seed: Seed,
    up: Link,
    down: Link,
    /// The link that ended first, in order.
    first: Option<Direction>,
    /// The link whose target has failed, while the other link still carries that peer's earlier bytes.
    abandoned: Option<Direction>,
    session: Session,
    observer: ProtocolObserver,
    flow_expiry: FlowExpiry,
    timer: Timer,
    commands: mpsc::UnboundedReceiver<Command>,
}

impl Connection {
    pub fn new(
        clock: Clock,
        seed: Seed,
        observer: ProtocolObserver,
        rules: Rules,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Connection {
        let mut connection = Connection {
            seed,
            up: Link::new(Direction::Upstream),
            down: Link::new(Direction::Downstream),
            first: None,
            abandoned: None,
            session: Session::default(),
            observer,
            flow_expiry: FlowExpiry::default(),
            timer: Timer::new(clock),
            commands,
        };
        connection.adapt(rules);
        connection
    }

    /// Returns the bytes sent to the server, and to the client.
    pub fn carried(&self) -> (u64, u64) {
        (self.up.carried, self.down.carried)
    }

    pub fn observer(&self) -> &ProtocolObserver {
        &self.observer
    }

    /// Applies commands until one ends the connection, or the gateway has dropped the sender of commands.
    pub fn poll_commands(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match ready!(self.commands.poll_recv(cx)) {
                None | Some(Command::Teardown) => return Poll::Ready(End::Teardown),
                Some(Command::Cut { cut, done }) => return Poll::Ready(End::Cut(cut, Some(done))),
                Some(Command::Rules { rules, done }) => {
                    self.adapt(rules);
                    // The receiver is gone if the nemesis was stopped in the meantime.
                    let _ = done.send(());
                }
            }
        }
    }

    /// Waits for the end of the connection by a command or a toxic, while no bytes are carried yet.
    pub fn poll_early(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Poll::Ready(end) = self.poll_commands(cx) {
                return Poll::Ready(end);
            }
            let now = Instant::now();
            if let Some(cut) = self.up.cut_early(now).or_else(|| self.down.cut_early(now)) {
                return Poll::Ready(End::Cut(cut, None));
            }
            let Some(due) = self.due() else { return Poll::Pending };
            if let Some(end) = ready!(self.poll_timer(cx, due)) {
                return Poll::Ready(end);
            }
        }
    }

    /// Waits, after the server's side was reset, until the client sends something.
    pub fn poll_half_open<L: Leg>(&mut self, cx: &mut Context<'_>, client: &mut L) -> Poll<End> {
        match self.poll_commands(cx) {
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => {
                let client = Some(client).filter(|_| !self.up.has_source_ended());
                self.flow_expiry.poll(cx, client, None::<&mut L>).map(|()| STATE_DROPPED)
            }
        }
    }

    fn adapt(&mut self, rules: Rules) {
        let now = Instant::now();
        for link in [&mut self.up, &mut self.down] {
            link.adapt(&rules, self.observer.id, self.seed, now);
        }
        self.flow_expiry.adapt(&rules, self.observer.id, now);
        self.observer.adapt(rules);
    }

    /// Carries bytes both ways until the connection ends.
    pub fn poll(&mut self, cx: &mut Context<'_>, client: &mut impl Leg, server: &mut impl Leg) -> Poll<End> {
        if let Poll::Ready(end) = self.poll_commands(cx) {
            return Poll::Ready(end);
        }
        loop {
            match self.flow_expiry.in_force() {
                None => {}
                Some(DropState::ServerSide) => return Poll::Ready(End::ServerSide),
                Some(DropState::Silently) => {
                    // A side that has sent FIN sends nothing more.
                    let client = Some(client).filter(|_| !self.up.has_source_ended());
                    let server = Some(server).filter(|_| !self.down.has_source_ended());
                    return self.flow_expiry.poll(cx, client, server).map(|()| STATE_DROPPED);
                }
            }
            let (session, observer) = (&mut self.session, &mut self.observer);
            // Polled even after its end: a toxic on it may still cut the connection.
            if let Poll::Ready(end) = self.up.poll(cx, client, server, session, observer)
                && let Some(end) = self.handle_link_end(Direction::Upstream, end)
            {
                return Poll::Ready(end);
            }
            let (session, observer) = (&mut self.session, &mut self.observer);
            if let Poll::Ready(end) = self.down.poll(cx, server, client, session, observer)
                && let Some(end) = self.handle_link_end(Direction::Downstream, end)
            {
                return Poll::Ready(end);
            }
            if std::mem::take(&mut self.up.active) | std::mem::take(&mut self.down.active) {
                self.flow_expiry.record_activity();
            }
            let Some(due) = self.due().into_iter().chain(self.flow_expiry.due()).min() else { return Poll::Pending };
            if let Some(end) = ready!(self.poll_timer(cx, due)) {
                return Poll::Ready(end);
            }
            if let Some(cut) = self.flow_expiry.expire() {
                return Poll::Ready(End::Cut(cut, None));
            }
        }
    }

    /// Returns the earliest instant at which a chunk of either link is due.
    fn due(&self) -> Option<Instant> {
        self.up.due.into_iter().chain(self.down.due).min()
    }

    /// Waits until `due`. If no timer can be set, toxics and idle timeouts would be late, so the connection ends.
    fn poll_timer(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<Option<End>> {
        self.timer.poll(cx, due).map(|waited| {
            let error = waited.err()?;
            self.observer.doubt(format!("cannot set a timer for a toxic: {error}"));
            Some(End::Teardown)
        })
    }

    /// Handles the end of one link; returns the end of the connection, or `None` if the other link may go on.
    fn handle_link_end(&mut self, direction: Direction, end: LinkEnd) -> Option<End> {
        use Direction::{Downstream, Upstream};
        let broken = match (end, self.first, direction) {
            (LinkEnd::Cut(cut), ..) => return Some(End::Cut(cut, None)),
            // The peer had closed before this link did: its kernel answered later bytes with RST.
            (LinkEnd::InOrder, None, Upstream) if self.abandoned.is_some() => Severed::ByClient,
            (LinkEnd::InOrder, None, Downstream) if self.abandoned.is_some() => Severed::ByServer,
            (LinkEnd::InOrder, None, _) => {
                self.first = Some(direction);
                return None;
            }
            (LinkEnd::Target, None, _) if self.abandoned.is_none_or(|abandoned| abandoned == direction) => {
                self.abandon(direction);
                return None;
            }
            (LinkEnd::InOrder, Some(Upstream), _) => return Some(End::InOrder(Severed::ByClient)),
            (LinkEnd::InOrder, Some(Downstream), _) => return Some(End::InOrder(Severed::ByServer)),
            // The peer that closed first answered later bytes with RST.
            (LinkEnd::Target, Some(Upstream), _) => Severed::ByClient,
            (LinkEnd::Target, Some(Downstream), _) => Severed::ByServer,
            (LinkEnd::Source, _, Upstream) | (LinkEnd::Target, None, Downstream) => Severed::ClientReset,
            (LinkEnd::Source, _, Downstream) | (LinkEnd::Target, None, Upstream) => Severed::ServerReset,
        };
        Some(End::Broken(broken))
    }

    /// Ends a link whose target has failed. The other link may still have to carry that peer's earlier bytes, and its
    /// end.
    fn abandon(&mut self, direction: Direction) {
        let (link, other) = match direction {
            Direction::Upstream => (&mut self.up, &mut self.down),
            Direction::Downstream => (&mut self.down, &mut self.up),
        };
        link.abandon();
        other.mark_source_failed();
        self.abandoned = Some(direction);
    }

    /// Records an encryption request that the gateway answers itself; returns the strike of a cut point there, if any.
    pub fn request_encryption(&mut self) -> Option<(Strike, u64)> {
        self.observer.note(Note::EncryptionRequested);
        let point = Point::EncryptionRequest;
        if self.observer.awaits(point) { self.observer.reach(point) } else { None }
    }

    /// Records a failed TLS handshake; the connection cannot go on.
    pub fn handshake_failed(&self, failure: Failure) -> End {
        let (with, why, by) = failure.describe();
        self.observer.notify_tap(ConnectionChange::HandshakeFailed { with: with.into(), why });
        End::Broken(by)
    }

    /// Waits until a rule is not in force any more.
    ///
    /// *Errors*: a command has ended the connection.
    pub fn poll_gate(&mut self, cx: &mut Context<'_>, rule: u64) -> Poll<Result<(), End>> {
        match self.poll_commands(cx) {
            Poll::Ready(end) => Poll::Ready(Err(end)),
            Poll::Pending if self.observer.is_in_force(rule) => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    /// Waits until the failed connect to the server may be passed on: toxics delay or hold it like any other chunk.
    pub fn poll_failure(&mut self, cx: &mut Context<'_>, client: &mut impl Leg) -> Poll<End> {
        if !self.down.has_source_ended() {
            self.down.finish(Chunk::Failed);
        }
        loop {
            if let Poll::Ready(end) = self.poll_commands(cx) {
                return Poll::Ready(end);
            }
            match self.down.poll_without_reading(cx, client, &self.observer) {
                Poll::Ready(LinkEnd::Cut(cut)) => return Poll::Ready(End::Cut(cut, None)),
                Poll::Ready(_) => return Poll::Ready(End::Broken(Severed::Unreachable)),
                Poll::Pending => {}
            }
            if let Some(cut) = self.up.cut_early(Instant::now()) {
                return Poll::Ready(End::Cut(cut, None));
            }
            let Some(due) = self.due() else { return Poll::Pending };
            if let Some(end) = ready!(self.poll_timer(cx, due)) {
                return Poll::Ready(end);
            }
        }
    }
}
