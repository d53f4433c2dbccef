//! Converts ranges of addresses, which allow-lists of cloud providers contain, to networks, which `pg_hba.conf`
//! contains.

use std::fmt;
use std::net::Ipv4Addr;

/// IPv4 addresses from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressRange {
    first: u32,
    last: u32,
}

impl AddressRange {
    /// Every address.
    pub const ALL: AddressRange = AddressRange { first: 0, last: u32::MAX };

    /// Returns the range of one address.
    pub fn only(address: Ipv4Addr) -> AddressRange {
        AddressRange { first: address.to_bits(), last: address.to_bits() }
    }

    /// Returns a range next to an address, like a mistyped rule: the addresses above it in its /24, or, from .254 on,
    /// those below it.
    pub fn beside(address: Ipv4Addr) -> AddressRange {
        let address = address.to_bits();
        let network = address & !0xff;
        match address & 0xff {
            0..=0xfd => AddressRange { first: address + 1, last: network + 0xfe },
            _ => AddressRange { first: network + 1, last: address - 1 },
        }
    }

    /// Returns whether the range contains an address.
    pub fn holds(self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address.to_bits())
    }

    /// Returns the fewest networks that contain exactly these addresses, in ascending order.
    pub fn networks(self) -> Vec<Network> {
        let mut networks = Vec::new();
        let (mut next, end) = (u64::from(self.first), u64::from(self.last) + 1);
        while next < end {
            // The largest network that begins here is limited by the address's alignment and by the range's end.
            let aligned = if next == 0 { 32 } else { next.trailing_zeros().min(32) };
            let fitting = (end - next).ilog2();
            let host_bits = aligned.min(fitting);
            networks.push(Network { address: Ipv4Addr::from_bits(next as u32), prefix: 32 - host_bits });
            next += 1 << host_bits;
        }
        networks
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}–{}", Ipv4Addr::from_bits(self.first), Ipv4Addr::from_bits(self.last))
    }
}

/// A network: `127.0.0.2/31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: Ipv4Addr,
    prefix: u32,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(first: &str, last: &str) -> AddressRange {
        let bits = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
        AddressRange { first: bits(first), last: bits(last) }
    }

    fn networks_of(range: AddressRange) -> String {
        range.networks().iter().map(Network::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ranges_become_networks() {
        assert_eq!(networks_of(AddressRange::ALL), "0.0.0.0/0");
        assert_eq!(networks_of(AddressRange::only(Ipv4Addr::new(127, 0, 0, 1))), "127.0.0.1/32");
        assert_eq!(networks_of(AddressRange::only(Ipv4Addr::UNSPECIFIED)), "0.0.0.0/32");
        assert_eq!(networks_of(AddressRange::only(Ipv4Addr::BROADCAST)), "255.255.255.255/32");
        assert_eq!(networks_of(range("10.0.0.0", "10.0.0.255")), "10.0.0.0/24");
        assert_eq!(
            networks_of(range("127.0.0.2", "127.0.0.20")),
            "127.0.0.2/31 127.0.0.4/30 127.0.0.8/29 127.0.0.16/30 127.0.0.20/32"
        );
    }

    #[test]
    fn the_range_beside_an_address_is_next_to_it() {
        assert_eq!(AddressRange::beside(Ipv4Addr::new(127, 0, 0, 1)).to_string(), "127.0.0.2–127.0.0.254");
        assert_eq!(AddressRange::beside(Ipv4Addr::new(172, 17, 0, 253)).to_string(), "172.17.0.254–172.17.0.254");
        assert_eq!(AddressRange::beside(Ipv4Addr::new(172, 17, 0, 254)).to_string(), "172.17.0.1–172.17.0.253");
        assert_eq!(AddressRange::beside(Ipv4Addr::new(172, 17, 0, 255)).to_string(), "172.17.0.1–172.17.0.254");
    }

    proptest! {
        #[test]
        fn networks_hold_the_range_and_no_more(one: u32, other: u32) {
            let range = AddressRange { first: one.min(other), last: one.max(other) };
            let mut next = u64::from(range.first);
            for network in range.networks() {
                prop_assert_eq!(u64::from(network.address.to_bits()), next, "they follow each other without a gap");
                let size = 1u64 << (32 - network.prefix);
                prop_assert_eq!(next % size, 0, "each begins where a network of its size may begin");
                next += size;
            }
            prop_assert_eq!(next, u64::from(range.last) + 1);
        }

        #[test]
        fn range_beside_an_address_excludes_it(address: u32) {
            let range = AddressRange::beside(Ipv4Addr::from_bits(address));
            prop_assert!(range.first <= range.last);
            prop_assert!(address < range.first || address > range.last);
        }
    }
}
