//! The profiles: how a PFX that is made here is protected.

use der::oid::db::rfc5912::{ID_SHA_1, ID_SHA_256};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{hmac, mac_key};
use crate::element::{NULL, OCTET_STRING, SEQUENCE, element, integer, oid};
use crate::error::Error;
use crate::key_derivation::Pbkdf2;
use crate::{pbes2, pkcs12_pbe};

/// The iterations of the MAC's key in [`Profile::Modern`]: the most that Windows takes.
pub(super) const MODERN_MAC_ITERATIONS: i32 = 600_000;
/// The iterations of PBKDF2 in [`Profile::Modern`]. Each hashes two blocks where the MAC's derivation hashes one, so that neither is the cheaper way to
/// try passphrases.
pub(super) const MODERN_ITERATIONS: u32 = 300_000;
/// The iterations of each derivation in [`Profile::Compatible`]: the count that old readers accept.
pub(super) const COMPATIBLE_ITERATIONS: u16 = 10_000;
/// The MAC's salt in bytes: some versions of macOS refuse 16.
pub(super) const MAC_SALT_SIZE: usize = 8;

/// The protection of a PFX. It decides which programs can read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Profile {
    /// AES-256 and SHA-256 (PBES2, RFC 8018).
    ///
    /// OpenSSL 1.1, Java 8u301, Windows 10 1709, NSS 3.12 and later read it.
    Modern,
    /// Triple DES and SHA-1 (RFC 7292, appendix C), for key and certificates alike.
    ///
    /// For what refuses the other: Windows Server 2016, and older macOS, iOS and Android. A program that can read the other profile should get that one.
    Compatible,
}

/// An encryption with one of the profiles. The key of [`Profile::Modern`]'s is being derived.
pub(super) enum Encryption {
    Modern(pbes2::Encryption),
    Compatible,
}

impl Encryption {
    /// Encrypts under a fresh salt; `password` is a [`password`](crate::pkcs12_kdf::password), for [`Self::Compatible`]. Returns the AlgorithmIdentifier, DER, and the ciphertext.
    pub(super) async fn encrypt(
        self,
        clear: &[u8],
        password: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        match self {
            Self::Modern(encryption) => Ok(encryption.encrypt(clear).await),
            Self::Compatible => pkcs12_pbe::encrypt(clear, password, COMPATIBLE_ITERATIONS, rng),
        }
    }
}

/// The key of the MAC, and from what it was derived.
pub(super) struct MacKey {
    profile: Profile,
    salt: [u8; MAC_SALT_SIZE],
    key: Zeroizing<Vec<u8>>,
}

impl MacKey {
    /// The MacData: the HMAC over the AuthenticatedSafe (RFC 7292, section 4 and appendix B).
    pub(super) fn mac_data(&self, authenticated_safe: &[u8]) -> Result<Vec<u8>, Error> {
        let (hash, digest) = match self.profile {
            Profile::Modern => (ID_SHA_256, hmac::<Sha256>(&self.key, authenticated_safe)?),
            Profile::Compatible => (ID_SHA_1, hmac::<Sha1>(&self.key, authenticated_safe)?),
        };
        let algorithm = element(SEQUENCE, &[&oid(hash), NULL]);
        let digest_info = element(SEQUENCE, &[&algorithm, &element(OCTET_STRING, &[&digest])]);
        let (salt, iterations) = (element(OCTET_STRING, &[&self.salt]), self.profile.mac_iterations());
        Ok(element(SEQUENCE, &[&digest_info, &salt, &integer(iterations.unsigned_abs())]))
    }
}

impl Profile {
    /// Begins an encryption.
    pub(super) async fn begin(self, passphrase: &str, pbkdf2: &impl Pbkdf2, rng: &mut impl CryptoRng) -> Encryption {
        match self {
            Self::Modern => Encryption::Modern(pbes2::begin(MODERN_ITERATIONS, passphrase, pbkdf2, rng).await),
            Self::Compatible => Encryption::Compatible,
        }
    }

    const fn mac_iterations(self) -> i32 {
        match self {
            Self::Modern => MODERN_MAC_ITERATIONS,
            Self::Compatible => COMPATIBLE_ITERATIONS as i32,
        }
    }

    /// Derives the key of the MAC under a fresh salt, from a [`password`](crate::pkcs12_kdf::password).
    pub(super) fn mac_key(self, password: &[u8], rng: &mut impl CryptoRng) -> MacKey {
        let mut salt = [0; MAC_SALT_SIZE];
        rng.fill_bytes(&mut salt);
        let key = match self {
            Self::Modern => mac_key::<Sha256>(password, &salt, self.mac_iterations()),
            Self::Compatible => mac_key::<Sha1>(password, &salt, self.mac_iterations()),
        };
        MacKey { profile: self, salt, key }
    }
}
