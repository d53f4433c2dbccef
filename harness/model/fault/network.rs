//! The table rows of faults on the path to the server: connections that are cut or refused, packets that are filtered,
//! idle connections, and the middlebox. Toxics are in `toxic`.

use super::keys::{
    ACTION, CODE, CONNECTIONS, DEVICE, EVERY, IDLE, IDLE_WHOLE, KeyError, LOSS, POINT, SCALE, STREAM, TIMES, Values,
    need,
};
use super::spec::{ExpectedError as Error, FaultSpec, SILENCE, Shape, fault_table, unit};
use super::{CutPoint, FaultKind, IcmpCode, IdleDevice, IdleStyle, Point, Scope, Stream, Strike, USUAL_SCALE};
use crate::model::plane::Fidelity;

fault_table! { ENDS:
    CLOSE = "close" Path Instant Alike Open Kept Interrupted NoEvidence,
        OneAddress, General, Error::None, Shape { keys: &[EVERY], build: close };
    RESET = "reset" Path Instant Alike Open Kept Interrupted NoEvidence,
        OneAddress, General, Error::None, Shape { keys: &[EVERY], build: reset };
    // The kernel decides how keepalive probes are answered, and so when the client detects the loss.
    HALF_OPEN = "half-open" Path Instant TruerInKernel Open Kept Interrupted NoEvidence,
        OneAddress, SILENCE, Error::None, unit!(HalfOpen);
    CUT_POINT = "cut-point" Path Lasting Alike Open Kept Interrupted NoEvidence,
        OneAddress, General, Error::None, Shape { keys: &[POINT, ACTION, TIMES], build: cut_point };
    REFUSE = "refuse" Path Lasting Alike Blocked Kept Interrupted Evidence,
        OneAddress, General, Error::Refused, unit!(Refuse);
    HANG = "hang" Path Lasting TruerInKernel Blocked Kept Interrupted Evidence,
        OneAddress, Advice("limit connecting (connect_timeout), and try again"), Error::None, unit!(Hang);
    REJECT = "reject" Path Lasting TruerInKernel Blocked Kept Interrupted Evidence,
        OneAddress, General, Error::None, unit!(Reject);
}

/// Repeated cuts last until heal, unlike a single cut.
pub(super) const CLOSE_REPEATEDLY: FaultSpec = FaultSpec { course: super::spec::Course::Lasting, ..CLOSE };
pub(super) const RESET_REPEATEDLY: FaultSpec = FaultSpec { course: super::spec::Course::Lasting, ..RESET };

fault_table! { PACKETS:
    BLACKHOLE = "blackhole" Path Lasting KernelAlone Open Kept Interrupted NoEvidence,
        OneAddress, SILENCE, Error::TimedOut, Shape { keys: &[CONNECTIONS, STREAM], build: blackhole };
    PACKET_LOSS = "packet-loss" Path Lasting KernelAlone Open Kept Interrupted NoEvidence,
        OneAddress, SILENCE, Error::None, Shape { keys: &[LOSS], build: packet_loss };
    REJECT_ICMP = "reject-icmp" Path Lasting KernelAlone Open Kept Interrupted NoEvidence,
        OneAddress, SILENCE, Error::None, Shape { keys: &[CODE], build: reject_icmp };
    IDLE_DROP = "idle-drop" Path Lasting KernelAlone Open Kept Interrupted NoEvidence,
        OneAddress, IdleDevice(IdleStyle::Silent), Error::None, Shape { keys: &[IDLE_WHOLE], build: idle_drop };
    IDLE_CLOSE = "idle-close" Path Lasting Alike Open Kept Interrupted NoEvidence,
        OneAddress, IdleDevice(IdleStyle::Close), Error::None, Shape { keys: &[IDLE], build: idle_close };
    IDLE_RESET = "idle-reset" Path Lasting TruerInKernel Open Kept Interrupted NoEvidence,
        OneAddress, IdleDevice(IdleStyle::Reset), Error::None, Shape { keys: &[IDLE], build: idle_reset };
    // Only a notation: it builds one of the three faults above, with the documented time of a device; that fault has
    // its own row.
    IDLE_DEVICE = "idle-device" Path Lasting KernelAlone Open Kept Interrupted NoEvidence,
        OneAddress, IdleDevice(IdleStyle::Silent), Error::None, Shape { keys: &[DEVICE, SCALE], build: idle_device };
    IDLE_EXPIRY = "idle-expiry" Middlebox Lasting Alike Open Kept Interrupted NoEvidence,
        OneAddress, IdleDevice(IdleStyle::Close), Error::None, unit!(IdleExpiry);
    MIDDLEBOX_RESTART = "middlebox-restart" Middlebox Lasting Alike Blocked Kept Interrupted Evidence,
        OneAddress, General, Error::None, unit!(MiddleboxRestart);
}

/// The kernel's connection table counts whole seconds, so a time with a fraction is injected by the proxy plane.
pub(super) const IDLE_RESET_FRACTION: FaultSpec = FaultSpec { fidelity: Fidelity::Alike, ..IDLE_RESET };

type Built = Result<FaultKind, KeyError>;

fn close(values: &Values) -> Built {
    Ok(values.time(&EVERY).map_or(FaultKind::Close, |every| FaultKind::CloseRepeatedly { every }))
}

fn reset(values: &Values) -> Built {
    Ok(values.time(&EVERY).map_or(FaultKind::Reset, |every| FaultKind::ResetRepeatedly { every }))
}

fn cut_point(values: &Values) -> Built {
    let point = need(&POINT, values.word(&POINT, &Point::ALL))?;
    let strike = need(&ACTION, values.word(&ACTION, &Strike::ALL))?;
    if strike == Strike::Drop && !point.holds_message() {
        let can: Vec<_> = Point::ALL.iter().filter(|(_, point)| point.holds_message()).map(|(word, _)| *word).collect();
        let hint = format!("write reset, close or hold; a message can be dropped at: {}", can.join(", "));
        return Err(ACTION.error("nothing can be dropped there: it has been passed on", hint));
    }
    Ok(FaultKind::CutPoint(CutPoint { point, strike, times: values.count(&TIMES) }))
}

fn blackhole(values: &Values) -> Built {
    let scope = values.word(&CONNECTIONS, &Scope::ALL).unwrap_or(Scope::Every);
    let stream = values.word(&STREAM, &Stream::ALL);
    if stream.is_some() && scope == Scope::New {
        let hint = "remove `stream`: without its first packet there is no connection to have streams";
        return Err(STREAM.error("a new connection has no streams yet", hint));
    }
    Ok(FaultKind::Blackhole { stream: stream.unwrap_or(Stream::Both), scope })
}

fn packet_loss(values: &Values) -> Built {
    Ok(FaultKind::PacketLoss(need(&LOSS, values.share(&LOSS))?))
}

fn reject_icmp(values: &Values) -> Built {
    Ok(FaultKind::RejectIcmp(need(&CODE, values.word(&CODE, &IcmpCode::ALL))?))
}

fn idle_drop(values: &Values) -> Built {
    Ok(FaultKind::IdleDrop { after: need(&IDLE, values.time(&IDLE))? })
}

fn idle_close(values: &Values) -> Built {
    Ok(FaultKind::IdleClose { after: need(&IDLE, values.time(&IDLE))? })
}

fn idle_reset(values: &Values) -> Built {
    Ok(FaultKind::IdleReset { after: need(&IDLE, values.time(&IDLE))? })
}

fn idle_device(values: &Values) -> Built {
    let device: IdleDevice = need(&DEVICE, values.word(&DEVICE, &IdleDevice::ALL))?;
    Ok(device.fault(values.count(&SCALE).unwrap_or(USUAL_SCALE)))
}
