//! Limiters of calls by their key, whose memory is bounded.

use std::net::{IpAddr, Ipv6Addr};

use governor::DefaultKeyedRateLimiter;

/// How many keys a limiter remembers before it forgets those that have not asked for a while.
const MANY: usize = 50_000;

/// Keeps a limiter's memory bounded.
pub(crate) fn forget<K: Clone + Eq + std::hash::Hash>(limiter: &DefaultKeyedRateLimiter<K>) {
    if limiter.len() > MANY {
        limiter.retain_recent();
        limiter.shrink_to_fit();
    }
}

/// A network is one customer's: of IPv6, the first 64 bits count.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}
