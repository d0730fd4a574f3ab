//! How long to wait before something that failed is tried again.

/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: i64 = 60 * 60;

/// How long to pause after so many attempts, in seconds: `first`, and twice as long each time, up to an hour.
pub fn pause(first: i64, attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.saturating_sub(1).clamp(0, 20)).unwrap_or_default();
    first.saturating_mul(1 << doublings).min(LONGEST_PAUSE.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_an_hour() {
        assert_eq!([1, 2, 3, 4].map(|attempts| pause(60, attempts)), [60, 120, 240, 480]);
        assert_eq!([7, 100, i64::MAX].map(|attempts| pause(60, attempts)), [3600; 3]);
        assert_eq!(pause(7200, 5), 7200);
    }
}
