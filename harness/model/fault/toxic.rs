//! Toxics: what a link of the gateway can be told to do to the bytes it carries. Plain data; `network/proxy/toxic` does
//! it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::{micros, optional_micros};

/// What is done to the bytes of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToxicKind {
    /// Bytes arrive later. Those under way do not wait for each other: each is late by the delay only.
    Latency {
        #[serde(rename = "delay_us", with = "micros")]
        delay: Duration,
        /// Drawn evenly from `delay - jitter` to `delay + jitter`; order is kept.
        #[serde(rename = "jitter_us", with = "micros")]
        jitter: Duration,
    },
    /// So many bytes a second and no more.
    Bandwidth { bytes_per_second: u64 },
    /// Bytes leave in small pieces, as from a sender with a tiny segment size.
    Slicer {
        /// Mean size of a piece, in bytes; at least 1.
        average: u32,
        /// Pieces differ from the mean by up to so many bytes.
        variation: u32,
        /// Pause after each piece.
        #[serde(rename = "pause_us", with = "micros")]
        pause: Duration,
    },
    /// So many bytes pass; then the connection is closed (FIN).
    Limit { bytes: u64 },
    /// Bytes are acknowledged and go nowhere; what is held is delivered on heal (a frozen peer). With a time,
    /// the connection is closed (FIN) after it, and what was held is lost.
    Stall {
        #[serde(rename = "close_after_us", default, with = "optional_micros", skip_serializing_if = "Option::is_none")]
        close_after: Option<Duration>,
    },
    /// The end of the stream (FIN) arrives later than its bytes.
    SlowClose {
        #[serde(rename = "delay_us", with = "micros")]
        delay: Duration,
    },
    /// RST on both sides, so long after the toxic came or the connection was opened; nothing passes until then.
    Reset {
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
    },
}

/// Which links of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Client to server.
    Upstream,
    /// Server to client.
    Downstream,
    #[default]
    Both,
}

impl Stream {
    /// Every choice, by the word used in scenario files.
    pub const ALL: [(&str, Stream); 3] =
        [("both", Stream::Both), ("upstream", Stream::Upstream), ("downstream", Stream::Downstream)];
}

/// Which connections, by when they were opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    #[default]
    Every,
    /// Those that were open when it began.
    Established,
    /// Those opened since.
    New,
}

impl Scope {
    /// Every choice, by the word used in scenario files.
    pub const ALL: [(&str, Scope); 3] =
        [("every", Scope::Every), ("established", Scope::Established), ("new", Scope::New)];
}

/// A toxic, and where it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Toxic {
    pub kind: ToxicKind,
    pub stream: Stream,
    pub scope: Scope,
    /// How likely a connection is to be touched; drawn once for each, from the run's seed.
    pub toxicity: Share,
}

impl Toxic {
    /// Whether all that it does is that the flows which it finds are dead until heal.
    pub fn kills_flows(self) -> bool {
        self.kind == ToxicKind::Stall { close_after: None }
            && self.scope == Scope::Established
            && self.toxicity == Share::ALL
    }
}

/// A probability, in parts per million: whole numbers stay what they are in every stored form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(u32);

impl Share {
    /// Always.
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
