//! A block of consecutive integers, without those that cannot be a prime of an RSA key.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::PrimeSize;
use crate::odd_primes::OddPrimes;

/// How many odd numbers a block has: 2^14 of 2^15 consecutive integers. Many more than are tested before one is prime, so that the random order has
/// something to choose from.
const ODD_NUMBERS: usize = 1 << 14;

/// The public exponent of every key: 65537. A prime must not be 1 modulo it (FIPS 186-5, appendix A.1.3, steps 4.5 and 5.6).
const PUBLIC_EXPONENT: u32 = 65_537;

/// The first 32 bits of √2/2, rounded up: a block that begins with them or more lies above √2·2^(k-1).
const HALF_ROOT_OF_TWO: u32 = 0xB504_F334;

/// A block of integers, and which of them are left.
pub struct Block {
    /// The block's first integer, which is even: 32-bit digits, least significant first.
    first: Zeroizing<Vec<u32>>,
    /// The places that are left: place i stands for the integer `first + 2i + 1`.
    places: Zeroizing<Vec<u16>>,
}

impl Block {
    /// Draws a block for primes of `size`, and strikes out what has a small divisor.
    pub(crate) fn draw(size: PrimeSize, odd_primes: &OddPrimes, rng: &mut impl CryptoRng) -> Self {
        let first = loop {
            let mut digits = Zeroizing::new(vec![0_u32; size.bits() / 32]);
            digits.iter_mut().for_each(|digit| *digit = rng.next_u32());
            if digits.last().is_some_and(|&top| top >= HALF_ROOT_OF_TWO) {
                break digits;
            }
        };
        Self::beginning_at(first, odd_primes)
    }

    /// The block that `integer` lies in.
    fn beginning_at(mut integer: Zeroizing<Vec<u32>>, odd_primes: &OddPrimes) -> Self {
        if let Some(lowest) = integer.first_mut() {
            *lowest &= !(2 * ODD_NUMBERS as u32 - 1);
        }
        let first = integer;
        let mut is_struck = Zeroizing::new(vec![false; ODD_NUMBERS]);
        let mut strike = |divisor: u32, place: u32| {
            is_struck.iter_mut().skip(place as usize).step_by(divisor as usize).for_each(|struck| *struck = true);
        };
        let mut groups = odd_primes.as_slice().chunks_exact(4);
        for group in &mut groups {
            let Ok(group) = group.try_into() else { continue };
            for (divisor, remainder) in core::iter::zip(group, remainders(&first, group)) {
                strike(divisor, place_of_zero(divisor, remainder));
            }
        }
        for &divisor in groups.remainder() {
            let [remainder, ..] = remainders(&first, [divisor; 4]);
            strike(divisor, place_of_zero(divisor, remainder));
        }
        // first + 2i + 1 is 1 where first - 1 + 2i + 1 is 0.
        let [remainder, ..] = remainders(&first, [PUBLIC_EXPONENT; 4]);
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

/// Where `first + 2i + 1` is divisible by `divisor`, an odd number, if `first` leaves `remainder`: the smallest such i.
fn place_of_zero(divisor: u32, remainder: u32) -> u32 {
    let missing = 2 * divisor - 1 - remainder;
    // An even number of steps of one, as 2i must be.
    if missing.is_multiple_of(2) { (missing / 2) % divisor } else { (missing + divisor) / 2 % divisor }
}

/// What `number` (32-bit digits, least significant first) leaves when divided by each of four odd divisors below 2^31.
///
/// Montgomery's reduction, digit by digit (Montgomery 1985), which takes no division; four at once, so that the processor need not wait.
fn remainders(number: &[u32], divisors: [u32; 4]) -> [u32; 4] {
    let inverses = divisors.map(negative_inverse);
    let mut sums = [0_u64; 4];
    for &digit in number {
        for ((sum, &divisor), &inverse) in sums.iter_mut().zip(&divisors).zip(&inverses) {
            let total = *sum + u64::from(digit);
            let multiple = (total as u32).wrapping_mul(inverse);
            *sum = (total + u64::from(multiple) * u64::from(divisor)) >> 32;
        }
    }
    // Now each sum is number / 2^(32·digits), modulo its divisor: put the powers of two back.
    let mut remainders = [0; 4];
    for ((remainder, sum), divisor) in remainders.iter_mut().zip(sums).zip(divisors) {
        let divisor = u64::from(divisor);
        *remainder = (sum % divisor * power_of_two(32 * number.len() as u32, divisor) % divisor) as u32;
    }
    remainders
}

/// 2^exponent modulo `modulus`, which is below 2^32.
fn power_of_two(exponent: u32, modulus: u64) -> u64 {
    let mut power = 1;
    for bit in (0..exponent.checked_ilog2().map_or(0, |top| top + 1)).rev() {
        power = power * power % modulus;
        if exponent >> bit & 1 == 1 {
            power = power * 2 % modulus;
        }
    }
    power
}

/// -1/odd modulo 2^32, by Newton's iteration: each round doubles the number of right bits, beginning with three.
pub(crate) fn negative_inverse(odd: u32) -> u32 {
    let mut inverse = odd;
    for _ in 0..4 {
        inverse = inverse.wrapping_mul(2_u32.wrapping_sub(odd.wrapping_mul(inverse)));
    }
    inverse.wrapping_neg()
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
    fn remainders_are_those_of_long_division() {
        let number = [u32::MAX, 0, 0x1234_5678, u32::MAX, 0x8000_0001];
        for divisors in [[3, 5, 7, 11], [65_537, 1_048_573, 1_048_571, 3], [0x7FFF_FFFF, 9, 15, 21]] {
            assert_eq!(remainders(&number, divisors), divisors.map(|divisor| remainder(&number, divisor)));
        }
    }

    #[test]
    fn exactly_the_numbers_with_a_small_divisor_are_struck_out() {
        let primes = OddPrimes::below(1 << 18);
        let block = Block::draw(PrimeSize::Bits1024, &primes, &mut rand::rng());
        let left: BTreeSet<_> = block.places.iter().copied().collect();
        for place in (0..ODD_NUMBERS as u16).step_by(37) {
            let mut number = block.first.to_vec();
            number[0] += 2 * u32::from(place) + 1;
            let has_divisor = primes.as_slice().iter().any(|&prime| remainder(&number, prime) == 0);
            let is_one = remainder(&number, PUBLIC_EXPONENT) == 1;
            assert_eq!(left.contains(&place), !(has_divisor || is_one), "{place}");
        }
    }

    #[test]
    fn what_is_one_modulo_the_public_exponent_is_struck_out() {
        // 65537·2^15, so the number after it leaves 1, and 3 does not divide it.
        let mut first = Zeroizing::new(vec![0_u32; 32]);
        first[0] = 65_537 << 15;
        let block = Block::beginning_at(first, &OddPrimes::below(5));
        assert!(!block.places.contains(&0));
        assert!(block.places.contains(&1));
    }

    #[test]
    fn all_that_is_left_is_taken_once() {
        let mut block = Block::draw(PrimeSize::Bits1024, &OddPrimes::below(1 << 10), &mut rand::rng());
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
        let none = OddPrimes::below(3);
        for _ in 0..50 {
            let block = Block::draw(PrimeSize::Bits1024, &none, &mut rand::rng());
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

    #[test]
    fn negative_inverses_are() {
        for odd in [1_u32, 3, 65_537, 0xFFFF_FFFF, 0x1234_5679] {
            assert_eq!(odd.wrapping_mul(negative_inverse(odd)), u32::MAX);
        }
    }
}
