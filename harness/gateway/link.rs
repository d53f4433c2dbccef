//! A link: one direction of one connection.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::ReadBuf;
use tokio::time::Instant;

use super::chunk::Chunk;
use super::framing::Session;
use super::observer::ProtocolObserver;
use super::rule::Rules;
use super::toxic::Pipeline;
use super::transport::Leg;
use super::types::{Cut, Direction};
use crate::model::fault::Strike;
use crate::model::seed::Seed;

/// One read at most: larger reads save little, smaller ones cost a third more CPU for each byte.
const BUFFER: usize = 64 << 10;

thread_local! {
    /// What is read goes out again at once, so that one buffer serves every link of a thread: it stays in the
    /// processor's cache, and an idle connection costs no memory.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into());
}

/// How a link comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkEnd {
    /// The source had no more, and the target has been told: the other direction may go on.
    InOrder,
    /// The source is gone.
    Source,
    /// The target is gone.
    Target,
    /// A rule ends the connection.
    Cut(Cut),
}

/// One direction of one connection.
pub(super) struct Link {
    direction: Direction,
    pipeline: Pipeline,
    /// Past the toxics; the target has not taken it yet.
    outbox: VecDeque<Chunk>,
    /// Bytes in the outbox.
    waiting: usize,
    /// The source has nothing more to say.
    dry: bool,
    /// The source is gone; what it said before may still be read.
    orphaned: bool,
    /// The target has bytes in a buffer of its own.
    unflushed: bool,
    /// Bytes that have left.
    pub carried: u64,
    /// When the next parcel of the pipeline is due.
    pub due: Option<Instant>,
    /// Whether bytes have come since this was last cleared.
    pub active: bool,
}

impl Link {
    pub fn new(direction: Direction) -> Link {
        Link {
            direction,
            pipeline: Pipeline::default(),
            outbox: VecDeque::new(),
            waiting: 0,
            dry: false,
            orphaned: false,
            unflushed: false,
            carried: 0,
            due: None,
            active: false,
        }
    }

    /// Carries what can be carried now; ready when the link has come to its end.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Leg,
        target: &mut impl Leg,
        session: &mut Session,
        watcher: &mut ProtocolObserver,
    ) -> Poll<LinkEnd> {
        loop {
            if let Poll::Ready(end) = self.poll_dry(cx, target, watcher) {
                return Poll::Ready(end);
            }
            if self.dry || !self.has_room() {
                return Poll::Pending;
            }
            let came = SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                let length = match Pin::new(&mut *source).poll_read(cx, &mut buffer) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Chunk::Failed)),
                    Poll::Ready(Ok(())) => buffer.filled().len(),
                };
                if length == 0 && self.orphaned {
                    return Poll::Ready(Err(Chunk::Failed));
                }
                if length == 0 {
                    return Poll::Ready(Err(if source.is_cut_off() { Chunk::CutOff } else { Chunk::End }));
                }
                self.active = true;
                Poll::Ready(Ok(self.pass(cx, &scratch[..length], target, session, watcher)))
            });
            match came {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some(end))) => return Poll::Ready(end),
                Poll::Ready(Err(last)) => self.finish(last),
            }
        }
    }

    /// Carries what has been read before, and reads nothing.
    pub fn poll_dry(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut impl Leg,
        watcher: &ProtocolObserver,
    ) -> Poll<LinkEnd> {
        if !self.pipeline.is_empty() {
            self.release(Instant::now());
        }
        self.send(cx, target, watcher)
    }

    /// The cut that has come before anything could be carried.
    pub fn cut_early(&mut self, now: Instant) -> Option<Cut> {
        if !self.pipeline.is_empty() {
            self.release(now);
        }
        match self.outbox.front() {
            Some(Chunk::Cut(cut)) => Some(*cut),
            _ => None,
        }
    }

    /// From now on these rules are in force.
    pub fn adapt(&mut self, rules: &Rules, connection: u64, seed: Seed, now: Instant) {
        let stalled = self.pipeline.stalls().is_some();
        self.pipeline.adapt(rules, connection, self.direction, seed, now);
        self.release(now);
        if let Some(stall) = self.pipeline.stalls().filter(|_| !stalled) {
            stall.tally.count_bytes(self.waiting);
        }
    }

    /// Whether the source has said its last word.
    pub fn is_dry(&self) -> bool {
        self.dry
    }

    /// The source says its last word.
    pub fn finish(&mut self, last: Chunk) {
        self.dry = true;
        self.put(last);
    }

    /// The target is gone: nothing more is carried.
    pub fn abandon(&mut self) {
        self.dry = true;
        self.outbox.clear();
        self.waiting = 0;
    }

    /// The source is gone, as the other link has found: once all that it said before has been read, its end is no
    /// orderly one.
    pub fn outlive_source(&mut self) {
        self.orphaned = true;
    }

    /// Lets go of what the toxics have held for long enough.
    fn release(&mut self, now: Instant) {
        let before = self.outbox.len();
        self.due = self.pipeline.give(now, &mut self.outbox);
        self.waiting += self.outbox.range(before..).map(Chunk::len).sum::<usize>();
    }

    /// Whether to read on. What the target has not taken keeps the source waiting, as it would without a gateway.
    fn has_room(&self) -> bool {
        self.pipeline.has_room() && self.waiting < BUFFER
    }

    /// Inspects bytes that have come and sends them on.
    fn pass(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        target: &mut impl Leg,
        session: &mut Session,
        watcher: &mut ProtocolObserver,
    ) -> Option<LinkEnd> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let inspected = session.inspect(self.direction, rest, watcher);
            let (seen, unseen) = rest.split_at(inspected.length);
            rest = unseen;
            if inspected.pass && !seen.is_empty() {
                let sent = match self.send_directly(cx, seen, target) {
                    Ok(sent) => sent,
                    Err(_) => return Some(LinkEnd::Target),
                };
                if sent < seen.len() {
                    self.put(Chunk::Data(Bytes::copy_from_slice(&seen[sent..])));
                }
            }
            match inspected.then {
                None | Some((Strike::Drop, _)) => {}
                Some((Strike::Hold, rule)) => self.put(Chunk::Gate(rule)),
                // Nothing behind the end of a connection matters any more.
                Some((Strike::Reset, _)) => {
                    self.finish(Chunk::Cut(Cut::Reset));
                    return None;
                }
                Some((Strike::Close, _)) => {
                    self.finish(Chunk::Cut(Cut::Close));
                    return None;
                }
            }
        }
        None
    }

    /// Sends bytes without keeping them, as far as nothing stands before them and the target takes them at once.
    fn send_directly(&mut self, cx: &mut Context<'_>, bytes: &[u8], target: &mut impl Leg) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() && self.pipeline.is_empty() && self.outbox.is_empty() {
            match Pin::new(&mut *target).poll_write(cx, &bytes[sent..])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => {
                    sent += written;
                    self.count(written);
                }
                Poll::Pending => break,
            }
        }
        Ok(sent)
    }

    /// Puts a parcel behind all that is under way.
    fn put(&mut self, parcel: Chunk) {
        if self.pipeline.is_empty() {
            self.waiting += parcel.len();
            self.outbox.push_back(parcel);
        } else {
            self.pipeline.take(parcel, Instant::now());
        }
    }

    /// Sends what is in the outbox, as far as the target takes it; ready when the link has come to its end.
    fn send(&mut self, cx: &mut Context<'_>, target: &mut impl Leg, watcher: &ProtocolObserver) -> Poll<LinkEnd> {
        while !self.outbox.is_empty() {
            // A stall keeps back also what has passed the other toxics, and has not left yet: with its end that is
            // lost.
            if self.pipeline.stalls().is_some() {
                return match self.outbox.back() {
                    Some(Chunk::Cut(cut)) if self.pipeline.has_stalled_to_the_end() => Poll::Ready(LinkEnd::Cut(*cut)),
                    _ => Poll::Pending,
                };
            }
            let Some(parcel) = self.outbox.front_mut() else { break };
            match parcel {
                Chunk::Data(bytes) => match Pin::new(&mut *target).poll_write(cx, bytes) {
                    Poll::Pending => break,
                    Poll::Ready(Err(_) | Ok(0)) => return Poll::Ready(LinkEnd::Target),
                    Poll::Ready(Ok(written)) => {
                        // Counted as it leaves: the connection may be cut before the rest can.
                        let _ = bytes.split_to(written);
                        let all = bytes.is_empty();
                        self.waiting -= written;
                        self.count(written);
                        if !all {
                            continue;
                        }
                    }
                },
                Chunk::Gate(rule) if watcher.is_in_force(*rule) => break,
                Chunk::Gate(_) => {}
                Chunk::End => match Pin::new(&mut *target).poll_shutdown(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(told) => return Poll::Ready(self.told(told)),
                },
                Chunk::CutOff => return Poll::Ready(self.told(target.cut_off())),
                Chunk::Failed => return Poll::Ready(LinkEnd::Source),
                Chunk::Cut(cut) => {
                    let cut = *cut;
                    // What was sent before has been sent; if the target does not take it now, it never will.
                    let _ = Pin::new(&mut *target).poll_flush(cx);
                    return Poll::Ready(LinkEnd::Cut(cut));
                }
            }
            self.outbox.pop_front();
        }
        if self.unflushed {
            match Pin::new(&mut *target).poll_flush(cx) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => return Poll::Ready(LinkEnd::Target),
            }
        }
        Poll::Pending
    }

    /// The target has been told that there is no more; only a cut may still come.
    fn told(&mut self, told: io::Result<()>) -> LinkEnd {
        self.outbox.clear();
        self.unflushed = false;
        if told.is_ok() { LinkEnd::InOrder } else { LinkEnd::Target }
    }

    fn count(&mut self, written: usize) {
        self.carried += written as u64;
        self.unflushed = true;
    }
}
