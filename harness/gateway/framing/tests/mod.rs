//! Tests of sessions: plays conversations to a session, and compares its notes, its points and the bytes it forwards.

mod conversation;
mod copy;
mod corpus;
mod encryption;
mod hostile;
mod observed;
mod properties;
mod replies;
mod requests;
mod samples;
mod startup;
mod strikes;

use super::{Inspected, Note, Session, Struck, Watch};
use crate::gateway::types::Direction::{self, Downstream, Upstream};
use crate::model::fault::{Point, Strike};

/// The number of the rule that all strikes in these tests come from.
const RULE: u64 = 7;

/// Bytes that one side sent at once.
type Said = (Direction, Vec<u8>);

fn up(bytes: impl Into<Vec<u8>>) -> Said {
    (Upstream, bytes.into())
}

fn down(bytes: impl Into<Vec<u8>>) -> Said {
    (Downstream, bytes.into())
}

fn word(point: Point) -> &'static str {
    Point::ALL.iter().find(|(_, known)| *known == point).unwrap().0
}

/// Records notes and points as lines, points with an `@`, and strikes as configured.
#[derive(Default)]
struct Witness {
    lines: Vec<String>,
    /// Whether no point is armed.
    blind: bool,
    /// Whether every request and every answer is noted.
    observes: bool,
    /// Strike when this point is reached for the nth time, counted from 0.
    armed: Option<(Point, usize, Strike)>,
}

impl Watch for Witness {
    fn awaits(&self, _: Point) -> bool {
        !self.blind
    }

    fn reach(&mut self, point: Point) -> Option<Struck> {
        let line = format!("@{}", word(point));
        let before = self.lines.iter().filter(|known| **known == line).count();
        self.lines.push(line);
        self.armed.and_then(|(at, nth, strike)| (at == point && nth == before).then_some((strike, RULE)))
    }

    fn observes(&self) -> bool {
        self.observes
    }

    fn note(&mut self, note: Note<'_>) {
        self.lines.push(match note {
            Note::RequestStarted => "asked".into(),
            Note::RequestFinished { idle } => if idle { "answered, idle" } else { "answered" }.into(),
            Note::Startup { major, minor, user, database, replication } => format!(
                "startup {major}.{minor} user={} database={}{}",
                user.unwrap_or("-"),
                database.unwrap_or("-"),
                if replication { " replication" } else { "" }
            ),
            Note::BackendPid(pid) => format!("pid {pid}"),
            Note::Ready(status) => format!("ready {}", char::from(status)),
            Note::Error { severity, sqlstate } => format!("{severity:?} {}", std::str::from_utf8(&sqlstate).unwrap()),
            Note::Notice { severity, sqlstate } => {
                format!("notice {severity:?} {}", std::str::from_utf8(&sqlstate).unwrap())
            }
            Note::AncientError { text } => format!("ancient {:?}", String::from_utf8_lossy(text)),
            Note::EncryptionRequested | Note::CancelRequested | Note::Authenticated | Note::FirstRequest => {
                format!("{note:?}")
            }
            Note::Opaque(why) => format!("Opaque {why:?}"),
        });
    }
}

/// The result of a conversation.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    lines: Vec<String>,
    upstream: Vec<u8>,
    downstream: Vec<u8>,
    /// The actions, and how many bytes of that direction had been passed or dropped before.
    strikes: Vec<(Direction, usize, Strike)>,
}

impl Outcome {
    fn passed(&self, direction: Direction) -> &[u8] {
        match direction {
            Upstream => &self.upstream,
            Downstream => &self.downstream,
        }
    }

    /// Returns the points.
    fn points(&self) -> Vec<&str> {
        self.lines.iter().filter_map(|line| line.strip_prefix('@')).collect()
    }

    /// Returns the notes.
    fn notes(&self) -> Vec<&str> {
        self.lines.iter().map(String::as_str).filter(|line| !line.starts_with('@')).collect()
    }
}

/// Passes a conversation to a session, piece by piece; continues after a strike, as after a hold that was healed.
fn play(said: &[Said], witness: Witness) -> Outcome {
    let mut witness = witness;
    let mut session = Session::default();
    let mut outcome = Outcome::default();
    let mut offsets = [0; 2];
    for (direction, bytes) in said {
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            let Inspected { length, pass, then } = session.inspect(*direction, bytes, &mut witness);
            assert!(length > 0 || then.is_some(), "no progress at {offsets:?}");
            let (done, rest) = bytes.split_at(length);
            match direction {
                _ if !pass => {}
                Upstream => outcome.upstream.extend_from_slice(done),
                Downstream => outcome.downstream.extend_from_slice(done),
            }
            let offset = &mut offsets[usize::from(*direction == Downstream)];
            *offset += length;
            if let Some((strike, rule)) = then {
                assert_eq!(rule, RULE);
                outcome.strikes.push((*direction, *offset, strike));
            }
            bytes = rest;
        }
    }
    outcome.lines = witness.lines;
    outcome
}

/// Plays a conversation piece by piece, byte by byte, and without armed points; asserts that all bytes pass and that
/// the notes agree. Returns the outcome.
fn see(said: &[Said]) -> Outcome {
    let whole = play(said, Witness::default());
    let bytes: Vec<_> = said.iter().flat_map(|(way, bytes)| bytes.iter().map(|byte| (*way, vec![*byte]))).collect();
    let single = play(&bytes, Witness::default());
    assert_eq!(whole, single, "left: in whole pieces; right: byte by byte");
    for direction in [Upstream, Downstream] {
        let sent = said.iter().filter(|(way, _)| *way == direction).flat_map(|(_, bytes)| bytes).copied();
        assert_eq!(whole.passed(direction), sent.collect::<Vec<_>>());
    }
    let blind = play(said, Witness { blind: true, ..Witness::default() });
    assert_eq!(blind.notes(), whole.notes(), "left: when no point is awaited");
    whole
}

/// Plays a conversation with a strike at the nth occurrence of a point, counted from 0.
fn strike(said: &[Said], point: Point, nth: usize, strike: Strike) -> Outcome {
    play(said, Witness { armed: Some((point, nth, strike)), ..Witness::default() })
}
