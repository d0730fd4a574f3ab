//! The tests of candidates that the worker has where the processor rounds a multiply-add once.

use keyside_primes::{PrimalityTests, miller_rabin_in_pairs};
use rand::CryptoRng;

/// With fused multiply-add.
pub(crate) struct Fused;

impl PrimalityTests for Fused {
    fn fermat(&mut self, first: &[u8], second: &[u8]) -> [bool; 2] {
        keyside_montgomery::fermat(first, second)
    }

    fn miller_rabin(&mut self, number: &[u8], rounds: usize, rng: &mut impl CryptoRng) -> Option<usize> {
        miller_rabin_in_pairs(number, rounds, rng, keyside_montgomery::miller_rabin)
    }
}
