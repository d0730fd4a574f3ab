//! Fermat's test, and Miller and Rabin's, of numbers of an RSA prime's size, in doubles with fused multiply-add.
//!
//! Browsers have no product of 64 bits by 64. A fused multiply-add gives all 106 bits of a product of doubles in two instructions, for two
//! numbers side by side. Where multiply-add rounds twice, everything here is wrong: [`is_fused`] tells.
//!
//! The verdicts are for choosing what to look at: before a number is taken for a prime, a library must be asked again, with a fresh base.
//!
//! Memory that held numbers is wiped when it is dropped. Time and memory accesses depend on the numbers.

#[cfg(all(target_arch = "wasm32", target_feature = "relaxed-simd"))]
mod exports;
mod number;
mod product;
mod vector;

use crate::number::{Number, Pair, limbs_for};
use crate::product::Arithmetic;
use crate::vector::Vector;

/// The longest number, in bytes.
pub const MAXIMUM_SIZE: usize = 256;
/// The bits of an exponent that are seen to at a time.
const WINDOW: usize = 5;

/// Returns true if multiply-add rounds once here. Elsewhere the tests give nonsense.
pub fn is_fused() -> bool {
    Vector::is_fused()
}

/// Returns true if numbers like this can be tested: big-endian, from 8 to [`MAXIMUM_SIZE`] bytes, odd, with the highest bit set.
fn fits(number: &[u8]) -> bool {
    (8..=MAXIMUM_SIZE).contains(&number.len())
        && number.first().is_some_and(|top| top >> 7 == 1)
        && number.last().is_some_and(|low| low & 1 == 1)
}

/// Fermat's test to the base 2 of two numbers, big-endian, equally long, from 8 to [`MAXIMUM_SIZE`] bytes, odd, with the highest bit set. Returns
/// true for those that pass. Others do not pass.
pub fn fermat(first: &[u8], second: &[u8]) -> [bool; 2] {
    if first.len() != second.len() || !fits(first) || !fits(second) {
        return [false; 2];
    }
    let numbers = [first, second].map(|number| Number::of_bytes(number, limbs_for(first.len() * 8)));
    let ones = numbers.each_ref().map(|number| number.montgomery_one(first.len() * 8));
    let power = power_of_two([first, second], &numbers, &ones);
    power.is_congruent(ones.each_ref(), numbers.each_ref())
}

/// 2^(n-1)·R modulo each n.
fn power_of_two(bytes: [&[u8]; 2], numbers: &[Number; 2], ones: &[Number; 2]) -> Pair {
    let [first, second] = numbers.each_ref().map(Number::multiple_to_reduce_by);
    let mut arithmetic = Arithmetic::modulo(Pair::of([&first, &second]));
    let mut power = Pair::of(ones.each_ref());
    let [first, second] = bytes;
    let last = first.len().saturating_sub(1);
    for (index, (&first, &second)) in core::iter::zip(first, second).enumerate() {
        for bit in (0..8).rev() {
            // The exponent is n - 1: its lowest bit is 0.
            let is_set = |byte: u8| if (index, bit) != (last, 0) && byte >> bit & 1 == 1 { u64::MAX } else { 0 };
            arithmetic.square(&mut power, Vector::of_integers([is_set(first), is_set(second)]));
        }
    }
    power
}

/// A round of Miller and Rabin's test (FIPS 186-5, appendix B.3.1, steps 4.3 to 4.6) of a number, as [`fermat`] takes it, with each of two bases,
/// which are given as base·R modulo the number, big-endian, not longer than the number: random ones stand for random ones. Returns true for the
/// bases with which it passes.
pub fn miller_rabin(number: &[u8], bases: [&[u8]; 2]) -> [bool; 2] {
    if !fits(number) || bases.iter().any(|base| base.len() > number.len()) {
        return [false; 2];
    }
    let bits = number.len() * 8;
    let modulus = Number::of_bytes(number, limbs_for(bits));
    let one = modulus.montgomery_one(bits);
    let minus_one = modulus.minus(&one);
    let to_reduce_by = modulus.multiple_to_reduce_by();
    let mut arithmetic = Arithmetic::modulo(Pair::of([&to_reduce_by; 2]));
    let is = |power: &Pair, number: &Number| power.is_congruent([number; 2], [&modulus; 2]);
    // n - 1 is odd·2^twos.
    let bit = |place: usize| {
        let byte = number.iter().rev().nth(place / 8).copied().unwrap_or(0);
        usize::from(place > 0 && byte >> (place % 8) & 1 == 1)
    };
    let twos = (1..bits).find(|&place| bit(place) == 1).unwrap_or(1);
    // The powers of the bases from 0 to 31.
    let [first, second] = bases.map(|base| Number::of_bytes(base, limbs_for(bits)));
    let base = Pair::of([&first, &second]);
    let mut powers: [Pair; 1 << WINDOW] = core::array::from_fn(|_| Pair::zero(limbs_for(bits)));
    let mut power = Pair::of([&one; 2]);
    for place in &mut powers {
        place.clone_from(&power);
        arithmetic.multiply(&mut power, &base);
    }
    // base^odd, some bits of the exponent at a time.
    let window = |place: usize| (0..WINDOW).map(|i| bit(place + i) << i).sum::<usize>();
    let mut power = Pair::of([&one; 2]);
    for place in (twos..bits).step_by(WINDOW).rev() {
        for _ in 0..WINDOW {
            arithmetic.square(&mut power, Vector::ZERO);
        }
        if let (1.., Some(factor)) = (window(place), powers.get(window(place))) {
            arithmetic.multiply(&mut power, factor);
        }
    }
    let either = |[a, b]: [bool; 2], [c, d]: [bool; 2]| [a || c, b || d];
    let mut passes = either(is(&power, &one), is(&power, &minus_one));
    for _ in 1..twos {
        if passes == [true; 2] {
            break;
        }
        arithmetic.square(&mut power, Vector::ZERO);
        passes = either(passes, is(&power, &minus_one));
    }
    passes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use num_bigint::Sign::Plus;
    use num_bigint::{BigInt, BigUint};
    use rand::RngExt;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[cfg(target_arch = "wasm32")]
    wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

    /// The primes of the sizes' own, 2^k - c (OEIS A013603).
    const LARGEST: [(usize, u32); 3] = [(1024, 105), (1536, 3453), (2048, 1557)];

    fn largest_prime(bits: usize, c: u32) -> Vec<u8> {
        ((BigUint::from(1_u32) << bits) - c).to_bytes_be()
    }

    /// A number that fits: of random bytes, or of long runs of ones and zeros.
    fn number(size: usize) -> Vec<u8> {
        let mut rng = rand::rng();
        let kind = rng.random_range(0..8);
        let mut byte = || -> u8 {
            match kind {
                0 => 0,
                1 => 0xFF,
                2 | 3 if rng.random_range(0..16) != 0 => {
                    if kind == 2 {
                        0
                    } else {
                        0xFF
                    }
                }
                _ => rng.random(),
            }
        };
        let mut bytes: Vec<u8> = (0..size).map(|_| byte()).collect();
        bytes[0] |= 0x80;
        bytes[size - 1] |= 1;
        bytes
    }

    fn value(limbs: &[i64]) -> BigInt {
        limbs.iter().rev().fold(BigInt::from(0), |value, limb| (value << 52) + limb)
    }

    /// The sizes of numbers of every residue of limbs, and those that are asked for.
    fn size(round: usize) -> usize {
        match round % 4 {
            0 => [128, 192, 256][round / 4 % 3],
            // Multiples of a limb.
            1 => 13 * (1 + round / 4 % 19),
            _ => rand::rng().random_range(8..=256),
        }
    }

    #[test]
    fn multiply_add_is_fused_here() {
        assert!(is_fused());
    }

    #[test]
    fn residues_are_those_of_a_library() {
        for round in 0..100 {
            let size = size(round);
            let pair = [number(size), number(size)];
            let bytes = pair.each_ref().map(Vec::as_slice);
            let length = limbs_for(size * 8);
            let numbers = bytes.map(|number| Number::of_bytes(number, length));
            let ones = numbers.each_ref().map(|number| number.montgomery_one(size * 8));
            let power = power_of_two(bytes, &numbers, &ones);
            let passes = power.is_congruent(ones.each_ref(), numbers.each_ref());
            assert_eq!(passes, fermat(bytes[0], bytes[1]));
            for lane in 0..2 {
                let n = BigUint::from_bytes_be(bytes[lane]);
                let expected = BigUint::from(2_u32).modpow(&(&n - 1_u32), &n);
                let limbs = power.lane(lane);
                assert!(limbs[..length - 1].iter().all(|limb| (-(1 << 51)..1 << 51).contains(limb)));
                assert_eq!(limbs[length], 0);
                let difference = value(&limbs[..]) - BigInt::from_biguint(Plus, &expected << (52 * length));
                assert_eq!(difference % BigInt::from_biguint(Plus, n), BigInt::from(0), "{:x?}", bytes[lane]);
                assert_eq!(passes[lane], expected == BigUint::from(1_u32));
            }
        }
    }

    #[test]
    fn primes_pass_on_either_side() {
        for (bits, c) in LARGEST {
            let (prime, composite) = (largest_prime(bits, c), largest_prime(bits, c + 2));
            assert_eq!(fermat(&prime, &prime), [true, true]);
            assert_eq!(fermat(&prime, &composite), [true, false]);
            assert_eq!(fermat(&composite, &prime), [false, true]);
            let base = || number(bits / 8);
            for _ in 0..3 {
                assert_eq!(miller_rabin(&prime, [&base(), &base()]), [true; 2]);
                assert_eq!(miller_rabin(&composite, [&base(), &base()]), [false; 2]);
            }
        }
    }

    /// A round by the library.
    fn passes_by_library(n: &BigUint, base: &BigUint) -> bool {
        let (one, minus_one) = (BigUint::from(1_u32), n - 1_u32);
        let twos = minus_one.trailing_zeros().unwrap();
        let mut power = base.modpow(&(&minus_one >> twos), n);
        if power == one || power == minus_one {
            return true;
        }
        for _ in 1..twos {
            power = &power * &power % n;
            if power == minus_one {
                return true;
            }
        }
        false
    }

    fn compare_with_library(bytes: &[u8]) -> [bool; 2] {
        let n = BigUint::from_bytes_be(bytes);
        let bases = [(); 2].map(|()| BigUint::from_bytes_be(&number(bytes.len())) % &n);
        let montgomery = bases.each_ref().map(|base| ((base << (52 * limbs_for(bytes.len() * 8))) % &n).to_bytes_be());
        let expected = bases.map(|base| passes_by_library(&n, &base));
        assert_eq!(miller_rabin(bytes, montgomery.each_ref().map(Vec::as_slice)), expected, "{n}");
        expected
    }

    #[test]
    fn rounds_of_miller_and_rabin_are_those_of_a_library() {
        for round in 0..150 {
            let mut bytes = number(size(round).min(96));
            if round % 3 == 0 {
                // n - 1 has many twos.
                let end = bytes.len();
                bytes[end - 6..].copy_from_slice(&[0x10, 0, 0, 0, 0, 1]);
            }
            compare_with_library(&bytes);
        }
    }

    #[test]
    fn composites_with_many_liars_pass_with_these_alone() {
        // p(2p - 1) passes with a quarter of all bases, if both are primes and p is 3 modulo 4: there are no more for any number.
        let is_prime = |number: u64| {
            let number = BigUint::from(number);
            [2_u32, 3, 5, 7, 11, 13].iter().all(|base| passes_by_library(&number, &BigUint::from(*base)))
        };
        let (mut composites, mut liars) = (0, 0);
        let mut p = (1_u64 << 31) + 3;
        while composites < 8 {
            p += 4;
            if !is_prime(p) || !is_prime(2 * p - 1) {
                continue;
            }
            let bytes = (BigUint::from(p) * BigUint::from(2 * p - 1)).to_bytes_be();
            assert!(fits(&bytes));
            composites += 1;
            for _ in 0..20 {
                liars += compare_with_library(&bytes).iter().filter(|passes| **passes).count();
            }
        }
        assert!(liars > 0, "no base was a liar");
    }

    #[test]
    fn numbers_that_do_not_fit_do_not_pass() {
        let prime = largest_prime(1024, 105);
        let even = [&prime[..127], &[0x96]].concat();
        let low = [&[0x7F], &prime[1..]].concat();
        for unfit in [even, low, prime[1..].to_vec(), Vec::new(), vec![0xFF; 257], vec![0xFF; 7]] {
            assert_eq!(fermat(&prime, &unfit), [false; 2]);
            assert_eq!(fermat(&unfit, &prime), [false; 2]);
            if unfit != prime[1..] {
                assert_eq!(miller_rabin(&unfit, [&[2], &[3]]), [false; 2]);
            }
        }
        assert_eq!(miller_rabin(&prime, [&[0xFF; 129], &[3]]), [false; 2]);
    }
}
