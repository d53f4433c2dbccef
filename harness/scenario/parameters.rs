//! The further keys of a fault: which kind has which, what they mean, and that no other stands there.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;

use super::error::{ScenarioError, Text};
use super::meaning::{at_least, whole_seconds, word};
use super::raw::{Period, RawFault};
use crate::model::fault::{
    CertificateFault, CutPoint, Failover, FaultKind, IcmpCode, IdleDevice, LARGEST_SCALE, NameFault, Point, Scope,
    ServerTimeout, Share, StopMode, Stream, Strike, Toxic, ToxicKind, USUAL_SCALE,
};
use crate::model::time::exact;

type Checked<T> = Result<T, ScenarioError>;

/// Shortest time in a fault: the resolution of the timers that carry it out.
const SHORTEST: Duration = Duration::from_millis(1);

/// Shortest pause between repetitions: the gateway must have ended every connection before it does so again.
const SHORTEST_EVERY: Duration = Duration::from_millis(10);

/// What reads the keys of one kind.
type Reader = fn(&mut Keys) -> Checked<FaultKind>;

/// Every kind that has a word of its own; the words of families are in their own lists.
const KINDS: [(&str, Reader); 46] = [
    ("close", |keys| cutting(keys, FaultKind::Close, |every| FaultKind::CloseRepeatedly { every })),
    ("reset", |keys| cutting(keys, FaultKind::Reset, |every| FaultKind::ResetRepeatedly { every })),
    ("half-open", |_| Ok(FaultKind::HalfOpen)),
    ("cut-point", cut_point),
    ("refuse", |_| Ok(FaultKind::Refuse)),
    ("hang", |_| Ok(FaultKind::Hang)),
    ("reject", |_| Ok(FaultKind::Reject)),
    ("stall", stall),
    ("latency", latency),
    ("bandwidth", bandwidth),
    ("slicer", slicer),
    ("limit", limit),
    ("slow-close", slow_close),
    ("reset-after", reset_after),
    ("blackhole", blackhole),
    ("packet-loss", packet_loss),
    ("reject-icmp", reject_icmp),
    ("idle-drop", idle_drop),
    ("idle-close", |keys| Ok(FaultKind::IdleClose { after: idle_time(keys)? })),
    ("idle-reset", |keys| Ok(FaultKind::IdleReset { after: idle_time(keys)? })),
    ("idle-device", idle_device),
    ("idle-expiry", |_| Ok(FaultKind::IdleExpiry)),
    ("middlebox-restart", |_| Ok(FaultKind::MiddleboxRestart)),
    ("restart", restart),
    ("kill", |_| Ok(FaultKind::Kill)),
    ("freeze", |_| Ok(FaultKind::Freeze)),
    ("terminate-sessions", |_| Ok(FaultKind::TerminateSessions)),
    ("exhaust-connections", |_| Ok(FaultKind::ExhaustConnections)),
    ("wrong-password", |_| Ok(FaultKind::WrongPassword)),
    ("long-recovery", |_| Ok(FaultKind::LongRecovery)),
    ("crash-backend", |_| Ok(FaultKind::CrashBackend)),
    ("exhaust-ordinary-connections", |_| Ok(FaultKind::ExhaustOrdinaryConnections)),
    ("limit-role-connections", |_| Ok(FaultKind::LimitRole)),
    ("herd", |_| Ok(FaultKind::Herd)),
    ("exhaust-memory", |_| Ok(FaultKind::ExhaustMemory)),
    ("fill-disk", |_| Ok(FaultKind::FillDisk)),
    ("throttle-processor", throttle),
    ("wrong-user", |_| Ok(FaultKind::WrongUser)),
    ("wrong-database", |_| Ok(FaultKind::WrongDatabase)),
    ("wrong-host", |_| Ok(FaultKind::WrongHost)),
    ("rotate-password", |_| Ok(FaultKind::RotatePassword)),
    ("forbid-login", |_| Ok(FaultKind::ForbidLogin)),
    ("revoke-connect", |_| Ok(FaultKind::RevokeConnect)),
    ("deny-host", |_| Ok(FaultKind::DenyHost)),
    ("deny-range", |_| Ok(FaultKind::DenyRange)),
    ("require-tls", |_| Ok(FaultKind::RequireTls)),
];

/// How the further keys of a kind are read.
#[derive(Clone, Copy)]
enum Read {
    By(Reader),
    Certificate(CertificateFault),
    Failover(Failover),
    ServerTimeout(ServerTimeout),
    Name(NameFault),
}

/// Every kind, by its word.
fn kinds() -> Vec<(&'static str, Read)> {
    let mut kinds: Vec<_> = KINDS.iter().map(|(word, reader)| (*word, Read::By(*reader))).collect();
    kinds.extend(CertificateFault::ALL.map(|(word, fault)| (word, Read::Certificate(fault))));
    kinds.extend(Failover::ALL.map(|(word, failover)| (word, Read::Failover(failover))));
    kinds.extend(NameFault::ALL.map(|(word, fault)| (word, Read::Name(fault))));
    kinds.extend(ServerTimeout::ALL.map(|(word, timeout)| (word, Read::ServerTimeout(timeout))));
    kinds
}

/// The kind of a fault, with all that belongs to it; its keys are taken out of `raw`. `span` is where the fault begins.
///
/// Returns also where the word stands.
pub(super) fn kind(text: Text<'_>, raw: &mut RawFault, span: Range<usize>) -> Checked<(FaultKind, Range<usize>)> {
    let kinds = kinds();
    let Some(kind_word) = raw.kind.take() else {
        let words = kinds.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        return Err(text.error(span, "the fault has no `kind`", format!("say what is injected, one of: {words}")));
    };
    let read = word(text, "kind of fault", &kind_word, &kinds)?;
    let mut keys = Keys { text, raw, kind: kind_word.span(), taken: Vec::new() };
    let kind = match read {
        Read::By(reader) => reader(&mut keys)?,
        Read::Certificate(fault) => FaultKind::Certificate(fault),
        Read::Failover(failover) => FaultKind::Failover(failover),
        Read::Name(fault) => FaultKind::Name(fault),
        Read::ServerTimeout(timeout) => {
            let hint = "say how long the server waits, like after = \"2s\"";
            let after = keys.need_time("after", |raw| &mut raw.after, hint)?;
            FaultKind::ServerTimeout { timeout, after }
        }
    };
    let mut known: Vec<&str> = vec!["at"];
    if !kind.is_instant() || keys.taken.contains(&"every") {
        known.push("for");
    }
    known.extend(keys.taken);
    match left(raw) {
        None => Ok((kind, kind_word.span())),
        Some((key, span)) => {
            let word = kind_word.get_ref();
            let message = format!("{word} has no `{key}`");
            Err(text.error(span, message, format!("remove `{key}`; keys of {word}: {}", known.join(", "))))
        }
    }
}

/// A key that no reader has taken, and where its value stands.
fn left(raw: &RawFault) -> Option<(&'static str, Range<usize>)> {
    fn at<T>(value: &Option<Spanned<T>>) -> Option<Range<usize>> {
        value.as_ref().map(Spanned::span)
    }
    let spans = [
        ("mode", at(&raw.mode)),
        ("every", at(&raw.every)),
        ("point", at(&raw.point)),
        ("action", at(&raw.action)),
        ("times", at(&raw.times)),
        ("delay", at(&raw.delay)),
        ("jitter", at(&raw.jitter)),
        ("bytes_per_second", at(&raw.bytes_per_second)),
        ("average", at(&raw.average)),
        ("spread", at(&raw.spread)),
        ("pause", at(&raw.pause)),
        ("bytes", at(&raw.bytes)),
        ("after", at(&raw.after)),
        ("close_after", at(&raw.close_after)),
        ("stream", at(&raw.stream)),
        ("connections", at(&raw.connections)),
        ("toxicity", at(&raw.toxicity)),
        ("share", at(&raw.share)),
        ("code", at(&raw.code)),
        ("device", at(&raw.device)),
        ("scale", at(&raw.scale)),
    ];
    spans.into_iter().find_map(|(key, span)| Some((key, span?)))
}

/// The keys of one fault, taken one by one.
struct Keys<'a> {
    text: Text<'a>,
    raw: &'a mut RawFault,
    /// Where the word of the kind stands.
    kind: Range<usize>,
    /// What has been asked for so far, whether it was there or not.
    taken: Vec<&'static str>,
}

/// Where a key is in a fault.
type Field<T> = fn(&mut RawFault) -> &mut Option<Spanned<T>>;

impl Keys<'_> {
    fn take<T>(&mut self, key: &'static str, field: Field<T>) -> Option<Spanned<T>> {
        self.taken.push(key);
        field(self.raw).take()
    }

    /// A key that must be there; `hint` says what it is for.
    fn need<T>(&mut self, key: &'static str, field: Field<T>, hint: &str) -> Checked<Spanned<T>> {
        let found = self.take(key, field);
        found.ok_or_else(|| self.text.error(self.kind.clone(), format!("the fault has no `{key}`"), hint))
    }

    fn time(&mut self, key: &'static str, field: Field<Period>) -> Checked<Option<Duration>> {
        let found = self.take(key, field);
        found.map(|value| at_least(self.text, key, &value, SHORTEST)).transpose()
    }

    fn need_time(&mut self, key: &'static str, field: Field<Period>, hint: &str) -> Checked<Duration> {
        let value = self.need(key, field, hint)?;
        at_least(self.text, key, &value, SHORTEST)
    }

    /// A whole number in a range.
    fn count(&self, key: &str, value: &Spanned<i64>, range: Range<u32>) -> Checked<u32> {
        u32::try_from(*value.get_ref()).ok().filter(|count| range.contains(count)).ok_or_else(|| {
            let message = format!("`{key}` is out of range");
            self.text.error(value.span(), message, format!("{} to {}", range.start, range.end - 1))
        })
    }

    fn need_count(&mut self, key: &'static str, field: Field<i64>, hint: &str) -> Checked<u32> {
        let value = self.need(key, field, hint)?;
        self.count(key, &value, 1..u32::MAX)
    }
}

fn restart(keys: &mut Keys) -> Checked<FaultKind> {
    let mode =
        keys.need("mode", |raw| &mut raw.mode, "say how the server is told to stop: smart, fast or immediate")?;
    Ok(FaultKind::Restart(word(keys.text, "mode", &mode, &StopMode::ALL)?))
}

fn cutting(keys: &mut Keys, once: FaultKind, repeatedly: fn(Duration) -> FaultKind) -> Checked<FaultKind> {
    match keys.take("every", |raw| &mut raw.every) {
        Some(every) => Ok(repeatedly(at_least(keys.text, "every", &every, SHORTEST_EVERY)?)),
        None => Ok(once),
    }
}

fn cut_point(keys: &mut Keys) -> Checked<FaultKind> {
    let text = keys.text;
    let points = Point::ALL.map(|(word, _)| word).join(", ");
    let hint = format!("say at which moment of the protocol, one of: {points}");
    let point = keys.need("point", |raw| &mut raw.point, &hint)?;
    let point = word(text, "point", &point, &Point::ALL)?;
    let action = keys.need("action", |raw| &mut raw.action, "say what is done there: reset, close, hold or drop")?;
    let strike = word(text, "action", &action, &Strike::ALL)?;
    if strike == Strike::Drop && !point.holds_message() {
        let can: Vec<_> = Point::ALL.iter().filter(|(_, point)| point.holds_message()).map(|(word, _)| *word).collect();
        let hint = format!("write reset, close or hold; a message can be dropped at: {}", can.join(", "));
        return Err(text.error(action.span(), "nothing can be dropped there: it has been passed on", hint));
    }
    let times = keys.take("times", |raw| &mut raw.times);
    let times = times.map(|value| keys.count("times", &value, 1..u32::MAX)).transpose()?;
    Ok(FaultKind::CutPoint(CutPoint { point, strike, times }))
}

fn stall(keys: &mut Keys) -> Checked<FaultKind> {
    let close_after = keys.time("close_after", |raw| &mut raw.close_after)?;
    toxic(keys, ToxicKind::Stall { close_after })
}

fn latency(keys: &mut Keys) -> Checked<FaultKind> {
    let hint = "say how much later bytes arrive, like delay = \"200ms\"";
    let delay = keys.need_time("delay", |raw| &mut raw.delay, hint)?;
    let jitter = match keys.take("jitter", |raw| &mut raw.jitter) {
        None => Duration::ZERO,
        Some(value) => match at_least(keys.text, "jitter", &value, SHORTEST)? {
            jitter if jitter > delay => {
                let hint = format!("at most \"{}\": bytes do not arrive before they were sent", exact(delay));
                return Err(keys.text.error(value.span(), "`jitter` is longer than `delay`", hint));
            }
            jitter => jitter,
        },
    };
    toxic(keys, ToxicKind::Latency { delay, jitter })
}

fn bandwidth(keys: &mut Keys) -> Checked<FaultKind> {
    let hint = "say how much passes, like bytes_per_second = 16000";
    let rate = keys.need_count("bytes_per_second", |raw| &mut raw.bytes_per_second, hint)?;
    toxic(keys, ToxicKind::Bandwidth { bytes_per_second: rate.into() })
}

fn slicer(keys: &mut Keys) -> Checked<FaultKind> {
    let hint = "say how many bytes a piece has, like average = 64";
    let average = keys.need_count("average", |raw| &mut raw.average, hint)?;
    // A piece has at least one byte.
    let variation = keys.take("spread", |raw| &mut raw.spread);
    let variation = variation.map(|value| keys.count("spread", &value, 0..average)).transpose()?.unwrap_or_default();
    let pause = keys.time("pause", |raw| &mut raw.pause)?.unwrap_or_default();
    toxic(keys, ToxicKind::Slicer { average, variation, pause })
}

fn limit(keys: &mut Keys) -> Checked<FaultKind> {
    let hint = "say how much passes before the connection is closed, like bytes = 1000";
    let bytes = keys.need_count("bytes", |raw| &mut raw.bytes, hint)?;
    toxic(keys, ToxicKind::Limit { bytes: bytes.into() })
}

fn slow_close(keys: &mut Keys) -> Checked<FaultKind> {
    let hint = "say how much later the end of a connection arrives, like delay = \"2s\"";
    let delay = keys.need_time("delay", |raw| &mut raw.delay, hint)?;
    toxic(keys, ToxicKind::SlowClose { delay })
}

fn reset_after(keys: &mut Keys) -> Checked<FaultKind> {
    let hint = "say how long a connection is silent before it is reset, like after = \"1s\"";
    let after = keys.need_time("after", |raw| &mut raw.after, hint)?;
    toxic(keys, ToxicKind::Reset { after })
}

/// A toxic with what all toxics have: where it works, and on how many connections.
fn toxic(keys: &mut Keys, kind: ToxicKind) -> Checked<FaultKind> {
    let text = keys.text;
    let mut toxic = Toxic::from(kind);
    if let Some(stream) = keys.take("stream", |raw| &mut raw.stream) {
        toxic.stream = word(text, "stream", &stream, &Stream::ALL)?;
    }
    if let Some(scope) = keys.take("connections", |raw| &mut raw.connections) {
        toxic.scope = word(text, "choice of connections", &scope, &Scope::ALL)?;
    }
    if let Some(value) = keys.take("toxicity", |raw| &mut raw.toxicity) {
        let share = Share::new(*value.get_ref()).filter(|share| share.as_f64() > 0.0);
        toxic.toxicity = share.ok_or_else(|| {
            let hint = "a share of the connections: 0.5 is every second one, more than 0 and at most 1";
            text.error(value.span(), "`toxicity` is out of range", hint)
        })?;
    }
    Ok(FaultKind::Toxic(toxic))
}

fn throttle(keys: &mut Keys) -> Checked<FaultKind> {
    let hint = "say how much of a processor is left, like share = 0.05";
    let value = keys.need("share", |raw| &mut raw.share, hint)?;
    let share = Share::new(*value.get_ref()).filter(|share| (0.01..=0.9).contains(&share.as_f64()));
    let hint = "a share of one processor: 0.05 is a twentieth; 0.01 to 0.9";
    share.map(FaultKind::Throttle).ok_or_else(|| keys.text.error(value.span(), "`share` is out of range", hint))
}

fn blackhole(keys: &mut Keys) -> Checked<FaultKind> {
    let text = keys.text;
    let scope = match keys.take("connections", |raw| &mut raw.connections) {
        Some(scope) => word(text, "choice of connections", &scope, &Scope::ALL)?,
        None => Scope::Every,
    };
    let stream = match keys.take("stream", |raw| &mut raw.stream) {
        Some(stream) if scope == Scope::New => {
            let hint = "remove `stream`: without its first packet there is no connection to have streams";
            return Err(text.error(stream.span(), "a new connection has no streams yet", hint));
        }
        Some(stream) => word(text, "stream", &stream, &Stream::ALL)?,
        None => Stream::Both,
    };
    Ok(FaultKind::Blackhole { stream, scope })
}

fn packet_loss(keys: &mut Keys) -> Checked<FaultKind> {
    let hint = "say how many packets are lost, like share = 0.2";
    let value = keys.need("share", |raw| &mut raw.share, hint)?;
    let share = Share::new(*value.get_ref()).filter(|share| (0.001..=0.9).contains(&share.as_f64()));
    let hint = "a share of all packets: 0.2 is every fifth; 0.001 to 0.9 (for all of them: kind = \"blackhole\")";
    share.map(FaultKind::PacketLoss).ok_or_else(|| keys.text.error(value.span(), "`share` is out of range", hint))
}

fn reject_icmp(keys: &mut Keys) -> Checked<FaultKind> {
    let words = IcmpCode::ALL.map(|(word, _)| word).join(", ");
    let code = keys.need("code", |raw| &mut raw.code, &format!("say what the firewall answers, one of: {words}"))?;
    Ok(FaultKind::RejectIcmp(word(keys.text, "code", &code, &IcmpCode::ALL)?))
}

const IDLE_HINT: &str = "say how long a connection must be idle, like after = \"2s\"";

fn idle_time(keys: &mut Keys) -> Checked<Duration> {
    keys.need_time("after", |raw| &mut raw.after, IDLE_HINT)
}

fn idle_drop(keys: &mut Keys) -> Checked<FaultKind> {
    let value = keys.need("after", |raw| &mut raw.after, IDLE_HINT)?;
    // Rounded up, a file would not say what it does.
    Ok(FaultKind::IdleDrop { after: whole_seconds(keys.text, "after", &value, "the table of connections")? })
}

fn idle_device(keys: &mut Keys) -> Checked<FaultKind> {
    let words = IdleDevice::ALL.map(|(word, _)| word).join(", ");
    let device = keys.need("device", |raw| &mut raw.device, &format!("say which, one of: {words}"))?;
    let device = word(keys.text, "device", &device, &IdleDevice::ALL)?;
    let scale = match keys.take("scale", |raw| &mut raw.scale) {
        Some(value) => {
            let scale = u32::try_from(*value.get_ref()).ok().filter(|scale| (1..=LARGEST_SCALE).contains(scale));
            scale.ok_or_else(|| {
                let hint = format!("1 to {LARGEST_SCALE}: the device's own time is divided by it");
                keys.text.error(value.span(), "`scale` is out of range", hint)
            })?
        }
        None => USUAL_SCALE,
    };
    Ok(device.fault(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sound keys for a kind, beside `at` and `for`.
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

    /// When a kind may come.
    fn onset(kind: &str) -> &'static str {
        let arrangement = Failover::ALL.iter().any(|(word, failover)| *word == kind && failover.is_arrangement());
        if arrangement { "0s" } else { "2s" }
    }

    /// The tables that a kind asks for beside its own.
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
        for (word, _) in kinds() {
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
            // A device is a fault of another word, with that device's time.
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
