//! The generation of RSA key pairs (FIPS 186-5, appendix A.1.3). The search for primes is in [`prime`].

pub mod prime;

use keyside_pki::error::Error;
use keyside_pki::key_pair::KeyPair;
use keyside_primes::{Integers, PrimalityTests};
use rand::CryptoRng;
use zeroize::Zeroizing;

use self::prime::{Prime, PrimeSearch};
use crate::domain::key_size::KeySize;

/// Generates a key pair with public exponent 65537 on this thread, in integers; [`KeyPairInTheMaking`] is for callers that search elsewhere.
pub fn generate(size: KeySize, rng: &mut impl CryptoRng) -> Result<KeyPair, Error> {
    generate_with(size, &mut Integers, rng)
}

/// The same with other tests of candidates for primes.
pub fn generate_with(
    size: KeySize,
    tests: &mut impl PrimalityTests,
    rng: &mut impl CryptoRng,
) -> Result<KeyPair, Error> {
    let mut search = PrimeSearch::new(size);
    let mut making = KeyPairInTheMaking::new(size);
    loop {
        if let Some(prime) = search.step(tests, rng).found
            && let Some(key_pair) = making.offer(prime)?
        {
            return Ok(key_pair);
        }
    }
}

/// A key pair that waits for its primes.
#[derive(Debug)]
pub struct KeyPairInTheMaking {
    size: KeySize,
    first: Option<Prime>,
}

impl KeyPairInTheMaking {
    /// Nothing is there yet.
    pub fn new(size: KeySize) -> Self {
        Self { size, first: None }
    }

    /// How many of the two primes are there.
    pub fn primes(&self) -> u8 {
        u8::from(self.first.is_some())
    }

    /// Takes a prime, if it may stand beside the first; gives the key pair once both are there.
    pub fn offer(&mut self, prime: Prime) -> Result<Option<KeyPair>, Error> {
        match self.first.take() {
            Some(first) if are_far_apart(&first, &prime) => {
                KeyPair::from_primes(self.size.bits(), &first.to_bytes(), &prime.to_bytes()).map(Some)
            }
            Some(first) => {
                self.first = Some(first);
                Ok(None)
            }
            None => {
                self.first = Some(prime);
                Ok(None)
            }
        }
    }
}

/// |p - q| > 2^(k - 100), where k is the primes' size (FIPS 186-5, appendix A.1.3, step 5.4): Fermat's way to factor is no shortcut then.
fn are_far_apart(p: &Prime, q: &Prime) -> bool {
    let (p, q) = (p.number(), q.number());
    let difference = Zeroizing::new(if p > q { p.wrapping_sub(q) } else { q.wrapping_sub(p) });
    // 2^(k - 100) itself has one bit more than k - 100: what has more bits than that is greater.
    difference.bits() > p.bits() - 100 + 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop where it fails")]

    use crypto_bigint::{ConcatenatingMul, Gcd};
    use keyside_primes::Integers;
    use pkcs8::DecodePrivateKey;
    use rsa::traits::{PrivateKeyParts, PublicKeyParts};
    use rsa::{BoxedUint, RsaPrivateKey};

    use super::*;

    /// Every key's public exponent (FIPS 186-5, appendix A.1.1, criterion 1).
    const PUBLIC_EXPONENT: u64 = 65_537;

    fn generated(size: KeySize) -> RsaPrivateKey {
        let key_pair = generate(size, &mut rand::rng()).unwrap();
        RsaPrivateKey::from_pkcs8_der(&key_pair.to_private_key_info().unwrap()).unwrap()
    }

    #[test]
    fn a_key_pair_has_the_size_asked_for() {
        for size in KeySize::ALL {
            let key = generated(size);
            assert_eq!(key.n().bits(), u32::from(size.bits()));
            assert_eq!(key.e(), &BoxedUint::from(PUBLIC_EXPONENT));
        }
    }

    #[test]
    fn a_key_pair_meets_the_conditions_of_fips_186_5() {
        let one = BoxedUint::one();
        for size in KeySize::ALL {
            let key = generated(size);
            let [p, q] = key.primes() else { panic!("two primes") };
            let bits = u32::from(size.bits());
            let root_of_two = BoxedUint::one_with_precision(bits).shl(bits - 1);
            for prime in [p, q] {
                assert_eq!(prime.bits(), bits / 2);
                // p >= √2·2^(bits/2 - 1), both squared.
                assert!(prime.concatenating_mul(prime.as_ref()) >= root_of_two);
                let common = prime.wrapping_sub(&one).gcd(&BoxedUint::from(PUBLIC_EXPONENT));
                assert!(bool::from(common.is_one()));
            }
            assert!(p > q && p.wrapping_sub(q.as_ref()).bits() > bits / 2 - 100);
            let [less_p, less_q] = [p, q].map(|prime| prime.wrapping_sub(&one));
            let common = rsa::BoxedUint::gcd(&less_p, &less_q);
            let lcm = less_p.concatenating_mul(&less_q) / common.to_nz().unwrap();
            assert!(key.d().bits() > bits / 2 && key.d() < &lcm);
        }
    }

    #[test]
    fn primes_that_are_close_together_do_not_make_a_key_pair() {
        let rng = &mut rand::rng();
        let size = KeySize::Rsa2048;
        let first = PrimeSearch::new(size).next(rng);
        let mut number = first.number().clone();
        let same = Prime::decided(&first.to_bytes(), size).unwrap();
        let next = loop {
            number = number.wrapping_add(BoxedUint::from(2_u32));
            if let Some(next) = Prime::decide(&number.to_be_bytes(), size, &mut Integers, rng) {
                break next;
            }
        };
        let mut making = KeyPairInTheMaking::new(size);
        for prime in [first, same, next] {
            assert!(making.offer(prime).unwrap().is_none());
            assert_eq!(making.primes(), 1);
        }
        assert!(making.offer(PrimeSearch::new(size).next(rng)).unwrap().is_some());
    }
}
