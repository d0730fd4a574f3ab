//! How far the prime before a prime is.

use std::sync::LazyLock;

use crypto_primes::{Flavor, is_prime};
use rsa::BoxedUint;

use crate::Result;

/// How far is looked. Near 2^1024 a gap this long is expected once in e^92 primes.
const WINDOW: usize = 1 << 16;

/// The odd primes below 2^16.
static SMALL_PRIMES: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut composite = vec![false; 1 << 16];
    let mut primes = Vec::new();
    for number in (3..1_usize << 16).step_by(2) {
        if composite.get(number) == Some(&false) {
            primes.extend(u32::try_from(number));
            composite.iter_mut().skip(number * number).step_by(number).for_each(|slot| *slot = true);
        }
    }
    primes
});

/// Whether an odd prime below 2^16 divides `number`, which is larger.
pub(crate) fn has_small_divisor(number: &BoxedUint) -> bool {
    let halves = halves(number);
    SMALL_PRIMES.iter().any(|prime| remainder(&halves, *prime) == 0)
}

/// The distance from `prime` down to the prime before it.
pub(crate) fn to_previous_prime(prime: &BoxedUint) -> Result<u32> {
    // At each index: whether `prime` less the index has a small divisor.
    let mut divisible = vec![false; WINDOW];
    let halves = halves(prime);
    for small in SMALL_PRIMES.iter().copied() {
        let first = usize::try_from(remainder(&halves, small)).map_err(|error| error.to_string())?;
        let step = usize::try_from(small).map_err(|error| error.to_string())?;
        divisible.iter_mut().skip(first).step_by(step).for_each(|slot| *slot = true);
    }
    let candidates = divisible.iter().zip(0_u32..).skip(2).step_by(2).filter(|(divisible, _)| !**divisible);
    let mut distances = candidates.map(|(_, distance)| distance);
    distances
        .find(|distance| is_prime(Flavor::Any, &prime.wrapping_sub(BoxedUint::from(*distance))))
        .ok_or_else(|| format!("there is no prime within {WINDOW} below a prime"))
}

/// The number in pieces of 32 bits, the highest first.
fn halves(number: &BoxedUint) -> Vec<u32> {
    number
        .to_be_bytes()
        .chunks_exact(4)
        .map(|bytes| bytes.iter().fold(0, |value, byte| value << 8 | u32::from(*byte)))
        .collect()
}

fn remainder(halves: &[u32], divisor: u32) -> u64 {
    let divisor = u64::from(divisor);
    halves.iter().fold(0, |remainder, half| (remainder << 32 | u64::from(*half)) % divisor)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use super::*;

    #[test]
    fn known_gaps_are_found() {
        // The largest primes below 2^64 are 2^64 less 59, 83, 95; the first gap of 1132 ends at 1693182318747503 (Nyman and Nicely).
        let number = |value: u64| BoxedUint::from(value);
        assert_eq!(to_previous_prime(&number(u64::MAX - 58)).unwrap(), 24);
        assert_eq!(to_previous_prime(&number(u64::MAX - 82)).unwrap(), 12);
        assert_eq!(to_previous_prime(&number(1_693_182_318_747_503)).unwrap(), 1132);
    }

    #[test]
    fn small_divisors_are_found() {
        assert!(has_small_divisor(&BoxedUint::from(65_521_u64 * 4_294_967_291)));
        assert!(!has_small_divisor(&BoxedUint::from(65_537_u64 * 4_294_967_291)));
    }
}
