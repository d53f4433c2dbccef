//! The types of toxics that the API knows, each with its attributes and what it comes to at the gateway: Toxiproxy's
//! own first, then ours.

use std::time::Duration;

use serde_json::{Map, Value};

use super::api_error::Complaint;
use super::fields::wrong;
use crate::gateway::{Cut, DropState, Expiry, RuleKind};
use crate::model::fault::{CutPoint, Point, Strike, ToxicKind};

/// Longest time that an attribute may ask for, in ms: a year, so that no clock overflows.
const LONGEST: u64 = 365 * 24 * 3600 * 1000;

/// Bytes in what Toxiproxy calls a KB: its rate is in bytes per millisecond.
///
/// *Source*: Toxiproxy, `toxics/bandwidth.go`.
const KB: u64 = 1000;

/// A type of toxic.
pub(super) struct Kind {
    pub word: &'static str,
    attributes: &'static [Attribute],
    effect: fn(&Attributes) -> Result<Effect, &'static str>,
}

/// What a toxic comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effect {
    /// Something happens to the bytes of a link, where the toxic says.
    Bytes(ToxicKind),
    /// Something happens to connections.
    Connections(RuleKind),
    /// Something meets clients that connect.
    Door(Door),
}

/// What meets a client that connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Door {
    /// Silence.
    Hang,
    /// ECONNREFUSED.
    Refuse,
}

/// One attribute: its name and what it holds.
struct Attribute(&'static str, Form);

enum Form {
    /// A time in ms; 0 unless given.
    Milliseconds,
    /// A time in µs; 0 unless given.
    Microseconds,
    /// A whole number; 0 unless given.
    Number,
    /// A point of the protocol; must be given.
    Point,
    /// What is done there; a reset unless given.
    Strike,
    /// How many times; each time unless given.
    Times,
}

/// Attributes in order: every one of the toxic's type that has a value, and no other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attributes(pub Map<String, Value>);

/// Every type.
pub(super) static KINDS: &[Kind] = &[
    Kind {
        word: "latency",
        attributes: &[Attribute("latency", Form::Milliseconds), Attribute("jitter", Form::Milliseconds)],
        effect: |given| bytes(ToxicKind::Latency { delay: given.ms("latency"), jitter: given.ms("jitter") }),
    },
    Kind {
        word: "bandwidth",
        attributes: &[Attribute("rate", Form::Number)],
        effect: |given| {
            bytes(match given.number("rate") {
                // Nothing passes, and what is held is delivered once the toxic goes.
                0 => ToxicKind::Stall { close_after: None },
                rate => ToxicKind::Bandwidth { bytes_per_second: rate.saturating_mul(KB) },
            })
        },
    },
    Kind {
        word: "slow_close",
        attributes: &[Attribute("delay", Form::Milliseconds)],
        effect: |given| bytes(ToxicKind::SlowClose { delay: given.ms("delay") }),
    },
    Kind {
        word: "timeout",
        attributes: &[Attribute("timeout", Form::Milliseconds)],
        effect: |given| {
            let close_after = Some(given.ms("timeout")).filter(|after| !after.is_zero());
            bytes(ToxicKind::Stall { close_after })
        },
    },
    Kind {
        word: "reset_peer",
        attributes: &[Attribute("timeout", Form::Milliseconds)],
        effect: |given| bytes(ToxicKind::Reset { after: given.ms("timeout") }),
    },
    Kind {
        word: "slicer",
        attributes: &[
            Attribute("average_size", Form::Number),
            Attribute("size_variation", Form::Number),
            Attribute("delay", Form::Microseconds),
        ],
        effect: |given| {
            let size = |name| u32::try_from(given.number(name)).unwrap_or(u32::MAX);
            let (average, variation) = (size("average_size"), size("size_variation"));
            if average == 0 {
                return Err("attributes.average_size must be at least 1: give the mean size of a piece in bytes");
            }
            let pause = Duration::from_micros(given.number("delay"));
            bytes(ToxicKind::Slicer { average, variation, pause })
        },
    },
    Kind {
        word: "limit_data",
        attributes: &[Attribute("bytes", Form::Number)],
        effect: |given| bytes(ToxicKind::Limit { bytes: given.number("bytes") }),
    },
    // ---- ours
    Kind { word: "stall", attributes: &[], effect: |_| bytes(ToxicKind::Stall { close_after: None }) },
    Kind {
        word: "cut_point",
        attributes: &[
            Attribute("point", Form::Point),
            Attribute("action", Form::Strike),
            Attribute("times", Form::Times),
        ],
        effect: |given| {
            let point = word_of(&Point::ALL, given.text("point")).ok_or("attributes.point is missing")?;
            let strike = word_of(&Strike::ALL, given.text("action")).unwrap_or(Strike::Reset);
            if strike == Strike::Drop && !point.holds_message() {
                return Err(
                    "attributes.action cannot be drop at this point: a part of the message is delivered already",
                );
            }
            let times = given.0.get("times").and_then(Value::as_u64).and_then(|times| u32::try_from(times).ok());
            connections(RuleKind::CutPoint(CutPoint { point, strike, times }))
        },
    },
    Kind { word: "half_open", attributes: &[], effect: |_| connections(RuleKind::DropState(DropState::ServerSide)) },
    Kind { word: "forget", attributes: &[], effect: |_| connections(RuleKind::DropState(DropState::Silently)) },
    Kind { word: "idle_close", attributes: AFTER, effect: |given| idle(given, Expiry::Cut(Cut::Close)) },
    Kind { word: "idle_reset", attributes: AFTER, effect: |given| idle(given, Expiry::Cut(Cut::Reset)) },
    Kind { word: "idle_forget", attributes: AFTER, effect: |given| idle(given, Expiry::DropState) },
    Kind { word: "refuse", attributes: &[], effect: |_| Ok(Effect::Door(Door::Refuse)) },
    Kind { word: "hang", attributes: &[], effect: |_| Ok(Effect::Door(Door::Hang)) },
];

const AFTER: &[Attribute] = &[Attribute("after", Form::Milliseconds)];

fn bytes(kind: ToxicKind) -> Result<Effect, &'static str> {
    Ok(Effect::Bytes(kind))
}

fn connections(what: RuleKind) -> Result<Effect, &'static str> {
    Ok(Effect::Connections(what))
}

fn idle(given: &Attributes, then: Expiry) -> Result<Effect, &'static str> {
    match given.ms("after") {
        Duration::ZERO => Err("attributes.after must be at least 1: give the idle time in ms"),
        after => connections(RuleKind::Idle { after, then }),
    }
}

impl Kind {
    /// The type of this name.
    pub fn named(word: &str) -> Result<&'static Kind, Complaint> {
        KINDS.iter().find(|kind| kind.word == word).ok_or_else(|| {
            let words: Vec<_> = KINDS.iter().map(|kind| kind.word).collect();
            Complaint::new(400, format!("invalid toxic type: {word:?}; the types are {}", words.join(", ")))
        })
    }

    /// What a toxic of this type with these attributes comes to.
    pub fn effect(&self, attributes: &Attributes) -> Result<Effect, Complaint> {
        (self.effect)(attributes).map_err(Complaint::body)
    }

    /// Attributes as given, over what they were before; others that are given are ignored, as by Toxiproxy.
    pub fn attributes(&self, given: &Map<String, Value>, before: Option<&Attributes>) -> Result<Attributes, Complaint> {
        let mut attributes = Map::new();
        for Attribute(name, form) in self.attributes {
            let value = match given.get(*name).filter(|value| !value.is_null()) {
                Some(value) => Some(form.read(&format!("attributes.{name}"), value)?),
                None => before.and_then(|before| before.0.get(*name).cloned()).or_else(|| form.unless_given()),
            };
            attributes.extend(value.map(|value| ((*name).to_owned(), value)));
        }
        Ok(Attributes(attributes))
    }
}

impl Form {
    fn read(&self, field: &str, value: &Value) -> Result<Value, Complaint> {
        match self {
            Form::Milliseconds => number(field, value, LONGEST),
            Form::Microseconds => number(field, value, LONGEST * 1000),
            Form::Number => number(field, value, u64::MAX),
            Form::Times => number(field, value, u64::from(u32::MAX)),
            Form::Point => word(field, value, &Point::ALL),
            Form::Strike => word(field, value, &Strike::ALL),
        }
    }

    fn unless_given(&self) -> Option<Value> {
        match self {
            Form::Milliseconds | Form::Microseconds | Form::Number => Some(0.into()),
            Form::Strike => Some("reset".into()),
            Form::Point | Form::Times => None,
        }
    }
}

fn number(field: &str, value: &Value, most: u64) -> Result<Value, Complaint> {
    // Some languages write every number as 100.0.
    let whole = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number));
    let number = value.as_u64().or(whole.map(|number| number as u64)).filter(|number| *number <= most);
    match number {
        Some(number) => Ok(number.into()),
        None if most == u64::MAX => Err(wrong(field, "a whole number, 0 or more", value)),
        None => Err(wrong(field, &format!("a whole number from 0 to {most}"), value)),
    }
}

fn word<T>(field: &str, value: &Value, words: &[(&'static str, T)]) -> Result<Value, Complaint> {
    let given = value.as_str().map(|given| given.replace('_', "-"));
    match words.iter().find(|(word, _)| Some(*word) == given.as_deref()) {
        Some((word, _)) => Ok((*word).into()),
        None => {
            let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            Err(wrong(field, &format!("one of {}", all.join(", ")), value))
        }
    }
}

fn word_of<T: Copy>(words: &[(&str, T)], given: Option<&str>) -> Option<T> {
    words.iter().find(|(word, _)| Some(*word) == given).map(|(_, meaning)| *meaning)
}

impl Attributes {
    fn number(&self, name: &str) -> u64 {
        self.0.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    fn ms(&self, name: &str) -> Duration {
        Duration::from_millis(self.number(name))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }
}
