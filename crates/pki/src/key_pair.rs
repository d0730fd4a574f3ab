//! RSA key pairs (RFC 8017) and their PKCS#8 and SubjectPublicKeyInfo encodings.

use core::fmt;

use der::oid::db::rfc5912::RSA_ENCRYPTION;
use rand::CryptoRng;
use rsa::pkcs1v15::SigningKey;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use rsa::{BoxedUint, RsaPrivateKey};
use sha2::{Digest, Sha256};
use signature::{RandomizedSigner, SignatureEncoding};
use zeroize::Zeroizing;

use super::error::Error;
use crate::element::{BIT_STRING, Elements, INTEGER, NULL, OCTET_STRING, SEQUENCE, element, integer, oid};

/// Every key's public exponent, 2^16 + 1 (FIPS 186-5, appendix A.1.1, criterion 1).
const PUBLIC_EXPONENT: u64 = 65_537;

/// The version of an RSAPrivateKey with two primes (RFC 8017, appendix A.1.2), an INTEGER.
const TWO_PRIMES: &[u8] = &[INTEGER, 1, 0];

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
    /// The key pair of two primes, big-endian, with a modulus of `bits` (FIPS 186-5, appendix A.1.1): n = p·q, and d the inverse of the public
    /// exponent modulo lcm(p-1, q-1). Whether the numbers are prime is not checked.
    pub fn from_primes(bits: u16, p: &[u8], q: &[u8]) -> Result<Self, Error> {
        let prime =
            |number| BoxedUint::from_be_slice(number, u32::from(bits) / 2).map(Zeroizing::new).map_err(unusable);
        let (mut p, mut q) = (prime(p)?, prime(q)?);
        if *p < *q {
            core::mem::swap(&mut p, &mut q);
        }
        let key =
            RsaPrivateKey::from_p_q((*p).clone(), (*q).clone(), BoxedUint::from(PUBLIC_EXPONENT)).map_err(unusable)?;
        // Of two primes of the right size there is no such key; a check that costs nothing.
        if key.n().bits() != u32::from(bits) || key.d().bits() <= u32::from(bits) / 2 {
            return Err(unusable("modulus or private exponent is too short"));
        }
        Ok(Self(key))
    }

    /// Reads a PKCS#8 PrivateKeyInfo (RFC 5208, section 5).
    pub fn from_private_key_info(der: &[u8]) -> Result<Self, Error> {
        check_size(der)?;
        let read = || {
            let mut info = Elements::within(SEQUENCE, der)?;
            info.next_u32()?;
            Ok::<_, der::Error>((info.next_sequence()?.next_oid()?, info.next(OCTET_STRING)?))
        };
        match read().map_err(unusable)? {
            (RSA_ENCRYPTION, key) => Self::from_rsa_private_key(key),
            (other, _) => Err(unusable(other)),
        }
    }

    /// Reads a PKCS#1 RSAPrivateKey (RFC 8017, appendix A.1.2), and checks that its numbers belong together.
    pub fn from_rsa_private_key(der: &[u8]) -> Result<Self, Error> {
        check_size(der)?;
        let read = || {
            let mut key = Elements::within(SEQUENCE, der)?;
            let version = key.next_u32()?;
            let mut next = || key.next(INTEGER);
            let numbers = [next()?, next()?, next()?, next()?, next()?];
            // What follows from these: two exponents and a coefficient.
            let derived = [next()?, next()?, next()?];
            key.finish().map(|()| (version, numbers, derived))
        };
        let (0, [n, e, d, p, q], derived) = read().map_err(unusable)? else {
            return Err(unusable("it has more than two primes"));
        };
        // The private numbers get the modulus's room: how long each is is a secret.
        let bits = 8 * u32::try_from(unsigned(n).len()).map_err(unusable)?;
        let private = |number| BoxedUint::from_be_slice(unsigned(number), bits).map_err(unusable);
        let e = BoxedUint::from_be_slice_vartime(unsigned(e));
        let key = RsaPrivateKey::from_components(private(n)?, e, private(d)?, vec![private(p)?, private(q)?]);
        let key_pair = key.map(Self).map_err(unusable)?;
        let expected = key_pair.derived_numbers()?;
        // Other programs calculate with these, and would give the key away by a signature that is wrong in one prime.
        if expected.iter().zip(derived).any(|(expected, found)| unsigned_digits(expected) != unsigned(found)) {
            return Err(unusable("its numbers do not belong together"));
        }
        Ok(key_pair)
    }

    /// The two exponents and the coefficient that follow from the primes (RFC 8017, section 3.2), each an INTEGER.
    fn derived_numbers(&self) -> Result<[Zeroizing<Vec<u8>>; 3], Error> {
        let missing = || unusable("it is not complete");
        let coefficient = Zeroizing::new(self.0.crt_coefficient().ok_or_else(missing)?);
        let numbers = [self.0.dp().ok_or_else(missing)?, self.0.dq().ok_or_else(missing)?, &coefficient];
        Ok(numbers.map(|number| Zeroizing::new(big_integer(number))))
    }

    /// The key pair as a PKCS#8 PrivateKeyInfo, in the clear; wiped when dropped.
    pub fn to_private_key_info(&self) -> Result<Zeroizing<Vec<u8>>, Error> {
        let key = &self.0;
        let [p, q] = key.primes() else { return Err(unusable("it has not two primes")) };
        let numbers = [key.n().as_ref(), key.e(), key.d(), p.as_ref(), q.as_ref()].into_iter();
        let numbers = numbers.map(|number| Zeroizing::new(big_integer(number))).chain(self.derived_numbers()?);
        let numbers: Vec<_> = numbers.collect();
        let mut parts = vec![TWO_PRIMES];
        parts.extend(numbers.iter().map(|number| number.as_slice()));
        let key = Zeroizing::new(element(SEQUENCE, &parts));
        let key = Zeroizing::new(element(OCTET_STRING, &[&key]));
        Ok(Zeroizing::new(element(SEQUENCE, &[&integer(0), &algorithm(), &key])))
    }

    /// The public key as a SubjectPublicKeyInfo (RFC 5280, section 4.1.2.7).
    pub fn to_subject_public_key_info(&self) -> Result<Vec<u8>, Error> {
        let key = element(SEQUENCE, &[&big_integer(self.0.n()), &big_integer(self.0.e())]);
        Ok(element(SEQUENCE, &[&algorithm(), &element(BIT_STRING, &[&[0], &key])]))
    }

    /// Signs with RSASSA-PKCS1-v1_5 and SHA-256 (RFC 8017, section 8.2); `rng` blinds the private key's work.
    pub fn sign(&self, message: &[u8], rng: &mut impl CryptoRng) -> Result<Box<[u8]>, Error> {
        self.signing_key()
            .try_sign_with_rng(rng, message)
            .map(|signature| signature.to_bytes())
            .map_err(Error::encoding("signature"))
    }

    /// What signs with this key: RSASSA-PKCS1-v1_5 with SHA-256.
    pub fn signing_key(&self) -> SigningKey<Sha256> {
        SigningKey::new(self.0.clone())
    }
}

/// rsaEncryption as an AlgorithmIdentifier (RFC 3279, section 2.3.1).
fn algorithm() -> Vec<u8> {
    element(SEQUENCE, &[&oid(RSA_ENCRYPTION), NULL])
}

/// A number as an INTEGER.
fn big_integer(number: &BoxedUint) -> Vec<u8> {
    let bytes = Zeroizing::new(number.to_be_bytes());
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(zeros..).unwrap_or_default();
    // A set first bit would make it negative; and zero has one digit.
    let sign: &[u8] = if digits.first().is_none_or(|byte| *byte >= 0x80) { &[0] } else { &[] };
    element(INTEGER, &[sign, digits])
}

/// The digits of an INTEGER that is not negative, without the zero that DER puts before a set first bit.
fn unsigned(integer: &[u8]) -> &[u8] {
    integer.strip_prefix(&[0]).unwrap_or(integer)
}

/// The digits of a whole INTEGER.
fn unsigned_digits(integer: &[u8]) -> &[u8] {
    Elements::of(integer).next(INTEGER).map(unsigned).unwrap_or_default()
}

fn unusable(reason: impl ToString) -> Error {
    Error::UnusableKey(reason.to_string())
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
    #![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop where it fails")]

    use pkcs8::{EncodePrivateKey, EncodePublicKey};
    use rsa::pkcs1::EncodeRsaPrivateKey;

    use super::*;
    use crate::testing::key_pair;

    #[test]
    fn a_key_pair_comes_back_from_its_encoding() {
        let info = key_pair().to_private_key_info().unwrap();
        let again = KeyPair::from_private_key_info(&info).unwrap();
        assert_eq!(again.to_private_key_info().unwrap(), info);
        assert_eq!(again.to_subject_public_key_info().unwrap(), key_pair().to_subject_public_key_info().unwrap());
    }

    #[test]
    fn encodings_are_as_the_crate_rsa_has_them() {
        let KeyPair(key) = key_pair();
        assert_eq!(key_pair().to_private_key_info().unwrap().as_slice(), key.to_pkcs8_der().unwrap().as_bytes());
        let public = key.to_public_key().to_public_key_der().unwrap();
        assert_eq!(key_pair().to_subject_public_key_info().unwrap(), public.as_bytes());
        let KeyPair(again) = KeyPair::from_rsa_private_key(key.to_pkcs1_der().unwrap().as_bytes()).unwrap();
        assert_eq!(again, key);
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
