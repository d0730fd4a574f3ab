//! The primes of an RSA key (FIPS 186-5, appendix A.1.3): found by [`keyside_primes`], decided upon by [`crypto_primes`].

use core::fmt;

use crypto_primes::Flavor;
use crypto_primes::fips::{self, FipsOptions};
use keyside_primes::{Integers, PrimalityTests, PrimeSize, Search};
use rand::CryptoRng;
use rsa::BoxedUint;
use zeroize::Zeroizing;

use crate::domain::key_size::KeySize;

/// A prime of the size that a key of [`KeySize`] takes; wiped when dropped and never printed.
pub struct Prime(Zeroizing<BoxedUint>);

impl fmt::Debug for Prime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prime(…)")
    }
}

impl Prime {
    /// Decides upon a number that the search has found, big-endian: nothing that it says is taken on trust.
    ///
    /// It must have the right size and be at least √2·2^(k-1) (steps 4.4 and 5.5). The test is Miller and Rabin's, with as many random bases as
    /// table B.1 demands. `tests` may see to them, and to one more; a library has the last word, with a base of its own. A common divisor of p-1
    /// and the public exponent (steps 4.5 and 5.6) shows when the private exponent is made: then there is none.
    pub fn decide(
        number: &[u8],
        size: KeySize,
        tests: &mut impl PrimalityTests,
        rng: &mut impl CryptoRng,
    ) -> Option<Self> {
        let prime = Self::decided(number, size)?;
        let rounds = miller_rabin_rounds(size);
        let passed = tests.miller_rabin(number, rounds, rng)?;
        passes(&prime.0, rounds.saturating_sub(passed).max(1), rng).then_some(prime)
    }

    /// A number that another worker of this program has decided upon, big-endian, if it has the right size.
    pub fn decided(number: &[u8], size: KeySize) -> Option<Self> {
        let bits = prime_size(size).bits();
        if number.len() * 8 != bits || number < LEAST.as_slice() {
            return None;
        }
        BoxedUint::from_be_slice(number, u32::try_from(bits).ok()?).ok().map(|number| Self(Zeroizing::new(number)))
    }

    /// The number, big-endian, as long as its size; wiped when dropped.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.0.to_be_bytes().into_vec())
    }

    pub(super) fn number(&self) -> &BoxedUint {
        &self.0
    }
}

/// The library's word on a number, after so many rounds with random bases. Once in the program: the library has tests that are not asked for here,
/// and inlining shows the compiler that.
#[inline(never)]
fn passes(number: &BoxedUint, rounds: usize, rng: &mut impl CryptoRng) -> bool {
    fips::is_prime(rng, Flavor::Any, number, FipsOptions::with_mr_iterations(rounds))
}

/// A search for primes that is under way. It does a little at a time, so that its caller can look up in between.
pub struct PrimeSearch {
    size: KeySize,
    search: Search,
}

/// What a step of a search has brought.
pub struct Step {
    /// How many numbers were tested.
    pub tested: u32,
    /// The prime, if one was found.
    pub found: Option<Prime>,
}

impl PrimeSearch {
    /// Gets ready to search for a key's primes.
    pub fn new(size: KeySize) -> Self {
        Self { size, search: Search::new(prime_size(size)) }
    }

    /// Tests the next few numbers; decides, where one passes.
    pub fn step(&mut self, tests: &mut impl PrimalityTests, rng: &mut impl CryptoRng) -> Step {
        let keyside_primes::Step { tested, found } = self.search.step(tests, rng);
        Step { tested, found: found.and_then(|number| Prime::decide(&number, self.size, tests, rng)) }
    }

    /// Goes on until a prime is found, in integers.
    pub fn next(&mut self, rng: &mut impl CryptoRng) -> Prime {
        loop {
            if let Some(found) = self.step(&mut Integers, rng).found {
                return found;
            }
        }
    }
}

/// Searches for a moment, and decides upon a prime that is no secret. Browsers compile WebAssembly quickly first and well later, once it has run for
/// a while: who does this beforehand, while the user still types, searches at full speed from the beginning.
pub fn warm_up(tests: &mut impl PrimalityTests, rng: &mut impl CryptoRng) {
    let mut search = PrimeSearch::new(KeySize::Rsa2048);
    for _ in 0..WARM_UP_ROUNDS {
        search.step(tests, rng);
        let [prime, _] = PUBLIC_PRIMES;
        core::hint::black_box(Prime::decide(&prime, KeySize::Rsa2048, tests, rng));
    }
}

/// How often it takes until browsers have found out what takes long.
const WARM_UP_ROUNDS: usize = 3;

/// The largest primes below 2^1024 and 3·2^1022, which are no secret: 2^1024 - 105 (OEIS A013603) and 3·2^1022 - 91.
pub const PUBLIC_PRIMES: [[u8; 128]; 2] = {
    let (mut first, mut second) = ([0xFF; 128], [0xFF; 128]);
    first[127] -= 105 - 1;
    second[0] = 0xBF;
    second[127] -= 91 - 1;
    [first, second]
};

/// The first 128 bits of √2/2, rounded up: what is not less, as a fraction of 2^k, is at least √2·2^(k-1).
const LEAST: [u8; 16] =
    [0xB5, 0x04, 0xF3, 0x33, 0xF9, 0xDE, 0x64, 0x84, 0x59, 0x7D, 0x89, 0xB3, 0x75, 0x4A, 0xBE, 0xA0];

/// The size of the two primes of a key: half the modulus' size.
pub fn prime_size(size: KeySize) -> PrimeSize {
    match size {
        KeySize::Rsa2048 => PrimeSize::Bits1024,
        KeySize::Rsa3072 => PrimeSize::Bits1536,
        KeySize::Rsa4096 => PrimeSize::Bits2048,
    }
}

/// FIPS 186-5, table B.1: error probabilities of 2^-112, 2^-128 and 2^-144.
fn miller_rabin_rounds(size: KeySize) -> usize {
    match size {
        KeySize::Rsa2048 => 5,
        KeySize::Rsa3072 | KeySize::Rsa4096 => 4,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use crypto_bigint::ConcatenatingMul;
    use crypto_primes::hazmat::minimum_mr_iterations;

    use super::*;

    #[test]
    fn what_the_search_finds_is_taken() {
        for size in KeySize::ALL {
            let found = PrimeSearch::new(size).next(&mut rand::rng());
            let again = Prime::decided(&found.to_bytes(), size).unwrap();
            assert_eq!(found.number(), again.number());
        }
    }

    #[test]
    fn what_is_composite_too_small_or_of_another_size_is_not_taken() {
        let rng = &mut rand::rng();
        let found = Search::new(PrimeSize::Bits1024).next(&mut Integers, rng);
        assert!(Prime::decide(&found, KeySize::Rsa3072, &mut Integers, rng).is_none());
        assert!(Prime::decide(&[], KeySize::Rsa2048, &mut Integers, rng).is_none());
        let mut composite = found.clone();
        // The search leaves out multiples of three: this goes two steps on, or four.
        while let Some(last) = composite.last_mut() {
            *last = last.wrapping_add(2);
            let number = BoxedUint::from_be_slice(&composite, 1024).unwrap();
            if !crypto_primes::is_prime(Flavor::Any, &number) {
                break;
            }
        }
        assert!(Prime::decide(&composite, KeySize::Rsa2048, &mut Integers, rng).is_none());
        // 2^1023 + 1155 is the first prime with 1024 bits (OEIS A033873): it is below √2·2^1023.
        let mut smallest = vec![0; 128];
        *smallest.first_mut().unwrap() = 0x80;
        let least = smallest.len() - 2;
        smallest.get_mut(least..).unwrap().copy_from_slice(&1155_u16.to_be_bytes());
        assert!(crypto_primes::is_prime(Flavor::Any, &BoxedUint::from_be_slice(&smallest, 1024).unwrap()));
        assert!(Prime::decide(&smallest, KeySize::Rsa2048, &mut Integers, rng).is_none());
    }

    #[test]
    fn the_test_draws_its_bases_at_random() {
        // What passes Fermat's test to the base 2 was chosen by it, so that base says nothing any more.
        struct Counting(u64);
        impl rand::TryRng for Counting {
            type Error = core::convert::Infallible;
            fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
                self.try_next_u64().map(|number| number as u32)
            }
            fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
                self.0 += 8;
                Ok(rand::Rng::next_u64(&mut rand::rng()))
            }
            fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
                self.0 += bytes.len() as u64;
                rand::Rng::fill_bytes(&mut rand::rng(), bytes);
                Ok(())
            }
        }
        impl rand::TryCryptoRng for Counting {}
        let found = Search::new(PrimeSize::Bits1024).next(&mut Integers, &mut rand::rng());
        let mut counting = Counting(0);
        assert!(Prime::decide(&found, KeySize::Rsa2048, &mut Integers, &mut counting).is_some());
        assert!(counting.0 >= 5 * 128, "{} bytes were drawn", counting.0);
    }

    #[test]
    fn the_rounds_are_those_of_the_error_bound() {
        let rounds = [(1024, 112), (1536, 128), (2048, 144)].map(|(bits, error)| minimum_mr_iterations(bits, error));
        assert_eq!(rounds, [Some(5), Some(4), Some(4)]);
    }

    #[test]
    fn the_least_is_half_the_root_of_two_rounded_up() {
        let number = BoxedUint::from_be_slice(&LEAST, 128).unwrap();
        let square = number.concatenating_mul(&number);
        let less = number.wrapping_sub(BoxedUint::one());
        let square_of_less = less.concatenating_mul(&less);
        let half = BoxedUint::one_with_precision(256).shl(255_u32);
        assert!(square >= half && square_of_less < half);
    }

    #[test]
    fn the_public_primes_are_prime() {
        for prime in PUBLIC_PRIMES {
            assert!(Prime::decide(&prime, KeySize::Rsa2048, &mut Integers, &mut rand::rng()).is_some());
        }
    }

    #[test]
    fn a_prime_is_not_printed() {
        let prime = PrimeSearch::new(KeySize::Rsa2048).next(&mut rand::rng());
        assert_eq!(format!("{prime:?}"), "Prime(…)");
    }
}
