//! Connection tracking: the kernel's table of connections, and the timeout of idle ones.
//!
//! There are two usual ways to set a timeout. The kernel reads the namespace's setting at each packet, so a flow
//! takes it over with its next packet; an idle flow keeps the five days that its last packet gave it. An nft timeout
//! object applies only to flows that begin after it. Both miss what the fault is about: the connection that is idle
//! when the fault starts. So this module changes the setting, and then gives each existing flow the new timeout by
//! netlink, as `conntrack -U` does.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use super::forked::{check, run_in_child};
use super::{Kernel, KernelError};

/// The kernel's table of connections tracked in the reader's namespace.
const TABLE: &CStr = c"/proc/self/net/nf_conntrack";

/// The kernel's default timeout of an idle connection, in seconds: five days.
///
/// *Source*: `nf_conntrack-sysctl.rst` of the kernel's documentation.
const DEFAULT_TIMEOUT: u64 = 432_000;

/// A tracked connection through the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Flow {
    pub client: SocketAddrV4,
    pub server: SocketAddrV4,
}

impl Flow {
    /// Returns the client's address and port, as the client's kernel lists them.
    pub fn end(&self) -> SocketAddr {
        self.client.into()
    }
}

/// The table of tracked connections, kept open for reading.
pub(crate) struct FlowTable {
    file: File,
    client: Ipv4Addr,
}

impl FlowTable {
    /// Returns the established connections of the client. The kernel removes expired ones when the table is read.
    ///
    /// *Errors*: the table cannot be read.
    pub fn established(&mut self) -> io::Result<Vec<Flow>> {
        let mut text = String::new();
        self.file.rewind()?;
        self.file.read_to_string(&mut text)?;
        Ok(text.lines().filter_map(established).filter(|flow| *flow.client.ip() == self.client).collect())
    }
}

impl Kernel {
    /// Opens the table of tracked connections.
    ///
    /// *Errors*: the kernel does not offer it.
    pub fn flows(&self) -> Result<FlowTable, KernelError> {
        let file = self.filter.open(TABLE).map_err(KernelError::NetNs)?;
        Ok(FlowTable { file, client: self.client_address() })
    }

    /// Sets the idle timeout of tracked connections; `None`: the kernel's default. For existing connections the time
    /// begins anew.
    ///
    /// *Units*: whole seconds, as in the kernel; fractions are rounded up.
    ///
    /// *Errors*: the kernel rejects the setting or an update; connections that have ended meanwhile are skipped.
    pub fn forget_after(&self, idle: Option<Duration>) -> Result<(), KernelError> {
        let seconds = idle.map_or(DEFAULT_TIMEOUT, seconds);
        // The setting first, so that a packet between the two steps does not restore the old timeout.
        self.set("net/netfilter/nf_conntrack_tcp_timeout_established", &seconds.to_string())?;
        let flows = self.flows()?.established().map_err(KernelError::NetNs)?;
        let updates: Vec<_> = flows.iter().map(|flow| update(flow, seconds as u32)).collect();
        self.send_netlink(&updates).map_err(KernelError::NetNs)
    }

    /// Sends netlink messages one by one, and waits for the acknowledgement of each.
    fn send_netlink(&self, messages: &[Vec<u8>]) -> io::Result<()> {
        let ns_fds = self.filter.ns_fds();
        let [] = run_in_child(|| {
            ns_fds.enter()?;
            // SAFETY: system calls on numbers, and on bytes that are there; the socket closes when the child exits.
            unsafe {
                let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
                let socket = libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER);
                check(socket)?;
                for message in messages {
                    check(libc::send(socket, message.as_ptr().cast(), message.len(), 0) as i32)?;
                    let mut answer = [0_u8; 64];
                    check(libc::recv(socket, answer.as_mut_ptr().cast(), answer.len(), 0) as i32)?;
                    match -i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
                        // ENOENT: the connection has ended in the meantime.
                        0 | libc::ENOENT => {}
                        code => return Err(io::Error::from_raw_os_error(code)),
                    }
                }
            }
            Ok([])
        })?;
        Ok(())
    }
}

/// Converts a duration to whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Parses a line of the table, if it is an established TCP connection.
fn established(line: &str) -> Option<Flow> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (protocol, state) = (words.get(2)?, words.get(5)?);
    if *protocol != "tcp" || *state != "ESTABLISHED" {
        return None;
    }
    // Each key occurs twice: first for the original direction, then for the reply.
    let word = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    let end = |address, port| Some(SocketAddrV4::new(word(address)?.parse().ok()?, word(port)?.parse().ok()?));
    Some(Flow { client: end("src=", "sport=")?, server: end("dst=", "dport=")? })
}

/// Returns the netlink message that changes a connection's timeout.
///
/// *Source*: `linux/netfilter/nfnetlink_conntrack.h`.
fn update(flow: &Flow, seconds: u32) -> Vec<u8> {
    const NESTED: u16 = 1 << 15;
    // Subsystem 1: tracked connections. Message 0: create or change.
    const CHANGE: u16 = 1 << 8;
    let addresses = [attribute(1, &flow.client.ip().octets()), attribute(2, &flow.server.ip().octets())].concat();
    let ports = [
        attribute(1, &[libc::IPPROTO_TCP as u8]),
        attribute(2, &flow.client.port().to_be_bytes()),
        attribute(3, &flow.server.port().to_be_bytes()),
    ];
    let tuple = [attribute(1 | NESTED, &addresses), attribute(2 | NESTED, &ports.concat())].concat();
    let (tuple, timeout) = (attribute(1 | NESTED, &tuple), attribute(7, &seconds.to_be_bytes()));
    let length = 16 + 4 + tuple.len() + timeout.len();
    let mut message = Vec::with_capacity(length);
    message.extend((length as u32).to_ne_bytes());
    message.extend(CHANGE.to_ne_bytes());
    message.extend(((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
    message.extend([0; 8]);
    message.extend([libc::AF_INET as u8, 0, 0, 0]);
    message.extend(tuple);
    message.extend(timeout);
    message
}

/// Returns one netlink attribute, padded to a multiple of four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + value.len().next_multiple_of(4));
    bytes.extend((4 + value.len() as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_kernel_writes_them() {
        let line = |state: &str| {
            format!(
                "ipv4     2 tcp      6 431999 {state} src=198.18.0.1 dst=198.18.0.10 sport=40000 dport=5432 \
                 src=198.18.0.10 dst=198.18.0.1 sport=5432 dport=40000 [ASSURED] mark=0 zone=0 use=2"
            )
        };
        let found = established(&line("ESTABLISHED")).unwrap();
        assert_eq!(found.end(), "198.18.0.1:40000".parse().unwrap());
        assert_eq!(found.server, "198.18.0.10:5432".parse().unwrap());
        assert_eq!(established(&line("TIME_WAIT")), None);
        assert_eq!(established("ipv4     2 udp      17 29 src=198.18.0.1 dst=198.18.0.14 sport=4 dport=53"), None);
        assert_eq!(established(""), None);
    }

    #[test]
    fn timeouts_round_up_to_whole_seconds() {
        let counted = [1, 999, 1_000, 1_001, 2_400].map(|ms| seconds(Duration::from_millis(ms)));
        assert_eq!(counted, [1, 1, 1, 2, 3]);
    }

    #[test]
    fn a_message_is_as_long_as_it_says() {
        let flow = Flow { client: "1.2.3.4:5".parse().unwrap(), server: "6.7.8.9:10".parse().unwrap() };
        let message = update(&flow, 3);
        assert_eq!(u32::from_ne_bytes(message[..4].try_into().unwrap()) as usize, message.len());
        assert_eq!(message[message.len() - 4..], [0, 0, 0, 3]);
        assert_eq!(message.len() % 4, 0);
    }
}
