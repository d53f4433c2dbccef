//! One fault of a scenario file: its kind, and the further keys that the row of the kind names.

use std::ops::Range;

use toml::Spanned;

use super::error::{ScenarioError, Text};
use super::meaning::{at_least, whole_seconds, word};
use super::table::Table;
use crate::model::fault::{Course, FaultKind, FaultSpec, Form, Key, Share, Value, Values};

type Checked<T> = Result<T, ScenarioError>;

/// Reads the kind of a fault with the values of its keys; also returns the position of the kind's word. The caller has
/// taken `at` and `for`.
pub(super) fn kind(text: Text<'_>, mut table: Table<'_>) -> Checked<(FaultKind, Range<usize>)> {
    let Some(kind) = table.string("kind")? else {
        let words = FaultSpec::all().map(|spec| spec.word).collect::<Vec<_>>().join(", ");
        let hint = format!("say what is injected, one of: {words}");
        return Err(text.error(table.span.clone(), "the fault has no `kind`", hint));
    };
    let known: Vec<_> = FaultSpec::all().map(|spec| (spec.word, spec)).collect();
    let spec = word(text, "kind of fault", &kind, &known)?;
    let mut values = Values::default();
    let mut places = Vec::new();
    for key in spec.shape.keys {
        if let Some(value) = value(text, &mut table, key)? {
            values.0.push((key, value.get_ref().to_owned()));
            places.push((key.name, value.span()));
        } else if !key.missing.is_empty() {
            return Err(text.error(kind.span(), format!("the fault has no `{}`", key.name), missing(key)));
        }
    }
    let built = (spec.shape.build)(&values).map_err(|error| {
        let place = places.iter().find(|(key, _)| *key == error.key).map_or(kind.span(), |(_, place)| place.clone());
        text.error(place, error.message, error.hint)
    })?;
    match table.left() {
        None => Ok((built, kind.span())),
        Some((place, key, value)) => Err(left(text, &table, spec, (place, key, value))),
    }
}

/// The error for a key that this kind does not have: it belongs to another kind, or to none.
fn left(
    text: Text<'_>,
    table: &Table<'_>,
    spec: &FaultSpec,
    (place, key, value): (Range<usize>, &str, Range<usize>),
) -> ScenarioError {
    let keys = spec.shape.keys.iter().map(|key| key.name);
    let lasts = spec.course != Course::Instant || spec.shape.keys.iter().any(|key| key.name == "every");
    let known: Vec<_> = std::iter::once("at").chain(lasts.then_some("for")).chain(keys).collect();
    if !FaultSpec::all().any(|other| other.shape.keys.iter().any(|other| other.name == key)) {
        return table.unknown(place, key, &[&["kind"], known.as_slice()].concat());
    }
    let word = spec.word;
    let hint = format!("remove `{key}`; keys of {word}: {}", known.join(", "));
    text.error(value, format!("{word} has no `{key}`"), hint)
}

/// Returns the hint for a missing key.
fn missing(key: &Key) -> String {
    match key.form {
        Form::Word { words, .. } if key.missing.ends_with(':') => format!("{} {}", key.missing, words().join(", ")),
        Form::Word { .. } | Form::Time { .. } | Form::Count { .. } | Form::Share { .. } => key.missing.to_owned(),
    }
}

/// Reads the value of a key in the key's form.
fn value(text: Text<'_>, table: &mut Table<'_>, key: &Key) -> Checked<Option<Spanned<Value>>> {
    let out_of_range =
        |span: Range<usize>, hint: String| text.error(span, format!("`{}` is out of range", key.name), hint);
    match key.form {
        Form::Time { least, whole_seconds: keeper } => table.period(key.name)?.map(|value| {
            let time = match keeper {
                Some(keeper) => whole_seconds(text, key.name, &value, keeper)?,
                None => at_least(text, key.name, &value, least)?,
            };
            Ok(Spanned::new(value.span(), Value::Time(time)))
        }),
        Form::Count { least, most, note } => table.integer(key.name)?.map(|value| {
            let count = u32::try_from(*value.get_ref()).ok().filter(|count| (least..=most).contains(count));
            let count = count.ok_or_else(|| out_of_range(value.span(), format!("{least} to {most}{note}")))?;
            Ok(Spanned::new(value.span(), Value::Count(count.into())))
        }),
        Form::Share { least, most, range } => table.float(key.name)?.map(|value| {
            let share = Share::new(*value.get_ref()).filter(|share| (least..=most).contains(&share.as_f64()));
            let share = share.ok_or_else(|| out_of_range(value.span(), range.to_owned()))?;
            Ok(Spanned::new(value.span(), Value::Share(share)))
        }),
        Form::Word { what, words } => table.string(key.name)?.map(|value| {
            let known: Vec<_> = words().into_iter().map(|word| (word, word)).collect();
            Ok(Spanned::new(value.span(), Value::Word(word(text, what, &value, &known)?)))
        }),
    }
    .transpose()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Returns valid keys for a kind, without `at` and `for`.
    fn keys(kind: &str) -> &'static str {
        match kind {
            "restart" => "mode = \"fast\"",
            "cut-point" => "point = \"startup\"\naction = \"drop\"\ntimes = 3",
            "latency" => "delay = \"200ms\"\njitter = \"200ms\"\nstream = \"upstream\"\nconnections = \"new\"",
            "bandwidth" => "bytes_per_second = 16000\ntoxicity = 1.0",
            "slicer" => "average = 10\nspread = 9\npause = \"1ms\"",
            "limit" => "bytes = 1000",
            "stall" => "close_after = \"1s\"\nconnections = \"established\"",
            "slow-close" => "delay = \"1s\"",
            "packet-loss" => "share = 0.2",
            "reject-icmp" => "code = \"host-unreachable\"",
            "blackhole" => "stream = \"downstream\"\nconnections = \"established\"",
            "idle-device" => "device = \"azure-lb\"\nscale = 60",
            "reset-after" | "idle-close" | "idle-reset" | "idle-drop" => "after = \"1s\"",
            "idle-session-timeout" | "idle-in-transaction-timeout" | "statement-timeout" => "after = \"1s\"",
            "throttle-processor" => "share = 0.05",
            _ => "",
        }
    }

    /// Returns valid times for a kind.
    fn onset(kind: &str) -> &'static str {
        let is_arranged = FaultSpec::all().any(|spec| spec.word == kind && spec.course == Course::Arranged);
        if is_arranged { "0s" } else { "2s" }
    }

    /// Returns the other tables that a kind requires.
    fn surroundings(kind: &str) -> &'static str {
        match kind {
            "standby-first" | "promote-beside-primary" => {
                "[server]\nstandby = true\n[client]\nhosts = [\"standby\", \"primary\"]\n"
            }
            "promote-in-place" => "[server]\nstandby = true\n[client]\nhosts = [\"standby\"]\n",
            "demote-primary" => "[server]\nstandby = true\n[client]\nhosts = [\"primary\", \"standby\"]\n",
            "dead-address-hangs" | "dead-address-refuses" => "[client]\nhosts = [\"nobody\", \"primary\"]\n",
            "promote-standby" | "lead-to-standby" => "[server]\nstandby = true\n",
            "fill-disk" => "[server]\nsmall_disk = \"heap\"\n",
            kind if kind.starts_with("dns-") => "[client]\nfound_by = \"name\"\n",
            "rotate-password" => "[client]\npassword = \"file\"\n",
            "wrong-host" => "[client]\nhosts = [\"unresolvable\"]\n",
            "require-tls" => "[server]\ntls = \"1.3\"\n",
            kind if kind.contains("certificate") => {
                "[server]\ntls = \"1.3\"\n[client]\nsslmode = \"verify-full\"\ncertificate = true\n"
            }
            _ => "",
        }
    }

    #[test]
    fn every_kind_can_be_written_and_keeps_its_word() {
        for word in FaultSpec::all().map(|spec| spec.word) {
            let fault = |lasts: &str| {
                let (keys, at) = (keys(word), onset(word));
                let around = surroundings(word);
                let text = format!(
                    "schema = 1\ntitle = \"t\"\n{around}[path]\nthrough = \"haproxy\"\n[[fault]]\nkind = \"{word}\"\nat = \"{at}\"\n{lasts}{keys}\n"
                );
                crate::scenario::Scenario::parse("mine", "file", "mine.toml", &text).map(|found| found.faults[0])
            };
            let (instant, lasting) = (fault(""), fault("for = \"3s\"\n"));
            let fault = instant.clone().or(lasting.clone()).unwrap_or_else(|error| panic!("{error}"));
            assert!(instant.is_err() || lasting.is_err(), "{word} lasts or does not");
            // A scenario names a device by its own word; the fault has that device's idle time.
            let own = if word == "idle-device" { "idle-drop" } else { word };
            assert_eq!((fault.kind.word(), fault.kind.is_instant()), (own, instant.is_ok()));
        }
    }

    #[test]
    fn a_cut_that_is_repeated_lasts() {
        let text =
            "schema = 1\ntitle = \"t\"\n[[fault]]\nkind = \"reset\"\nat = \"2s\"\nfor = \"10s\"\nevery = \"500ms\"\n";
        let fault = crate::scenario::Scenario::parse("mine", "file", "mine.toml", text).unwrap().faults[0];
        assert_eq!(fault.kind, FaultKind::ResetRepeatedly { every: Duration::from_millis(500) });
        assert_eq!(fault.lasts, Duration::from_secs(10));
    }
}
