//! The search for the primes of an RSA key: everything about it that takes long.
//!
//! What [`Search`] finds is only *probably* prime: it has no divisor below a bound ([`PrimeSize::sieve_bound`]) and passes Fermat's test to
//! the base 2. Whether it is taken for a prime is for the caller to decide, with a library's test (FIPS 186-5, appendix B.3). So a
//! fault in here costs time, and never a bad key.
//!
//! # How it is done
//!
//! 1. [`block`]: draw a block of 2^15 consecutive integers, uniformly from all such aligned blocks between √2·2^(k-1) and 2^k, k being the
//!    prime's size (FIPS 186-5, appendix A.1.3, steps 4.4 and 5.5: so the product of any two has exactly 2k bits). Strike out what has a
//!    small divisor, and what is 1 modulo the public exponent 65537 (steps 4.5 and 5.6).
//! 2. [`fermat`]: test what is left in random order, two numbers at a time, side by side in a vector register.
//! 3. At the first success, or when nothing is left: draw a new block. So two primes of one search never come from one block.
//!
//! Every random bit is drawn from the generator that the caller gives: in the browser, its own.
//!
//! # The bias, stated and bounded
//!
//! FIPS 186-5, appendix A.1.3, draws each candidate anew, which gives each prime the same probability. Drawing blocks does not quite: a
//! prime in a block with m primes has the probability 1/(B·m), where B is the number of blocks, against 1/(B·M) if all were equal, M being the mean of m.
//! M is 2^15/(k·ln 2): 46 for k = 1024, 31 for 1536, 23 for 2048. As m is at least 1, no prime is more than M times as likely as another scheme's
//! uniform one: of the k bits of a prime's min-entropy at most log2 M < 6 are lost, in theory's worst case. As m is spread like a Poisson
//! variable (Gallagher 1976, under the prime k-tuples conjecture), the loss in Shannon entropy is about 1/(2·M·ln 2): less than a twentieth of a bit.
//! The usual search, which goes up from a random start to the next prime, prefers primes after long gaps; the random order inside a
//! block does not: gaps before the primes found are spread as they are before all primes.
//!
//! # Secrets
//!
//! Memory that held candidates is wiped when it is dropped. Time and memory accesses depend on the candidates: the search belongs where no one
//! else can measure them, in a worker of its own.

pub mod block;
mod divisor;
pub mod fermat;
mod lanes;
mod odd_primes;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::block::{Block, Sieve};

/// The size of the primes looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrimeSize {
    /// 1024 bits, for RSA with 2048.
    Bits1024,
    /// 1536 bits, for RSA with 3072.
    Bits1536,
    /// 2048 bits, for RSA with 4096.
    Bits2048,
}

impl PrimeSize {
    /// The size in bits.
    pub const fn bits(self) -> usize {
        match self {
            Self::Bits1024 => 1024,
            Self::Bits1536 => 1536,
            Self::Bits2048 => 2048,
        }
    }

    /// Below this, no divisor goes unnoticed. The costlier Fermat's test is, the more it pays to strike out before it.
    pub const fn sieve_bound(self) -> u32 {
        match self {
            Self::Bits1024 => 1 << 18,
            Self::Bits1536 => 1 << 19,
            Self::Bits2048 => 1 << 20,
        }
    }

    /// How many numbers have to be tested, on average, until one is prime: the density of primes near 2^k by the prime number theorem, among
    /// numbers without small divisors by Mertens' third theorem.
    pub fn expected_tests(self) -> f64 {
        /// e to the power of Euler's constant, the other way up.
        const MERTENS: f64 = 0.561_459_483_566_885;
        let logarithm = |bits: f64| bits * core::f64::consts::LN_2;
        logarithm(self.bits() as f64) * MERTENS / f64::from(self.sieve_bound()).ln()
    }
}

/// Tests of numbers for primality.
pub trait PrimalityTests {
    /// Fermat's test to the base 2 of two numbers, big-endian, equally long, odd, with their highest bit set: true for those that pass.
    fn fermat(&mut self, first: &[u8], second: &[u8]) -> [bool; 2];

    /// Rounds of Miller and Rabin's test (FIPS 186-5, appendix B.3.1) of such a number, each with a random base of its own. Returns how many it has
    /// passed, `rounds` or one more, or none where this is left to others; `None` if it is composite.
    fn miller_rabin(&mut self, number: &[u8], rounds: usize, rng: &mut impl CryptoRng) -> Option<usize>;
}

/// [`PrimalityTests::miller_rabin`] by a `round` that takes a number and two bases side by side, big-endian and as long as the number; it gives true for
/// the bases with which the number passes.
pub fn miller_rabin_in_pairs(
    number: &[u8],
    rounds: usize,
    rng: &mut impl CryptoRng,
    mut round: impl FnMut(&[u8], [&[u8]; 2]) -> [bool; 2],
) -> Option<usize> {
    let pairs = rounds.div_ceil(2);
    for _ in 0..pairs {
        let bases = [(); 2].map(|()| below(number, rng));
        if round(number, bases.each_ref().map(|base| base.as_slice())) != [true; 2] {
            return None;
        }
    }
    Some(pairs * 2)
}

/// A random number below `bound`, each as likely as any other; both big-endian. The highest bit of `bound` is set, so two tries are enough on
/// average.
fn below(bound: &[u8], rng: &mut impl CryptoRng) -> Zeroizing<Vec<u8>> {
    let mut number = Zeroizing::new(vec![0; bound.len()]);
    loop {
        rng.fill_bytes(&mut number);
        if number.as_slice() < bound {
            return number;
        }
    }
}

/// Fermat's test in integers, which every processor has. Miller and Rabin's is left to others.
#[derive(Clone, Copy, Debug)]
pub struct Integers;

impl PrimalityTests for Integers {
    fn fermat(&mut self, first: &[u8], second: &[u8]) -> [bool; 2] {
        fermat::pass(first, second)
    }

    fn miller_rabin(&mut self, _: &[u8], _: usize, _: &mut impl CryptoRng) -> Option<usize> {
        Some(0)
    }
}

/// A search under way. It does a little at a time, so that its caller can look up in between.
pub struct Search {
    sieve: Sieve,
    block: Option<Block>,
}

/// What a step of the search has brought.
pub struct Step {
    /// How many numbers were tested.
    pub tested: u32,
    /// What passed, if anything did: big-endian, as long as the prime's size; wiped when dropped.
    pub found: Option<Zeroizing<Vec<u8>>>,
}

impl Search {
    /// Gets ready.
    pub fn new(size: PrimeSize) -> Self {
        Self { sieve: Sieve::new(size), block: None }
    }

    /// Tests the next two numbers.
    pub fn step(&mut self, tests: &mut impl PrimalityTests, rng: &mut impl CryptoRng) -> Step {
        let block = self.block.get_or_insert_with(|| Block::draw(&self.sieve, rng));
        let Some(first) = block.take(rng) else {
            self.block = None;
            return Step { tested: 0, found: None };
        };
        // The last of an odd number is tested beside itself.
        let second = block.take(rng).unwrap_or_else(|| first.clone());
        let [first_passes, second_passes] = tests.fermat(&first, &second);
        let found = if first_passes {
            Some(first)
        } else if second_passes {
            Some(second)
        } else {
            None
        };
        if found.is_some() {
            self.block = None;
        }
        Step { tested: 2, found }
    }

    /// Goes on until something passes.
    pub fn next(&mut self, tests: &mut impl PrimalityTests, rng: &mut impl CryptoRng) -> Zeroizing<Vec<u8>> {
        loop {
            if let Some(found) = self.step(tests, rng).found {
                return found;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use crypto_bigint::{BoxedUint, NonZero};
    use crypto_primes::{Flavor, is_prime};

    use super::*;

    const SIZES: [PrimeSize; 3] = [PrimeSize::Bits1024, PrimeSize::Bits1536, PrimeSize::Bits2048];

    #[test]
    fn what_is_found_is_prime_and_of_its_size() {
        for size in SIZES {
            let mut search = Search::new(size);
            for _ in 0..3 {
                let found = search.next(&mut Integers, &mut rand::rng());
                assert_eq!(found.len() * 8, size.bits());
                // √2 begins with 1.011010100000100111…
                assert!(found.as_slice() >= &[0xB5, 0x04, 0xF3, 0x33][..]);
                let number = BoxedUint::from_be_slice(&found, size.bits() as u32).unwrap();
                assert!(is_prime(Flavor::Any, &number));
                let remainder = number.rem(&NonZero::new(BoxedUint::from(65_537_u32)).unwrap());
                assert!(!bool::from(remainder.is_one()));
            }
        }
    }

    #[test]
    fn about_as_many_tests_are_needed_as_the_density_of_primes_says() {
        let size = PrimeSize::Bits1024;
        let mut search = Search::new(size);
        let (mut tested, mut found) = (0.0, 0.0);
        while found < 40.0 {
            let step = search.step(&mut Integers, &mut rand::rng());
            tested += f64::from(step.tested);
            found += if step.found.is_some() { 1.0 } else { 0.0 };
        }
        // The standard deviation of the mean of 40 is a sixth of it.
        let ratio = tested / found / size.expected_tests();
        assert!((0.3..2.5).contains(&ratio), "{ratio}");
    }

    #[test]
    fn a_search_never_finds_two_in_one_block() {
        let mut search = Search::new(PrimeSize::Bits1024);
        let mut top_halves = std::collections::HashSet::new();
        for _ in 0..8 {
            assert!(
                top_halves
                    .insert(search.next(&mut Integers, &mut rand::rng()).iter().take(64).copied().collect::<Vec<_>>())
            );
        }
    }
}
