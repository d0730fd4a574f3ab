//! RSA keys that are weak by their modulus: those that the CA/Browser Forum's Baseline Requirements have a CA refuse (section 6.1.1.3) and that
//! can be told without a list.

use core::fmt;

use crypto_bigint::BoxedUint;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};

/// The smallest prime that a modulus may be divided by (Baseline Requirements, section 6.1.6).
const LEAST_FACTOR: u32 = 752;
/// The steps of Fermat's method that are tried, as the Baseline Requirements have it.
const FERMAT_ROUNDS: usize = 100;
/// The primes of the fingerprint of ROCA keys (CVE-2017-15361): M. Nemec et al., “The Return of Coppersmith's Attack”, section 2.2.
const LARGEST_ROCA_PRIME: u32 = 167;
/// The generator of the subgroup in which the factors of ROCA keys lie, and so their products.
const ROCA_GENERATOR: u32 = 65_537;
/// Moduli by which squares have few residues: together they leave one number of a hundred that is none (H. Cohen, “A Course in Computational
/// Algebraic Number Theory”, algorithm 1.7.3).
const SQUARE_MODULI: [u32; 4] = [64, 63, 65, 11];

/// The weakness of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weakness {
    /// The modulus has this small factor.
    SmallFactor(u32),
    /// The modulus is a prime: see [`is_prime`].
    Prime,
    /// The two factors are so close that Fermat's method finds them.
    CloseFactors,
    /// The factors have the form of those that chips with CVE-2017-15361 make.
    Roca,
}

impl fmt::Display for Weakness {
    /// As a clause.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SmallFactor(factor) => write!(f, "its modulus can be divided by {factor}"),
            Self::Prime => f.write_str("its modulus is a prime, which protects nothing"),
            Self::CloseFactors => f.write_str("the two factors of its modulus are so close that they are easily found"),
            Self::Roca => f.write_str("it was made by a chip or a library with the flaw ROCA (CVE-2017-15361)"),
        }
    }
}

/// The weakness of the RSA key with this modulus, big-endian, if it is known to have one; but for [`is_prime`]. The modulus is odd.
pub fn weakness_of(modulus: &[u8]) -> Option<Weakness> {
    let small_factor = primes_below(LEAST_FACTOR).find(|prime| residue(modulus, *prime) == 0);
    if let Some(factor) = small_factor {
        return Some(Weakness::SmallFactor(factor));
    }
    if primes_below(LARGEST_ROCA_PRIME + 1).skip(1).all(|prime| is_power_of_generator(residue(modulus, prime), prime)) {
        return Some(Weakness::Roca);
    }
    has_close_factors(modulus).then_some(Weakness::CloseFactors)
}

/// True if an RSA modulus, big-endian, is a prime itself: then anyone can work out the private key. This takes milliseconds, several times as
/// long as [`weakness_of`] and all else that a request takes.
///
/// It is Fermat's test to the base 2: 2ⁿ⁻¹ is 1 modulo every odd prime n, and next to no other number.
pub fn is_prime(modulus: &[u8]) -> bool {
    let Ok(bits) = u32::try_from(modulus.len() * 8) else { return false };
    let Ok(odd) = BoxedUint::from_be_slice(modulus, bits) else { return false };
    let Some(odd) = odd.to_odd().into_option() else { return false };
    let parameters = BoxedMontyParams::new_vartime(odd);
    let one = BoxedMontyForm::one(&parameters);
    // n - 1 has the bits of n but for the last one. To double is faster than to multiply.
    let exponent = modulus.iter().flat_map(|octet| (0..8).rev().map(move |place| octet >> place & 1));
    let power = exponent.take(modulus.len() * 8 - 1).fold(one.clone(), |power, bit| {
        let square = power.square();
        if bit == 1 { square.double() } else { square }
    });
    power.square() == one
}

fn primes_below(end: u32) -> impl Iterator<Item = u32> {
    (2..end).filter(|number| {
        (2..*number).take_while(|factor| factor * factor <= *number).all(|factor| number % factor != 0)
    })
}

/// The remainder of a big-endian number.
fn residue(number: &[u8], modulus: u32) -> u32 {
    let modulus = u64::from(modulus);
    let remainder = number.chunks(4).fold(0, |remainder: u64, digits| {
        let digit = digits.iter().fold(0, |digit: u64, octet| digit << 8 | u64::from(*octet));
        ((remainder << (8 * digits.len())) | digit) % modulus
    });
    // It is less than a u32.
    remainder as u32
}

/// True if a residue is a power of [`ROCA_GENERATOR`].
fn is_power_of_generator(residue: u32, prime: u32) -> bool {
    let mut power = 1;
    // The order of an element divides the order of the group, prime - 1.
    for _ in 1..prime {
        if power == residue {
            return true;
        }
        power = power * (ROCA_GENERATOR % prime) % prime;
    }
    false
}

/// Fermat's method: n = a² - b² = (a - b)(a + b), with `a` from the square root of n on.
fn has_close_factors(modulus: &[u8]) -> bool {
    let Ok(bits) = u32::try_from(modulus.len() * 16) else { return false };
    // With room for the squares.
    let Ok(modulus) = BoxedUint::from_be_slice(modulus, bits) else { return false };
    let one = BoxedUint::one_with_precision(bits);
    let root = modulus.floor_sqrt_vartime();
    if root.wrapping_square() == modulus {
        return true;
    }
    let mut a = root.wrapping_add(&one);
    let mut rest = a.wrapping_square().wrapping_sub(&modulus);
    for _ in 0..FERMAT_ROUNDS {
        if is_square(&rest) {
            return true;
        }
        // (a + 1)² = a² + 2a + 1
        rest = rest.wrapping_add(&a).wrapping_add(&a).wrapping_add(&one);
        a = a.wrapping_add(&one);
    }
    false
}

fn is_square(number: &BoxedUint) -> bool {
    let octets = number.to_be_bytes_trimmed_vartime();
    let may_be = |modulus: u32| {
        let residue = residue(&octets, modulus);
        (0..modulus).any(|root| root * root % modulus == residue)
    };
    SQUARE_MODULI.into_iter().all(may_be) && number.checked_sqrt_vartime().is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use keyside_core::domain::key_size::KeySize;
    use keyside_core::key_generation;
    use rsa::traits::{PrivateKeyParts, PublicKeyParts};

    use super::*;

    /// `one` times `other` plus `more`, all big-endian.
    fn product(one: &[u8], other: &[u8], more: u64) -> Vec<u8> {
        let mut digits = vec![0; one.len() + other.len()];
        let mut add = |mut place: usize, mut value: u64| {
            while value > 0 {
                value += digits[place];
                digits[place] = value & 0xFF;
                (place, value) = (place + 1, value >> 8);
            }
        };
        for (place, octet) in one.iter().rev().enumerate() {
            for (further, factor) in other.iter().rev().enumerate() {
                add(place + further, u64::from(*octet) * u64::from(*factor));
            }
        }
        add(0, more);
        digits.iter().rev().skip_while(|digit| **digit == 0).map(|digit| *digit as u8).collect()
    }

    /// A prime of 1024 bits, and the modulus that it is a factor of.
    fn prime_and_modulus() -> (Vec<u8>, Vec<u8>) {
        let pair = key_generation::generate(KeySize::Rsa2048, &mut rand::rng()).unwrap();
        let key = rsa::RsaPrivateKey::from(pair.signing_key());
        let octets = |number: &BoxedUint| number.to_be_bytes_trimmed_vartime().to_vec();
        (octets(key.primes().first().unwrap()), octets(key.n()))
    }

    #[test]
    fn a_good_key_has_none() {
        assert_eq!(weakness_of(&prime_and_modulus().1), None);
    }

    #[test]
    fn small_factors_are_found() {
        let (prime, _) = prime_and_modulus();
        for factor in [3, 7, 751_u32] {
            let modulus = product(&prime, &factor.to_be_bytes(), 0);
            assert_eq!(weakness_of(&modulus), Some(Weakness::SmallFactor(factor)));
        }
        assert_eq!(primes_below(20).collect::<Vec<_>>(), [2, 3, 5, 7, 11, 13, 17, 19]);
        assert_eq!(primes_below(752).last(), Some(751));
    }

    #[test]
    fn a_prime_modulus_is_found() {
        for _ in 0..3 {
            let (prime, modulus) = prime_and_modulus();
            assert!(is_prime(&prime) && !is_prime(&modulus));
        }
        // 2¹²⁷ - 1, and numbers beside it.
        let mersenne = u128::MAX >> 1;
        for (number, expected) in
            [(mersenne, true), (mersenne - 2, false), (mersenne - 4, false), (341, true), (345, false)]
        {
            assert_eq!(is_prime(&number.to_be_bytes()), expected, "{number}");
        }
    }

    #[test]
    fn close_factors_are_found() {
        let (prime, _) = prime_and_modulus();
        for distance in [0, 2, 1 << 40] {
            let close = product(&prime, &[1], distance);
            assert!(has_close_factors(&product(&prime, &close, 0)), "{distance}");
        }
        let (other, _) = prime_and_modulus();
        assert!(!has_close_factors(&product(&prime, &other, 0)));
    }

    #[test]
    fn the_fingerprint_of_roca_is_found() {
        // 65537² by the product of all primes up to 167, and anything above.
        let primes = primes_below(LARGEST_ROCA_PRIME + 1);
        let primes = primes.fold(vec![1], |primes, prime| product(&primes, &prime.to_be_bytes(), 0));
        let (above, _) = prime_and_modulus();
        let generator = u64::from(ROCA_GENERATOR);
        // One of them gives the whole no small factor.
        let found = (0..10_u64).filter_map(|further| {
            let above = product(&above, &[1], further);
            weakness_of(&product(&primes, &above, generator * generator))
        });
        assert!(found.into_iter().any(|weakness| weakness == Weakness::Roca));
    }
}
