//! A block of consecutive integers, without those that cannot be a prime of an RSA key.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::PrimeSize;
use crate::divisor::Divisor;
use crate::odd_primes::odd_primes;

/// How many odd numbers a block has: 2^14 of 2^15 consecutive integers. Many more than are tested before one is prime, so that the random order has
/// something to choose from.
const ODD_NUMBERS: usize = 1 << 14;

/// The public exponent of every key: 65537. A prime must not be 1 modulo it (FIPS 186-5, appendix A.1.3, steps 4.5 and 5.6).
const PUBLIC_EXPONENT: u32 = 65_537;

/// The first 32 bits of √2/2, rounded up: a block that begins with them or more lies above √2·2^(k-1).
const HALF_ROOT_OF_TWO: u32 = 0xB504_F334;

/// The divisors that strike numbers out of blocks of one size, prepared once.
pub(crate) struct Sieve {
    size: PrimeSize,
    /// The odd primes below a bound, in fours; the last ones are repeated.
    small_primes: Vec<[Divisor; 4]>,
    public_exponent: Divisor,
}

impl Sieve {
    /// For primes of `size`: the odd primes below its bound.
    pub(crate) fn new(size: PrimeSize) -> Self {
        Self::with_primes_below(size.sieve_bound(), size)
    }

    fn with_primes_below(bound: u32, size: PrimeSize) -> Self {
        let prepared = |value| Divisor::new(value, size.bits() / 32);
        let in_fours =
            |primes: &[u32]| core::array::from_fn(|i| prepared(primes.get(i).or(primes.last()).copied().unwrap_or(3)));
        let small_primes = odd_primes(bound).chunks(4).map(in_fours).collect();
        Self { size, small_primes, public_exponent: prepared(PUBLIC_EXPONENT) }
    }
}

/// A block of integers, and which of them are left.
pub struct Block {
    /// The block's first integer, which is even: 32-bit digits, least significant first.
    first: Zeroizing<Vec<u32>>,
    /// The places that are left: place i stands for the integer `first + 2i + 1`.
    places: Zeroizing<Vec<u16>>,
}

impl Block {
    /// Draws a block, and strikes out what has a small divisor.
    pub(crate) fn draw(sieve: &Sieve, rng: &mut impl CryptoRng) -> Self {
        let first = loop {
            let mut digits = Zeroizing::new(vec![0_u32; sieve.size.bits() / 32]);
            digits.iter_mut().for_each(|digit| *digit = rng.next_u32());
            if digits.last().is_some_and(|&top| top >= HALF_ROOT_OF_TWO) {
                break digits;
            }
        };
        Self::beginning_at(first, sieve)
    }

    /// The block that `integer` lies in.
    fn beginning_at(mut integer: Zeroizing<Vec<u32>>, sieve: &Sieve) -> Self {
        if let Some(lowest) = integer.first_mut() {
            *lowest &= !(2 * ODD_NUMBERS as u32 - 1);
        }
        let first = integer;
        let mut is_struck = Zeroizing::new(vec![false; ODD_NUMBERS]);
        let mut strike = |divisor: u32, place: u32| {
            is_struck.iter_mut().skip(place as usize).step_by(divisor as usize).for_each(|struck| *struck = true);
        };
        for divisors in &sieve.small_primes {
            for (divisor, remainder) in core::iter::zip(divisors, Divisor::remainders(divisors, &first)) {
                strike(divisor.value(), place_of_zero(divisor.value(), remainder));
            }
        }
        // first + 2i + 1 is 1 where first - 1 + 2i + 1 is 0.
        let [remainder, ..] = Divisor::remainders(&[sieve.public_exponent; 4], &first);
        let less_one = (remainder + PUBLIC_EXPONENT - 1) % PUBLIC_EXPONENT;
        strike(PUBLIC_EXPONENT, place_of_zero(PUBLIC_EXPONENT, less_one));
        let left = |(place, &is_struck): (usize, &bool)| if is_struck { None } else { u16::try_from(place).ok() };
        let places = Zeroizing::new(is_struck.iter().enumerate().filter_map(left).collect());
        Self { first, places }
    }

    /// Takes one of the numbers that are left, each with the same probability: big-endian, wiped when dropped.
    pub(crate) fn take(&mut self, rng: &mut impl CryptoRng) -> Option<Zeroizing<Vec<u8>>> {
        let count = u32::try_from(self.places.len()).ok().filter(|&count| count > 0)?;
        let place = self.places.swap_remove(below(count, rng) as usize);
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.first.len() * 4));
        for (index, &digit) in self.first.iter().enumerate().rev() {
            let low = if index == 0 { 2 * u32::from(place) + 1 } else { 0 };
            bytes.extend((digit | low).to_be_bytes());
        }
        Some(bytes)
    }
}

/// A random number below `count`, each with the same probability.
fn below(count: u32, rng: &mut impl CryptoRng) -> u32 {
    // The largest multiple of count that fits: what lies above would prefer small remainders.
    let limit = u32::MAX - u32::MAX % count;
    loop {
        let number = rng.next_u32();
        if number < limit {
            return number % count;
        }
    }
}

/// The smallest i for which `first + 2i + 1` is divisible by `divisor`, an odd number, if `first` leaves `remainder`.
fn place_of_zero(divisor: u32, remainder: u32) -> u32 {
    let missing = divisor - 1 - remainder;
    // 2i is even: it is what is missing, or that and the divisor.
    if missing.is_multiple_of(2) { missing / 2 } else { (missing + divisor) / 2 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use std::collections::BTreeSet;

    use super::*;

    /// The remainder, digit by digit from the top, as on paper.
    fn remainder(number: &[u32], divisor: u32) -> u32 {
        let divide = |rest: u64, &digit: &u32| ((rest << 32) + u64::from(digit)) % u64::from(divisor);
        number.iter().rev().fold(0, divide) as u32
    }

    fn value(bytes: &[u8]) -> Vec<u32> {
        bytes.rchunks(4).map(|digit| u32::from_be_bytes(digit.try_into().unwrap())).collect()
    }

    #[test]
    fn exactly_the_numbers_with_a_small_divisor_are_struck_out() {
        let primes = odd_primes(1 << 18);
        let block = Block::draw(&Sieve::new(PrimeSize::Bits1024), &mut rand::rng());
        let left: BTreeSet<_> = block.places.iter().copied().collect();
        for place in (0..ODD_NUMBERS as u16).step_by(37) {
            let mut number = block.first.to_vec();
            number[0] += 2 * u32::from(place) + 1;
            let has_divisor = primes.iter().any(|&prime| remainder(&number, prime) == 0);
            let is_one = remainder(&number, PUBLIC_EXPONENT) == 1;
            assert_eq!(left.contains(&place), !(has_divisor || is_one), "{place}");
        }
    }

    #[test]
    fn what_is_one_modulo_the_public_exponent_is_struck_out() {
        // 65537·2^15, so the number after it leaves 1, and 3 does not divide it.
        let mut first = Zeroizing::new(vec![0_u32; 32]);
        first[0] = 65_537 << 15;
        let block = Block::beginning_at(first, &Sieve::with_primes_below(5, PrimeSize::Bits1024));
        assert!(!block.places.contains(&0));
        assert!(block.places.contains(&1));
    }

    #[test]
    fn all_that_is_left_is_taken_once() {
        let mut block = Block::draw(&Sieve::with_primes_below(1 << 10, PrimeSize::Bits1024), &mut rand::rng());
        let (first, left) = (block.first.to_vec(), block.places.len());
        let mut taken = BTreeSet::new();
        while let Some(bytes) = block.take(&mut rand::rng()) {
            let number = value(&bytes);
            assert_eq!(number[1..], first[1..]);
            assert!(number[0] % 2 == 1 && number[0] - first[0] < 2 * ODD_NUMBERS as u32);
            taken.insert(number[0]);
        }
        assert_eq!(taken.len(), left);
    }

    #[test]
    fn blocks_begin_high_enough_and_on_a_boundary() {
        let none = Sieve::with_primes_below(3, PrimeSize::Bits1024);
        for _ in 0..50 {
            let block = Block::draw(&none, &mut rand::rng());
            assert!(*block.first.last().unwrap() >= HALF_ROOT_OF_TWO);
            assert_eq!(block.first[0] % (1 << 15), 0);
        }
    }

    #[test]
    fn half_the_root_of_two_is_rounded_up() {
        let square = |number: u32| u128::from(number) * u128::from(number);
        assert!(square(HALF_ROOT_OF_TWO) >= 1 << 63);
        assert!(square(HALF_ROOT_OF_TWO - 1) < 1 << 63);
    }
}
