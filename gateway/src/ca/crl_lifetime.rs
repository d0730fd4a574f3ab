//! The lifetime of a CRL that an engine signs.

use serde::Deserialize;

use crate::clock::DAY;
use crate::settings::faults::Faults;

/// The time from a CRL's `thisUpdate` to its `nextUpdate` (RFC 5280, section 5.1.2.5), in days.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(transparent)]
pub struct CrlLifetime(u32);

impl Default for CrlLifetime {
    /// A week: a gateway that stands still for a weekend leaves no one without a CRL.
    fn default() -> Self {
        Self(7)
    }
}

impl CrlLifetime {
    /// Checks that it lies within its bounds. A CRL is signed again every day.
    pub fn check(self, faults: &mut Faults) {
        faults.require((2..=365).contains(&self.0), "ca.crl_validity_days", "must lie between 2 and 365");
    }

    /// The same in seconds.
    pub fn seconds(self) -> i64 {
        i64::from(self.0) * DAY
    }
}
