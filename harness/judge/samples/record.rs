//! Builds the history that a recorder would have written for a sample.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{END, HIT, STOP, Sample, ms};
use crate::model::history::{ConnectionChange, Event, History, Op, OpKind, Outcome, Phase, ServerFacts, Severed};

impl Sample {
    /// The sample as a recorded history.
    pub fn history(&self) -> History {
        let mut timed: Vec<(Duration, Event)> = Vec::new();
        timed.extend(self.steady_since.map(|at| (at, Event::Phase { at, phase: Phase::SteadyState })));
        timed.push((STOP, Event::Phase { at: STOP, phase: Phase::Audit }));
        let steps = self.steps.iter().map(|(at, fault, step)| (*at, *fault, step.clone()));
        timed.extend(steps.map(|(at, fault, step)| (at, Event::Fault { at, fault, step })));
        timed.extend(self.ops.iter().filter_map(|op| Some((op.ended?, Event::Op(op.clone())))));
        let opened = (0..).zip(&self.opened).map(|(id, at)| (id, *at));
        timed.extend(opened.map(|(id, at)| (at, Event::Connection { at, id, change: ConnectionChange::Opened })));
        timed.extend(self.closed().map(|(id, at)| {
            let change = ConnectionChange::Ended { by: Severed::ByServer, upstream: 0, downstream: 0 };
            (at, Event::Connection { at, id, change })
        }));
        let refusing = self.refusing.map(|(from, to)| [(from, true), (to, false)]);
        timed.extend(refusing.into_iter().flatten().map(|(at, on)| (at, Event::Refusing { at, on })));
        timed.extend(self.ended.iter().map(|(at, how)| (*at, Event::ClientEnded { at: *at, how: how.clone() })));
        let supervision = self.supervision.iter().map(|(at, step)| (*at, step.clone()));
        timed.extend(supervision.map(|(at, step)| (at, Event::Supervision { at, step })));
        timed.extend(self.doubts.iter().map(|reason| (END, Event::Doubt { at: END, reason: reason.clone() })));
        for (number, (sent, heard)) in (1..).zip(&self.news) {
            timed.push((*sent, Event::Notified { at: *sent, number }));
            timed.extend(heard.map(|at| (at, Event::Heard { at, number })));
        }
        timed.extend(self.gaps.iter().map(|at| (*at, Event::Gap { at: *at })));
        let given_up = self.given_up.clone().map(|(at, error)| (at, Event::Unsubscribed { at, error: Some(error) }));
        timed.extend(given_up);
        timed.sort_by_key(|(at, _)| *at);

        let server = ServerFacts { kind: "local".into(), version: "15.18".into(), origin: "binaries".into() };
        let mut events = vec![Event::Server(server), Event::Client(self.client.clone())];
        events.push(Event::Calibration { direct: Duration::from_micros(40), gateway: Duration::from_micros(65) });
        events.extend(self.steady.map(Event::SteadySessions));
        events.extend(timed.into_iter().map(|(_, event)| event));
        if self.finished {
            events.push(Event::WorkloadEnded { at: END });
            events.extend(self.ops.iter().filter(|op| op.ended.is_none()).cloned().map(Event::Op));
        }
        if self.audited {
            events.extend(self.settled.map(Event::SettledSessions));
            let beside = self.beside.as_ref().map(|keys| keys.iter().map(|key| (*key, *key, 1)).collect());
            events.extend(beside.map(|runs| Event::LedgerBeside { runs }));
            events.push(Event::Ledger { runs: self.ledger() });
            events.extend(
                self.evidence.iter().map(|(fault, found)| Event::Evidence { fault: *fault, found: found.clone() }),
            );
        }
        History { header: self.header.clone(), events }
    }

    /// Ends of the oldest connections; the newest stay open: the pool's, and [`lingering`](Sample::lingering) more.
    fn closed(&self) -> impl Iterator<Item = (u64, Duration)> {
        let mut opened: Vec<(Duration, u64)> = self.opened.iter().copied().zip(0..).collect();
        opened.sort();
        let in_use = self.client.concurrency as usize;
        let ended = opened.len().saturating_sub(in_use + self.lingering);
        opened.into_iter().take(ended).map(|(at, id)| (id, (at + ms(1)).max(HIT)))
    }

    fn ledger(&self) -> Vec<(i64, i64, u64)> {
        let written = self.ops.iter().filter(|op| op.outcome == Outcome::Ok && op.kind.writes());
        let mut copies: BTreeMap<i64, u64> = written.map(|op| (op.key, 1)).collect();
        copies.extend(&self.copies);
        copies.into_iter().filter(|(_, copies)| *copies > 0).map(|(key, copies)| (key, key, copies)).collect()
    }
}

/// The operations of a run without a fault: one per worker every 50 ms, until [`STOP`].
pub(crate) fn grid(workers: u32) -> Vec<Op> {
    const ROUND: [OpKind; 4] = [OpKind::Write, OpKind::Read, OpKind::Write, OpKind::Transaction];
    let mut ops: Vec<Op> = Vec::new();
    for step in 1.. {
        let at = ms(50 * step);
        if at >= STOP {
            return ops;
        }
        for worker in 0..workers {
            let id = ops.len() as u64 + 1;
            let began = at + ms(10 * u64::from(worker));
            let kind = ROUND[(step as usize + worker as usize) % 4];
            let kind = if step == 1 { OpKind::Write } else { kind };
            // Each worker reads the key of its own first write, which was acknowledged.
            let key = if kind == OpKind::Read { i64::from(worker) + 1 } else { id as i64 };
            let found = (kind == OpKind::Read).then_some(true);
            let ended = Some(began + ms(2));
            ops.push(Op {
                id,
                worker,
                kind: kind.into(),
                key,
                intended: began,
                began,
                ended,
                outcome: Outcome::Ok,
                found,
                error: None,
                count: 1,
            });
        }
    }
    unreachable!("the grid ends")
}
