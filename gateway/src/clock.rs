//! Time as the gateway keeps it: seconds since 1970-01-01T00:00:00Z, signed as SQLite's integers are.

use std::time::{SystemTime, UNIX_EPOCH};

/// A day in seconds.
pub const DAY: i64 = 24 * 60 * 60;
/// How long before its making a certificate's or CRL's validity begins, in seconds: not everybody's clock is right.
pub const BACKDATING: i64 = 5 * 60;

/// Now.
pub fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    from_unsigned(elapsed.unwrap_or_default().as_secs())
}

/// A time as the API and X.509 have it; what is too far off becomes the end of time.
pub fn from_unsigned(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// A time as the API and X.509 have it; what lies before 1970 becomes 1970.
pub fn to_unsigned(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or_default()
}
