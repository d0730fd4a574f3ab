//! PBMAC1 (RFC 8018, section 7.1) as the MAC of a PFX (RFC 9579).

use der::oid::ObjectIdentifier;
use pkcs5::pbes2::{Kdf, Pbkdf2Params, Pbkdf2Prf};
use pkcs12::pbe_params::Pbes2Params;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use spki::AlgorithmIdentifierOwned;
use zeroize::Zeroizing;

use super::hmac;
use crate::error::Error;
use crate::password_based_encryption::{self as pbe, Budget, HashFunction, Secret};

/// PBMAC1 (RFC 8018, appendix A.5).
pub(super) const PBMAC1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.14");

/// The longest key that is derived, in bytes: what HMAC-SHA-512 puts out.
const MAXIMUM_KEY_SIZE: u16 = 64;

/// The parameters of PBMAC1: PBKDF2 and an HMAC.
pub(super) struct Pbmac1 {
    derivation: Pbkdf2Params,
    derivation_hash: HashFunction,
    key_size: u16,
    /// The hash function of the HMAC.
    pub(super) hash: HashFunction,
}

impl Pbmac1 {
    /// Reads the parameters that stand with the algorithm.
    pub(super) fn read(algorithm: &AlgorithmIdentifierOwned) -> Result<Self, Error> {
        let unsupported = |oid| move || Error::UnsupportedAlgorithm(oid);
        let parameters = algorithm.parameters.as_ref().ok_or_else(unsupported(algorithm.oid))?;
        // PBMAC1-params has the shape of PBES2-params, with a MAC in place of the cipher.
        let parameters: Pbes2Params = parameters.decode_as().map_err(Error::malformed("PBMAC1-params"))?;
        let (derivation, mac) = (parameters.kdf, parameters.encryption);
        let Ok(Kdf::Pbkdf2(pbkdf2)) = pbe::as_parsed(&derivation) else {
            return Err(Error::UnsupportedAlgorithm(derivation.oid));
        };
        let derivation_hash = HashFunction::of(pbkdf2.prf).ok_or_else(unsupported(pbkdf2.prf.oid()))?;
        // RFC 9579, section 4: the length must be there.
        let key_size = pbkdf2.key_length.ok_or_else(unsupported(algorithm.oid))?;
        let hash =
            pbe::as_parsed::<Pbkdf2Prf>(&mac).ok().and_then(HashFunction::of).ok_or_else(unsupported(mac.oid))?;
        Ok(Self { derivation: pbkdf2, derivation_hash, key_size, hash })
    }

    /// How often the derivation's HMAC is applied.
    pub(super) fn iterations(&self) -> u32 {
        self.derivation.iteration_count
    }

    /// The salt's size in bytes.
    pub(super) fn salt_size(&self) -> usize {
        self.derivation.salt.as_ref().len()
    }

    /// The MAC of `bytes`.
    pub(super) fn mac(&self, bytes: &[u8], secret: &Secret, budget: &mut Budget) -> Result<Vec<u8>, Error> {
        if self.key_size > MAXIMUM_KEY_SIZE {
            return Err(Error::DerivationTooCostly);
        }
        budget.spend(self.iterations().into())?;
        let mut key = Zeroizing::new(vec![0; self.key_size.into()]);
        pbe::pbkdf2(self.derivation_hash, &secret.octets, self.derivation.salt.as_ref(), self.iterations(), &mut key);
        match self.hash {
            HashFunction::Sha1 => hmac::<Sha1>(&key, bytes),
            HashFunction::Sha224 => hmac::<Sha224>(&key, bytes),
            HashFunction::Sha256 => hmac::<Sha256>(&key, bytes),
            HashFunction::Sha384 => hmac::<Sha384>(&key, bytes),
            HashFunction::Sha512 => hmac::<Sha512>(&key, bytes),
        }
    }
}
