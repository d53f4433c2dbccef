//! The files by which a process finds its name server: what it is to see, in place of the machine's own.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// Says which name server is asked.
const RESOLVER: &str = "/etc/resolv.conf";

/// Says who is asked for names at all.
const NSSWITCH: &str = "/etc/nsswitch.conf";

/// Sockets of programs that answer for names from outside a namespace: nscd, and systemd-resolved.
const OTHER_RESOLVERS: [&str; 2] = ["/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve"];

/// Writes them into a folder; returns pairs of what is to be seen, and in place of what.
///
/// *Errors*: also where the machine has no `/etc/resolv.conf`: there is no place for ours then.
pub(super) fn files(folder: &Path, server: Ipv4Addr) -> io::Result<Vec<(PathBuf, PathBuf)>> {
    if !Path::new(RESOLVER).exists() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("this machine has no {RESOLVER}")));
    }
    let mut pairs = vec![(write(folder, "resolv.conf", &resolver(server))?, RESOLVER.into())];
    // Without this file libc asks the files, then the name server, which is as well.
    if Path::new(NSSWITCH).exists() {
        let switch = switch(&fs::read_to_string(NSSWITCH)?);
        pairs.push((write(folder, "nsswitch.conf", &switch)?, NSSWITCH.into()));
    }
    let empty = write(folder, "nobody", "")?;
    let others = OTHER_RESOLVERS.into_iter().map(PathBuf::from).filter(|other| other.exists());
    pairs.extend(others.map(|other| (empty.clone(), other)));
    Ok(pairs)
}

fn write(folder: &Path, name: &str, text: &str) -> io::Result<PathBuf> {
    let path = folder.join(name);
    fs::write(&path, text)?;
    Ok(path)
}

/// No options: how long a client waits, and how often it asks, is what it does by default wherever it lives, which for
/// libc is five seconds, twice.
///
/// *Source*: `resolv.conf(5)`.
fn resolver(server: Ipv4Addr) -> String {
    format!("nameserver {server}\n")
}

/// The machine's file, except that names are asked of the files and the name server, and of nobody else.
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
