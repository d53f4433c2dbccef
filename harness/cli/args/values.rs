//! Value parsers for types of the library. Their errors say what to write.

use std::time::Duration;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use pgsquall::environment::choice::ServerChoice;
use pgsquall::model::fault::IdleDevice;
use pgsquall::model::seed::Seed;
use pgsquall::model::time::parse_duration;

/// Parses `--server`; its errors do not repeat the value, because a mistyped URL may hold a password.
#[derive(Clone)]
pub(super) struct ServerParser;

impl TypedValueParser for ServerParser {
    type Value = ServerChoice;

    fn parse_ref(
        &self,
        command: &clap::Command,
        _: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<ServerChoice, clap::Error> {
        value.to_string_lossy().parse().map_err(|reason: String| {
            let text =
                format!("invalid value for '--server <SERVER>': {reason}\n\nFor more information, try '--help'.\n");
            clap::Error::raw(ErrorKind::ValueValidation, text).with_cmd(command)
        })
    }
}

/// Parses a budget.
///
/// *Errors*: not a duration, or zero.
pub(super) fn positive(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("a budget must be longer than zero".into()),
        duration => Ok(duration),
    }
}

/// Parses any other duration that must not be zero.
///
/// *Errors*: not a duration, or zero.
pub(super) fn above_zero(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("it must be longer than zero".into()),
        duration => Ok(duration),
    }
}

pub(super) fn device(text: &str) -> Result<IdleDevice, String> {
    let found = IdleDevice::ALL.into_iter().find(|(word, _)| *word == text);
    let words = || IdleDevice::ALL.map(|(word, _)| word).join(", ");
    found.map(|(_, device)| device).ok_or_else(|| format!("no device {text:?}: write one of {}", words()))
}

pub(super) fn seed(text: &str) -> Result<Seed, String> {
    text.parse().map(Seed).map_err(|_| format!("{text:?} is not a seed: write the number that an earlier run printed"))
}
