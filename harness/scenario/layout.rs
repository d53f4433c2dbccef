//! Reads the topology of a scenario: its servers, and the addresses under which the client finds them.

use std::ops::Range;

use toml::Spanned;

use super::error::{ScenarioError, Text};
use super::meaning::{whole_seconds, word};
use super::table::Table;
use crate::model::fault::{Acts, Fault, Hosts, Need};
use crate::model::topology::{Host, Keepalive, SmallDisk, SslMode, TargetSession, TlsVersion, Topology};

type Checked<T> = Result<T, ScenarioError>;

/// The keys of `[server]` and of `[client]`.
pub(super) const SERVER: [&str; 5] = ["settings", "standby", "tls", "small_disk", "keepalive"];
pub(super) const CLIENT: [&str; 6] =
    ["hosts", "target_session_attrs", "sslmode", "certificate", "password", "found_by"];

/// Reads the topology from the tables `[server]` and `[client]`; [`fits`] compares it with the faults.
pub(super) fn topology(text: Text<'_>, server: Option<&mut Table<'_>>, client: Option<Table<'_>>) -> Checked<Topology> {
    let mut layout = Topology::default();
    if let Some(table) = server {
        layout.standby = table.flag("standby")?.is_some_and(Spanned::into_inner);
        let tls = table.string("tls")?;
        layout.tls = tls.map(|value| word(text, "version of TLS", &value, &TlsVersion::ALL)).transpose()?;
        let small_disk = table.string("small_disk")?;
        layout.small_disk = small_disk.map(|value| word(text, "small disk", &value, &SmallDisk::ALL)).transpose()?;
        let keys = table.table("keepalive", &["idle", "interval", "count"])?;
        layout.keepalive = keys.map(|keys| keepalive(text, keys)).transpose()?;
    }
    let Some(mut client) = client else { return Ok(layout) };
    if let Some(hosts) = client.strings("hosts")? {
        layout.hosts = addresses(text, &hosts, layout.standby)?;
    }
    if let Some(value) = client.string("target_session_attrs")? {
        layout.target_session = word(text, "choice of sessions", &value, &TargetSession::ALL)?;
    }
    if let Some(value) = client.string("sslmode")? {
        layout.sslmode = word(text, "sslmode", &value, &SslMode::ALL)?;
        if layout.sslmode == SslMode::VerifyFull && layout.tls.is_none() {
            return Err(without_tls(text, value.span(), "sslmode verify-full"));
        }
    }
    if let Some(value) = client.flag("certificate")?.filter(|value| *value.get_ref()) {
        layout.client_certificate = true;
        if layout.sslmode != SslMode::VerifyFull {
            return Err(text.error(value.span(), "a certificate is shown over TLS alone", VERIFY));
        }
    }
    if let Some(value) = client.string("password")? {
        layout.password_file = word(text, "place of the password", &value, &[("given", false), ("file", true)])?;
    }
    if let Some(value) = client.string("found_by")? {
        layout.by_name = word(text, "way to find the server", &value, &[("address", false), ("name", true)])?;
        if layout.by_name && layout.hosts.contains(&Host::Unresolvable) {
            let hint = "remove \"unresolvable\" from `hosts`: dns-unresolvable takes a name away for a while";
            return Err(text.error(value.span(), "a name that does not resolve leads to no server", hint));
        }
    }
    Ok(layout)
}

/// The hint for a scenario whose client must verify certificates.
const VERIFY: &str = "add sslmode = \"verify-full\" to [client], and tls = \"1.3\" or \"1.2\" to [server]";

/// The longest keepalive time that a socket accepts, in seconds.
///
/// *Source*: `MAX_TCP_KEEPIDLE` and `MAX_TCP_KEEPINTVL` of Linux.
const LONGEST_KEEPALIVE: u64 = 32_767;

/// Reads the server's keepalive: all three keys, or none.
fn keepalive(text: Text<'_>, mut table: Table<'_>) -> Checked<Keepalive> {
    const HINT: &str = "write all three, like keepalive = { idle = \"1s\", interval = \"1s\", count = 5 }";
    let (idle, interval, count) = (table.period("idle")?, table.period("interval")?, table.integer("count")?);
    let missing = |key: &str| text.error(table.span.clone(), format!("keepalive has no `{key}`"), HINT);
    let time = |key: &str, value: Option<Spanned<String>>| {
        let value = value.ok_or_else(|| missing(key))?;
        let time = whole_seconds(text, key, &value, "a socket's keepalive")?;
        if time.as_secs() > LONGEST_KEEPALIVE {
            return Err(text.error(value.span(), format!("`{key}` is too long"), "at most \"32767s\""));
        }
        Ok(time)
    };
    let (idle, interval) = (time("idle", idle)?, time("interval", interval)?);
    let count = count.ok_or_else(|| missing("count"))?;
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

/// Refuses a fault that needs another topology. `kind`: the position of the fault's kind in the text.
pub(super) fn fits(text: Text<'_>, layout: &Topology, fault: &Fault, kind: Range<usize>) -> Checked<()> {
    let refuse = |message: String, hint: &str| Err(text.error(kind.clone(), message, hint));
    let word = fault.kind.word();
    match fault.kind.spec().needs {
        Need::Nothing => Ok(()),
        Need::OneAddress if layout.hosts.len() > 1 => {
            let hint = "faults of the path need a client with one address: remove `hosts`";
            refuse(format!("{word} would meet one of several addresses"), hint)
        }
        Need::ClientCertificate if !layout.client_certificate => {
            refuse(format!("{word} needs a client that has a certificate"), "add certificate = true to [client]")
        }
        Need::VerifiedTls | Need::ClientCertificate if layout.sslmode != SslMode::VerifyFull => {
            refuse(format!("{word} needs a client that verifies certificates"), VERIFY)
        }
        Need::Tls if layout.tls.is_none() => Err(without_tls(text, kind, word)),
        Need::PasswordFile if !layout.password_file => {
            refuse(format!("{word} needs a client that can learn of it"), "add password = \"file\" to [client]")
        }
        Need::SmallDisk if layout.small_disk.is_none() => {
            let hint = "add small_disk = \"heap\" or small_disk = \"wal\" to [server]";
            refuse(format!("{word} needs a disk that can be filled"), hint)
        }
        Need::UnresolvableHost if layout.hosts != [Host::Unresolvable] => {
            refuse(format!("{word} needs a name that does not resolve"), "write hosts = [\"unresolvable\"] in [client]")
        }
        Need::Name if !layout.by_name => refuse(
            format!("{word} needs a client that knows its server by a name"),
            "add found_by = \"name\" to [client]",
        ),
        Need::Name if layout.hosts != [Host::Primary] => {
            refuse(format!("{word} needs a name that leads to the primary alone"), "remove `hosts` from [client]")
        }
        Need::Addresses { by_name: false, .. } if layout.by_name => {
            let hint = "remove `found_by` from [client]; a name can lead to a dead address, or to a promoted standby";
            refuse(format!("{word} is about addresses, and the client has a name"), hint)
        }
        Need::Addresses { .. } if fault.kind.spec().acts == Acts::Server && !layout.standby => {
            refuse(format!("{word} needs other addresses"), "add standby = true to [server]")
        }
        Need::Addresses { hosts, .. } => match missing_host(layout, hosts) {
            Some(hint) => refuse(format!("{word} needs other addresses"), hint),
            None => Ok(()),
        },
        Need::OneAddress
        | Need::ClientCertificate
        | Need::VerifiedTls
        | Need::Tls
        | Need::PasswordFile
        | Need::SmallDisk
        | Need::UnresolvableHost
        | Need::Name => Ok(()),
    }
}

/// Returns the hint that gives the client these addresses.
fn missing_host(layout: &Topology, hosts: Hosts) -> Option<&'static str> {
    let first = layout.hosts.first().copied();
    let (is_there, hint) = match hosts {
        Hosts::Any => (true, ""),
        Hosts::AtLeastTwo => (layout.hosts.len() >= 2, "write hosts = [\"primary\", \"standby\"] in [client]"),
        Hosts::PrimaryAlone => (layout.hosts == [Host::Primary], "remove `hosts` from [client]"),
        Hosts::StandbyAlone => (layout.hosts == [Host::Standby], "write hosts = [\"standby\"] in [client]"),
        Hosts::StandbyFirst => (
            first == Some(Host::Standby) && layout.hosts.contains(&Host::Primary),
            "write hosts = [\"standby\", \"primary\"] in [client]",
        ),
        Hosts::NobodyFirst => (first == Some(Host::Nobody), "write hosts = [\"nobody\", \"primary\"] in [client]"),
    };
    (!is_there).then_some(hint)
}
