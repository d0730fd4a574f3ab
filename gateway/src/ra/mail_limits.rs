//! Caps on the mails of requests that no one has authorised: a stranger writes address and name into them. So many an hour go to one mailbox, and
//! are for one key; from one address come some more, since it may be a whole company's.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::limiter_memory::forget;
use crate::network::network;

/// The mails from one address, for each to a mailbox.
const PER_ADDRESS: NonZeroU32 = NonZeroU32::MIN.saturating_add(11);

/// The caps, and the mails of the last hour.
pub(super) struct MailLimits {
    mailboxes: DefaultKeyedRateLimiter<String>,
    keys: DefaultKeyedRateLimiter<String>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
}

impl MailLimits {
    /// Caps with so many mails an hour to one mailbox.
    pub(super) fn new(per_hour: NonZeroU32) -> Self {
        Self {
            mailboxes: RateLimiter::keyed(Quota::per_hour(per_hour)),
            keys: RateLimiter::keyed(Quota::per_hour(per_hour)),
            addresses: RateLimiter::keyed(Quota::per_hour(per_hour.saturating_mul(PER_ADDRESS))),
        }
    }

    /// Notes a mail to this mailbox, about a request for this key from this address. False if there were too many.
    pub(super) fn admit(&self, mailbox: &str, key_id: &str, address: Option<IpAddr>) -> bool {
        forget(&self.mailboxes);
        forget(&self.keys);
        forget(&self.addresses);
        address.is_none_or(|address| self.addresses.check_key(&network(address)).is_ok())
            && self.keys.check_key(&key_id.to_owned()).is_ok()
            && self.mailboxes.check_key(&mailbox.to_lowercase()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_keys_and_addresses_are_capped() {
        let limits = MailLimits::new(NonZeroU32::MIN.saturating_add(1));
        let address = |last| Some(IpAddr::from([192, 0, 2, last]));
        assert!(limits.admit("ada@example.com", "1", address(1)));
        assert!(limits.admit("Ada@Example.com", "2", address(2)));
        assert!(!limits.admit("ADA@example.com", "3", address(3)), "a mailbox");
        assert!(limits.admit("bea@example.com", "4", None));
        assert!(limits.admit("cleo@example.com", "4", None));
        assert!(!limits.admit("dora@example.com", "4", None), "a key");
        let admitted =
            (0..100).filter(|n| limits.admit(&format!("{n}@example.com"), &format!("k{n}"), address(9))).count();
        assert_eq!(admitted, 24, "an address");
    }
}
