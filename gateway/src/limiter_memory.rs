//! Bounds on the memory of limiters, which remember each key that has asked.

use governor::DefaultKeyedRateLimiter;

/// The keys that a limiter remembers before it forgets those that have not asked for a while.
const MANY: usize = 50_000;

/// Keeps a limiter's memory bounded.
pub(crate) fn forget<K: Clone + Eq + std::hash::Hash>(limiter: &DefaultKeyedRateLimiter<K>) {
    if limiter.len() > MANY {
        limiter.retain_recent();
        limiter.shrink_to_fit();
    }
}
