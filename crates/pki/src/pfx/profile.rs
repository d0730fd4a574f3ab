//! The profiles: how a PFX that is made here is protected.

use der::oid::db::rfc5912::{ID_SHA_1, ID_SHA_256};
use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;

use super::mac;
use crate::element::{NULL, OCTET_STRING, SEQUENCE, element, integer, oid};
use crate::error::Error;
use crate::{pbes2, pkcs12_kdf, pkcs12_pbe};

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

impl Profile {
    /// Encrypts under a fresh salt. Returns the AlgorithmIdentifier, DER, and the ciphertext.
    pub(super) fn encrypt(
        self,
        clear: &[u8],
        passphrase: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        match self {
            Self::Modern => {
                let scheme = pbes2::Scheme::pbkdf2(MODERN_ITERATIONS, rng);
                Ok((scheme.encode(), scheme.encrypt(passphrase.as_bytes(), clear)?))
            }
            Self::Compatible => {
                pkcs12_pbe::encrypt(clear, &pkcs12_kdf::password(passphrase), COMPATIBLE_ITERATIONS, rng)
            }
        }
    }

    /// The MacData: the HMAC over the AuthenticatedSafe (RFC 7292, section 4 and appendix B).
    pub(super) fn mac_data(
        self,
        authenticated_safe: &[u8],
        passphrase: &str,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, Error> {
        let mut salt = [0; MAC_SALT_SIZE];
        rng.fill_bytes(&mut salt);
        let password = pkcs12_kdf::password(passphrase);
        let iterations = match self {
            Self::Modern => MODERN_MAC_ITERATIONS,
            Self::Compatible => COMPATIBLE_ITERATIONS.into(),
        };
        let (hash, digest) = match self {
            Self::Modern => (ID_SHA_256, mac::<Sha256>(authenticated_safe, &password, &salt, iterations)?),
            Self::Compatible => (ID_SHA_1, mac::<Sha1>(authenticated_safe, &password, &salt, iterations)?),
        };
        let algorithm = element(SEQUENCE, &[&oid(hash), NULL]);
        let digest_info = element(SEQUENCE, &[&algorithm, &element(OCTET_STRING, &[&digest])]);
        Ok(element(SEQUENCE, &[&digest_info, &element(OCTET_STRING, &[&salt]), &integer(iterations.unsigned_abs())]))
    }
}
