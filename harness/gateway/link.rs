//! A link: one direction of one connection.
//!
//! A message that a cut point holds is delivered when its rule is removed. Scenarios that stall a sign-in drop the
//! message instead: delivered late, it would rescue a client that has no deadline for the sign-in. They also reset all
//! connections, so that clients sign in during the fault.

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

/// Size of one read: larger reads save little, smaller ones cost a third more CPU per byte.
const BUFFER: usize = 64 << 10;

thread_local! {
    /// Bytes are sent or copied right after they are read, so one buffer serves every link of a thread: the buffer
    /// stays in the processor's cache, and an idle connection needs none.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER].into());
}

/// How a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkEnd {
    /// The source sent FIN, and so has the gateway to the target: the other direction may go on.
    InOrder,
    /// The source failed, and all its earlier bytes have been sent.
    Source,
    /// The target does not accept bytes any more.
    Target,
    /// A rule ends the connection.
    Cut(Cut),
}

/// One direction of one connection.
pub(super) struct Link {
    direction: Direction,
    pipeline: Pipeline,
    /// Chunks that have passed the toxics and are not sent yet.
    outbox: VecDeque<Chunk>,
    /// Bytes in the outbox.
    waiting: usize,
    /// The source has ended.
    source_ended: bool,
    /// The source has failed; its earlier bytes may still be read.
    source_failed: bool,
    /// Bytes were written to the target and are not flushed: TLS buffers them.
    unflushed: bool,
    /// Bytes sent to the target.
    pub carried: u64,
    /// When the next chunk of the pipeline is due.
    pub due: Option<Instant>,
    /// Whether bytes have been read since this was last cleared.
    pub active: bool,
}

impl Link {
    pub fn new(direction: Direction) -> Link {
        Link {
            direction,
            pipeline: Pipeline::default(),
            outbox: VecDeque::new(),
            waiting: 0,
            source_ended: false,
            source_failed: false,
            unflushed: false,
            carried: 0,
            due: None,
            active: false,
        }
    }

    /// Carries bytes as far as possible now; ready when the link has ended. May be polled again after an end in order.
    pub fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut impl Leg,
        target: &mut impl Leg,
        session: &mut Session,
        observer: &mut ProtocolObserver,
    ) -> Poll<LinkEnd> {
        loop {
            if let Poll::Ready(end) = self.poll_without_reading(cx, target, observer) {
                return Poll::Ready(end);
            }
            if self.source_ended || !self.has_room() {
                return Poll::Pending;
            }
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                let length = match Pin::new(&mut *source).poll_read(cx, &mut buffer) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Chunk::Failed)),
                    Poll::Ready(Ok(())) => buffer.filled().len(),
                };
                if length == 0 && self.source_failed {
                    return Poll::Ready(Err(Chunk::Failed));
                }
                if length == 0 {
                    return Poll::Ready(Err(if source.is_cut_off() { Chunk::CutOff } else { Chunk::End }));
                }
                self.active = true;
                Poll::Ready(Ok(self.pass(cx, &scratch[..length], target, session, observer)))
            });
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(None)) => {}
                Poll::Ready(Ok(Some(end))) => return Poll::Ready(end),
                Poll::Ready(Err(last)) => self.finish(last),
            }
        }
    }

    /// Sends chunks read before, without reading more.
    pub fn poll_without_reading(
        &mut self,
        cx: &mut Context<'_>,
        target: &mut impl Leg,
        observer: &ProtocolObserver,
    ) -> Poll<LinkEnd> {
        if !self.pipeline.is_empty() {
            self.release(Instant::now());
        }
        self.send(cx, target, observer)
    }

    /// Returns the cut by a toxic that is due while the connection carries no bytes yet.
    pub fn cut_early(&mut self, now: Instant) -> Option<Cut> {
        if !self.pipeline.is_empty() {
            self.release(now);
        }
        match self.outbox.front() {
            Some(Chunk::Cut(cut)) => Some(*cut),
            _ => None,
        }
    }

    /// Applies these rules from now on.
    pub fn adapt(&mut self, rules: &Rules, connection: u64, seed: Seed, now: Instant) {
        let stalled = self.pipeline.stalls().is_some();
        self.pipeline.adapt(rules, connection, self.direction, seed, now);
        self.release(now);
        if let Some(stall) = self.pipeline.stalls().filter(|_| !stalled) {
            stall.tally.count_bytes(self.waiting);
        }
    }

    /// Whether the source has ended.
    pub fn has_source_ended(&self) -> bool {
        self.source_ended
    }

    /// Queues the last chunk of the source, and stops reading.
    pub fn finish(&mut self, last: Chunk) {
        self.source_ended = true;
        self.put(last);
    }

    /// Stops reading because the target has failed, and drops chunks that wait for it. Chunks still held by toxics are
    /// dropped by another call once they are due.
    pub fn abandon(&mut self) {
        self.source_ended = true;
        self.outbox.clear();
        self.waiting = 0;
    }

    /// Marks the source as failed, because the other link cannot write to it: the end of its stream counts as a
    /// failure.
    pub fn mark_source_failed(&mut self) {
        self.source_failed = true;
    }

    /// Moves chunks that are due from the toxics to the outbox.
    fn release(&mut self, now: Instant) {
        let before = self.outbox.len();
        self.due = self.pipeline.give(now, &mut self.outbox);
        self.waiting += self.outbox.range(before..).map(Chunk::len).sum::<usize>();
    }

    /// Whether to read on. A target that reads slowly slows the source down, as it would without a gateway.
    fn has_room(&self) -> bool {
        self.pipeline.has_room() && self.waiting < BUFFER
    }

    /// Inspects bytes that were read, and sends or queues them; returns the end of the link if the target has failed.
    fn pass(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        target: &mut impl Leg,
        session: &mut Session,
        observer: &mut ProtocolObserver,
    ) -> Option<LinkEnd> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let inspected = session.inspect(self.direction, rest, observer);
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
                // Bytes behind the end of a connection are lost.
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

    /// Sends bytes without copying them, if no chunk is queued before them; returns how many the target took at once.
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

    /// Queues a chunk behind all others.
    fn put(&mut self, chunk: Chunk) {
        if self.pipeline.is_empty() {
            self.waiting += chunk.len();
            self.outbox.push_back(chunk);
        } else {
            self.pipeline.take(chunk, Instant::now());
        }
    }

    /// Sends the chunks of the outbox as far as the target takes them; ready when the link has ended.
    fn send(&mut self, cx: &mut Context<'_>, target: &mut impl Leg, observer: &ProtocolObserver) -> Poll<LinkEnd> {
        while !self.outbox.is_empty() {
            // A stall also holds chunks that have passed the other toxics; when it cuts the connection, they are lost.
            if self.pipeline.stalls().is_some() {
                return match self.outbox.back() {
                    Some(Chunk::Cut(cut)) if self.pipeline.has_stalled_to_the_end() => Poll::Ready(LinkEnd::Cut(*cut)),
                    _ => Poll::Pending,
                };
            }
            let Some(chunk) = self.outbox.front_mut() else { break };
            match chunk {
                Chunk::Data(bytes) => match Pin::new(&mut *target).poll_write(cx, bytes) {
                    Poll::Pending => break,
                    Poll::Ready(Err(_) | Ok(0)) => return Poll::Ready(LinkEnd::Target),
                    Poll::Ready(Ok(written)) => {
                        // Counted at each write, because the connection may be cut before the rest is sent.
                        let _ = bytes.split_to(written);
                        let all = bytes.is_empty();
                        self.waiting -= written;
                        self.count(written);
                        if !all {
                            continue;
                        }
                    }
                },
                Chunk::Gate(rule) if observer.is_in_force(*rule) => break,
                Chunk::Gate(_) => {}
                Chunk::End => match Pin::new(&mut *target).poll_shutdown(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(ended) => return Poll::Ready(self.finish_target(ended)),
                },
                Chunk::CutOff => return Poll::Ready(self.finish_target(target.cut_off())),
                Chunk::Failed => return Poll::Ready(LinkEnd::Source),
                Chunk::Cut(cut) => {
                    let cut = *cut;
                    // Earlier bytes are written; if the target cannot flush them now, they are lost.
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

    /// Drops the remaining chunks after the attempt to send FIN to the target; returns how the link ended.
    fn finish_target(&mut self, ended: io::Result<()>) -> LinkEnd {
        self.outbox.clear();
        self.unflushed = false;
        if ended.is_ok() { LinkEnd::InOrder } else { LinkEnd::Target }
    }

    fn count(&mut self, written: usize) {
        self.carried += written as u64;
        self.unflushed = true;
    }
}
