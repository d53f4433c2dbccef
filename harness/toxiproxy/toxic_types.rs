//! The table of toxic types, each with its attributes and its effect at the gateway. A new type is a row of
//! [`TOXIC_TYPES`].

use std::time::Duration;

use serde_json::{Map, Value};

use super::api_error::ApiError;
use super::fields::wrong;
use crate::gateway::{Cut, DropState, Expiry, RuleKind};
use crate::model::fault::{CutPoint, Point, Strike, ToxicKind};

/// The largest time in an attribute, in ms: one year, so that adding it to the present does not overflow.
const MAX_MS: u64 = 365 * 24 * 3600 * 1000;

/// Bytes in a KB of Toxiproxy, whose code sends `rate` bytes per millisecond.
///
/// *Source*: Toxiproxy, `toxics/bandwidth.go`.
const KB: u64 = 1000;

/// A type of toxic.
pub(super) struct ToxicType {
    pub word: &'static str,
    attributes: &'static [Attribute],
    effect: fn(&Attributes) -> Result<Effect, &'static str>,
}

/// The effect of a toxic at the gateway.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Effect {
    /// Affects the bytes of one or both directions.
    Bytes(ToxicKind),
    /// Affects whole connections.
    Connections(RuleKind),
    /// Affects how connections are accepted.
    NewConnections(NewConnections),
}

/// What happens to new connections. Ordered: of several toxics, the greatest value applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NewConnections {
    /// Drops SYNs.
    Hang,
    /// Refuses with ECONNREFUSED.
    Refuse,
}

/// An attribute of a toxic type: its name and its form.
struct Attribute(&'static str, AttributeForm);

enum AttributeForm {
    /// A time in ms; default 0.
    Milliseconds,
    /// A time in µs; default 0.
    Microseconds,
    /// A whole number; default 0.
    Number,
    /// A point of the protocol; required.
    Point,
    /// The action at the point; default `reset`.
    Strike,
    /// How often the action is taken; default: no limit.
    Times,
}

/// The values of a toxic's attributes, sorted by name. Attributes without value and default are absent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attributes(pub Map<String, Value>);

/// Every type: Toxiproxy's, then the extensions.
pub(super) static TOXIC_TYPES: &[ToxicType] = &[
    ToxicType {
        word: "latency",
        attributes: &[
            Attribute("latency", AttributeForm::Milliseconds),
            Attribute("jitter", AttributeForm::Milliseconds),
        ],
        effect: |given| bytes(ToxicKind::Latency { delay: given.ms("latency"), jitter: given.ms("jitter") }),
    },
    ToxicType {
        word: "bandwidth",
        attributes: &[Attribute("rate", AttributeForm::Number)],
        effect: |given| {
            bytes(match given.number("rate") {
                // A rate of 0 holds all bytes; removing the toxic delivers them.
                0 => ToxicKind::Stall { close_after: None },
                rate => ToxicKind::Bandwidth { bytes_per_second: rate.saturating_mul(KB) },
            })
        },
    },
    ToxicType {
        word: "slow_close",
        attributes: &[Attribute("delay", AttributeForm::Milliseconds)],
        effect: |given| bytes(ToxicKind::SlowClose { delay: given.ms("delay") }),
    },
    ToxicType {
        word: "timeout",
        attributes: &[Attribute("timeout", AttributeForm::Milliseconds)],
        effect: |given| {
            let close_after = Some(given.ms("timeout")).filter(|after| !after.is_zero());
            bytes(ToxicKind::Stall { close_after })
        },
    },
    ToxicType {
        word: "reset_peer",
        attributes: &[Attribute("timeout", AttributeForm::Milliseconds)],
        effect: |given| bytes(ToxicKind::Reset { after: given.ms("timeout") }),
    },
    ToxicType {
        word: "slicer",
        attributes: &[
            Attribute("average_size", AttributeForm::Number),
            Attribute("size_variation", AttributeForm::Number),
            Attribute("delay", AttributeForm::Microseconds),
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
    ToxicType {
        word: "limit_data",
        attributes: &[Attribute("bytes", AttributeForm::Number)],
        effect: |given| bytes(ToxicKind::Limit { bytes: given.number("bytes") }),
    },
    // ---- extensions
    ToxicType { word: "stall", attributes: &[], effect: |_| bytes(ToxicKind::Stall { close_after: None }) },
    ToxicType {
        word: "cut_point",
        attributes: &[
            Attribute("point", AttributeForm::Point),
            Attribute("action", AttributeForm::Strike),
            Attribute("times", AttributeForm::Times),
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
    ToxicType {
        word: "half_open",
        attributes: &[],
        effect: |_| connections(RuleKind::DropState(DropState::ServerSide)),
    },
    ToxicType { word: "forget", attributes: &[], effect: |_| connections(RuleKind::DropState(DropState::Silently)) },
    ToxicType { word: "idle_close", attributes: AFTER, effect: |given| idle(given, Expiry::Cut(Cut::Close)) },
    ToxicType { word: "idle_reset", attributes: AFTER, effect: |given| idle(given, Expiry::Cut(Cut::Reset)) },
    ToxicType { word: "idle_forget", attributes: AFTER, effect: |given| idle(given, Expiry::DropState) },
    ToxicType { word: "refuse", attributes: &[], effect: |_| Ok(Effect::NewConnections(NewConnections::Refuse)) },
    ToxicType { word: "hang", attributes: &[], effect: |_| Ok(Effect::NewConnections(NewConnections::Hang)) },
];

const AFTER: &[Attribute] = &[Attribute("after", AttributeForm::Milliseconds)];

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

impl ToxicType {
    /// Returns the type of this name.
    ///
    /// *Errors*: 400 with the names of all types.
    pub fn by_name(word: &str) -> Result<&'static ToxicType, ApiError> {
        TOXIC_TYPES.iter().find(|kind| kind.word == word).ok_or_else(|| {
            let words: Vec<_> = TOXIC_TYPES.iter().map(|kind| kind.word).collect();
            ApiError::new(400, format!("invalid toxic type: {word:?}; the types are {}", words.join(", ")))
        })
    }

    /// Returns the effect of a toxic of this type with these attributes.
    ///
    /// *Errors*: 400; an attribute is missing, or values do not fit together.
    pub fn effect(&self, attributes: &Attributes) -> Result<Effect, ApiError> {
        (self.effect)(attributes).map_err(ApiError::bad_request)
    }

    /// Merges the given attributes into the earlier values or the defaults. Ignores unknown ones, as Toxiproxy does.
    ///
    /// *Errors*: 400; a value has the wrong form or is out of range.
    pub fn attributes(&self, given: &Map<String, Value>, before: Option<&Attributes>) -> Result<Attributes, ApiError> {
        let mut attributes = Map::new();
        for Attribute(name, form) in self.attributes {
            let value = match given.get(*name).filter(|value| !value.is_null()) {
                Some(value) => Some(form.read(&format!("attributes.{name}"), value)?),
                None => before.and_then(|before| before.0.get(*name).cloned()).or_else(|| form.default_value()),
            };
            attributes.extend(value.map(|value| ((*name).to_owned(), value)));
        }
        Ok(Attributes(attributes))
    }
}

impl AttributeForm {
    fn read(&self, field: &str, value: &Value) -> Result<Value, ApiError> {
        match self {
            AttributeForm::Milliseconds => number(field, value, MAX_MS),
            AttributeForm::Microseconds => number(field, value, MAX_MS * 1000),
            AttributeForm::Number => number(field, value, u64::MAX),
            AttributeForm::Times => number(field, value, u64::from(u32::MAX)),
            AttributeForm::Point => word(field, value, &Point::ALL),
            AttributeForm::Strike => word(field, value, &Strike::ALL),
        }
    }

    fn default_value(&self) -> Option<Value> {
        match self {
            AttributeForm::Milliseconds | AttributeForm::Microseconds | AttributeForm::Number => Some(0.into()),
            AttributeForm::Strike => Some("reset".into()),
            AttributeForm::Point | AttributeForm::Times => None,
        }
    }
}

fn number(field: &str, value: &Value, most: u64) -> Result<Value, ApiError> {
    // Some languages write whole numbers as 100.0.
    let whole = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number));
    let number = value.as_u64().or(whole.map(|number| number as u64)).filter(|number| *number <= most);
    match number {
        Some(number) => Ok(number.into()),
        None if most == u64::MAX => Err(wrong(field, "a whole number, 0 or more", value)),
        None => Err(wrong(field, &format!("a whole number from 0 to {most}"), value)),
    }
}

fn word<T>(field: &str, value: &Value, words: &[(&'static str, T)]) -> Result<Value, ApiError> {
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
