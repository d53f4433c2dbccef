//! The subnet of one run: sixteen addresses of 198.18.0.0/15, which is reserved for network tests.
//!
//! *Source*: RFC 2544, section C.2.2; RFC 6890.
//!
//! ```text
//! .0/30   client's link    .1 the client, .2 the router
//! .8/29   gateway's link   .9 the router, .10 to .12 the client's servers, .13 unused, .14 the name server
//! ```

use std::io;
use std::net::Ipv4Addr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use crate::credentials;

/// 198.18.0.0.
const BASE: u32 = 0xC612_0000;

/// Blocks of sixteen in 198.18.0.0/15.
const BLOCKS: u32 = 1 << 13;

/// Number of subnets tried: with a few hundred runs on a host, even two failures in a row are rare.
const TRIES: u32 = 64;

/// Sixteen addresses. No other run on this host uses them, unless all of its addresses are in its own namespaces.
#[derive(Debug)]
pub(super) struct Subnet {
    first: u32,
    /// A socket whose name reserves the subnet until it is dropped, or the process ends.
    _held: Option<UnixDatagram>,
}

impl Subnet {
    /// Returns the subnet of a run that is visible only in its own namespaces: always the same one.
    pub fn private() -> Subnet {
        Subnet { first: BASE, _held: None }
    }

    /// Reserves a subnet for a run that is visible in the host's namespace; `is_taken`: whether the host already
    /// uses it.
    ///
    /// *Errors*: every subnet that was tried is in use, or the kernel refuses the socket.
    pub fn unused_on_host(is_taken: impl Fn(&Subnet) -> bool) -> io::Result<Subnet> {
        for _ in 0..TRIES {
            let number = (credentials::unique() % u64::from(BLOCKS)) as u32;
            let name = SocketAddr::from_abstract_name(format!("pgsquall-block-{number}"))?;
            // The bind fails if another run has this subnet.
            let Ok(held) = UnixDatagram::bind_addr(&name) else { continue };
            let subnet = Subnet { first: BASE + number * 16, _held: Some(held) };
            if !is_taken(&subnet) {
                return Ok(subnet);
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, "no unused subnet of 198.18.0.0/15 was found on this machine"))
    }

    /// Returns the address with this host number.
    pub fn at(&self, offset: u8) -> Ipv4Addr {
        Ipv4Addr::from(self.first + u32::from(offset))
    }

    /// Returns the subnet in CIDR notation.
    pub fn network(&self) -> String {
        format!("{}/28", self.at(0))
    }

    /// Whether a network in CIDR notation overlaps this subnet.
    pub fn overlaps(&self, network: &str) -> bool {
        let (address, length) = network.split_once('/').unwrap_or((network, "32"));
        let (Ok(address), Ok(length)) = (address.parse::<Ipv4Addr>(), length.parse::<u32>()) else { return false };
        // A default route overlaps every subnet, but reserves none.
        let shortest = length.min(28);
        (1..=32).contains(&length) && (u32::from(address) ^ self.first) >> (32 - shortest) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_those_set_aside_for_tests() {
        assert_eq!(Subnet::private().at(10).to_string(), "198.18.0.10");
        let last = Subnet { first: BASE + (BLOCKS - 1) * 16, _held: None };
        assert_eq!(last.at(15).to_string(), "198.19.255.255");
    }

    #[test]
    fn no_two_runs_have_the_same() {
        let blocks: Vec<_> = (0..20).map(|_| Subnet::unused_on_host(|_| false).unwrap()).collect();
        let mut firsts: Vec<_> = blocks.iter().map(|subnet| subnet.first).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 20);
        assert_eq!(Subnet::unused_on_host(|_| true).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn overlapping_routes_are_detected() {
        let subnet = Subnet { first: BASE + 16, _held: None };
        for theirs in ["198.18.0.0/16", "198.18.0.16/28", "198.18.0.20", "198.18.0.24/29"] {
            assert!(subnet.overlaps(theirs), "{theirs}");
        }
        for other in ["198.18.0.0/28", "198.19.0.0/16", "0.0.0.0/0", "default", "10.0.0.0/8"] {
            assert!(!subnet.overlaps(other), "{other}");
        }
    }
}
