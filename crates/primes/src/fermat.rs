//! Fermat's test to the base 2, of two numbers at a time.
//!
//! A prime n passes: 2^(n-1) is 1 modulo n. Of composite numbers of an RSA prime's size hardly any does.
//!
//! The powers are made by Montgomery's multiplication (Montgomery 1985) without its last subtraction (Walter 1999). Digits have 28 bits,
//! so that a whole column of products fits a sum of 64 bits, and carries are seen to once a column instead of once a product.

use core::iter::zip;

use zeroize::Zeroizing;

use crate::divisor::negative_inverse;
use crate::lanes::{Digits, Sums};

/// The bits of a digit. A column has at most 148 products of 56 bits (two times 74 digits for 2048 bits), and 148·2^56 < 2^64.
const BITS: u32 = 28;
const MASK: u32 = (1 << BITS) - 1;

/// Which of two numbers pass, big-endian, equally long, odd, with their highest bit set. Others do not pass.
pub fn pass(first: &[u8], second: &[u8]) -> [bool; 2] {
    let fits = |number: &[u8]| {
        number.len() <= 256
            && number.first().is_some_and(|top| top >> 7 == 1)
            && number.last().is_some_and(|low| low & 1 == 1)
    };
    if first.len() != second.len() || !fits(first) || !fits(second) {
        return [false; 2];
    }
    // Montgomery's R is 2^28 to the power of this: at least 16 times the number, so that what is below 4n stays so.
    let digits = (first.len() * 8 + 4).div_ceil(BITS as usize).next_multiple_of(2);
    let moduli = [first, second].map(|number| to_digits(number, digits));
    let ones = [(first, &moduli[0]), (second, &moduli[1])].map(|(number, modulus)| r_modulo(number.len() * 8, modulus));
    let modulus = Pair::of(&moduli);
    let mut power = Pair::of(&ones);
    let mut squared = Pair::zero(digits / 2);
    let mut multiples = vec![Digits::ZERO; digits / 2];
    let inverses =
        moduli.each_ref().map(|modulus| modulus.first().map_or(0, |&low| u64::from(negative_inverse(low) & MASK)));
    let inverses = Digits::of(Sums::new(inverses), Sums::ZERO);
    let last = first.len() - 1;
    for (index, (&first_byte, &second_byte)) in zip(first, second).enumerate() {
        for bit in (0..8).rev() {
            // The exponent is n - 1: its lowest bit is 0.
            let is_set = |byte: u8| if (index, bit) != (last, 0) && byte >> bit & 1 == 1 { u64::MAX } else { 0 };
            let doubling = Sums::new([is_set(first_byte), is_set(second_byte)]);
            square(&power, &modulus, inverses, doubling, &mut multiples, &mut squared);
            core::mem::swap(&mut power, &mut squared);
        }
    }
    wipe(&mut multiples);
    let [first_power, second_power] = power.split();
    let [first_one, second_one] = &ones;
    let [first_modulus, second_modulus] = &moduli;
    [is_congruent(&first_power, first_one, first_modulus), is_congruent(&second_power, second_one, second_modulus)]
}

/// The digits of two numbers, side by side, least significant first; wiped when dropped.
struct Pair {
    digits: Vec<Digits>,
    /// The same, lower and upper digits changed places: made once, and not for each product.
    swapped: Vec<Digits>,
}

impl Pair {
    fn zero(length: usize) -> Self {
        Self { digits: vec![Digits::ZERO; length], swapped: vec![Digits::ZERO; length] }
    }

    fn of([first, second]: &[Zeroizing<Vec<u32>>; 2]) -> Self {
        let pairs = |digits: &[u32]| match *digits {
            [lower, upper] => [lower, upper],
            _ => [0; 2],
        };
        let side_by_side = |(first, second): (&[u32], &[u32])| {
            let ([lower_1, upper_1], [lower_2, upper_2]) = (pairs(first), pairs(second));
            Digits::new([lower_1, lower_2], [upper_1, upper_2])
        };
        let digits: Vec<_> = zip(first.chunks_exact(2), second.chunks_exact(2)).map(side_by_side).collect();
        Self { swapped: digits.iter().map(|digits| digits.swapped()).collect(), digits }
    }

    fn split(&self) -> [Zeroizing<Vec<u32>>; 2] {
        let mut numbers = [(); 2].map(|()| Zeroizing::new(Vec::with_capacity(self.digits.len() * 2)));
        let [first, second] = &mut numbers;
        for digits in &self.digits {
            let [[lower_1, lower_2], [upper_1, upper_2]] = digits.get();
            first.extend([lower_1, upper_1]);
            second.extend([lower_2, upper_2]);
        }
        numbers
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        wipe(&mut self.digits);
        wipe(&mut self.swapped);
    }
}

fn wipe(digits: &mut [Digits]) {
    digits.fill(Digits::ZERO);
    zeroize::optimization_barrier(digits);
}

/// Three neighbouring columns of sums: those of a digit pair's lower digits, of lower by upper, and of the upper digits.
#[derive(Clone, Copy)]
struct Columns([Sums; 3]);

impl Columns {
    const ZERO: Self = Self([Sums::ZERO; 3]);

    /// With the products of `a`, from the front, and `b`, from the back, of which `swapped` has the digits the other way round.
    #[inline(always)]
    fn with_products(mut self, a: &[Digits], b: &[Digits], swapped: &[Digits]) -> Self {
        // Two at a time: the loop itself costs as much as a product.
        let (mut a, mut b, mut swapped) = (a.chunks_exact(2), b.rchunks_exact(2), swapped.rchunks_exact(2));
        for ((a, b), swapped) in zip(zip(&mut a, &mut b), &mut swapped) {
            if let ([a_0, a_1], [b_1, b_0], [swapped_1, swapped_0]) = (a, b, swapped) {
                self = self.with_product(*a_0, *b_0, *swapped_0).with_product(*a_1, *b_1, *swapped_1);
            }
        }
        for ((a, b), swapped) in zip(zip(a.remainder(), b.remainder()), swapped.remainder()) {
            self = self.with_product(*a, *b, *swapped);
        }
        self
    }

    #[inline(always)]
    fn with_product(self, a: Digits, b: Digits, swapped: Digits) -> Self {
        let Self([low, middle, high]) = self;
        let across = a.product_of_lower(swapped).plus(a.product_of_upper(swapped));
        Self([low.plus(a.product_of_lower(b)), middle.plus(across), high.plus(a.product_of_upper(b))])
    }

    #[inline(always)]
    fn doubled(self) -> Self {
        Self(self.0.map(Sums::doubled))
    }
}

/// The columns of place `place` of the square of `number`: each product of two different digits counts twice.
#[inline(always)]
fn columns_of_square(Pair { digits, swapped }: &Pair, place: usize) -> Columns {
    let from = (place + 1).saturating_sub(digits.len());
    let to = digits.len().min(place + 1);
    let half = (to - from) / 2;
    let (lower, upper) = (digits.get(from..from + half), to - half..to);
    let (Some(lower), Some(swapped), Some(upper)) = (lower, swapped.get(upper.clone()), digits.get(upper)) else {
        return Columns::ZERO;
    };
    let columns = Columns::ZERO.with_products(lower, upper, swapped).doubled();
    match digits.get(place / 2) {
        Some(&middle) if (to - from) % 2 == 1 => {
            let Columns([low, both, high]) = columns;
            let across = middle.product_of_lower(middle.swapped()).doubled();
            Columns([
                low.plus(middle.product_of_lower(middle)),
                both.plus(across),
                high.plus(middle.product_of_upper(middle)),
            ])
        }
        _ => columns,
    }
}

/// Montgomery's square of `number`, doubled where `doubling` has ones: below 4n if `number` is.
///
/// `inverses` is -1/n modulo 2^28; `multiples` is room for as many digits as the others have.
#[inline(never)]
fn square(
    number: &Pair,
    modulus: &Pair,
    inverses: Digits,
    doubling: Sums,
    multiples: &mut [Digits],
    result: &mut Pair,
) {
    let mask = Sums::new([u64::from(MASK); 2]);
    let length = modulus.digits.len();
    let (Some(&lowest), Some(&swapped_lowest)) = (modulus.digits.first(), modulus.swapped.first()) else { return };
    let digit = |sums: Sums| Digits::of(sums.and(mask), Sums::ZERO);
    let mut carry = Sums::ZERO;
    // The lower half: a multiple of the modulus makes each digit zero.
    for place in 0..length {
        let columns = columns_of_square(number, place);
        let rest = (modulus.digits.get(1..=place), modulus.swapped.get(1..=place));
        let (Some(before), (Some(rest), Some(swapped))) = (multiples.get(..place), rest) else { return };
        let Columns([low, middle, high]) = columns.with_products(before, rest, swapped);
        let sum = carry.plus(low);
        let lower_multiple = digit(sum).product_of_lower(inverses).and(mask);
        let lower = digit(lower_multiple);
        let sum = sum.plus(lower.product_of_lower(lowest)).above::<BITS>();
        let sum = sum.plus(middle).plus(lower.product_of_lower(swapped_lowest));
        let upper_multiple = digit(sum).product_of_lower(inverses).and(mask);
        let upper = digit(upper_multiple);
        let sum = sum.plus(upper.product_of_lower(lowest)).above::<BITS>();
        carry = sum.plus(high).plus(upper.product_of_lower(swapped_lowest));
        if let Some(multiple) = multiples.get_mut(place) {
            *multiple = Digits::of(lower_multiple, upper_multiple);
        }
    }
    // The upper half is what remains.
    let mut carry_of_doubling = Sums::ZERO;
    let mut doubled = |sums: Sums| {
        let digit = sums.and(mask);
        let twice = digit.plus(digit.and(doubling)).plus(carry_of_doubling);
        carry_of_doubling = twice.above::<BITS>();
        twice.and(mask)
    };
    for (index, (result, result_swapped)) in zip(&mut result.digits, &mut result.swapped).enumerate() {
        let columns = columns_of_square(number, length + index);
        let rest = (modulus.digits.get(index + 1..), modulus.swapped.get(index + 1..));
        let (Some(before), (Some(rest), Some(swapped))) = (multiples.get(index + 1..), rest) else { return };
        let Columns([low, middle, high]) = columns.with_products(before, rest, swapped);
        let sum = carry.plus(low);
        let lower = doubled(sum);
        let sum = sum.above::<BITS>().plus(middle);
        let upper = doubled(sum);
        carry = sum.above::<BITS>().plus(high);
        *result = Digits::of(lower, upper);
        *result_swapped = Digits::of(upper, lower);
    }
}

/// The `count` lowest digits of a big-endian number, least significant first.
fn to_digits(number: &[u8], count: usize) -> Zeroizing<Vec<u32>> {
    let mut digits = Zeroizing::new(Vec::with_capacity(count));
    let mut bytes = number.iter().rev();
    let (mut held, mut held_bits) = (0_u64, 0);
    while digits.len() < count {
        while held_bits < BITS {
            held |= u64::from(bytes.next().copied().unwrap_or(0)) << held_bits;
            held_bits += 8;
        }
        digits.push(held as u32 & MASK);
        held >>= BITS;
        held_bits -= BITS;
    }
    digits
}

/// 2^(28·digits) modulo `modulus`, which has `bits` bits: Montgomery's 1.
fn r_modulo(bits: usize, modulus: &[u32]) -> Zeroizing<Vec<u32>> {
    // 2^bits - n, which is 2^bits modulo n: n's complement, plus one.
    let mut complement = Zeroizing::new(vec![0_u32; modulus.len()]);
    let mut carry = 1;
    for (index, (result, &digit)) in zip(complement.iter_mut(), modulus).enumerate() {
        let width = bits.saturating_sub(index * BITS as usize).min(BITS as usize);
        let sum = (((1_u64 << width) - 1) as u32 ^ digit) + carry;
        *result = sum & MASK;
        carry = sum >> BITS;
    }
    for _ in bits..modulus.len() * BITS as usize {
        double(&mut complement, modulus);
    }
    complement
}

/// Doubles `number` modulo `modulus`; both it and the result are below the modulus.
fn double(number: &mut [u32], modulus: &[u32]) {
    let mut carry = 0;
    for digit in number.iter_mut() {
        let sum = *digit * 2 + carry;
        *digit = sum & MASK;
        carry = sum >> BITS;
    }
    if number.iter().rev().ge(modulus.iter().rev()) {
        subtract(number, modulus);
    }
}

/// `number - other`, which is not negative.
fn subtract(number: &mut [u32], other: &[u32]) {
    let mut borrow = 0;
    for (digit, &other) in zip(number, other) {
        let difference = digit.wrapping_sub(other).wrapping_sub(borrow);
        *digit = difference & MASK;
        borrow = difference >> 31;
    }
}

/// Whether `power`, which is below 4n, is `one` modulo n.
fn is_congruent(power: &[u32], one: &[u32], modulus: &[u32]) -> bool {
    let mut power = Zeroizing::new(power.to_vec());
    while power.iter().rev().ge(modulus.iter().rev()) {
        subtract(&mut power, modulus);
    }
    power.as_slice() == one
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop where it fails")]

    use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
    use crypto_bigint::{BoxedUint, Odd, Resize};
    use crypto_primes::{Flavor, random_prime};
    use rand::RngExt;

    use super::*;

    /// A number that fits, and whether a library finds 2^(n-1) to be 1 modulo n.
    fn passes_by_library(number: &[u8]) -> bool {
        let modulus = BoxedUint::from_be_slice(number, number.len() as u32 * 8).unwrap();
        let exponent = modulus.wrapping_sub(BoxedUint::one());
        let parameters = BoxedMontyParams::new(Odd::new(modulus.clone()).unwrap());
        let two = BoxedUint::from(2_u32).resize(modulus.bits_precision());
        BoxedMontyForm::new(two, &parameters).pow(&exponent).retrieve().is_one().into()
    }

    fn random_odd(bytes: usize) -> Vec<u8> {
        let mut number: Vec<u8> = (0..bytes).map(|_| rand::rng().random()).collect();
        *number.first_mut().unwrap() |= 0x80;
        *number.last_mut().unwrap() |= 1;
        number
    }

    fn prime(bits: u32) -> Vec<u8> {
        let prime: BoxedUint = random_prime(&mut rand::rng(), Flavor::Any, bits);
        prime.to_be_bytes().to_vec()
    }

    #[test]
    fn primes_pass_and_composites_do_not_on_either_side() {
        for bits in [1024, 1536, 2048] {
            let (prime, composite) = (prime(bits), random_odd(bits as usize / 8));
            assert!(!passes_by_library(&composite));
            assert_eq!(pass(&prime, &composite), [true, false]);
            assert_eq!(pass(&composite, &prime), [false, true]);
            assert_eq!(pass(&prime, &prime), [true, true]);
        }
    }

    #[test]
    fn the_library_agrees_on_numbers_of_any_length() {
        for bytes in 1..=40 {
            for _ in 0..60 {
                let pair = [random_odd(bytes), random_odd(bytes)];
                let expected = pair.each_ref().map(|number| passes_by_library(number));
                assert_eq!(pass(&pair[0], &pair[1]), expected, "{pair:x?}");
            }
        }
    }

    #[test]
    fn extreme_digits_do_not_overflow() {
        for bytes in [128, 192, 256] {
            let all_ones = vec![0xFF; bytes];
            let mut almost_none = vec![0; bytes];
            *almost_none.first_mut().unwrap() = 0x80;
            *almost_none.last_mut().unwrap() = 1;
            let expected = [passes_by_library(&all_ones), passes_by_library(&almost_none)];
            assert_eq!(pass(&all_ones, &almost_none), expected);
        }
        // The largest primes below 2^1024, 2^1536 and 2^2048 are 2^k - c (OEIS A013603).
        for (bytes, c) in [(128, 105_u32), (192, 3453), (256, 1557)] {
            let largest = BoxedUint::from_be_slice(&vec![0xFF; bytes], bytes as u32 * 8).unwrap();
            let largest = largest.wrapping_sub(BoxedUint::from(c - 1)).to_be_bytes().to_vec();
            assert_eq!(pass(&largest, &largest), [true, true], "2^{} - {c}", bytes * 8);
        }
    }

    #[test]
    fn a_pseudoprime_passes_so_a_library_must_decide() {
        // The smallest composite of 16 bits that passes, as 341 = 11·31 does.
        let pseudoprime = (0x8001_u16..).step_by(2).find(|n| {
            let bytes = n.to_be_bytes();
            passes_by_library(&bytes) && (3..200).step_by(2).any(|divisor| n % divisor == 0)
        });
        let bytes = pseudoprime.unwrap().to_be_bytes();
        assert_eq!(pass(&bytes, &bytes), [true, true]);
    }

    #[test]
    fn what_does_not_fit_does_not_pass() {
        let prime = prime(1024);
        let mut even = prime.clone();
        *even.last_mut().unwrap() &= 0xFE;
        let mut short = prime.clone();
        *short.first_mut().unwrap() &= 0x7F;
        for unfit in [even, short, prime.iter().skip(1).copied().collect(), Vec::new(), random_odd(257)] {
            assert_eq!(pass(&prime, &unfit), [false; 2]);
            assert_eq!(pass(&unfit, &prime), [false; 2]);
        }
        assert_eq!(pass(&[], &[]), [false; 2]);
    }
}
