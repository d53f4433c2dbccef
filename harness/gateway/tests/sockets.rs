//! Counts the sockets of this process.

use std::collections::HashSet;
use std::fs;

/// Returns the number of sockets of this process with one of these ports, at either end. A count of all descriptors
/// would include those of parallel tests. The kernel returns its table in pieces, so some sockets may be missing while
/// other processes open and close theirs.
pub fn sockets(ports: [u16; 2]) -> usize {
    let own: HashSet<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .flatten()
        .filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.to_str()?.to_owned()))
        .collect();
    let with_port = |line: &&str| {
        let mut fields = line.split_whitespace();
        let ends = [fields.nth(1), fields.next()];
        let port = |end: Option<&str>| u16::from_str_radix(end?.rsplit_once(':')?.1, 16).ok();
        ends.into_iter().filter_map(port).any(|port| ports.contains(&port))
    };
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let inode = |line: &str| line.split_whitespace().nth(9).map(|inode| format!("socket:[{inode}]"));
    let found: HashSet<String> = table.lines().filter(with_port).filter_map(inode).collect();
    found.intersection(&own).count()
}
