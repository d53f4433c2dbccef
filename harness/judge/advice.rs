//! Advice for a client that does not recover or whose calls hang, by the fault that was injected.
//!
//! *Source*: libpq's documentation (keepalives_idle, tcp_user_timeout, target_session_attrs); the documented idle times of
//! [`IdleDevice`]; RFC 1122, 4.2.3.5 and 4.2.3.6.

use super::facts::Facts;
use crate::model::fault::{FaultKind, IdleDevice, IdleStyle, Remedy};
use crate::model::time::exact;

/// Advice for a client that did not recover.
pub(super) fn to_recover(facts: &Facts) -> String {
    let own = special(facts);
    let own = own.unwrap_or_else(|| "retry with backoff until the server is back".to_owned());
    format!("replace every connection that failed, and test pooled connections before use; {own}")
}

/// Advice for calls that do not return.
pub(super) fn to_return(facts: &Facts) -> String {
    let own = special(facts).map_or_else(String::new, |own| format!("; {own}"));
    format!(
        "give every call a deadline of its own: TCP alone detects a silent peer only after 15 minutes, and a frozen one \
         never{own}"
    )
}

/// The remedy of the first fault that has one of its own.
fn special(facts: &Facts) -> Option<String> {
    facts.header.faults.iter().find_map(|fault| remedy(&fault.kind, facts))
}

fn remedy(kind: &FaultKind, facts: &Facts) -> Option<String> {
    match kind.spec().remedy {
        Remedy::General => None,
        Remedy::IdleDevice(style) => Some(idle(facts, style)),
        Remedy::Advice(text) => Some(text.to_owned()),
    }
}

/// Advice for a device that ends idle connections.
fn idle(facts: &Facts, style: IdleStyle) -> String {
    let asked = facts.header.setup.device.as_ref();
    let known = asked.and_then(|asked| IdleDevice::ALL.iter().find(|(word, _)| *word == asked.device));
    let of = |device: &IdleDevice| format!("{}: {}", device.name, exact(device.after));
    let devices = match known {
        Some((_, device)) => of(device),
        None => {
            let same = IdleDevice::ALL.iter().filter(|(_, device)| device.style == style);
            same.map(|(_, device)| of(device)).collect::<Vec<_>>().join(", ")
        }
    };
    match style {
        IdleStyle::Close => format!(
            "let the pool close idle connections before the device does, because keepalive does not count there ({devices})"
        ),
        IdleStyle::Silent | IdleStyle::Reset => {
            format!("start TCP keepalive well before the device's idle timeout (keepalives_idle; {devices})")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::judge::Check;
    use crate::judge::samples::{HIT, Sample, refused};
    use crate::model::fault::DeviceAsked;

    fn advice(kind: FaultKind, device: Option<&str>) -> String {
        let mut sample = Sample::healthy();
        sample.header.faults[0].kind = kind;
        sample.header.setup.device = device.map(|device| DeviceAsked { device: device.to_owned(), scale: 100 });
        sample.fail(|op| op.began >= HIT, &refused());
        let verdict = sample.verdict();
        let (_, findings) = verdict.failures().find(|(check, _)| *check == Check::Recovered).unwrap();
        findings[0].advice.clone()
    }

    #[test]
    fn advice_depends_on_the_fault() {
        let after = Duration::from_secs(3);
        let drop = advice(FaultKind::IdleDrop { after }, None);
        assert!(drop.contains("keepalives_idle; an Azure Load Balancer: 4m, the connection tracking"), "{drop}");
        let reset = advice(FaultKind::IdleReset { after }, Some("aws-nlb"));
        assert!(reset.ends_with("(keepalives_idle; an AWS Network Load Balancer: 5m 50s)"), "{reset}");
        let close = advice(FaultKind::IdleClose { after }, None);
        assert!(close.contains("keepalive does not count there (nginx, stream proxy: 10m"), "{close}");
        assert!(advice(FaultKind::Freeze, None).contains("only a deadline does"));
        assert!(advice(FaultKind::Reset, None).ends_with("retry with backoff until the server is back"));
    }
}
