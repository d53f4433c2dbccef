//! Random valid conversations with their expected notes and points, which are computed without a session.

use proptest::prelude::*;

use super::samples::*;
use super::*;

/// One message, and the expected notes and points.
#[derive(Clone, Debug)]
pub struct Spoken {
    pub direction: Direction,
    pub bytes: Vec<u8>,
    /// Expected lines in order; points with their offset in the message, in bytes, notes with `None`.
    pub lines: Vec<(String, Option<usize>)>,
}

fn say(direction: Direction, bytes: Vec<u8>) -> Spoken {
    Spoken { direction, bytes, lines: Vec::new() }
}

impl Spoken {
    fn note(mut self, line: &str) -> Spoken {
        self.lines.push((line.to_owned(), None));
        self
    }

    fn at(mut self, offset: usize, point: Point) -> Spoken {
        self.lines.push((format!("@{}", word(point)), Some(offset)));
        self
    }

    fn before(self, point: Point) -> Spoken {
        self.at(0, point)
    }

    fn after(self, point: Point) -> Spoken {
        let length = self.bytes.len();
        self.at(length, point)
    }
}

fn request(bytes: Vec<u8>, after: Point) -> Spoken {
    say(Upstream, bytes).after(after)
}

fn answer(bytes: Vec<u8>) -> Spoken {
    say(Downstream, bytes)
}

fn first(spoken: &mut [Spoken], direction: Direction, point: Point) {
    if let Some(spoken) = spoken.iter_mut().find(|spoken| spoken.direction == direction) {
        spoken.lines.insert(0, (format!("@{}", word(point)), Some(0)));
    }
}

fn data_row(length: usize) -> Spoken {
    let bytes = row(&vec![b'x'; length]);
    let middle = 5 + (bytes.len() - 5) / 2;
    answer(bytes).at(middle, Point::DataRow)
}

fn completed(tag: &str) -> Spoken {
    let spoken = answer(complete(tag));
    let spoken = if tag == "COMMIT" { spoken.before(Point::CommitReply) } else { spoken };
    spoken.after(Point::CommandComplete)
}

fn ended(status: u8) -> Spoken {
    let spoken = answer(ready(status)).note(&format!("ready {}", char::from(status)));
    if status == b'T' { spoken.after(Point::InTransaction) } else { spoken }
}

fn tag() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["SELECT 1", "BEGIN", "COMMIT", "ROLLBACK", "COMMIT PREPARED", "VACUUM", "COPY 1"])
}

/// The messages of a statement's result: rows and a completion, or an error.
fn result() -> impl Strategy<Value = Vec<Spoken>> {
    let rows = prop::collection::vec(prop_oneof![9 => 0..40_usize, 1 => 0..3_000_usize], 0..4);
    prop_oneof![
        4 => (rows, tag()).prop_map(|(rows, tag)| {
            let rows = rows.into_iter().map(data_row);
            [answer(message(b'T', b"\0\0"))].into_iter().chain(rows).chain([completed(tag)]).collect()
        }),
        1 => Just(vec![answer(error("40001")).note("Error 40001")]),
        1 => Just(vec![answer(message(b'I', b""))]),
    ]
}

fn unasked() -> impl Strategy<Value = Vec<Spoken>> {
    prop_oneof![
        6 => Just(vec![]),
        1 => Just(vec![answer(message(b'S', b"TimeZone\0UTC\0"))]),
        1 => Just(vec![answer(message(b'A', b"\0\0\0\x01channel\0payload\0"))]),
        1 => Just(vec![answer(report(b'N', "NOTICE", "00000"))]),
        1 => Just(vec![answer(report(b'N', "WARNING", "57P02")).note("notice Warning 57P02")]),
    ]
}

fn status() -> impl Strategy<Value = u8> {
    prop::sample::select(vec![b'I', b'T', b'E'])
}

/// A request and its answer.
fn exchange() -> impl Strategy<Value = Vec<Spoken>> {
    let simple = (prop::collection::vec(result(), 1..3), unasked(), status()).prop_map(|(results, unasked, status)| {
        let mut answer = [results.concat(), vec![ended(status)]].concat();
        first(&mut answer, Downstream, Point::FirstReply);
        [vec![request(query("x"), Point::QueryForwarded)], unasked, answer].concat()
    });
    let batch = || {
        (any::<bool>(), result(), unasked(), status()).prop_map(|(parses, result, unasked, status)| {
            let mut request_started =
                vec![request(bind(), Point::BindForwarded), request(execute(), Point::ExecuteForwarded)];
            let mut answered = vec![answer(bind_complete())];
            if parses {
                request_started.insert(0, request(parse(), Point::ParseForwarded));
                answered.insert(0, answer(parse_complete()));
            }
            request_started.push(say(Upstream, sync()));
            first(&mut answered, Downstream, Point::FirstReply);
            (request_started, [answered, result, unasked, vec![ended(status)]].concat())
        })
    };
    let pipeline = prop::collection::vec(batch(), 1..4).prop_map(|batches| {
        let (request_started, answered): (Vec<_>, Vec<_>) = batches.into_iter().unzip();
        [request_started.concat(), answered.concat()].concat()
    });
    let copy = (0..2_000_usize, any::<bool>()).prop_map(|(length, extended)| {
        let data = say(Upstream, message(b'd', &vec![b'x'; length]));
        let done = say(Upstream, message(b'c', b""));
        let invitation = answer(message(b'G', b"\0\0\0"));
        if !extended {
            let mut request_started = vec![request(query("copy"), Point::QueryForwarded), invitation];
            first(&mut request_started, Downstream, Point::FirstReply);
            return [request_started, vec![data, done, completed("COPY 1"), ended(b'I')]].concat();
        }
        let mut request_started = vec![request(execute(), Point::ExecuteForwarded), say(Upstream, sync()), invitation];
        first(&mut request_started, Downstream, Point::FirstReply);
        [request_started, vec![data, done, say(Upstream, sync()), completed("COPY 1"), ended(b'I')]].concat()
    });
    let exchange = prop_oneof![3 => simple, 3 => pipeline, 1 => copy].prop_map(|mut spoken| {
        first(&mut spoken, Upstream, Point::Request);
        spoken
    });
    let close = Just(vec![
        say(Upstream, message(b'C', b"Ss\0")),
        say(Upstream, sync()),
        answer(message(b'3', b"")),
        ended(b'I'),
    ]);
    prop_oneof![6 => exchange, 1 => close]
}

/// The beginning of a session, up to its first ReadyForQuery.
fn opening() -> impl Strategy<Value = Vec<Spoken>> {
    let refused = |request: Vec<u8>| {
        vec![say(Upstream, request).note("EncryptionRequested").before(Point::EncryptionRequest), answer(b"N".into())]
    };
    let demands = prop::sample::select(vec![
        vec![],
        vec![authentication(5, b"salt")],
        vec![authentication(10, b"SCRAM-SHA-256\0\0"), authentication(11, b"r="), authentication(12, b"v=")],
    ]);
    (any::<bool>(), any::<bool>(), 0..9_000_usize, demands).prop_map(move |(gss, ssl, options, demands)| {
        let mut spoken = Vec::new();
        if gss {
            spoken.extend(refused(gss_request()));
        }
        if ssl {
            spoken.extend(refused(ssl_request()));
        }
        let body = [b"user\0alice\0database\0shop\0options\0", &vec![b'-'; options][..], b"\0\0"].concat();
        let packet = say(Upstream, untyped(3 << 16, &body)).before(Point::Startup);
        spoken.push(packet.note("startup 3.0 user=alice database=shop").after(Point::StartupForwarded));
        for (index, demand) in demands.into_iter().enumerate() {
            let demand = answer(demand);
            spoken.push(if index == 0 { demand.before(Point::Authentication) } else { demand });
            spoken.push(say(Upstream, message(b'p', b"secret\0")));
        }
        spoken.push(answer(authentication(0, b"")).note("Authenticated"));
        spoken.push(answer(key()).note("pid 4242"));
        spoken.push(ended(b'I'));
        spoken
    })
}

/// A whole session.
pub fn conversation() -> impl Strategy<Value = Vec<Spoken>> {
    (opening(), prop::collection::vec((unasked(), exchange()), 0..8)).prop_map(|(opening, exchanges)| {
        let mut spoken = opening;
        spoken.extend(exchanges.into_iter().flat_map(|(unasked, exchange)| [unasked, exchange].concat()));
        // These notes depend on earlier messages: a status is noted only if it has changed, and only the first request.
        let mut last = String::new();
        for spoken in &mut spoken {
            if let Some((line, _)) = spoken.lines.first().cloned()
                && line.starts_with("ready")
            {
                if line == last {
                    spoken.lines.remove(0);
                }
                last = line;
            }
        }
        let is_request = |spoken: &&mut Spoken| spoken.direction == Upstream && b"QPBE".contains(&spoken.bytes[0]);
        if let Some(spoken) = spoken.iter_mut().find(is_request) {
            spoken.lines.insert(0, ("FirstRequest".into(), None));
        }
        spoken
    })
}

/// Converts a conversation to reads from sockets: consecutive bytes of one side arrive in pieces of these lengths.
pub fn cut(spoken: &[Spoken], lengths: &[usize]) -> Vec<Said> {
    let mut turns: Vec<Said> = Vec::new();
    for spoken in spoken {
        match turns.last_mut() {
            Some((direction, bytes)) if *direction == spoken.direction => bytes.extend_from_slice(&spoken.bytes),
            _ => turns.push((spoken.direction, spoken.bytes.clone())),
        }
    }
    slice(&turns, lengths)
}

/// Cuts each piece into pieces of these lengths, which are used cyclically.
pub fn slice(said: &[Said], lengths: &[usize]) -> Vec<Said> {
    let mut lengths = lengths.iter().copied().cycle();
    let mut pieces = Vec::new();
    for (direction, bytes) in said {
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(lengths.next().unwrap_or(usize::MAX).clamp(1, bytes.len()));
            pieces.push((*direction, piece.to_vec()));
            bytes = rest;
        }
    }
    pieces
}

/// Lengths of pieces: mostly tiny, some so large that all bytes arrive at once.
pub fn lengths() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![3 => 1..12_usize, 2 => 1..200_usize, 2 => Just(usize::MAX)], 1..40)
}
