//! Toxics: faults that act on the bytes of one link of the gateway. Plain data; `gateway/toxic` applies them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::FaultKind;
use super::keys::{
    AVERAGE, BYTES, BYTES_PER_SECOND, CLOSE_AFTER, CLOSE_DELAY, CONNECTIONS, DELAY, JITTER, Key, KeyError, PAUSE,
    RESET_AFTER, SPREAD, STREAM, TOXICITY, Value, Values, need,
};
use super::spec::{ExpectedError as Error, FaultSpec, Shape, fault_table};
use crate::model::plane::Fidelity;
use crate::model::time::{exact, micros, optional_micros};
use crate::model::words;

/// The kind of a toxic, with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToxicKind {
    /// Bytes arrive later. Chunks in flight do not delay each other: each is late by the delay only.
    Latency {
        #[serde(rename = "delay_us", with = "micros")]
        delay: Duration,
        /// The delay is drawn uniformly from `delay - jitter` to `delay + jitter`; bytes stay in order.
        #[serde(rename = "jitter_us", with = "micros")]
        jitter: Duration,
    },
    /// At most this many bytes a second pass.
    Bandwidth { bytes_per_second: u64 },
    /// Bytes leave in small pieces, as from a sender with a tiny segment size.
    Slicer {
        /// Mean size of a piece, in bytes; at least 1.
        average: u32,
        /// The most bytes by which a piece differs from the mean.
        variation: u32,
        /// Pause after each piece.
        #[serde(rename = "pause_us", with = "micros")]
        pause: Duration,
    },
    /// The connection is closed (FIN) after this many bytes.
    Limit { bytes: u64 },
    /// Bytes are acknowledged and held; they are delivered on heal (a frozen peer). With `close_after`, the connection
    /// is closed (FIN) after that time, and the held bytes are lost.
    Stall {
        #[serde(rename = "close_after_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
        close_after: Option<Duration>,
    },
    /// The end of the stream (FIN) arrives later than its bytes.
    SlowClose {
        #[serde(rename = "delay_us", with = "micros")]
        delay: Duration,
    },
    /// RST to both sides, this long after the toxic was installed or the connection was opened; nothing passes until
    /// then.
    Reset {
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
}

words! {
    /// The links of a connection that a fault affects.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Stream {
        #[default]
        Both = "both",
        /// Client to server.
        Upstream = "upstream",
        /// Server to client.
        Downstream = "downstream",
    }
}

words! {
    /// The connections that a fault affects, by the time at which they were opened.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub enum Scope {
        #[default]
        Every = "every",
        /// Those that were open when the fault began.
        Established = "established",
        /// Those that were opened after the fault began.
        New = "new",
    }
}

/// A toxic, and the links and connections that it affects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toxic {
    pub kind: ToxicKind,
    pub stream: Stream,
    pub scope: Scope,
    /// The probability that a connection is affected; drawn once for each connection, from the run's seed.
    pub toxicity: Share,
}

fault_table! { TOXICS:
    STALL = "stall" Path Lasting Alike Open Kept Interrupted NoEvidence,
        OneAddress, Advice("no TCP setting detects bytes that are acknowledged but never delivered: only a deadline does"),
        Error::None, Shape { keys: &[CLOSE_AFTER, STREAM, CONNECTIONS, TOXICITY], build: stall };
    LATENCY = "latency" Path Lasting Alike Open Kept Possible NoEvidence,
        OneAddress, General, Error::None, Shape { keys: &[DELAY, JITTER, STREAM, CONNECTIONS, TOXICITY], build: latency };
    BANDWIDTH = "bandwidth" Path Lasting Alike Open Kept Possible NoEvidence,
        OneAddress, General, Error::None, Shape { keys: &[BYTES_PER_SECOND, STREAM, CONNECTIONS, TOXICITY], build: bandwidth };
    SLICER = "slicer" Path Lasting Alike Open Kept Possible NoEvidence,
        OneAddress, General, Error::None, Shape { keys: &[AVERAGE, SPREAD, PAUSE, STREAM, CONNECTIONS, TOXICITY], build: slicer };
    LIMIT = "limit" Path Lasting Alike Open Kept Interrupted NoEvidence,
        OneAddress, General, Error::None, Shape { keys: &[BYTES, STREAM, CONNECTIONS, TOXICITY], build: limit };
    SLOW_CLOSE = "slow-close" Path Lasting Alike Open Kept Interrupted NoEvidence,
        OneAddress, General, Error::None, Shape { keys: &[CLOSE_DELAY, STREAM, CONNECTIONS, TOXICITY], build: slow_close };
    RESET_LATER = "reset-after" Path Lasting Alike Open Kept Interrupted NoEvidence,
        OneAddress, General, Error::None, Shape { keys: &[RESET_AFTER, STREAM, CONNECTIONS, TOXICITY], build: reset_after };
}

/// A stall of the established connections only, which a packet filter can also inject.
const DEAD_FLOWS: FaultSpec = FaultSpec { fidelity: Fidelity::TruerInKernel, ..STALL };

impl Toxic {
    /// The row of its kind.
    pub fn spec(self) -> &'static FaultSpec {
        match self.kind {
            ToxicKind::Latency { .. } => &LATENCY,
            ToxicKind::Bandwidth { .. } => &BANDWIDTH,
            ToxicKind::Slicer { .. } => &SLICER,
            ToxicKind::Limit { .. } => &LIMIT,
            ToxicKind::Stall { .. } if self.kills_flows() => &DEAD_FLOWS,
            ToxicKind::Stall { .. } => &STALL,
            ToxicKind::SlowClose { .. } => &SLOW_CLOSE,
            ToxicKind::Reset { .. } => &RESET_LATER,
        }
    }

    /// Its keys and their values; those that all toxics have, and the jitter, are left out if they have the default.
    pub(super) fn values(self) -> Values {
        let values = Values::default();
        let values = match self.kind {
            ToxicKind::Latency { delay, jitter } => {
                let jitter = Some(Value::Time(jitter)).filter(|_| !jitter.is_zero());
                values.with(&DELAY, Value::Time(delay)).with_some(&JITTER, jitter)
            }
            ToxicKind::Bandwidth { bytes_per_second } => values.with(&BYTES_PER_SECOND, Value::Count(bytes_per_second)),
            ToxicKind::Slicer { average, variation, pause } => values
                .with(&AVERAGE, Value::Count(average.into()))
                .with(&SPREAD, Value::Count(variation.into()))
                .with(&PAUSE, Value::Time(pause)),
            ToxicKind::Limit { bytes } => values.with(&BYTES, Value::Count(bytes)),
            ToxicKind::Stall { close_after } => values.with_some(&CLOSE_AFTER, close_after.map(Value::Time)),
            ToxicKind::SlowClose { delay } => values.with(&CLOSE_DELAY, Value::Time(delay)),
            ToxicKind::Reset { after } => values.with(&RESET_AFTER, Value::Time(after)),
        };
        let some = Some(Value::Share(self.toxicity)).filter(|_| self.toxicity != Share::ALL);
        with_place(values, self.stream, self.scope).with_some(&TOXICITY, some)
    }

    /// Whether its only effect is that the connections which are open when it begins deliver nothing until heal.
    pub fn kills_flows(self) -> bool {
        self.kind == ToxicKind::Stall { close_after: None }
            && self.scope == Scope::Established
            && self.toxicity == Share::ALL
    }
}

/// A probability, in parts per million: an integer is stored and read without rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(u32);

impl Share {
    /// Probability 1.
    pub const ALL: Share = Share(1_000_000);

    /// `None` unless between 0 and 1.
    pub fn new(share: f64) -> Option<Share> {
        (0.0..=1.0).contains(&share).then(|| Share((share * 1e6).round() as u32))
    }

    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl From<ToxicKind> for Toxic {
    /// On both links of every connection.
    fn from(kind: ToxicKind) -> Toxic {
        Toxic { kind, stream: Stream::Both, scope: Scope::Every, toxicity: Share::ALL }
    }
}

/// Adds the links and the connections, if they are not all.
pub(super) fn with_place(values: Values, stream: Stream, scope: Scope) -> Values {
    let word = |word: &'static str, is_all: bool| Some(Value::Word(word)).filter(|_| !is_all);
    values
        .with_some(&STREAM, word(stream.word(), stream == Stream::Both))
        .with_some(&CONNECTIONS, word(scope.word(), scope == Scope::Every))
}

type Built = Result<FaultKind, KeyError>;

/// A toxic of this kind, with the keys that all toxics have: links, connections and toxicity.
fn placed(values: &Values, kind: ToxicKind) -> Built {
    Ok(FaultKind::Toxic(Toxic {
        kind,
        stream: values.word(&STREAM, &Stream::ALL).unwrap_or_default(),
        scope: values.word(&CONNECTIONS, &Scope::ALL).unwrap_or_default(),
        toxicity: values.share(&TOXICITY).unwrap_or(Share::ALL),
    }))
}

fn time(values: &Values, key: &Key) -> Result<Duration, KeyError> {
    need(key, values.time(key))
}

fn stall(values: &Values) -> Built {
    placed(values, ToxicKind::Stall { close_after: values.time(&CLOSE_AFTER) })
}

fn latency(values: &Values) -> Built {
    let delay = time(values, &DELAY)?;
    let jitter = values.time(&JITTER).unwrap_or_default();
    if jitter > delay {
        let hint = format!("at most \"{}\": bytes do not arrive before they were sent", exact(delay));
        return Err(JITTER.error("`jitter` is longer than `delay`", hint));
    }
    placed(values, ToxicKind::Latency { delay, jitter })
}

fn bandwidth(values: &Values) -> Built {
    let rate = need(&BYTES_PER_SECOND, values.count(&BYTES_PER_SECOND))?;
    placed(values, ToxicKind::Bandwidth { bytes_per_second: rate.into() })
}

fn slicer(values: &Values) -> Built {
    let average = need(&AVERAGE, values.count(&AVERAGE))?;
    let variation = values.count(&SPREAD).unwrap_or_default();
    // A piece has at least one byte.
    if variation >= average {
        return Err(SPREAD.error("`spread` is out of range", format!("0 to {}", average.saturating_sub(1))));
    }
    placed(values, ToxicKind::Slicer { average, variation, pause: values.time(&PAUSE).unwrap_or_default() })
}

fn limit(values: &Values) -> Built {
    placed(values, ToxicKind::Limit { bytes: need(&BYTES, values.count(&BYTES))?.into() })
}

fn slow_close(values: &Values) -> Built {
    placed(values, ToxicKind::SlowClose { delay: time(values, &CLOSE_DELAY)? })
}

fn reset_after(values: &Values) -> Built {
    placed(values, ToxicKind::Reset { after: time(values, &RESET_AFTER)? })
}
