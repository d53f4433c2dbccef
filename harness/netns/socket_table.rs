//! The kernel's tables of TCP sockets: connections that the client still has open, and addresses in use on the host.
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
        let text = match &self.client {
            Client::Own(netns) => read(|table| netns.open(table))?,
            Client::Machine => read(open_on_host)?,
        };
        Ok(text.lines().filter_map(|line| open_socket(line, client)).collect())
    }
}

/// Returns the local addresses of all sockets in the host's namespace. These include sockets of programs that have
/// ended, whose FIN the kernel sends again for minutes.
///
/// *Errors*: the kernel's tables cannot be read.
pub(super) fn addresses_on_host() -> io::Result<BTreeSet<Ipv4Addr>> {
    let text = read(open_on_host)?;
    Ok(text.lines().filter_map(|line| local(line).map(|(address, _)| *address.ip())).collect())
}

fn open_on_host(table: &CStr) -> io::Result<File> {
    File::open(OsStr::from_bytes(table.to_bytes()))
}

/// Reads all tables.
fn read(open: impl Fn(&CStr) -> io::Result<File>) -> io::Result<String> {
    let mut text = String::new();
    for table in TABLES {
        match open(table) {
            Ok(mut file) => file.read_to_string(&mut text).map(drop)?,
            // A kernel without IPv6 has no such table.
            Err(error) if error.kind() == io::ErrorKind::NotFound && table != TABLES[0] => {}
            Err(error) => return Err(error),
        }
    }
    Ok(text)
}

/// Returns the local address in one line of a table, if it is the client's and open.
fn open_socket(line: &str, client: Ipv4Addr) -> Option<SocketAddr> {
    let (address, state) = local(line)?;
    (*address.ip() == client && OPEN_STATES.contains(&state)).then(|| address.into())
}

/// Returns the local address and the state in one line of a table.
fn local(line: &str) -> Option<(SocketAddrV4, u8)> {
    let mut words = line.split_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let state = u8::from_str_radix(state, 16).ok()?;
    Some((SocketAddrV4::new(address_of(address)?, port), state))
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
    use std::net::{TcpListener, TcpStream};

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
    fn closed_sockets_keep_their_address_on_the_host() {
        let listener = TcpListener::bind("127.83.7.21:0").unwrap();
        let address = Ipv4Addr::new(127, 83, 7, 21);
        assert!(addresses_on_host().unwrap().contains(&address));
        let connecting = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap();
        // The end that closes first waits for the other's FIN in FIN_WAIT2.
        drop((accepted, listener));
        assert!(addresses_on_host().unwrap().contains(&address));
        drop(connecting);
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
