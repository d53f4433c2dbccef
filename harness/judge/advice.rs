//! What usually cures a client that does not come back, or whose calls hang: it depends on what was done to it.
//!
//! *Source*: libpq's documentation (keepalives_idle, tcp_user_timeout, target_session_attrs); the documented idle times of
//! [`IdleDevice`]; RFC 1122, 4.2.3.5 and 4.2.3.6.

use super::facts::Facts;
use crate::model::fault::{FaultKind, IdleDevice, IdleStyle, Remedy};
use crate::model::time::exact;

/// For a client that is not back.
pub(super) fn to_recover(facts: &Facts) -> String {
    let own = special(facts);
    let own = own.unwrap_or_else(|| "retry with backoff until the server is back".to_owned());
    format!("replace every connection that failed, and test pooled connections before use; {own}")
}

/// For calls that do not return.
pub(super) fn to_return(facts: &Facts) -> String {
    let own = special(facts).map_or_else(String::new, |own| format!("; {own}"));
    format!(
        "give every call a deadline of its own: TCP alone notices a silent peer after 15 minutes, and a frozen one \
         never{own}"
    )
}

/// What the first of the faults asks for that has a remedy of its own.
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

/// Before something that ends what is idle.
fn idle(facts: &Facts, style: IdleStyle) -> String {
    let asked = facts.header.device.as_ref();
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
            "let the pool retire idle connections before the device does, since keepalive does not count there ({devices})"
        ),
        IdleStyle::Silent | IdleStyle::Reset => {
            format!("have TCP keepalive begin well before the device's idle time (keepalives_idle; {devices})")
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
        sample.header.device = device.map(|device| DeviceAsked { device: device.to_owned(), scale: 100 });
        sample.fail(|op| op.began >= HIT, &refused());
        let verdict = sample.verdict();
        let (_, findings) = verdict.failures().find(|(check, _)| *check == Check::Recovered).unwrap();
        findings[0].advice.clone()
    }

    #[test]
    fn the_remedy_is_that_of_the_fault() {
        let after = Duration::from_secs(3);
        let drop = advice(FaultKind::IdleDrop { after }, None);
        assert!(drop.contains("keepalives_idle; an Azure Load Balancer: 4m, the connection tracking"), "{drop}");
        let reset = advice(FaultKind::IdleReset { after }, Some("aws-nlb"));
        assert!(reset.ends_with("(keepalives_idle; an AWS Network Load Balancer: 5m 50s)"), "{reset}");
        let close = advice(FaultKind::IdleClose { after }, None);
        assert!(close.contains("keepalive does not count there (nginx, stream proxy: 10m"), "{close}");
        assert!(advice(FaultKind::Freeze, None).contains("only by a deadline"));
        assert!(advice(FaultKind::Reset, None).ends_with("retry with backoff until the server is back"));
    }
}
