//! Time as the gateway keeps it: seconds since 1970-01-01T00:00:00Z, signed as SQLite's integers are.

use std::env;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use der::DateTime;
use keyside_core::domain::file_name;

/// A day in seconds.
pub const DAY: i64 = 24 * 60 * 60;
/// How long before its making a certificate's or CRL's validity begins, in seconds: not everybody's clock is right.
pub const BACKDATING: i64 = 5 * 60;

/// The environment variable with which tests set the clock: by how many seconds it is ahead. Release builds ignore it.
pub const AHEAD_VARIABLE: &str = "KEYSIDE_TEST_CLOCK_AHEAD";

/// Now.
pub fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    from_unsigned(elapsed.unwrap_or_default().as_secs()).saturating_add(ahead())
}

/// How far the tests have set the clock.
fn ahead() -> i64 {
    static AHEAD: OnceLock<i64> = OnceLock::new();
    if cfg!(debug_assertions) {
        *AHEAD
            .get_or_init(|| env::var(AHEAD_VARIABLE).ok().and_then(|seconds| seconds.parse().ok()).unwrap_or_default())
    } else {
        0
    }
}

/// A time as the API and X.509 have it; what is too far off becomes the end of time.
pub fn from_unsigned(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// A time as the API and X.509 have it; what lies before 1970 becomes 1970.
pub fn to_unsigned(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or_default()
}

/// A time as people read it, in UTC: the server does not know theirs.
pub fn date_and_time(seconds: i64) -> String {
    DateTime::from_unix_duration(Duration::from_secs(to_unsigned(seconds))).map_or_else(
        |_| "after the year 9999".into(),
        |time| {
            let (year, month, day) = (time.year(), time.month(), time.day());
            format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", time.hour(), time.minutes())
        },
    )
}

/// The last second of a day in UTC, written as in 2030-12-31.
pub fn end_of_day(text: &str) -> Option<i64> {
    let mut numbers = text.trim().splitn(3, '-');
    let year = numbers.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let month = numbers.next()?.parse().ok()?;
    let day = numbers.next()?.parse().ok()?;
    let time = DateTime::new(year, month, day, 23, 59, 59).ok()?;
    Some(from_unsigned(time.unix_duration().as_secs()))
}

/// A time as its day, for people.
pub fn day(seconds: i64) -> String {
    file_name::day(to_unsigned(seconds)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_with_its_last_second() {
        assert_eq!(end_of_day("1970-01-01"), Some(DAY - 1));
        assert_eq!(end_of_day("2028-02-29").map(date_and_time).as_deref(), Some("2028-02-29 23:59 UTC"));
        for text in ["", "2027-02-29", "2027-13-01", "27-01-01", "2027-01", "01.02.2027", "2027-01-01-01"] {
            assert_eq!(end_of_day(text), None, "{text}");
        }
    }
}
