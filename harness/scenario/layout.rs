//! What a scenario says of its environment: which servers there are, and how the client is to find them.

use std::ops::Range;

use toml::Spanned;

use super::error::{ScenarioError, Text};
use super::meaning::{whole_seconds, word};
use super::raw::{Period, RawClient, RawKeepalive, RawServer, Table};
use crate::model::fault::{Failover, Fault, FaultKind};
use crate::model::topology::{Host, Keepalive, SmallDisk, SslMode, TargetSession, TlsVersion, Topology};

type Checked<T> = Result<T, ScenarioError>;

/// The layout, as far as it can be told without the faults. `server`, `client`: the tables of the file.
pub(super) fn layout(text: Text<'_>, server: Option<&RawServer>, client: Option<RawClient>) -> Checked<Topology> {
    let mut layout = Topology::default();
    if let Some(server) = server {
        layout.standby = server.standby.as_ref().is_some_and(|standby| *standby.get_ref());
        layout.tls =
            server.tls.as_ref().map(|value| word(text, "version of TLS", value, &TlsVersion::ALL)).transpose()?;
        let small_disk = server.small_disk.as_ref();
        layout.small_disk = small_disk.map(|value| word(text, "small disk", value, &SmallDisk::ALL)).transpose()?;
        layout.keepalive = server.keepalive.as_ref().map(|table| keepalive(text, table)).transpose()?;
    }
    let Some(client) = client else { return Ok(layout) };
    if let Some(hosts) = client.hosts {
        layout.hosts = addresses(text, &hosts, layout.standby)?;
    }
    if let Some(value) = client.target_session_attrs {
        layout.target_session = word(text, "choice of sessions", &value, &TargetSession::ALL)?;
    }
    if let Some(value) = client.sslmode {
        layout.sslmode = word(text, "sslmode", &value, &SslMode::ALL)?;
        if layout.sslmode == SslMode::VerifyFull && layout.tls.is_none() {
            return Err(without_tls(text, value.span(), "sslmode verify-full"));
        }
    }
    if let Some(value) = client.certificate.filter(|value| *value.get_ref()) {
        layout.client_certificate = true;
        if layout.sslmode != SslMode::VerifyFull {
            let hint = "add sslmode = \"verify-full\" to [client], and tls = \"1.3\" or \"1.2\" to [server]";
            return Err(text.error(value.span(), "a certificate is shown over TLS alone", hint));
        }
    }
    if let Some(value) = client.password {
        layout.password_file = word(text, "place of the password", &value, &[("given", false), ("file", true)])?;
    }
    if let Some(value) = client.found_by {
        layout.by_name = word(text, "way to find the server", &value, &[("address", false), ("name", true)])?;
        if layout.by_name && layout.hosts.contains(&Host::Unresolvable) {
            let hint = "remove \"unresolvable\" from `hosts`: dns-unresolvable takes a name away for a while";
            return Err(text.error(value.span(), "a name that does not resolve leads to no server", hint));
        }
    }
    Ok(layout)
}

/// The longest time of keepalive that a socket takes, in seconds.
///
/// *Source*: `MAX_TCP_KEEPIDLE` and `MAX_TCP_KEEPINTVL` of Linux.
const LONGEST_KEEPALIVE: u64 = 32_767;

/// The server's keepalive, all three parts of it.
fn keepalive(text: Text<'_>, table: &Spanned<Table<RawKeepalive>>) -> Checked<Keepalive> {
    const HINT: &str = "write all three, like keepalive = { idle = \"1s\", interval = \"1s\", count = 5 }";
    let RawKeepalive { idle, interval, count } = &table.get_ref().0;
    let missing = |key: &str| text.error(table.span(), format!("keepalive has no `{key}`"), HINT);
    let time = |key: &str, value: &Option<Spanned<Period>>| {
        let value = value.as_ref().ok_or_else(|| missing(key))?;
        let time = whole_seconds(text, key, value, "a socket's keepalive")?;
        if time.as_secs() > LONGEST_KEEPALIVE {
            return Err(text.error(value.span(), format!("`{key}` is too long"), "at most \"32767s\""));
        }
        Ok(time)
    };
    let (idle, interval) = (time("idle", idle)?, time("interval", interval)?);
    let count = count.as_ref().ok_or_else(|| missing("count"))?;
    let probes = u32::try_from(*count.get_ref()).ok().filter(|count| (1..=127).contains(count));
    let count = probes.ok_or_else(|| text.error(count.span(), "`count` is out of range", "1 to 127 probes"))?;
    Ok(Keepalive { idle, interval, count })
}

fn addresses(text: Text<'_>, hosts: &Spanned<Vec<Spanned<String>>>, standby: bool) -> Checked<Vec<Host>> {
    let mut found = Vec::new();
    for host in hosts.get_ref() {
        let kind = word(text, "host", host, &Host::ALL)?;
        if kind == Host::Standby && !standby {
            return Err(text.error(host.span(), "there is no standby", "add standby = true to [server]"));
        }
        if found.contains(&kind) {
            return Err(text.error(host.span(), "this host stands here twice", "each address leads somewhere else"));
        }
        found.push(kind);
    }
    if found.is_empty() || found == [Host::Nobody] {
        let hint = "name at least one of \"primary\" and \"standby\"";
        return Err(text.error(hosts.span(), "no address leads to a server", hint));
    }
    Ok(found)
}

fn without_tls(text: Text<'_>, span: Range<usize>, what: &str) -> ScenarioError {
    let hint = "add tls = \"1.3\" or tls = \"1.2\" to [server]";
    text.error(span, format!("{what} needs a server that speaks TLS"), hint)
}

/// Refuses a fault that the layout leaves no room for. `kind`: where the fault's kind stands.
pub(super) fn fits(text: Text<'_>, layout: &Topology, fault: &Fault, kind: Range<usize>) -> Checked<()> {
    let refuse = |message: String, hint: &str| Err(text.error(kind.clone(), message, hint));
    let word = fault.kind.word();
    match fault.kind {
        FaultKind::Certificate(fault) if fault.is_of_client() && !layout.client_certificate => {
            refuse(format!("{word} needs a client that has a certificate"), "add certificate = true to [client]")
        }
        FaultKind::Certificate(_) if layout.sslmode != SslMode::VerifyFull => {
            let hint = "add sslmode = \"verify-full\" to [client], and tls = \"1.3\" or \"1.2\" to [server]";
            refuse(format!("{word} needs a client that verifies certificates"), hint)
        }
        FaultKind::RequireTls if layout.tls.is_none() => Err(without_tls(text, kind, word)),
        FaultKind::RotatePassword if !layout.password_file => {
            refuse(format!("{word} needs a client that can learn of it"), "add password = \"file\" to [client]")
        }
        FaultKind::FillDisk if layout.small_disk.is_none() => {
            let hint = "add small_disk = \"heap\" or small_disk = \"wal\" to [server]";
            refuse(format!("{word} needs a disk that can be filled"), hint)
        }
        FaultKind::WrongHost if layout.hosts != [Host::Unresolvable] => {
            refuse(format!("{word} needs a name that does not resolve"), "write hosts = [\"unresolvable\"] in [client]")
        }
        FaultKind::Name(_) if !layout.by_name => refuse(
            format!("{word} needs a client that knows its server by a name"),
            "add found_by = \"name\" to [client]",
        ),
        FaultKind::Name(_) if layout.hosts != [Host::Primary] => {
            refuse(format!("{word} needs a name that leads to the primary alone"), "remove `hosts` from [client]")
        }
        FaultKind::Failover(failover) if layout.by_name && !failover.keeps_names() => {
            let hint = "remove `found_by` from [client]; a name can lead to a dead address, or to a promoted standby";
            refuse(format!("{word} is about addresses, and the client has a name"), hint)
        }
        FaultKind::Failover(failover) => match missing_host(layout, failover) {
            Some(hint) => refuse(format!("{word} needs other addresses"), hint),
            None => Ok(()),
        },
        _ if layout.hosts.len() > 1 && fault.kind.is_network() && fault.kind != FaultKind::WrongHost => {
            let hint = "faults of the path need a client with one address: remove `hosts`";
            refuse(format!("{word} would meet one of several addresses"), hint)
        }
        _ => Ok(()),
    }
}

/// What to write so that there is everything that a change of roles or addresses needs.
fn missing_host(layout: &Topology, failover: Failover) -> Option<&'static str> {
    let first = layout.hosts.first().copied();
    match failover {
        _ if failover.needs_standby() && !layout.standby => Some("add standby = true to [server]"),
        Failover::StandbyFirst if first != Some(Host::Standby) || !layout.hosts.contains(&Host::Primary) => {
            Some("write hosts = [\"standby\", \"primary\"] in [client]")
        }
        Failover::DeadHangs | Failover::DeadRefuses if first != Some(Host::Nobody) => {
            Some("write hosts = [\"nobody\", \"primary\"] in [client]")
        }
        Failover::PromoteInPlace if layout.hosts != [Host::Standby] => Some("write hosts = [\"standby\"] in [client]"),
        Failover::PromoteBeside if first != Some(Host::Standby) || !layout.hosts.contains(&Host::Primary) => {
            Some("write hosts = [\"standby\", \"primary\"] in [client]")
        }
        Failover::WrongNode if layout.hosts != [Host::Primary] => Some("remove `hosts` from [client]"),
        Failover::Demote if layout.hosts.len() < 2 => Some("write hosts = [\"primary\", \"standby\"] in [client]"),
        _ => None,
    }
}
