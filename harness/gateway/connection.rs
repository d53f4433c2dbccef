//! The life of one proxied connection.

use std::task::{Context, Poll, ready};

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::chunk::Chunk;
use super::command::Command;
use super::flow_expiry::Forgetting;
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
    /// One side is gone; whoever is still there is to be reset.
    Broken(Severed),
    /// A rule or the nemesis ended it; who waits to hear that it is done.
    Cut(Cut, Option<oneshot::Sender<()>>),
    /// The server's side alone is at its end; the client must not be told.
    ServerSide,
    Teardown,
}

const FORGOTTEN: End = End::Broken(Severed::Forgotten);

/// One connection: two links, and what is known of the conversation on them.
pub(super) struct Connection {
    seed: Seed,
    up: Link,
    down: Link,
    /// Which link came to its end first, in order.
    first: Option<Direction>,
    /// The link whose target is gone, while the other still carries what that had said, and the news.
    abandoned: Option<Direction>,
    session: Session,
    watcher: ProtocolObserver,
    forgetting: Forgetting,
    timer: Timer,
    commands: mpsc::UnboundedReceiver<Command>,
}

impl Connection {
    pub fn new(
        clock: Clock,
        seed: Seed,
        watcher: ProtocolObserver,
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
            watcher,
            forgetting: Forgetting::default(),
            timer: Timer::new(clock),
            commands,
        };
        connection.adapt(rules);
        connection
    }

    /// Bytes that have left for the server, and for the client.
    pub fn carried(&self) -> (u64, u64) {
        (self.up.carried, self.down.carried)
    }

    pub fn watcher(&self) -> &ProtocolObserver {
        &self.watcher
    }

    /// The next thing that it is told, other than rules. Pending for ever once nobody can tell it anything.
    pub fn poll_orders(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            match ready!(self.commands.poll_recv(cx)) {
                None | Some(Command::Teardown) => return Poll::Ready(End::Teardown),
                Some(Command::Cut { cut, done }) => return Poll::Ready(End::Cut(cut, Some(done))),
                Some(Command::Rules { rules, done }) => {
                    self.adapt(rules);
                    // Nobody waits for it if the nemesis was stopped meanwhile.
                    let _ = done.send(());
                }
            }
        }
    }

    /// What ends the connection before anything can be carried: it is told to end, or a toxic's time has come.
    pub fn poll_early(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Poll::Ready(end) = self.poll_orders(cx) {
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

    /// Waits until the client sends something to a server that is gone without its knowledge.
    pub fn poll_half_open<L: Leg>(&mut self, cx: &mut Context<'_>, client: &mut L) -> Poll<End> {
        match self.poll_orders(cx) {
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => {
                let client = Some(client).filter(|_| !self.up.is_dry());
                self.forgetting.poll(cx, client, None::<&mut L>).map(|()| FORGOTTEN)
            }
        }
    }

    fn adapt(&mut self, rules: Rules) {
        let now = Instant::now();
        for link in [&mut self.up, &mut self.down] {
            link.adapt(&rules, self.watcher.id, self.seed, now);
        }
        self.forgetting.adapt(&rules, self.watcher.id, now);
        self.watcher.adapt(rules);
    }

    /// Carries bytes both ways until the connection ends.
    pub fn poll(&mut self, cx: &mut Context<'_>, client: &mut impl Leg, server: &mut impl Leg) -> Poll<End> {
        if let Poll::Ready(end) = self.poll_orders(cx) {
            return Poll::Ready(end);
        }
        loop {
            match self.forgetting.in_force() {
                None => {}
                Some(DropState::ServerSide) => return Poll::Ready(End::ServerSide),
                Some(DropState::Silently) => {
                    // Whoever has sent its FIN has nothing more to send.
                    let client = Some(client).filter(|_| !self.up.is_dry());
                    let server = Some(server).filter(|_| !self.down.is_dry());
                    return self.forgetting.poll(cx, client, server).map(|()| FORGOTTEN);
                }
            }
            let (session, watcher) = (&mut self.session, &mut self.watcher);
            // Also one that has ended: a toxic on it may still cut the connection.
            if let Poll::Ready(end) = self.up.poll(cx, client, server, session, watcher)
                && let Some(end) = self.ended(Direction::Upstream, end)
            {
                return Poll::Ready(end);
            }
            let (session, watcher) = (&mut self.session, &mut self.watcher);
            if let Poll::Ready(end) = self.down.poll(cx, server, client, session, watcher)
                && let Some(end) = self.ended(Direction::Downstream, end)
            {
                return Poll::Ready(end);
            }
            if std::mem::take(&mut self.up.active) | std::mem::take(&mut self.down.active) {
                self.forgetting.moved();
            }
            let Some(due) = self.due().into_iter().chain(self.forgetting.due()).min() else { return Poll::Pending };
            if let Some(end) = ready!(self.poll_timer(cx, due)) {
                return Poll::Ready(end);
            }
            if let Some(cut) = self.forgetting.expire() {
                return Poll::Ready(End::Cut(cut, None));
            }
        }
    }

    /// When one of the links has something to do.
    fn due(&self) -> Option<Instant> {
        self.up.due.into_iter().chain(self.down.due).min()
    }

    /// Waits; without a timer a toxic cannot do what it promised, and the connection ends.
    fn poll_timer(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<Option<End>> {
        self.timer.poll(cx, due).map(|waited| {
            let error = waited.err()?;
            self.watcher.doubt(format!("a toxic had no timer: {error}"));
            Some(End::Teardown)
        })
    }

    /// One link has come to its end; the connection has not if the other may go on.
    fn ended(&mut self, direction: Direction, end: LinkEnd) -> Option<End> {
        use Direction::{Downstream, Upstream};
        let broken = match (end, self.first, direction) {
            (LinkEnd::Cut(cut), ..) => return Some(End::Cut(cut, None)),
            // Who had left answered with RST what reached it since.
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
            // Who had left already answered with RST what reached it later.
            (LinkEnd::Target, Some(Upstream), _) => Severed::ByClient,
            (LinkEnd::Target, Some(Downstream), _) => Severed::ByServer,
            (LinkEnd::Source, _, Upstream) | (LinkEnd::Target, None, Downstream) => Severed::ClientReset,
            (LinkEnd::Source, _, Downstream) | (LinkEnd::Target, None, Upstream) => Severed::ServerReset,
        };
        Some(End::Broken(broken))
    }

    /// The target of a link is gone. What it said before, and that it is gone, the other link may still have to carry.
    fn abandon(&mut self, direction: Direction) {
        let (link, other) = match direction {
            Direction::Upstream => (&mut self.up, &mut self.down),
            Direction::Downstream => (&mut self.down, &mut self.up),
        };
        link.abandon();
        other.outlive_source();
        self.abandoned = Some(direction);
    }

    /// The client asks for encryption that the gateway will end; what a cut point makes of that.
    pub fn request_encryption(&mut self) -> Option<(Strike, u64)> {
        self.watcher.note(Note::EncryptionRequested);
        let point = Point::EncryptionRequest;
        if self.watcher.awaits(point) { self.watcher.reach(point) } else { None }
    }

    /// No encryption came about, and nothing can go on.
    pub fn handshake_failed(&self, failure: Failure) -> End {
        let (with, why, by) = failure.told();
        self.watcher.tell(ConnectionChange::HandshakeFailed { with: with.into(), why });
        End::Broken(by)
    }

    /// Waits until a rule is not in force any more.
    pub fn poll_gate(&mut self, cx: &mut Context<'_>, rule: u64) -> Poll<Result<(), End>> {
        match self.poll_orders(cx) {
            Poll::Ready(end) => Poll::Ready(Err(end)),
            Poll::Pending if self.watcher.is_in_force(rule) => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
        }
    }

    /// Waits until the toxics let it be known that the server is gone: that passes them no sooner than anything else.
    pub fn poll_failure(&mut self, cx: &mut Context<'_>, client: &mut impl Leg) -> Poll<End> {
        if !self.down.is_dry() {
            self.down.finish(Chunk::Failed);
        }
        loop {
            if let Poll::Ready(end) = self.poll_orders(cx) {
                return Poll::Ready(end);
            }
            match self.down.poll_dry(cx, client, &self.watcher) {
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
