//! RSA key pairs (RFC 8017) and their PKCS#8 and SubjectPublicKeyInfo encodings.

use core::fmt;

use keyside_primes::Search;
use pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use rand::CryptoRng;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, RsaPrivateKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::error::Error;
use super::prime::{Prime, prime_size};
use crate::domain::key_size::KeySize;

/// Every key's public exponent, 2^16 + 1 (FIPS 186-5, appendix A.1.1, criterion 1).
const PUBLIC_EXPONENT: u64 = 65_537;

/// The longest encoding that is read, in bytes: RSA with 16384 bits takes 9300.
const MAXIMUM_SIZE: usize = 10_000;

/// An RSA key pair; the private half is wiped when dropped and never printed.
pub struct KeyPair(RsaPrivateKey);

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(…)")
    }
}

impl KeyPair {
    /// Generates a key pair with public exponent 65537, all by itself; [`KeyPairInTheMaking`] is for who lets others search.
    pub fn generate(size: KeySize, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        let mut search = Search::new(prime_size(size));
        let mut making = KeyPairInTheMaking::new(size);
        loop {
            if let Some(key_pair) = making.offer(&search.next(rng), rng)? {
                return Ok(key_pair);
            }
        }
    }

    /// The key pair of two primes (FIPS 186-5, appendix A.1.1): n = p·q, and d the inverse of the public exponent modulo lcm(p-1, q-1).
    fn from_primes(size: KeySize, p: Prime, q: Prime) -> Result<Self, Error> {
        let unusable = |reason: String| Error::UnusableKey(reason);
        let (mut p, mut q) = (p.into_number(), q.into_number());
        if *p < *q {
            core::mem::swap(&mut p, &mut q);
        }
        let key = RsaPrivateKey::from_p_q((*p).clone(), (*q).clone(), BoxedUint::from(PUBLIC_EXPONENT))
            .map_err(|error| unusable(error.to_string()))?;
        // Of two primes of the right size there is no such key; a check that costs nothing.
        if key.n().bits() != u32::from(size.bits()) || key.d().bits() <= u32::from(size.bits()) / 2 {
            return Err(unusable("modulus or private exponent is too short".to_owned()));
        }
        Ok(Self(key))
    }

    /// Reads a PKCS#8 PrivateKeyInfo (RFC 5208, section 5).
    pub fn from_private_key_info(der: &[u8]) -> Result<Self, Error> {
        check_size(der)?;
        RsaPrivateKey::from_pkcs8_der(der).map(Self).map_err(|e| Error::UnusableKey(e.to_string()))
    }

    /// Reads a PKCS#1 RSAPrivateKey (RFC 8017, appendix A.1.2).
    pub fn from_rsa_private_key(der: &[u8]) -> Result<Self, Error> {
        check_size(der)?;
        RsaPrivateKey::from_pkcs1_der(der).map(Self).map_err(|e| Error::UnusableKey(e.to_string()))
    }

    /// The key pair as a PKCS#8 PrivateKeyInfo, in the clear; wiped when dropped.
    pub fn to_private_key_info(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        self.0.to_pkcs8_der().map(|document| document.to_bytes()).map_err(Error::encoding("PrivateKeyInfo"))
    }

    /// The public key as a SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
    pub fn to_subject_public_key_info(&self) -> Result<Vec<u8>, Error> {
        self.0
            .to_public_key()
            .to_public_key_der()
            .map(|document| document.into_vec())
            .map_err(Error::encoding("SubjectPublicKeyInfo"))
    }

    /// What signs with this key: RSASSA-PKCS1-v1_5 with SHA-256.
    pub fn signing_key(&self) -> SigningKey<Sha256> {
        SigningKey::new(self.0.clone())
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

    /// Takes a number that a search has found, big-endian, if it is prime and may stand beside the first; gives the key pair once both are there.
    pub fn offer(&mut self, number: &[u8], rng: &mut impl CryptoRng) -> Result<Option<KeyPair>, Error> {
        let Some(prime) = Prime::decide(number, self.size, rng) else { return Ok(None) };
        match self.first.take() {
            Some(first) if are_far_apart(&first, &prime) => KeyPair::from_primes(self.size, first, prime).map(Some),
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

/// Refuses what would take too long to check: a file from elsewhere may hold numbers of any size.
fn check_size(der: &[u8]) -> Result<(), Error> {
    if der.len() > MAXIMUM_SIZE {
        return Err(Error::UnusableKey(format!("it has more than {MAXIMUM_SIZE} bytes")));
    }
    Ok(())
}

/// The SHA-256 of a SubjectPublicKeyInfo's DER, in lowercase hexadecimal: the name of a key in this browser.
pub fn key_id(subject_public_key_info: &[u8]) -> String {
    hex(&Sha256::digest(subject_public_key_info))
}

/// Lowercase hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use crypto_bigint::{ConcatenatingMul, Gcd};

    use super::*;
    use crate::pki::testing::key_pair;

    #[test]
    fn a_key_pair_has_the_size_asked_for() {
        for size in KeySize::ALL {
            let KeyPair(key) = KeyPair::generate(size, &mut rand::rng()).unwrap();
            assert_eq!(key.n().bits(), u32::from(size.bits()));
            assert_eq!(key.e(), &BoxedUint::from(65_537_u64));
        }
    }

    #[test]
    fn a_key_pair_meets_the_conditions_of_fips_186_5() {
        let one = BoxedUint::one();
        for size in KeySize::ALL {
            let KeyPair(key) = KeyPair::generate(size, &mut rand::rng()).unwrap();
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
        let first = Search::new(prime_size(KeySize::Rsa2048)).next(rng);
        let mut making = KeyPairInTheMaking::new(KeySize::Rsa2048);
        assert!(making.offer(&first, rng).unwrap().is_none());
        assert_eq!(making.primes(), 1);
        // The same one, and the next prime after it.
        assert!(making.offer(&first, rng).unwrap().is_none());
        let mut number = BoxedUint::from_be_slice(&first, 1024).unwrap();
        let close = loop {
            number = number.wrapping_add(BoxedUint::from(2_u32));
            if crypto_primes::is_prime(crypto_primes::Flavor::Any, &number) {
                break number.to_be_bytes();
            }
        };
        assert!(making.offer(&close, rng).unwrap().is_none());
        assert_eq!(making.primes(), 1);
        let other = Search::new(prime_size(KeySize::Rsa2048)).next(rng);
        assert!(making.offer(&other, rng).unwrap().is_some());
    }

    #[test]
    fn what_is_not_prime_does_not_make_a_key_pair() {
        let mut making = KeyPairInTheMaking::new(KeySize::Rsa2048);
        let rng = &mut rand::rng();
        for composite in [vec![0xFF; 128], vec![0xFF; 127], Vec::new()] {
            assert!(making.offer(&composite, rng).unwrap().is_none());
        }
        assert_eq!(making.primes(), 0);
    }

    #[test]
    fn a_key_pair_comes_back_from_its_encoding() {
        let info = key_pair().to_private_key_info().unwrap();
        let again = KeyPair::from_private_key_info(&info).unwrap();
        assert_eq!(again.to_private_key_info().unwrap(), info);
        assert_eq!(again.to_subject_public_key_info().unwrap(), key_pair().to_subject_public_key_info().unwrap());
    }

    #[test]
    fn damaged_encodings_are_an_error() {
        let info = key_pair().to_private_key_info().unwrap();
        for length in [0, 1, 30, info.len() - 1] {
            assert!(matches!(KeyPair::from_private_key_info(&info[..length]), Err(Error::UnusableKey(_))));
        }
        let mut other_modulus = info.clone();
        other_modulus[60] ^= 1;
        assert!(matches!(KeyPair::from_private_key_info(&other_modulus), Err(Error::UnusableKey(_))));
    }

    #[test]
    fn numbers_without_end_are_not_worked_with() {
        let long = vec![0x30; MAXIMUM_SIZE + 1];
        for outcome in [KeyPair::from_private_key_info(&long), KeyPair::from_rsa_private_key(&long)] {
            assert!(matches!(outcome, Err(Error::UnusableKey(reason)) if reason.contains("10000")));
        }
    }

    #[test]
    fn a_key_pair_is_not_printed() {
        assert_eq!(format!("{:?}", key_pair()), "KeyPair(…)");
    }

    #[test]
    fn a_key_id_is_a_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(key_id(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
