//! Tests of primes in doubles: their verdicts are those of num-bigint. An input of the size, two bases of 8 bytes each, and two numbers.
#![no_main]

use keyside_montgomery::{MAXIMUM_SIZE, fermat, miller_rabin};
use num_bigint::BigUint;

/// The bits of a limb, and the limbs for a number of so many bits (crates/montgomery/src/number.rs).
const LIMB: usize = 52;
const fn limbs_for(bits: usize) -> usize {
    (bits + LIMB + 4).div_ceil(LIMB) | 1
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&size, rest)) = bytes.split_first() else { return };
    let size = (usize::from(size) + 1).clamp(8, MAXIMUM_SIZE);
    let Some((bases, numbers)) = rest.split_at_checked(16) else { return };
    // Odd, with the highest bit set; what the input lacks is zeros.
    let number = |skipped: usize| {
        let mut number: Vec<u8> =
            numbers.iter().copied().skip(skipped).chain(core::iter::repeat(0)).take(size).collect();
        number[0] |= 0x80;
        number[size - 1] |= 1;
        number
    };
    let numbers = [number(0), number(size)];
    let [first, second] = &numbers;
    let expected = numbers.each_ref().map(|number| {
        let n = BigUint::from_bytes_be(number);
        BigUint::from(2_u32).modpow(&(&n - 1_u32), &n) == BigUint::from(1_u32)
    });
    assert_eq!(fermat(first, second), expected);

    let n = BigUint::from_bytes_be(first);
    let bases = [&bases[..8], &bases[8..]].map(|base| BigUint::from_bytes_be(base) % &n);
    let expected = bases.each_ref().map(|base| passes(&n, base));
    let montgomery = bases.map(|base| ((base << (LIMB * limbs_for(size * 8))) % &n).to_bytes_be());
    let [one, other] = &montgomery;
    assert_eq!(miller_rabin(first, [one, other]), expected);
});

/// A round of Miller and Rabin's test (FIPS 186-5, appendix B.3.1, steps 4.3 to 4.6).
fn passes(n: &BigUint, base: &BigUint) -> bool {
    let (one, minus_one) = (BigUint::from(1_u32), n - 1_u32);
    let twos = minus_one.trailing_zeros().unwrap_or_default();
    let mut power = base.modpow(&(&minus_one >> twos), n);
    if power == one || power == minus_one {
        return true;
    }
    (1..twos).any(|_| {
        power = &power * &power % n;
        power == minus_one
    })
}
