//! PBMAC1 (RFC 8018, section 7.1) as the MAC of a PFX (RFC 9579).

use der::oid::ObjectIdentifier;
use der::{ErrorKind, Tag};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use spki::AlgorithmIdentifierOwned;

use super::hmac;
use crate::error::Error;
use crate::password_based_encryption::{Budget, HashFunction, KeyDerivation, Parameters, Secret};

/// PBMAC1 (RFC 8018, appendix A.5).
pub(super) const PBMAC1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.14");

/// The longest key that is derived, in bytes: what HMAC-SHA-512 puts out.
const MAXIMUM_KEY_SIZE: u32 = 64;
/// The shortest key that is taken, in bytes: what HMAC-SHA-1 puts out.
const MINIMUM_KEY_SIZE: u32 = 20;

/// The parameters of PBMAC1: PBKDF2 and an HMAC.
pub(super) struct Pbmac1 {
    derivation: KeyDerivation,
    iterations: u32,
    salt_size: usize,
    key_size: u32,
    /// The hash function of the HMAC.
    pub(super) hash: HashFunction,
}

impl Pbmac1 {
    /// Reads the parameters that stand with the algorithm.
    pub(super) fn read(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, Error> {
        let Parameters { derivation, algorithm: mac, .. } = Parameters::read(algorithm)?;
        // RFC 9579, section 4: the key's length must be there.
        let KeyDerivation::Pbkdf2 { iterations, ref salt, key_size: Some(key_size), .. } = derivation else {
            return Err(Error::UnsupportedAlgorithm(algorithm.oid));
        };
        let salt_size = salt.len();
        let hash = HashFunction::of_hmac(mac).ok_or(Error::UnsupportedAlgorithm(mac))?;
        Ok(Self { derivation, iterations, salt_size, key_size, hash })
    }

    /// How often the derivation's HMAC is applied.
    pub(super) fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The salt's size in bytes.
    pub(super) fn salt_size(&self) -> usize {
        self.salt_size
    }

    /// The MAC of `bytes`.
    pub(super) fn mac(&self, bytes: &[u8], secret: &Secret, budget: &mut Budget) -> Result<Vec<u8>, Error> {
        if self.key_size > MAXIMUM_KEY_SIZE {
            return Err(Error::DerivationTooCostly);
        }
        // A key of no length would fit every passphrase.
        if self.key_size < MINIMUM_KEY_SIZE {
            return Err(Error::malformed("PBMAC1-params")(ErrorKind::Value { tag: Tag::Integer }.into()));
        }
        let key = self.derivation.derive(&secret.octets, self.key_size as usize, budget)?;
        match self.hash {
            HashFunction::Sha1 => hmac::<Sha1>(&key, bytes),
            HashFunction::Sha224 => hmac::<Sha224>(&key, bytes),
            HashFunction::Sha256 => hmac::<Sha256>(&key, bytes),
            HashFunction::Sha384 => hmac::<Sha384>(&key, bytes),
            HashFunction::Sha512 => hmac::<Sha512>(&key, bytes),
        }
    }
}
