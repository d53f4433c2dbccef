//! The keys of faults in scenario files beyond `kind`, `at` and `for`: the form of each value, the hint if it is
//! missing, and how it is shown. Plain data; `scenario` reads and writes the files.

use std::time::Duration;

use super::{IcmpCode, IdleDevice, LARGEST_SCALE, Point, Scope, Share, StopMode, Stream, Strike};
use crate::model::time::exact;

/// The shortest time in a fault: the resolution of timers.
const SHORTEST: Duration = Duration::from_millis(1);

/// One key of a fault.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub form: Form,
    /// The hint if the key is missing; empty for an optional key. The words of a [`Form::Word`] follow a colon at
    /// its end.
    pub missing: &'static str,
    /// The text for the value in a fault's displayed name; `{}` stands for the value.
    pub shown: &'static str,
}

/// The form of a key's value.
#[derive(Clone, Copy, Debug)]
pub enum Form {
    Time {
        least: Duration,
        /// The mechanism that counts only whole seconds, for the error message; `None` if fractions are allowed.
        whole_seconds: Option<&'static str>,
    },
    /// A whole number; `note` explains the range.
    Count { least: u32, most: u32, note: &'static str },
    /// A fraction; `range` explains it.
    Share { least: f64, most: f64, range: &'static str },
    /// One of these words; `what` names them in errors.
    Word { what: &'static str, words: fn() -> Vec<&'static str> },
}

/// The value of a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Time(Duration),
    Count(u64),
    Share(Share),
    Word(&'static str),
}

/// Keys of a fault with their values.
#[derive(Clone, Debug, Default)]
pub struct Values(pub Vec<(&'static Key, Value)>);

/// Why the values of a fault's keys are invalid: one is missing or out of range, or two contradict each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError {
    /// The key to change.
    pub key: &'static str,
    pub message: String,
    pub hint: String,
}

impl Value {
    /// The value as the name of a fault shows it.
    fn show(self) -> String {
        match self {
            Value::Time(time) => exact(time).to_string(),
            Value::Count(count) => count.to_string(),
            Value::Share(share) => share.as_f64().to_string(),
            Value::Word(word) => word.to_owned(),
        }
    }
}

impl Values {
    /// Adds a key and its value.
    pub(super) fn with(mut self, key: &'static Key, value: Value) -> Values {
        self.0.push((key, value));
        self
    }

    /// Adds a key and its value, if there is a value.
    pub(super) fn with_some(self, key: &'static Key, value: Option<Value>) -> Values {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// All values, as the name of a fault shows them.
    pub(super) fn show(&self) -> String {
        let mut text = String::new();
        for (key, value) in &self.0 {
            let part = key.shown.replace("{}", &value.show());
            // A deviation follows its mean without a comma.
            text += if text.is_empty() {
                ""
            } else if part.starts_with('±') {
                " "
            } else {
                ", "
            };
            text += &part;
        }
        text
    }

    fn get(&self, key: &Key) -> Option<Value> {
        self.0.iter().find(|(known, _)| known.name == key.name).map(|(_, value)| *value)
    }

    pub(super) fn time(&self, key: &Key) -> Option<Duration> {
        match self.get(key)? {
            Value::Time(time) => Some(time),
            Value::Count(_) | Value::Share(_) | Value::Word(_) => None,
        }
    }

    pub(super) fn count(&self, key: &Key) -> Option<u32> {
        match self.get(key)? {
            Value::Count(count) => u32::try_from(count).ok(),
            Value::Time(_) | Value::Share(_) | Value::Word(_) => None,
        }
    }

    pub(super) fn share(&self, key: &Key) -> Option<Share> {
        match self.get(key)? {
            Value::Share(share) => Some(share),
            Value::Time(_) | Value::Count(_) | Value::Word(_) => None,
        }
    }

    pub(super) fn word<T: Copy>(&self, key: &Key, all: &[(&str, T)]) -> Option<T> {
        match self.get(key)? {
            Value::Word(word) => all.iter().find(|(known, _)| *known == word).map(|(_, meaning)| *meaning),
            Value::Time(_) | Value::Count(_) | Value::Share(_) => None,
        }
    }
}

/// The value of a required key.
///
/// *Errors*: it is missing.
pub(super) fn need<T>(key: &Key, value: Option<T>) -> Result<T, KeyError> {
    value.ok_or_else(|| key.error(format!("the fault has no `{}`", key.name), key.missing))
}

impl Key {
    /// An error about the value of this key.
    pub(super) fn error(&self, message: impl Into<String>, hint: impl Into<String>) -> KeyError {
        KeyError { key: self.name, message: message.into(), hint: hint.into() }
    }

    const fn time(name: &'static str, missing: &'static str, shown: &'static str) -> Key {
        Key { name, form: Form::Time { least: SHORTEST, whole_seconds: None }, missing, shown }
    }

    const fn count(name: &'static str, least: u32, missing: &'static str, shown: &'static str) -> Key {
        Key { name, form: Form::Count { least, most: u32::MAX - 1, note: "" }, missing, shown }
    }

    const fn word(
        name: &'static str,
        what: &'static str,
        words: fn() -> Vec<&'static str>,
        missing: &'static str,
        shown: &'static str,
    ) -> Key {
        Key { name, form: Form::Word { what, words }, missing, shown }
    }
}

// ---- ends of connections, cut points

/// At least 10 ms: the gateway must have ended every connection before it repeats the cut.
pub(super) const EVERY: Key = Key {
    form: Form::Time { least: Duration::from_millis(10), whole_seconds: None },
    ..Key::time("every", "", "every {}")
};
pub(super) const POINT: Key = Key::word(
    "point",
    "point",
    || Point::ALL.map(|(word, _)| word).to_vec(),
    "say at which moment of the protocol, one of:",
    "{}",
);
pub(super) const ACTION: Key = Key::word(
    "action",
    "action",
    || Strike::ALL.map(|(word, _)| word).to_vec(),
    "say what is done there: reset, close, hold or drop",
    "{}",
);
pub(super) const TIMES: Key = Key::count("times", 1, "", "{} times");

// ---- toxics

pub(super) const DELAY: Key = Key::time("delay", "say how much later bytes arrive, like delay = \"200ms\"", "{}");
pub(super) const JITTER: Key = Key::time("jitter", "", "± {}");
pub(super) const BYTES_PER_SECOND: Key =
    Key::count("bytes_per_second", 1, "say how much passes, like bytes_per_second = 16000", "{} bytes/s");
pub(super) const AVERAGE: Key = Key::count("average", 1, "say how many bytes a piece has, like average = 64", "{}");
pub(super) const SPREAD: Key = Key::count("spread", 0, "", "± {} bytes");
pub(super) const PAUSE: Key = Key::time("pause", "", "{} apart");
pub(super) const BYTES: Key =
    Key::count("bytes", 1, "say how much passes before the connection is closed, like bytes = 1000", "{} bytes");
pub(super) const CLOSE_AFTER: Key = Key::time("close_after", "", "closed after {}");
pub(super) const CLOSE_DELAY: Key =
    Key::time("delay", "say how much later the end of a connection arrives, like delay = \"2s\"", "{}");
pub(super) const RESET_AFTER: Key =
    Key::time("after", "say how long a connection is silent before it is reset, like after = \"1s\"", "{}");
pub(super) const STREAM: Key = Key::word("stream", "stream", || Stream::ALL.map(|(word, _)| word).to_vec(), "", "{}");
pub(super) const CONNECTIONS: Key = Key::word(
    "connections",
    "choice of connections",
    || Scope::ALL.map(|(word, _)| word).to_vec(),
    "",
    "{} connections",
);
pub(super) const TOXICITY: Key = Key {
    name: "toxicity",
    form: Form::Share {
        least: 1e-6,
        most: 1.0,
        range: "a share of the connections: 0.5 is every second one, more than 0 and at most 1",
    },
    missing: "",
    shown: "{} of them",
};

// ---- packets

pub(super) const LOSS: Key = Key {
    name: "share",
    form: Form::Share {
        least: 0.001,
        most: 0.9,
        range: "a share of all packets: 0.2 is every fifth; 0.001 to 0.9 (for all of them: kind = \"blackhole\")",
    },
    missing: "say how many packets are lost, like share = 0.2",
    shown: "{} of them",
};
pub(super) const CODE: Key = Key::word(
    "code",
    "code",
    || IcmpCode::ALL.map(|(word, _)| word).to_vec(),
    "say what the firewall answers, one of:",
    "{}",
);

// ---- idle connections

pub(super) const IDLE: Key = Key::time("after", "say how long a connection must be idle, like after = \"2s\"", "{}");
/// Whole seconds only: if a fraction was rounded up, the file would not state the time in use.
pub(super) const IDLE_WHOLE: Key =
    Key { form: Form::Time { least: Duration::from_secs(1), whole_seconds: Some("the table of connections") }, ..IDLE };
pub(super) const DEVICE: Key =
    Key::word("device", "device", || IdleDevice::ALL.map(|(word, _)| word).to_vec(), "say which, one of:", "{}");
pub(super) const SCALE: Key = Key {
    name: "scale",
    form: Form::Count { least: 1, most: LARGEST_SCALE, note: ": the device's own time is divided by it" },
    missing: "",
    shown: "{}",
};

// ---- the server

pub(super) const MODE: Key = Key::word(
    "mode",
    "mode",
    || StopMode::ALL.map(|(word, _)| word).to_vec(),
    "write the shutdown mode: smart, fast or immediate",
    "{}",
);
pub(super) const PROCESSOR: Key = Key {
    name: "share",
    form: Form::Share { least: 0.01, most: 0.9, range: "a share of one processor: 0.05 is a twentieth; 0.01 to 0.9" },
    missing: "say how much of a processor is left, like share = 0.05",
    shown: "{} of it",
};
pub(super) const TIMEOUT: Key = Key::time("after", "say how long the server waits, like after = \"2s\"", "{}");
