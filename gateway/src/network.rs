//! A client's network: its addresses count as one.

use std::net::{IpAddr, Ipv6Addr};

/// A network is one customer's: of IPv6, the first 64 bits count.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}
