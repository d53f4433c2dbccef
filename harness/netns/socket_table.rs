//! Connections that the client still has open, according to its kernel.
//!
//! A client that gives up a connection while its packets are lost cannot notify the server. The server may keep the
//! session for hours, although the client no longer has it.

use std::collections::BTreeSet;
use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::os::unix::ffi::OsStrExt;

use super::{Client, Kernel};

/// TCP sockets of the reader's namespace. The second table matters because some runtimes use IPv6 sockets only, even
/// for IPv4.
///
/// *Source*: `proc_net_tcp.rst` of the kernel's documentation.
const TABLES: [&CStr; 2] = [c"/proc/self/net/tcp", c"/proc/self/net/tcp6"];

/// States of a socket that a program has open: ESTABLISHED, SYN_SENT, SYN_RECV, CLOSE_WAIT.
const OPEN_STATES: [u8; 4] = [1, 2, 3, 8];

impl Kernel {
    /// Returns the local addresses of the client's open connections.
    ///
    /// *Errors*: the kernel's tables cannot be read.
    pub fn open_sockets(&self) -> io::Result<BTreeSet<SocketAddr>> {
        let client = self.client_address();
        let mut open_sockets = BTreeSet::new();
        for table in TABLES {
            let opened = match &self.client {
                Client::Own(netns) => netns.open(table),
                Client::Machine => File::open(OsStr::from_bytes(table.to_bytes())),
            };
            let mut file = match opened {
                Ok(file) => file,
                // A kernel without IPv6 has no such table.
                Err(error) if error.kind() == io::ErrorKind::NotFound && table != TABLES[0] => continue,
                Err(error) => return Err(error),
            };
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            open_sockets.extend(text.lines().filter_map(|line| open_socket(line, client)));
        }
        Ok(open_sockets)
    }
}

/// Returns the local address in one line of a table, if it is the client's and open.
fn open_socket(line: &str, client: Ipv4Addr) -> Option<SocketAddr> {
    let mut words = line.split_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let state = u8::from_str_radix(state, 16).ok()?;
    let is_open = address_of(address)? == client && OPEN_STATES.contains(&state);
    is_open.then(|| SocketAddrV4::new(client, port).into())
}

/// Parses an IPv4 address, also in its IPv6-mapped form: words of 32 bits in the byte order of this machine.
fn address_of(text: &str) -> Option<Ipv4Addr> {
    let word = |at: usize| Some(u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.concat()).ok()?).to_ipv4_mapped()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_as_the_kernel_writes_them() {
        let line = |state| {
            let address = u32::from_ne_bytes(Ipv4Addr::new(198, 18, 0, 1).octets());
            format!("   3: {address:08X}:D2F0 0A0012C6:1538 {state} 00000000:00000000 02:000A 0 0 0 1 2")
        };
        let client = Ipv4Addr::new(198, 18, 0, 1);
        let expected: SocketAddr = "198.18.0.1:54000".parse().unwrap();
        assert_eq!(open_socket(&line("01"), client), Some(expected));
        assert_eq!(open_socket(&line("08"), client), Some(expected));
        // FIN_WAIT1: the client has closed it, and its FIN is not acknowledged.
        assert_eq!(open_socket(&line("04"), client), None);
        assert_eq!(open_socket(&line("01"), Ipv4Addr::LOCALHOST), None);
        assert_eq!(open_socket("  sl  local_address rem_address   st tx_queue", client), None);
    }

    #[test]
    fn a_socket_of_ipv6_may_speak_to_ipv4() {
        let words = Ipv4Addr::new(198, 18, 0, 1).to_ipv6_mapped().octets();
        let word = |at: usize| format!("{:08X}", u32::from_ne_bytes([0, 1, 2, 3].map(|index| words[at + index])));
        let address = [0, 4, 8, 12].map(word).concat();
        let line = format!("   0: {address}:D2F0 0:1538 01 00000000:00000000 02:000A 0 0 0 1 2");
        let client = Ipv4Addr::new(198, 18, 0, 1);
        assert_eq!(open_socket(&line, client), Some("198.18.0.1:54000".parse().unwrap()));
        assert_eq!(address_of(&"0".repeat(32)), None, "the unspecified address of IPv6");
        assert_eq!(address_of("12"), None);
    }
}
