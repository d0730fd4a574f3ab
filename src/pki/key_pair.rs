//! RSA key pairs (RFC 8017) and their PKCS#8 and SubjectPublicKeyInfo encodings.

use core::fmt;

use pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};
use rand::CryptoRng;
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use sha2::{Digest, Sha256};
use signature::{RandomizedSigner, SignatureEncoding};
use zeroize::Zeroizing;

use super::error::Error;
use crate::domain::key_size::KeySize;

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
    /// Generates a key pair with public exponent 65537. In a browser this takes seconds, so it belongs in a worker.
    pub fn generate(size: KeySize, rng: &mut impl CryptoRng) -> Result<Self, Error> {
        RsaPrivateKey::new(rng, usize::from(size.bits())).map(Self).map_err(|e| Error::UnusableKey(e.to_string()))
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

    use rsa::traits::PublicKeyParts;

    use super::*;
    use crate::pki::testing::key_pair;

    #[test]
    fn a_key_pair_has_the_size_asked_for() {
        for size in KeySize::ALL {
            let KeyPair(key) = KeyPair::generate(size, &mut rand::rng()).unwrap();
            assert_eq!(key.n().bits(), u32::from(size.bits()));
            assert_eq!(key.e(), &rsa::BoxedUint::from(65_537_u64));
        }
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
