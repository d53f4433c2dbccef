//! Durations as text: with a unit in scenario files and on the command line, as whole microseconds in stored files.
//!
//! Instants of a run are a [`Duration`] since its origin. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

/// Parses a duration written with a unit, as in scenario files and on the command line.
///
/// *Shape*: one or more `<integer><unit>` parts, `"500ms"`, `"2s"`, `"1m 30s"`.
///
/// *Errors*: a message that names the mistake and the correct form.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if let Some(number) = text.trim().parse::<f64>().ok().filter(|number| number.is_finite()) {
        return Err(format!("{text:?} has no unit: write \"{number}s\" or \"{number}ms\""));
    }
    humantime::parse_duration(text)
        .map_err(|error| format!("{text:?} is not a duration ({error}): write it like \"500ms\", \"2s\" or \"1m 30s\""))
}

/// Formats a duration for people: three significant figures and one unit; minutes and seconds from two minutes on.
///
/// *Shape*: `812 µs`, `54.1 ms`, `3.02 s`, `2m 5s`.
pub fn show(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 120.0 {
        format!("{}m {}s", duration.as_secs() / 60, duration.as_secs() % 60)
    } else if seconds >= 0.9995 {
        significant(seconds, "s")
    } else if seconds >= 0.000_999_5 {
        significant(seconds * 1e3, "ms")
    } else {
        format!("{:.0} µs", seconds * 1e6)
    }
}

fn significant(value: f64, unit: &str) -> String {
    let decimals = match value {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$} {unit}")
}

/// Formats a duration so that [`parse_duration`] returns the same value.
pub fn exact(duration: Duration) -> impl fmt::Display {
    humantime::format_duration(duration)
}

/// Serde for a duration as whole microseconds; fields that use it are named `*_us`.
pub(crate) mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        // 2^64 µs is half a million years: a run cannot overflow it.
        to.serialize_u64(value.as_micros() as u64)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_micros)
    }
}

/// Serde for an optional duration as whole microseconds.
pub(crate) mod optional_micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.serialize_some(&(value.as_micros() as u64)),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Option::<u64>::deserialize(from).map(|value| value.map(Duration::from_micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_without_unit_is_told_how_to_get_one() {
        let error = parse_duration("5").unwrap_err();
        assert!(error.contains("no unit") && error.contains("\"5s\""), "{error}");
        assert!(parse_duration("5 parsecs").unwrap_err().contains("500ms"));
    }

    #[test]
    fn shown_with_three_significant_figures() {
        let shown: Vec<_> = [0, 812, 54_090, 999_400, 999_600, 3_021_000, 65_000_000, 125_000_000]
            .map(|us| show(Duration::from_micros(us)))
            .into();
        assert_eq!(shown, ["0 µs", "812 µs", "54.1 ms", "999 ms", "1.00 s", "3.02 s", "65.0 s", "2m 5s"]);
    }
}
