//! Resolver files for the client's processes, to be mounted over the host's.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Configures which name servers libc queries.
const RESOLVER: &str = "/etc/resolv.conf";

/// Configures the sources of host names.
const NSSWITCH: &str = "/etc/nsswitch.conf";

/// Sockets of programs outside the namespace that would resolve names for the client: nscd, and systemd-resolved.
const OTHER_RESOLVERS: [&str; 2] = ["/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve"];

/// Writes the files into a folder; returns pairs of source and target for bind mounts.
///
/// *Errors*: a file cannot be read or written, or the host has no `/etc/resolv.conf` to mount over.
pub(super) fn files(folder: &Path, server: Ipv4Addr) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    if !Path::new(RESOLVER).exists() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("this machine has no {RESOLVER}")));
    }
    let mut pairs = vec![(write(folder, "resolv.conf", &resolver(server))?, RESOLVER.into())];
    // Without this file, libc's defaults are `/etc/hosts` and the name server too.
    if Path::new(NSSWITCH).exists() {
        let switch = switch(&fs::read_to_string(NSSWITCH)?);
        pairs.push((write(folder, "nsswitch.conf", &switch)?, NSSWITCH.into()));
    }
    let empty = write(folder, "empty", "")?;
    let others = OTHER_RESOLVERS.into_iter().map(PathBuf::from).filter(|other| other.exists());
    pairs.extend(others.map(|other| (empty.clone(), other)));
    Ok(pairs)
}

fn write(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text)?;
    Ok(path)
}

/// Returns `resolv.conf` without options: timeouts and retries stay at their defaults, for libc five seconds, twice.
///
/// *Source*: `resolv.conf(5)`.
fn resolver(server: Ipv4Addr) -> String {
    format!("nameserver {server}\n")
}

/// Returns the host's `nsswitch.conf`, changed so that host names come only from files and the name server.
fn switch(machines: &str) -> String {
    let others = machines.lines().filter(|line| !line.trim_start().starts_with("hosts:"));
    others.chain(["hosts: files dns"]).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_way_of_names_is_changed() {
        let machines = "# NSS\npasswd: files systemd\n  hosts: files resolve [!UNAVAIL=return] dns\nrpc: db files\n";
        assert_eq!(switch(machines), "# NSS\npasswd: files systemd\nrpc: db files\nhosts: files dns\n");
        assert_eq!(resolver(Ipv4Addr::new(198, 18, 0, 14)), "nameserver 198.18.0.14\n");
    }
}
